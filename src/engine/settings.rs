//! What other processes and people do to the operator's file while this one runs: gateways that come, go, or get other accounts.
//! Everything else in it counts from the next start.

use super::{
    watch,
    world::{Gateway, World},
};
use crate::{
    domain::{GatewayId, Reason, ReasonCode, RemoteId, Row, Target},
    i18n::{Message, Words, engine as words},
    providers::{Report, registry},
    store::{
        config::{self, Config},
        follow::Files,
    },
};
use std::{collections::HashSet, path::Path, sync::Arc, sync::atomic::Ordering, time::Duration};

/// Whoever writes the file writes several times.
const SETTLE: Duration = Duration::from_millis(200);

/// What the file says, as far as this is concerned, and when it was written.
struct Known {
    config: Option<Config>,
    stamp: Option<(std::time::SystemTime, u64)>,
    /// What was told of a file that says nothing now, until it does again.
    told: Option<&'static Words>,
}

fn stamp(path: &Path) -> Option<(std::time::SystemTime, u64)> {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

/// Follows the file until the world ends.
pub(super) async fn follow(world: Arc<World>) {
    let path = world.paths.config.clone();
    let Some(folder) = path.parent() else { return };
    // Before it is read: what is written meanwhile is heard.
    let files = Files::watch(folder);
    let mut known = Known::read(&path);
    known.heed_start(&world).await;
    loop {
        tokio::select! {
            () = world.stop.cancelled() => return,
            () = files.moved() => {}
        }
        tokio::time::sleep(SETTLE).await;
        known.heed(&world).await;
    }
}

impl Known {
    fn read(path: &Path) -> Self {
        Self { stamp: stamp(path), config: Config::load(path).ok(), told: None }
    }

    /// A vault may have waited long for its passphrase: what was written since this process read the file is taken over as well. Not
    /// where it runs what no file names (a demo): its own settings stand.
    async fn heed_start(&self, world: &Arc<World>) {
        if let Some(now) = &self.config
            && world.gateways().iter().all(|g| now.gateway(g.id.as_str()).is_some())
        {
            take_over(world, now, now).await;
        }
    }

    async fn heed(&mut self, world: &Arc<World>) {
        let path = &world.paths.config;
        let now = stamp(path);
        if now == self.stamp {
            return;
        }
        self.stamp = now;
        // Editors and version control take a file away for a moment: that orders nobody to drop anything, no more than a mistake does.
        let new = match Config::there(path) {
            Ok(Some(new)) => new,
            Ok(None) => return self.tell(world, &words::CONFIG_AWAY),
            Err(_) => return self.tell(world, &words::CONFIG_UNREAD),
        };
        if let Some(told) = self.told.take() {
            world.over(told);
            world.toast(true, Message::new(&words::CONFIG_WELL), None);
        }
        // What was unreadable from the start names nothing that could go.
        let old = self.config.replace(new.clone()).unwrap_or_default();
        take_over(world, &old, &new).await;
    }

    /// Says why the file is not followed, once for each cause; what was said before is over.
    fn tell(&mut self, world: &World, words: &'static Words) {
        if let Some(before) = self.told.replace(words) {
            world.over(before);
        }
        world.toast(false, Message::new(words), None);
    }
}

/// What differs between two readings of the file. What this process runs without the file naming it is left alone.
async fn take_over(world: &Arc<World>, old: &Config, new: &Config) {
    let said = |words: &'static Words, name: &str| world.toast(true, Message::new(words).with("gateway", name), None);
    for gone in old.gateways.iter().filter(|g| new.gateway(&g.name).is_none()) {
        if remove(world, &GatewayId::new(&gone.name)) {
            said(&words::CONFIG_GONE, &gone.name);
        }
    }
    for settings in &new.gateways {
        let id = GatewayId::new(&settings.name);
        let rank = match world.gateway(&id) {
            Some(there) if *there.settings == *settings || world.is_reconfigured(&id) => continue,
            // Other kinds keep things in hand that another client would take from them. Their accounts, and what these have, are taken
            // over by the client that is there; everything else changes at the next start.
            Some(there) if there.provider().issuer().is_none() && there.provider().is_asked() => {
                if amend(world, &there, settings).await {
                    said(&words::CONFIG_CHANGED, &settings.name);
                }
                continue;
            }
            Some(there) => {
                drop_accounts(world, &id, settings);
                there.stop.cancel();
                there.rank
            }
            None => world.gateways().len(),
        };
        let came = world.gateway(&id).is_none();
        let Some(gateway) = world.insert(settings.clone(), rank) else { continue };
        // Without its secrets it says so itself.
        let _ = world.load_gateway_secrets(&gateway).await;
        let view = gateway.view();
        world.mailbox.put(|m| {
            m.gateways.insert(id.clone(), view);
        });
        for account in &settings.accounts {
            world.tokens.told(&Target::account(&id, &RemoteId::new(&account.name)));
        }
        said(if came { &words::CONFIG_ADDED } else { &words::CONFIG_CHANGED }, &settings.name);
        if !world.following.load(Ordering::Relaxed) {
            tokio::spawn(watch::run(world.clone(), gateway));
        }
    }
}

/// Gives a gateway the accounts that the file has now. Its client, its rows and its connections stay; its watch begins anew. False:
/// they are the same.
async fn amend(world: &Arc<World>, there: &Arc<Gateway>, settings: &config::Gateway) -> bool {
    let new = config::Gateway { accounts: settings.accounts.clone(), ..(*there.settings).clone() };
    if new == *there.settings {
        return false;
    }
    let named: Vec<Target> = registry::runnable(&new);
    // Nobody else tells of these: a look at an account that does not answer leaves what is known of it.
    let mut gone: Vec<Target> = registry::runnable(&there.settings).into_iter().filter(|t| !named.iter().any(|n| n.same(t))).collect();
    let dropped = |t: &Target| {
        let in_it = |of: &config::Gateway| of.accounts.iter().any(|a| a.name == t.account.as_str());
        in_it(&there.settings) && !in_it(&new)
    };
    gone.extend(world.rows().iter().filter(|r| r.gateway == there.id).map(Row::target).filter(|t| dropped(t)));
    let gateway = world.put_under(there, new);
    if !gone.is_empty() {
        world.merge(&gateway, Report::Gone(gone));
    }
    // A new account may have secrets already. Without them it says so itself.
    let _ = world.load_gateway_secrets(&gateway).await;
    if !world.following.load(Ordering::Relaxed) {
        tokio::spawn(watch::run(world.clone(), gateway));
    }
    true
}

/// Rows of accounts that the file names no more.
fn drop_accounts(world: &Arc<World>, id: &GatewayId, settings: &crate::store::config::Gateway) {
    let kept: HashSet<&str> = settings.accounts.iter().map(|a| a.name.as_str()).collect();
    let gone: Vec<Target> =
        world.rows().iter().filter(|r| r.gateway == *id && !kept.contains(r.account.as_str())).map(crate::domain::Row::target).collect();
    if !gone.is_empty() {
        world.store.drop_rows(gone.clone());
        world.mailbox.put(|m| m.gone.extend(gone));
    }
}

fn remove(world: &Arc<World>, id: &GatewayId) -> bool {
    let rows: Vec<Target> = world.rows().iter().filter(|r| r.gateway == *id).map(crate::domain::Row::target).collect();
    let Some(old) = world.take_out(id) else { return false };
    let mut view = old.view();
    view.link.state = crate::domain::State::Unknown;
    view.link.reason = Some(Reason::new(ReasonCode::Gone));
    world.mailbox.put(|m| {
        m.rows.retain(|(gateway, _, _), _| gateway != id);
        m.gone.extend(rows);
        m.gateways.insert(id.clone(), view);
    });
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::engine::tokens::{
        tests::platform::{Bench, WECOM, target},
        timer,
    };
    use crate::providers::token::Tokens;

    /// The file names what is not known here yet, then something else.
    fn config(gateways: &[(&str, &[usize])]) -> Config {
        let account = |n: &usize| crate::store::config::Account { name: format!("app-{n}"), id: format!("100{n}"), ..Default::default() };
        let gateway = |(name, accounts): &(&str, &[usize])| crate::store::config::Gateway {
            name: (*name).into(),
            kind: "mint".into(),
            url: "http://127.0.0.1:1".into(),
            corp_id: Some("ww1".into()),
            accounts: accounts.iter().map(account).collect(),
            ..Default::default()
        };
        Config { gateways: gateways.iter().map(gateway).collect(), ..Config::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn gateways_and_accounts_that_come_and_go_are_taken_over_and_their_tokens_with_them() {
        let mut b = Bench::new(WECOM);
        b.accounts = 2;
        let world = b.process().await;
        tokio::spawn(timer::run(world.clone()));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(b.asked(), 2);
        // One account less: nobody fetches for it any more.
        take_over(&world, &config(&[("corp", &[0, 1])]), &config(&[("corp", &[0])])).await;
        tokio::time::sleep(Duration::from_secs(7300)).await;
        assert_eq!(b.asked(), 3, "for an account that is not configured any more");
        // It comes back.
        take_over(&world, &config(&[("corp", &[0])]), &config(&[("corp", &[0, 1])])).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(world.tokens().held(&target(1)).await.is_some());
        // The gateway goes, then another comes.
        take_over(&world, &config(&[("corp", &[0, 1])]), &config(&[])).await;
        assert!(world.gateways().is_empty());
        let asked = b.asked();
        tokio::time::sleep(Duration::from_secs(8000)).await;
        assert_eq!(b.asked(), asked, "for a gateway that is gone");
        take_over(&world, &config(&[]), &config(&[("other", &[0])])).await;
        assert_eq!(world.gateways().len(), 1);
        let news: Vec<String> = world.mailbox().take().toasts.iter().map(|t| t.text.text(crate::i18n::Lang::En)).collect();
        assert!(news.iter().any(|n| n.contains("other was added")) && news.iter().any(|n| n.contains("corp is not in")), "{news:?}");
    }
    /// The news since the last call, good and bad, and what is over.
    fn news(world: &World) -> (Vec<String>, usize) {
        let mail = world.mailbox().take();
        (mail.toasts.iter().map(|t| t.text.text(crate::i18n::Lang::En)).collect(), mail.over.len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_away_or_broken_for_a_while_takes_nothing_with_it_and_is_followed_again() {
        let b = Bench::new(WECOM);
        let world = b.process().await;
        let path = world.paths.config.clone();
        let file = |names: &[&str]| {
            let one = |n: &&str| format!("[gateway.{n}]\nkind = \"wecom\"\ncorp_id = \"ww1\"\nurl = \"http://127.0.0.1:1\"\n");
            std::fs::write(&path, names.iter().map(one).collect::<String>()).unwrap();
        };
        let names = || world.gateways().iter().map(|g| g.id.as_str().to_owned()).collect::<Vec<_>>();
        file(&["corp"]);
        let mut known = Known::read(&path);
        known.heed_start(&world).await;
        let _ = news(&world);

        std::fs::rename(&path, path.with_extension("bak")).unwrap();
        known.heed(&world).await;
        assert_eq!(names(), ["corp"], "a file that is away for a moment emptied the deck");
        let (said, over) = news(&world);
        assert!(said.len() == 1 && said[0].contains("config.toml is gone") && over == 0, "{said:?}");
        // Half written, then whole and with one more.
        std::fs::write(&path, "[gateway.corp").unwrap();
        known.heed(&world).await;
        let (said, over) = news(&world);
        assert!(said.len() == 1 && said[0].contains("has errors") && over == 1, "{said:?}");
        assert_eq!(names(), ["corp"]);
        file(&["corp", "late"]);
        known.heed(&world).await;
        let (said, over) = news(&world);
        assert_eq!((names(), over), (vec!["corp".into(), "late".into()], 1), "{said:?}");
        assert!(said[0].contains("read again"), "{said:?}");
        // What is taken out of a file that is there goes.
        file(&["late"]);
        known.heed(&world).await;
        assert_eq!(names(), ["late"]);
    }
}
