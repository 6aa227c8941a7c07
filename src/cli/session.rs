//! What a headless command stands on: store, vault and engine rooms without the engine's own thread, and names resolved.

use super::{Exit, Globals, Output, prompt};
use crate::{
    clock::{SystemTime, kernel},
    domain::{GatewayId, OpPhase, Reason, ReasonCode, Row, Time, ids::TargetName},
    engine::{Parts, World, hosts::Quiet, look_all, names::Unresolved, ops},
    i18n::{Lang, Message, command as c, reason, shell},
    store::{Store, StoreError, config, locks::ProcessLock, paths::Paths},
    vault::{Vault, VaultState, shut},
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How long one gateway may take to answer a headless command.
pub const LIMIT: Duration = Duration::from_secs(20);

/// What the configuration says, as far as commands need it.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Gateways, in the order of the file.
    pub gateways: Vec<config::Gateway>,
    /// What it says of clocks.
    pub clock: config::Clock,
    /// The store that hosts share, if there is one.
    pub shared: Option<config::SharedStore>,
}

impl From<config::Config> for Settings {
    fn from(c: config::Config) -> Self {
        Self { gateways: c.gateways, clock: c.clock, shared: c.shared }
    }
}

/// An open house without a screen.
pub struct Session {
    /// The engine's rooms.
    pub world: Arc<World>,
    /// Folders and files.
    pub paths: Paths,
    /// Gateways as configured.
    pub gateways: Vec<config::Gateway>,
    pub(super) read_only: bool,
    lock: Option<ProcessLock>,
}

impl Session {
    /// Opens the store and builds the engine's rooms. No server is asked, and the vault is not opened yet.
    ///
    /// # Errors
    /// Said on stderr already; the code to end with.
    pub fn open(globals: &Globals, paths: Paths, settings: Settings, out: &mut Output) -> Result<Self, Exit> {
        let time: Arc<dyn Time> = Arc::new(SystemTime::new());
        let vault = Vault::new();
        let store = Store::open(&paths, vault.clone(), time.clone()).map_err(|e| broken(&e, out))?;
        // A folder that cannot be written takes neither lock nor journal: states are shown, and nothing is begun.
        let lock = match (ProcessLock::take(&paths), store.trouble()) {
            (Ok(lock), None) => Some(lock),
            // Begun is nothing while it cannot be journaled.
            (Ok(lock), Some(why)) => {
                refused(&why, out);
                (!store.is_damaged()).then_some(lock)
            }
            (Err(_), Some(why)) => {
                refused(&why, out);
                None
            }
            (Err(e), None) => return Err(broken(&e, out)),
        };
        let world = World::new(Parts {
            gateways: settings.gateways.clone(),
            clock: settings.clock,
            shared: settings.shared,
            read_only: globals.read_only,
            owner: lock.as_ref().map_or("", |l| l.name()).into(),
            ..Parts::of(paths.clone(), store, vault, time.clone())
        });
        world.gate().push(kernel::sample(time.now()));
        Ok(Self { world, paths, gateways: settings.gateways, read_only: globals.read_only, lock })
    }

    /// Opens the vault and loads secrets. A vault with a passphrase asks for it on a terminal. Without a vault nothing is
    /// sealed, and there is nothing to load.
    ///
    /// # Errors
    /// Said on stderr already; the code to end with.
    pub async fn unlock(&self, out: &mut Output) -> Result<(), Exit> {
        self.unlock_for(true, out).await
    }

    /// Asks the vault's key source, and a person on a terminal where one can open it: for the passphrase, or by the keyring's own
    /// dialogue. Nothing is said and nothing loaded.
    pub async fn open_vault_for(&self, person: bool, out: &mut Output) -> VaultState {
        let state = self.world.open_vault().await;
        let VaultState::Locked(why) = &state else { return state };
        if !person || !shut::can_be_typed(why) || !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
            return state;
        }
        // The key is made from the passphrase for some time: what is typed meanwhile may be the next secret.
        let _unseen = prompt::Sequence::begin();
        let given = if shut::wants_passphrase(why) { prompt::secret(None, &c::ASK_PASSPHRASE, out).ok() } else { None };
        ops::unlock(&self.world, given).await
    }

    /// Says that the store is an older copy of what it was, if so.
    pub fn say_older(&self, out: &mut Output) {
        if let Some(why) = self.world.vault().restored() {
            out.complain(&why);
        }
    }

    /// The same; without a `person` nobody is asked.
    ///
    /// # Errors
    /// As there.
    pub async fn unlock_for(&self, person: bool, out: &mut Output) -> Result<(), Exit> {
        match self.open_vault_for(person, out).await {
            VaultState::Open(_) | VaultState::Absent => {
                self.say_older(out);
                self.world.load_secrets().await.map_err(|e| broken(&e, out))?;
                // Each is its owner's trouble alone: the command goes on with the others.
                for why in self.world.broken_secrets() {
                    refused(&why, out);
                }
                Ok(())
            }
            // What is the store's trouble was said when it was opened.
            VaultState::Locked(why) if self.world.store().trouble().is_some_and(|t| t.raw == why.raw) => Err(Exit::from(why.code).or_failed()),
            VaultState::Locked(why) => Err(refused(&why, out)),
            VaultState::Opening => Err(refused(&Reason::new(ReasonCode::VaultLocked), out)),
        }
    }

    /// Opens the vault, then finishes what ended processes left: before anything else is asked or done. With `--read-only`
    /// nothing is touched. What became of each op is said on stderr.
    ///
    /// # Errors
    /// As [`Session::unlock`].
    pub async fn ready(&self, out: &mut Output) -> Result<(), Exit> {
        self.unlock(out).await?;
        if self.read_only || self.lock.is_none() {
            return Ok(());
        }
        for (op, ended) in ops::resume_all(&self.world, |_| Box::new(Quiet), &CancellationToken::new()).await {
            let why = ended.reason.as_ref().map(|r| reason::full(r, out.lang)).unwrap_or_default();
            let words = match ended.phase {
                // Its time has not come: its row tells from when on.
                OpPhase::Owed => continue,
                OpPhase::Done if op.phase == OpPhase::Owed => &c::LEFT_OWED,
                OpPhase::Done => &c::LEFT_DONE,
                OpPhase::Ambiguous if op.begun => &c::LEFT_AMBIGUOUS,
                OpPhase::Ambiguous => &c::LEFT_HALF,
                OpPhase::Cancelled if op.step > 0 || op.begun => &c::LEFT_TAKEN_BACK,
                OpPhase::Cancelled => &c::LEFT_CANCELLED,
                _ => &c::LEFT_FAILED,
            };
            let said = Message::new(words).with("action", op.action.name()).with("target", op.target.id()).with("reason", why);
            if ended.phase == OpPhase::Ambiguous { out.complain(&said) } else { out.note(&said) }
        }
        Ok(())
    }

    /// For commands that need no vault: finishes what ended processes left in the middle of something, and only then opens it.
    /// What stands in the way is said; the command goes on.
    pub async fn finish_left(&self, out: &mut Output) {
        let left = match self.world.store().ops_unfinished().await {
            Ok(ops) => ops.iter().any(|op| op.phase.open()),
            Err(_) => false,
        };
        if left {
            let _ = self.ready(out).await;
        }
    }

    /// Fills the rows from the cache, then from the servers. What failed is said, and stays on the gateways' links.
    pub async fn refresh(&self, only: Option<&GatewayId>, out: &mut Output) -> Vec<(GatewayId, Reason)> {
        self.world.seed_all().await;
        let failed = look_all(&self.world, only, LIMIT).await;
        for (gateway, why) in &failed {
            let text = reason::full(why, out.lang);
            out.note(&Message::new(&c::GATEWAY_FAILED).with("gateway", gateway.as_str()).with("reason", text));
        }
        failed
    }

    /// The one row that `name` means, as the servers know it now.
    ///
    /// # Errors
    /// Said on stderr already; the code to end with. An unknown name on a gateway that did not answer is "unreachable".
    pub async fn resolve(&self, name: &str, out: &mut Output) -> Result<Row, Exit> {
        // A name that carries its gateway spares the others a question.
        let named = TargetName::parse(name).and_then(|t| t.gateway).map(|g| GatewayId::new(&g)).filter(|g| self.world.gateway(g).is_some());
        let failed = self.refresh(named.as_ref(), out).await;
        let why = match self.world.resolve(name) {
            Ok(row) => return Ok(row),
            Err(why) => why,
        };
        let exit = match (&why, failed.first()) {
            (Unresolved::Unknown, Some((_, why))) => Exit::from(why.code).or_failed(),
            _ => Exit::Name,
        };
        out.complain(&match why {
            Unresolved::Unknown => Message::new(&c::NAME_UNKNOWN).with("name", name),
            Unresolved::Ambiguous(ids) => Message::new(&c::NAME_AMBIGUOUS).with("name", name).with("candidates", ids.join(", ")),
            Unresolved::Malformed => Message::new(&c::NAME_BROKEN).with("name", name),
        });
        let lang = out.lang;
        if exit != Exit::Name {
            for remedy in failed.iter().filter_map(|(_, why)| remedy(why, lang)) {
                out.complain_text(&remedy);
            }
        }
        Err(exit)
    }

    /// The configured gateway of that name.
    ///
    /// # Errors
    /// Said on stderr already; the code to end with.
    pub fn gateway(&self, name: &str, out: &mut Output) -> Result<Arc<crate::engine::world::Gateway>, Exit> {
        self.world.gateway(&GatewayId::new(name)).ok_or_else(|| {
            out.complain(&Message::new(&c::NAME_UNKNOWN).with("name", name));
            Exit::Name
        })
    }

    /// Commits what is on its way to the store and ends every task.
    pub async fn close(self) {
        self.world.store().flush().await;
        self.world.shut();
    }
}

/// Says a reason with its remedy, and the code that it ends with.
pub fn refused(why: &Reason, out: &mut Output) -> Exit {
    let lang = out.lang;
    out.complain_text(&reason::full(why, lang));
    if let Some(remedy) = remedy(why, lang) {
        out.complain_text(&remedy);
    }
    Exit::from(why.code).or_failed()
}

/// What to do, for somebody at a shell: where the sentence of the deck names its keys, the command stands instead.
pub fn remedy(why: &Reason, lang: Lang) -> Option<String> {
    shell::remedy_words(why).map(|w| w.fill(lang, &why.args))
}

/// Says what is wrong with the store, and the code that it ends with.
pub fn broken(e: &StoreError, out: &mut Output) -> Exit {
    let text = e.text(out.lang);
    out.complain_text(&text);
    Exit::from(e.reason().code).or_failed()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_about_a_token_names_commands_and_no_keys() {
        use ReasonCode as C;
        let of = |code| Reason::new(code).with("account", "corp:ops").with("target", "corp:ops").with("ip", "203.0.113.7");
        let storm = |evidence| of(C::TokenStorm).with("evidence", evidence).with("n", "3").with("by", "desk");
        let codes =
            [C::CredentialRefused, C::CredentialMissing, C::AddressNotTrusted, C::TokenExpired, C::TokenRejected, C::NeverFetched, C::TokenForgotten];
        let all = codes.map(of).into_iter().chain(["died", "changed", "limited", "bot"].map(storm));
        for why in all.chain([of(C::TokenExpired).with("bot", "desk"), of(C::RotateByHand), of(C::TokenStorm)]) {
            let text = remedy(&why, Lang::En).unwrap();
            assert!(!["`m ", "`r`", "`y`", "`L`", "{", "?"].iter().any(|k| text.contains(k)), "{:?}: {text}", why.code);
        }
        assert!(remedy(&of(C::CredentialRefused), Lang::En).unwrap().contains("`pairdeck secret set corp:ops`"));
    }
}
