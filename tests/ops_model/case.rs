//! What is played: which plan, how the remote behaves, where processes die, who comes in between, when the operator takes it back.

use super::toy::{Fate, Kill, Stranger, careful::Careful};
use pairdeck::domain::Replay;
use std::collections::BTreeMap;

/// Seeded: the same cases each time.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).unwrap()
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plan {
    Regenerate,
    /// Of one device.
    Wipe,
    /// Of all devices of the account.
    WipeAll,
}

/// When the operator takes it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenBack {
    /// While it is only armed.
    Armed,
    /// While the request of this number is on its way (0: before the first), or so many milliseconds later.
    At(usize, u64),
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    pub plan: Plan,
    /// How its provider works. `None`: trusting, which cannot find out a lie to its wipe, nor tell a stranger.
    pub careful: Option<Careful>,
    /// Of the request of that number.
    pub fates: BTreeMap<usize, Fate>,
    /// Of the request of that number among those that change something.
    pub of_changes: BTreeMap<usize, Fate>,
    /// One for each process: at which of its requests, on which side.
    pub kills: Vec<(usize, Kill)>,
    pub away_after: Option<usize>,
    /// Who comes after the process of this number was killed.
    pub stranger: Option<(usize, Stranger)>,
    pub taken_back: Option<TakenBack>,
}

/// Every way in which a provider may work.
pub const WAYS: [Option<Careful>; 7] = {
    const fn way(holds: bool, reads_back: bool, quit: Replay) -> Option<Careful> {
        Some(Careful { holds, reads_back, quit })
    }
    [
        None,
        way(true, true, Replay::AfterCheck),
        way(false, false, Replay::AfterCheck),
        way(false, true, Replay::Free),
        way(true, false, Replay::Free),
        way(true, true, Replay::Never),
        way(false, false, Replay::Never),
    ]
};

pub const PLANS: [Plan; 3] = [Plan::Regenerate, Plan::Wipe, Plan::WipeAll];

impl Case {
    /// One in which nothing goes wrong.
    pub fn well(plan: Plan, careful: Option<Careful>) -> Self {
        Self { plan, careful, fates: BTreeMap::new(), of_changes: BTreeMap::new(), kills: vec![], away_after: None, stranger: None, taken_back: None }
    }

    pub fn is_wipe(&self) -> bool {
        self.plan != Plan::Regenerate
    }

    /// Devices that it is about.
    pub fn flags(&self) -> &'static [u8] {
        if self.plan == Plan::WipeAll { &[0, 1] } else { &[1] }
    }

    /// True where the remote does what it says.
    pub fn remote_is_well(&self) -> bool {
        self.fates.is_empty() && self.of_changes.is_empty() && self.away_after.is_none()
    }

    pub fn of(random: &mut Random) -> Self {
        let (plan, careful) = (random.of(&PLANS), if random.below(3) == 0 { None } else { random.of(&WAYS) });
        let mut case = Self::well(plan, careful);
        let fate = |random: &mut Random, rare| match random.below(rare) {
            0 | 1 => Some(Fate::Lose),
            2 => Some(Fate::Refuse),
            // A trusting wipe has no proof of its own, so a lie to it cannot be found out; nor can a late repeat.
            3 if careful.is_some() || plan == Plan::Regenerate => Some(Fate::Lie),
            4 if careful.is_some() || plan == Plan::Regenerate => Some(Fate::Repeat),
            _ => None,
        };
        if careful.is_some() {
            // It asks more often than it changes: each has its own.
            case.fates = (1..48).filter_map(|n| Some((n, fate(random, 30)?))).collect();
            case.of_changes = (1..16).filter_map(|n| Some((n, fate(random, 8)?))).collect();
        } else {
            case.fates = (1..16).filter_map(|n| Some((n, fate(random, 10)?))).collect();
        }
        let reach = if careful.is_some() { 16 } else { 5 };
        case.kills = (0..random.below(4)).map(|_| (1 + random.below(reach), random.of(&[Kill::Before, Kill::After]))).collect();
        case.away_after = (random.below(6) == 0).then(|| random.below(reach + 3));
        if careful.is_some() && !case.kills.is_empty() && random.below(2) == 0 {
            case.stranger = Some((random.below(case.kills.len()), random.of(&[Stranger::Anew, Stranger::Token])));
        }
        case.taken_back = match random.below(16) {
            0 => Some(TakenBack::Armed),
            1..=4 => Some(TakenBack::At(random.below(reach), random.of(&[0, 0, 1, 700]))),
            _ => None,
        };
        case
    }
}
