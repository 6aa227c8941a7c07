//! What `/proc` tells of processes, for those who must find the children of a process. Empty where there is no `/proc`.

use std::{collections::HashMap, fs};

/// Name, parent and start (clock ticks since boot) of `/proc/PID/stat`. The name stands in brackets and may hold any character,
/// brackets too.
pub(crate) fn stat_of(stat: &[u8]) -> Option<(String, u32, u64)> {
    let text = String::from_utf8_lossy(stat);
    let (open, close) = (text.find('(')?, text.rfind(')')?);
    let name = text.get(open + 1..close)?.to_owned();
    let rest: Vec<&str> = text.get(close + 1..)?.split_ascii_whitespace().collect();
    Some((name, rest.get(1)?.parse().ok()?, rest.get(19)?.parse().ok()?))
}

/// Ids of all processes here.
pub(crate) fn pids() -> Vec<u32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
}

/// Mount and process id namespace of a process; 0 where that is not told.
pub fn spaces(pid: u32) -> (u64, u64) {
    let space = |which: &str| {
        let link = fs::read_link(format!("/proc/{pid}/ns/{which}")).unwrap_or_default();
        let text = link.to_string_lossy();
        text.split_once('[').and_then(|(_, n)| n.trim_end_matches(']').parse().ok()).unwrap_or(0)
    };
    (space("mnt"), space("pid"))
}

/// Every process that descends from `pid` at this moment, itself left out.
pub fn descendants(pid: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for p in pids() {
        if let Some((_, parent, _)) = fs::read(format!("/proc/{p}/stat")).ok().and_then(|s| stat_of(&s)) {
            children.entry(parent).or_default().push(p);
        }
    }
    let (mut out, mut next) = (Vec::new(), vec![pid]);
    while let Some(p) = next.pop() {
        let found = children.remove(&p).unwrap_or_default();
        out.extend(&found);
        next.extend(found);
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_moves_nothing() {
        let line = b"42 (a) b (c)) S 7 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 1 1";
        assert_eq!(stat_of(line).unwrap(), ("a) b (c)".to_owned(), 7, 98765));
        assert!(stat_of(b"").is_none() && stat_of(b"1 (x").is_none());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_child_is_found_below_its_parent() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(descendants(std::process::id()).contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
