//! Key files, credentials and a vault's own line that somebody else wrote: a key, or a sentence why not; and nothing that takes all
//! memory or all day.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{KeyMeta, Source, common::CommonKey, keyfile, passphrase, seal};
use crate::{
    domain::Secret,
    hostile::{config, document, reply, slow, text},
};
use proptest::prelude::*;
use std::path::Path;
use zeroize::Zeroizing;

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_key_of_any_text_has_32_bytes_or_is_none(given in text(&["B4pZ9Y5zj2b0Jw3y3v4m1dN6Qk8p7r2sT0uVwXyZabc=\n"])) {
        if let Some(key) = keyfile::decode(&given) {
            prop_assert_eq!(keyfile::decode(&keyfile::encode(&key)), Some(key));
        }
    }

    #[test]
    fn a_key_file_of_any_bytes_is_read_or_refused(bytes in reply(&[b"B4pZ9Y5zj2b0Jw3y3v4m1dN6Qk8p7r2sT0uVwXyZabc=\n"])) {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vault.key");
        std::fs::write(&path, &bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        if let Ok(key) = keyfile::read(&path) {
            prop_assert_eq!(key.len(), 32);
        }
    }

    #[test]
    fn no_edited_line_leads_a_key_out_of_its_folder(item in text(&["0123abcd", "../../etc/x", "a/b"])) {
        let at = keyfile::place(Path::new("/home/a/vault.key"), &item);
        prop_assert_eq!(at.parent(), Some(Path::new("/home/a")));
    }

    #[test]
    fn an_edited_line_of_the_vault_fits_its_own_key_or_none(v in {
        let line = KeyMeta::new("s1", Source::KeyFile, &Zeroizing::new([7; 32]), vec![1; 16], (0, 0, 0)).unwrap();
        document(&[serde_json::to_value(line).unwrap()])
    }) {
        let Ok(line) = serde_json::from_value::<KeyMeta>(v) else { return Ok(()) };
        prop_assert!(!line.fits(&Zeroizing::new([8; 32])));
        let _ = line.fits(&Zeroizing::new([7; 32]));
    }

    #[test]
    fn what_hosts_sealed_for_each_other_opens_whole_or_not(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let key = CommonKey::new(&Secret::new("a secret that all hosts have in common".into())).unwrap();
        let place = seal::Place { table: "shared", id: "n", column: "tok", generation: 1 };
        prop_assert!(key.open(&place, &bytes).is_none());
    }
}

proptest! {
    #![proptest_config(slow())]

    #[test]
    fn a_cost_that_somebody_edited_is_paid_within_bounds_or_refused(
        memory in prop::sample::select(vec![0u32, 1, 8, 64, 1 << 20, (1 << 20) + 1, u32::MAX]),
        passes in prop::sample::select(vec![0u32, 1, 2, 65, u32::MAX]),
        lanes in prop::sample::select(vec![0u32, 1, 4, 1 << 24, u32::MAX]),
        salt in prop::collection::vec(any::<u8>(), 0..70),
    ) {
        // What is within bounds and large is another test's: it takes a gigabyte.
        prop_assume!(memory != 1 << 20);
        let key = passphrase::stretch(&Secret::new("correct horse".into()), &salt, (memory, passes, lanes));
        prop_assert!(key.is_none() || (memory <= 1 << 20 && (1..=64).contains(&passes) && salt.len() >= 8));
    }
}

#[test]
fn a_key_file_without_an_end_is_refused_before_it_is_read() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vault.key");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(1 << 40).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(keyfile::read(&path).is_err());
}
