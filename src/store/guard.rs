//! Who else could change what decides where keys are sent: the configuration, and the folders on the way to it and to the store. Their
//! modes are the operator's own, so they are told and not mended.

use super::Paths;
use crate::i18n::Message;
use std::{collections::BTreeSet, path::PathBuf};

/// A sentence with its remedy for each file and folder on the way that another user may change. None where a system does not tell owners.
#[cfg(unix)]
pub fn exposed(paths: &Paths) -> Vec<Message> {
    let mut on_the_way = ways(paths);
    // The store's own folder is mended, or not used at all.
    on_the_way.remove(&paths.data);
    on_the_way.iter().filter_map(|path| judge(path)).collect()
}

/// The configuration, the store's folder, and every folder on the way to either.
pub(crate) fn ways(paths: &Paths) -> BTreeSet<PathBuf> {
    let mut on_the_way: BTreeSet<PathBuf> = BTreeSet::new();
    for end in [&paths.config, &paths.data] {
        // As it is written, and where its links lead: either can be moved by who may write there.
        let whole = std::path::absolute(end).unwrap_or_else(|_| end.clone());
        let real = whole.ancestors().find_map(|p| std::fs::canonicalize(p).ok());
        on_the_way.extend(real.iter().chain([&whole]).flat_map(|p| p.ancestors()).map(PathBuf::from));
    }
    on_the_way
}

/// The same where nothing tells who owns a file.
#[cfg(not(unix))]
pub fn exposed(_: &Paths) -> Vec<Message> {
    Vec::new()
}

#[cfg(unix)]
fn judge(path: &std::path::Path) -> Option<Message> {
    use crate::i18n::store as words;
    use std::os::unix::fs::MetadataExt;
    let meta = std::fs::metadata(path).ok().filter(|m| m.is_file() || m.is_dir())?;
    let (own, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if meta.uid() != own && meta.uid() != 0 {
        let m = Message::new(&words::EXPOSED_OWNER).with("path", path.to_string_lossy()).with("owner", meta.uid().to_string());
        return Some(m.with("own", own.to_string()));
    }
    // Many systems give each user a group of their own, with the same number: nobody else is in it.
    let private = meta.gid() == 0 || (meta.gid() == group && group == own);
    let open = meta.mode() & 0o002 != 0 || (meta.mode() & 0o020 != 0 && !private);
    // In a sticky folder nobody moves what is another's.
    let sticky = meta.is_dir() && meta.mode() & 0o1000 != 0;
    (open && !sticky).then(|| Message::new(&words::EXPOSED_MODE).with("path", path.to_string_lossy()))
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::i18n::Lang;
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, chown, symlink},
        path::Path,
    };

    fn said(paths: &Paths) -> Vec<String> {
        exposed(paths).iter().map(|m| m.text(Lang::En)).collect()
    }

    fn mode(path: &Path, bits: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
    }

    #[test]
    fn what_others_may_change_on_the_way_is_said_with_its_remedy_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let above = dir.path().join("above");
        let paths = Paths::in_home(&above.join("home"));
        fs::create_dir_all(&paths.data).unwrap();
        fs::write(&paths.config, "").unwrap();
        mode(&above, 0o755);
        mode(&paths.config, 0o644);
        assert_eq!(said(&paths), Vec::<String>::new());
        mode(&above, 0o1777);
        assert_eq!(said(&paths), Vec::<String>::new(), "a sticky folder, as /tmp is");
        mode(&above, 0o777);
        mode(&paths.config, 0o666);
        let found = said(&paths);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains(&format!("chmod go-w {}", above.display())) && found[1].contains("config.toml"), "{found:?}");
        mode(&paths.config, 0o644);
        // A link that lies where others may write is theirs to turn.
        let behind = dir.path().join("behind");
        fs::create_dir(&behind).unwrap();
        symlink(&behind, above.join("link")).unwrap();
        let found = said(&Paths::in_home(&above.join("link")));
        assert_eq!(found.len(), 1, "{found:?}");
        mode(&above, 0o755);
        assert_eq!(said(&Paths::in_home(&above.join("link"))), Vec::<String>::new());
        assert_eq!(said(&Paths::in_home(&above.join("not/there/yet"))), Vec::<String>::new());
    }

    #[test]
    fn a_configuration_of_another_user_is_said_to_be_that() {
        if !rustix::process::geteuid().is_root() {
            // Nobody else may give files away.
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::in_home(dir.path());
        fs::write(&paths.config, "").unwrap();
        chown(&paths.config, Some(65534), None).unwrap();
        let found = said(&paths);
        assert!(found.len() == 1 && found[0].contains("uid 65534") && found[0].contains("chown 0"), "{found:?}");
    }
}
