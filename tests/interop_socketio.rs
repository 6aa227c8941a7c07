//! The official npm `socket.io-client` listens to the sandbox. Needs node and npm; without them it is skipped, loudly, and with
//! `PAIRDECK_CI=1` that is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pairdeck::sandbox::{Events, InstanceSpec, Options, Past, Sandbox, Settings, Timing};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};
use tokio::sync::mpsc;

static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();

/// The folder with the installed client, outside of the source tree, or why there is none.
fn installed() -> Result<PathBuf, String> {
    let install = || {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop");
        std::fs::create_dir_all(&to).map_err(|e| e.to_string())?;
        for f in ["package.json", "package-lock.json", "socketio.mjs"] {
            std::fs::copy(from.join(f), to.join(f)).map_err(|e| e.to_string())?;
        }
        let run = |what: &mut Command| match what.current_dir(&to).output() {
            Ok(o) if o.status.success() => Ok(()),
            Ok(o) => Err(format!("{what:?} failed: {}", String::from_utf8_lossy(&o.stderr))),
            Err(e) => Err(format!("{what:?} cannot be run: {e}")),
        };
        run(Command::new("node").arg("--version"))?;
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]))?;
        Ok(to)
    };
    INSTALLED.get_or_init(install).clone()
}

struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Client {
    /// A running client, or `None` when the test must be skipped.
    async fn start(test: &str) -> Option<Self> {
        let folder = match installed() {
            Ok(f) => f,
            Err(why) => {
                // Past the harness, which would swallow the words of a test that passes.
                let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
                assert!(std::env::var_os("PAIRDECK_CI").is_none_or(|v| v != "1"), "SKIPPED {test} in CI: {why}");
                return None;
            }
        };
        let mut child = Command::new("node").arg("socketio.mjs").current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let (tx, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|l| tx.send(l)));
        let mut c = Self { child, stdin, lines };
        assert_eq!(c.next().await["what"], "ready");
        Some(c)
    }

    fn listen(&mut self, to: &Value) {
        self.stdin.as_mut().unwrap().write_all(format!("{to}\n").as_bytes()).unwrap();
    }

    async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(30), self.lines.recv()).await.expect("the client says nothing");
        serde_json::from_str(&line.expect("the client ended")).unwrap()
    }

    /// The next event of that name; others may come before.
    async fn event(&mut self, name: &str) -> Value {
        loop {
            let v = self.next().await;
            assert_eq!(v["what"], "event", "{v}");
            if v["event"] == name {
                return v["body"].clone();
            }
        }
    }

    /// Ends the client, which must have been content.
    fn end(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn sandbox(events: Events) -> Sandbox {
    let timing = Timing { connect_wait: Duration::from_millis(300), ..Timing::default() };
    let settings = Settings { events, socket_needs_key: true, link_delay: Duration::from_millis(10), timing, ..Settings::default() };
    let spec = |name: &str, past| InstanceSpec { name: name.to_owned(), past, subscribed: events == Events::PerInstance, ..InstanceSpec::default() };
    let instances = vec![spec("shop-a", Past::New), spec("shop-b", Past::Online)];
    Sandbox::of(vec![("wa".to_owned(), settings, instances)], &Options::default()).await.unwrap()
}

#[tokio::test]
async fn the_official_client_hears_every_event_on_the_root_in_global_mode() {
    let Some(mut client) = Client::start("global mode").await else { return };
    let sandbox = sandbox(Events::Global).await;
    let (url, wa) = (sandbox.gateways()[0].url.clone(), sandbox.gateway("wa").unwrap());
    client.listen(&json!({ "url": url, "key": "GLOBAL-KEY-FOR-TESTS" }));
    assert_eq!(client.next().await, json!({ "what": "connected", "id": "string" }));
    wa.unlink("shop-b", 401).unwrap();
    let closed = client.event("status.instance").await;
    assert_eq!((&closed["instance"], &closed["data"]["disconnectionReasonCode"]), (&json!("shop-b"), &json!(401)));
    client.event("logout.instance").await;
    assert_eq!(client.event("connection.update").await["data"], json!({ "instance": "shop-b", "state": "close", "statusReason": 401 }));
    wa.cut_events();
    assert_eq!(client.next().await["what"], "disconnected");
    client.end();
}

#[tokio::test]
async fn the_official_client_joins_a_namespace_only_after_its_first_event() {
    let Some(mut client) = Client::start("per-instance mode").await else { return };
    let sandbox = sandbox(Events::PerInstance).await;
    let (url, wa) = (sandbox.gateways()[0].url.clone(), sandbox.gateway("wa").unwrap());
    let there = json!({ "url": url, "namespace": "/shop-b", "key": "GLOBAL-KEY-FOR-TESTS" });
    client.listen(&there);
    assert_eq!(client.next().await, json!({ "what": "refused", "message": "Invalid namespace" }));
    // The first event makes the namespace; whoever joins then hears the next.
    wa.unlink("shop-b", 428).unwrap();
    client.listen(&there);
    assert_eq!(client.next().await["what"], "connected");
    wa.unlink("shop-b", 401).unwrap();
    assert_eq!(client.event("logout.instance").await["instance"], "shop-b");
    client.end();
}

#[tokio::test]
async fn the_official_client_is_refused_with_a_wrong_key() {
    let Some(mut client) = Client::start("refused key").await else { return };
    let sandbox = sandbox(Events::Global).await;
    client.listen(&json!({ "url": sandbox.gateways()[0].url, "key": "WRONG" }));
    assert_eq!(client.next().await, json!({ "what": "refused", "message": "websocket error" }));
    client.end();
}
