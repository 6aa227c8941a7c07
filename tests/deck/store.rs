//! A store in trouble under a running deck: said with a badge, and the live state goes on.

use super::{
    hands::wait_row,
    house::{House, account},
};
use pairdeck::sandbox::Past;
use std::{
    io::{Seek, SeekFrom, Write},
    os::unix::fs::PermissionsExt,
    process::Command,
};

fn house() -> House {
    House::with(vec![account("shop-a", Past::Online), account("shop-b", Past::Online)])
}

#[test]
fn a_store_that_is_held_by_another_is_said_and_the_deck_stays_live() {
    let house = house();
    let mut pty = house.open(120, 34);
    let db = rusqlite::Connection::open(house.home.path().join("vault.db")).unwrap();
    db.execute_batch("BEGIN EXCLUSIVE").unwrap();
    // A state that changes has to be kept in the history: that fails now.
    house.http("DELETE", "/instance/logout/shop-a", "");
    wait_row(&pty, "shop-a", "logged out");
    pty.wait_for("NOT KEPT");
    db.execute_batch("ROLLBACK").unwrap();
    // Nobody has to do anything for it: what waited is kept, and the badge goes.
    pty.wait_gone("NOT KEPT");
    wait_kept(&house.home.path().join("vault.db"), "shop-a");
    house.http("DELETE", "/instance/logout/shop-b", "");
    wait_row(&pty, "shop-b", "logged out");
    pty.keys("q");
    pty.assert_exit(0);
}

/// Waits until the history has the end of that account's session, read past every lock of the deck's.
fn wait_kept(vault: &std::path::Path, account: &str) {
    let db = rusqlite::Connection::open(vault).unwrap();
    db.busy_timeout(crate::support::deadline()).unwrap();
    crate::support::house::until("the change to be in the history", || {
        let sql = "SELECT COUNT(*) FROM change WHERE target LIKE '%' || ?1 || '%' AND now = 'logged_out'";
        db.query_row(sql, [account], |r| r.get::<_, i64>(0)).unwrap() > 0
    });
}

#[test]
fn a_full_disk_is_said_and_the_deck_stays_live() {
    let house = house();
    // A file system of its own, nearly full: as a full disk is, for this home alone.
    let mount = tempfile::tempdir().unwrap();
    let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1500k", "tmpfs"]).arg(mount.path()).status();
    if !done.is_ok_and(|s| s.success()) {
        crate::support::skip("a full disk", "the right to mount a tmpfs");
        return;
    }
    struct Mounted(std::path::PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        }
    }
    let mounted = Mounted(mount.path().to_owned());
    let small = mount.path().join("home");
    assert!(Command::new("cp").arg("-a").arg(house.home.path()).arg(&small).status().unwrap().success());
    let pty = super::house::deck().args(["--home".as_ref(), small.as_os_str()]).size(120, 34).spawn();
    house.settle(&pty);
    // Fills what is left, to the last byte.
    let mut filler = std::fs::File::create(small.join("filler")).unwrap();
    while std::io::Write::write_all(&mut filler, &[0u8; 4096]).is_ok() {}
    while std::io::Write::write_all(&mut filler, &[0u8; 1]).is_ok() {}
    house.http("DELETE", "/instance/logout/shop-a", "");
    wait_row(&pty, "shop-a", "logged out");
    pty.wait_for("NOT KEPT");
    pty.keys("L");
    pty.wait_for("disk is full");
    pty.wait_for("vault.db): nothing was lost");
    // With space again it is kept again, what waited too, and says so by saying nothing.
    drop(filler);
    std::fs::remove_file(small.join("filler")).unwrap();
    pty.keys("\x1b");
    pty.wait_gone("NOT KEPT");
    wait_kept(&small.join("vault.db"), "shop-a");
    drop(pty);
    drop(mounted);
}

#[test]
fn a_read_only_store_is_said_and_the_deck_stays_live() {
    let house = house();
    let mut first = house.open(100, 34);
    first.keys("q");
    first.assert_exit(0);
    // Root writes into any folder: the program runs as nobody here.
    let nobody = Command::new("setpriv").args(["--reuid=65534", "--regid=65534", "--clear-groups", "true"]).status();
    if !nobody.is_ok_and(|s| s.success()) {
        crate::support::skip("a read-only store", "setpriv and root");
        return;
    }
    // Its owner could make it writable again, which pairdeck tries: it is somebody else's.
    let path = house.home.path();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    for file in crate::support::house::files(path) {
        let key = file.extension().is_some_and(|x| x == "key");
        std::os::unix::fs::chown(&file, key.then_some(65534), None).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(if key { 0o400 } else { 0o444 })).unwrap();
    }
    let mut pty = crate::support::pty::Start::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", env!("CARGO_BIN_EXE_pairdeck"), "--home"])
        .args([path.as_os_str()])
        .env("HOME", "/nonexistent")
        .cwd("/")
        .size(120, 34)
        .spawn();
    pty.wait_for("NOT KEPT");
    house.settle(&pty);
    wait_row(&pty, "shop-a", "online");
    // Its folder and files become its own: it is opened anew without a restart, and what happens from then on is kept.
    for args in [["chown", "-R", "65534:65534"], ["chmod", "-R", "u=rwX,go="]] {
        assert!(Command::new(args[0]).args(&args[1..]).arg(path).status().unwrap().success());
    }
    pty.wait_gone("NOT KEPT");
    house.http("DELETE", "/instance/logout/shop-a", "");
    wait_row(&pty, "shop-a", "logged out");
    wait_kept(&path.join("vault.db"), "shop-a");
    pty.keys("q");
    pty.assert_exit(0);
}

#[test]
fn a_database_that_is_damaged_under_the_deck_is_said_and_the_deck_stays_live() {
    let house = house();
    let mut pty = house.open(120, 34);
    let path = house.home.path().join("vault.db");
    // Everything into the one file, and then the file is somebody else's: all but its first hundred bytes.
    let db = rusqlite::Connection::open(&path).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let length = usize::try_from(file.metadata().unwrap().len()).unwrap();
    file.seek(SeekFrom::Start(100)).unwrap();
    file.write_all(&vec![0xaa; length - 100]).unwrap();
    house.http("DELETE", "/instance/logout/shop-a", "");
    wait_row(&pty, "shop-a", "logged out");
    pty.wait_for("NOT KEPT");
    house.http("DELETE", "/instance/logout/shop-b", "");
    wait_row(&pty, "shop-b", "logged out");
    pty.keys("q");
    pty.assert_exit(0);
    // The next one is told before anything is done, and nothing is made anew in its place.
    let before = std::fs::read(&path).unwrap();
    let (code, _) = house.headless(&["list"]);
    assert_eq!(code, 1);
    assert_eq!(std::fs::read(&path).unwrap(), before, "a damaged database is kept as it is");
}

#[test]
fn a_vault_that_is_damaged_before_the_start_is_said_and_the_deck_shows_what_it_knows() {
    let house = house();
    let mut first = house.open(120, 34);
    wait_row(&first, "shop-a", "online");
    first.keys("q");
    first.assert_exit(0);
    let path = house.home.path().join("vault.db");
    let whole = std::fs::read(&path).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(house.home.path().join(format!("vault.db{suffix}")));
    }
    // No page of it says anything: secrets cannot be read. Its gateway says why, its rows are those of last time.
    std::fs::write(&path, b"garbage".repeat(4096)).unwrap();
    let mut pty = super::house::deck().args(["--home".as_ref(), house.home.path().as_os_str()]).size(120, 34).spawn();
    pty.wait_for("NOT KEPT");
    pty.wait_for("vault NOT OPEN");
    wait_row(&pty, "shop-a", "online");
    pty.keys("q");
    pty.assert_exit(0);
    assert_eq!(std::fs::read(&path).unwrap(), b"garbage".repeat(4096));
    // One page is damaged that holds no secret: everything is live, nothing is kept.
    std::fs::write(&path, &whole).unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    let page: u32 = db.query_row("SELECT rootpage FROM sqlite_master WHERE name = 'offer'", [], |r| r.get(0)).unwrap();
    drop(db);
    let (page, mut wreck) = (usize::try_from(page).unwrap(), std::fs::read(&path).unwrap());
    wreck[(page - 1) * 4096..page * 4096].fill(0xA5);
    std::fs::write(&path, &wreck).unwrap();
    let mut pty = super::house::deck().args(["--home".as_ref(), house.home.path().as_os_str()]).size(120, 34).spawn();
    pty.wait_for("NOT KEPT");
    house.settle(&pty);
    house.http("DELETE", "/instance/logout/shop-a", "");
    wait_row(&pty, "shop-a", "logged out");
    pty.keys("q");
    pty.assert_exit(0);
    assert_eq!(std::fs::read(&path).unwrap(), wreck);
}

#[test]
fn files_that_others_may_change_have_a_badge_that_goes_when_they_are_mended() {
    let house = house();
    let config = house.home.path().join("config.toml");
    let mode = |bits: u32| std::fs::set_permissions(&config, std::fs::Permissions::from_mode(bits)).unwrap();
    for (bits, open) in [(0o600, false), (0o666, true), (0o600, false)] {
        mode(bits);
        let mut pty = house.open(120, 34);
        assert_eq!(pty.text().contains("OPEN FILES"), open, "mode {bits:o}:\n{}", pty.text());
        pty.keys("q");
        pty.assert_exit(0);
    }
    // And while it runs.
    let mut pty = house.open(120, 34);
    for _ in 0..2 {
        mode(0o666);
        pty.wait_for("OPEN FILES");
        pty.wait_for("can be changed by other users");
        mode(0o600);
        pty.wait_gone("OPEN FILES");
    }
    pty.keys("q");
    pty.assert_exit(0);
}
