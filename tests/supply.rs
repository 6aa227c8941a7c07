//! What the program is built from: every direct dependency is listed with its reason, no banned crate or feature is in the tree,
//! every licence is one of those that `deny.toml` allows, everything comes from the registry and is pinned. The same rules as
//! `deny.toml`, readable without cargo-deny.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::{collections::BTreeSet, fs, path::Path, process::Command};

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn list(deny: &toml::Table, room: &str, name: &str) -> Vec<String> {
    let all = deny[room][name].as_array().unwrap();
    all.iter().map(|v| v.as_str().or_else(|| v.get("crate").and_then(toml::Value::as_str)).unwrap().to_owned()).collect()
}

#[test]
fn every_direct_dependency_is_listed_with_its_reason_and_no_other() {
    let cargo: toml::Table = read("Cargo.toml").parse().unwrap();
    let linux = cargo["target"].as_table().unwrap().values().filter_map(|t| t.get("dependencies")?.as_table());
    let used: BTreeSet<String> = std::iter::once(cargo["dependencies"].as_table().unwrap()).chain(linux).flat_map(|t| t.keys().cloned()).collect();
    let text = read("CONTRIBUTING.md");
    let listed: BTreeSet<String> = text
        .lines()
        .filter_map(|l| l.strip_prefix("| "))
        .filter_map(|l| l.split_once(" | "))
        .filter(|(names, why)| !names.starts_with("crate") && !names.starts_with('-') && why.len() > 5)
        .flat_map(|(names, _)| names.split(", ").map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(used.difference(&listed).collect::<Vec<_>>(), Vec::<&String>::new(), "used and not explained");
    assert_eq!(listed.difference(&used).collect::<Vec<_>>(), Vec::<&String>::new(), "explained and not used");
    let tests = text.split("For tests:").nth(1).unwrap();
    for name in cargo["dev-dependencies"].as_table().unwrap().keys().filter(|n| !used.contains(*n)) {
        assert!(tests.contains(name.as_str()), "{name} of the tests is not explained");
    }
}

#[test]
fn nothing_banned_no_foreign_source_and_no_other_licence_is_in_the_tree() {
    let deny: toml::Table = read("deny.toml").parse().unwrap();
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let meta: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let allowed = list(&deny, "licenses", "allow");
    let banned = list(&deny, "bans", "deny");
    let resolved: BTreeSet<&str> = meta["resolve"]["nodes"].as_array().unwrap().iter().map(|n| n["id"].as_str().unwrap()).collect();
    let mut crates = 0;
    for p in meta["packages"].as_array().unwrap().iter().filter(|p| resolved.contains(p["id"].as_str().unwrap())) {
        let name = p["name"].as_str().unwrap();
        crates += 1;
        assert!(!banned.iter().any(|b| b == name), "{name} is banned");
        if name != "pairdeck" {
            assert_eq!(p["source"].as_str(), Some("registry+https://github.com/rust-lang/crates.io-index"), "{name} comes from elsewhere");
        }
        let licence = p["license"].as_str().unwrap_or_default();
        // `A OR B`, `A/B`: one that is allowed is enough; `A AND B`: all.
        let fine = |l: &str| allowed.iter().any(|a| a == l.trim().trim_matches(['(', ')']));
        let either = licence.replace('/', " OR ");
        assert!(either.split(" OR ").any(|part| part.split(" AND ").all(fine)), "{name}: {licence:?} is not allowed");
    }
    for node in meta["resolve"]["nodes"].as_array().unwrap() {
        let id = node["id"].as_str().unwrap();
        if id.contains("#zbus@") || id.contains("#zbus_") {
            assert!(!node["features"].as_array().unwrap().iter().any(|f| f == "tokio"), "{id} has the feature that makes the keyring panic");
        }
    }
    let locked = read("Cargo.lock");
    let unpinned = locked.split("[[package]]").skip(1).filter(|p| p.contains("source = ") && !p.contains("checksum = ")).count();
    assert_eq!(unpinned, 0, "a dependency without a checksum");
    println!(
        "FIGURE supply chain: {crates} crates, all of the registry with checksums, {} licences allowed, {} crates banned, 0 found",
        allowed.len(),
        banned.len()
    );
}
