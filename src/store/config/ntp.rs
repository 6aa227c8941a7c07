//! An NTP server as an operator writes it: `HOST`, `HOST:PORT`, `[::1]:11123`.

use std::{fmt, net::Ipv6Addr, str::FromStr};

/// The port of NTP.
const PORT: u16 = 123;

/// An NTP server to ask.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NtpServer {
    /// Name or address (IPv6 without brackets).
    pub host: String,
    /// Port, 123 unless given.
    pub port: u16,
}

/// A text that names no server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected HOST, HOST:PORT or [IPv6]:PORT, such as time.example.com or [::1]:11123")]
pub struct NotAServer;

impl FromStr for NtpServer {
    type Err = NotAServer;

    fn from_str(text: &str) -> Result<Self, NotAServer> {
        let text = text.trim();
        let server = |host: &str, port: Option<&str>| {
            let port =
                port.map_or(Ok(PORT), |p| p.parse().map_err(|_| NotAServer)).and_then(|p: u16| if p == 0 { Err(NotAServer) } else { Ok(p) })?;
            Ok(Self { host: host.to_ascii_lowercase(), port })
        };
        if let Some((ip, rest)) = text.strip_prefix('[').and_then(|t| t.split_once(']')) {
            ip.parse::<Ipv6Addr>().map_err(|_| NotAServer)?;
            return match (rest, rest.strip_prefix(':')) {
                ("", _) => server(ip, None),
                (_, Some(port)) => server(ip, Some(port)),
                _ => Err(NotAServer),
            };
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            return server(text, None);
        }
        let (host, port) = text.split_once(':').map_or((text, None), |(h, p)| (h, Some(p)));
        let label = |l: &str| (1..=63).contains(&l.len()) && l.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        // One dot at the end says that the name is whole.
        let name = host.strip_suffix('.').unwrap_or(host);
        if host.len() > 253 || host.starts_with('-') || !name.split('.').all(label) {
            return Err(NotAServer);
        }
        server(host, port)
    }
}

impl fmt::Display for NtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.host.contains(':'), self.port) {
            (true, PORT) | (false, PORT) => f.write_str(&self.host),
            (true, port) => write!(f, "[{}]:{port}", self.host),
            (false, port) => write!(f, "{}:{port}", self.host),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_server_is_read_and_written_back() {
        for (text, host, port) in [
            ("time.example.com", "time.example.com", 123),
            ("Time.Example.com:1123", "time.example.com", 1123),
            ("192.0.2.1", "192.0.2.1", 123),
            ("192.0.2.1:11123", "192.0.2.1", 11123),
            ("[::1]:11123", "::1", 11123),
            ("[2001:db8::1]", "2001:db8::1", 123),
            ("2001:db8::1", "2001:db8::1", 123),
            ("localhost", "localhost", 123),
        ] {
            let s: NtpServer = text.parse().unwrap();
            assert_eq!((s.host.as_str(), s.port), (host, port), "{text}");
            assert_eq!(s.to_string().parse::<NtpServer>(), Ok(s));
        }
    }

    #[test]
    fn what_names_no_server_is_refused() {
        for text in
            ["", " ", "ntp://a", "a:0", "a:65536", "a:x", "a:", ":123", "[::1", "[::1]x", "[a]:1", "a b", "a..b", "-a", "a/b", "user@a", "\u{1b}[m"]
        {
            assert!(text.parse::<NtpServer>().is_err(), "{text:?}");
        }
    }
}
