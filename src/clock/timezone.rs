//! Is this host's timezone what somebody meant? A misspelt `TZ` is silently UTC, POSIX signs are inverted, and slim images
//! have no zone data at all. None of it moves a clock: it explains wrong times on a screen, and warns before somebody
//! "corrects" a right clock. A pure function over what was read, and a reader.

use crate::domain::Clean;
use std::path::{Path, PathBuf};

/// What was read of this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneFacts {
    /// The variable `TZ`, if set.
    pub tz: Option<String>,
    /// The zone that the link `/etc/localtime` names, if it is a link into a zone database.
    pub localtime: Option<String>,
    /// What `/etc/timezone` says, if it is there.
    pub timezone_file: Option<String>,
    /// True when there is a zone database on this host.
    pub has_zones: bool,
    /// True when the database knows the zone of `tz` (a leading `:` dropped).
    pub tz_known: bool,
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneTrouble {
    /// `TZ` is set but empty, which means UTC.
    Empty,
    /// `TZ` names no zone, so times are UTC.
    NotFound(String),
    /// `TZ` is an old form such as `UTC+8`, whose sign is the other way round: this one is UTC−8.
    Inverted {
        /// As set.
        tz: String,
        /// What it really means, such as `UTC-8`.
        means: String,
    },
    /// `TZ` is an old form without the rules of a place.
    PosixForm(String),
    /// `TZ` is a path out of the zone database.
    Escapes(String),
    /// `/etc/localtime` and `/etc/timezone` name different zones.
    Differ {
        /// What the link names.
        localtime: String,
        /// What the file says.
        timezone: String,
    },
    /// No zone database: times are shown in UTC. Not a fault.
    NoZones,
}

impl ZoneTrouble {
    /// The name that JSON shows.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Empty => "tz_empty",
            Self::NotFound(_) => "tz_not_found",
            Self::Inverted { .. } => "tz_inverted",
            Self::PosixForm(_) => "tz_posix",
            Self::Escapes(_) => "tz_escapes",
            Self::Differ { .. } => "tz_files_differ",
            Self::NoZones => "no_zone_data",
        }
    }
}

/// What is wrong with this host's timezone, worst first; empty when nothing is.
pub fn troubles(facts: &ZoneFacts) -> Vec<ZoneTrouble> {
    if let Some(tz) = &facts.tz {
        return of_variable(tz, facts).into_iter().collect();
    }
    if !facts.has_zones {
        return vec![ZoneTrouble::NoZones];
    }
    match (&facts.localtime, &facts.timezone_file) {
        (Some(link), Some(file)) if !same_zone(link, file) => {
            vec![ZoneTrouble::Differ { localtime: link.clone(), timezone: file.clone() }]
        }
        _ => Vec::new(),
    }
}

fn of_variable(tz: &str, facts: &ZoneFacts) -> Option<ZoneTrouble> {
    let name = tz.strip_prefix(':').unwrap_or(tz);
    if name.is_empty() {
        return Some(ZoneTrouble::Empty);
    }
    if is_utc(name) {
        return None;
    }
    if name.starts_with('/') {
        // An absolute path into the database is legal; anything else is somebody's file.
        let inside = name.strip_prefix("/usr/share/zoneinfo/").is_some_and(|rest| !rest.contains(".."));
        return (!inside).then(|| ZoneTrouble::Escapes(tz.to_owned()));
    }
    if name.split('/').any(|part| part == "..") {
        return Some(ZoneTrouble::Escapes(tz.to_owned()));
    }
    if facts.tz_known {
        return None;
    }
    match posix(name) {
        Some(posix) if posix.plain => Some(ZoneTrouble::Inverted { tz: tz.to_owned(), means: posix.means }),
        Some(_) => Some(ZoneTrouble::PosixForm(tz.to_owned())),
        None if !facts.has_zones => Some(ZoneTrouble::NoZones),
        None => Some(ZoneTrouble::NotFound(tz.to_owned())),
    }
}

fn is_utc(name: &str) -> bool {
    matches!(name, "UTC" | "UTC0" | "GMT" | "GMT0" | "Etc/UTC" | "Etc/GMT" | "Z" | "Zulu" | "UCT" | "Universal")
}

fn same_zone(a: &str, b: &str) -> bool {
    a == b || (is_utc(a) && is_utc(b))
}

struct Posix {
    /// A bare `UTC+8` or `GMT-3`, which people write with the sign they expect.
    plain: bool,
    means: String,
}

/// Reads `STD[+-]h[h][:mm]…`: letters (or `<…>`), then an offset west of Greenwich.
fn posix(name: &str) -> Option<Posix> {
    let (word, rest) = match name.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>')?,
        None => name.split_at(name.find(|c: char| !c.is_ascii_alphabetic())?),
    };
    (word.len() >= 3).then_some(())?;
    let (sign, digits) = match rest.as_bytes().first()? {
        b'+' => ('-', &rest[1..]),
        b'-' => ('+', &rest[1..]),
        b if b.is_ascii_digit() => ('-', rest),
        _ => return None,
    };
    let end = digits.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(digits.len());
    let (offset, rules) = digits.split_at(end);
    let hours: u32 = offset.split(':').next()?.parse().ok()?;
    (hours <= 24).then_some(())?;
    let plain = rules.is_empty() && matches!(word, "UTC" | "GMT") && hours != 0;
    let minutes = offset.split_once(':').map(|(_, m)| format!(":{m}")).unwrap_or_default();
    Some(Posix { plain, means: format!("UTC{sign}{hours}{minutes}") })
}

/// Reads this host: two variables, one link, two small files. Cheap; blocks on local files only.
pub fn read() -> ZoneFacts {
    let database = std::env::var_os("TZDIR").filter(|d| !d.is_empty()).map(PathBuf::from);
    read_from(Path::new("/"), std::env::var_os("TZ").map(|t| t.to_string_lossy().into_owned()), database.as_deref())
}

/// Reads the host whose root folder is `root`, with `tz` as its variable `TZ`. `database` is what `TZDIR` says; C libraries
/// and this program look for zones there and nowhere else.
pub fn read_from(root: &Path, tz: Option<String>, database: Option<&Path>) -> ZoneFacts {
    let zones = database.map_or_else(|| root.join("usr/share/zoneinfo"), Path::to_owned);
    let tz_known = tz.as_deref().is_some_and(|t| {
        let name = t.strip_prefix(':').unwrap_or(t);
        !name.is_empty() && !name.contains("..") && is_zone(&zones.join(name))
    });
    let localtime = std::fs::read_link(root.join("etc/localtime")).ok().and_then(|to| zone_of_link(&to.to_string_lossy()));
    let timezone_file =
        std::fs::read_to_string(root.join("etc/timezone")).ok().map(|s| Clean::new(s.trim()).as_str().chars().take(64).collect::<String>());
    let has_zones = zones.join("Etc").is_dir() || is_zone(&zones.join("UTC"));
    ZoneFacts { tz, localtime, timezone_file: timezone_file.filter(|s| !s.is_empty()), has_zones, tz_known }
}

/// True for a file of compiled rules: the database's folder also holds lists and sources, which are no zones.
fn is_zone(path: &Path) -> bool {
    use std::io::Read as _;
    let mut magic = [0u8; 4];
    path.is_file() && std::fs::File::open(path).and_then(|mut f| f.read_exact(&mut magic)).is_ok() && magic == *b"TZif"
}

fn zone_of_link(to: &str) -> Option<String> {
    to.split_once("zoneinfo/").map(|(_, name)| name.to_owned()).filter(|n| !n.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn with_tz(tz: &str, tz_known: bool) -> Vec<ZoneTrouble> {
        troubles(&ZoneFacts { tz: Some(tz.into()), tz_known, has_zones: true, ..ZoneFacts::default() })
    }

    #[test]
    fn the_matrix_of_tz_values() {
        let inverted = |tz: &str, means: &str| vec![ZoneTrouble::Inverted { tz: tz.into(), means: means.into() }];
        let table: &[(&str, bool, Vec<ZoneTrouble>)] = &[
            ("America/Sao_Paulo", true, vec![]),
            (":America/Sao_Paulo", true, vec![]),
            ("UTC", true, vec![]),
            ("UTC0", false, vec![]),
            ("", false, vec![ZoneTrouble::Empty]),
            (":", false, vec![ZoneTrouble::Empty]),
            ("America/SaoPaulo", false, vec![ZoneTrouble::NotFound("America/SaoPaulo".into())]),
            ("America", false, vec![ZoneTrouble::NotFound("America".into())]),
            ("UTC+8", false, inverted("UTC+8", "UTC-8")),
            ("GMT-3", false, inverted("GMT-3", "UTC+3")),
            ("UTC+5:30", false, inverted("UTC+5:30", "UTC-5:30")),
            ("CET-1CEST", false, vec![ZoneTrouble::PosixForm("CET-1CEST".into())]),
            ("<-03>3", false, vec![ZoneTrouble::PosixForm("<-03>3".into())]),
            ("../../etc/passwd", false, vec![ZoneTrouble::Escapes("../../etc/passwd".into())]),
            ("/etc/passwd", false, vec![ZoneTrouble::Escapes("/etc/passwd".into())]),
            ("/usr/share/zoneinfo/Asia/Tokyo", true, vec![]),
            ("/usr/share/zoneinfo/../../../etc/passwd", true, vec![ZoneTrouble::Escapes("/usr/share/zoneinfo/../../../etc/passwd".into())]),
        ];
        for (tz, known, want) in table {
            assert_eq!(&with_tz(tz, *known), want, "TZ={tz:?}");
        }
    }

    #[test]
    fn two_files_that_disagree_are_named() {
        let facts =
            ZoneFacts { localtime: Some("Etc/UTC".into()), timezone_file: Some("America/Sao_Paulo".into()), has_zones: true, ..ZoneFacts::default() };
        assert_eq!(troubles(&facts), [ZoneTrouble::Differ { localtime: "Etc/UTC".into(), timezone: "America/Sao_Paulo".into() }]);
        let agree = ZoneFacts { timezone_file: Some("UTC".into()), ..facts };
        assert_eq!(troubles(&agree), []);
    }

    #[test]
    fn a_slim_image_is_told_and_not_blamed() {
        assert_eq!(troubles(&ZoneFacts::default()), [ZoneTrouble::NoZones]);
        assert_eq!(troubles(&ZoneFacts { tz: Some("Asia/Tokyo".into()), ..ZoneFacts::default() }), [ZoneTrouble::NoZones]);
    }

    #[test]
    fn a_host_is_read_below_any_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for d in ["etc", "usr/share/zoneinfo/America", "elsewhere"] {
            std::fs::create_dir_all(root.join(d)).unwrap();
        }
        assert_eq!(read_from(root, None, None), ZoneFacts::default());
        std::fs::write(root.join("usr/share/zoneinfo/UTC"), b"TZif2").unwrap();
        std::fs::write(root.join("usr/share/zoneinfo/America/Sao_Paulo"), b"TZif2").unwrap();
        std::fs::write(root.join("usr/share/zoneinfo/tzdata.zi"), b"# version 2026a").unwrap();
        std::fs::write(root.join("etc/timezone"), "Etc/UTC\n").unwrap();
        std::os::unix::fs::symlink("/usr/share/zoneinfo/America/Sao_Paulo", root.join("etc/localtime")).unwrap();
        let facts = read_from(root, None, None);
        assert_eq!(troubles(&facts), [ZoneTrouble::Differ { localtime: "America/Sao_Paulo".into(), timezone: "Etc/UTC".into() }]);
        let tz = |name: &str| read_from(root, Some(name.to_owned()), None);
        assert!(tz("America/Sao_Paulo").tz_known && tz(":America/Sao_Paulo").tz_known);
        assert_eq!(troubles(&tz("tzdata.zi")), [ZoneTrouble::NotFound("tzdata.zi".into())], "a file beside the zones is no zone");
        let elsewhere = read_from(root, Some("America/Sao_Paulo".to_owned()), Some(&root.join("elsewhere")));
        assert_eq!(troubles(&elsewhere), [ZoneTrouble::NoZones], "TZDIR is where zones are looked for");
    }

    #[test]
    fn a_link_names_its_zone() {
        assert_eq!(zone_of_link("/usr/share/zoneinfo/Asia/Shanghai").as_deref(), Some("Asia/Shanghai"));
        assert_eq!(zone_of_link("../usr/share/zoneinfo/Etc/UTC").as_deref(), Some("Etc/UTC"));
        assert_eq!(zone_of_link("/somewhere/else"), None);
        let _ = read();
    }
}
