//! What a time daemon on this host says of itself: chrony or systemd-timesyncd, where one is. Detail for the evidence,
//! never an offset of its own: a daemon that is sure of itself can still be wrong.
//!
//! Its tool is run with a bound of [`LIMIT`] on a thread of its own, only when somebody looks at the evidence. A tool that is
//! missing, fails or says something else than expected gives nothing.

use super::{
    kernel::FREE,
    sample::{By, Sample, Subject},
};
use crate::domain::{Clean, Stamp};
use std::{
    io::Read,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// A tool that takes longer is ended.
pub const LIMIT: Duration = Duration::from_millis(500);
/// Bytes read of a tool's output.
const MOST: u64 = 16 * 1024;
/// Between the name of the reference and the offset in a detail.
const OFFSET: &str = " offset ";

/// The daemons that may be here, by the tools that ask them.
#[derive(Clone, Debug)]
pub struct Daemons {
    chronyc: Option<PathBuf>,
    timedatectl: Option<PathBuf>,
}

impl Default for Daemons {
    /// The tools of this host, found by PATH when they are run.
    fn default() -> Self {
        Self { chronyc: Some("chronyc".into()), timedatectl: Some("timedatectl".into()) }
    }
}

/// What a daemon says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Says {
    daemon: &'static str,
    detail: String,
}

impl Daemons {
    /// No tool at all.
    pub const fn none() -> Self {
        Self { chronyc: None, timedatectl: None }
    }

    /// Asks both side by side. Takes at most [`LIMIT`] and a little.
    pub async fn read(&self, at: Stamp) -> Vec<Sample> {
        let chrony = run(self.chronyc.clone(), &["-n", "-c", "tracking"]);
        let timesync = run(self.timedatectl.clone(), &["show-timesync", "-p", "ServerName", "-p", "ServerAddress"]);
        let state = run(self.timedatectl.clone(), &["show", "-p", "NTP", "-p", "NTPSynchronized"]);
        let (chrony, timesync, state) = tokio::join!(chrony, timesync, state);
        let says = [chrony.as_deref().and_then(of_chrony), of_timesyncd(timesync.as_deref(), state.as_deref())];
        says.into_iter().flatten().map(|s| sample(&s, at)).collect()
    }
}

/// Reference and offset of a detail, for a sentence: `(192.0.2.1, +0.012 ms)`.
pub fn parts(detail: &str) -> Option<(&str, &str)> {
    detail.split_once(OFFSET)
}

/// What both tools' output comes to.
#[cfg(test)]
pub(super) fn told(chrony: &str, timesync: &str, state: &str) -> Vec<Sample> {
    let at = Stamp::wall_only(crate::domain::Wall(0));
    [of_chrony(chrony), of_timesyncd(Some(timesync), Some(state))].into_iter().flatten().map(|s| sample(&s, at)).collect()
}

fn sample(says: &Says, at: Stamp) -> Sample {
    Sample {
        gateway: None,
        subject: Subject::Host,
        by: By::Daemon,
        interval: None,
        at,
        probes: 1,
        detail: Clean::new(&says.detail),
        server: Some(Clean::new(says.daemon)),
    }
}

/// One line of `chronyc -c tracking` (chrony 4.3, 14 fields): id, name, stratum, reference time, offset of the system's
/// clock in seconds (positive: slow of NTP time), …, leap.
fn of_chrony(text: &str) -> Option<Says> {
    let fields: Vec<&str> = text.lines().next()?.trim().split(',').collect();
    if fields.len() < 14 {
        return None;
    }
    let (stratum, offset) = (fields[2].parse::<u8>().ok()?, fields[4].parse::<f64>().ok().filter(|o| o.is_finite())?);
    let name = if fields[1].is_empty() { fields[0] } else { fields[1] };
    let synced = (1..16).contains(&stratum) && fields[13] != "Not synchronised";
    let detail = if synced { format!("{name}{OFFSET}{:+.3} ms", offset * 1000.0) } else { FREE.to_owned() };
    Some(Says { daemon: "chrony", detail })
}

/// `timedatectl show-timesync` (systemd 252) names the server; `timedatectl show` tells whether it is followed.
fn of_timesyncd(timesync: Option<&str>, state: Option<&str>) -> Option<Says> {
    let value = |text: &str, key: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(key).and_then(|r| r.strip_prefix('=')));
        line.map(str::trim).filter(|v| !v.is_empty()).map(str::to_owned)
    };
    let timesync = timesync?;
    let synced = value(state?, "NTPSynchronized")? == "yes";
    let server = value(timesync, "ServerName").or_else(|| value(timesync, "ServerAddress"));
    let detail = match server {
        Some(name) if synced => name,
        _ => FREE.to_owned(),
    };
    Some(Says { daemon: "timesyncd", detail })
}

/// What a tool wrote on stdout; `None` when it is missing, fails or takes too long. Never waits on the caller's thread.
async fn run(tool: Option<PathBuf>, args: &'static [&'static str]) -> Option<String> {
    let tool = tool?;
    let (tx, rx) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("daemon".into()).spawn(move || drop(tx.send(bounded(&tool, args)))).ok()?;
    // The thread bounds itself; this bound is for a machine too busy to run it.
    tokio::time::timeout(LIMIT * 2, rx).await.ok()?.ok()?
}

fn bounded(tool: &std::path::Path, args: &[&str]) -> Option<String> {
    let mut child =
        Command::new(tool).args(args).env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let end = Instant::now() + LIMIT;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
        }
    };
    status.filter(std::process::ExitStatus::success)?;
    // A line or two always fits a pipe: a tool that filled it did not end and was killed. What is left by a grandchild that
    // holds the pipe open is not waited for.
    let mut text = Vec::new();
    let mut out = child.stdout.take()?;
    nonblocking(&out);
    let _ = out.by_ref().take(MOST).read_to_end(&mut text);
    Some(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(unix)]
fn nonblocking(out: &std::process::ChildStdout) {
    if let Ok(flags) = rustix::fs::fcntl_getfl(out) {
        let _ = rustix::fs::fcntl_setfl(out, flags | rustix::fs::OFlags::NONBLOCK);
    }
}

#[cfg(not(unix))]
fn nonblocking(_: &std::process::ChildStdout) {}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::domain::Wall;

    const AT: Stamp = Stamp::wall_only(Wall(0));

    #[test]
    fn chronys_line_gives_reference_and_offset() {
        let line = "C0000201,192.0.2.1,3,1795262400.123,0.000012345,-0.000001,0.00002,-12.3,0.001,0.05,0.01,0.002,64.2,Normal\n";
        assert_eq!(of_chrony(line).unwrap().detail, "192.0.2.1 offset +0.012 ms");
        assert_eq!(parts("192.0.2.1 offset +0.012 ms"), Some(("192.0.2.1", "+0.012 ms")));
    }

    #[test]
    fn a_chrony_that_follows_nobody_says_so() {
        let line = "00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,1.000000000,1.000000000,0.0,Not synchronised\n";
        assert_eq!(of_chrony(line).unwrap().detail, FREE);
    }

    #[test]
    fn other_output_gives_nothing() {
        for text in ["", "506 Cannot talk to daemon\n", "a,b,c\n", "x,y,notanumber,0,0,0,0,0,0,0,0,0,0,Normal\n"] {
            assert_eq!(of_chrony(text), None, "{text:?}");
        }
        assert_eq!(of_timesyncd(Some(""), None), None);
        assert_eq!(of_timesyncd(None, Some("NTPSynchronized=yes\n")), None);
    }

    #[test]
    fn timesyncd_names_its_server_only_when_it_follows_it() {
        let server = Some("ServerName=ntp.example\nServerAddress=192.0.2.7\n");
        assert_eq!(of_timesyncd(server, Some("NTP=yes\nNTPSynchronized=yes\n")).unwrap().detail, "ntp.example");
        assert_eq!(of_timesyncd(server, Some("NTP=yes\nNTPSynchronized=no\n")).unwrap().detail, FREE);
    }

    #[test]
    fn what_a_daemon_names_is_cleaned_and_measures_nothing() {
        let s = sample(&Says { daemon: "chrony", detail: "\u{1b}]0;evil\u{7}\u{202e}".into() }, AT);
        assert!(!s.detail.as_str().contains('\u{1b}') && s.detail.as_str().ends_with('⚠'));
        assert_eq!((s.interval, s.server.unwrap().as_str()), (None, "chrony"));
    }

    #[cfg(unix)]
    fn tool(dir: &std::path::Path, body: &str) -> PathBuf {
        let path = dir.join("tool");
        // By another process: what this one has open for writing, a child of another test may hold for a moment ("text file busy").
        let write = ["-c", r#"printf '#!/bin/sh\n%s\n' "$1" > "$0" && chmod 700 "$0""#];
        assert!(std::process::Command::new("sh").args(write).arg(&path).arg(body).status().unwrap().success());
        path
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_missing_a_failing_and_a_hanging_tool_give_nothing_in_time() {
        let dir = tempfile::tempdir().unwrap();
        for path in [dir.path().join("none"), tool(dir.path(), "echo 1; exit 3")] {
            assert_eq!(run(Some(path), &[]).await, None);
        }
        let began = Instant::now();
        let daemons = Daemons { chronyc: Some(tool(dir.path(), "exec sleep 30")), timedatectl: None };
        assert_eq!(daemons.read(AT).await, []);
        assert!(began.elapsed() < LIMIT * 3, "{:?}", began.elapsed());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_tool_that_answers_is_heard() {
        let dir = tempfile::tempdir().unwrap();
        let chronyc = tool(dir.path(), "echo C0000201,192.0.2.1,3,1.1,-0.25,0,0,0,0,0,0,0,0,Normal");
        let said = Daemons { chronyc: Some(chronyc), timedatectl: None }.read(AT).await;
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].detail.as_str(), "192.0.2.1 offset -250.000 ms");
    }
}
