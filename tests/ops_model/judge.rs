//! What must be so, whatever happened.

use super::{
    case::{Case, TakenBack},
    play::{OLD, Played},
    toy::Server,
};
use pairdeck::{
    domain::{OpPhase, Replay},
    engine::mailbox::{HistoryLine, HistoryWhat},
};

/// The outcome that a line of the audit tells.
pub fn outcome(line: &HistoryLine) -> Option<String> {
    match &line.what {
        HistoryWhat::Audit { outcome, .. } => Some(outcome.as_str().to_owned()),
        _ => None,
    }
}

/// True of a request that changes something that cannot be given back.
fn destroys(request: &str) -> bool {
    request.starts_with("quit ") || request.starts_with("token ")
}

/// Panics with the whole story where something is not so.
pub fn judge(case: &Case, played: &Played, s: &Server) {
    let Played { phase, ended, left, .. } = played;
    let said = || format!("{case:#?}\nended {ended:?}\naudit {:?}\nremote {:?} holds {:?}\nlog {:#?}", played.audit, s.devices, s.holds, s.log);
    assert!(left.iter().all(|op| matches!(op.phase, OpPhase::Ambiguous)), "an op stays open: {left:?}\n{}", said());
    assert!(left.iter().all(|op| op.reason.is_some()), "nobody is told why: {}", said());
    assert_eq!(left.is_empty(), *phase != OpPhase::Ambiguous, "the journal says something else: {left:?}\n{}", said());
    assert!(s.log.len() < 200, "it does not stop: {}", said());
    assert!(s.devices["u2"].values().all(|t| t == OLD) && s.holds.iter().all(|(uid, _)| uid == "u1"), "somebody else was touched: {}", said());
    let theirs = played.came.map(|(who, _)| who.token());
    let untouched = s.devices["u1"].iter().filter(|(flag, _)| !case.flags().contains(flag));
    assert!(untouched.into_iter().all(|(_, t)| t == theirs.unwrap_or(OLD)), "another device was touched: {}", said());
    let tokens: Vec<&str> = case.flags().iter().map(|f| s.devices["u1"][f].as_str()).collect();
    let chosen = left.first().and_then(|op| op.plan.as_ref()?.sealed.get("token").map(|t| t.expose().to_owned()));
    let given = ended.as_ref().and_then(|e| e.token.as_ref().map(|t| t.expose().to_owned()));
    match phase {
        OpPhase::Done if case.is_wipe() => assert!(tokens.iter().all(|t| t.is_empty()), "done, and a session lives: {}", said()),
        OpPhase::Done => assert_eq!(Some(tokens[0]), given.as_deref(), "done, and the remote has another token: {}", said()),
        // Before anything was sent, or taken back.
        OpPhase::Failed | OpPhase::Cancelled => {
            assert!(tokens.iter().all(|t| *t == theirs.unwrap_or(OLD)), "it is said that nothing was changed: {}", said());
        }
        OpPhase::Ambiguous => {
            let known = |t: &str| t == OLD || t.is_empty() || Some(t) == chosen.as_deref() || Some(t) == theirs;
            assert!(tokens.iter().all(|t| known(t)), "a token that nobody knows: {}", said());
        }
        other => panic!("{other:?}: {}", said()),
    }
    if !matches!(phase, OpPhase::Ambiguous) {
        assert!(s.holds.is_empty() || case.is_wipe() && *phase == OpPhase::Done, "it is over, and a device is still held: {}", said());
    }
    if *phase != OpPhase::Done
        && let Some(ended) = ended
    {
        assert!(ended.reason.is_some(), "nobody is told why: {}", said());
    }
    // Told by who closed it, in the words of its end; nothing at all of what never happened.
    let last = played.audit.last().map(|outcome| outcome.rsplit(": ").next().unwrap_or_default());
    let taken_back_armed = case.taken_back == Some(TakenBack::Armed);
    let expected = (ended.is_some() || taken_back_armed).then(|| phase.name());
    assert_eq!(last, expected, "the audit says something else: {}", said());
    nothing_is_repeated_blindly(case, s, &said);
    a_stranger_is_left_alone(case, played, s, &said);
    taken_back_means_taken_back(case, played, s, &said);
    if case.careful.is_some() && case.remote_is_well() && played.came.is_none() && case.taken_back.is_none() {
        // One that is only killed is finished or taken back; only what may not be repeated is left to a person.
        let never = case.careful.is_some_and(|how| how.quit == Replay::Never);
        let began = s.log.iter().any(|r| r.contains("run of quit"));
        let fits = match phase {
            OpPhase::Done => true,
            OpPhase::Cancelled => !began,
            OpPhase::Ambiguous => never && !case.kills.is_empty(),
            _ => false,
        };
        assert!(fits, "{}", said());
    }
}

/// Between two sends of the same request stands a look at what became of the first, unless it may be repeated freely.
fn nothing_is_repeated_blindly(case: &Case, s: &Server, said: &dyn Fn() -> String) {
    for (n, request) in s.log.iter().enumerate() {
        let replay = match request.split(' ').next() {
            Some("quit") => match case.careful {
                Some(how) => how.quit,
                None if case.is_wipe() => Replay::Free,
                None => Replay::AfterCheck,
            },
            Some("token" | "hold") => Replay::AfterCheck,
            _ => continue,
        };
        let Some(next) = s.log.iter().skip(n + 1).position(|r| r == request).map(|more| n + 1 + more) else { continue };
        assert!(replay != Replay::Never, "{request} was sent again: {}", said());
        // Requests are counted from 1.
        let looked =
            s.answered.iter().any(|at| (n + 2..=next).contains(at) && (s.log[at - 1].contains("check of") || s.log[at - 1].starts_with("read ")));
        assert!(replay == Replay::Free || looked, "{request} was repeated blindly at {}: {}", next + 1, said());
    }
}

fn a_stranger_is_left_alone(case: &Case, played: &Played, s: &Server, said: &dyn Fn() -> String) {
    let Some((who, after)) = played.came else { return };
    assert!(s.devices["u1"].values().all(|t| t == who.token()), "a stranger's token was touched: {}", said());
    let sent: Vec<_> = s.log[after..].iter().filter(|r| destroys(r) || r.starts_with("hold ")).collect();
    assert!(sent.is_empty(), "sent to a stranger: {sent:?}\n{}", said());
    if who == super::toy::Stranger::Anew {
        assert!(!s.log[after..].iter().any(|r| r.starts_with("free ")), "a newcomer's account was worked on: {}", said());
    }
    assert_ne!(played.phase, OpPhase::Done, "it was not done to what stands there: {}", said());
    // Past the pivot nobody can say that nothing was changed.
    if s.log[..after].iter().any(|r| destroys(r)) && case.remote_is_well() {
        assert_eq!(played.phase, OpPhase::Ambiguous, "{}", said());
    }
}

fn taken_back_means_taken_back(case: &Case, played: &Played, s: &Server, said: &dyn Fn() -> String) {
    if case.taken_back == Some(TakenBack::Armed) {
        assert!(s.log.is_empty() && played.phase == OpPhase::Cancelled && played.audit == ["cancelled", "cancelled"], "{}", said());
    }
    let Some(n) = played.taken_back else { return };
    if s.log[..n].iter().any(|r| destroys(r)) {
        return;
    }
    // A step that runs is not dropped in flight: only its own request may follow. Who was killed then could tell nobody.
    let in_flight = s.log.get(n).is_some_and(|r| destroys(r));
    if !in_flight && played.killed.is_empty() {
        assert!(!s.log.iter().any(|r| destroys(r)), "taken back at {n}, and done all the same: {}", said());
        let well = case.remote_is_well();
        let fits = played.phase == OpPhase::Cancelled || !well && matches!(played.phase, OpPhase::Failed | OpPhase::Ambiguous);
        assert!(fits, "{}", said());
    }
}
