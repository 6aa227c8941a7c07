//! Answers that only show something.

use super::{
    exchange::{G, prime},
    rpc::{Answer, Caller, bad},
    world::{Row, World},
};
use grammers_tl_types::{self as tl, Cursor, Deserializable, Identifiable, Serializable};

/// An account as the API shows it. Written as bytes: the type has sixty fields, and a server sets five.
fn user(w: &World, account: i64, is_self: bool) -> tl::enums::User {
    let empty = tl::enums::User::Empty(tl::types::UserEmpty { id: account });
    let Some(a) = w.accounts.get(&account) else { return empty };
    let (bot, s) = (a.spec.bot_token.is_some(), &a.spec);
    let flag = |on: bool, bit: u32| u32::from(on) << bit;
    let flags = flag(true, 0)
        | flag(true, 1)
        | flag(!s.username.is_empty(), 3)
        | flag(!s.phone.is_empty(), 4)
        | flag(is_self, 10)
        | flag(a.gone.is_some(), 13)
        | flag(bot, 14);
    let mut out = tl::types::User::CONSTRUCTOR_ID.to_bytes();
    (flags, 0u32, account, account.wrapping_mul(7919), &s.name).serialize_all(&mut out);
    if !s.username.is_empty() {
        s.username.serialize(&mut out);
    }
    if !s.phone.is_empty() {
        s.phone.serialize(&mut out);
    }
    if bot {
        1i32.serialize(&mut out);
    }
    tl::enums::User::from_bytes(&out).unwrap_or(empty)
}

/// A row of values, one after the other.
trait SerializeAll {
    fn serialize_all(&self, out: &mut Vec<u8>);
}

impl SerializeAll for (u32, u32, i64, i64, &String) {
    fn serialize_all(&self, out: &mut Vec<u8>) {
        self.0.serialize(out);
        self.1.serialize(out);
        self.2.serialize(out);
        self.3.serialize(out);
        self.4.serialize(out);
    }
}

/// `users.getUsers`.
pub(super) fn users(w: &World, who: &Caller, c: &mut Cursor<'_>) -> Answer {
    let asked = Vec::<tl::enums::InputUser>::deserialize(c).map_err(bad)?;
    let me = w.keys.get(&who.key).and_then(|k| k.account).map_or(0, |(a, _)| a);
    let one = |u: tl::enums::InputUser| match u {
        tl::enums::InputUser::UserSelf => user(w, me, true),
        tl::enums::InputUser::User(u) if u.user_id == me => user(w, me, true),
        tl::enums::InputUser::User(u) => tl::enums::User::Empty(tl::types::UserEmpty { id: u.user_id }),
        _ => tl::enums::User::Empty(tl::types::UserEmpty { id: 0 }),
    };
    Ok(asked.into_iter().map(one).collect::<Vec<_>>().to_bytes())
}

/// What every way to log in ends with.
pub(super) fn welcome(w: &World, account: i64) -> tl::enums::auth::Authorization {
    tl::enums::auth::Authorization::Authorization(tl::types::auth::Authorization {
        setup_password_required: false,
        otherwise_relogin_days: None,
        tmp_sessions: w.settings.tmp_sessions,
        future_auth_token: None,
        user: user(w, account, true),
    })
}

/// A row of the device list. One's own has hash 0.
pub(super) fn authorization(r: &Row, current: bool) -> tl::enums::Authorization {
    tl::enums::Authorization::Authorization(tl::types::Authorization {
        current,
        official_app: r.official,
        password_pending: r.pending,
        encrypted_requests_disabled: false,
        call_requests_disabled: false,
        unconfirmed: r.unconfirmed,
        hash: if current { 0 } else { r.hash },
        device_model: r.device.model.clone(),
        platform: r.platform.clone(),
        system_version: r.device.system.clone(),
        api_id: r.device.api_id,
        app_name: r.app.clone(),
        app_version: r.device.app_version.clone(),
        date_created: r.created_s as i32,
        date_active: r.active_s as i32,
        ip: r.ip.clone(),
        country: r.country.clone(),
        region: String::new(),
    })
}

/// `help.getNearestDc`.
pub(super) fn nearest(dc: i32) -> Vec<u8> {
    tl::enums::NearestDc::Dc(tl::types::NearestDc { country: "ZZ".to_owned(), this_dc: dc, nearest_dc: dc }).to_bytes()
}

/// `updates.getState`.
pub(super) fn state(w: &World) -> Vec<u8> {
    tl::enums::updates::State::State(tl::types::updates::State { pts: 1, qts: 0, date: w.now_s() as i32, seq: 1, unread_count: 0 }).to_bytes()
}

/// The password's algorithm with its salts.
pub(super) fn algo(salt1: Vec<u8>, salt2: Vec<u8>) -> tl::enums::PasswordKdfAlgo {
    type Algo = tl::types::PasswordKdfAlgoSha256Sha256Pbkdf2Hmacsha512iter100000Sha256ModPow;
    tl::enums::PasswordKdfAlgo::Sha256Sha256Pbkdf2Hmacsha512iter100000Sha256ModPow(Algo { salt1, salt2, g: G, p: prime().to_bytes_be() })
}

/// `account.getPassword`.
pub(super) fn password(current: Option<tl::enums::PasswordKdfAlgo>, challenge: Option<(i64, Vec<u8>)>) -> Vec<u8> {
    let mut secure_random = vec![0; 256];
    let _ = getrandom::fill(&mut secure_random);
    let (srp_id, srp_b) = challenge.unzip();
    tl::enums::account::Password::Password(tl::types::account::Password {
        has_recovery: false,
        has_secure_values: false,
        has_password: current.is_some(),
        hint: current.is_some().then(|| "sandbox".to_owned()),
        current_algo: current,
        srp_b,
        srp_id,
        email_unconfirmed_pattern: None,
        new_algo: algo(vec![1; 8], vec![2; 16]),
        new_secure_algo: tl::enums::SecurePasswordKdfAlgo::Unknown,
        secure_random,
        pending_reset_date: None,
        login_email_pattern: None,
    })
    .to_bytes()
}

/// `help.getConfig`. Figures that nobody here uses are those of Telegram's documentation.
pub(super) fn config(w: &World, dc: i32) -> Vec<u8> {
    let option = |(id, at): (&i32, &std::net::SocketAddr)| {
        tl::enums::DcOption::Option(tl::types::DcOption {
            ipv6: at.is_ipv6(),
            media_only: false,
            tcpo_only: false,
            cdn: false,
            r#static: false,
            this_port_only: true,
            id: *id,
            ip_address: at.ip().to_string(),
            port: i32::from(at.port()),
            secret: None,
        })
    };
    let now = w.now_s() as i32;
    tl::enums::Config::Config(tl::types::Config {
        default_p2p_contacts: true,
        preload_featured_stickers: false,
        revoke_pm_inbox: true,
        blocked_mode: false,
        force_try_ipv6: false,
        date: now,
        expires: now + 3600,
        test_mode: false,
        this_dc: dc,
        dc_options: w.at.iter().map(option).collect(),
        dc_txt_domain_name: "apv3.stel.com".to_owned(),
        chat_size_max: 200,
        megagroup_size_max: 200_000,
        forwarded_count_max: 100,
        online_update_period_ms: 210_000,
        offline_blur_timeout_ms: 5_000,
        offline_idle_timeout_ms: 30_000,
        online_cloud_timeout_ms: 300_000,
        notify_cloud_delay_ms: 30_000,
        notify_default_delay_ms: 1_500,
        push_chat_period_ms: 60_000,
        push_chat_limit: 2,
        edit_time_limit: 172_800,
        revoke_time_limit: i32::MAX,
        revoke_pm_time_limit: i32::MAX,
        rating_e_decay: 2_419_200,
        stickers_recent_limit: 200,
        channels_read_media_period: 604_800,
        tmp_sessions: w.settings.tmp_sessions,
        call_receive_timeout_ms: 20_000,
        call_ring_timeout_ms: 90_000,
        call_connect_timeout_ms: 30_000,
        call_packet_timeout_ms: 10_000,
        me_url_prefix: "https://t.me/".to_owned(),
        autoupdate_url_prefix: None,
        gif_search_username: None,
        venue_search_username: None,
        img_search_username: None,
        static_maps_provider: None,
        caption_length_max: 1024,
        message_length_max: 4096,
        webfile_dc_id: 4,
        suggested_lang_code: None,
        lang_pack_version: None,
        base_lang_pack_version: None,
        reactions_default: None,
        autologin_token: None,
    })
    .to_bytes()
}
