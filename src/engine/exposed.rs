//! Whether others may change what decides where keys are sent: judged again whenever somebody changes a mode on the way there, so that
//! the deck's badge comes and goes while it runs.

use super::world::World;
use crate::store::{follow::Files, guard};
use std::{sync::Arc, time::Duration};

/// Whoever changes one mode changes several; and what happens beside the way is heard as well.
const SETTLE: Duration = Duration::from_millis(300);
/// How often it is judged where the kernel does not tell of all of it.
const LOOK_AROUND: Duration = Duration::from_secs(60);

/// Runs until the world ends.
pub(super) async fn watch(world: Arc<World>) {
    let mut known = None;
    loop {
        let paths = world.paths.clone();
        let ways = guard::ways(&paths);
        // Before it is judged: what is changed meanwhile is heard. Anew each time, as other folders may stand there now.
        let files = Files::modes(ways.iter().map(std::path::PathBuf::as_path));
        let found = tokio::task::spawn_blocking(move || guard::exposed(&paths)).await.unwrap_or_default();
        if known.as_ref() != Some(&found) {
            // What the start found was said before the first frame.
            let news = known.as_ref().map(|known| found.iter().filter(|m| !known.contains(m)).cloned().collect::<Vec<_>>());
            news.into_iter().flatten().for_each(|text| world.toast(false, text, None));
            world.mailbox.put(|m| m.exposed = Some(!found.is_empty()));
            known = Some(found);
        }
        let moved = async {
            match &files {
                Some(files) => files.moved().await,
                None => tokio::time::sleep(LOOK_AROUND).await,
            }
        };
        tokio::select! {
            () = world.stop.cancelled() => return,
            () = moved => {}
        }
        tokio::time::sleep(SETTLE).await;
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::{clock::SystemTime, engine::Parts, i18n::Lang, vault::Vault};
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    fn mode(path: &Path, bits: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
    }

    /// What is told next, and the sentences with it.
    async fn told(world: &World) -> (bool, Vec<String>) {
        let mut said = Vec::new();
        loop {
            let mail = world.mailbox().take();
            said.extend(mail.toasts.iter().map(|t| t.text.text(Lang::En)));
            match mail.exposed {
                Some(is) => return (is, said),
                None => world.mailbox().changed().await,
            }
        }
    }

    #[tokio::test]
    async fn a_mode_that_is_changed_while_it_runs_is_told_with_its_remedy_and_so_is_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let above = dir.path().join("above");
        let home = above.join("home");
        fs::create_dir_all(&home).unwrap();
        mode(&above, 0o755);
        let config = home.join("config.toml");
        fs::write(&config, "").unwrap();
        mode(&config, 0o644);
        let world = World::new(Parts::of_home(&home, Vault::memory(), Arc::new(SystemTime::new())));
        tokio::spawn(watch(world.clone()));
        let told = async || tokio::time::timeout(Duration::from_secs(20), told(&world)).await.unwrap();
        assert_eq!(told().await, (false, vec![]));
        for path in [&config, &above] {
            let before = fs::metadata(path).unwrap().permissions().mode();
            mode(path, before | 0o022);
            let (is, said) = told().await;
            assert!(is && said.len() == 1 && said[0].contains(&format!("chmod go-w {}", path.display())), "{said:?}");
            mode(path, before);
            assert_eq!(told().await, (false, vec![]), "{}", path.display());
        }
        // An editor puts another file in its place.
        let other = home.join("config.new");
        fs::write(&other, "").unwrap();
        mode(&other, 0o666);
        fs::rename(&other, &config).unwrap();
        assert!(told().await.0, "a file that took its place");
        fs::remove_file(&config).unwrap();
        fs::write(&config, "").unwrap();
        mode(&config, 0o600);
        assert!(!told().await.0);
        world.shut();
    }
}
