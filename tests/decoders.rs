//! Every place that reads what came from outside has a property test, or a reason why it needs none. A new place without either fails
//! here, and so does a row of the table whose place or test is gone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// What shows that a file reads bytes or text of somebody else's.
const SIGNS: [&str; 19] = [
    "serde_json::from_",
    "json::value(",
    "json::table(",
    "from_utf8(",
    "from_utf8_lossy(",
    "::deserialize(",
    "toml::from_str",
    "Deserializer::from_",
    "parse_http_date(",
    "Cursor::from_slice(",
    "STANDARD.decode(",
    "png::Decoder",
    "from_redis",
    "get_payload",
    "Timestamp>()",
    "from_str_radix",
    "fn stat_of(",
    "impl FromStr",
    "fn receive(",
];

/// The file below `src` that reads; the file below `src` with its test; the test.
const TESTED: &str = "
cli/args_token.rs                        cli/hostile_tests.rs                          times_of_any_text_are_read_or_refused
cli/since.rs                             cli/hostile_tests.rs                          times_of_any_text_are_read_or_refused
cli/token/client.rs                      engine/agent/hostile_tests.rs                 an_answer_of_any_bytes_is_a_document_a_refusal_or_none
clock/container.rs                       clock/hostile_tests.rs                        a_container_is_told_from_any_files
clock/daemon.rs                          clock/hostile_tests.rs                        what_a_time_daemon_says_is_read_or_left
clock/http_date.rs                       clock/hostile_tests.rs                        headers_of_any_text_at_any_time_give_an_interval_or_none
clock/sntp/packet.rs                     clock/sntp/packet_tests.rs                    no_bytes_bring_it_down
domain/clean.rs                          store/tests/edited.rs                         an_edited_store_gives_results_or_says_why_not
domain/ids.rs                            cli/hostile_tests.rs                          a_name_of_any_letters_is_written_so_that_it_is_read_back
domain/time.rs                           cli/hostile_tests.rs                          times_of_any_text_are_read_or_refused
engine/agent/paper.rs                    engine/agent/hostile_tests.rs                 a_request_is_what_it_says_or_none
engine/agent/socket.rs                   engine/agent/hostile_tests.rs                 a_line_of_any_bytes_is_a_request_or_none
providers/evolution/events.rs            providers/evolution/events.rs                 damaged_events_are_read_or_left_out
providers/evolution/wire.rs              providers/evolution/tests/hostile.rs          damaged_answers_become_rows_and_reasons_that_can_be_drawn
providers/http/json.rs                   providers/http/json.rs                        arbitrary_bytes_do_no_harm
providers/http/redact.rs                 providers/http/redact/tests.rs                any_text_is_looked_through_without_a_panic_and_one_without_the_secret_stays
providers/langbot/logs.rs                providers/langbot/hostile_tests.rs            a_line_of_a_log_is_judged_whatever_its_words
providers/langbot/picture.rs             providers/langbot/hostile_tests.rs            a_damaged_picture_gives_a_text_or_none
providers/langbot/wire.rs                providers/langbot/hostile_tests.rs            damaged_answers_are_read_or_refused_and_show_nothing_as_it_came
providers/telegram/mtproto/error.rs      providers/telegram/mtproto/hostile_tests.rs   an_error_of_any_name_asks_for_a_wait_that_can_be_added_to_a_clock
providers/telegram/mtproto/exchange.rs   providers/telegram/mtproto/hostile_tests.rs   answers_to_a_key_exchange_of_any_bytes_are_refused
providers/telegram/mtproto/guard.rs      providers/telegram/mtproto/guard.rs           arbitrary_bodies_never_panic
providers/telegram/mtproto/key.rs        providers/telegram/mtproto/hostile_tests.rs   a_sealed_key_that_somebody_edited_is_one_of_256_bytes_or_none
providers/telegram/mtproto/rsa.rs        providers/telegram/mtproto/hostile_tests.rs   a_public_key_of_any_text_is_read_or_refused
providers/telegram/mtproto/running.rs    providers/telegram/mtproto/hostile_tests.rs   an_update_of_any_bytes_is_known_or_told_as_another
providers/telegram/mtproto/wire.rs       providers/telegram/mtproto/hostile_tests.rs   a_stream_of_any_bytes_gives_packets_or_ends_and_nothing_is_made_that_did_not_come
providers/telegram/session/gotd.rs       providers/telegram/session/tests.rs           a_damaged_gotd_file_is_refused_or_tells_the_same_key
providers/telegram/session/read.rs       providers/telegram/session/tests.rs           arbitrary_bytes_never_panic
providers/telegram/session/sqlite.rs     providers/telegram/session/tests.rs           a_damaged_database_never_panics
providers/tokens/answer.rs               providers/tokens/tests/hostile.rs             a_damaged_reply_gives_a_body_or_a_reason_that_can_be_drawn
providers/tokens/memory.rs               providers/tokens/tests/hostile.rs             what_is_remembered_is_read_whatever_somebody_wrote_there
providers/wukongim/business.rs           providers/wukongim/tests/hostile.rs           a_business_server_that_says_anything_gives_a_code_a_state_or_a_reason
providers/wukongim/logline.rs            providers/wukongim/logline_tests.rs           no_paste_makes_it_panic_or_show_a_token
providers/wukongim/uids.rs               providers/wukongim/tests/hostile.rs           a_file_of_uids_gives_each_line_once_and_nothing_else
providers/wukongim/wire.rs               providers/wukongim/tests/hostile.rs           damaged_answers_are_read_or_refused
shared/redis.rs                          shared/redis/hostile_tests.rs                 an_answer_of_any_shape_gives_a_token_or_a_reason
shared/redis/calls.rs                    shared/redis/hostile_tests.rs                 a_record_of_our_own_with_hostile_parts_is_read_without_harm
store/cache.rs                           store/tests/edited.rs                         an_edited_store_gives_results_or_says_why_not
store/clock.rs                           store/tests/edited.rs                         an_edited_store_gives_results_or_says_why_not
store/config/error.rs                    store/config/hostile_tests.rs                 a_damaged_configuration_is_taken_or_refused_with_words
store/config/mod.rs                      store/config/hostile_tests.rs                 a_damaged_configuration_is_taken_or_refused_with_words
store/config/ntp.rs                      cli/hostile_tests.rs                          a_time_server_of_any_text_is_read_back_the_same_or_refused
store/config/read.rs                     store/config/hostile_tests.rs                 tables_and_lists_nested_without_end_are_refused
store/history.rs                         store/tests/edited.rs                         an_edited_store_gives_results_or_says_why_not
store/keeper.rs                          store/tests/edited.rs                         an_edited_store_gives_results_or_says_why_not
store/mark.rs                            store/tests/edited.rs                         an_edited_store_gives_results_or_says_why_not
store/ops.rs                             store/tests/edited.rs                         an_edited_store_gives_results_or_says_why_not
store/proc.rs                            cli/hostile_tests.rs                          what_proc_tells_of_a_process_is_read_or_left
store/run_lock.rs                        cli/hostile_tests.rs                          the_record_of_a_lock_of_any_bytes_names_somebody_or_nobody
store/secrets.rs                         store/tests/edited.rs                         an_edited_store_gives_results_or_says_why_not
store/tokens/read.rs                     store/tests/edited.rs                         an_edited_store_gives_results_or_says_why_not
tui/theme.rs                             cli/hostile_tests.rs                          a_theme_or_a_key_of_any_text_is_read_or_refused
vault/keyfile.rs                         vault/hostile_tests.rs                        a_key_file_of_any_bytes_is_read_or_refused
vault/meta.rs                            vault/hostile_tests.rs                        an_edited_line_of_the_vault_fits_its_own_key_or_none
vault/seal.rs                            vault/seal.rs                                 garbage_never_opens
";

/// The file below `src`, and why no property of its own is tested.
const UNTESTED: &str = "
cli/deck.rs                              reads a theme file and hands its text to tui/theme.rs
cli/man.rs                               reads what clap_mangen has just written
cli/output.rs                            a sink of tests
cli/prompt.rs                            a secret: any text that is UTF-8, of bounded length
clock/sntp/client.rs                     takes one packet of bounded length and hands its bytes to clock/sntp/packet.rs
engine/ops/run.rs                        what a step of our own left in the plan, typed by serde
i18n/mod.rs                              a message of the journal, cleaned when it is read: store/tests/edited.rs reads plans with it
providers/evolution/pair.rs              a memo of our own: hashes in hex and a time, each left out when it is none
providers/evolution/plans.rs             what a step of our own left in the plan, typed by serde
providers/http.rs                        one header, by httpdate: clock/http_date.rs has the same
providers/http/fail.rs                   one header, by httpdate, bounded by a day
providers/http/ws.rs                     the text of a refusal, cut to 200 letters and cleaned by the reason
providers/langbot/act.rs                 a sealed part of a plan of our own, typed by serde
providers/telegram/memo.rs               a memo of our own, typed by serde
providers/telegram/mtproto/probe.rs      an answer to a request of our own, by the generated decoder of grammers: telegram_hostile
providers/telegram/operator.rs           a sealed value of our own, typed by serde
providers/telegram/pending.rs            a sealed value of our own, typed by serde
providers/telegram/slots/process.rs      words of a command line of this host, of bounded length, used as paths to look at
providers/telegram/worker/left.rs        a memo of our own, typed by serde
providers/telegram/worker/mod.rs         a sealed part of a plan of our own, typed by serde
providers/telegram/worker/new_slot.rs    a part of a plan of our own, typed by serde
providers/telegram/worker/ends.rs        a plan of our own, typed by serde
providers/telegram/worker/registry.rs    a memo of our own, typed by serde
providers/telegram/worker/steps.rs       a part of a plan of our own, typed by serde
providers/tokens/plans.rs                a part of a plan of our own, typed by serde
providers/wukongim/collide/kept.rs       a memo of our own, typed by serde
providers/wukongim/leave.rs              a part of a plan of our own, typed by serde
providers/wukongim/token.rs              a part of a plan of our own, typed by serde
providers/wukongim/wipe.rs               a part of a plan of our own, typed by serde
store/tokens/write.rs                    text that this store sealed, opened again
store/tokens/types.rs                    the letters of a fingerprint that was read already
tui/plain/voice.rs                       a typed line: any text
";

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn read(file: &str) -> String {
    fs::read_to_string(src().join(file)).unwrap_or_else(|e| panic!("src/{file}: {e}"))
}

/// The program's own sources, without those of the sandbox and without tests.
fn sources(dir: &Path, out: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() {
            if !matches!(name.as_str(), "tests" | "sandbox" | "snapshots") {
                sources(&path, out);
            }
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") && name != "hostile.rs" {
            out.push(path.strip_prefix(src()).unwrap().to_str().unwrap().to_owned());
        }
    }
}

/// A source without the module of tests at its end.
fn without_tests(text: &str) -> &str {
    text.find("mod tests {").map_or(text, |at| &text[..at])
}

#[test]
fn every_decoder_has_a_property_test_or_a_reason_why_it_needs_none() {
    let tested: BTreeMap<&str, Vec<&str>> =
        TESTED.lines().filter(|l| !l.is_empty()).map(|l| l.split_whitespace().collect::<Vec<_>>()).map(|w| (w[0], w[1..].to_vec())).collect();
    let untested: BTreeMap<&str, &str> = UNTESTED.lines().filter(|l| !l.is_empty()).map(|l| l.split_once(' ').unwrap()).collect();
    let mut all = Vec::new();
    sources(&src(), &mut all);
    let reads = |f: &&String| SIGNS.iter().any(|s| without_tests(&read(f)).contains(s));
    let found: BTreeSet<&str> = all.iter().filter(reads).map(String::as_str).collect();
    let missing: Vec<_> = found.iter().filter(|f| !tested.contains_key(**f) && !untested.contains_key(**f)).collect();
    assert!(missing.is_empty(), "these read what comes from outside, without a property test and without a reason: {missing:?}");
    for (file, test) in &tested {
        assert!(src().join(file).is_file(), "src/{file} is gone");
        let text = read(test[0]);
        let at = text.find(&format!("fn {}(", test[1])).unwrap_or_else(|| panic!("src/{} has no test {}", test[0], test[1]));
        assert!(text[..at].contains("proptest! {"), "{} of src/{} is no property test", test[1], test[0]);
    }
    for (file, why) in &untested {
        assert!(found.contains(file), "src/{file} reads nothing any more ({})", why.trim());
        assert!(!tested.contains_key(file), "src/{file} stands in both tables");
    }
    println!(
        "FIGURE decoders: {} files that read what comes from outside, {} with a property test, {} with a reason",
        tested.len() + untested.len(),
        tested.len(),
        untested.len()
    );
}
