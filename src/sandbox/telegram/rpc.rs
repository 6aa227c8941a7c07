//! Calls of the API: wrappers taken off, the caller's standing checked, then the method.

use super::{
    Inner, account, login,
    message::{constructor, unzipped},
    qr, views,
    world::{Device, KeyId, World},
};
use grammers_tl_types::{self as tl, Cursor, Deserializable, Identifiable, Serializable, functions as f};

/// An API error: code and name.
pub(super) type Refusal = (i32, String);
/// The answer's bytes, or an error.
pub(super) type Answer = Result<Vec<u8>, Refusal>;

/// Who calls.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) conn: u64,
    pub(super) key: KeyId,
    pub(super) session: i64,
    pub(super) dc: i32,
    pub(super) ip: String,
}

/// An error without a number in its name.
pub(super) fn refuse<T>(code: i32, name: &str) -> Result<T, Refusal> {
    Err((code, name.to_owned()))
}

/// Damaged arguments.
pub(super) fn bad(_: tl::deserialize::Error) -> Refusal {
    (400, "INPUT_REQUEST_TOO_LONG".to_owned())
}

/// A method's answer, and its name for the log.
pub(super) fn answer(w: &mut World, inner: &Inner, who: &Caller, body: &[u8]) -> (&'static str, Answer) {
    let (body, wrapped) = match unwrap(w, who, body) {
        Ok(b) => b,
        Err(e) => return (name(constructor(body)), Err(e)),
    };
    let id = constructor(&body);
    let method = name(id);
    (method, checked(w, inner, who, id, method, &body, wrapped))
}

fn name(id: u32) -> &'static str {
    match tl::name_for_id(id) {
        "(unknown)" => "unknown",
        name => name,
    }
}

/// What a call is called, wrapped or not; nothing is carried out.
pub(super) fn method(body: &[u8]) -> &'static str {
    let mut body = body.to_vec();
    for _ in 0..8 {
        let Some(plain) = unzipped(body) else { return "unknown" };
        let (id, rest) = (constructor(&plain), plain.get(4..).unwrap_or_default());
        let mut c = Cursor::from_slice(rest);
        let read = match id {
            f::InvokeWithLayer::<u32>::CONSTRUCTOR_ID => i32::deserialize(&mut c).map(drop),
            f::InvokeWithoutUpdates::<u32>::CONSTRUCTOR_ID => Ok(()),
            f::InvokeAfterMsg::<u32>::CONSTRUCTOR_ID => i64::deserialize(&mut c).map(drop),
            f::InitConnection::<u32>::CONSTRUCTOR_ID => init(&mut c).map(drop),
            _ => return name(id),
        };
        if read.is_err() {
            break;
        }
        let used = c.pos();
        body = rest.get(used..).unwrap_or_default().to_vec();
    }
    "unknown"
}

/// Takes off `invokeWithLayer`, `initConnection` and the like. Says whether `initConnection` was among them.
fn unwrap(w: &mut World, who: &Caller, body: &[u8]) -> Result<(Vec<u8>, bool), Refusal> {
    let mut body = body.to_vec();
    let mut inited = false;
    for _ in 0..8 {
        body = unzipped(body).ok_or_else(|| (400, "INPUT_FETCH_ERROR".to_owned()))?;
        let (id, rest) = (constructor(&body), body.get(4..).unwrap_or_default().to_vec());
        let mut c = Cursor::from_slice(&rest);
        match id {
            f::InvokeWithLayer::<u32>::CONSTRUCTOR_ID => {
                i32::deserialize(&mut c).map_err(bad)?;
            }
            f::InvokeWithoutUpdates::<u32>::CONSTRUCTOR_ID => {}
            f::InvokeAfterMsg::<u32>::CONSTRUCTOR_ID => {
                i64::deserialize(&mut c).map_err(bad)?;
            }
            f::InitConnection::<u32>::CONSTRUCTOR_ID => {
                let device = init(&mut c).map_err(bad)?;
                if !w.settings.apps.iter().any(|a| a.0 == device.api_id) {
                    return refuse(400, "CONNECTION_API_ID_INVALID");
                }
                inited = true;
                if let Some(key) = w.keys.get_mut(&who.key) {
                    key.device = device.clone();
                    key.ip.clone_from(&who.ip);
                }
                // The row shows what the client said last of itself.
                if let Some(row) = w.row(who.key) {
                    row.device = device;
                    row.ip.clone_from(&who.ip);
                }
            }
            _ => return Ok((body, inited)),
        }
        let used = c.pos();
        body = rest.get(used..).unwrap_or_default().to_vec();
    }
    refuse(400, "INPUT_METHOD_INVALID")
}

fn init(c: &mut Cursor<'_>) -> Result<Device, tl::deserialize::Error> {
    let flags = u32::deserialize(c)?;
    let api_id = i32::deserialize(c)?;
    let mut text = || String::deserialize(c);
    let (model, system, app_version) = (text()?, text()?, text()?);
    // The system's language, the language pack and its language.
    for _ in 0..3 {
        text()?;
    }
    if flags & 1 != 0 {
        tl::enums::InputClientProxy::deserialize(c)?;
    }
    if flags & 2 != 0 {
        tl::enums::Jsonvalue::deserialize(c)?;
    }
    Ok(Device { api_id, model, system, app_version })
}

/// What may be called without being logged in.
const OPEN: &[u32] = &[
    f::help::GetConfig::CONSTRUCTOR_ID,
    f::help::GetNearestDc::CONSTRUCTOR_ID,
    f::auth::SendCode::CONSTRUCTOR_ID,
    f::auth::SignIn::CONSTRUCTOR_ID,
    f::auth::ExportLoginToken::CONSTRUCTOR_ID,
    f::auth::ImportLoginToken::CONSTRUCTOR_ID,
    f::auth::ImportBotAuthorization::CONSTRUCTOR_ID,
];
/// What may be called while the password is missing.
const PASSWORD: &[u32] = &[f::account::GetPassword::CONSTRUCTOR_ID, f::auth::CheckPassword::CONSTRUCTOR_ID, f::auth::LogOut::CONSTRUCTOR_ID];

fn checked(w: &mut World, inner: &Inner, who: &Caller, id: u32, method: &'static str, body: &[u8], inited: bool) -> Answer {
    if let Some(flood) = w.floods.iter_mut().find(|f| f.0 == method && f.2 > 0) {
        flood.2 -= 1;
        return Err((420, format!("FLOOD_WAIT_{}", flood.1)));
    }
    let Some(key) = w.keys.get_mut(&who.key) else { return refuse(401, "AUTH_KEY_INVALID") };
    let (dead, account, pending) = (key.dead, key.account, key.pending);
    if let Some(s) = key.sessions.get_mut(&who.session) {
        s.inited |= inited;
        if !s.inited {
            return refuse(400, "CONNECTION_NOT_INITED");
        }
    }
    if let Some((code, why)) = dead.filter(|d| d.0 == 406 || !OPEN.contains(&id)) {
        return refuse(code, why);
    }
    if let Some(why) = account.or(pending).and_then(|(a, _)| w.accounts.get(&a)?.gone) {
        return refuse(401, why);
    }
    if account.is_none() && !OPEN.contains(&id) {
        if pending.is_none() {
            return refuse(401, "AUTH_KEY_UNREGISTERED");
        }
        if !PASSWORD.contains(&id) {
            return refuse(401, "SESSION_PASSWORD_NEEDED");
        }
    }
    if let Some((a, _)) = account {
        let bot = w.accounts.get(&a).is_some_and(|a| a.spec.bot_token.is_some());
        let for_people =
            method.starts_with("account.") || [f::auth::AcceptLoginToken::CONSTRUCTOR_ID, f::auth::ResetAuthorizations::CONSTRUCTOR_ID].contains(&id);
        if bot && for_people {
            return refuse(400, "BOT_METHOD_INVALID");
        }
        let now = w.now_s();
        if let Some(row) = w.row(who.key) {
            // Coarse, as there.
            row.active_s = row.active_s.max(now / 60 * 60);
        }
    }
    method_of(w, inner, who, id, body)
}

fn method_of(w: &mut World, inner: &Inner, who: &Caller, id: u32, body: &[u8]) -> Answer {
    let mut c = Cursor::from_slice(body.get(4..).unwrap_or_default());
    match id {
        f::help::GetConfig::CONSTRUCTOR_ID => Ok(views::config(w, who.dc)),
        f::help::GetNearestDc::CONSTRUCTOR_ID => Ok(views::nearest(who.dc)),
        f::auth::ExportLoginToken::CONSTRUCTOR_ID => qr::export(w, inner, who, &mut c),
        f::auth::ImportLoginToken::CONSTRUCTOR_ID => qr::import(w, inner, who, &mut c),
        f::auth::AcceptLoginToken::CONSTRUCTOR_ID => qr::accept_call(w, inner, who, &mut c),
        f::auth::SendCode::CONSTRUCTOR_ID => login::send_code(w, inner, who, &mut c),
        f::auth::SignIn::CONSTRUCTOR_ID => login::sign_in(w, inner, who, &mut c),
        f::auth::ImportBotAuthorization::CONSTRUCTOR_ID => login::bot(w, inner, who, &mut c),
        f::auth::LogOut::CONSTRUCTOR_ID => Ok(login::log_out(w, who)),
        f::account::GetPassword::CONSTRUCTOR_ID => Ok(login::password(w, who)),
        f::auth::CheckPassword::CONSTRUCTOR_ID => login::check_password(w, inner, who, &mut c),
        f::account::GetAuthorizations::CONSTRUCTOR_ID => Ok(account::list(w, who)),
        f::account::ResetAuthorization::CONSTRUCTOR_ID => account::reset(w, inner, who, &mut c),
        f::auth::ResetAuthorizations::CONSTRUCTOR_ID => account::reset_others(w, inner, who),
        f::account::SetAuthorizationTtl::CONSTRUCTOR_ID => account::time_to_live(w, who, &mut c),
        f::account::ChangeAuthorizationSettings::CONSTRUCTOR_ID => account::change(w, who, &mut c),
        f::users::GetUsers::CONSTRUCTOR_ID => views::users(w, who, &mut c),
        f::updates::GetState::CONSTRUCTOR_ID => Ok(views::state(w)),
        f::updates::GetDifference::CONSTRUCTOR_ID => {
            Ok(tl::enums::updates::Difference::Empty(tl::types::updates::DifferenceEmpty { date: w.now_s() as i32, seq: 0 }).to_bytes())
        }
        f::auth::DropTempAuthKeys::CONSTRUCTOR_ID => Ok(true.to_bytes()),
        _ => refuse(400, "INPUT_METHOD_INVALID"),
    }
}
