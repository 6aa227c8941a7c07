//! A sandbox that the test drives, and a home whose configuration, key and store point at it.

use crate::support::pty::{Pty, Start};
use pairdeck::{
    clock::SystemTime,
    domain::GatewayId,
    engine::world::secret_name,
    sandbox::{self, Gateway, InstanceSpec, Options, Past, Request, Sandbox, Settings},
    store::{Paths, Store, config},
    vault::{Source, Vault},
};
use std::{
    io::{Read, Write},
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// One gateway of a house: name, behaviour, accounts.
pub type Part = (String, Settings, Vec<InstanceSpec>);

/// Gateways on threads of their own, and the home of the decks that watch them.
pub struct House {
    pub sandbox: Arc<Sandbox>,
    pub home: TempDir,
}

/// A gateway whose waits are as short as a test can bear; codes live as long as on the real server.
pub fn swift() -> Settings {
    let mut s = Settings { link_delay: Duration::from_millis(20), ..Settings::default() };
    s.timing.connect_wait = Duration::from_millis(300);
    s.timing.create_wait = Duration::from_millis(300);
    s.timing.code_wait = Duration::from_millis(50);
    s
}

/// An account with this past.
pub fn account(name: &str, past: Past) -> InstanceSpec {
    InstanceSpec {
        name: name.to_owned(),
        past,
        number: "5511999990001".to_owned(),
        profile: "Example Shop".to_owned(),
        idle: Duration::from_secs(7200),
        ..InstanceSpec::default()
    }
}

/// One gateway `wa-test` with these settings and accounts.
pub fn part(settings: Settings, accounts: Vec<InstanceSpec>) -> Part {
    ("wa-test".to_owned(), settings, accounts)
}

impl House {
    /// One swift gateway, `wa-test`.
    pub fn with(accounts: Vec<InstanceSpec>) -> Self {
        Self::of(vec![part(swift(), accounts)])
    }

    /// These gateways.
    pub fn of(parts: Vec<Part>) -> Self {
        Self::servers(parts.into_iter().map(|(name, settings, accounts)| (name, sandbox::Part::Evolution(Box::new(settings), accounts))).collect())
    }

    /// Servers of any kind.
    pub fn servers(parts: Vec<(String, sandbox::Part)>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let home = tempfile::tempdir().unwrap();
        let sandbox = runtime.block_on(async {
            let sandbox = Sandbox::with(parts, &Options { seed: Some(7), ..Options::default() }).await.unwrap();
            write_home(&Paths::in_home(home.path()), &sandbox).await;
            Arc::new(sandbox)
        });
        let served = sandbox.clone();
        std::thread::spawn(move || runtime.block_on(served.ended()));
        Self { sandbox, home }
    }

    /// Its first gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.sandbox.handles()[0]
    }

    /// The deck on this home, not yet started.
    pub fn deck(&self) -> Start {
        deck().args(["--home".as_ref(), self.home.path().as_os_str()])
    }

    /// A deck of that size that sees every account by now.
    pub fn open(&self, cols: u16, rows: u16) -> Pty {
        let pty = self.deck().size(cols, rows).spawn();
        self.settle(&pty);
        pty
    }

    /// Waits until every account is on screen and none is stale.
    pub fn settle(&self, pty: &Pty) {
        let names: Vec<_> = self.sandbox.handles().iter().flat_map(Gateway::accounts).collect();
        pty.wait_until("all accounts, none stale", |s| {
            let text = s.contents();
            (names.iter().all(|n| text.contains(n)) && !text.contains('~')).then_some(())
        });
    }

    /// What the first gateway was asked that is not merely looking.
    pub fn acts(&self) -> Vec<Request> {
        acts(self.gateway())
    }

    /// One request to the first gateway, with its key, as a script of the operator's would send it: status and body.
    pub fn http(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let info = &self.sandbox.gateways()[0];
        let at = info.url.trim_start_matches("http://");
        let key = info.credentials["api_key"].expose().to_owned();
        let mut stream = std::net::TcpStream::connect(at).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {at}\r\napikey: {key}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        (status, answer.split_once("\r\n\r\n").map(|(_, b)| b.to_owned()).unwrap_or_default())
    }

    /// Runs a subcommand on this home without a terminal: exit code and stdout.
    pub fn headless(&self, args: &[&str]) -> (i32, String) {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pairdeck"));
        command.arg("--home").arg(self.home.path()).args(args).env_clear().env("HOME", "/nonexistent").env("LANG", "C.UTF-8");
        let out = command.output().unwrap();
        crate::support::canary::scan("stdout", &out.stdout);
        crate::support::canary::scan("stderr", &out.stderr);
        (out.status.code().unwrap_or(-1), String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// Waits until `found` finds what it looks for in the sandbox.
    pub fn wait<T>(&self, what: &str, mut found: impl FnMut(&Gateway) -> Option<T>) -> T {
        let until = Instant::now() + crate::support::deadline();
        loop {
            if let Some(t) = found(self.gateway()) {
                return t;
            }
            assert!(Instant::now() < until, "waited in vain for {what}. Asked so far: {:#?}", self.acts());
            // The handle has no wait of its own: it is asked again, which is no synchronisation.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The servers end: from now on nothing listens there.
    pub fn down(&self) {
        self.sandbox.shutdown();
        let at = self.sandbox.gateways()[0].url.trim_start_matches("http://").to_owned();
        let until = Instant::now() + crate::support::deadline();
        while std::net::TcpStream::connect(&at).is_ok() {
            assert!(Instant::now() < until, "{at} still listens");
            std::thread::yield_now();
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        crate::support::canary::scan_files(self.home.path());
        self.sandbox.shutdown();
    }
}

/// Requests that change something, and `connect`, which starts an attempt.
pub fn acts(gateway: &Gateway) -> Vec<Request> {
    gateway.asked().0.into_iter().filter(|r| (r.method != "GET" && r.path != "/verify-creds") || r.path.contains("/instance/connect/")).collect()
}

/// The program itself, in a made-up user's folder.
pub fn deck() -> Start {
    Start::new(env!("CARGO_BIN_EXE_pairdeck")).env("HOME", "/nonexistent").cwd("/")
}

/// As `pairdeck sandbox --write-home` does it.
async fn write_home(paths: &Paths, sandbox: &Sandbox) {
    let vault = Vault::new();
    let store = Store::open(paths, vault.clone(), Arc::new(SystemTime::new())).unwrap();
    vault.create(Source::KeyFile, None).await.unwrap();
    for g in sandbox.gateways() {
        for (name, secret) in &g.credentials {
            crate::support::canary::watch(secret.expose());
            store.secret_put(&secret_name(&GatewayId::new(&g.name), name), secret).await.unwrap();
        }
        let new = config::NewGateway::new(&g.name, g.kind, &g.url);
        let taken = config::add_gateway_with(&paths.config, &new, &g.more);
        assert!(taken.is_ok(), "the configuration takes {}: {:?} {:?}", g.name, taken.err(), g.more);
    }
    store.flush().await;
    // Closed before anybody looks at the files.
    store.close();
}
