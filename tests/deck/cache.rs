//! The first frame comes from the cache and says so.

use super::{
    hands::row,
    house::{House, account},
};
use pairdeck::sandbox::Past;

#[test]
fn with_the_gateway_down_the_rows_of_the_last_run_are_shown_marked_stale() {
    let house = House::with(vec![account("shop-a", Past::Online), account("shop-b", Past::LoggedOut)]);
    let mut first = house.open(100, 30);
    first.keys("q");
    first.assert_exit(0);
    house.down();
    let mut second = house.deck().size(100, 30).spawn();
    let text = second.wait_until("the rows of the last run, marked stale", |s| {
        let stale = |name| row(s, name).is_some_and(|l| l.contains('~'));
        (stale("shop-a") && stale("shop-b")).then(|| s.contents())
    });
    assert!(text.contains("online") && text.contains("logged out"), "what was known is still told:\n{text}");
    second.wait_for("unreachable");
    let text = second.text();
    assert!(row(&second.screen(), "shop-a").is_some_and(|l| l.contains('~')), "still marked once it is known to be down:\n{text}");
    second.keys("q");
    second.assert_exit(0);
}
