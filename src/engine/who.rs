//! Who acts, for the audit.

use crate::domain::Clean;

/// `user@host` of this process, as far as the environment tells.
pub fn user_at_host() -> Clean {
    let user = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).or_else(|_| std::env::var("LOGNAME"));
    let user = user.unwrap_or_else(|_| uid());
    Clean::new(&format!("{user}@{}", host()))
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
fn uid() -> String {
    format!("uid {}", rustix::process::getuid().as_raw())
}

#[cfg(not(unix))]
fn uid() -> String {
    "somebody".to_owned()
}
