//! One row a kind: a server of it, what is done to it, and how each promise reads there.

use super::*;
use crate::stage;
use pairdeck::sandbox::{
    AiBotSettings, AiBotSpec, AppSpec, BotSpec, DeviceSpec, GatewayInfo, InstanceSpec, LangBotSettings, Past, Settings, TokenSettings, UidSpec,
    WukongSettings,
};

const KEY: &str = "CANARY-operator-key-40b1";
/// The account of Telegram's operator.
pub use crate::stage::OWNER;

/// Where the credential is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Credential {
    /// By every call of the gateway.
    Gateway,
    /// When a token of the account is fetched.
    Account,
    /// When an operator logs in.
    Pairing,
    /// Never: nobody is asked anything.
    Nowhere,
}

/// What a wipe does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wipe {
    /// The row is not well afterwards.
    Ends,
    /// It is begun anew.
    Anew,
    /// There is nothing to wipe.
    Never,
}

/// What a regenerate does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Renew {
    /// A new token, told to whoever asks to see it.
    Told,
    /// A new key, which nobody is shown.
    Unseen,
    /// There is no token that could be replaced.
    Never,
}

/// A change whose answer gets lost.
pub struct Lost {
    pub action: Action,
    /// The path of its request.
    pub path: &'static str,
    /// Requests of that path which come before it.
    pub skip: u32,
    /// How often it may be sent: once where a check tells what became of it, more often where the platform answers the same again.
    pub most: usize,
}

/// A kind, and a server of it on which something can be wiped and be given a new token, as far as it has such things.
pub struct Kind {
    pub name: &'static str,
    pub part: fn() -> Part,
    /// Its configuration.
    pub config: fn(&GatewayInfo, &Sandbox, &std::path::Path) -> String,
    /// Well, with a token that can be replaced.
    pub target: &'static str,
    /// What must never be touched.
    pub other: &'static str,
    /// The state of both when all is well.
    pub well: State,
    pub credential: Credential,
    pub wipe: Wipe,
    pub renew: Renew,
    pub lost: Option<fn() -> Lost>,
    /// A step of its plan that cannot be done without the server, where that is neither the first nor the last.
    pub over_wire: Option<&'static str>,
}

/// One row a kind of the registry, in its order, which a promise of its own checks.
pub const KINDS: [Kind; 7] = [
    Kind {
        name: "evolution",
        part: evolution,
        config: |info, _, _| plain(info),
        target: "g:shop-a",
        other: "g:shop-b",
        well: State::Online,
        credential: Credential::Gateway,
        wipe: Wipe::Ends,
        renew: Renew::Told,
        lost: Some(|| Lost { action: Action::Regenerate, path: "/instance/delete", skip: 0, most: 1 }),
        over_wire: None,
    },
    Kind {
        name: "wukongim",
        part: wukongim,
        config: |info, _, _| plain(info),
        target: "g:u1/4",
        other: "g:u1/0",
        well: State::Online,
        credential: Credential::Gateway,
        wipe: Wipe::Ends,
        renew: Renew::Told,
        lost: Some(|| Lost { action: Action::Regenerate, path: "/user/device_quit", skip: 0, most: 1 }),
        over_wire: None,
    },
    Kind {
        name: "langbot",
        part: langbot,
        config: |info, _, _| plain(info),
        target: "g:support",
        other: "g:sales",
        well: State::Loaded,
        credential: Credential::Gateway,
        wipe: Wipe::Anew,
        renew: Renew::Never,
        // The plan reads the bot by the same path first.
        lost: Some(|| Lost { action: Action::Do("disable".into()), path: "/api/v1/platform/bots/", skip: 1, most: 1 }),
        over_wire: None,
    },
    Kind {
        name: "wecom",
        part: || tokens(TokenSettings::default()),
        config: |info, _, _| plain(info),
        target: "g:ops",
        other: "g:hr",
        well: State::Ready,
        credential: Credential::Account,
        wipe: Wipe::Ends,
        renew: Renew::Told,
        // The platform gives the same token to whoever asks again.
        lost: Some(|| Lost { action: Action::Regenerate, path: "/cgi-bin/gettoken", skip: 0, most: 2 }),
        over_wire: None,
    },
    Kind {
        name: "wechat-oa",
        part: || tokens(TokenSettings::wechat_oa()),
        config: |info, _, _| plain(info),
        target: "g:ops",
        other: "g:hr",
        well: State::Ready,
        credential: Credential::Account,
        wipe: Wipe::Ends,
        renew: Renew::Told,
        // Sooner than 30 s after a demand another one does nothing, so that it may be sent again.
        lost: Some(|| Lost { action: Action::Regenerate, path: "/cgi-bin/stable_token", skip: 0, most: 2 }),
        over_wire: None,
    },
    Kind {
        name: "wecom-aibot",
        part: aibot,
        config: |info, _, _| {
            let account = |name: &str| format!("[gateway.g.account.{name}]\nid = \"aib-{name}\"\n");
            format!("[gateway.g]\nkind = \"wecom-aibot\"\nurl = {:?}\n{}{}", info.url, account("helper"), account("greeter"))
        },
        target: "g:helper",
        other: "g:greeter",
        well: State::Loaded,
        credential: Credential::Nowhere,
        wipe: Wipe::Never,
        renew: Renew::Never,
        lost: None,
        over_wire: None,
    },
    Kind {
        name: "telegram",
        part: telegram,
        config: slots,
        target: "g:ada/w0",
        other: "g:ada/w1",
        well: State::Offline,
        credential: Credential::Pairing,
        wipe: Wipe::Ends,
        renew: Renew::Unseen,
        // Answers over MTProto are lost in suites of its own, call by call.
        lost: None,
        over_wire: Some("key"),
    },
];

/// A gateway as its server announces it.
fn plain(info: &GatewayInfo) -> String {
    let own: String = info.more.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    format!("[gateway.g]\nkind = {:?}\nurl = {:?}\n{own}", info.kind, info.url)
}

fn evolution() -> Part {
    let shop = |name: &str| InstanceSpec { name: name.into(), past: Past::Online, number: "5511999990001".into(), ..InstanceSpec::default() };
    Part::Evolution(Box::new(Settings { key: KEY.into(), ..Settings::default() }), vec![shop("shop-a"), shop("shop-b")])
}

fn wukongim() -> Part {
    let device = |flag, id: &str| DeviceSpec { flag, level: 1, online: vec![id.into()], ..DeviceSpec::default() };
    let user = |uid: &str| UidSpec { uid: uid.into(), devices: vec![device(0, "phone"), device(4, "tablet")], ..UidSpec::default() };
    let settings = WukongSettings { manager_token: Some(KEY.into()), ..WukongSettings::default() };
    Part::Wukong(Box::new(settings), vec![user("u1"), user("u2")])
}

fn langbot() -> Part {
    let bot = |name: &str| BotSpec { name: name.into(), adapter: "weixin".into(), enable: true, ..BotSpec::default() };
    let settings = LangBotSettings { global_key: Some(KEY.into()), ..LangBotSettings::default() };
    Part::LangBot(Box::new(settings), vec![bot("support"), bot("sales")])
}

fn tokens(settings: TokenSettings) -> Part {
    let app = |id: &str, name: &str| AppSpec { id: id.into(), name: name.into(), secret: format!("{KEY}-{name}-0123456789"), ..AppSpec::default() };
    Part::Tokens(Box::new(settings), vec![app("1000002", "ops"), app("1000003", "hr")])
}

fn aibot() -> Part {
    let bot = |name: &str| AiBotSpec { id: format!("aib-{name}"), secret: format!("{KEY}-{name}") };
    Part::AiBot(AiBotSettings::default(), vec![bot("helper"), bot("greeter")])
}

fn telegram() -> Part {
    let session = |n: usize| stage::worker(&format!("worker {n}"), &stage::key(n));
    Part::Telegram(Box::default(), vec![stage::owner(None, vec![session(1), session(2)])])
}

/// Two slots whose files hold the keys of the two sessions.
fn slots(_: &GatewayInfo, sandbox: &Sandbox, home: &std::path::Path) -> String {
    for n in [0, 1] {
        stage::write(&slot_file(home, &format!("w{n}")), &stage::key(n + 1));
    }
    let names = [0, 1].map(|n| format!("w{n}"));
    stage::gateway("g", sandbox.telegram("g").unwrap()) + &stage::account("g", "ada", false, home, &names)
}

/// The session file of a slot.
pub fn slot_file(home: &std::path::Path, slot: &str) -> std::path::PathBuf {
    stage::file(home, slot)
}
