//! The login by QR of a business server, on a real deck: from `p` to the token.

use super::{
    hands::{choose, press, select},
    house::House,
};
use crate::support::{eye, pty::Pty};
use pairdeck::sandbox::{DeviceSpec, Part, UidSpec, Wukong, WukongSettings};

const OLD: &str = "CANARY-web-f00eb28b80c247c7";

fn house() -> House {
    let device = |flag, level, token: &str| DeviceSpec { flag, level, token: token.to_owned(), ..DeviceSpec::default() };
    let user = |uid: &str, web: &str| UidSpec {
        uid: uid.to_owned(),
        devices: vec![device(0, 1, &format!("PHONE-OF-{uid}-0123456789")), device(1, 0, web)],
        ..UidSpec::default()
    };
    let settings = WukongSettings { business_server: true, config: vec![("business", "[\"shop\"]".to_owned())], ..WukongSettings::default() };
    House::servers(vec![("im".to_owned(), Part::Wukong(Box::new(settings), vec![user("shop", OLD), user("plain", "WEB-OF-plain-0123456789")]))])
}

fn im(house: &House) -> &Wukong {
    house.sandbox.wukong("im").unwrap()
}

fn open(house: &House) -> Pty {
    let pty = house.deck().size(130, 45).spawn();
    pty.wait_until("both accounts, not stale", |s| {
        let text = s.contents();
        (text.contains("shop") && text.contains("plain") && !text.contains('~')).then_some(())
    });
    pty
}

fn logins(house: &House) -> usize {
    im(house).asked().0.iter().filter(|r| r.path.starts_with("/v1/user/")).count()
}

#[test]
fn a_phone_that_scans_the_qr_from_the_screen_brings_the_token() {
    let house = house();
    im(&house).quit("shop", 1);
    let pty = open(&house);
    choose(&pty, "shop", "QR");
    pty.keys("<Enter>");
    let payload = pty.wait_for_qr();
    eye::assert_style_that_scans(&pty.screen());
    assert!(payload.starts_with(&im(&house).business_url().unwrap()));
    im(&house).web_scan("shop", Some(&payload), false).unwrap();
    pty.wait_for("The phone has scanned QR 1");
    pty.wait_until("that nothing to scan is left", |s| eye::qr_cells(s).is_empty().then_some(()));
    im(&house).web_confirm("shop").unwrap();
    pty.wait_for("PAIRED  shop has its token");
    assert!(pty.text().contains("fp "), "{}", pty.text());
    assert!(!pty.text().contains(OLD));
    assert_eq!(im(&house).token("shop", 1).unwrap().expose(), OLD, "the business server put its old one back");
}

#[test]
fn another_accounts_phone_is_named_on_the_screen() {
    let house = house();
    let pty = open(&house);
    choose(&pty, "shop", "QR");
    pty.keys("<Enter>");
    pty.wait_for_qr();
    im(&house).web_scan("plain", None, true).unwrap();
    pty.wait_for("logged in as plain, not shop");
    pty.wait_until("that nothing to scan is left", |s| eye::qr_cells(s).is_empty().then_some(()));
}

#[test]
fn a_wrong_clock_shows_no_code_and_asks_for_none() {
    let house = house();
    im(&house).business_skew(Some(-10_800));
    let pty = open(&house);
    choose(&pty, "shop", "QR");
    pty.keys("<Enter>");
    pty.wait_for("NOT STARTED");
    pty.wait_for("the server beside it");
    assert_eq!(logins(&house), 0);
    im(&house).business_skew(None);
    pty.keys("r");
    pty.wait_for_qr();
}

#[test]
fn only_accounts_of_the_business_server_are_paired_and_their_tokens_are_warned_about() {
    let house = house();
    let pty = open(&house);
    select(&pty, "plain");
    pty.keys("p");
    pty.wait_for("There is nothing to pair");
    select(&pty, "shop");
    press(&pty, "w", "what is lost", |s| s.contents().contains("business server will put").then_some(()));
    assert!(!pty.text().contains("starts in"), "no countdown: it waits for Enter\n{}", pty.text());
    pty.keys("<Esc>");
    assert!(im(&house).asked().0.iter().all(|r| r.path != "/user/device_quit"));
    assert_eq!(logins(&house), 0);
}
