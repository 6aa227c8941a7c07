//! One key in four layouts, everything that can be wrong with a file, and arbitrary bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::providers::telegram::AuthKey;
use proptest::prelude::*;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

const ONCE: Patience = Patience { tries: 1, pause: Duration::ZERO };

fn recording(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/telegram").join(name)
}

fn fixture() -> serde_json::Value {
    serde_json::from_slice(&fs::read(recording("fixture-key.json")).unwrap()).unwrap()
}

fn private(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// The one key, in each of the four layouts.
fn all_four(dir: &Path) -> Vec<(PathBuf, Format)> {
    let f = fixture();
    vec![
        (private(dir, "a.json", &fs::read(recording("gotd-fixture.json")).unwrap()), Format::Gotd),
        (private(dir, "b.session", &fs::read(recording("telethon-fixture.session")).unwrap()), Format::TelethonSqlite),
        (private(dir, "c.txt", f["telethon_string"].as_str().unwrap().as_bytes()), Format::TelethonString),
        (private(dir, "d.txt", format!("{}\n", f["pyrogram_string_v2"].as_str().unwrap()).as_bytes()), Format::PyrogramString),
    ]
}

#[test]
fn one_key_has_one_id_in_all_four_layouts() {
    let dir = tempfile::tempdir().unwrap();
    for (path, format) in all_four(dir.path()) {
        for found in [read(&path, format, ONCE).unwrap(), look(&path, ONCE).unwrap()] {
            assert_eq!(found.session.key.id().to_string(), fixture()["auth_key_id_hex"].as_str().unwrap(), "{format:?}");
            assert_eq!((found.session.format, found.session.dc, found.loose), (format, 2, None));
        }
    }
    let pyrogram = read(&dir.path().join("d.txt"), Format::PyrogramString, ONCE).unwrap().session;
    assert_eq!((pyrogram.user, pyrogram.bot, pyrogram.api_id, pyrogram.test), (Some(1001), Some(false), Some(12345), false));
}

#[test]
fn older_pyrogram_layouts_and_a_telethon_string_with_ipv6_are_read() {
    use base64::Engine as _;
    let encode = |bytes: &[u8]| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let key = [7u8; 256];
    for user in [&1001u32.to_be_bytes()[..], &1001u64.to_be_bytes()[..]] {
        let bytes = [&[4u8, 1][..], &key, user, &[1]].concat();
        let s = read_bytes(encode(&bytes).as_bytes(), Some(Format::PyrogramString)).unwrap();
        assert_eq!((s.dc, s.user, s.bot, s.test, s.api_id), (4, Some(1001), Some(true), true, None));
    }
    let six = [&[5u8][..], &[0x20; 16], &443u16.to_be_bytes(), &key].concat();
    let s = read_bytes(format!("1{}", encode(&six)).as_bytes(), None).unwrap();
    assert_eq!((s.dc, s.key.id(), s.format), (5, AuthKey::new(key).id(), Format::TelethonString));
}

#[test]
fn gotds_own_files_are_written_again_byte_for_byte() {
    for name in ["gotd-fixture.json", "gotd-session-v1-user.json", "gotd-session-v1-bot.json"] {
        let bytes = fs::read(recording(name)).unwrap();
        let (s, config) = gotd::parse_whole(&bytes).unwrap();
        assert_eq!(*gotd::render(s.dc, &s.key, s.salt.unwrap(), &config).unwrap(), bytes, "{name}");
    }
    let user = gotd::parse(&fs::read(recording("gotd-session-v1-user.json")).unwrap()).unwrap();
    assert_eq!((user.dc, user.connected, user.parallel), (2, Some(1_795_246_925), None));
}

#[test]
fn a_configuration_that_is_empty_or_newer_is_no_obstacle() {
    let key = AuthKey::new([9; 256]);
    let text = String::from_utf8(gotd::render(2, &key, 5, &gotd::Config::default()).unwrap().to_vec()).unwrap();
    let start = text.find("\"Config\":").unwrap() + 9;
    let end = text.find(",\"DC\":2").unwrap();
    for config in ["{}", "null", r#"{"New":[{}],"Date":7}"#] {
        let s = gotd::parse(format!("{}{config}{}", &text[..start], &text[end..]).as_bytes()).unwrap();
        assert_eq!((s.key.id(), s.salt), (key.id(), Some(5)));
    }
}

#[test]
fn what_is_wrong_with_a_file_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let good = String::from_utf8(fs::read(recording("gotd-fixture.json")).unwrap()).unwrap();
    let other = AuthKey::new([1; 256]).id();
    let b64 = |b: &[u8]| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, b);
    let wrong_id = good.replace("Zqi9LmM8a+E=", &b64(&other.0));
    let real = look(&recording("gotd-fixture.json"), ONCE).unwrap().session.key.id();
    let cases: Vec<(&str, Vec<u8>, Trouble)> = vec![
        ("empty", Vec::new(), Trouble::Truncated),
        ("half", good.as_bytes()[..300].to_vec(), Trouble::Truncated),
        ("version", good.replace("\"Version\":1", "\"Version\":2").into_bytes(), Trouble::Version(2)),
        ("version_with_other_data", br#"{"Version":3,"Data":"sealed"}"#.to_vec(), Trouble::Version(3)),
        ("no_data", br#"{"Version":1}"#.to_vec(), Trouble::Corrupt("Data is missing")),
        ("other_json", br#"{"dc":2,"api_id":1}"#.to_vec(), Trouble::Foreign("JSON, but no session")),
        ("id", wrong_id.into_bytes(), Trouble::WrongKeyId { said: Some(other), real }),
        ("dc", good.replace("\"DC\":2", "\"DC\":0").into_bytes(), Trouble::Dc(0)),
        ("base64", good.replace("Tw1yZ", "T*1yZ").into_bytes(), Trouble::Corrupt("AuthKey is no base64")),
        ("key", good.replace("Tw1yZsmi", "").into_bytes(), Trouble::KeyLength(250)),
        ("sqlite", fs::read(recording("telethon-fixture.session")).unwrap(), Trouble::Foreign("a SQLite database")),
        ("string", fixture()["telethon_string"].as_str().unwrap().into(), Trouble::Foreign("a Telethon string")),
        ("words", b"not a session".to_vec(), Trouble::Foreign("no JSON object")),
        ("zeros", vec![0; 600], Trouble::Corrupt("no JSON object")),
        ("no_key", br#"{"Version":1,"Data":{"DC":2,"AuthKey":"","AuthKeyID":""}}"#.to_vec(), Trouble::NoKey),
    ];
    for (name, bytes, trouble) in cases {
        assert_eq!(read(&private(dir.path(), name, &bytes), Format::Gotd, ONCE).unwrap_err(), trouble, "{name}");
    }
    assert_eq!(read(&dir.path().join("absent"), Format::Gotd, ONCE).unwrap_err(), Trouble::Absent);
    assert_eq!(read(dir.path(), Format::Gotd, ONCE).unwrap_err(), Trouble::NotAFile);
    let long = dir.path().join("long");
    fs::File::create(&long).unwrap().set_len(LARGEST + 1).unwrap();
    assert_eq!(read(&long, Format::Gotd, ONCE).unwrap_err(), Trouble::TooLarge(LARGEST + 1));
}

#[test]
fn every_trouble_has_a_sentence_and_a_remedy_in_both_languages() {
    use crate::i18n::{Lang, reason};
    let id = AuthKey::new([1; 256]).id();
    let all = [
        Trouble::Absent,
        Trouble::Unreadable("Permission denied".into()),
        Trouble::NotAFile,
        Trouble::TooLarge(9),
        Trouble::Truncated,
        Trouble::Corrupt("x"),
        Trouble::Foreign("x"),
        Trouble::Version(2),
        Trouble::NoKey,
        Trouble::KeyLength(3),
        Trouble::WrongKeyId { said: None, real: id },
        Trouble::Dc(0),
    ];
    for trouble in all {
        let why = trouble.reason(Path::new("/srv/bot/session.json"));
        for lang in [Lang::En, Lang::Zh] {
            let (text, remedy) = (reason::full(&why, lang), reason::remedy_sentence(&why, lang).expect("a remedy"));
            assert!(!text.contains(['{', '?']) && !remedy.contains(['{', '?']), "{trouble:?}: {text} {remedy}");
            assert!(text.contains("/srv/bot/session.json"), "{text}");
        }
    }
}

#[test]
fn a_file_that_others_may_read_is_read_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let path = all_four(dir.path()).remove(0).0;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(read(&path, Format::Gotd, ONCE).unwrap().loose, Some(0o644));
}

#[test]
fn a_file_that_is_just_being_written_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let whole = fs::read(recording("gotd-fixture.json")).unwrap();
    let path = private(dir.path(), "s.json", &whole[..200]);
    // Whoever reads without patience calls it truncated; with patience the second half comes first.
    assert_eq!(read(&path, Format::Gotd, ONCE).unwrap_err(), Trouble::Truncated);
    let patience = Patience { tries: 100_000, pause: Duration::from_millis(1) };
    let reader = std::thread::spawn({
        let path = path.clone();
        move || read(&path, Format::Gotd, patience)
    });
    fs::write(&path, &whole).unwrap();
    assert_eq!(reader.join().unwrap().unwrap().session.dc, 2);
}

#[test]
fn a_telethon_file_is_read_while_its_bot_writes_and_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bot #1%?.session");
    fs::copy(recording("telethon-fixture.session"), &path).unwrap();
    let bot = rusqlite::Connection::open(&path).unwrap();
    bot.execute_batch("BEGIN EXCLUSIVE; UPDATE sessions SET port = 444;").unwrap();
    let before = fs::read(&path).unwrap();
    assert_eq!(read(&path, Format::TelethonSqlite, ONCE).unwrap().session.dc, 2);
    bot.execute_batch("ROLLBACK").unwrap();
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "something was left beside it");
}

#[test]
fn databases_that_are_something_else_are_refused_without_running_them() {
    let dir = tempfile::tempdir().unwrap();
    let made = |name: &str, sql: &str| {
        let path = dir.path().join(name);
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        read(&path, Format::TelethonSqlite, ONCE).map(|f| f.session.key.id())
    };
    let columns = "dc_id INTEGER, server_address TEXT, port INTEGER, auth_key BLOB, takeout_id INTEGER";
    let endless = "CREATE VIEW sessions AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS dc_id, '' AS server_address, x AS auth_key FROM n WHERE x < 0";
    assert_eq!(made("view", endless).unwrap_err(), Trouble::Foreign("another SQLite database"));
    assert_eq!(made("none", "CREATE TABLE t (x)").unwrap_err(), Trouble::Foreign("another SQLite database"));
    let pyrogram = "CREATE TABLE sessions (dc_id INTEGER PRIMARY KEY, api_id INTEGER, test_mode INTEGER, auth_key BLOB, date INTEGER NOT NULL, user_id INTEGER, is_bot INTEGER)";
    assert_eq!(made("pyrogram", pyrogram).unwrap_err(), Trouble::Foreign("a Pyrogram database"));
    assert_eq!(
        made("new", "CREATE TABLE sessions (dc INTEGER); CREATE TABLE version (version INTEGER); INSERT INTO version VALUES (99)").unwrap_err(),
        Trouble::Version(99)
    );
    assert_eq!(made("empty", &format!("CREATE TABLE sessions ({columns})")).unwrap_err(), Trouble::NoKey);
    let with = |value: &str| format!("CREATE TABLE sessions ({columns}); INSERT INTO sessions VALUES (2, 'a', 443, {value}, NULL)");
    assert_eq!(made("before_login", &with("x''")).unwrap_err(), Trouble::NoKey);
    assert_eq!(made("short", &with("x'0102'")).unwrap_err(), Trouble::KeyLength(2));
    assert_eq!(made("long", &with("zeroblob(9000000)")).unwrap_err(), Trouble::KeyLength(9_000_000));
    assert_eq!(made("text", &with("'abc'")).unwrap_err(), Trouble::Corrupt("auth_key is no blob"));
}

#[test]
fn a_file_is_replaced_whole_private_and_by_its_real_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = private(dir.path(), "s.json", b"old");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let link = dir.path().join("link.json");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    // What a killed process left is no obstacle.
    private(dir.path(), ".s.json.pairdeck-new", b"half of a key");
    write::replace(&link, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::symlink_metadata(&link).unwrap().file_type().is_symlink());
    assert!(!write::beside(&path).exists());
    fs::hard_link(&path, dir.path().join("second")).unwrap();
    let why = write::replace(&path, b"newer").unwrap_err();
    assert_eq!(why.code, crate::domain::ReasonCode::SlotHardLinked);
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..1200)) {
        for format in Format::ALL.into_iter().map(Some).chain([None]) {
            let _ = read_bytes(&bytes, format);
        }
    }

    #[test]
    fn arbitrary_words_of_any_length_never_panic(text in "[A-Za-z0-9_=-]{340,372}") {
        for format in [None, Some(Format::TelethonString), Some(Format::PyrogramString)] {
            let _ = read_bytes(text.as_bytes(), format);
            let _ = read_bytes(format!("1{text}").as_bytes(), format);
        }
    }

    #[test]
    fn a_damaged_gotd_file_is_refused_or_tells_the_same_key(at in 0usize..612, byte in any::<u8>(), cut in 0usize..613) {
        let good = fs::read(recording("gotd-fixture.json")).unwrap();
        let id = gotd::parse(&good).unwrap().key.id();
        let mut bad = good.clone();
        bad[at] = byte;
        bad.truncate(cut);
        // Ids are checked, so that a damaged key is never taken for another one.
        if let Ok(s) = gotd::parse(&bad) {
            prop_assert_eq!(s.key.id(), id);
        }
    }

    #[test]
    fn a_damaged_database_never_panics(at in 0usize..28_672, bytes in prop::collection::vec(any::<u8>(), 1..64), cut in 0usize..28_673) {
        let mut bad = fs::read(recording("telethon-fixture.session")).unwrap();
        let end = (at + bytes.len()).min(bad.len());
        bad[at..end].copy_from_slice(&bytes[..end - at]);
        bad.truncate(cut);
        let dir = tempfile::tempdir().unwrap();
        let _ = read(&private(dir.path(), "s", &bad), Format::TelethonSqlite, ONCE);
    }

    #[test]
    fn what_is_written_is_read_back(seed in prop::collection::vec(1u8.., 256), dc in 1i32..6, salt in any::<i64>()) {
        let key = AuthKey::new(<[u8; 256]>::try_from(seed).unwrap());
        let text = gotd::render(dc, &key, salt, &gotd::Config::default()).unwrap();
        let s = gotd::parse(&text).unwrap();
        prop_assert_eq!((s.dc, s.salt, s.key.expose()), (dc, Some(salt), key.expose()));
    }
}
