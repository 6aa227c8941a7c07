//! Device flags and levels by name and by number. A flag is a number; names are only how people and configurations call it.

use crate::{
    i18n::{Words, wukongim_why as w},
    store::config::WuKongIm,
};

/// Flags that the protocol itself names (GoProto `common.go`).
const BUILT_IN: &[(&str, u8)] = &[("APP", 0), ("WEB", 1), ("PC", 2), ("SYSTEM", SYSTEM)];

/// The server's own flag: no client should log in on it.
pub(super) const SYSTEM: u8 = 99;

/// Level of a device that others of its flag may stand beside.
pub(super) const SLAVE: u8 = 0;
/// Level of a device that every other login on its flag replaces.
pub(super) const MASTER: u8 = 1;

/// The names of a gateway's flags: the built-in ones and those of its configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flags<'a>(&'a WuKongIm);

impl<'a> Flags<'a> {
    /// With the names that the configuration declares: `flags`, else the platforms of its `plan`.
    pub(super) fn new(settings: &'a WuKongIm) -> Self {
        Self(settings)
    }

    fn declared(&self) -> impl Iterator<Item = (&'a str, u8)> {
        self.0.flags.iter().map(|(name, n)| (name.as_str(), *n)).chain(self.0.plan.iter().map(|p| (p.platform.as_str(), p.flag)))
    }

    /// Reads a number from 0 to 255 or a name, in any case. `None`: it is neither.
    pub(super) fn read(&self, text: &str) -> Option<u8> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        if text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().ok();
        }
        built_in(text).or_else(|| self.declared().find(|(name, _)| name.to_lowercase() == text.to_lowercase()).map(|(_, n)| n))
    }

    /// The name of a flag, if it has one.
    pub(super) fn name(&self, flag: u8) -> Option<&'a str> {
        let built_in = BUILT_IN.iter().find(|(_, n)| *n == flag).map(|(name, _)| *name);
        built_in.or_else(|| self.declared().find(|(_, n)| *n == flag).map(|(name, _)| name))
    }

    /// As people read it: `APP 0`, `iOS 5`, or the bare number of a flag without a name.
    pub(super) fn shown(&self, flag: u8) -> String {
        self.name(flag).map_or_else(|| flag.to_string(), |name| format!("{name} {flag}"))
    }
}

/// The flag of a name that every server knows, in any case.
pub(super) fn built_in(name: &str) -> Option<u8> {
    BUILT_IN.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, n)| *n)
}

/// Reads a level as people, the API and the server's own pages write it.
pub(super) fn level(text: &str) -> Option<u8> {
    match text.trim().to_lowercase().as_str() {
        "slave" | "0" | "从" | "从设备" => Some(SLAVE),
        "master" | "1" | "主" | "主设备" => Some(MASTER),
        _ => None,
    }
}

/// The word for a level; the server stores others too (9 was accepted, wukongim 2.2.5).
pub(super) fn level_words(level: u8) -> &'static Words {
    match level {
        SLAVE => &w::SLAVE,
        MASTER => &w::MASTER,
        _ => &w::LEVEL_ODD,
    }
}

/// The flag that a family of client libraries logs in on unless told otherwise: app libraries 0, browser libraries 1.
pub(super) fn of_sdk(sdk: &str) -> Option<u8> {
    match sdk.trim().to_lowercase().as_str() {
        "native" | "app" | "android" | "ios" => Some(0),
        "js" | "web" | "jssdk" => Some(1),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::config::PlanLine;

    #[test]
    fn a_flag_is_read_by_number_by_built_in_name_and_by_configured_name() {
        let plan = vec![PlanLine { platform: "Tablet".into(), flag: 6, master: true }];
        let settings = WuKongIm { flags: vec![("Android".to_owned(), 4), ("手机".to_owned(), 5)], plan, ..WuKongIm::default() };
        let flags = Flags::new(&settings);
        for (text, flag) in [
            ("0", Some(0)),
            ("255", Some(255)),
            ("256", None),
            ("-1", None),
            ("web", Some(1)),
            (" android ", Some(4)),
            ("手机", Some(5)),
            ("tablet", Some(6)),
            ("", None),
            ("iOS", None),
        ] {
            assert_eq!(flags.read(text), flag, "{text:?}");
        }
        assert_eq!((flags.shown(0), flags.shown(4), flags.shown(7)), ("APP 0".into(), "Android 4".into(), "7".into()));
    }

    #[test]
    fn levels_have_the_numbers_of_the_server_and_not_those_of_the_write_up() {
        assert_eq!((level("slave"), level("master")), (Some(0), Some(1)));
        assert_eq!((level("主"), level("从设备"), level("9")), (Some(1), Some(0), None));
    }
}
