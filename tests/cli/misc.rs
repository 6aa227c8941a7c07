//! The rest: config, completions, the man page, the sandbox command, usage.

use crate::support::house::Home;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
};

#[test]
fn every_mistake_of_the_corpus_ends_with_2_and_repeats_no_secret() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let mut home = Home::empty();
    home.canary("CANARY");
    for entry in fs::read_dir(dir.join("bad")).unwrap().flatten() {
        let path = entry.path();
        let ran = home.run(&["config", "check", "--config", path.to_str().unwrap()]).exits(2);
        assert!(ran.stderr.contains(path.file_name().unwrap().to_str().unwrap()), "{}", ran.stderr);
        home.run(&["list", "--config", path.to_str().unwrap()]).exits(2);
    }
    for entry in fs::read_dir(dir.join("good")).unwrap().flatten() {
        home.run(&["config", "check", "--config", entry.path().to_str().unwrap()]).exits(0);
    }
}

#[test]
fn config_example_passes_its_own_check_and_path_tells_where() {
    let home = Home::empty();
    home.run(&["config", "check"]).exits(0);
    let example = home.run(&["config", "example"]).exits(0).stdout;
    home.write_config(&example);
    home.run(&["config", "check"]).exits(0);
    assert_eq!(home.run(&["config", "path"]).exits(0).stdout.trim(), home.file("config.toml").to_str().unwrap());
}

#[test]
fn help_man_and_completions_come_on_stdout() {
    let home = Home::unmade();
    for args in [
        &["--help"][..],
        &["pair", "--help"],
        &["--version"],
        &["man"],
        &["completions", "bash"],
        &["completions", "fish"],
        &["demo", "--scenario", "help"],
    ] {
        let ran = home.run(args).exits(0);
        assert!(!ran.stdout.is_empty() && ran.stderr.is_empty(), "{args:?}: {}", ran.stderr);
    }
    assert!(!home.path().exists(), "help makes no files");
}

#[test]
fn mistakes_on_the_command_line_end_with_2() {
    let home = Home::empty();
    for args in [
        &["explode"][..],
        &["pair"],
        &["list", "--yes"],
        &["sandbox", "--listen", "0.0.0.0:0"],
        &["sandbox", "--scenario", "none"],
        &["--quiet", "--verbose", "list"],
    ] {
        assert!(!home.run(args).exits(2).stderr.is_empty(), "{args:?}");
    }
    // Without a terminal there is no deck.
    home.run(&[]).exits(2).says(&["terminal"]);
    home.run(&["demo"]).exits(2).says(&["terminal"]);
}

#[test]
fn the_sandbox_command_writes_a_home_that_works() {
    let home = Home::empty();
    let other = home.file("made");
    fs::create_dir_all(home.path()).unwrap();
    let mut serving = home.command(&["sandbox", "--scenario", "skewed", "--write-home", other.to_str().unwrap(), "--json"]).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(serving.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let said: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!(said["home"], other.to_str().unwrap());
    assert_eq!(said["gateways"][0]["kind"], "evolution");
    home.run(&["list", "--home", other.to_str().unwrap()]).exits(0);
    home.run(&["clock", "--home", other.to_str().unwrap()]).exits(7);
    rustix::process::kill_process(rustix::process::Pid::from_child(&serving), rustix::process::Signal::TERM).unwrap();
    home.finish(serving).exits(0);
}

#[test]
fn a_mistyped_home_in_the_environment_is_said_and_makes_no_folder() {
    let home = Home::unmade();
    for args in [
        &["token", "a"][..],
        &["exec", "a", "--", "true"],
        &["run", "a", "--", "true"],
        &["list"],
        &["list", "--json"],
        &["status", "a"],
        &["clock"],
        &["secret", "status"],
        &["pair", "a"],
    ] {
        let ran = home.run(args).exits(2).says(&["there is no folder", "PAIRDECK_HOME"]);
        assert!(ran.stdout.is_empty() && !home.path().exists(), "{args:?}: {ran:?}");
    }
    let doc = home.run(&["doctor", "--json"]).exits(1).json();
    let found = doc["checks"].as_array().unwrap().iter().find(|c| c["check"] == "home").unwrap();
    assert!(found["verdict"] == "fail" && found["detail"].as_str().unwrap().contains("there is no folder"), "{found}");
    assert!(!home.path().exists());
    // An empty variable names nothing.
    let child = home.command(&["list"]).env("PAIRDECK_HOME", "").spawn().unwrap();
    home.finish(child).exits(0);
}

#[test]
fn clocks_are_asked_before_anything_is_kept_and_nothing_is_made_for_it() {
    let home = Home::empty();
    let child = home.command(&["clock", "--json"]).env_remove("PAIRDECK_HOME").env("HOME", home.path()).env("TMPDIR", home.path()).spawn().unwrap();
    assert_eq!(home.finish(child).exits(0).json()["v"], 1);
    let made: Vec<_> = fs::read_dir(home.path()).unwrap().flatten().map(|e| e.path()).collect();
    assert!(made.is_empty(), "{made:?}");
}
