//! What the watch asks, and where it keeps the answers.

use super::{BATCH, Edition, NEWEST, SLOWLY, UNINVITED, Walk, Watch, connz, uids};
use crate::{
    domain::{Reason, ReasonCode, Stamp},
    i18n::{Message, wukongim as w},
    providers::{
        Report,
        wukongim::{
            api::{Api, Conn, Device},
            devices::Walked,
            rows::Account,
        },
    },
};
use std::collections::{BTreeMap, HashMap, VecDeque};
use tokio::time::Instant;

/// Fewest accounts whose device rows are read at one poll.
const SLICE: usize = 4;

impl Watch<'_> {
    /// Reads which accounts are watched; keeps what is known of those that stay.
    pub(super) async fn load(&mut self) -> Result<(), Reason> {
        self.edition = Edition::of(self.cx);
        let (names, warnings) = uids::watched(self.cx, &self.api).await?;
        let stale = |m: &Message| m.words == &w::WARN_UIDS_FILE || m.words == &w::WARN_BEYOND || m.words == &w::WARN_NO_UIDS;
        if self.facts.warnings.iter().any(stale) {
            self.facts.warnings.retain(|m| !stale(m));
            self.facts_sent = false;
        }
        warnings.into_iter().for_each(|m| self.warn(m));
        if names.len() == self.accounts.len() && names.iter().zip(&self.accounts).all(|(n, a)| *n == a.uid) {
            return Ok(());
        }
        let selected = self.selected.take().and_then(|n| self.accounts.get(n)).map(|a| a.uid.clone());
        let mut old: HashMap<Box<str>, Account> = std::mem::take(&mut self.accounts).into_iter().map(|a| (a.uid.clone(), a)).collect();
        self.accounts = names.into_iter().map(|u| old.remove(&u).unwrap_or_else(|| Account::new(&u))).collect();
        self.index = self.accounts.iter().enumerate().map(|(n, a)| (a.uid.clone(), n)).collect();
        self.selected = selected.and_then(|u| self.index.get(&u).copied());
        self.answers = vec![None; self.accounts.len().div_ceil(BATCH)];
        self.relist = true;
        self.uninvited.clear();
        self.walk = None;
        self.due = (0..self.accounts.len()).filter(|n| self.accounts[*n].devices.is_none()).collect();
        self.dirty.extend(0..self.accounts.len());
        Ok(())
    }

    /// Who is online: one request per batch.
    ///
    /// # Errors
    /// What kept it from being told.
    pub(super) async fn live(&mut self) -> Result<(), Reason> {
        for (b, batch) in self.accounts.chunks_mut(BATCH).enumerate() {
            let names: Vec<&str> = batch.iter().map(|a| &*a.uid).collect();
            let mut last = self.answers.get(b).copied().flatten();
            let Some(list) = self.api.online_if_new(&names, &mut last).await? else { continue };
            let mut now: HashMap<&str, connz::Live> = HashMap::new();
            for o in &list {
                *now.entry(o.uid.as_str()).or_default().entry(o.flag).or_default() += 1;
            }
            for (n, a) in batch.iter_mut().enumerate() {
                let live = now.remove(&*a.uid).unwrap_or_default();
                if live != a.live {
                    a.live = live;
                    self.dirty.insert(b * BATCH + n);
                }
            }
            if let Some(slot) = self.answers.get_mut(b) {
                *slot = last;
            }
        }
        self.suspect();
        Ok(())
    }

    /// A flag that is online though it has no token: its rows are read anew, and if it is so for longer than any kick takes,
    /// tokens are not checked.
    fn suspect(&mut self) {
        if self.no_devices || self.checks_off {
            return;
        }
        let now = self.cx.time.now();
        let mut found: HashMap<(usize, u8), Stamp> = HashMap::new();
        for (n, a) in self.accounts.iter().enumerate().filter(|(_, a)| !a.live.is_empty()) {
            for flag in a.uninvited() {
                let since = self.uninvited.get(&(n, flag)).copied().unwrap_or(now);
                found.insert((n, flag), since);
                if a.read_at.is_none_or(|at| at.age(&now) > since.age(&now) || since == now) && !self.due.contains(&n) {
                    self.due.push_front(n);
                }
            }
        }
        self.uninvited = found;
    }

    /// Concludes from flags that stay online without a token.
    fn conclude(&mut self) {
        let now = self.cx.time.now();
        let sure = |((n, flag), since): (&(usize, u8), &Stamp)| {
            let a = self.accounts.get(*n)?;
            let read_since = a.read_at.is_some_and(|at| at.age(&now) < since.age(&now));
            (since.age(&now) >= UNINVITED && read_since && a.uninvited().any(|f| f == *flag)).then_some(())
        };
        if self.uninvited.iter().find_map(sure).is_some() {
            self.not_enforced();
        }
    }

    /// Reads all device rows now.
    ///
    /// # Errors
    /// A credential that is refused; anything else is told and left for later.
    pub(super) async fn all_devices(&mut self) -> Result<(), Reason> {
        self.walk_at = Instant::now() + SLOWLY;
        self.due.clear();
        self.walk = Walk::new(self.accounts.len());
        while self.walk.is_some() && !self.no_devices {
            self.walk_on().await;
        }
        if self.due.is_empty() && Walk::new(self.accounts.len()).is_none() {
            for n in 0..self.accounts.len() {
                self.read_one(n).await;
            }
        }
        Ok(())
    }

    /// A page of the slow walk, or some accounts of those that wait.
    pub(super) async fn some_devices(&mut self) {
        if self.no_devices {
            return;
        }
        if self.walk.is_none() && self.due.is_empty() && Instant::now() >= self.walk_at {
            self.walk_at = Instant::now() + SLOWLY;
            if self.cx.settings.wukongim.watches_all()
                && let Err(r) = self.load().await
            {
                self.send(Report::Trouble(r)).await;
            }
            self.walk = Walk::new(self.accounts.len());
            if self.walk.is_none() {
                self.due = (0..self.accounts.len()).collect();
            }
        }
        self.walk_on().await;
        // Spread so that even thousands are through before they are due again.
        let slice = (self.accounts.len() / 100).max(SLICE);
        for _ in 0..slice {
            let Some(n) = self.due.pop_front() else { break };
            self.read_one(n).await;
        }
        self.conclude();
    }

    async fn walk_on(&mut self) {
        let Some(walk) = self.walk.take() else { return };
        let index = &self.index;
        match walk.page(&self.api, |uid| index.contains_key(uid)).await {
            Ok(Walked::On(walk)) => self.walk = Some(walk),
            Ok(Walked::Done(mut all)) => {
                let at = self.cx.time.now();
                for n in 0..self.accounts.len() {
                    let rows = all.remove(&*self.accounts[n].uid).unwrap_or_default();
                    self.keep(n, rows, at);
                }
            }
            Ok(Walked::TooLong) => self.due = (0..self.accounts.len()).collect::<VecDeque<_>>(),
            // This version lists devices only by account.
            Err(r) if r.code == ReasonCode::NotInVersion => self.due = (0..self.accounts.len()).collect(),
            Err(r) => self.without_devices(r).await,
        }
    }

    async fn read_one(&mut self, n: usize) {
        if self.no_devices {
            return;
        }
        let Some(uid) = self.accounts.get(n).map(|a| a.uid.clone()) else { return };
        match self.api.devices(&uid).await {
            Ok(rows) => self.keep(n, rows, self.cx.time.now()),
            Err(r) => self.without_devices(r).await,
        }
    }

    fn keep(&mut self, n: usize, rows: Vec<Device>, at: Stamp) {
        let Some(a) = self.accounts.get_mut(n) else { return };
        a.read_at = Some(at);
        if a.devices.as_ref() != Some(&rows) {
            a.devices = Some(rows);
            self.dirty.insert(n);
        }
    }

    /// Device rows are not to be had: live states go on without them.
    async fn without_devices(&mut self, r: Reason) {
        let never = matches!(r.code, ReasonCode::NotInVersion | ReasonCode::CredentialMissing | ReasonCode::CredentialRefused | ReasonCode::NotFound);
        if never {
            self.no_devices = true;
            self.due.clear();
            self.warn(Message::new(&w::WARN_NO_DEVICES).nest("why", Message::from(&r)));
        } else {
            self.send(Report::Trouble(r)).await;
        }
    }

    /// Looks for fights among the newest connections.
    pub(super) async fn look_at_newest(&mut self) {
        if self.no_conns || self.accounts.is_empty() {
            return;
        }
        let rows = match self.api.newest_conns(NEWEST).await {
            Ok(rows) => rows,
            Err(r) => {
                // Without a login v3 lists none; a node in trouble is heard of by the next batch.
                self.no_conns = matches!(r.code, ReasonCode::NotInVersion | ReasonCode::CredentialMissing | ReasonCode::CredentialRefused);
                return;
            }
        };
        let full = rows.len() >= NEWEST as usize;
        let lowest = if full { rows.iter().map(|c| c.id).min().unwrap_or(0) } else { 0 };
        let seen = rows.iter().filter_map(|c| {
            let a = self.accounts.get(*self.index.get(c.uid.as_str())?)?;
            Some(connz::seen(c, &a.live, a.rows()))
        });
        let seen = seen.collect();
        let changed = self.contests.look(self.cx.time.now(), seen, lowest);
        if !changed.is_empty() {
            self.contests.keep(self.cx).await;
        }
        self.dirty.extend(changed.iter().filter_map(|u| self.index.get(u).copied()));
    }

    /// The connections of the account under the cursor.
    pub(super) async fn look_at_selected(&mut self) {
        let Some(n) = self.selected else { return };
        let Some(uid) = self.accounts.get(n).map(|a| a.uid.clone()) else { return };
        // Nobody of it is online: there is nothing to list.
        let told = if self.accounts[n].live.is_empty() { Ok(Vec::new()) } else { self.api.conns(&uid).await };
        let Ok(conns) = told else { return };
        if let Some(a) = self.accounts.get_mut(n).filter(|a| a.conns.as_ref() != Some(&conns)) {
            a.conns = Some(conns);
            self.dirty.insert(n);
        }
    }
}

/// One account as it is now, for a look at a single row.
///
/// # Errors
/// What kept it from being told.
pub(in crate::providers::wukongim) async fn one(api: &Api<'_>, uid: &str) -> Result<Account, Reason> {
    let mut a = Account::new(uid);
    let mut live = BTreeMap::new();
    for o in api.online(&[uid]).await?.into_iter().filter(|o| o.uid == uid) {
        *live.entry(o.flag).or_default() += 1;
    }
    a.live = live;
    a.devices = match api.devices(uid).await {
        Ok(rows) => Some(rows),
        Err(r) if matches!(r.code, ReasonCode::NotInVersion | ReasonCode::CredentialMissing) => None,
        Err(r) => return Err(r),
    };
    let conns: Result<Vec<Conn>, Reason> = if a.live.is_empty() { Ok(Vec::new()) } else { api.conns(uid).await };
    a.conns = conns.ok();
    Ok(a)
}
