//! Does this program run inside a container, and in what image? A container has no clock of its own, and its timezone is
//! whatever its image and environment say: advice differs from that for a machine.
//!
//! Everything is read below a root that tests choose; nothing is run and nothing is asked over a network.

use std::path::Path;

/// What a container was made by, as far as it changes the advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// Docker, containerd and everything else that takes `-e NAME=VALUE`.
    Docker,
    /// Podman.
    Podman,
    /// A pod: its environment stands in its manifest.
    Kubernetes,
    /// `systemd-nspawn`.
    Nspawn,
    /// LXC, LXD, Incus.
    Lxc,
    /// Some other one.
    Other,
}

impl Container {
    /// The name that JSON shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Kubernetes => "kubernetes",
            Self::Nspawn => "nspawn",
            Self::Lxc => "lxc",
            Self::Other => "other",
        }
    }
}

/// How an image gets a zone database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packages {
    /// `apt-get`.
    Apt,
    /// `apk`.
    Apk,
    /// Something else, or nothing at all.
    #[default]
    Other,
}

/// What of the environment tells: variables that are no secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Env {
    /// `container`, which systemd-nspawn, Podman and LXC set.
    pub container: Option<String>,
    /// `KUBERNETES_SERVICE_HOST` is set, as in every pod.
    pub kubernetes: bool,
}

impl Env {
    /// Reads this process's.
    pub fn read() -> Self {
        Self { container: std::env::var("container").ok(), kubernetes: std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() }
    }
}

/// The container that this program runs in, if in one. `root` is `/` but in tests.
pub fn detect(root: &Path, env: &Env) -> Option<Container> {
    if env.kubernetes {
        return Some(Container::Kubernetes);
    }
    if let Some(kind) = env.container.as_deref().and_then(of_name) {
        return Some(kind);
    }
    // nspawn and newer LXC tell every process here what only process 1 has in its environment.
    if let Some(kind) = small(&root.join("run/systemd/container")).as_deref().and_then(of_name) {
        return Some(kind);
    }
    // Podman's marker comes first: images made for Docker may carry a stray `.dockerenv`.
    if root.join("run/.containerenv").exists() {
        return Some(Container::Podman);
    }
    if root.join(".dockerenv").exists() {
        return Some(Container::Docker);
    }
    ["proc/self/cgroup", "proc/1/cgroup"].iter().find_map(|file| small(&root.join(file)).as_deref().and_then(of_cgroup))
}

/// How packages are installed here.
pub fn packages(root: &Path) -> Packages {
    let release = small(&root.join("etc/os-release")).or_else(|| small(&root.join("usr/lib/os-release"))).unwrap_or_default();
    let value = |key: &str| release.lines().find_map(|l| l.trim().strip_prefix(key)).map(|v| v.trim_matches(['"', '\'']).to_owned());
    let names = [value("ID="), value("ID_LIKE=")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let is = |any: &[&str]| names.split_whitespace().any(|n| any.contains(&n));
    if is(&["debian", "ubuntu"]) {
        Packages::Apt
    } else if is(&["alpine"]) {
        Packages::Apk
    } else {
        Packages::Other
    }
}

fn of_name(name: &str) -> Option<Container> {
    Some(match name.trim() {
        "" => return None,
        "docker" => Container::Docker,
        "podman" => Container::Podman,
        "systemd-nspawn" => Container::Nspawn,
        "lxc" | "lxc-libvirt" => Container::Lxc,
        "kube" | "kubernetes" => Container::Kubernetes,
        _ => Container::Other,
    })
}

/// Reads lines `N:controllers:/path` (v1) or `0::/path` (v2). Only whole path elements that a runtime makes count:
/// `docker.service` is the daemon on a machine, not a container.
fn of_cgroup(text: &str) -> Option<Container> {
    let kinds: Vec<Container> = text.lines().filter_map(|l| l.splitn(3, ':').nth(2)).flat_map(|p| p.split('/')).filter_map(of_element).collect();
    // A pod's containers are made by a runtime below, but its manifest is where its environment stands.
    kinds.iter().find(|k| **k == Container::Kubernetes).or(kinds.first()).copied()
}

fn of_element(e: &str) -> Option<Container> {
    let scope =
        |prefix: &str| e.strip_prefix(prefix).is_some_and(|id| id.trim_end_matches(".scope").bytes().filter(u8::is_ascii_hexdigit).count() >= 32);
    if e.starts_with("kubepods") {
        Some(Container::Kubernetes)
    } else if e == "docker" || scope("docker-") || scope("cri-containerd-") || scope("nerdctl-") {
        Some(Container::Docker)
    } else if scope("libpod-") {
        Some(Container::Podman)
    } else if e == "lxc" || e.starts_with("lxc.payload") {
        Some(Container::Lxc)
    } else if e.starts_with("systemd-nspawn@") {
        Some(Container::Nspawn)
    } else {
        None
    }
}

/// A small text file; whatever is beyond 64 KiB is left.
fn small(path: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(64 << 10).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    fn found(files: &[(&str, &str)]) -> Option<Container> {
        detect(root(files).path(), &Env::default())
    }

    #[test]
    fn marker_files_name_the_container() {
        assert_eq!(found(&[(".dockerenv", "")]), Some(Container::Docker));
        assert_eq!(found(&[("run/.containerenv", "engine=\"podman-5.0\"\n")]), Some(Container::Podman));
        assert_eq!(found(&[(".dockerenv", ""), ("run/.containerenv", "")]), Some(Container::Podman));
        assert_eq!(found(&[("run/systemd/container", "systemd-nspawn\n")]), Some(Container::Nspawn));
        assert_eq!(found(&[("run/systemd/container", "lxc\n")]), Some(Container::Lxc));
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn cgroups_of_both_versions_name_the_container() {
        let table = [
            (format!("12:pids:/docker/{ID}\n11:cpu:/docker/{ID}\n"), Some(Container::Docker)),
            (format!("0::/system.slice/docker-{ID}.scope\n"), Some(Container::Docker)),
            (format!("0::/machine.slice/libpod-{ID}.scope/container\n"), Some(Container::Podman)),
            (format!("4:memory:/kubepods/burstable/pod1b2c/{ID}\n"), Some(Container::Kubernetes)),
            (format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope\n"), Some(Container::Kubernetes)),
            ("0::/lxc.payload.web/init.scope\n".to_owned(), Some(Container::Lxc)),
            ("9:devices:/lxc/web\n".to_owned(), Some(Container::Lxc)),
        ];
        for (text, want) in table {
            assert_eq!(found(&[("proc/self/cgroup", &text)]), want, "{text}");
        }
    }

    #[test]
    fn a_machine_is_no_container_even_if_it_runs_some() {
        for text in [
            "0::/\n",
            "0::/user.slice/user-1000.slice/session-2.scope\n",
            "0::/system.slice/docker.service\n",
            "0::/system.slice/containerd.service\n",
            "12:pids:/system.slice/docker-cleanup.service\n",
            "0::/user.slice/user@1000.service/app.slice/app-docker-desktop.scope\n",
            "not a cgroup file",
            "",
        ] {
            assert_eq!(found(&[("proc/self/cgroup", text)]), None, "{text:?}");
        }
    }

    #[test]
    fn the_environment_tells_too() {
        let root = root(&[]);
        let env = |container: &str| Env { container: Some(container.to_owned()), kubernetes: false };
        assert_eq!(detect(root.path(), &env("podman")), Some(Container::Podman));
        assert_eq!(detect(root.path(), &env("systemd-nspawn")), Some(Container::Nspawn));
        assert_eq!(detect(root.path(), &env("oci")), Some(Container::Other));
        assert_eq!(detect(root.path(), &env("")), None);
        assert_eq!(detect(root.path(), &Env { container: None, kubernetes: true }), Some(Container::Kubernetes));
    }

    #[test]
    fn the_image_tells_how_it_installs_packages() {
        let of = |text: &str| packages(root(&[("etc/os-release", text)]).path());
        assert_eq!(of("PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n"), Packages::Apt);
        assert_eq!(of("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"), Packages::Apt);
        assert_eq!(of("NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.20.3\n"), Packages::Apk);
        assert_eq!(of("ID=fedora\n"), Packages::Other);
        assert_eq!(packages(root(&[]).path()), Packages::Other);
    }
}
