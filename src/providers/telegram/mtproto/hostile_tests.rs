//! What a data centre, or somebody in between, could send: frames, answers, updates, errors; and keys that somebody edited.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{AuthKey, Error, RsaKey, wire::decode_all};
use crate::{
    domain::{Clean, Secret},
    hostile::{TEXTS, config, harmless, reply, text},
};
use grammers_tl_types::{self as tl, Deserializable, Identifiable, Serializable};
use proptest::prelude::*;

const PEM: &str = "-----BEGIN RSA PUBLIC KEY-----\nMIIBCgKCAQEAwVACPi9w23mF3tBkdZz+zwrzKOaaQdr01vAbU4E1pvkfj4sqDsm6\nlyDONS789sVoD/xCS9Y0hkkC3gtL1tSfTlgCMOOul9lcixlEKzwKENj1Yz/s7daS\nan9tqw3bfUV/nqgbhGX81v/+7RFAEd+RwFnK7a+XYl9sluzHRyVVaTTveB2GazTw\nEfzk2DWgkBluml8OREmvfraX3bkHZJTKX4EQSjBbbdJ2ZXIsRrYOXfaA+xayEGB+\n8hdlLmAjbCVfaigxX0CDqWeR1yFL9kwd9P0NsZRPsmoqVwMbMu7mStFai6aIhc3n\nSlv8kg9qv1m6XHVQY3PnEw+QQtqSIXklHwIDAQAB\n-----END RSA PUBLIC KEY-----";

fn updates() -> Vec<Vec<u8>> {
    let new =
        tl::types::UpdateNewAuthorization { unconfirmed: true, hash: 7, date: Some(1), device: Some("phone".into()), location: Some("x".into()) };
    let of = |update: tl::enums::Update| tl::enums::Updates::UpdateShort(tl::types::UpdateShort { update, date: 1 }).to_bytes();
    vec![of(new.into()), of(tl::types::UpdateLoginToken {}.into()), tl::types::UpdateLoginToken::CONSTRUCTOR_ID.to_le_bytes().repeat(5)]
}

fn all(of: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    reply(&of.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_stream_of_any_bytes_gives_packets_or_ends_and_nothing_is_made_that_did_not_come(
        bytes in prop::collection::vec(prop_oneof![2 => any::<u8>(), 3 => Just(0), 1 => 1u8..40], 0..4_000), cut in 1usize..64,
    ) {
        for framing in [super::Framing::Full, super::Framing::Intermediate, super::Framing::Abridged] {
            let (packets, waiting) = decode_all(framing, &bytes, cut);
            prop_assert!(packets.iter().map(Vec::len).sum::<usize>() + waiting <= bytes.len());
        }
    }

    #[test]
    fn an_update_of_any_bytes_is_known_or_told_as_another(body in all(updates())) {
        let known = super::running::read(&body);
        prop_assert!((1..=65).contains(&known.len()), "{}", known.len());
        for u in known {
            if let super::Update::NewDevice { device: Some(name), .. } = u {
                prop_assert!(harmless(name.as_str()));
            }
        }
    }

    #[test]
    fn an_error_of_any_name_asks_for_a_wait_that_can_be_added_to_a_clock(
        code in prop::sample::select(vec![303, 400, 401, 406, 420, -503, i32::MIN]),
        name in text(&["FLOOD_WAIT_17", "FLOOD_WAIT_18446744073709551615", "PHONE_MIGRATE_4", "NETWORK_MIGRATE_-2147483649", "AUTH_KEY_DUPLICATED", "SESSION_PASSWORD_NEEDED"]),
    ) {
        let e = Error::Rpc { code, name: Clean::new(&name) };
        if let Some(wait) = e.flood() {
            prop_assert!(tokio::time::Instant::now().checked_add(wait).is_some());
            prop_assert!(wait.as_secs() <= 30 * 86_400);
        }
        let _ = (e.moved(), e.verdict(), e.ends_connection());
        prop_assert!(harmless(&e.to_string()));
    }

    #[test]
    fn a_public_key_of_any_text_is_read_or_refused(pem in text(&[PEM])) {
        if let Ok(key) = RsaKey::from_pem(&pem) {
            let _ = (key.fingerprint(), key.for_padding());
        }
    }

    #[test]
    fn a_sealed_key_that_somebody_edited_is_one_of_256_bytes_or_none(given in text(&[&"A".repeat(344), &"é".repeat(172)]), n in 0..TEXTS.len()) {
        for t in [given, TEXTS[n].to_owned()] {
            if let Some(key) = AuthKey::from_secret(&Secret::new(t)) {
                prop_assert!(AuthKey::from_secret(&key.to_secret()).is_some());
            }
        }
    }

    #[test]
    fn answers_to_a_key_exchange_of_any_bytes_are_refused(
        nonce: [u8; 16], body in all(vec![
            tl::enums::ResPq::Pq(tl::types::ResPq { nonce: [0; 16], server_nonce: [1; 16], pq: vec![0x17, 0xED, 0x48, 0x94, 0x1A, 0x08, 0xF9, 0x81], server_public_key_fingerprints: vec![-3_414_540_481_677_951_611] }).to_bytes(),
        ]),
    ) {
        let Ok(answer) = tl::enums::ResPq::from_bytes(&body) else { return Ok(()) };
        let same = matches!(&answer, tl::enums::ResPq::Pq(a) if a.nonce == nonce);
        let (_, step) = super::exchange::Pq::start(nonce);
        let asked = step.ask(answer, &RsaKey::production(), Some(2), &[7; 256]);
        prop_assert!(same || asked.is_err(), "an answer to another question was taken");
    }
}

#[test]
fn the_key_that_is_damaged_here_is_read_when_it_is_whole() {
    assert_eq!(RsaKey::from_pem(PEM).unwrap().fingerprint(), -4_344_800_451_088_585_951);
}
