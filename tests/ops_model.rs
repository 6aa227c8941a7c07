//! The runner of destructive operations against a model of a remote that fails, lies, repeats and forgets to answer, while its
//! own process is killed again and again, somebody else takes the account over in between, and the operator takes it back.
//! Whatever happens: nothing is claimed that is not so, no token is lost, nobody else is touched, and nothing stays open.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs, unreachable_pub)]

#[path = "ops_model/case.rs"]
mod case;
#[path = "ops_model/judge.rs"]
mod judge;
#[path = "ops_model/play.rs"]
mod play;
mod toy;

use case::{Case, PLANS, Plan, Random, TakenBack, WAYS};
use pairdeck::domain::{OpPhase, Replay};
use play::{Played, play};
use std::collections::{BTreeMap, BTreeSet};
use toy::{Fate, Kill, Stranger};

/// What really happened in the cases that were played.
#[derive(Default)]
struct Seen {
    ended: BTreeMap<&'static str, usize>,
    killed: usize,
    anew: usize,
    token: usize,
    armed: usize,
    before: usize,
    after: usize,
    lies: usize,
    repeats: usize,
}

impl Seen {
    fn take(&mut self, case: &Case, played: &Played) {
        *self.ended.entry(played.phase.name()).or_default() += 1;
        self.killed += played.killed.len();
        match played.came {
            Some((Stranger::Anew, _)) => self.anew += 1,
            Some((Stranger::Token, _)) => self.token += 1,
            None => {}
        }
        match (case.taken_back, played.taken_back) {
            (Some(TakenBack::Armed), _) => self.armed += 1,
            (_, Some(n)) if played.log[..n].iter().any(|r| r.contains("quit")) => self.after += 1,
            (_, Some(_)) => self.before += 1,
            _ => {}
        }
        if case.is_wipe() {
            let quits = |fate| played.struck.iter().filter(|(what, f)| *f == fate && what.starts_with("quit ")).count();
            self.lies += quits(Fate::Lie);
            self.repeats += quits(Fate::Repeat);
        }
    }

    /// A branch that a model never reaches it proves nothing about.
    fn is_all_there(&self) -> bool {
        [self.killed, self.anew, self.token, self.armed, self.before, self.after, self.lies, self.repeats].iter().all(|n| *n > 0)
    }

    fn told(&self) -> String {
        let Self { ended, killed, anew, token, armed, before, after, lies, repeats } = self;
        format!(
            "{killed} kills, {} strangers met ({anew} accounts made anew, {token} tokens replaced), {} taken back ({armed} armed, {before} \
             before the pivot, {after} past it), {lies} lies to wipes and {repeats} repeats, ended {ended:?}",
            anew + token,
            armed + before + after,
        )
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_the_remote_does_nothing_is_claimed_that_is_not_so_and_no_token_is_lost() {
    let cases = std::env::var("PAIRDECK_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    let mut random = Random(0x5EED_0008_5EED_0008);
    let mut seen = Seen::default();
    for _ in 0..cases {
        let case = Case::of(&mut random);
        seen.take(&case, &play(&case).await);
    }
    println!("FIGURE ops against a remote that fails, lies and repeats: {cases} cases, {}, 0 strangers touched, 0 tokens lost", seen.told());
    assert!(seen.ended.get("done").is_some_and(|n| *n > cases / 4), "a model that lets nothing through proves nothing: {}", seen.told());
    assert!(["ambiguous", "failed", "cancelled"].iter().all(|end| seen.ended.contains_key(end)), "{}", seen.told());
    assert!(seen.is_all_there(), "something never happened: {}", seen.told());
}

#[tokio::test(start_paused = true)]
async fn killed_at_every_request_of_every_plan_it_is_finished_or_taken_back_and_a_stranger_is_left_alone() {
    let (mut points, mut steps, mut seen) = (BTreeSet::new(), BTreeSet::new(), Seen::default());
    for plan in PLANS {
        for way in WAYS {
            let whole = play(&Case::well(plan, way)).await;
            assert_eq!(whole.phase, OpPhase::Done);
            // Enumerated from what an undisturbed run sends, not picked.
            for n in 1..=whole.log.len() {
                for kill in [Kill::Before, Kill::After] {
                    for who in [None, Some(Stranger::Anew), Some(Stranger::Token)] {
                        // A trusting provider cannot tell who stands there.
                        if who.is_some() && way.is_none() {
                            continue;
                        }
                        let case = Case { kills: vec![(n, kill)], stranger: who.map(|who| (0, who)), ..Case::well(plan, way) };
                        let played = play(&case).await;
                        assert_eq!(played.killed.len(), 1, "{case:?}");
                        assert_eq!(played.came.map(|(who, _)| who), who, "{case:?}");
                        seen.take(&case, &played);
                        points.extend(played.killed.iter().cloned().map(|k| (plan, way.is_some(), k)));
                        steps.insert((plan, way.is_some(), whole.ended.as_ref().map_or(0, |e| e.steps.len())));
                    }
                }
            }
        }
    }
    let many: BTreeSet<usize> = steps.iter().map(|(_, _, n)| *n).collect();
    println!(
        "FIGURE ops killed at every request: {} requests of plans with {many:?} steps, both sides, {}, 0 strangers touched",
        points.len() / 2,
        seen.told()
    );
    assert_eq!(many, BTreeSet::from([1, 2, 3, 4, 5, 6]));
    for step in ["hold", "quit", "token", "verify", "free"] {
        let is_hit =
            |kill| points.iter().any(|(plan, careful, (what, k))| *plan == Plan::Regenerate && *careful && what.contains(step) && *k == kill);
        assert!(is_hit(Kill::Before) && is_hit(Kill::After), "{step} was never killed");
    }
}

#[tokio::test(start_paused = true)]
async fn taken_back_at_every_request_of_every_plan_nothing_is_sent_before_the_pivot_and_nothing_is_claimed_after_it() {
    let mut seen = Seen::default();
    for plan in PLANS {
        for way in WAYS {
            let whole = play(&Case::well(plan, way)).await;
            let all = (0..=whole.log.len()).map(|n| TakenBack::At(n, 0)).chain([TakenBack::Armed]);
            for when in all {
                let TakenBack::At(n, _) = when else {
                    let case = Case { taken_back: Some(when), ..Case::well(plan, way) };
                    seen.take(&case, &play(&case).await);
                    continue;
                };
                // The remote stays well; or from that request on, or from the next one, it is away for as long as the process lives.
                for away_after in [None, n.checked_sub(1), Some(n)] {
                    let case = Case { taken_back: Some(when), away_after, ..Case::well(plan, way) };
                    let played = play(&case).await;
                    assert!(played.taken_back.is_some(), "{case:?}");
                    seen.take(&case, &played);
                    if case.remote_is_well() {
                        let began = played.log.iter().any(|r| r.contains("run of quit") || r.starts_with("quit "));
                        let expected = if began { OpPhase::Done } else { OpPhase::Cancelled };
                        assert_eq!(played.phase, expected, "{case:?} {:#?}", played.log);
                    }
                }
            }
        }
    }
    println!("FIGURE ops taken back at every request: {}", seen.told());
    assert!(seen.armed > 0 && seen.before > 0 && seen.after > 0);
}

#[tokio::test(start_paused = true)]
async fn what_no_answer_came_to_stays_in_doubt_until_it_is_looked_at_whatever_is_tried_or_wanted_meanwhile() {
    let mut seen = Seen::default();
    // Steps that may be repeated freely are sent again without a look: that look is what must not be forgotten.
    let ways = WAYS.into_iter().filter(|way| way.is_none_or(|how| how.quit == Replay::Free));
    for (plan, way) in ways.flat_map(|way| [Plan::Regenerate, Plan::Wipe].map(|plan| (plan, way))) {
        let whole = play(&Case::well(plan, way)).await;
        for n in 1..=whole.log.len() {
            // It is carried out and not answered. Then nothing is heard any more, or the look at it fails; the operator waits or does not.
            let lost = |more: &[(usize, Fate)]| [(n, Fate::Lose)].into_iter().chain(more.iter().copied()).collect::<BTreeMap<_, _>>();
            for (fates, away_after, taken_back) in [
                (lost(&[]), Some(n), None),
                (lost(&[]), Some(n), Some(TakenBack::At(n, 0))),
                (lost(&[(n + 1, Fate::Lose)]), None, Some(TakenBack::At(n, 0))),
                (lost(&[(n + 1, Fate::Refuse)]), None, Some(TakenBack::At(n + 1, 0))),
            ] {
                let case = Case { fates, away_after, taken_back, ..Case::well(plan, way) };
                seen.take(&case, &play(&case).await);
            }
        }
    }
    println!("FIGURE ops without an answer: {}", seen.told());
    assert!(seen.after > 0 && seen.ended.contains_key("done"), "{}", seen.told());
}
