//! Who acts, for the audit.

use crate::domain::Clean;

/// `user@host` of this process, as far as the environment tells.
pub fn user_at_host() -> Clean {
    let user = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).or_else(|_| std::env::var("LOGNAME"));
    let user = user.unwrap_or_else(|_| uid());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    Clean::new(&format!("{user}@{}", if host.trim().is_empty() { "localhost" } else { host.trim() }))
}

#[cfg(unix)]
fn uid() -> String {
    format!("uid {}", rustix::process::getuid().as_raw())
}

#[cfg(not(unix))]
fn uid() -> String {
    "somebody".to_owned()
}
