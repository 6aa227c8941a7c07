//! gotd's real client as a program (`tests/interop/gotd`): built once, and a handle on one that runs, alone or under `pairdeck run`.

use super::deadline;
use pairdeck::sandbox::Telegram;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{OnceLock, mpsc},
};

static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();

/// The client as a program, outside of the source tree, or why there is none.
pub fn built() -> Result<PathBuf, String> {
    let build = || {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/gotd");
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop-gotd");
        std::fs::create_dir_all(&to).map_err(|e| e.to_string())?;
        // Two test programs may build it at once: each has its own, the build's cache is shared.
        let program = to.join(format!("worker-{}", env!("CARGO_CRATE_NAME")));
        // go.sum pins every module; nothing may change it here.
        let mut go = Command::new("go");
        go.args(["build", "-mod=readonly", "-o"]).arg(&program).arg(".").current_dir(from);
        match go.output() {
            Ok(o) if o.status.success() => Ok(program),
            Ok(o) => Err(format!("go build failed: {}", String::from_utf8_lossy(&o.stderr))),
            Err(e) => Err(format!("go cannot be run: {e}")),
        }
    };
    BUILT.get_or_init(build).clone()
}

/// The program, or the word that the test is skipped.
pub fn program(test: &str) -> Option<PathBuf> {
    match built() {
        Ok(p) => Some(p),
        Err(why) => {
            // Past the harness, which would swallow the words of a test that passes.
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
            assert!(!super::is_ci(), "SKIPPED {test} in CI: {why}");
            None
        }
    }
}

/// The first line that a worker reads.
pub fn setup(tg: &Telegram, dc: i32, session: &Path, transport: &str) -> Value {
    let dcs: serde_json::Map<String, Value> = tg.dcs().iter().map(|(dc, at)| (dc.to_string(), at.to_string().into())).collect();
    json!({
        "dcs": dcs, "dc": dc, "key": tg.pem(), "api_id": 12345, "api_hash": "0123456789abcdef0123456789abcdef",
        "session": session, "transport": transport,
    })
}

/// A worker, whoever started it.
pub struct Worker {
    pub child: Child,
    stdin: ChildStdin,
    lines: mpsc::Receiver<String>,
}

impl Worker {
    /// Starts `command`, which is the program or runs it, on this session file.
    pub fn start(mut command: Command, tg: &Telegram, session: &Path) -> Self {
        // What pairdeck or gotd complain of is the test's to show.
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (tx, lines) = mpsc::channel();
        std::thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|l| tx.send(l)));
        // A wrapper that refuses reads nothing.
        let _ = stdin.write_all(format!("{}\n", setup(tg, 4, session, "")).as_bytes());
        Self { child, stdin, lines }
    }

    /// Its next word, which must be this one.
    #[track_caller]
    pub fn says(&mut self, what: &str) -> Value {
        let line = self.lines.recv_timeout(2 * deadline()).unwrap_or_else(|e| panic!("the worker does not say {what}: {e}"));
        let v: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert_eq!(v["what"], what, "{v}");
        v
    }

    pub fn tell(&mut self, what: &Value) {
        self.stdin.write_all(format!("{what}\n").as_bytes()).unwrap();
    }

    /// Who it is logged in as.
    #[track_caller]
    pub fn me(&mut self) -> i64 {
        self.tell(&json!({ "do": "self" }));
        self.says("self")["id"].as_i64().unwrap()
    }

    /// The API's refusal of what it asks.
    #[track_caller]
    pub fn refused(&mut self) -> String {
        self.tell(&json!({ "do": "self" }));
        let v = self.says("error");
        format!("{} {}", v["code"], v["name"].as_str().unwrap())
    }

    /// Lets it end in peace.
    #[track_caller]
    pub fn end(mut self) -> ExitStatus {
        self.tell(&json!({ "do": "end" }));
        self.says("ended");
        self.child.wait().unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
