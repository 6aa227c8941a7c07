//! Which variable a token may be put into: not one that a shell could not read, and not one that changes what is run or how.

use crate::i18n::{Message, token as words};

/// What shells, loaders, interpreters and libraries go by. Compared without case: some read both spellings.
const TAKEN: &[&str] = &[
    "PATH",
    "IFS",
    "HOME",
    "SHELL",
    "ENV",
    "BASH_ENV",
    "BASHOPTS",
    "SHELLOPTS",
    "PS4",
    "CDPATH",
    "PROMPT_COMMAND",
    "PWD",
    "OLDPWD",
    "USER",
    "LOGNAME",
    "TERM",
    "TERMINFO",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TZDIR",
    "TMPDIR",
    "TEMP",
    "TMP",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "BROWSER",
    "DISPLAY",
    "NLSPATH",
    "LOCPATH",
    "GCONV_PATH",
    "GETCONF_DIR",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "RES_OPTIONS",
    "GLIBC_TUNABLES",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PERL5LIB",
    "PERL5OPT",
    "PERL5DB",
    "RUBYLIB",
    "RUBYOPT",
    "CLASSPATH",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "CREDENTIALS_DIRECTORY",
    "RUNTIME_DIRECTORY",
    "NOTIFY_SOCKET",
];
/// Whole families of them.
const FAMILIES: &[&str] = &["LD_", "DYLD_", "LC_", "XDG_", "DBUS_", "GIT_", "MALLOC_", "BASH_FUNC_", "PAIRDECK_"];

/// Why a token is not put into the variable of that name, if it is not.
pub(super) fn refused(name: &str) -> Option<Message> {
    let shaped = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !shaped {
        return Some(Message::new(&words::ENV_SHAPE).with("name", name));
    }
    let upper = name.to_ascii_uppercase();
    let taken = TAKEN.contains(&upper.as_str()) || FAMILIES.iter().any(|f| upper.starts_with(f));
    taken.then(|| Message::new(&words::ENV_TAKEN).with("name", name))
}

#[cfg(test)]
mod tests {
    use super::refused;

    #[test]
    fn a_token_goes_only_into_a_variable_that_changes_nothing_else() {
        for name in ["TOKEN", "_T", "wecom_token_2", "PATHS", "HOMES", "LDAP_TOKEN", "GITHUB_TOKEN"] {
            assert!(refused(name).is_none(), "{name}");
        }
        for name in [
            "",
            "1T",
            "A B",
            "A=B",
            "A-B",
            "Ä",
            "T\n",
            "PATH",
            "Path",
            "IFS",
            "HOME",
            "SHELL",
            "LD_PRELOAD",
            "PAIRDECK_HOME",
            "LC_ALL",
            "https_proxy",
        ] {
            assert!(refused(name).is_some(), "{name:?}");
        }
    }
}
