//! A real client that we did not write, as a program that takes JSON lines and says JSON lines: the judge of a sandbox.

use super::{deadline, is_ci};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};
use tokio::sync::mpsc;

/// Runs a tool to its end.
///
/// # Errors
/// What it said, or that it cannot be run.
pub fn run(what: &mut Command) -> Result<(), String> {
    match what.output() {
        Ok(o) if o.status.success() => Ok(()),
        Ok(o) => Err(format!("{what:?} failed: {}", String::from_utf8_lossy(&o.stderr))),
        Err(e) => Err(format!("{what:?} cannot be run: {e}")),
    }
}

/// Copies `scripts` and the lists of packages of `tests/interop/FROM` out of the source tree and installs just what they pin.
///
/// # Errors
/// Why there is none: node, npm or the registry is missing.
pub fn npm(from: &str, to: &str, scripts: &[&str]) -> Result<PathBuf, String> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(from);
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(to);
    std::fs::create_dir_all(&to).map_err(|e| e.to_string())?;
    for f in scripts.iter().chain(&["package.json", "package-lock.json"]) {
        std::fs::copy(from.join(f), to.join(f)).map_err(|e| e.to_string())?;
    }
    run(Command::new("node").arg("--version").current_dir(&to))?;
    run(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&to))?;
    Ok(to)
}

/// What is there of it, or `None` when the test must be skipped, which is said past the harness: it would swallow the words of a
/// test that passes. A failure on CI.
pub fn there(test: &str, made: Result<PathBuf, String>) -> Option<PathBuf> {
    made.map_err(|why| {
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
        assert!(!is_ci(), "SKIPPED {test} in CI: {why}");
    })
    .ok()
}

/// A running one; dropping it kills it.
pub struct Judge {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Judge {
    /// Starts the program.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let (tx, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|l| tx.send(l)));
        Self { child, stdin, lines }
    }

    /// Runs a script of node's that says when it is ready; `None` when the test must be skipped.
    pub async fn node(test: &str, script: Result<PathBuf, String>) -> Option<Self> {
        let script = there(test, script)?;
        let mut c = Self::start(Command::new("node").arg(&script).current_dir(script.parent().unwrap()));
        assert_eq!(c.next().await["what"], "ready");
        Some(c)
    }

    /// Tells it one line.
    pub fn tell(&mut self, what: &Value) {
        self.stdin.as_mut().unwrap().write_all(format!("{what}\n").as_bytes()).unwrap();
    }

    /// Its next line.
    pub async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(deadline(), self.lines.recv()).await.expect("the client says nothing");
        serde_json::from_str(&line.expect("the client ended")).unwrap()
    }

    /// The next line whose `key` is `value`; others may come before.
    pub async fn until(&mut self, key: &str, value: Value) -> Value {
        loop {
            let v = self.next().await;
            if v[key] == value {
                return v;
            }
        }
    }

    /// Ends it by closing its input; it must have been content.
    pub fn end(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
