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

/// True when an expression of SPDX is met by `allowed`: one of those joined by OR, all of those joined by AND.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().collect::<Vec<_>>();
    words.reverse();
    any(&mut words, allowed) && words.is_empty()
}

fn any(words: &mut Vec<&str>, allowed: &[String]) -> bool {
    let mut fine = every(words, allowed);
    while words.last() == Some(&"OR") {
        words.pop();
        fine |= every(words, allowed);
    }
    fine
}

fn every(words: &mut Vec<&str>, allowed: &[String]) -> bool {
    let mut fine = one(words, allowed);
    while words.last() == Some(&"AND") {
        words.pop();
        fine &= one(words, allowed);
    }
    fine
}

fn one(words: &mut Vec<&str>, allowed: &[String]) -> bool {
    let Some(word) = words.pop() else { return false };
    if word == "(" {
        let fine = any(words, allowed);
        return words.pop() == Some(")") && fine;
    }
    let mut name = word.to_owned();
    if words.last() == Some(&"WITH") {
        words.pop();
        name = format!("{name} WITH {}", words.pop().unwrap_or_default());
    }
    allowed.contains(&name)
}

/// What `deny.toml` has against a tree, as `cargo metadata` tells it; and how many crates are in it.
fn faults(deny: &toml::Table, meta: &serde_json::Value) -> (Vec<String>, usize) {
    let (allowed, banned, registries) = (list(deny, "licenses", "allow"), list(deny, "bans", "deny"), list(deny, "sources", "allow-registry"));
    let nodes = meta["resolve"]["nodes"].as_array().unwrap();
    let resolved: BTreeSet<&str> = nodes.iter().map(|n| n["id"].as_str().unwrap()).collect();
    let (mut out, mut crates) = (Vec::new(), 0);
    for p in meta["packages"].as_array().unwrap().iter().filter(|p| resolved.contains(p["id"].as_str().unwrap())) {
        let name = p["name"].as_str().unwrap();
        crates += 1;
        if banned.iter().any(|b| b == name) {
            out.push(format!("{name} is banned"));
        }
        let known = p["source"].as_str().and_then(|s| s.strip_prefix("registry+")).is_some_and(|s| registries.iter().any(|r| r == s));
        if name != "pairdeck" && !known {
            out.push(format!("{name} comes from elsewhere"));
        }
        let licence = p["license"].as_str().unwrap_or_default();
        if !is_allowed(licence, &allowed) {
            out.push(format!("{name}: {licence:?} is not allowed"));
        }
    }
    for rule in deny["bans"]["features"].as_array().unwrap() {
        let (of, features) = (rule["crate"].as_str().unwrap(), rule["deny"].as_array().unwrap());
        let is = |id: &str| id.rsplit_once('#').is_some_and(|(at, name)| name.starts_with(&format!("{of}@")) || at.ends_with(&format!("/{of}")));
        for node in nodes.iter().filter(|n| is(n["id"].as_str().unwrap())) {
            let on = node["features"].as_array().unwrap();
            out.extend(
                features
                    .iter()
                    .filter(|f| on.iter().any(|o| o.as_str() == f.as_str()))
                    .map(|f| format!("{of} has the feature {}", f.as_str().unwrap_or_default())),
            );
        }
    }
    (out, crates)
}

fn metadata() -> serde_json::Value {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

#[test]
fn a_banned_crate_a_foreign_source_another_licence_and_a_harmful_feature_are_each_found() {
    let deny: toml::Table = read("deny.toml").parse().unwrap();
    let meta = metadata();
    let at = |name: &str| meta["packages"].as_array().unwrap().iter().position(|p| p["name"] == name).unwrap();
    let node = |name: &str| {
        let id = meta["packages"][at(name)]["id"].clone();
        meta["resolve"]["nodes"].as_array().unwrap().iter().position(|n| n["id"] == id).unwrap()
    };
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut other = meta.clone();
        change(&mut other);
        faults(&deny, &other).0
    };
    let (serde, zbus) = (at("serde"), node("zbus"));
    for (change, word) in [
        (&(|m: &mut serde_json::Value| m["packages"][serde]["name"] = "openssl-sys".into()) as &dyn Fn(&mut serde_json::Value), "banned"),
        (&|m| m["packages"][serde]["source"] = "git+https://github.com/serde-rs/serde".into(), "elsewhere"),
        (&|m| m["packages"][serde]["source"] = "registry+https://registry.example/index".into(), "elsewhere"),
        (&|m| m["packages"][serde]["source"] = serde_json::Value::Null, "elsewhere"),
        (&|m| m["packages"][serde]["license"] = "GPL-3.0-only".into(), "not allowed"),
        (&|m| m["packages"][serde]["license"] = "(MIT OR Apache-2.0) AND GPL-3.0-only".into(), "not allowed"),
        (&|m| m["packages"][serde]["license"] = serde_json::Value::Null, "not allowed"),
        (&|m| m["resolve"]["nodes"][zbus]["features"] = serde_json::json!(["tokio"]), "feature"),
    ] {
        let found = with(change);
        assert!(found.len() == 1 && found[0].contains(word), "{word}: {found:?}");
    }
    let allowed = list(&deny, "licenses", "allow");
    for fine in ["MIT", "MIT/Apache-2.0", "GPL-3.0-only OR MIT", "(MIT OR GPL-3.0-only) AND Unicode-3.0", "Apache-2.0 WITH LLVM-exception"] {
        assert!(is_allowed(fine, &allowed), "{fine}");
    }
}

#[test]
fn nothing_banned_no_foreign_source_and_no_other_licence_is_in_the_tree() {
    let deny: toml::Table = read("deny.toml").parse().unwrap();
    let (found, crates) = faults(&deny, &metadata());
    assert!(found.is_empty(), "{found:#?}");
    let (allowed, banned) = (list(&deny, "licenses", "allow"), list(&deny, "bans", "deny"));
    let locked = read("Cargo.lock");
    let unpinned = locked.split("[[package]]").skip(1).filter(|p| p.contains("source = ") && !p.contains("checksum = ")).count();
    assert_eq!(unpinned, 0, "a dependency without a checksum");
    println!(
        "FIGURE supply chain: {crates} crates, all of the registry with checksums, {} licences allowed, {} crates banned, 0 found",
        allowed.len(),
        banned.len()
    );
}
