//! Login by QR: export, accept, import (core.telegram.org/api/qr-login).

use super::{
    Inner, login,
    rpc::{Answer, Caller, Refusal, bad, refuse},
    views,
    world::{Row, Token, World},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use grammers_tl_types::{self as tl, Cursor, Deserializable, Serializable};

/// Checks `api_id` and `api_hash`.
pub(super) fn application(w: &World, c: &mut Cursor<'_>) -> Result<(), Refusal> {
    let (id, hash) = (i32::deserialize(c).map_err(bad)?, String::deserialize(c).map_err(bad)?);
    if w.settings.apps.iter().any(|a| a.0 == id && a.1 == hash) { Ok(()) } else { refuse(400, "API_ID_INVALID") }
}

/// `auth.exportLoginToken`.
pub(super) fn export(w: &mut World, inner: &Inner, who: &Caller, c: &mut Cursor<'_>) -> Answer {
    application(w, c)?;
    let except = Vec::<i64>::deserialize(c).map_err(bad)?;
    let now = w.now_s();
    if let Some(key) = w.keys.get_mut(&who.key) {
        key.exports.retain(|t| (0..60).contains(&(now - t)));
        key.exports.push_back(now);
        let wait = key.exports.front().map_or(1, |t| 60 - (now - t)).max(1);
        if key.exports.len() > w.settings.exports_a_minute {
            return Err((420, format!("FLOOD_WAIT_{wait}")));
        }
    }
    w.tokens.retain(|_, t| t.expires_s > now - 3600);
    let accepted = w.tokens.iter().filter(|(_, t)| t.key == who.key && !t.imported && t.expires_s > now);
    let accepted = accepted.filter_map(|(bytes, t)| Some((bytes.clone(), t.accepted?))).next();
    if let Some((token, (account, hash))) = accepted {
        let home = w.accounts.get(&account).map_or(who.dc, |a| a.spec.dc);
        if home != who.dc {
            let to = tl::types::auth::LoginTokenMigrateTo { dc_id: home, token };
            return Ok(tl::enums::auth::LoginToken::MigrateTo(to).to_bytes());
        }
        if let Some(t) = w.tokens.get_mut(&token) {
            t.imported = true;
        }
        return finish(w, inner, who, account, hash);
    }
    // A new token ends the former ones of this key.
    w.tokens.retain(|_, t| t.key != who.key || t.accepted.is_some());
    let mut token = vec![0; 32];
    let _ = getrandom::fill(&mut token);
    let expires_s = now + w.settings.token_life.as_secs() as i64;
    w.made += 1;
    let number = w.made;
    w.tokens.insert(token.clone(), Token { key: who.key, conn: who.conn, expires_s, except, accepted: None, imported: false, number });
    inner.token_made(w, &token);
    Ok(tl::enums::auth::LoginToken::Token(tl::types::auth::LoginToken { expires: expires_s as i32, token }).to_bytes())
}

/// `auth.importLoginToken`.
pub(super) fn import(w: &mut World, inner: &Inner, who: &Caller, c: &mut Cursor<'_>) -> Answer {
    let bytes = Vec::<u8>::deserialize(c).map_err(bad)?;
    let now = w.now_s();
    let Some(token) = w.tokens.get_mut(&bytes) else { return refuse(400, "AUTH_TOKEN_INVALID") };
    if token.expires_s <= now {
        return refuse(400, "AUTH_TOKEN_EXPIRED");
    }
    if token.imported {
        return refuse(400, "AUTH_TOKEN_ALREADY_ACCEPTED");
    }
    let Some((account, hash)) = token.accepted else { return refuse(400, "AUTH_TOKEN_INVALID") };
    let home = w.accounts.get(&account).map_or(who.dc, |a| a.spec.dc);
    if home != who.dc {
        let to = tl::types::auth::LoginTokenMigrateTo { dc_id: home, token: bytes };
        return Ok(tl::enums::auth::LoginToken::MigrateTo(to).to_bytes());
    }
    if let Some(t) = w.tokens.get_mut(&bytes) {
        t.imported = true;
    }
    finish(w, inner, who, account, hash)
}

/// The key becomes the row's.
fn finish(w: &mut World, inner: &Inner, who: &Caller, account: i64, hash: i64) -> Answer {
    let authorization = login::enter(w, inner, who, account, Some(hash))?;
    let success = tl::types::auth::LoginTokenSuccess { authorization };
    Ok(tl::enums::auth::LoginToken::Success(success).to_bytes())
}

/// `auth.acceptLoginToken`, called by a logged-in key.
pub(super) fn accept_call(w: &mut World, inner: &Inner, who: &Caller, c: &mut Cursor<'_>) -> Answer {
    let token = Vec::<u8>::deserialize(c).map_err(bad)?;
    let Some((account, _)) = w.keys.get(&who.key).and_then(|k| k.account) else { return refuse(401, "AUTH_KEY_UNREGISTERED") };
    let row = accept(w, inner, account, &token)?;
    Ok(views::authorization(&row, false).to_bytes())
}

/// Accepts a token for an account, and tells the connection that showed it.
pub(super) fn accept(w: &mut World, inner: &Inner, account: i64, bytes: &[u8]) -> Result<Row, Refusal> {
    let now = w.now_s();
    let hash = w.number();
    let unconfirmed = w.settings.unconfirmed;
    let Some(token) = w.tokens.get(bytes) else { return refuse(400, "AUTH_TOKEN_INVALIDX") };
    if token.accepted.is_some() {
        return refuse(400, "AUTH_TOKEN_ALREADY_ACCEPTED");
    }
    if token.expires_s <= now {
        return refuse(400, "AUTH_TOKEN_EXPIRED");
    }
    if token.except.contains(&account) {
        return refuse(400, "AUTH_TOKEN_EXCEPTION");
    }
    let Some(key) = w.keys.get(&token.key) else { return refuse(400, "AUTH_TOKEN_INVALIDX") };
    let row = Row {
        hash,
        // Set when the key, or its successor at another data centre, comes for it.
        key: None,
        device: key.device.clone(),
        app: login::app_name(key.device.api_id),
        platform: String::new(),
        ip: key.ip.clone(),
        country: "Localhost".to_owned(),
        created_s: now,
        active_s: now / 60 * 60,
        pending: w.accounts.get(&account).is_some_and(|a| a.verifier.is_some()),
        unconfirmed,
        official: false,
    };
    let conn = token.conn;
    let Some(a) = w.accounts.get_mut(&account) else { return refuse(400, "AUTH_TOKEN_INVALIDX") };
    a.rows.push(row.clone());
    if let Some(t) = w.tokens.get_mut(bytes) {
        t.accepted = Some((account, hash));
    }
    let update = tl::types::UpdateShort { update: tl::enums::Update::LoginToken, date: now as i32 };
    if let Some(c) = w.conns.get(&conn) {
        // To the connection that asked, and to no other.
        let _ = c.push.send(tl::enums::Updates::UpdateShort(update).to_bytes());
    }
    inner.said(&serde_json::json!({ "what": "accepted", "account": account }));
    Ok(row)
}

/// The address in a QR.
pub(super) fn address(token: &[u8]) -> String {
    format!("tg://login?token={}", URL_SAFE_NO_PAD.encode(token))
}

/// The token of an address, with padding or without.
pub(super) fn token(address: &str) -> Option<Vec<u8>> {
    let text = address.strip_prefix("tg://login?token=")?;
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}
