//! Wiping and regenerating: armed, taken back, carried out, refused, and by two decks at once.

use super::{
    hands::{press, select, wait_row},
    house::{House, account},
};
use crate::support::pty::Pty;
use pairdeck::sandbox::{Link, Past, Request};

fn house() -> House {
    House::with(vec![account("shop-a", Past::Online), account("shop-b", Past::Online)])
}

/// Arms a wipe of `account` and waits for its countdown.
fn arm(pty: &Pty, account: &str) {
    select(pty, account);
    press(pty, "w", "the armed wipe", |s| (s.contents().contains("WIPE") && s.contents().contains("starts in")).then_some(()));
}

fn logouts(house: &House) -> Vec<Request> {
    house.acts().into_iter().filter(|r| r.path.contains("/instance/logout/")).collect()
}

#[test]
fn a_wipe_that_is_undone_sends_nothing() {
    let house = house();
    for undo in ["u", "<Esc>"] {
        let pty = house.open(120, 40);
        arm(&pty, "shop-a");
        pty.keys(undo);
        pty.wait_for("nothing was sent");
        assert!(!pty.text().contains("starts in"));
        assert_eq!(house.acts(), []);
        wait_row(&pty, "shop-a", "online");
    }
}

#[test]
fn a_wipe_whose_countdown_ends_logs_that_row_out_and_no_other() {
    let house = house();
    let pty = house.open(120, 40);
    arm(&pty, "shop-b");
    wait_row(&pty, "shop-b", "logged out");
    let paths: Vec<_> = house.acts().iter().map(|r| r.path.clone()).collect();
    assert_eq!(paths, ["/instance/logout/shop-b"]);
    assert_eq!(house.gateway().state("shop-b").map(|s| s.0), Some(Link::Close));
    assert_eq!(house.gateway().state("shop-a"), Some((Link::Open, Link::Open)));
    wait_row(&pty, "shop-a", "online");
}

#[test]
fn enter_starts_an_armed_wipe_now_but_not_while_the_key_repeats() {
    let house = house();
    let pty = house.open(120, 40);
    select(&pty, "shop-a");
    // A key that was held, and an Enter that was on its way: all in the first instants.
    press(&pty, "wwwwww<Enter>", "the countdown", |s| s.contents().contains("starts in").then_some(()));
    pty.wait_for("starts in 2 s");
    assert_eq!(house.acts(), [], "neither the repeated key nor the early Enter started it");
    pty.keys("<Enter>");
    // It would start by itself in 2 s: that it was Enter is seen from what never came on screen.
    wait_row(&pty, "shop-a", "logged out");
    assert_eq!(logouts(&house).len(), 1);
    pty.assert_never_wrote("starts in 1 s");
}

#[test]
fn quitting_drops_what_is_armed_and_names_it() {
    let house = house();
    let mut pty = house.open(120, 40);
    arm(&pty, "shop-a");
    pty.keys("q");
    pty.assert_exit(0);
    assert!(pty.text().contains("shop-a"), "what was dropped is named after the end:\n{}", pty.text());
    assert_eq!(house.acts(), []);
}

#[test]
fn a_read_only_deck_answers_and_sends_nothing() {
    let house = house();
    let pty = house.deck().args(["--read-only"]).size(120, 40).spawn();
    house.settle(&pty);
    pty.wait_for("READ-ONLY");
    select(&pty, "shop-a");
    for key in ["w", "r", "p"] {
        pty.keys(key);
        pty.wait_for("This deck is read-only");
        assert!(!pty.text().contains("starts in") && !pty.text().contains("pair shop-a"), "{key}:\n{}", pty.text());
        // The next key's answer must be its own.
        pty.keys("<C-l>");
    }
    assert_eq!(house.acts(), []);
}

#[test]
fn regenerate_says_what_is_lost_waits_for_enter_and_puts_the_settings_back() {
    let house = house();
    let kept = [
        (
            "/webhook/set/shop-a",
            "/webhook/find/shop-a",
            r#"{"webhook":{"enabled":true,"url":"https://hook.example.net/in","headers":{"authorization":"Bearer made-up"},"byEvents":false,"base64":false,"events":["MESSAGES_UPSERT"]}}"#,
        ),
        (
            "/settings/set/shop-a",
            "/settings/find/shop-a",
            r#"{"rejectCall":true,"msgCall":"no calls","groupsIgnore":true,"alwaysOnline":false,"readMessages":false,"syncFullHistory":false,"readStatus":false}"#,
        ),
    ];
    for (set, _, body) in &kept {
        let (status, answer) = house.http("POST", set, body);
        assert!((200..300).contains(&status), "{set}: {status} {answer}");
    }
    let before: Vec<_> = kept.iter().map(|(_, find, _)| lasting(&house.http("GET", find, "").1)).collect();
    let token = house.gateway().token("shop-a").unwrap();
    house.gateway().clear_requests();

    let pty = house.open(120, 40);
    select(&pty, "shop-a");
    let text = press(&pty, "r", "the armed regenerate", |s| s.contents().contains("waits for Enter").then(|| s.contents()));
    for lost in ["old token", "messages"] {
        assert!(text.contains("lost: ") && text.contains(lost), "that the {lost} would be lost is not said:\n{text}");
    }
    let listed: Vec<_> = text.lines().filter(|l| l.contains("lost: ")).collect();
    assert!(listed.len() > 1 && !listed.iter().any(|l| l.contains('…')), "each loss has a whole line of its own:\n{text}");
    assert!(!house.acts().iter().any(|r| r.path.contains("/instance/delete/")), "{:?}", house.acts());
    // Enter is swallowed for the first 300 ms after arming: that is the behaviour, not a wait for something.
    std::thread::sleep(std::time::Duration::from_millis(500));
    pty.keys("<Enter>");
    house.wait("the instance to be made anew", |g| g.asked().0.iter().any(|r| r.path == "/instance/create" && r.status == 201).then_some(()));
    let done = pty.wait_for("new token fp ");
    let new = house.gateway().token("shop-a").unwrap();
    assert_ne!(new.expose(), token.expose());
    assert!(!done.contains(new.expose()), "the token itself is never shown");
    pty.assert_never_wrote(new.expose());
    // The pane shows the same fingerprint as the news, and the row waits for a phone.
    let fp = done.split("new token fp ").nth(1).and_then(|r| r.split_whitespace().next()).unwrap_or_default().to_owned();
    pty.wait_until("the new fingerprint in the pane", |s| s.contents().contains(&format!("Token      fp {fp}")).then_some(()));
    // Nobody logged it out: the instance was made anew and never paired.
    wait_row(&pty, "shop-a", "offline");
    let after: Vec<_> = kept.iter().map(|(_, find, _)| lasting(&house.http("GET", find, "").1)).collect();
    assert_eq!(after, before);
    assert_eq!(house.acts().iter().filter(|r| r.path.contains("/instance/delete/")).count(), 1);
}

/// A `find` answer without what belongs to one life of a row.
fn lasting(answer: &str) -> serde_json::Value {
    let mut value: serde_json::Value = serde_json::from_str(answer).unwrap_or_else(|e| panic!("{e}: {answer}"));
    if let Some(o) = value.as_object_mut() {
        for own in ["id", "createdAt", "updatedAt", "instanceId"] {
            o.remove(own);
        }
    }
    value
}

#[test]
fn a_second_deck_follows_the_first_and_does_not_act_twice() {
    let house = house();
    let (first, second) = (house.open(120, 40), house.open(120, 40));
    arm(&first, "shop-a");
    wait_row(&first, "shop-a", "logged out");
    wait_row(&second, "shop-a", "logged out");
    assert_eq!(logouts(&house).len(), 1);
    assert!(!second.text().contains("starts in"), "what one deck arms is not the other's to fire");
}

#[test]
fn two_decks_that_wipe_the_same_row_log_it_out_once() {
    let house = house();
    let (first, second) = (house.open(120, 40), house.open(120, 40));
    select(&first, "shop-a");
    select(&second, "shop-a");
    for pty in [&first, &second] {
        press(pty, "w", "the countdown, or why there is none", |s| {
            let text = s.contents();
            (text.contains("starts in") || text.contains("shop-a")).then_some(())
        });
    }
    wait_row(&first, "shop-a", "logged out");
    wait_row(&second, "shop-a", "logged out");
    for pty in [&first, &second] {
        pty.wait_gone("starts in");
    }
    assert_eq!(logouts(&house).len(), 1, "{:#?}", logouts(&house));
}
