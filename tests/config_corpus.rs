//! The configuration's corpus: one mistake a file, each message judged whole; files that must pass; edits that keep what
//! people wrote.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use pairdeck::{
    i18n::Lang,
    store::config::{self, Config, NewGateway},
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

fn corpus(folder: &str) -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().flatten().map(|e| e.path()).collect();
    files.sort();
    files.into_iter().map(|p| (p.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(p).unwrap())).collect()
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_was_expected() {
    let files = corpus("bad");
    assert!(files.len() >= 25);
    let mut all = String::new();
    for (name, text) in files {
        let errors = Config::parse(&text, Path::new("config.toml")).expect_err(&name);
        for lang in [Lang::En, Lang::Zh] {
            let said = errors.text(lang);
            assert!(!said.contains("CANARY"), "{name} repeats a secret: {said}");
            let open = said.split('{').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
            assert!(!open, "{name} has an unfilled placeholder: {said}");
        }
        assert!(errors.errors.iter().all(|e| e.line > 0 && e.column > 0), "{name}: {errors}");
        if name != "all_at_once" {
            assert_eq!(errors.errors.len(), 1, "{name}: {errors}");
        }
        all.push_str(&format!("--- {name}\n{}\n", errors.text(Lang::En)));
    }
    insta::assert_snapshot!("mistakes", all);
}

#[test]
fn mistakes_are_told_in_chinese_too() {
    let errors = Config::parse("[ui]\nlangg = \"en\"\n", Path::new("config.toml")).unwrap_err();
    insta::assert_snapshot!("mistake_zh", errors.text(Lang::Zh));
}

#[test]
fn everything_that_is_right_passes() {
    for (name, text) in corpus("good") {
        if let Err(e) = Config::parse(&text, Path::new("config.toml")) {
            panic!("{name}: {e}");
        }
    }
}

#[test]
fn the_example_passes_its_own_check_and_says_the_defaults() {
    let example = Config::parse(config::EXAMPLE, Path::new("config.toml")).unwrap();
    let empty = Config::parse("", Path::new("config.toml")).unwrap();
    assert_eq!((&example.ui, &example.arming), (&empty.ui, &empty.arming));
    assert_eq!((example.clock.limits, example.clock.ntp.len()), (Some((5, 30)), 0));
    assert_eq!(example.gateways.len(), 6);
}

#[test]
fn values_arrive_and_gateways_keep_the_order_of_the_file() {
    let (_, text) = corpus("good").into_iter().find(|f| f.0 == "everything").unwrap();
    let c = Config::parse(&text, Path::new("config.toml")).unwrap();
    assert_eq!(c.gateways.iter().map(|g| g.name.as_str()).collect::<Vec<_>>(), ["zz-first", "aa"]);
    let g = &c.gateways[0];
    assert_eq!((g.url.as_str(), g.events, g.clock_limits), ("https://z.example", false, Some((1, 2))));
    assert_eq!(g.expect_timezone.as_deref(), Some("America/Sao_Paulo"));
    assert_eq!((c.ui.lang, c.arming.swift_seconds, c.ui.mouse), (Some(Lang::Zh), 0, false));
    assert_eq!(
        c.keys.iter().map(|k| (k.action.as_str(), k.key.as_str(), k.line, k.column)).collect::<Vec<_>>(),
        [("wipe", "W", 20, 8), ("regenerate", "ctrl-r", 21, 14)]
    );
}

#[test]
fn time_servers_arrive_with_their_ports_and_without_limits() {
    let (_, text) = corpus("good").into_iter().find(|f| f.0 == "clock").unwrap();
    let c = Config::parse(&text, Path::new("config.toml")).unwrap().clock;
    let servers: Vec<_> = c.ntp.iter().map(|s| (s.host.as_str(), s.port)).collect();
    assert_eq!(servers, [("time.example.com", 123), ("192.0.2.1", 11123), ("::1", 11123), ("2001:db8::1", 123)]);
    assert_eq!((c.limits, c.expect_timezone.as_deref()), (None, Some("America/Sao_Paulo")));
}

#[test]
fn what_only_a_wukongim_gateway_has_arrives() {
    let (_, text) = corpus("good").into_iter().find(|f| f.0 == "wukongim").unwrap();
    let c = Config::parse(&text, Path::new("/etc/pairdeck/config.toml")).unwrap();
    let im = &c.gateway("im").unwrap().wukongim;
    assert_eq!((im.uids.as_slice(), im.all), (&["u-10024".to_owned(), "客服一号".to_owned()][..], false));
    assert_eq!(im.uids_file.as_deref(), Some(Path::new("/etc/pairdeck/uids.txt")));
    assert_eq!(im.manager_url.as_deref(), Some("http://127.0.0.1:5300"));
    assert_eq!(im.flags, [("Android".to_owned(), 4), ("iOS".to_owned(), 5), ("Desktop".to_owned(), 7)]);
    assert_eq!(im.reserved, [config::Reserved { from: 10, to: 20, what: "bots".into() }]);
    assert_eq!(im.plan[0], config::PlanLine { platform: "iOS".into(), flag: 5, master: true });
    assert_eq!((im.plan[1].master, im.max_devices, im.max_slaves), (false, Some(4), Some(2)));
    assert_eq!((im.business.as_slice(), im.business_all), (&["u-20077".to_owned()][..], false));
    assert_eq!(im.business_url.as_deref(), Some("https://app.example.com"));
    let all = &c.gateway("all").unwrap().wukongim;
    assert_eq!((all.all, all.business_all, all.uids.len()), (true, true, 0));
}

#[test]
fn accounts_arrive_in_the_order_of_the_file_and_platforms_know_their_own_address() {
    use config::{Account, Mirror};
    let (_, text) = corpus("good").into_iter().find(|f| f.0 == "accounts").unwrap();
    let c = Config::parse(&text, Path::new("config.toml")).unwrap();
    let corp = c.gateway("corp").unwrap();
    assert_eq!((corp.url.as_str(), corp.corp_id.as_deref()), ("https://qyapi.weixin.qq.com/cgi-bin", Some("ww1a2b3c4d5e6f7890")));
    let account =
        |name: &str, id: &str, mirror: &[Mirror]| Account { name: name.into(), id: id.into(), mirror: mirror.to_vec(), ..Account::default() };
    let all = [
        account("zz", "1000002", &[Mirror::Wechatpy2, Mirror::Silenceper]),
        account("客服 一号", "1000003", &[]),
        account("contacts", "", &[Mirror::Wechatpy]),
    ];
    assert_eq!(corp.accounts, all);
    assert_eq!(c.gateway("private").unwrap().url, "https://wecom.example.com/wework/cgi-bin");
    assert_eq!(c.gateway("oa").unwrap().accounts, [account("shop", "wx1a2b3c4d5e6f7890", &[])]);
    assert_eq!(c.gateway("bots").unwrap().accounts, [account("desk", "aib-1a2b3c", &[])]);
    for kind in config::KINDS {
        let Some(text) = config::account_example(kind, "x") else { continue };
        Config::parse(&text, Path::new("config.toml")).unwrap_or_else(|e| panic!("the example of {kind}: {e}"));
    }
}

#[test]
fn a_missing_file_is_an_empty_configuration_and_an_unreadable_one_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Config::load(&dir.path().join("none.toml")).unwrap().gateways, []);
    assert!(Config::load(dir.path()).unwrap_err().to_string().contains("cannot be read"));
    let latin = dir.path().join("latin.toml");
    fs::write(&latin, b"[ui]\ntheme = \"\xe9\"\n").unwrap();
    assert!(Config::load(&latin).unwrap_err().to_string().contains("latin.toml:2:10"));
}

fn new(name: &str) -> NewGateway {
    NewGateway::new(name, "evolution", "https://evo.example.com")
}

#[test]
fn adding_and_removing_keep_comments_and_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    fs::write(&path, config::EXAMPLE).unwrap();
    config::add_gateway(&path, &new("sp")).unwrap();
    let added = fs::read_to_string(&path).unwrap();
    assert!(added.starts_with(config::EXAMPLE.trim_end()), "{added}");
    assert!(added.ends_with("\n[gateway.sp]\nkind = \"evolution\"\nurl = \"https://evo.example.com\"\n"), "{added}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    config::remove_gateway(&path, "sp").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().trim_end(), config::EXAMPLE.trim_end());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file stays");
}

#[test]
fn the_first_gateway_makes_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/config.toml");
    let config = config::add_gateway(&path, &new("wa")).unwrap();
    assert_eq!(config.gateways.len(), 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "[gateway.wa]\nkind = \"evolution\"\nurl = \"https://evo.example.com\"\n");
}

#[test]
fn an_edit_that_would_not_pass_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    fs::write(&path, "[gateway.wa]\nkind = \"evolution\"\nurl = \"https://a.example\"\n").unwrap();
    let before = fs::read(&path).unwrap();
    assert!(config::add_gateway(&path, &new("wa")).unwrap_err().to_string().contains("already"));
    assert!(
        config::add_gateway(&path, &NewGateway { url: "http://a.example".into(), ..new("b") }).unwrap_err().to_string().contains("allow_plaintext")
    );
    assert!(config::remove_gateway(&path, "none").is_err());
    assert_eq!(fs::read(&path).unwrap(), before);
    fs::write(&path, "[uii]\n").unwrap();
    assert!(config::add_gateway(&path, &new("c")).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "[uii]\n");
}
