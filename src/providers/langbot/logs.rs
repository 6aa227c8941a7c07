//! What a bot's log tells: the only place where the real error of a failed send or a lost connection stands (recordings 21, 22).

use super::wire::Line;
use crate::domain::{Clean, Reason, ReasonCode, Stamp, Wall};

/// What the log comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Judged {
    /// Why the bot does not work, by its newest lines.
    pub(super) reason: Option<Reason>,
    /// When that was first told among the lines that were read.
    pub(super) since: Option<Wall>,
    /// It is between two attempts to connect.
    pub(super) reconnecting: bool,
    /// Errors among the lines that were read.
    pub(super) errors: u64,
    /// When the newest error was written, by the server's clock.
    pub(super) last_error: Option<Wall>,
    /// When a message last came to it, by the server's clock.
    pub(super) heard: Option<Wall>,
    /// Lines that tell that the platform refused the bot's token: after each the bot asks for another (`libs/wecom_api/api.py`). When,
    /// and the line's number. A refused Secret is none: it says nothing of an app whose own Secret is right.
    pub(super) refusals: Vec<(Wall, i64)>,
    /// Lines that tell that it does not trust the address that the bot's requests leave from.
    pub(super) doubts: Vec<(Wall, i64)>,
    /// Its token was refused, and the bot got on with another by itself: when last, and how many uploads that cost.
    pub(super) healed: Option<(Wall, u64)>,
    /// The newest lines, newest first, as the row lists them.
    pub(super) recent: Vec<Clean>,
}

impl Judged {
    /// True when what is told of the bot is that its token is refused.
    pub(super) fn tokens_fault(&self) -> bool {
        self.reason.as_ref().is_some_and(|r| r.code == ReasonCode::TokenExpired)
    }
}

/// Lines of a log that are looked at: all that the server keeps of one (`pkg/platform/logger.py`, 4.11.2). A message leaves six.
pub(super) const LINES: u32 = 200;
/// Lines of a log that a row lists.
pub(super) const RECENT: usize = 8;
/// How old an error may be and still be what is told of the bot, in ms. A send that goes well leaves no line (recording 18 after 17), so
/// only age says that an error is over, or a message that came later and left none; a day covers a night in which nobody writes.
const LAPSE_MS: i64 = 24 * 3_600_000;
/// Times in a log and in `Date` have whole seconds, each cut off for itself, in ms.
pub(super) const CLOCK_MS: i64 = 2000;
/// So long after a message came its answer has failed, if it does, in ms.
const SETTLE_MS: i64 = 60_000;
/// How uploads of pictures, voices and files begin their errors (`libs/wecom_api/api.py`, 4.11.2). On 40014 and 42001 the bot fetches
/// another token and uploads again, and writes this line about the first try only when the second one was taken; then it gives up this
/// one upload (recording 49). A second refusal would end it without a line.
const UPLOADS: [&str; 3] = ["上传图片失败", "上传语音文件失败", "上传文件失败"];
/// How it begins when a sender's name could not be looked up, which no answer needs (recording 48).
const NAMELESS: &str = "获取用户信息失败";
/// What stands for a message that came, whatever was written in it: LangBot's own name of the event.
const CAME: &str = "message.received";
/// Most characters of an error without a code that stand beside its reason.
const SHORT: usize = 60;
/// Runs of letters and digits from this length on are taken for a token or a secret (those of WeCom have 43 and more).
const LIKE_A_SECRET: usize = 24;

/// A line as it is listed: when by the server's clock, how bad, the platform's code if there is one, the first and the last line of
/// its text. What may be a token is left out: rows are kept and shown.
fn listed(line: &Line) -> Clean {
    let at = Wall(line.at_s.saturating_mul(1000)).rfc3339();
    let at = at.get(..19).unwrap_or(&at).replace('T', " ");
    let code = errcode(&line.text).map_or_else(String::new, |n| format!(" {n}"));
    if line.heard {
        return Clean::long(&format!("{at}Z {} {CAME}", line.level));
    }
    Clean::long(&format!("{at}Z {}{code} {}", line.level, masked(&ends(&line.text))))
}

/// The first line of a text, and the last one where it is another: a traceback tells its cause in its last line.
fn ends(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let last = text.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or(first);
    if first == last { first.to_owned() } else { format!("{first} … {last}") }
}

/// A text without what may be a token or a secret.
fn masked(text: &str) -> String {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let secret =
        |run: &str| run.len() >= LIKE_A_SECRET && run.contains(|c: char| c.is_ascii_digit()) && run.contains(|c: char| c.is_ascii_alphabetic());
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (run, after) = rest.split_at(rest.find(|c| !part(c)).unwrap_or(rest.len()));
        out.push_str(if secret(run) { "…" } else { run });
        let (other, after) = after.split_at(after.find(part).unwrap_or(after.len()));
        out.push_str(other);
        rest = after;
    }
    out
}

/// When a line was written, by the server's clock.
pub(super) fn at(line: &Line) -> Wall {
    Wall(line.at_s.saturating_mul(1000))
}

/// An instant as a sentence has it: to the minute, in UTC.
pub(super) fn minute(at: Wall) -> String {
    let text = at.rfc3339();
    format!("{}Z", text.get(..16).unwrap_or(&text).replace('T', " "))
}

/// The last line of a text that is not empty.
fn last(text: &str) -> &str {
    text.lines().rev().find(|l| !l.trim().is_empty()).map(str::trim).unwrap_or_default()
}

/// The exception that a traceback ends with, by its own name.
fn raised(text: &str) -> Option<String> {
    let name = last(text).split_once(": ").map(|(name, _)| name).filter(|n| n.ends_with("Error") && !n.contains(' '))?;
    name.rsplit('.').next().map(|n| n.chars().take(SHORT).collect())
}

/// A text without a code, in short: the exception that it ends with, else how the last line begins.
fn brief(text: &str) -> String {
    raised(text).unwrap_or_else(|| masked(last(text)).chars().take(SHORT).collect())
}

/// What may be kept of an error in a conversation: the platform's code and the exception's name, nothing that somebody wrote.
pub(super) fn bare(text: &str) -> String {
    match errcode(text) {
        Some(n) => format!("errcode={n}"),
        None => raised(text).unwrap_or_default(),
    }
}

/// Judges the lines, oldest first, at that instant of the server's clock. Only what came after the last sign of success counts, and
/// no error that is older than [`LAPSE_MS`].
pub(super) fn judge(lines: &[Line], now: Wall) -> Judged {
    let recent = lines.iter().rev().filter(|l| !l.trace).take(RECENT).map(listed).collect();
    let mut out = Judged { recent, ..Judged::default() };
    // The error that is told, and when it came first and last.
    let mut told: Option<(Reason, Wall, Wall)> = None;
    // When the first message after it came.
    let mut after: Option<Wall> = None;
    let settled = |after: Option<Wall>, now: Wall| after.is_some_and(|a| now.0.saturating_sub(a.0) >= SETTLE_MS);
    for line in lines {
        let text = line.text.as_str();
        let at = at(line);
        if line.heard {
            out.heard = Some(at);
            if settled(after, at) {
                told = None;
            }
            after = after.or(Some(at)).filter(|_| told.is_some());
        }
        if is_success(text) {
            (told, after, out.reconnecting) = (None, None, false);
            continue;
        }
        if text.starts_with("Connecting to") || text.starts_with("Reconnecting in") {
            out.reconnecting = true;
        }
        if matches!(&*line.level, "error" | "critical") {
            out.errors += 1;
            out.last_error = Some(at);
            if is_harmless(text) {
                continue;
            }
            let found = error(text);
            if found.code == ReasonCode::AddressNotTrusted {
                out.doubts.push((at, line.seq));
            }
            if found.code == ReasonCode::TokenExpired {
                out.refusals.push((at, line.seq));
                if UPLOADS.iter().any(|u| text.starts_with(u)) {
                    out.healed = Some((at, out.healed.map_or(0, |(_, n)| n) + 1));
                    // The token that came then was taken, and so was the Secret.
                    told = told.filter(|(why, ..)| !matches!(why.code, ReasonCode::TokenExpired | ReasonCode::BotSecretRefused));
                    continue;
                }
            }
            if settled(after, at) {
                told = None;
            }
            after = None;
            told = match told {
                Some((why, first, _)) if why.code == found.code => Some((found, first, at)),
                // A refused secret says more than the "failed" that follows it.
                Some((why, first, _)) if found.code == ReasonCode::Disconnected => Some((why, first, at)),
                _ => Some((found, at, at)),
            };
        }
    }
    let fresh = |last: Wall| now.0.saturating_sub(last.0) < LAPSE_MS;
    out.healed = out.healed.filter(|(last, _)| fresh(*last));
    let told = told.filter(|(_, _, last)| fresh(*last) && !settled(after, now));
    out.since = told.as_ref().map(|(_, first, _)| *first);
    out.reason = told.map(|(why, first, last)| why.with("log_since", minute(first)).at(Stamp::wall_only(last)));
    out
}

/// Lines that tell of a connection that stands (`libs/wecom_ai_bot_api/ws_client.py`).
fn is_success(text: &str) -> bool {
    text.starts_with("Authenticated successfully")
}

/// An error that keeps no message from being answered. What the platform has against the address or the app as a whole is none.
fn is_harmless(text: &str) -> bool {
    text.starts_with(NAMELESS) && !matches!(errcode(text), Some(60020 | 50003))
}

fn error(text: &str) -> Reason {
    // The sentence stands in full among the newest lines of the log.
    let raw = errcode(text).map_or_else(|| brief(text), |n| n.to_string());
    let code = match errcode(text) {
        Some(42001 | 40014) => ReasonCode::TokenExpired,
        Some(40001 | 40013) => ReasonCode::BotSecretRefused,
        Some(60020) => ReasonCode::AddressNotTrusted,
        Some(45009 | 45033) => ReasonCode::RateLimited,
        Some(301_002 | 40056) => ReasonCode::WrongApp,
        Some(50003) => ReasonCode::AppDisabled,
        Some(48002 | 60011) => ReasonCode::Forbidden,
        Some(_) => ReasonCode::ServerRefused,
        None if text.contains("DNSError") || text.contains("Cannot connect") => ReasonCode::PlatformUnavailable,
        None => ReasonCode::Disconnected,
    };
    let reason = Reason::new(code).raw(raw).with("bot", "");
    match address(text).filter(|_| code == ReasonCode::AddressNotTrusted) {
        Some(ip) => reason.with("ip", ip),
        None => reason,
    }
}

/// The platform's code in a line: `'errcode': 42001`, `"errcode":42001` or `errcode=42001`, as Python and its logs write it.
pub(super) fn errcode(text: &str) -> Option<i64> {
    text.match_indices("errcode").find_map(|(at, word)| {
        let rest = text.get(at + word.len()..)?.trim_start_matches(['\'', '"', ':', '=', ' ']);
        let digits: String = rest.chars().take_while(char::is_ascii_digit).take(9).collect();
        digits.parse().ok().filter(|n| *n != 0)
    })
}

/// The address in `from ip: 203.0.113.7`.
fn address(text: &str) -> Option<String> {
    let rest = text.split_once("from ip:")?.1.trim_start();
    let ip: String = rest.chars().take_while(|c| c.is_ascii_hexdigit() || matches!(c, '.' | ':')).collect();
    let ip = ip.trim_end_matches([':', '.']);
    ip.parse::<std::net::IpAddr>().ok().map(|ip| ip.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Wall = Wall(1_795_246_706_000);

    fn line(level: &str, text: &str) -> Line {
        Line { level: level.into(), text: text.to_owned(), at_s: NOW.0 / 1000, ..Line::default() }
    }

    #[test]
    fn the_platforms_code_is_found_as_python_prints_it_and_as_json_does() {
        assert_eq!(errcode("获取accesstoken失败:{'errcode': 40001, 'errmsg': 'invalid credential'}"), Some(40001));
        assert_eq!(errcode("{\"errcode\":42001,\"errmsg\":\"x\"}"), Some(42001));
        assert_eq!(errcode("Auth response: errcode=40001, errmsg=invalid credential"), Some(40001));
        assert_eq!(errcode("{'errcode': 0}"), None);
    }

    #[test]
    fn a_refused_address_is_told_with_the_address() {
        let told = judge(
            &[line(
                "error",
                "发送消息失败:{'errcode': 60020, 'errmsg': 'not allow to access from your ip, hint: [1], from ip: 203.0.113.7, more info at'}",
            )],
            NOW,
        );
        let reason = told.reason.unwrap();
        assert_eq!(reason.code, ReasonCode::AddressNotTrusted);
        assert_eq!(reason.arg("ip"), Some("203.0.113.7"));
    }

    #[test]
    fn what_came_before_a_success_no_longer_counts_and_the_cause_outlives_what_follows_it() {
        let bad = line("error", "Auth response: errcode=40001, errmsg=invalid credential");
        let good = line("info", "Authenticated successfully");
        assert_eq!(judge(&[bad.clone(), good], NOW).reason, None);
        let told = judge(&[bad, line("error", "Authentication failed"), line("info", "Reconnecting in 1.0s (attempt 1)...")], NOW);
        assert_eq!((told.reason.unwrap().code, told.reconnecting, told.errors), (ReasonCode::BotSecretRefused, true, 2));
    }

    #[test]
    fn the_newest_lines_are_listed_with_time_level_and_code_and_without_tokens() {
        let token = "AbC0".repeat(20);
        let mut lines: Vec<Line> = (0..20).map(|n| line("info", &format!("line {n}"))).collect();
        lines.push(line("error", &format!("failed: {{'errcode': 60020}}\nFile x\nGET /send?access_token={token}&x=1\n")));
        let recent = judge(&lines, NOW).recent;
        assert_eq!(recent.len(), RECENT);
        assert!(recent[0].as_str().starts_with("2026-11-21 "), "{}", recent[0]);
        assert!(recent[0].as_str().ends_with("Z error 60020 failed: {'errcode': 60020} … GET /send?access_token=…&x=1"), "{}", recent[0]);
        assert!(recent[1].as_str().ends_with("Z info line 19"), "{}", recent[1]);
    }

    #[test]
    fn a_message_that_came_is_told_apart_from_other_lines() {
        let came = Line { heard: true, at_s: NOW.0 / 1000 - 9, ..line("info", "hello") };
        assert_eq!(judge(&[came, line("info", "Connecting to x")], NOW).heard, Some(Wall(NOW.0 - 9000)));
        assert_eq!(judge(&[line("info", "hello")], NOW).heard, None);
    }

    #[test]
    fn an_error_is_told_by_its_code_with_the_time_since_when_and_lapses_after_a_day() {
        let text = "发送消息失败:{'errcode': 42001, 'errmsg': 'access_token expired, hint: [1], from ip: 203.0.113.7, more info at x'}";
        let aged = |s: i64| Line { at_s: NOW.0 / 1000 - s, ..line("error", text) };
        let why = judge(&[aged(7200), aged(60)], NOW).reason.unwrap();
        assert_eq!((why.code, why.raw.as_ref().unwrap().as_str()), (ReasonCode::TokenExpired, "42001"));
        assert_eq!(why.arg("log_since"), Some(minute(Wall(NOW.0 - 7_200_000)).as_str()));
        let told = judge(&[aged(86_400)], NOW);
        assert_eq!((told.reason, told.errors, told.last_error), (None, 1, Some(Wall(NOW.0 - 86_400_000))), "its line stays");
        let trace = judge(&[line("error", "WebSocket connection error: Traceback\n  File x\nValueError: odd\n")], NOW).reason.unwrap();
        assert_eq!(trace.raw.unwrap().as_str(), "ValueError");
        let plain = judge(&[line("error", "Authentication failed")], NOW).reason.unwrap();
        assert_eq!(plain.raw.unwrap().as_str(), "Authentication failed");
    }

    #[test]
    fn a_bots_own_wrong_secret_is_no_refusal_of_the_apps_token_and_a_dead_token_is_one() {
        let seen = |text: &str| {
            let told = judge(&[line("error", text)], NOW);
            (told.refusals.len(), told.doubts.len())
        };
        assert_eq!(seen("获取accesstoken失败:{'errcode': 40001, 'errmsg': 'invalid credential'}"), (0, 0));
        assert_eq!(seen("发送消息失败:{'errcode': 42001, 'errmsg': 'access_token expired'}"), (1, 0));
        assert_eq!(seen("上传图片失败:{'errcode': 40014, 'errmsg': 'invalid access_token'}"), (1, 0));
        assert_eq!(seen("发送消息失败:{'errcode': 60020, 'errmsg': 'not allow to access from your ip, from ip: 203.0.113.7'}"), (0, 1));
    }

    fn recorded(name: &str) -> Vec<Line> {
        let body = crate::hostile::recorded(&format!("langbot/walk/{name}.http"));
        super::super::wire::lines(&super::super::wire::envelope(&body).unwrap().data).unwrap()
    }

    #[test]
    fn an_upload_that_the_bot_healed_itself_is_no_dead_token() {
        let lines = recorded("49-logs-upload-42001-healed");
        let told = judge(&lines, Wall(1_795_337_700_000));
        assert_eq!((told.reason, told.healed), (None, Some((Wall(1_795_337_698_000), 1))));
        assert_eq!((told.errors, told.refusals.len()), (1, 1), "it is still a refusal that others hear of");
        assert_eq!(judge(&lines, Wall(1_795_337_698_000 + LAPSE_MS)).healed, None, "and no news a day later");
        // A token that came for a refused one and was taken ends what was told of the refused one.
        let sent = line("error", "发送消息失败:{'errcode': 42001, 'errmsg': 'access_token expired'}");
        let upload = line("error", "上传文件失败:{'errcode': 40014, 'errmsg': 'invalid access_token'}");
        assert_eq!(judge(&[sent.clone(), upload.clone()], NOW).reason, None);
        assert!(judge(&[upload, sent], NOW).reason.is_some());
        let other = line("error", "上传图片失败:{'errcode': 60020, 'errmsg': 'not allow'}");
        assert_eq!(judge(&[other], NOW).reason.unwrap().code, ReasonCode::AddressNotTrusted);
    }

    #[test]
    fn a_name_that_could_not_be_looked_up_is_nothing_against_the_bot() {
        let lines = recorded("48-logs-after-callback");
        let told = judge(&lines, at(&lines[0]));
        assert_eq!((told.reason, told.errors), (None, 1));
        for (code, wanted) in [(60011, None), (48002, None), (60020, Some(ReasonCode::AddressNotTrusted)), (50003, Some(ReasonCode::AppDisabled))] {
            let said = judge(&[line("error", &format!("获取用户信息失败:{{'errcode': {code}, 'errmsg': 'x'}}"))], NOW);
            assert_eq!(said.reason.map(|r| r.code), wanted, "{code}");
        }
    }

    #[test]
    fn what_customers_write_is_not_kept_and_a_message_is_one_line_of_the_list() {
        let lines = recorded("48-logs-after-callback");
        assert!(lines.iter().all(|l| !l.text.contains("!help")));
        let told = judge(&lines, NOW);
        let shown: Vec<_> = told.recent.iter().map(Clean::as_str).collect();
        assert!(shown.len() == 2 && shown[0].ends_with("Z info message.received"), "{shown:?}");
        assert!(shown[1].contains(" error 40066 获取用户信息失败"), "{shown:?}");
        assert_eq!(told.heard, Some(Wall(1_795_336_085_000)));
        assert_eq!((bare("Traceback: my cat died\nx.OddError: my cat"), bare("my cat")), ("OddError".to_owned(), String::new()));
    }

    #[test]
    fn a_message_that_came_later_and_left_no_error_ends_what_was_told_before() {
        let aged = |s: i64, l: Line| Line { at_s: NOW.0 / 1000 - s, ..l };
        let bad = || line("error", "发送消息失败:{'errcode': 60020, 'errmsg': 'not allow', from ip: 203.0.113.7}");
        let came = || Line { heard: true, ..line("info", "") };
        let why = |lines: &[Line]| judge(lines, NOW).reason.map(|r| r.code);
        let refused = Some(ReasonCode::AddressNotTrusted);
        assert_eq!(why(&[aged(300, came()), aged(299, bad())]), refused, "the message that it answers came before");
        assert_eq!(why(&[aged(300, bad()), aged(59, came())]), refused, "its answer may fail yet");
        assert_eq!(why(&[aged(300, bad()), aged(60, came())]), None);
        assert_eq!(why(&[aged(300, bad()), aged(100, came()), aged(1, came())]), None, "the one before is answered");
        assert_eq!(why(&[aged(300, bad()), aged(100, came()), aged(98, bad()), aged(5, came())]), refused);
        let nameless = line("error", "获取用户信息失败:{'errcode': 60011, 'errmsg': 'x'}");
        assert_eq!(why(&[aged(300, bad()), aged(100, came()), aged(99, nameless)]), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = judge(&[line("error", &text)], NOW);
        }
    }
}
