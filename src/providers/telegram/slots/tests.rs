//! Real files, links and processes: who holds a slot, and what two of them share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{
    clash::{admit, trouble, twins},
    holder::{Evidence, Gone, Viewer, clean},
    identity::{Identity, Same},
    trash, vigil,
    vigil::{Outcome, Vigil},
    *,
};
use crate::{
    clock::SystemTime,
    domain::{ReasonCode, Time},
    providers::telegram::{
        AuthKey,
        session::{gotd, write},
    },
    store::{
        config::{SessionFormat, Slot},
        run_lock::{Owner, RunLock},
    },
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

const ONCE: Patience = Patience { tries: 1, pause: Duration::ZERO };

fn session(dir: &Path, name: &str, seed: u8) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, &*gotd::render(2, &AuthKey::new([seed; 256]), 1, &gotd::Config::default()).unwrap()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn slot(name: &str, file: PathBuf) -> SlotRef {
    let slot = Slot { name: name.into(), file, format: SessionFormat::Gotd, pidfile: None, unit: None, api_id: None, dead_exit_codes: Vec::new() };
    SlotRef { gateway: GatewayId::new("tg"), account: RemoteId::new("shop"), slot }
}

fn one(s: SlotRef) -> Seen {
    inspect(&[s], ONCE, Viewer::Looker).remove(0)
}

/// A process that ends with its test.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }
    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_file_is_known_by_all_of_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let path = session(dir.path(), "a.json", 1);
    let (soft, hard, other) = (dir.path().join("soft"), dir.path().join("hard"), session(dir.path(), "b.json", 1));
    std::os::unix::fs::symlink(&path, &soft).unwrap();
    fs::hard_link(&path, &hard).unwrap();
    fs::create_dir(dir.path().join("real")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("real"), dir.path().join("folder")).unwrap();
    let id = |p: &Path| Identity::of(p).unwrap();
    assert_eq!(id(&path).same(&id(&path)), Some(Same::Path));
    assert_eq!(id(&path).same(&id(&soft)), Some(Same::Symlink));
    assert_eq!(id(&path).same(&id(&hard)), Some(Same::HardLink));
    assert_eq!(id(&path).same(&id(&other)), None);
    // Two files that are not there yet, by two ways into one folder.
    assert_eq!(id(&dir.path().join("real/n.json")).same(&id(&dir.path().join("folder/n.json"))), Some(Same::Symlink));
    assert!(Identity::of(&dir.path().join("none/n.json")).is_err());
}

#[test]
fn a_new_slot_on_a_file_or_key_of_another_is_refused_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = session(dir.path(), "a.json", 1);
    let seen = inspect(&[slot("orders", path.clone())], ONCE, Viewer::Looker);
    let soft = dir.path().join("soft");
    std::os::unix::fs::symlink(&path, &soft).unwrap();
    let hard = dir.path().join("hard");
    fs::hard_link(&path, &hard).unwrap();
    for (file, how) in [(&path, "the same path"), (&soft, "symbolic link"), (&hard, "hard link")] {
        let why = admit(file, None, &seen, None).unwrap_err();
        assert_eq!(why.code, ReasonCode::SlotTaken);
        let told: String = why.args.iter().map(|a| a.1.as_str().to_owned() + " ").collect();
        assert!(told.contains("tg:shop/orders") && told.contains(how), "{told}");
    }
    let key = Some(AuthKey::new([1; 256]).id());
    assert_eq!(admit(&dir.path().join("new.json"), key, &seen, None).unwrap_err().code, ReasonCode::SlotTaken);
    assert!(admit(&dir.path().join("new.json"), Some(AuthKey::new([2; 256]).id()), &seen, None).is_ok());
    assert!(admit(&path, key, &seen, Some("tg:shop/orders")).is_ok(), "a slot may be itself");
}

#[test]
fn one_key_in_four_layouts_is_one_twin_with_four_places() {
    let dir = tempfile::tempdir().unwrap();
    let of = |name: &str| fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/telegram").join(name)).unwrap();
    let key: serde_json::Value = serde_json::from_slice(&of("fixture-key.json")).unwrap();
    let files = [
        ("gotd", SessionFormat::Gotd, of("gotd-fixture.json")),
        ("sqlite", SessionFormat::TelethonSqlite, of("telethon-fixture.session")),
        ("telethon", SessionFormat::TelethonString, key["telethon_string"].as_str().unwrap().into()),
        ("pyrogram", SessionFormat::PyrogramString, key["pyrogram_string_v2"].as_str().unwrap().into()),
        ("own", SessionFormat::Gotd, of("gotd-session-v1-user.json")),
    ];
    let slots: Vec<_> = files
        .iter()
        .map(|(name, format, bytes)| {
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let mut s = slot(name, path);
            s.slot.format = *format;
            s
        })
        .collect();
    let seen = inspect(&slots, ONCE, Viewer::Looker);
    let found = twins(&seen);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].members.clone(), found[0].same), (vec![0, 1, 2, 3], None));
    let why = trouble(1, &seen, &found).unwrap();
    assert_eq!(why.code, ReasonCode::KeyTwin);
    let places = why.args[0].1.as_str();
    assert!(places.contains("tg:shop/gotd") && places.contains("tg:shop/telethon") && !places.contains("shop/sqlite"), "{places}");
    assert_eq!(trouble(4, &seen, &found), None);
    assert_eq!(worker_keys(&seen).len(), 2);
}

#[test]
fn a_process_that_names_the_file_or_has_it_open_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = session(dir.path(), "a.json", 1);
    assert!(one(slot("s", path.clone())).held.holders.is_empty());
    // By a relative path behind an equals sign, from another folder than ours.
    let named = Process::start(Command::new("sh").args(["-c", "while :; do sleep 0.05; done", "worker", "--session=a.json"]).current_dir(dir.path()));
    let held = || one(slot("s", path.clone())).held;
    until("the command line", || held().holders.iter().any(|h| h.pid == named.pid() && h.evidence.contains(&Evidence::Argv)));
    assert_eq!(held().sure().count(), 1, "{:?}", held().holders);
    assert_eq!(one(slot("s", path.clone())).held.reason().unwrap().code, ReasonCode::SlotHeld);
    drop(named);
    let reader = Process::start(Command::new("sleep").arg("60").stdin(fs::File::open(&path).unwrap()));
    assert!(held().sure().next().is_none(), "a reader holds nothing");
    drop(reader);
    let writer = Process::start(Command::new("sleep").arg("60").stdout(fs::OpenOptions::new().append(true).open(&path).unwrap()));
    until("the open file", || held().holders.first().is_some_and(|h| h.pid == writer.pid() && h.evidence == [Evidence::Open]));
}

#[test]
fn a_folder_alone_is_weak_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let path = session(dir.path(), "a.json", 1);
    let near = Process::start(Command::new("sleep").arg("60").current_dir(dir.path()));
    let held = || one(slot("s", path.clone())).held;
    until("the folder", || held().holders.iter().any(|h| h.pid == near.pid()));
    assert!(held().sure().next().is_none() && !held().proven_free());
    assert_eq!(held().reason(), None);
}

#[test]
fn a_pidfile_tells_a_living_process_and_a_stale_one_is_cleaned() {
    let dir = tempfile::tempdir().unwrap();
    let path = session(dir.path(), "a.json", 1);
    let pidfile = dir.path().join("worker.pid");
    let mut s = slot("s", path);
    s.slot.pidfile = Some(pidfile.clone());
    let worker = Process::start(Command::new("sleep").arg("60"));
    let pid = worker.pid();
    fs::write(&pidfile, format!("{pid}\n")).unwrap();
    let held = one(s.clone()).held;
    assert!(held.holders[0].pid == pid && held.holders[0].evidence == [Evidence::PidFile(pidfile.clone())], "{held:?}");
    assert!(!clean(&pidfile), "a living process's pidfile was removed");
    // The id is another process's by now: it began long after the file was written, in this boot or an earlier one.
    let old = fs::FileTimes::new().set_modified(std::time::SystemTime::now() - Duration::from_secs(30 * 86_400));
    fs::File::options().write(true).open(&pidfile).unwrap().set_times(old).unwrap();
    let held = one(s.clone()).held;
    assert!(held.sure().next().is_none() && held.stale.as_ref().is_some_and(|s| s.path == pidfile && s.why == Gone::OtherBoot), "{held:?}");
    // In this boot: a process that began after the file was written cannot be the one that wrote it.
    let late = Process::start(Command::new("sleep").arg("60"));
    fs::write(&pidfile, format!("{}\n", late.pid())).unwrap();
    let old = fs::FileTimes::new().set_modified(std::time::SystemTime::now() - Duration::from_secs(20));
    fs::File::options().write(true).open(&pidfile).unwrap().set_times(old).unwrap();
    assert_eq!(one(s.clone()).held.stale.map(|s| s.why), Some(Gone::Reused));
    fs::write(&pidfile, format!("{pid}\n")).unwrap();
    drop((worker, late));
    let stale = one(s.clone()).held.stale.expect("its process is dead");
    assert_eq!((&stale.path, stale.pid, stale.why), (&pidfile, pid, Gone::Dead));
    assert!(stale.says().text(crate::i18n::Lang::En).contains(&format!("process {pid} has ended")));
    assert!(clean(&pidfile) && !pidfile.exists());
    fs::write(&pidfile, "no number\n").unwrap();
    assert_eq!(one(s.clone()).held.odd.as_ref(), Some(&pidfile), "a pidfile that tells nothing is passed over in silence");
    fs::remove_file(&pidfile).unwrap();
    assert_eq!((one(s.clone()).held.odd, one(s).held.stale), (None, None));
}

#[test]
fn the_lock_of_pairdeck_run_names_its_holder_and_its_namespaces() {
    let dir = tempfile::tempdir().unwrap();
    let path = session(dir.path(), "a.json", 1);
    let lock = write::named(&path, "run");
    let owner = |pid, mounts| Owner { target: "tg:shop/s".into(), pid, who: "ops@a".into(), command: "bot".into(), mounts, pids: 0 };
    let elsewhere = RunLock::take(&lock, &owner(7, 4_000_000_000)).unwrap().unwrap();
    let held = one(slot("s", path.clone())).held;
    assert!(held.holders[0].label() == "bot[7]" && held.holders[0].evidence == [Evidence::Run], "{held:?}");
    // Another holder beside it, in our own namespace: two containers on one volume.
    let near = Process::start(Command::new("sleep").arg("60").stdout(fs::OpenOptions::new().append(true).open(&path).unwrap()));
    let seen = vec![one(slot("s", path.clone()))];
    let (a, b) = seen[0].held.spaces_twin().expect("two namespaces");
    assert!([a.pid, b.pid].contains(&near.pid()) && [a.pid, b.pid].contains(&7));
    assert_eq!(trouble(0, &seen, &[]).unwrap().code, ReasonCode::SpacesTwin);
    drop((elsewhere, near));
    assert!(one(slot("s", path)).held.sure().next().is_none(), "a lock that nobody holds is no evidence");
}

#[test]
fn a_key_that_comes_back_is_noticed_and_a_new_one_is_not_taken_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = session(dir.path(), "a.json", 1);
    let now = SystemTime::new().now();
    let id = |seed: u8| AuthKey::new([seed; 256]).id();
    let vigil = Vigil::new(path.clone(), &[id(1)], Some(id(2)), now);
    let again: Vigil = serde_json::from_value(serde_json::to_value(&vigil).unwrap()).unwrap();
    assert_eq!(again, vigil);
    session(dir.path(), "a.json", 2);
    assert_eq!(vigil.look(ONCE), Outcome::Fine);
    session(dir.path(), "a.json", 1);
    let outcome = vigil.look(ONCE);
    assert_eq!(outcome, Outcome::Resurrected(id(1)));
    assert_eq!(vigil.reason(&outcome).unwrap().code, ReasonCode::SlotResurrected);
    session(dir.path(), "a.json", 3);
    assert_eq!(vigil.look(ONCE), Outcome::Other(id(3)));
    fs::remove_file(&path).unwrap();
    assert!(matches!(vigil.look(ONCE), Outcome::Unreadable(_)));
    assert_eq!(Vigil::new(path, &[id(1)], None, now).look(ONCE), Outcome::Fine, "after a wipe nothing is what is wanted");
    assert!(!vigil.is_over(&now) && vigil::FOR > Duration::from_secs(60));
}

#[test]
fn a_wiped_file_lies_in_the_trash_and_comes_back_unless_something_new_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = session(dir.path(), "a.json", 1);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let bytes = fs::read(&path).unwrap();
    let bin = dir.path().join("trash");
    let t = trash::plan(&path, &bin, Some(AuthKey::new([1; 256]).id()), 77).unwrap();
    assert_eq!(trash::found(&t), trash::Moved::NotDone);
    trash::wipe(&t).unwrap();
    trash::wipe(&t).unwrap();
    assert!(!path.exists() && fs::read(&t.to).unwrap() == bytes);
    let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&t.to), mode(&bin)), (0o600, 0o700));
    assert_eq!(fs::read_dir(&bin).unwrap().count(), 1, "half a copy was left");
    session(dir.path(), "a.json", 2);
    assert_eq!(trash::undo(&t).unwrap_err().code, ReasonCode::Foreign);
    fs::remove_file(&path).unwrap();
    trash::undo(&t).unwrap();
    trash::undo(&t).unwrap();
    assert!(fs::read(&path).unwrap() == bytes && !t.to.exists());
    // Killed between the copy and the removal.
    fs::create_dir_all(&bin).unwrap();
    fs::copy(&path, &t.to).unwrap();
    assert_eq!(trash::found(&t), trash::Moved::Both);
    trash::wipe(&t).unwrap();
    assert_eq!(trash::found(&t), trash::Moved::Done);
}

#[test]
fn a_slot_that_others_may_read_or_that_has_two_names_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = session(dir.path(), "a.json", 1);
    let says = |seen: Vec<Seen>| trouble(0, &seen, &twins(&seen)).map(|r| r.code);
    assert_eq!(says(vec![one(slot("s", path.clone()))]), None);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(says(vec![one(slot("s", path.clone()))]), Some(ReasonCode::SessionLoose));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::hard_link(&path, dir.path().join("b")).unwrap();
    assert_eq!(says(vec![one(slot("s", path))]), Some(ReasonCode::SlotHardLinked));
}

#[test]
fn rows_tell_conflict_seen_offline_and_logged_out() {
    let dir = tempfile::tempdir().unwrap();
    let slots = vec![
        slot("alone", session(dir.path(), "a.json", 1)),
        slot("left", session(dir.path(), "b.json", 2)),
        slot("right", session(dir.path(), "c.json", 2)),
        slot("none", dir.path().join("d.json")),
    ];
    let worker = Process::start(Command::new("sh").args(["-c", "while :; do sleep 0.05; done", "w"]).arg(dir.path().join("a.json")));
    until("its command line", || one(slots[0].clone()).held.sure().next().is_some());
    let seen = inspect(&slots, ONCE, Viewer::Looker);
    let (found, now) = (twins(&seen), SystemTime::new().now());
    let states: Vec<_> = (0..4).map(|i| rows::row(i, &seen, &found, &now).link.state.name()).collect();
    assert_eq!(states, ["seen", "conflict", "conflict", "logged_out"]);
    drop(worker);
    assert_eq!(rows::row(0, &[one(slots[0].clone())], &[], &now).link.state.name(), "offline");
}
