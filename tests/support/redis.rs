//! A real redis-server on a port of its own, kept in memory, gone with its handle.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The server.
pub struct RedisServer {
    child: Option<Child>,
    port: u16,
    more: Vec<String>,
    dir: tempfile::TempDir,
}

/// Certificates of a private CA: where a server finds them and what a client trusts.
pub struct Tls {
    pub ca: PathBuf,
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Tls {
    /// Made in `dir` for `localhost` and 127.0.0.1.
    pub fn make(dir: &Path) -> Self {
        Self::of(dir, &["localhost", "127.0.0.1"])
    }

    /// The same for other names.
    pub fn of(dir: &Path, names: &[&str]) -> Self {
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_cert = ca.self_signed(&ca_key).unwrap();
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let own = rcgen::CertificateParams::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).unwrap();
        let cert = own.signed_by(&key, &issuer).unwrap();
        let file = |name: &str, text: String| {
            let path = dir.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        Self { ca: file("ca.pem", ca_cert.pem()), cert: file("cert.pem", cert.pem()), key: file("key.pem", key.serialize_pem()) }
    }
}

impl RedisServer {
    /// Starts one, or says why not.
    pub fn start(what: &str, more: &[&str]) -> Option<Self> {
        if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            super::skip(what, "redis-server (apt-get install redis-server)");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { child: None, port, more: more.iter().map(|s| (*s).to_owned()).collect(), dir: tempfile::tempdir().unwrap() };
        server.again();
        Some(server)
    }

    /// Starts it on the port that it had, empty, and waits until it listens.
    pub fn again(&mut self) {
        self.kill();
        let tls = self.more.iter().any(|m| m == "--tls-port");
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "warning"]);
        command.args(["--port", &if tls { 0 } else { self.port }.to_string(), "--dir"]).arg(self.dir.path());
        command.args(self.more.iter().map(|m| m.replace("PORT", &self.port.to_string())));
        self.child = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let end = Instant::now() + super::deadline();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < end, "redis-server does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// One command by its own client: what `redis-cli` prints.
    pub fn cli(&self, args: &[&str]) -> String {
        let out = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(args).output().unwrap();
        String::from_utf8_lossy(&out.stdout).trim_end().to_owned()
    }

    /// Its process stops and goes on as a machine that hangs would: `STOP`, `CONT`.
    pub fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), pid.as_str()]).status().unwrap().success());
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
