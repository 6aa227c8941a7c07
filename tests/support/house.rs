//! The real binary against servers of the sandbox: servers on a thread of their own, homes that know their keys, runs with a
//! deadline, and a canary: no key of any server may ever be seen on stdout, on stderr or in a file.

use super::{canary, deadline};
use pairdeck::{
    clock::SystemTime,
    domain::{GatewayId, Secret},
    engine::world::secret_name,
    sandbox::{Gateway, InstanceSpec, Options, Part, Past, Sandbox, Settings, Timing},
    store::{Paths, Store, config},
    vault::{Source, Vault, VaultState},
};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::{fs::DirBuilderExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Running servers; dropping it ends them.
pub struct Servers {
    sandbox: Arc<Sandbox>,
}

impl Servers {
    /// Starts gateways on a thread with its own runtime.
    pub fn start(parts: Vec<(&str, Settings, Vec<InstanceSpec>)>) -> Self {
        Self::with(parts.into_iter().map(|(n, s, i)| (n, Part::Evolution(Box::new(s), i))).collect())
    }

    /// Starts servers of any kind.
    pub fn with(parts: Vec<(&str, Part)>) -> Self {
        let parts: Vec<_> = parts.into_iter().map(|(n, p)| (n.to_owned(), p)).collect();
        let (tx, rx) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let sandbox = Arc::new(Sandbox::with(parts, &Options { seed: Some(7), ..Options::default() }).await.unwrap());
                tx.send(sandbox.clone()).unwrap();
                sandbox.ended().await;
            });
        });
        Self { sandbox: rx.recv_timeout(deadline()).unwrap() }
    }

    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    pub fn gateway(&self, name: &str) -> &Gateway {
        self.sandbox.gateway(name).unwrap()
    }

    pub fn url(&self, name: &str) -> String {
        self.sandbox.gateways().into_iter().find(|g| g.name == name).unwrap().url
    }

    /// What was asked of a gateway since the log was emptied, as `METHOD /path`.
    pub fn asked(&self, name: &str) -> Vec<String> {
        self.gateway(name).asked().0.into_iter().map(|r| format!("{} {}", r.method, r.path)).collect()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.sandbox.shutdown();
    }
}

/// A gateway with a key of its own that answers as fast as it can.
pub fn quick(key: &str) -> Settings {
    let timing = Timing {
        connect_wait: Duration::from_millis(150),
        create_wait: Duration::from_millis(150),
        code_wait: Duration::from_millis(50),
        ..Timing::default()
    };
    Settings { key: key.to_owned(), link_delay: Duration::from_millis(5), timing, ..Settings::default() }
}

pub fn instance(name: &str, past: Past) -> InstanceSpec {
    InstanceSpec { name: name.to_owned(), past, number: "5511999990001".to_owned(), ..InstanceSpec::default() }
}

/// How a run ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; minus the signal's number if one ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Asserts the exit code, with everything that was said.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Asserts that stderr holds each of `words`.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for w in words {
            assert!(self.stderr.contains(w), "{w:?} is not in {:?}", self.stderr);
        }
        self
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {:?} {:?}", self.stdout, self.stderr))
    }

    #[track_caller]
    pub fn lines(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
    }
}

/// A folder with config, store and locks.
pub struct Home {
    dir: TempDir,
    canaries: Vec<String>,
}

impl Home {
    /// An empty one.
    pub fn empty() -> Self {
        let home = Self::unmade();
        fs::DirBuilder::new().mode(0o700).create(home.path()).unwrap();
        home
    }

    /// One whose folder is not there yet: what a first start finds.
    pub fn unmade() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), canaries: Vec::new() }
    }

    /// One that knows all gateways of `servers`, their keys sealed under a key file.
    pub fn of(servers: &Servers) -> Self {
        let home = Self::sealed(servers);
        for g in servers.sandbox().gateways() {
            let new = config::NewGateway::new(&g.name, g.kind, &g.url);
            config::add_gateway_with(&home.file("config.toml"), &new, &g.more).unwrap();
        }
        home
    }

    /// One that has the keys of all gateways of `servers`, and no configuration yet.
    pub fn sealed(servers: &Servers) -> Self {
        let mut home = Self::unmade();
        let paths = Paths::in_home(&home.path());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let vault = Vault::new();
            let store = Store::open(&paths, vault.clone(), Arc::new(SystemTime::new())).unwrap();
            vault.create(Source::KeyFile, None).await.unwrap();
            for g in servers.sandbox().gateways() {
                for (name, secret) in &g.credentials {
                    store.secret_put(&secret_name(&GatewayId::new(&g.name), name), secret).await.unwrap();
                    home.canary(secret.expose());
                }
            }
            store.flush().await;
            store.close();
        });
        home
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Watches for one more secret.
    pub fn canary(&mut self, secret: &str) {
        canary::watch(secret);
        self.canaries.push(secret.to_owned());
    }

    pub fn write_config(&self, text: &str) {
        fs::create_dir_all(self.path()).unwrap();
        fs::write(self.file("config.toml"), text).unwrap();
    }

    /// The program with a bare environment: no keyring, no locale of the machine, no other home.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut c = Command::new(env!("CARGO_BIN_EXE_pairdeck"));
        c.env_clear().env("HOME", self.dir.path()).env("LANG", "C.UTF-8").env("DBUS_SESSION_BUS_ADDRESS", "").env("TZ", "UTC");
        c.env("PAIRDECK_HOME", self.path()).args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        c
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.finish(self.command(args).spawn().unwrap())
    }

    /// As [`Home::run`], with that text on stdin.
    pub fn run_with(&self, args: &[&str], stdin: &str) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        // A program that refuses before it reads closes the pipe.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        self.finish(child)
    }

    /// Waits for the end, at most the deadline, and looks for canaries in all that was said.
    pub fn finish(&self, mut child: Child) -> Ran {
        fn reader(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
            thread::spawn(move || {
                let mut all = Vec::new();
                let _ = from.read_to_end(&mut all);
                String::from_utf8_lossy(&all).into_owned()
            })
        }
        let out = child.stdout.take().map(reader);
        let err = child.stderr.take().map(reader);
        let end = Instant::now() + 2 * deadline();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > end {
                let _ = child.kill();
                let said = err.map(|e| e.join().unwrap());
                panic!("the program does not end; it said {said:?}");
            }
            thread::sleep(Duration::from_millis(3));
        };
        let stdout = out.map(|o| o.join().unwrap()).unwrap_or_default();
        let stderr = err.map(|e| e.join().unwrap()).unwrap_or_default();
        canary::scan("stdout", stdout.as_bytes());
        canary::scan("stderr", stderr.as_bytes());
        for form in self.canaries.iter().flat_map(|secret| spellings(secret)) {
            assert!(!stdout.contains(&form) && !stderr.contains(&form), "a secret was shown: {stdout}\n{stderr}");
        }
        Ran { code: status.code().unwrap_or_else(|| -status.signal().unwrap()), stdout, stderr }
    }

    /// Asserts that no file holds a canary in clear, nor in base64.
    #[track_caller]
    pub fn keeps_secrets(&self) {
        for file in files(self.dir.path()) {
            // Every spelling is ASCII: what is no text in between hides none.
            let bytes = fs::read(&file).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            for secret in &self.canaries {
                for form in spellings(secret) {
                    assert!(!text.contains(&form), "{} holds a secret in clear", file.display());
                }
            }
        }
    }

    /// Opens the store as the next process would, without resuming anything.
    pub fn store<T>(&self, look: impl AsyncFnOnce(&Store) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let vault = Vault::new();
            let store = Store::open(&Paths::in_home(&self.path()), vault.clone(), Arc::new(SystemTime::new())).unwrap();
            vault.open_in_background();
            vault.watch().wait_for(|s| matches!(s, VaultState::Open(_) | VaultState::Locked(_))).await.unwrap();
            let out = look(&store).await;
            store.close();
            out
        })
    }

    /// The sealed token that op `id` chose.
    pub fn chosen_token(&self, id: i64) -> Option<Secret> {
        self.store(async |store| store.op(id).await.unwrap().and_then(|op| op.plan).and_then(|p| p.sealed.get("token").cloned()))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        canary::scan_files(&self.path());
    }
}

/// Every spelling in which a secret could leak: as it is, base64, hex, percent-encoded, escaped for JSON.
pub fn spellings(secret: &str) -> Vec<String> {
    use base64::Engine;
    let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
    let percent: String = secret.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
    let json = serde_json::Value::from(secret).to_string().trim_matches('"').replace('/', "\\/");
    let base64 = base64::prelude::BASE64_STANDARD_NO_PAD.encode(secret);
    vec![secret.to_owned(), base64, hex.to_uppercase(), hex, percent, json]
}

/// Every file below a folder.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        match entry.file_type().unwrap() {
            t if t.is_dir() => out.extend(files(&entry.path())),
            t if t.is_file() => out.push(entry.path()),
            _ => {}
        }
    }
    out
}

/// One request past the program, straight to a server. The status and the body.
pub fn http(base: &str, method: &str, path: &str, key: &str, body: Option<&serde_json::Value>) -> (u16, serde_json::Value) {
    http_as(base, method, path, ("apikey", key), body)
}

/// The same with a credential under another header's name.
pub fn http_as(base: &str, method: &str, path: &str, who: (&str, &str), body: Option<&serde_json::Value>) -> (u16, serde_json::Value) {
    let host = base.strip_prefix("http://").unwrap();
    let (host, prefix) = host.split_once('/').map_or((host, String::new()), |(h, p)| (h, format!("/{p}")));
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(deadline())).unwrap();
    let body = body.map(ToString::to_string).unwrap_or_default();
    write!(
        stream,
        "{method} {prefix}{path} HTTP/1.1\r\nHost: {host}\r\n{}: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        who.0,
        who.1,
        body.len()
    )
    .unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let all = String::from_utf8(all).unwrap();
    let (head, body) = all.split_once("\r\n\r\n").unwrap();
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding: chunked"), "{head}");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, if body.is_empty() { serde_json::Value::Null } else { serde_json::from_str(body).unwrap() })
}

/// A bot as a LangBot server tells it to somebody with a key that may manage.
pub fn langbot_bot(url: &str, key: &str, id: &str) -> serde_json::Value {
    let (status, body) = http_as(url, "GET", &format!("/api/v1/platform/bots/{id}"), ("x-api-key", key), None);
    assert_eq!(status, 200, "{body}");
    body["data"]["bot"].clone()
}

/// Waits until `done`, at most the deadline.
#[track_caller]
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + deadline();
    while !done() {
        assert!(Instant::now() < end, "{what} did not come about");
        thread::sleep(Duration::from_millis(1));
    }
}
