//! `secret init|status|set|forget`: sealed under the vault key, read from a prompt, a file or stdin, never shown again.

use super::{
    Exit, Output,
    args::SecretCommand,
    prompt,
    run::Ran,
    session::{Session, broken, refused, remedy},
    vault,
};
use crate::{
    domain::{
        Reason, ReasonCode, RemoteId, Secret, Target,
        ids::{TargetName, escape},
    },
    engine::{
        ops,
        world::{Gateway, secret_name},
    },
    i18n::{Message, Words, command as c, reason},
    providers::{
        SecretSpec, form, registry,
        token::{account_secret, slot_secret},
    },
    store::{Audit, StoreError},
    vault::{Source, VaultState},
};
use std::{path::Path, sync::Arc};
use tokio_util::sync::CancellationToken;

/// `secret init|status|set|forget`.
///
/// # Errors
/// When the reader of stdout has gone.
pub async fn run(house: &Session, command: &SecretCommand, out: &mut Output) -> Ran {
    let _unseen = prompt::Sequence::begin();
    match command {
        SecretCommand::Init { insecure_key_file, credential } => {
            let (exit, source) = init(house, vault::source(*insecure_key_file, *credential), out).await;
            if exit != Exit::Ok {
                ops::audit_vault(&house.world, "init", &source.made(false)).await;
            }
            Ok(exit)
        }
        SecretCommand::RotateKey => vault::rotate(house, out).await,
        SecretCommand::Move { to, .. } => vault::change(house, vault::target(*to), out).await,
        // Done before a store is opened: see [`super::vault::aside`].
        SecretCommand::SetAside { .. } => Ok(Exit::Usage),
        SecretCommand::AcceptRestore => vault::accept(house, out).await,
        SecretCommand::Status => secret_status(house, out).await,
        SecretCommand::Set { gateway, file, name } => {
            if let Some(words) = shared_secret(gateway) {
                return Ok(keep(house, gateway, file.as_deref(), words, gateway, out).await);
            }
            Ok(match whose(house, gateway, out) {
                Err(exit) => exit,
                // A gateway that somebody logs in to has that one's password in the place of its first secret.
                Ok(Whose::Gateway(g)) => match which(g.spec.secrets, name.as_deref().or_else(|| form::secret_of(g.settings()))) {
                    None if name.is_some() => none_of_that_name(g.spec.secrets, name.as_deref(), out),
                    Some(spec) => keep(house, &secret_name(&g.id, spec.name), file.as_deref(), spec.words, gateway, out).await,
                    None => {
                        out.complain(&Message::new(&c::NO_SECRET_NEEDED));
                        Exit::Usage
                    }
                },
                Ok(Whose::Account(g, ..)) if which(g.spec.account_secrets, name.as_deref()).is_none() => {
                    none_of_that_name(g.spec.account_secrets, name.as_deref(), out)
                }
                Ok(Whose::Account(g, at, first)) => {
                    let spec = which(g.spec.account_secrets, name.as_deref()).unwrap_or(first);
                    keep_account(house, &g, &at, spec, file.as_deref(), out).await
                }
            })
        }
        SecretCommand::Forget { gateway } if shared_secret(gateway).is_some() => {
            let done = house.world.store().secrets_forget_noted(vec![gateway.clone()], line(house, gateway, "forget secret")).await;
            Ok(kept(house, "forget secret", done, forgotten(&[gateway.as_str()]), gateway, out).await)
        }
        SecretCommand::Forget { gateway } => Ok(forget(house, gateway, out).await),
    }
}

/// The secret of that name, the first one without a name.
fn which<'a>(of: &'a [SecretSpec], name: Option<&str>) -> Option<&'a SecretSpec> {
    name.map_or(of.first(), |name| of.iter().find(|s| s.name == name))
}

/// What a secret of that name in the vault is, in a word.
fn noun(name: &str) -> &'static Words {
    let last = name.rsplit('/').next().unwrap_or(name);
    match last {
        _ if name == crate::shared::PASSWORD || last.ends_with("password") => &c::IS_PASSWORD,
        _ if last.ends_with("token") => &c::IS_TOKEN,
        _ if last.ends_with("user") => &c::IS_USER,
        _ if name == crate::shared::SEAL || last.ends_with("secret") => &c::IS_SECRET,
        "operator" => &c::IS_LOGIN,
        _ => &c::IS_KEY,
    }
}

/// That a secret is sealed, by what it is.
pub(super) fn sealed(name: &str) -> Message {
    Message::new(&c::SECRET_KEPT).nest("what", Message::new(noun(name)))
}

/// That what was sealed under these names is no more.
fn forgotten(names: &[impl AsRef<str>]) -> Message {
    match names {
        [one] => Message::new(&c::SECRET_FORGOTTEN).nest("what", Message::new(noun(one.as_ref()))),
        _ => Message::new(&c::SECRETS_FORGOTTEN),
    }
}

fn none_of_that_name(of: &[SecretSpec], name: Option<&str>, out: &mut Output) -> Exit {
    let names: Vec<&str> = of.iter().map(|s| s.name).collect();
    out.complain(&Message::new(&c::SECRET_UNKNOWN).with("name", name.unwrap_or_default()).with("names", names.join(", ")));
    Exit::Usage
}

/// What a name on the command line means.
enum Whose {
    /// The gateway's own secret.
    Gateway(Arc<Gateway>),
    /// The secret of one of its accounts.
    Account(Arc<Gateway>, Target, &'static SecretSpec),
}

/// `GATEWAY`, or `GATEWAY:ACCOUNT` where each account has a secret of its own. A gateway with one such account is enough.
fn whose(house: &Session, name: &str, out: &mut Output) -> Result<Whose, Exit> {
    let typed = TargetName::parse(name).filter(|t| t.gateway.is_some());
    let (gateway, account, device) = match typed {
        Some(t) => (t.gateway.unwrap_or_default(), Some(t.account), t.device),
        None => (name.to_owned(), None, None),
    };
    let g = house.gateway(&gateway, out)?;
    let accounts = &g.settings().accounts;
    let names = || accounts.iter().map(|a| format!("{}:{}", escape(g.id.as_str()), escape(&a.name))).collect::<Vec<_>>().join(", ");
    let Some(spec) = g.spec.account_secrets.first() else {
        if account.is_some() {
            out.complain(&Message::new(&c::NAME_UNKNOWN).with("name", name));
            return Err(Exit::Name);
        }
        return Ok(Whose::Gateway(g));
    };
    let found = match &account {
        Some(a) => accounts.iter().find(|x| x.name == *a),
        None if accounts.len() == 1 => accounts.first(),
        None if !g.spec.secrets.is_empty() => return Ok(Whose::Gateway(g)),
        None => None,
    };
    match found {
        Some(a) => {
            let mut at = Target::account(&g.id, &RemoteId::new(&a.name));
            at.device = device.as_deref().map(RemoteId::new);
            if at.device.is_some() && !registry::runnable(g.settings()).iter().any(|t| t.same(&at)) {
                out.complain(&Message::new(&c::NAME_UNKNOWN).with("name", name));
                return Err(Exit::Name);
            }
            Ok(Whose::Account(g.clone(), at, spec))
        }
        None => {
            let words = if account.is_some() { &c::ACCOUNT_UNKNOWN } else { &c::ACCOUNT_NEEDED };
            out.complain(&Message::new(words).with("name", name).with("names", names()));
            Err(Exit::Name)
        }
    }
}

/// Of these commands the option is known that nobody at a terminal needs.
fn unasked(why: Message) -> Message {
    if why.words.name == c::SECRET_NO_TERMINAL.name { Message::new(&c::SECRET_SET_NO_TERMINAL) } else { why }
}

/// Asks for an account's secret and seals it through the owner of its tokens: what was fetched with the old one is void.
async fn keep_account(house: &Session, g: &Arc<Gateway>, at: &Target, spec: &SecretSpec, file: Option<&Path>, out: &mut Output) -> Exit {
    // Before the secret: nobody types one that cannot be sealed then.
    if let VaultState::Locked(why) = house.open_vault_for(true, out).await {
        return refused(&why, out);
    }
    house.say_older(out);
    let secret = match prompt::secret(file, spec.words, out) {
        Ok(secret) => secret,
        Err(why) => {
            out.complain(&unasked(why.0));
            return Exit::Usage;
        }
    };
    if let Err(why) = house.world.ensure_vault(None).await {
        return refused(&why, out);
    }
    if let Some(slot) = &at.device {
        // No token was fetched with what only one worker has.
        let own = account_secret(at.account.as_str(), &slot_secret(slot.as_str(), spec.name));
        let done = house.world.store().secret_put_noted(&secret_name(&g.id, &own), &secret, line(house, &at.id(), "put secret")).await;
        return kept(house, "put secret", done, sealed(spec.name), &at.id(), out).await;
    }
    let owned = match house.world.cx(g, CancellationToken::new()) {
        Ok(cx) => cx.tokens.put_secret(at, spec.name, secret.clone()).await,
        Err(why) => Err(why),
    };
    match owned {
        Ok(()) => {
            out.note(&sealed(spec.name).with("name", at.id()));
            Exit::Ok
        }
        // This kind has no owner of tokens, or its address cannot be used yet: the secret is kept all the same.
        // So is one that takes the place of one that does not open.
        Err(why) if matches!(why.code, ReasonCode::NotInVersion | ReasonCode::PlaintextRefused | ReasonCode::TlsFailed | ReasonCode::StoreBroken) => {
            let name = secret_name(&g.id, &account_secret(at.account.as_str(), spec.name));
            let done = house.world.store().secret_put_noted(&name, &secret, line(house, &at.id(), "put secret")).await;
            kept(house, "put secret", done, sealed(spec.name), &at.id(), out).await
        }
        Err(why) => {
            ops::audit_secret(&house.world, &at.id(), "put secret", false).await;
            refused(&why, out)
        }
    }
}

async fn forget(house: &Session, name: &str, out: &mut Output) -> Exit {
    let found = match whose(house, name, out) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let (names, at): (Vec<String>, _) = match &found {
        Whose::Gateway(g) => (g.spec.secrets.iter().map(|s| secret_name(&g.id, s.name)).collect(), None),
        Whose::Account(g, at, _) => {
            let own = |s: &SecretSpec| match &at.device {
                Some(slot) => secret_name(&g.id, &account_secret(at.account.as_str(), &slot_secret(slot.as_str(), s.name))),
                None => secret_name(&g.id, &account_secret(at.account.as_str(), s.name)),
            };
            (g.spec.account_secrets.iter().map(own).collect(), Some((g, at)).filter(|(_, at)| at.device.is_none()))
        }
    };
    if let Some((g, at)) = at
        && let Ok(cx) = house.world.cx(g, CancellationToken::new())
    {
        // A token that the secret fetched is as good as the secret for its time.
        if let Err(why) = cx.tokens.let_go(at).await
            && !matches!(why.code, ReasonCode::NotInVersion | ReasonCode::StoreBroken)
        {
            return refused(&why, out);
        }
    }
    let told = forgotten(&names);
    let done = house.world.store().secrets_forget_noted(names, line(house, name, "forget secret")).await;
    kept(house, "forget secret", done, told, name, out).await
}

/// The question for a secret of the store that hosts share, by the name that it has in the vault.
fn shared_secret(name: &str) -> Option<&'static Words> {
    match name {
        crate::shared::PASSWORD => Some(&c::ASK_SHARED_PASSWORD),
        crate::shared::SEAL => Some(&c::ASK_SHARED_SEAL),
        _ => None,
    }
}

/// Asks for a secret and seals it under `name`.
async fn keep(house: &Session, name: &str, file: Option<&Path>, question: &'static Words, shown: &str, out: &mut Output) -> Exit {
    // Before the secret: nobody types one that cannot be sealed then.
    if let VaultState::Locked(why) = house.open_vault_for(true, out).await {
        return refused(&why, out);
    }
    house.say_older(out);
    let secret = match prompt::secret(file, question, out) {
        Ok(secret) => secret,
        Err(why) => {
            out.complain(&unasked(why.0));
            return Exit::Usage;
        }
    };
    if let Err(why) = house.world.ensure_vault(None).await {
        return refused(&why, out);
    }
    let done = house.world.store().secret_put_noted(name, &secret, line(house, shown, "put secret")).await;
    kept(house, "put secret", done, sealed(name), shown, out).await
}

/// The line of the audit that goes with the commit that does it.
pub(super) fn line(house: &Session, whose: &str, action: &str) -> Audit {
    Audit { target: whose.to_owned(), ..ops::vault_line(&**house.world.time(), action, "done") }
}

/// Says how it went; in the audit too where it failed, as what was done has its line already.
async fn kept(house: &Session, action: &str, done: Result<(), StoreError>, told: Message, name: &str, out: &mut Output) -> Exit {
    if done.is_err() {
        ops::audit_secret(&house.world, name, action, false).await;
    }
    match done {
        Ok(()) => {
            out.note(&told.with("name", name));
            Exit::Ok
        }
        Err(e) => broken(&e, out),
    }
}

/// Makes it together with its line of the audit.
async fn create(house: &Session, source: Source, passphrase: Option<Secret>) -> Result<(), Reason> {
    let note = ops::vault_line(&**house.world.time(), "init", &source.made(true));
    house.world.vault().create_noted(source, passphrase, Some(note)).await
}

/// How it ended, and the place of the key that was tried last.
async fn init(house: &Session, source: Source, out: &mut Output) -> (Exit, Source) {
    let passphrase = match (source != Source::Keyring, create(house, source, None).await) {
        (_, Ok(())) => {
            out.note(&Message::new(&c::VAULT_MADE).with("source", source.name()));
            return (Exit::Ok, source);
        }
        (true, Err(why)) => return (refused(&why, out), source),
        // No keyring: a passphrase does the same without one. Nothing weaker is ever taken unasked.
        (false, Err(why)) => {
            if house.world.open_vault().await != VaultState::Absent {
                return (refused(&why, out), source);
            }
            let none = Reason { code: ReasonCode::KeyringAbsent, ..why };
            out.complain_text(&reason::full(&none, out.lang));
            match prompt::new_passphrase(out) {
                Ok(given) => given,
                Err(why) => {
                    out.complain(&why.0);
                    return (Exit::Locked, source);
                }
            }
        }
    };
    let exit = match create(house, Source::Passphrase, Some(passphrase)).await {
        Ok(()) => {
            out.note(&Message::new(&c::VAULT_MADE).with("source", Source::Passphrase.name()));
            Exit::Ok
        }
        Err(why) => refused(&why, out),
    };
    (exit, Source::Passphrase)
}

async fn secret_status(house: &Session, out: &mut Output) -> Ran {
    let state = house.open_vault_for(true, out).await;
    house.say_older(out);
    let (text, mut exit) = match &state {
        VaultState::Open(source) => (Message::new(&c::CHECK_VAULT).with("source", source.name()).text(out.lang), Exit::Ok),
        VaultState::Absent => (c::CHECK_VAULT_ABSENT.get(out.lang).to_owned(), Exit::Ok),
        VaultState::Locked(why) => (reason::full(why, out.lang), Exit::from(why.code).or_failed()),
        VaultState::Opening => (c::CHECK_VAULT_ABSENT.get(out.lang).to_owned(), Exit::Locked),
    };
    out.line(&text)?;
    if let VaultState::Locked(why) = &state
        && let Some(remedy) = remedy(why, out.lang)
    {
        out.complain_text(&remedy);
    }
    match house.world.store().secret_list().await {
        Ok(names) => {
            for (name, fingerprint) in names {
                out.line(&format!("{name}  fp {}", fingerprint.as_deref().unwrap_or("-")))?;
                if matches!(state, VaultState::Open(_))
                    && let Err(e) = house.world.store().secret_get(&name).await
                {
                    exit = refused(&house.world.store().why(&e), out);
                }
            }
            Ok(exit)
        }
        Err(e) => Ok(broken(&e, out)),
    }
}
