//! `pairdeck clock` against servers with a clock of their own: what it says in both languages, beside time servers on loopback.

use super::{deadline, house::Home};
use pairdeck::sandbox::{Clock, Sntp, SntpFault, SntpSettings};
use serde_json::Value;
use std::{
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
};

/// Time servers on a thread with its own runtime, each with its offset and fault.
pub struct Reference {
    pub ports: Vec<u16>,
    servers: Vec<Arc<Sntp>>,
    _end: tokio::sync::oneshot::Sender<()>,
}

impl Reference {
    /// Sets the clock of one of them, from the next question on.
    pub fn offset(&self, nth: usize, offset_ms: i64) {
        self.servers[nth].set(|s| s.offset_ms = offset_ms);
    }
}

pub fn reference(of: &[(i64, SntpFault)]) -> Reference {
    let (tx, rx) = mpsc::channel();
    let (end, mut ended) = tokio::sync::oneshot::channel::<()>();
    let of = of.to_vec();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut all = Vec::new();
            for (offset_ms, fault) in of {
                let settings = SntpSettings { offset_ms, fault, ..SntpSettings::default() };
                all.push(Arc::new(Sntp::start(([127, 0, 0, 1], 0).into(), settings, Clock::System).await.unwrap()));
            }
            tx.send(all).unwrap();
            let _ = (&mut ended).await;
        });
    });
    let servers = rx.recv_timeout(deadline()).unwrap();
    Reference { ports: servers.iter().map(|s: &Arc<Sntp>| s.address().port()).collect(), servers, _end: end }
}

/// What a run says: exit code, the gateway's entry and the host's.
pub struct Said {
    pub code: i32,
    pub gateway: Value,
    pub host: Value,
}

pub fn ask(home: &Home, ports: &[u16], lang: &str) -> Said {
    let servers: Vec<String> = ports.iter().flat_map(|p| ["--ntp".to_owned(), format!("127.0.0.1:{p}")]).collect();
    let mut args = vec!["clock", "--json"];
    args.extend(servers.iter().map(String::as_str));
    let ran = home.finish(home.command(&args).env("LANG", lang).spawn().unwrap());
    let doc = ran.json();
    Said { code: ran.code, gateway: doc["gateways"][0].clone(), host: doc["host"].clone() }
}

/// What must be said, in English and in Chinese.
pub struct Want<'a> {
    pub code: i32,
    pub verdict: &'a str,
    pub cause: &'a str,
    pub side: Option<&'a str>,
    pub en: [&'a str; 2],
    pub zh: [&'a str; 2],
}

/// A `Date` tells whole seconds: at the very edge of one the figure is one second off, so an answer may be asked for again.
#[track_caller]
pub fn says(home: &Home, ports: &[u16], want: &Want<'_>) -> Said {
    let text = |s: &Said| [s.gateway["text"].as_str().unwrap_or("-").to_owned(), s.gateway["remedy"].as_str().unwrap_or("-").to_owned()];
    let mut last = None;
    for _ in 0..3 {
        // Side by side: a clock that is off is asked twice, a second apart.
        let (en, zh) = thread::scope(|s| {
            let zh = s.spawn(|| ask(home, ports, "zh_CN.UTF-8"));
            (ask(home, ports, "C.UTF-8"), zh.join().unwrap())
        });
        let fits = text(&en) == want.en && text(&zh) == want.zh;
        last = Some((en, zh));
        if fits {
            break;
        }
    }
    let (en, zh) = last.unwrap();
    assert_eq!((text(&en), text(&zh)), (want.en.map(str::to_owned), want.zh.map(str::to_owned)), "{}\n{}", en.gateway, en.host);
    let facts = |s: &Said| (s.code, s.gateway["verdict"].as_str().map(str::to_owned), s.gateway["side"].as_str().map(str::to_owned));
    assert_eq!(facts(&en), (want.code, Some(want.verdict.to_owned()), want.side.map(str::to_owned)), "{}", en.gateway);
    assert_eq!(facts(&zh), facts(&en), "the language changes no verdict");
    assert_eq!(en.gateway["cause"], want.cause, "{}", en.gateway);
    en
}

pub fn codes(notes: &Value) -> Vec<&str> {
    notes.as_array().unwrap().iter().map(|n| n["code"].as_str().unwrap()).collect()
}

/// The sentence and the act of the note of that code, wherever it stands.
#[track_caller]
pub fn note(notes: &Value, code: &str) -> [String; 2] {
    let all = notes.as_array().unwrap();
    let found = all.iter().find(|n| n["code"] == code).unwrap_or_else(|| panic!("no {code} in {notes}"));
    ["text", "remedy"].map(|key| found[key].as_str().unwrap_or("-").to_owned())
}

/// The variables under which a program lives by another wall clock: `-37`, `@2001-01-01 00:00:00`. `None` without libfaketime.
pub fn faketime(clock: &str) -> Option<Vec<(&'static str, String)>> {
    let places = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime", "/usr/local/lib/faketime"];
    let library = places.iter().map(|p| PathBuf::from(p).join("libfaketimeMT.so.1")).find(|p| p.exists())?;
    let variables = [("LD_PRELOAD", library.display().to_string()), ("FAKETIME", clock.to_owned()), ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned())];
    Some(variables.to_vec())
}
