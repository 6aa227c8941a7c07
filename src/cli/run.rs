//! Commands that need the store or a gateway, one function each: they open the house, do, hand the answer to a `render`
//! function, and end. Everything is said in the renderers; every decision is the engine's.

use super::{
    Exit, Gone, Output,
    args::{ClockArgs, History, One},
    clock as clock_out, clock_host, doctor, history, json, list,
    session::{LIMIT, Session, broken},
    status,
};
use crate::{
    clock::gate::GateView,
    domain::{GatewayId, OpPhase, Stamp, State, ids::TargetName},
    i18n::{Message, command as c, reason},
    providers::{Look, registry},
    store::{Cursor, HistoryQuery},
    vault::VaultState,
};
use tokio_util::sync::CancellationToken;

/// Lines of the audit that one document holds at most: it is kept whole, and exported whole.
const WHOLE_AUDIT: usize = 1_000_000;

/// How a command ended: an exit code, or the reader of stdout has gone.
pub type Ran = Result<Exit, Gone>;

/// `list`.
///
/// # Errors
/// When the reader of stdout has gone.
pub async fn list(house: &Session, as_json: bool, out: &mut Output) -> Ran {
    // Rows of the cache are listed with a locked vault too; the gateways' own links say why they are old.
    let locked = house.ready(out).await.err();
    house.refresh(None, out).await;
    let gateways = house.world.gateways();
    let links: Vec<_> = gateways.iter().map(|g| (g.id.clone(), g.spec.kind, g.link(), g.facts())).collect();
    let lines: Vec<_> = links.iter().map(|(name, kind, link, facts)| json::GatewayLine { name, kind, link, facts }).collect();
    let exit = list::render(&lines, &house.world.rows(), &house.world.time().now(), as_json, out)?;
    Ok(locked.unwrap_or(exit))
}

/// `status`.
///
/// # Errors
/// When the reader of stdout has gone.
pub async fn status(house: &Session, args: &One, out: &mut Output) -> Ran {
    if let Err(exit) = house.ready(out).await {
        return Ok(exit);
    }
    let row = match house.resolve(&args.target, out).await {
        Ok(row) => row,
        Err(exit) => return Ok(exit),
    };
    let Some(gateway) = house.world.gateway(&row.gateway) else { return Ok(Exit::Name) };
    crate::engine::look(&house.world, &gateway, &row.target()).await;
    crate::engine::look_at_server(&house.world, &gateway).await;
    let row = house.world.row(&row.target()).unwrap_or(row);
    // A gateway that did not answer leaves what was seen last: said, and no success for a script that asks what is now.
    let link = gateway.link();
    let silent = link.reason.filter(|r| r.code.is_problem() && !matches!(link.state, State::Online | State::Ready));
    let exit = status::render(&row, (gateway.spec.kind, &gateway.facts()), silent.is_none(), &house.world.time().now(), args.json, out)?;
    Ok(silent.map_or(exit, |why| Exit::from(why.code).or_failed()))
}

/// `history`.
///
/// # Errors
/// When the reader of stdout has gone.
pub async fn history(house: &Session, args: &History, out: &mut Output) -> Ran {
    house.world.seed_all().await;
    let mut gone = None;
    let target = match &args.target {
        None => None,
        Some(name) => match house.world.resolve(name) {
            Ok(row) => Some(row.target()),
            // What was done to it is kept when it is gone itself.
            Err(_) if args.audit => {
                gone = Some(name);
                None
            }
            Err(_) => return Ok(unknown(name, out)),
        },
    };
    let wanted = |id: &str| gone.is_none_or(|name| speaks_of(id, name));
    let since = args.since.map(|s| s.wall_ms(house.world.time().now().wall));
    // Only what somebody did: a clock is nobody's deed, and no pairing.
    let clock = !args.pairing && !args.audit;
    let query = HistoryQuery { target, pairing: args.pairing, audit: args.audit, clock, since, limit: if args.audit { WHOLE_AUDIT } else { 10_000 } };
    let store = house.world.store();
    // Before the first look, so that nothing falls between it and the first wait.
    store.watch_from_here().await;
    let mut cursor = Cursor::default();
    loop {
        let mut lines = match store.history_after(query.clone(), cursor).await {
            Ok((lines, next)) => {
                cursor = next;
                lines
            }
            Err(e) => return Ok(broken(&e, out)),
        };
        lines.retain(|(id, _)| wanted(id));
        if let Some(name) = gone.filter(|_| lines.is_empty() && !args.follow) {
            return Ok(unknown(name, out));
        }
        lines.reverse();
        if !args.follow {
            let counts = if args.pairing { Some(store.pairing_counts(query).await) } else { None };
            return match counts.transpose() {
                Ok(counts) => history::render(&lines, counts.as_deref(), args.json, out),
                Err(e) => Ok(broken(&e, out)),
            };
        }
        for (id, line) in &lines {
            history::follow(id, line, args.json, out)?;
        }
        store.changed().await;
    }
}

/// True when a line's id is of that name: the id itself, an account of any gateway, or everything of a gateway.
fn speaks_of(id: &str, name: &str) -> bool {
    let Some(of) = TargetName::parse(id) else { return false };
    // A line about a whole gateway has no account.
    let of = match of.gateway {
        Some(gateway) => (Some(gateway), Some(of.account), of.device),
        None => (Some(of.account), None, None),
    };
    let whole = of.0.as_deref() == Some(name);
    let same = |wanted: &TargetName| {
        of.1.as_deref() == Some(wanted.account.as_str()) && of.2 == wanted.device && (wanted.gateway.is_none() || wanted.gateway == of.0)
    };
    whole || TargetName::parse(name).is_some_and(|wanted| same(&wanted))
}

fn unknown(name: &str, out: &mut Output) -> Exit {
    out.complain(&Message::new(&c::NAME_UNKNOWN).with("name", name));
    Exit::Name
}

/// `clock`: each gateway is asked by the cheapest call that shows its clock.
///
/// # Errors
/// When the reader of stdout has gone.
pub async fn clock(house: &Session, args: &ClockArgs, out: &mut Output) -> Ran {
    let only = match &args.gateway {
        None => None,
        Some(name) => match house.gateway(name, out) {
            Ok(g) => Some(g.id.clone()),
            Err(exit) => return Ok(exit),
        },
    };
    // A clock is seen without a key too: a refused call carries a Date like any other.
    let _ = house.unlock(out).await;
    let ((views, now), told, ()) = tokio::join!(clocks(house, only.as_ref()), house.world.ask_ntp_and(&args.ntp), house.world.ask_daemons());
    if told && views.is_empty() {
        return clock_host::render(&house.world.gate().host(), clock_out::Form::of(args), args.strict, out);
    }
    // Judged after the servers answered too.
    let views: Vec<GateView> = views.iter().map(|v| house.world.gate().view(&v.gateway)).collect();
    let mut tracks = Vec::new();
    for view in views.iter().filter(|_| args.json) {
        // A history that cannot be read is no reason to say nothing of the clock.
        tracks.extend(house.world.clock_track(&view.gateway).await);
    }
    let host = house.world.host_facts();
    let tracks = if tracks.len() == views.len() { tracks } else { Vec::new() };
    let found = clock_out::Findings { views: &views, tracks: &tracks, host: &host, now };
    clock_out::render(&found, clock_out::Form::of(args), out)
}

async fn clocks(house: &Session, only: Option<&GatewayId>) -> (Vec<GateView>, Stamp) {
    let gateways: Vec<_> = house.world.gateways().into_iter().filter(|g| only.is_none_or(|o| &g.id == o)).collect();
    let mut asked = tokio::task::JoinSet::new();
    for gateway in gateways.clone() {
        let world = house.world.clone();
        asked.spawn(async move {
            if let Ok(cx) = world.cx(&gateway, CancellationToken::new()) {
                let _ = tokio::time::timeout(LIMIT, gateway.provider().look(&cx, None, Look::Probe)).await;
            }
        });
    }
    while asked.join_next().await.is_some() {}
    crate::engine::clock::settle(&house.world, only, LIMIT).await;
    (gateways.iter().map(|g| house.world.gate().view(&g.id)).collect(), house.world.time().now())
}

/// `doctor`. `first` are checks made before the house could be opened, such as that of the configuration.
///
/// # Errors
/// When the reader of stdout has gone.
pub async fn doctor(house: &Session, first: Vec<doctor::Check>, as_json: bool, out: &mut Output) -> Ran {
    use doctor::{Check, Mark};
    let mut checks = first;
    checks.push(doctor::terminal(doctor::Terminal::read(), out.lang));
    checks.push(match house.world.open_vault().await {
        VaultState::Open(source) => Check::new("vault", Mark::Ok, Message::new(&c::CHECK_VAULT).with("source", source.name())),
        VaultState::Absent => Check::new("vault", Mark::Ok, &c::CHECK_VAULT_ABSENT),
        VaultState::Locked(why) => Check::failed("vault", &why),
        VaultState::Opening => Check::new("vault", Mark::Skipped, &c::CHECK_VAULT_ABSENT),
    });
    if let Some(why) = house.world.vault().restored() {
        checks.push(Check::new("mark", Mark::Fail, why));
    }
    // A disk that is full takes nothing, and reading it tells nobody.
    let probed = house.world.store().probe().await;
    checks.push(match (house.world.store().trouble().or(probed.err().map(|e| e.reason())), house.world.load_secrets().await) {
        (Some(why), _) => Check::failed("store", &why),
        (None, Err(e)) => Check::failed("store", &e.reason()),
        (None, Ok(())) => Check::new("store", Mark::Ok, Message::new(&c::CHECK_STORE).with("path", house.paths.data.to_string_lossy())),
    });
    checks.extend(crate::store::guard::exposed(&house.paths).into_iter().map(|found| Check::new("files", Mark::Warn, found)));
    for (path, _) in super::exec::file::left(&house.paths.data) {
        let found = Message::new(&c::TOKEN_LEFT).with("path", path.to_string_lossy());
        checks.push(Check::new("token-file", Mark::Warn, found));
    }
    for op in house.world.store().ops_unfinished().await.unwrap_or_default().iter().filter(|op| op.phase == OpPhase::Ambiguous) {
        let why = op.reason.as_ref().map(|r| reason::full(r, out.lang)).unwrap_or_default();
        let found = Message::new(&c::LEFT_AMBIGUOUS).with("action", op.action.name()).with("target", op.target.id()).with("reason", why);
        checks.push(Check::new("journal", Mark::Warn, found).remedy(Some(Message::new(&c::OPEN_DO))));
    }
    checks.extend(house.world.broken_secrets().iter().map(|why| Check::failed("secret", why)));
    checks.extend(house.world.broken_tokens().await.iter().map(|why| Check::failed("token", why)));
    if let Some(shared) = house.world.shared().await {
        let asked = match shared {
            Ok(shared) => shared.holder("doctor").await.err(),
            Err(why) => Some(why),
        };
        checks.push(asked.map_or_else(|| Check::new("shared", Mark::Ok, &c::CHECK_SHARED), |why| Check::failed("shared", &why)));
    }
    checks.extend(registry::local_checks(&house.gateways).into_iter().map(|found| {
        let mark = match found.mark {
            crate::providers::Mark::Good => Mark::Ok,
            crate::providers::Mark::Bad => Mark::Fail,
            crate::providers::Mark::Note => Mark::Warn,
        };
        Check::new(found.gateway, mark, found.says).remedy(found.remedy)
    }));
    house.finish_left(out).await;
    let host = house.world.host_facts();
    let (failed, _, ()) = tokio::join!(house.refresh(None, out), house.world.ask_ntp_and(&[]), house.world.ask_daemons());
    crate::engine::clock::settle(&house.world, None, LIMIT).await;
    for g in house.world.gateways() {
        checks.push(match failed.iter().find(|(id, _)| *id == g.id) {
            Some((_, why)) => Check::failed(g.id.as_str(), why),
            None if !g.provider().is_asked() => Check::new(g.id.as_str(), Mark::Skipped, &crate::i18n::token::NOT_ASKED),
            None => {
                let kind = g.facts().version.map_or_else(|| g.spec.name.to_owned(), |v| format!("{} {v}", g.spec.name));
                Check::new(g.id.as_str(), Mark::Ok, Message::new(&c::CHECK_GATEWAY).with("kind", kind))
            }
        });
        if let Some(note) = g.facts().note {
            let remedy = crate::i18n::shell::remedy_words(&note).map(|words| Message { words, args: note.args.clone(), nested: Vec::new() });
            checks.push(Check::new(g.id.as_str(), Mark::Warn, Message::from(&note)).remedy(remedy));
        }
        checks.extend(g.facts().warnings.into_iter().map(|m| Check::new(g.id.as_str(), Mark::Warn, m)));
    }
    checks.extend(doctor::accounts(&house.world.rows(), out.lang));
    let views: Vec<_> = house.world.gateways().iter().map(|g| house.world.gate().view(&g.id)).collect();
    checks.extend(doctor::clocks(&views, &host, out.lang));
    doctor::render(&checks, as_json, out)
}
