//! What was left open: an op whose outcome nobody knows is said where it stands, goes on by itself once its server answers, and a
//! person can go on with it or drop it, on the deck and without it.

use super::{
    hands::press,
    house::{House, account},
};
use pairdeck::{
    clock::SystemTime,
    domain::{OpPhase, Reason, ReasonCode},
    sandbox::{Fault, Past},
    store::{Paths, Store},
    vault::Vault,
};
use std::{process::Command, sync::Arc};

const ACCOUNT: &str = "shop-a";

/// A regenerate that was killed once the old instance was deleted, and that its next process could not bring to an end.
struct Left {
    house: House,
    op: i64,
}

impl Left {
    fn new() -> Self {
        let house = House::with(vec![account(ACCOUNT, Past::Online), account("shop-b", Past::Online)]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_pairdeck"));
        command.arg("--home").arg(house.home.path()).args(["regenerate", ACCOUNT, "--yes"]).env_clear().env("HOME", "/nonexistent");
        let out = command.env("PAIRDECK_DEBUG_KILL_AT", "journal:6:before").output().unwrap();
        assert!(!out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        assert!(!house.gateway().accounts().iter().any(|n| n == ACCOUNT), "it stands between the delete and the create");
        let left = Self { house, op: 1 };
        left.end(ReasonCode::KilledInFlight);
        left
    }

    fn store<T>(&self, work: impl AsyncFnOnce(&Store) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let paths = Paths::in_home(self.house.home.path());
            let store = Store::open(&paths, Vault::new(), Arc::new(SystemTime::new())).unwrap();
            let out = work(&store).await;
            store.flush().await;
            out
        })
    }

    /// The next process gave up for this reason.
    fn end(&self, why: ReasonCode) {
        self.store(async |s| s.op_end(self.op, OpPhase::Ambiguous, Some(Reason::new(why)), None).await.unwrap());
    }

    fn phase(&self) -> OpPhase {
        self.store(async |s| s.op(self.op).await.unwrap().unwrap().phase)
    }

    fn back(&self) -> bool {
        self.house.gateway().accounts().iter().any(|n| n == ACCOUNT)
    }
}

#[test]
fn it_is_said_on_its_gateway_and_one_key_goes_on_with_it() {
    let left = Left::new();
    let mut pty = left.house.open(140, 40);
    // The account is gone from the server: its gateway tells.
    pty.wait_for("left open: 1");
    press(&pty, "g", "the gateway's pane", |s| s.contents().contains("how it stands is not known").then_some(()));
    press(&pty, "m", "the menu", |s| s.contents().contains("go on with regenerate of shop-a").then_some(()));
    pty.keys("1");
    left.house.wait("the account to be back", |_| left.back().then_some(()));
    pty.wait_until("nothing is left open", |s| (!s.contents().contains("left open") && s.contents().contains(ACCOUNT)).then_some(()));
    pty.keys("q");
    pty.assert_exit(0);
    assert_eq!(left.phase(), OpPhase::Done);
    let (_, audit) = left.house.headless(&["history", "--audit", "--json"]);
    assert!(audit.contains("resumed, begun by "), "{audit}");
}

#[test]
fn it_goes_on_by_itself_once_its_server_answers_again() {
    let left = Left::new();
    let mut pty = left.house.open(140, 40);
    pty.wait_for("left open: 1");
    // Only the server's silence kept it from its end.
    left.end(ReasonCode::Unreachable);
    left.house.gateway().fault(Fault::Drop, 10_000, None);
    left.house.gateway().cut_events();
    press(&pty, "R", "an unreachable server", |s| s.contents().contains("unreachable").then_some(()));
    assert!(!left.back());
    left.house.gateway().heal();
    pty.keys("R");
    left.house.wait("the account to be back", |_| left.back().then_some(()));
    pty.wait_until("nothing is left open", |s| (!s.contents().contains("left open") && s.contents().contains(ACCOUNT)).then_some(()));
    pty.keys("q");
    pty.assert_exit(0);
    assert_eq!(left.phase(), OpPhase::Done);
}

#[test]
fn without_a_deck_it_is_listed_and_told_by_the_doctor_and_dropped_or_gone_on_with() {
    let left = Left::new();
    let (code, said) = left.house.headless(&["unfinished", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &found["ops"][0]["op"], &found["ops"][0]["phase"]), (0, &left.op.into(), &"ambiguous".into()), "{said}");
    assert_eq!(found["ops"][0]["reason"]["code"], "killed_in_flight");
    let (_, said) = left.house.headless(&["doctor", "--json"]);
    assert!(said.contains("\"journal\"") && said.contains(ACCOUNT), "{said}");
    assert_eq!(left.house.headless(&["unfinished", "--drop", "99"]).0, 3);
    assert_eq!(left.house.headless(&["--read-only", "unfinished", "--go-on", "1"]).0, 11);
    assert!(!left.back());
    assert_eq!(left.house.headless(&["unfinished", "--go-on", "1"]).0, 0);
    assert!(left.back());
    let other = Left::new();
    assert_eq!(other.house.headless(&["unfinished", "--drop", "1"]).0, 0);
    assert_eq!((other.phase(), other.back()), (OpPhase::Failed, false));
    let (_, said) = other.house.headless(&["unfinished", "--json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&said).unwrap()["ops"], serde_json::json!([]));
    let (_, audit) = other.house.headless(&["history", "--audit", "--json"]);
    assert!(audit.contains("dismissed: "), "{audit}");
}
