//! The deck from the command line: first frame from the cache, then the engine beside it.

use super::{Exit, Globals, Output};
use crate::{
    clock::SystemTime,
    domain::{GatewayId, Link, Not, Target, Time},
    engine::{
        Command, Mailbox, Parts,
        actor::{self, Handle, SharedWorld},
        mailbox::GatewayView,
    },
    i18n::{Message, command as c},
    providers::{GatewayFacts, registry},
    store::{
        FirstFrame, Paths, Store,
        config::{self, Ambiguous, Config},
        first_frame, guard,
        locks::ProcessLock,
        paths,
    },
    tui::{self, Start, keymap::KeyOverride, png, start::Badge, terminal::Real, theme::Theme, widget::qr::Palette},
    vault::Vault,
};
use std::{io::IsTerminal, path::Path, sync::Arc, time::Duration};

/// What makes a deck besides the operator's settings.
pub struct Scene {
    /// The vault; open already for a demo.
    pub vault: Vault,
    /// Badges beyond those that follow from the settings.
    pub badges: Vec<Badge>,
    /// On-screen guidance.
    pub guide: Vec<tui::guide::Step>,
    /// Run on the engine's thread before it starts, with the open store.
    pub prepare: Prepare,
}

/// Work on the open store before the engine starts; its error ends the deck with that sentence.
pub type Prepare = Box<dyn FnOnce(&Store) -> Result<(), Message> + Send>;

impl Default for Scene {
    fn default() -> Self {
        Self { vault: Vault::new(), badges: Vec::new(), guide: Vec::new(), prepare: Box::new(|_| Ok(())) }
    }
}

/// Runs the deck until the operator leaves.
pub fn run(globals: &Globals, paths: &Paths, config: Config, scene: Scene, out: &mut Output) -> Exit {
    // Lines need no terminal: a reader or a script may stand at either end.
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if !terminal && !globals.plain {
        out.complain(&Message::new(&c::NO_TERMINAL));
        return Exit::Usage;
    }
    match deck(globals, paths, config, scene, out) {
        Ok(exit) => exit,
        Err(e) => {
            out.complain_text(&e.to_string());
            Exit::Failed
        }
    }
}

fn deck(globals: &Globals, paths: &Paths, config: Config, scene: Scene, out: &mut Output) -> anyhow::Result<Exit> {
    let time: Arc<dyn Time> = Arc::new(SystemTime::new());
    let mailbox = Mailbox::new();
    let cached = first_frame(paths);
    let mut start = match start(globals, paths, &config, &scene, cached, time.clone()) {
        Ok(start) => start,
        Err(text) => {
            out.complain_text(&text);
            return Ok(Exit::Usage);
        }
    };
    let drawn = start.rows.iter().map(|r| r.target()).collect();
    let (engine, world) = engine(globals, paths, config, scene, drawn, time, mailbox.clone())?;
    start.slots = slots(world.clone());
    start.can = can(world);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = if globals.plain {
        let mut voice = tui::plain::Spoken::default();
        runtime.block_on(tui::plain::run(start, engine.commands.clone(), mailbox.clone(), tui::plain::typed_lines(), &mut voice))
    } else {
        let mut desk = Real::open(start.mouse)?;
        let keys = crossterm::event::EventStream::new();
        // The desk is dropped, and with it the terminal restored, before anything is said on stderr.
        runtime.block_on(tui::run(start, engine.commands.clone(), mailbox.clone(), keys, &mut desk))
    };
    runtime.shutdown_background();
    let ended = match ended {
        Ok(ended) => ended,
        Err(tui::TuiError::Keymap(e)) => {
            let _ = engine.commands.try_send(Command::QuitNow);
            out.complain_text(&e.to_string());
            return Ok(Exit::Usage);
        }
        Err(e) => {
            let _ = engine.commands.try_send(Command::QuitNow);
            return Err(e.into());
        }
    };
    leave(engine);
    for line in &ended.dropped {
        out.complain_text(line);
    }
    Ok(match ended.exit {
        tui::Exit::Quit => Exit::Ok,
        tui::Exit::EngineEnded => match &ended.fatal {
            Some(why) => {
                out.complain(why);
                Exit::Failed
            }
            None => Exit::Ok,
        },
        tui::Exit::Signal(_) | tui::Exit::InputLost => Exit::Interrupted,
    })
}

/// The engine saw a quit already where the operator asked for it; a signal or a lost terminal says it here. What runs is
/// waited for in bounds: a stuck request is left to the journal.
fn leave(engine: Handle) {
    let _ = engine.commands.try_send(Command::Quit);
    let (tx, rx) = std::sync::mpsc::channel();
    let waiter = std::thread::Builder::new().name("leave".into()).spawn(move || {
        engine.join();
        let _ = tx.send(());
    });
    if waiter.is_ok() {
        let _ = rx.recv_timeout(std::time::Duration::from_secs(25));
    }
}

fn engine(
    globals: &Globals,
    paths: &Paths,
    config: Config,
    scene: Scene,
    drawn: Vec<Target>,
    time: Arc<dyn Time>,
    mailbox: Mailbox,
) -> std::io::Result<(Handle, SharedWorld)> {
    let (paths, read_only, lang) = (paths.clone(), globals.read_only, globals.language());
    let box_for_parts = mailbox.clone();
    actor::spawn(mailbox, move || {
        let said = |e: &crate::store::StoreError| Message::new(&c::STORE_BROKEN).with("why", e.text(lang));
        let store = Store::open(&paths, scene.vault.clone(), time.clone()).map_err(|e| said(&e))?;
        (scene.prepare)(&store)?;
        // Without a writable folder nothing can be claimed, and live states are shown all the same.
        let lock = ProcessLock::take(&paths).ok();
        let owner = lock.as_ref().map_or("", |l| l.name()).into();
        Ok(Parts {
            clock: config.clock,
            shared: config.shared,
            gateways: config.gateways,
            mailbox: box_for_parts,
            drawn,
            read_only,
            owner,
            lock,
            ..Parts::of(paths, store, scene.vault, time)
        })
    })
}

/// Until the engine's rooms stand, everything is "not yet".
fn can(world: SharedWorld) -> tui::start::Can {
    Arc::new(move |row, action, facts| match world.get() {
        Some(world) => world.can(row, action, facts),
        None => Err(Not::NotNow(Message::new(&c::OPENING))),
    })
}

/// Slots are worked out from rows alone; before the engine's rooms stand there is no provider to ask.
fn slots(world: SharedWorld) -> tui::start::Slots {
    Arc::new(move |account, devices| crate::engine::why::slots(world.get()?, account, devices))
}

fn start(globals: &Globals, paths: &Paths, config: &Config, scene: &Scene, cached: FirstFrame, time: Arc<dyn Time>) -> Result<Start, String> {
    let mut start = Start::new(time, Arc::new(|_, _, _| Err(Not::NotNow(Message::new(&c::OPENING)))));
    dress(config, &mut start)?;
    start.lang = if globals.lang.is_some() { globals.language() } else { config.ui.lang.unwrap_or_else(|| globals.language()) };
    start.color = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    if !start.color {
        start.theme = Theme::mono();
    }
    start.ascii |= globals.ascii || !utf8();
    start.read_only = globals.read_only;
    if globals.plain && config.arming.swift_seconds == config::Arming::default().swift_seconds {
        start.swift = tui::plain::SWIFT;
    }
    start.gateways = views(config, &cached);
    let known: Vec<_> = config.gateways.iter().map(|g| GatewayId::new(&g.name)).collect();
    start.rows = cached.rows.into_iter().filter(|r| known.contains(&r.gateway)).collect();
    start.kinds = registry::kinds().to_vec();
    start.config_path = Some(paths.config.clone());
    start.badges.clone_from(&scene.badges);
    if globals.read_only {
        start.badges.push(Badge::ReadOnly);
    }
    if start.gateways.iter().any(|g| g.plaintext) {
        start.badges.push(Badge::Plaintext);
    }
    if !guard::exposed(paths).is_empty() {
        start.badges.push(Badge::Exposed);
    }
    if scene.vault.is_open() {
        start.status = None;
    }
    start.guide.clone_from(&scene.guide);
    start.png = Some(png_writer(paths));
    start.zone = jiff::tz::TimeZone::system();
    start.palette = palette();
    Ok(start)
}

/// Puts the file's looks, keys and times on the deck. An error is a theme that is not there or not readable, in words.
fn dress(config: &Config, start: &mut Start) -> Result<(), String> {
    let seconds = |n: u32| Duration::from_secs(u64::from(n));
    start.ascii = config.ui.ascii || config.ui.ambiguous == Ambiguous::Wide;
    start.mouse = config.ui.mouse;
    start.bell = config.ui.bell;
    start.toast = Some(seconds(config.ui.toast_seconds));
    start.reveal = seconds(config.ui.reveal_seconds);
    start.swift = seconds(config.arming.swift_seconds);
    start.hold = seconds(config.arming.hold_seconds);
    let over = |k: &config::KeyLine| KeyOverride { act: k.action.clone(), keys: vec![k.key.clone()], line: Some(k.line) };
    start.keys = config.keys.iter().map(over).collect();
    if let Some(name) = &config.ui.theme {
        start.theme = theme(name, &config.path)?;
    }
    Ok(())
}

/// A built-in theme, or a file beside the configuration.
fn theme(name: &str, config: &Path) -> Result<Theme, String> {
    if let Ok(theme) = Theme::named(name) {
        return Ok(theme);
    }
    let file = config.with_file_name(name);
    let file = if file.extension().is_some() { file } else { file.with_extension("toml") };
    // The name is the file's word: what steers a terminal is taken out of it.
    let said = |why: String| crate::domain::Clean::long(&format!("{}: {why}", file.display())).as_str().to_owned();
    let bytes = paths::settings(&file).map_err(|e| said(paths::plain(&e)))?;
    Theme::parse(&String::from_utf8_lossy(&bytes)).map_err(|e| said(e.to_string()))
}

/// Gateways as the cache knows them: stale until they answer.
fn views(config: &Config, cached: &FirstFrame) -> Vec<GatewayView> {
    let view = |(rank, g): (usize, &config::Gateway)| {
        let spec = registry::provider(&g.kind)?.spec();
        let id = GatewayId::new(&g.name);
        let known = cached.gateways.iter().find(|k| k.id == id);
        Some(GatewayView {
            link: known.map_or_else(Link::unknown, |k| k.link.clone()),
            facts: GatewayFacts { version: known.and_then(|k| k.version.clone()), ..GatewayFacts::default() },
            plaintext: g.url.starts_with("http://") && g.allow_plaintext,
            stale: true,
            id,
            spec,
            rank,
        })
    };
    config.gateways.iter().enumerate().filter_map(view).collect()
}

/// A picture goes beside the store, never into the working directory of whoever started the deck.
fn png_writer(paths: &Paths) -> tui::start::PngWriter {
    let folder = paths.vault_db().parent().map_or_else(std::env::temp_dir, Path::to_path_buf);
    // Always the same file: a picture of a dead code is of no use.
    Arc::new(move |payload| png::write(&png::path_in(&folder, "pairdeck", 1), payload).map_err(|e| std::io::Error::other(e.to_string())))
}

/// What this terminal understands of black and white. Only a terminal that says so gets 24 bits: others would show a QR in
/// colours that no phone reads.
fn palette() -> Palette {
    let says = |name: &str| std::env::var(name).unwrap_or_default();
    let direct = matches!(says("COLORTERM").as_str(), "truecolor" | "24bit") || says("TERM").ends_with("-direct");
    if direct { Palette::Rgb } else { Palette::Indexed }
}

fn utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(|n| std::env::var(n).ok()).find(|v| !v.is_empty());
    // No locale at all is what a bare container has, and its terminal is somebody's modern one.
    locale.is_none_or(|v| v == "C" || v == "POSIX" || v.to_ascii_lowercase().replace('-', "").contains("utf8"))
}
