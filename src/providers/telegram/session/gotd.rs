//! gotd's session file (gotd/td 0.93 to 0.161, `session.Loader` version 1), byte for byte as gotd writes it.

use super::{Format, LARGEST, Session, Trouble, dc_of, key_of};
use crate::providers::telegram::{AuthKey, KeyId};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use zeroize::Zeroizing;

/// The version that gotd loads. Any other is "not found" to it: it would log in anew, silently.
const VERSION: i64 = 1;

/// The version alone: another one may have any data.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "Version")]
    version: Option<i64>,
    #[serde(rename = "Data")]
    data: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Known<'a> {
    #[serde(rename = "Data", borrow)]
    data: Body<'a>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(rename = "Config", default)]
    config: Option<Config>,
    #[serde(rename = "DC")]
    dc: i64,
    #[serde(rename = "AuthKey", borrow)]
    key: Option<Cow<'a, str>>,
    #[serde(rename = "AuthKeyID", borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(rename = "Salt", default)]
    salt: i64,
}

/// What gotd keeps of the server's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Config {
    /// Deprecated by the platform.
    pub blocked_mode: bool,
    /// IPv6 is to be preferred.
    pub force_try_ipv6: bool,
    /// Server time of the last connection, Unix seconds.
    pub date: i64,
    /// When this configuration is too old, Unix seconds.
    pub expires: i64,
    /// Test servers.
    pub test_mode: bool,
    /// The data centre that told it.
    #[serde(rename = "ThisDC")]
    pub this_dc: i32,
    /// Addresses; gotd looks its data centre up here, `Addr` stays empty.
    #[serde(rename = "DCOptions")]
    pub dc_options: Option<Vec<DcOption>>,
    /// Domain for addresses over DNS.
    #[serde(rename = "DCTxtDomainName")]
    pub dc_txt_domain_name: String,
    /// Main connections that the platform allows in parallel; none told is one.
    pub tmp_sessions: i32,
    /// Data centre of web files.
    #[serde(rename = "WebfileDCID")]
    pub webfile_dc_id: i32,
}

/// One address of a data centre.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DcOption {
    /// The flags below as the platform packs them.
    pub flags: u32,
    /// An IPv6 address.
    pub ipv6: bool,
    /// Media only.
    pub media_only: bool,
    /// Obfuscated TCP only.
    #[serde(rename = "TCPObfuscatedOnly")]
    pub tcp_obfuscated_only: bool,
    /// A content server.
    #[serde(rename = "CDN")]
    pub cdn: bool,
    /// Reached by a fixed address.
    pub r#static: bool,
    /// Only this port.
    pub this_port_only: bool,
    /// Number of the data centre.
    #[serde(rename = "ID")]
    pub id: i32,
    /// Its address.
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    /// Its port.
    pub port: i32,
    /// Secret of a proxy, in base64.
    pub secret: Option<String>,
}

/// Reads a gotd file.
///
/// # Errors
/// Whatever keeps gotd from loading it, and what it would load wrongly.
pub fn parse(bytes: &[u8]) -> Result<Session, Trouble> {
    parse_whole(bytes).map(|found| found.0)
}

/// As [`parse`], with the configuration that a rewritten file keeps.
///
/// # Errors
/// As there.
pub fn parse_whole(bytes: &[u8]) -> Result<(Session, Config), Trouble> {
    if bytes.len() as u64 > LARGEST {
        return Err(Trouble::TooLarge(bytes.len() as u64));
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Trouble::Truncated);
    }
    // Somebody else's file by a wrong path must not be advised to be written over; what a disk lost reads as zeros.
    if bytes.iter().find(|b| !b.is_ascii_whitespace()).is_some_and(|first| !matches!(first, b'{' | 0)) {
        return Err(Trouble::Foreign("no JSON object"));
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|e| json(&e, "no JSON object"))?;
    match (head.version, head.data) {
        (None, None) => Err(Trouble::Foreign("JSON, but no session")),
        (Some(VERSION), Some(_)) => body(bytes),
        (Some(VERSION), None) => Err(Trouble::Corrupt("Data is missing")),
        (Some(other), _) => Err(Trouble::Version(other)),
        (None, Some(_)) => Err(Trouble::Version(0)),
    }
}

fn json(e: &serde_json::Error, what: &'static str) -> Trouble {
    if e.is_eof() { Trouble::Truncated } else { Trouble::Corrupt(what) }
}

fn body(bytes: &[u8]) -> Result<(Session, Config), Trouble> {
    let body = serde_json::from_slice::<Known<'_>>(bytes).map_err(|e| json(&e, "Data has other fields"))?.data;
    let decode = |text: Option<Cow<'_, str>>| STANDARD.decode(text.unwrap_or_default().as_bytes()).map(Zeroizing::new);
    let key = key_of(&decode(body.key).map_err(|_| Trouble::Corrupt("AuthKey is no base64"))?)?;
    let said = decode(body.id).ok().and_then(|id| <[u8; 8]>::try_from(id.as_slice()).ok()).map(KeyId);
    if said != Some(key.id()) {
        return Err(Trouble::WrongKeyId { said, real: key.id() });
    }
    let config = body.config.unwrap_or_default();
    let mut session = Session::new(Format::Gotd, dc_of(body.dc)?, key);
    session.salt = Some(body.salt);
    session.test = config.test_mode;
    session.connected = (config.date > 0).then_some(config.date);
    session.parallel = (config.tmp_sessions > 1).then_some(config.tmp_sessions);
    Ok((session, config))
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(rename = "Version")]
    version: i64,
    #[serde(rename = "Data")]
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    #[serde(rename = "Config")]
    config: &'a Config,
    #[serde(rename = "DC")]
    dc: i32,
    #[serde(rename = "Addr")]
    addr: &'a str,
    #[serde(rename = "AuthKey")]
    key: &'a str,
    #[serde(rename = "AuthKeyID")]
    id: String,
    #[serde(rename = "Salt")]
    salt: i64,
}

/// The text of a file that gotd loads. A salt of 0 is as good as any: the server corrects it.
///
/// # Errors
/// Never in practice: the shape is fixed.
pub fn render(dc: i32, key: &AuthKey, salt: i64, config: &Config) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let text = Zeroizing::new(STANDARD.encode(key.expose()));
    let data = Data { config, dc, addr: "", key: &text, id: STANDARD.encode(key.id().0), salt };
    // Roomy from the start: a buffer that grows leaves copies of the key behind.
    let mut out = Zeroizing::new(Vec::with_capacity(64 * 1024));
    serde_json::to_writer(&mut *out, &Whole { version: VERSION, data }).map_err(|_| Trouble::Corrupt("cannot be rendered"))?;
    Ok(out)
}
