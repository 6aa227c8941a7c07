//! What somebody else wrote into the shared store: a token, or a reason that can be drawn.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{
    calls::{Kept, KeptGone, was_gone},
    *,
};
use crate::{
    clock::ManualTime,
    hostile::{TEXTS, config, fine, harmless},
};
use proptest::prelude::*;
use redis::{Value, from_redis_value};

fn inner(seal: bool) -> Arc<Inner> {
    let url = "redis://127.0.0.1:1/0".to_owned();
    let settings = SharedStore { redis: url, seal, ..SharedStore::default() };
    let time = Arc::new(ManualTime::new());
    let seal = seal.then(|| Secret::new("a secret that all hosts have in common".to_owned()));
    let means = Means { password: None, seal, who: Clean::new("pairdeck[1]@a"), time, fingerprint_key: [3; 32] };
    Redis::new(&settings, means).unwrap().inner.clone()
}

/// Whatever RESP can carry.
fn value() -> impl Strategy<Value = Value> {
    let one = prop_oneof![
        Just(Value::Nil),
        Just(Value::Okay),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_map(Value::Double),
        any::<bool>().prop_map(Value::Boolean),
        prop::sample::select(TEXTS.to_vec()).prop_map(|t| Value::BulkString(t.as_bytes().to_vec())),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::BulkString),
        Just(Value::BulkString(b"token".to_vec())),
        Just(Value::BulkString(b"1".to_vec())),
        Just(Value::BulkString(vec![b'x'; 100_000])),
        "\\PC{0,10}".prop_map(Value::SimpleString),
    ];
    prop_oneof![
        3 => prop::collection::vec(one.clone(), 7).prop_map(Value::Array),
        1 => prop::collection::vec(one.clone(), 3).prop_map(Value::Array),
        1 => one.prop_recursive(3, 20, 8, |inside| prop::collection::vec(inside, 0..9).prop_map(Value::Array)),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_answer_of_any_shape_gives_a_token_or_a_reason(answer in value(), sealed: bool) {
        let inner = inner(sealed);
        match from_redis_value::<Option<Kept>>(answer.clone()) {
            Ok(Some(kept)) => match inner.token("corp:ops", kept) {
                Ok(token) => {
                    prop_assert!(fits(token.token.expose()), "{token:?}");
                    prop_assert!(harmless(token.by.as_str()));
                }
                Err(why) => prop_assert!(fine(&why), "{why:?}"),
            },
            Ok(None) => {}
            Err(_) => {}
        }
        if let Ok(Some(gone)) = from_redis_value::<Option<KeptGone>>(answer) {
            let _ = was_gone(gone);
        }
    }

    #[test]
    fn a_record_of_our_own_with_hostile_parts_is_read_without_harm(
        generation: u64, n in 0..TEXTS.len(), by in 0..TEXTS.len(), left: i64, age: i64, renewed: u8, good: i64, sealed: bool, prefix: bool,
    ) {
        let text = format!("{}{}", if prefix { SEALED } else { "" }, TEXTS[n]);
        match inner(sealed).token("corp:ops", (generation, text.clone(), TEXTS[by].to_owned(), left, age, renewed, good)) {
            Ok(token) => {
                prop_assert!(!sealed && !prefix && fits(&text));
                prop_assert!(harmless(token.by.as_str()));
            }
            Err(why) => prop_assert!(fine(&why)),
        }
    }

    #[test]
    fn a_sealed_token_opens_at_its_own_place_only(at in any::<prop::sample::Index>(), bit in 0u8..8, other: u64) {
        let inner = inner(true);
        let sealed = inner.sealed("corp:ops", 7, &Secret::new("accesstoken000001".to_owned())).unwrap();
        let opened = inner.opened("corp:ops", 7, sealed.expose().to_owned()).unwrap();
        prop_assert_eq!(opened.expose(), "accesstoken000001");
        prop_assert!(inner.opened("corp:other", 7, sealed.expose().to_owned()).is_err());
        prop_assert!(other == 7 || inner.opened("corp:ops", other, sealed.expose().to_owned()).is_err());
        let mut bytes = STANDARD.decode(&sealed.expose()[SEALED.len()..]).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let flipped = format!("{SEALED}{}", STANDARD.encode(bytes));
        prop_assert!(inner.opened("corp:ops", 7, flipped).is_err());
    }
}

#[test]
fn what_cannot_travel_as_a_token_is_none() {
    let open = |text: &str| inner(false).opened("n", 1, text.to_owned());
    for bad in ["", "a b", "a\r\nx: y", "\u{1b}[2J", "客", &"x".repeat(4097)] {
        assert!(open(bad).is_err(), "{bad:.20}");
    }
    assert!(open("accesstoken000001").is_ok());
}
