//! Login by phone code and by bot token, the second factor, and logging out.

use super::{
    Inner, qr,
    rpc::{Answer, Caller, Refusal, bad, refuse},
    views,
    world::{Code, Row, World},
};
use grammers_tl_types::{self as tl, Cursor, Deserializable, Serializable};

/// Life of a phone code.
const CODE_LIFE_S: i64 = 300;

/// The name that an application registered, as the device list shows it.
pub(super) fn app_name(api_id: i32) -> String {
    format!("app{api_id}")
}

/// Logs a key in, or asks for the password. `hash` names a row that is there already: a scanned one.
pub(super) fn enter(w: &mut World, inner: &Inner, who: &Caller, account: i64, hash: Option<i64>) -> Result<tl::enums::auth::Authorization, Refusal> {
    let (now, unconfirmed) = (w.now_s(), w.settings.unconfirmed);
    let Some(a) = w.accounts.get(&account) else { return refuse(400, "PHONE_NUMBER_UNOCCUPIED") };
    if let Some(why) = a.gone {
        return refuse(401, why);
    }
    let (password, hash) = (a.verifier.is_some(), hash.unwrap_or_else(|| w.number()));
    let Some(key) = w.keys.get_mut(&who.key) else { return refuse(401, "AUTH_KEY_INVALID") };
    key.dead = None;
    let (device, ip) = (key.device.clone(), key.ip.clone());
    if password {
        key.pending = Some((account, hash));
    } else {
        (key.account, key.pending) = (Some((account, hash)), None);
    }
    let row = Row {
        hash,
        key: Some(who.key),
        app: app_name(device.api_id),
        device,
        platform: String::new(),
        ip,
        country: "Localhost".to_owned(),
        created_s: now,
        active_s: now / 60 * 60,
        pending: password,
        unconfirmed,
        official: false,
    };
    if let Some(a) = w.accounts.get_mut(&account) {
        match a.rows.iter_mut().find(|r| r.hash == hash) {
            Some(there) => *there = Row { created_s: there.created_s, ..row },
            None => a.rows.push(row),
        }
    }
    if password {
        return refuse(401, "SESSION_PASSWORD_NEEDED");
    }
    Ok(welcome(w, inner, who, account, hash))
}

/// The answer to a login, and word of it to the account's other sessions.
fn welcome(w: &mut World, inner: &Inner, who: &Caller, account: i64, hash: i64) -> tl::enums::auth::Authorization {
    let now = w.now_s() as i32;
    let unconfirmed = w.settings.unconfirmed;
    let device = w.keys.get(&who.key).map(|k| k.device.model.clone()).unwrap_or_default();
    let some = |t: String| unconfirmed.then_some(t);
    let update = tl::enums::Update::NewAuthorization(tl::types::UpdateNewAuthorization {
        unconfirmed,
        hash,
        date: unconfirmed.then_some(now),
        device: some(device),
        location: some("Localhost".to_owned()),
    });
    w.tell(account, who.key, &tl::enums::Updates::UpdateShort(tl::types::UpdateShort { update, date: now }).to_bytes());
    inner.said(&serde_json::json!({ "what": "login", "account": account, "dc": who.dc }));
    views::welcome(w, account)
}

/// `auth.sendCode`.
pub(super) fn send_code(w: &mut World, inner: &Inner, who: &Caller, c: &mut Cursor<'_>) -> Answer {
    let phone = digits(&String::deserialize(c).map_err(bad)?);
    qr::application(w, c)?;
    let Some((id, home)) = w.accounts.values().find(|a| !phone.is_empty() && a.spec.phone == phone).map(|a| (a.spec.id, a.spec.dc)) else {
        return refuse(400, if phone.len() < 7 { "PHONE_NUMBER_INVALID" } else { "PHONE_NUMBER_UNOCCUPIED" });
    };
    if home != who.dc {
        return Err((303, format!("PHONE_MIGRATE_{home}")));
    }
    let hash = format!("{:016x}", w.number());
    let code = format!("{:05}", w.number().rem_euclid(100_000));
    let expires_s = w.now_s() + CODE_LIFE_S;
    w.codes.retain(|_, c| c.account != id);
    w.codes.insert(hash.clone(), Code { account: id, code, expires_s });
    inner.said(&serde_json::json!({ "what": "code", "account": id }));
    let sent = tl::types::auth::SentCode {
        r#type: tl::enums::auth::SentCodeType::App(tl::types::auth::SentCodeTypeApp { length: 5 }),
        phone_code_hash: hash,
        next_type: None,
        timeout: None,
    };
    Ok(tl::enums::auth::SentCode::Code(sent).to_bytes())
}

fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}

/// `auth.signIn`.
pub(super) fn sign_in(w: &mut World, inner: &Inner, who: &Caller, c: &mut Cursor<'_>) -> Answer {
    let flags = u32::deserialize(c).map_err(bad)?;
    let phone = digits(&String::deserialize(c).map_err(bad)?);
    let hash = String::deserialize(c).map_err(bad)?;
    let given = if flags & 1 != 0 { String::deserialize(c).map_err(bad)? } else { String::new() };
    if given.is_empty() {
        return refuse(400, "PHONE_CODE_EMPTY");
    }
    let now = w.now_s();
    let Some(code) = w.codes.get(&hash) else { return refuse(400, "PHONE_CODE_EXPIRED") };
    let account = code.account;
    if w.accounts.get(&account).is_none_or(|a| a.spec.phone != phone) {
        return refuse(400, "PHONE_NUMBER_INVALID");
    }
    if code.expires_s <= now {
        return refuse(400, "PHONE_CODE_EXPIRED");
    }
    if code.code != given {
        return refuse(400, "PHONE_CODE_INVALID");
    }
    w.codes.remove(&hash);
    Ok(enter(w, inner, who, account, None)?.to_bytes())
}

/// `auth.importBotAuthorization`.
pub(super) fn bot(w: &mut World, inner: &Inner, who: &Caller, c: &mut Cursor<'_>) -> Answer {
    i32::deserialize(c).map_err(bad)?;
    qr::application(w, c)?;
    let token = String::deserialize(c).map_err(bad)?;
    let Some(a) = w.accounts.values().find(|a| a.spec.bot_token.as_deref() == Some(token.as_str())) else {
        let known = token.split_once(':').and_then(|(id, _)| id.parse().ok()).is_some_and(|id: i64| w.accounts.contains_key(&id));
        return refuse(400, if known { "ACCESS_TOKEN_EXPIRED" } else { "ACCESS_TOKEN_INVALID" });
    };
    let (id, home) = (a.spec.id, a.spec.dc);
    if home != who.dc {
        return Err((303, format!("USER_MIGRATE_{home}")));
    }
    Ok(enter(w, inner, who, id, None)?.to_bytes())
}

/// `account.getPassword`: parameters for one try.
pub(super) fn password(w: &mut World, who: &Caller) -> Vec<u8> {
    let id = w.number();
    let account = w.keys.get(&who.key).and_then(|k| k.account.or(k.pending)).map(|(a, _)| a);
    let verifier = account.and_then(|a| w.accounts.get(&a)?.verifier.clone());
    let challenge = verifier.as_ref().map(|v| v.challenge(id));
    let algo = verifier.map(|v| views::algo(v.salt1, v.salt2));
    let answer = views::password(algo, challenge.as_ref().map(|c| (c.id, c.public.clone())));
    if let Some(key) = w.keys.get_mut(&who.key) {
        key.srp = challenge;
    }
    answer
}

/// `auth.checkPassword`.
pub(super) fn check_password(w: &mut World, inner: &Inner, who: &Caller, c: &mut Cursor<'_>) -> Answer {
    let given = tl::enums::InputCheckPasswordSrp::deserialize(c).map_err(bad)?;
    let tl::enums::InputCheckPasswordSrp::Srp(given) = given else { return refuse(400, "PASSWORD_HASH_INVALID") };
    let Some(key) = w.keys.get_mut(&who.key) else { return refuse(401, "AUTH_KEY_INVALID") };
    let Some((account, hash)) = key.pending else { return refuse(400, "PASSWORD_EMPTY") };
    if key.wrong_passwords >= 10 {
        return refuse(420, "FLOOD_WAIT_3600");
    }
    // Good for one try, right or wrong.
    let Some(challenge) = key.srp.take().filter(|s| s.id == given.srp_id) else { return refuse(400, "SRP_ID_INVALID") };
    let right = w.accounts.get(&account).and_then(|a| a.verifier.as_ref()).is_some_and(|v| v.proves(&challenge, &given.a, &given.m1));
    let Some(key) = w.keys.get_mut(&who.key) else { return refuse(401, "AUTH_KEY_INVALID") };
    if !right {
        key.wrong_passwords += 1;
        return refuse(400, "PASSWORD_HASH_INVALID");
    }
    (key.account, key.pending, key.wrong_passwords) = (Some((account, hash)), None, 0);
    if let Some(row) = w.row(who.key) {
        row.pending = false;
    }
    Ok(welcome(w, inner, who, account, hash).to_bytes())
}

/// `auth.logOut`.
pub(super) fn log_out(w: &mut World, who: &Caller) -> Vec<u8> {
    if let Some((account, hash)) = w.keys.get(&who.key).and_then(|k| k.account.or(k.pending)) {
        w.end(account, hash, (401, "AUTH_KEY_UNREGISTERED"));
    }
    tl::enums::auth::LoggedOut::Out(tl::types::auth::LoggedOut { future_auth_token: None }).to_bytes()
}
