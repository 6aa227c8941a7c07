//! How a WuKongIM server of the sandbox behaves. The defaults are those of v2.2.5 and the times that recordings show.

use crate::sandbox::settings::DateMode;
use serde::Deserialize;
use std::time::Duration;

/// Which server it is (its `/health`, `/varz` and connection calls tell them apart).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// v1 up to 1.2.6: no `/health`, no `/cluster`, CONNACK says that a token is wrong, kicked sockets are closed.
    V1,
    /// v2.2.5: a token failure is silent and a kicked socket stays open.
    #[default]
    V2,
    /// The v3 beta: no authentication on the API port and no token check at all.
    V3,
}

/// Somebody who may log in to the manager port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manager {
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
    /// `*:*`, or `*:r` for a reader. Only a hint: v2 enforces it nowhere (recording manager_port_jwt_readonly_kick).
    pub permissions: String,
}

/// The fixed waits of the server. Every one can be shortened for a test or a demonstration.
#[derive(Clone, Copy, Debug)]
pub struct WukongTiming {
    /// From a failed CONNECT to the end of the socket (5.9 to 6.0 s in trace B to E).
    pub refused: Duration,
    /// After `/user/device_quit` a session stays listed so long (2 s).
    pub quit_grace: Duration,
    /// After `/user/token` at level 1 (10 s).
    pub token_grace: Duration,
    /// After another login or a `/conn/kick` (2 s).
    pub login_grace: Duration,
    /// `connIdleTime` (3 min): a socket that says nothing is closed.
    pub idle: Duration,
    /// How long the device cache remembers a row without `created_at` (10 min).
    pub cache: Duration,
    /// How long a client of the sandbox takes to hang up when it is told to.
    pub hangs_up: Duration,
    /// Life of a JWT (`jwt.expire`, 30 days).
    pub jwt: Duration,
}

impl Default for WukongTiming {
    fn default() -> Self {
        Self {
            refused: Duration::from_secs(6),
            quit_grace: Duration::from_secs(2),
            token_grace: Duration::from_secs(10),
            login_grace: Duration::from_secs(2),
            idle: Duration::from_secs(180),
            cache: Duration::from_secs(600),
            hangs_up: Duration::from_millis(50),
            jwt: Duration::from_secs(30 * 86_400),
        }
    }
}

/// Settings of one server.
#[derive(Clone, Debug)]
pub struct WukongSettings {
    /// Which server.
    pub version: Version,
    /// What `/varz` shows as `version`; empty on a server that was built without it, as the recorded one was.
    pub version_text: String,
    /// `tokenAuthOn`. False accepts everybody, and every session is a slave.
    pub token_auth_on: bool,
    /// `managerToken`. `None` leaves the API port open to anyone.
    pub manager_token: Option<String>,
    /// `auth.users`. Nobody here is the default of the server: `guest:guest`, who may read everything.
    pub managers: Vec<Manager>,
    /// The number of the only node.
    pub node_id: u64,
    /// Names of users that end so skip the token check (`___vstr`), visitors on or off.
    pub visitor_suffix: String,
    /// Sockets at a time on the WebSocket port.
    pub most_connections: usize,
    /// Added to every answer.
    pub reply_delay: Duration,
    /// The server's clock and its `Date` header.
    pub date: DateMode,
    /// Waits.
    pub timing: WukongTiming,
    /// What an operator's configuration says of this server besides: key, and value as TOML writes it. Such as whose tokens a
    /// business server owns, which the server itself does not know.
    pub config: Vec<(&'static str, String)>,
    /// A business server stands in front (TangSengDaoDao): one more port, with the login by QR.
    pub business_server: bool,
    /// Its logins go to another IM server than this one.
    pub business_elsewhere: bool,
    /// So long after each login code the phone of that uid scans it and confirms.
    pub web_scan: Option<(Duration, String)>,
}

impl Default for WukongSettings {
    fn default() -> Self {
        Self {
            version: Version::V2,
            version_text: String::new(),
            token_auth_on: true,
            manager_token: Some("MANAGER-TOKEN-FOR-TESTS".to_owned()),
            managers: Vec::new(),
            node_id: 1001,
            visitor_suffix: "___vstr".to_owned(),
            most_connections: 4096,
            reply_delay: Duration::ZERO,
            date: DateMode::Skewed(0),
            timing: WukongTiming::default(),
            config: Vec::new(),
            business_server: false,
            business_elsewhere: false,
            web_scan: None,
        }
    }
}

impl WukongSettings {
    /// Who may log in: with nobody configured it is `guest:guest`, a reader.
    pub(crate) fn who(&self) -> Vec<Manager> {
        if self.managers.is_empty() {
            vec![Manager { name: "guest".to_owned(), password: "guest".to_owned(), permissions: "*:r".to_owned() }]
        } else {
            self.managers.clone()
        }
    }
}

/// One user of a scenario.
#[derive(Clone, Debug, Default)]
pub struct UidSpec {
    /// The uid.
    pub uid: String,
    /// Its device rows, oldest first.
    pub devices: Vec<DeviceSpec>,
    /// `ban` of its personal channel.
    pub ban: bool,
    /// `send_ban` of its personal channel.
    pub send_ban: bool,
    /// It is in the list of system uids.
    pub system: bool,
    /// Two clients that take turns on one flag.
    pub fight: Option<FightSpec>,
}

/// One device row, and who is connected with it.
#[derive(Clone, Debug, Default)]
pub struct DeviceSpec {
    /// The device flag.
    pub flag: u8,
    /// 0 slave, 1 master.
    pub level: u8,
    /// The token; made up when empty.
    pub token: String,
    /// The token was cleared by `/user/device_quit`, which also set the level to 1.
    pub wiped: bool,
    /// Device ids of clients that are online with it.
    pub online: Vec<String>,
    /// Since when the row exists.
    pub age: Duration,
    /// Since when its clients are online.
    pub up: Duration,
}

/// Two clients that do not know of each other and use the same flag: each login takes the other one's place.
#[derive(Clone, Debug)]
pub struct FightSpec {
    /// The flag that both use.
    pub flag: u8,
    /// The level that the business server gives out at each login.
    pub level: u8,
    /// The device ids.
    pub devices: [String; 2],
    /// From one login to the other's.
    pub every: Duration,
}
