//! The devices of an account: listing and ending them, and the rule of the first day.

use super::{
    Inner,
    rpc::{Answer, Caller, Refusal, bad, refuse},
    views,
    world::World,
};
use grammers_tl_types::{self as tl, Cursor, Deserializable, Serializable};

fn own(w: &World, who: &Caller) -> (i64, i64) {
    w.keys.get(&who.key).and_then(|k| k.account).unwrap_or_default()
}

/// `account.getAuthorizations`: one row a key; a copied key does not show.
pub(super) fn list(w: &World, who: &Caller) -> Vec<u8> {
    let (account, mine) = own(w, who);
    let rows = w.accounts.get(&account).map(|a| (a.ttl_days, a.rows.as_slice()));
    let (ttl, rows) = rows.unwrap_or_default();
    let mut rows: Vec<_> = rows.iter().collect();
    // One's own first, then by activity.
    rows.sort_by_key(|r| (r.hash != mine, -r.active_s));
    let authorizations = rows.into_iter().map(|r| views::authorization(r, r.hash == mine)).collect();
    tl::enums::account::Authorizations::Authorizations(tl::types::account::Authorizations { authorization_ttl_days: ttl, authorizations }).to_bytes()
}

/// A session may not end others on its first day (406).
fn old_enough(w: &mut World, who: &Caller) -> Result<(), Refusal> {
    let (now, fresh) = (w.now_s(), w.settings.fresh_for.as_secs() as i64);
    if w.row(who.key).is_some_and(|r| now - r.created_s >= fresh) { Ok(()) } else { refuse(406, "FRESH_RESET_AUTHORISATION_FORBIDDEN") }
}

/// `account.resetAuthorization`.
pub(super) fn reset(w: &mut World, inner: &Inner, who: &Caller, c: &mut Cursor<'_>) -> Answer {
    let hash = i64::deserialize(c).map_err(bad)?;
    let (account, mine) = own(w, who);
    // One's own row is listed with hash 0, which cannot be ended like this.
    if hash == 0 || hash == mine || !w.accounts.get(&account).is_some_and(|a| a.rows.iter().any(|r| r.hash == hash)) {
        return refuse(400, "HASH_INVALID");
    }
    old_enough(w, who)?;
    w.end(account, hash, (401, "AUTH_KEY_UNREGISTERED"));
    inner.said(&serde_json::json!({ "what": "ended", "account": account }));
    Ok(true.to_bytes())
}

/// `auth.resetAuthorizations`.
pub(super) fn reset_others(w: &mut World, inner: &Inner, who: &Caller) -> Answer {
    let (account, mine) = own(w, who);
    old_enough(w, who)?;
    let others: Vec<i64> = w.accounts.get(&account).into_iter().flat_map(|a| &a.rows).map(|r| r.hash).filter(|h| *h != mine).collect();
    for hash in others {
        w.end(account, hash, (401, "SESSION_REVOKED"));
    }
    inner.said(&serde_json::json!({ "what": "ended", "account": account }));
    Ok(true.to_bytes())
}

/// `account.setAuthorizationTTL`.
pub(super) fn time_to_live(w: &mut World, who: &Caller, c: &mut Cursor<'_>) -> Answer {
    let days = i32::deserialize(c).map_err(bad)?;
    old_enough(w, who)?;
    if !(1..=366).contains(&days) {
        return refuse(400, "TTL_DAYS_INVALID");
    }
    let (account, _) = own(w, who);
    if let Some(a) = w.accounts.get_mut(&account) {
        a.ttl_days = days;
    }
    Ok(true.to_bytes())
}

/// `account.changeAuthorizationSettings`: confirms a session.
pub(super) fn change(w: &mut World, who: &Caller, c: &mut Cursor<'_>) -> Answer {
    let flags = u32::deserialize(c).map_err(bad)?;
    let hash = i64::deserialize(c).map_err(bad)?;
    let (account, _) = own(w, who);
    let row = w.accounts.get_mut(&account).and_then(|a| a.rows.iter_mut().find(|r| r.hash == hash));
    let Some(row) = row else { return refuse(400, "HASH_INVALID") };
    if flags & 8 != 0 {
        row.unconfirmed = false;
    }
    Ok(true.to_bytes())
}
