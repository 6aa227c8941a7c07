//! A clock that turns bad while the deck is open: said at once, kept, and shown with what it rests on.

use super::house::{House, account};
use pairdeck::sandbox::Past;

#[test]
fn a_clock_that_turns_bad_is_said_and_its_evidence_shows_the_last_day() {
    let house = House::with(vec![account("shop-a", Past::Online)]);
    let pty = house.open(100, 34);
    pty.wait_for("clock ok");
    house.gateway().skew(Some(10_800.0));
    pty.wait_for("clock blocked for wa-test");
    pty.wait_for("is 3:00:00 ahead of this host");
    pty.keys("c");
    pty.wait_for("GATE  blocked for wa-test");
    // The last thing of the page that is looked at below: the frame may arrive in pieces.
    pty.wait_for("timedatectl");
    let text = pty.text();
    assert!(text.contains("Date (") && text.contains("✗ blocked") && text.contains("timedatectl"), "{text}");
    pty.keys("G");
    pty.wait_for("24 h");
    pty.keys("<Esc>");
    let (status, told) = house.headless(&["history", "--json"]);
    assert_eq!(status, 0);
    assert!(told.contains("\"what\": \"clock\"") && told.contains("\"to\": \"blocked\""), "{told}");
}
