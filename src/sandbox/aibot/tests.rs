//! Subscriptions in process: who holds a bot, and who lost it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{
    frames::{Out, Peer},
    *,
};
use serde_json::{Value, json};

fn server() -> AiBot {
    let bots = [AiBotSpec { id: "aib1".to_owned(), secret: "good".to_owned() }];
    AiBot::new("ai", AiBotSettings::default(), &bots, Clock::virtual_from(0), Some(1), CancellationToken::new())
}

fn peer(number: u64) -> (Peer, mpsc::Receiver<Out>) {
    let (out, inbox) = mpsc::channel(4);
    (Peer { number, from: String::new(), out, bot: None }, inbox)
}

fn ask(s: &AiBot, p: &mut Peer, cmd: &str, secret: &str) -> Value {
    let frame = json!({ "cmd": cmd, "headers": { "req_id": "r1" }, "body": { "bot_id": "aib1", "secret": secret } });
    s.inner.answer(p, &frame.to_string()).map_or(Value::Null, |t| serde_json::from_str(&t).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_second_subscriber_throws_the_first_out_and_the_first_hears_why() {
    let s = server();
    let ((mut a, mut heard), (mut b, _keep)) = (peer(1), peer(2));
    assert_eq!(ask(&s, &mut a, "aibot_subscribe", "good"), json!({ "headers": { "req_id": "r1" }, "errcode": 0, "errmsg": "ok" }));
    assert_eq!(ask(&s, &mut a, "ping", "")["errcode"], 0);
    assert_eq!(ask(&s, &mut b, "aibot_subscribe", "good")["errcode"], 0);
    let Some(Out::Last(frame)) = heard.recv().await else { panic!("no last word") };
    let frame: Value = serde_json::from_str(&frame).unwrap();
    assert_eq!((frame["cmd"].as_str(), frame["body"]["event"]["eventtype"].as_str()), (Some("aibot_event_callback"), Some("disconnected_event")));
    assert_eq!(s.subscribers().iter().map(|h| h.connection).collect::<Vec<_>>(), [2]);
    s.inner.ended(&a);
    assert_eq!(s.subscribers().len(), 1, "the end of the first one takes nothing from the second");
    assert_eq!(ask(&s, &mut a, "aibot_send_msg", "")["errcode"], 40001, "whoever lost a bot may not speak for it");
    assert_eq!(s.tally("aib1"), Tally { subscribed: 2, refused: 0, kicked: 1 });
}

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_is_refused_and_leaves_the_holder_alone_and_no_secret_is_kept() {
    let s = server();
    let ((mut a, _x), (mut b, _y)) = (peer(1), peer(2));
    ask(&s, &mut a, "aibot_subscribe", "good");
    assert_eq!(ask(&s, &mut b, "aibot_subscribe", "very-wrong")["errcode"], 40001);
    assert_eq!(s.subscribers()[0].connection, 1);
    s.reset_secret("aib1", &Secret::new("new".to_owned()));
    assert_eq!(ask(&s, &mut b, "aibot_subscribe", "good")["errcode"], 40001);
    assert_eq!(s.subscribers()[0].connection, 1, "a reset secret ends no connection");
    assert_eq!(s.tally("aib1").refused, 2);
    assert!(!format!("{:?}", s.asked()).contains("very-wrong"));
}

#[tokio::test(start_paused = true)]
async fn a_deaf_server_counts_pings_and_says_nothing() {
    let s = server();
    let (mut a, _x) = peer(1);
    ask(&s, &mut a, "aibot_subscribe", "good");
    s.deaf(true);
    assert_eq!(ask(&s, &mut a, "ping", ""), Value::Null);
    assert_eq!(s.subscribers()[0].pings, 1);
}
