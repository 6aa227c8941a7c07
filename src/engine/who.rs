//! Who acts, for the audit: what the kernel says of this process, never what its environment says.

use crate::domain::Clean;
use std::sync::OnceLock;

/// `user@host` of this process: the name of its user id, and before it the name of who logged in where that is somebody else
/// (`ana as root@desk`).
pub fn user_at_host() -> Clean {
    Clean::new(&format!("{}@{}", user(), host()))
}

/// What this process was started as, once that is known.
static COMMAND: OnceLock<&'static str> = OnceLock::new();

/// Says what this process was started as. The first word stands.
pub fn started_as(command: &'static str) {
    let _ = COMMAND.set(command);
}

/// This process for another one of the same host: `pairdeck watch (pid 4711)`.
pub fn process() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| format!("pairdeck{} (pid {})", COMMAND.get().map(|c| format!(" {c}")).unwrap_or_default(), std::process::id()))
}

/// `pairdeck[pid]@host` of this process.
pub fn process_at_host() -> Clean {
    Clean::new(&format!("pairdeck[{}]@{}", std::process::id(), host()))
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    if name.trim().is_empty() { "localhost".to_owned() } else { name.trim().to_owned() }
}

#[cfg(unix)]
fn user() -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    // Set once at the login and kept over sudo and su; the highest number: nobody logged in (a unit, a container).
    let login = std::fs::read_to_string("/proc/self/loginuid").ok().and_then(|t| t.trim().parse().ok()).filter(|id| *id != u32::MAX);
    told(&users, rustix::process::getuid().as_raw(), login)
}

#[cfg(not(unix))]
fn user() -> String {
    "somebody".to_owned()
}

#[cfg(unix)]
fn told(users: &str, uid: u32, login: Option<u32>) -> String {
    match login.filter(|id| *id != uid) {
        Some(id) => format!("{} as {}", name(users, id), name(users, uid)),
        None => name(users, uid),
    }
}

/// The name of a user id; one that the file does not know (a directory service, a container) is told by its number.
#[cfg(unix)]
fn name(users: &str, uid: u32) -> String {
    let mut lines = users.lines().map(|l| l.split(':'));
    let found = lines.find_map(|mut l| {
        let name = l.next()?;
        (l.nth(1)?.parse() == Ok(uid) && !name.is_empty()).then(|| name.to_owned())
    });
    found.unwrap_or_else(|| format!("uid {uid}"))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const USERS: &str = "root:x:0:0:root:/root:/bin/sh\n+::::::\nana:x:1000:1000::/home/ana:/bin/sh\n";

    #[test]
    fn a_user_is_named_by_the_id_and_by_the_login_where_that_differs() {
        assert_eq!(told(USERS, 1000, None), "ana");
        assert_eq!(told(USERS, 1000, Some(1000)), "ana");
        assert_eq!(told(USERS, 0, Some(1000)), "ana as root");
        assert_eq!(told(USERS, 4711, None), "uid 4711");
        assert_eq!(told("", 0, None), "uid 0");
    }
}
