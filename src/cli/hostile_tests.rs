//! What is typed, piped or put into a file of the operator's: understood or refused, never guessed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{args_token::Seconds, since::Since};
use crate::{
    domain::{Fingerprint, Wall, ids},
    hostile::{config, text},
    store::config::NtpServer,
    tui::{filter::Filter, keys::Chord, theme::Theme},
};
use proptest::prelude::*;

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_name_of_any_letters_is_written_so_that_it_is_read_back(gateway in "\\PC{1,12}", account in "\\PC{0,12}", device in proptest::option::of("\\PC{0,12}")) {
        let mut typed = format!("{}:{}", ids::escape(&gateway), ids::escape(&account));
        if let Some(d) = &device {
            typed.push('/');
            typed.push_str(&ids::escape(d));
        }
        let read = ids::TargetName::parse(&typed).unwrap();
        prop_assert_eq!((read.gateway, read.account, read.device), (Some(gateway), account, device));
    }

    #[test]
    fn a_name_of_any_text_is_read_or_broken(typed in text(&["wa:shop/1", "%00", "a%2", "é%zz", ":/"])) {
        let _ = ids::TargetName::parse(&typed);
        let _ = Fingerprint::parse(&typed);
    }

    #[test]
    fn times_of_any_text_are_read_or_refused(typed in text(&["24h", "7d", "2026-11-21", "2026-11-21T09:00:00Z", "-009999-01-01T00:00:00Z", "9223372036854775807s"]), now: i64) {
        if let Ok(since) = typed.parse::<Since>() {
            let _ = since.wall_ms(Wall(now));
        }
        let _ = typed.parse::<Seconds>();
        if let Some(wall) = Wall::parse(&typed) {
            prop_assert!(Wall::parse(&wall.rfc3339()).is_some());
        }
    }

    #[test]
    fn a_filter_of_any_words_is_asked_or_complains(line in text(&["state:online -kind:whatsapp age:>2h", "age:<99999999999999999999d", "is:happy", "客服 -"])) {
        let filter = Filter::parse(&line);
        prop_assert!(filter.is_empty() || !line.trim().is_empty());
    }

    #[test]
    fn a_theme_or_a_key_of_any_text_is_read_or_refused(theme in text(&["[roles.dim]\nfg = \"#808080\"\nbold = true\n", "[roles.x]\nfg = 7"]), key in text(&["ctrl-a", "f12", "space", "f99"])) {
        let _ = (Theme::parse(&theme).map_err(|e| e.to_string()), Chord::parse(&key));
    }

    #[test]
    fn a_time_server_of_any_text_is_read_back_the_same_or_refused(typed in text(&["time.example:123", "[2001:db8::1]:123", "192.0.2.1", "2001:db8::1"])) {
        if let Ok(server) = typed.parse::<NtpServer>() {
            prop_assert_eq!(server.to_string().parse::<NtpServer>().unwrap(), server);
        }
    }

    #[test]
    fn what_proc_tells_of_a_process_is_read_or_left(line in text(&["42 (a) b (c)) S 7 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 1 1", ")(", "1 (x"])) {
        let _ = crate::store::proc::stat_of(line.as_bytes());
    }

    #[test]
    fn the_record_of_a_lock_of_any_bytes_names_somebody_or_nobody(bytes in crate::hostile::reply(&[br#"{"pid":1,"who":"ops@a","command":"bot","target":"tg:shop/orders"}"#])) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("l");
        std::fs::write(&path, bytes).unwrap();
        let _ = (crate::store::run_lock::owner(&path), crate::store::run_lock::left(&path), crate::store::run_lock::clean(&path));
    }
}
