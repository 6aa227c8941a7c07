//! Exit codes, which scripts and units rely on: the table of reasons lies where other rooms may read it too.

use crate::{
    clock::Verdict,
    domain::{OpPhase, Reason},
};

pub use crate::domain::Exit;

impl Exit {
    /// How `pairdeck clock` ends: blocked is 7; with `strict`, everything but ok is.
    pub fn of_clock(verdict: Verdict, strict: bool) -> Self {
        match verdict {
            Verdict::Ok => Self::Ok,
            Verdict::Blocked => Self::Clock,
            Verdict::Warn | Verdict::Unknown if strict => Self::Clock,
            Verdict::Warn | Verdict::Unknown => Self::Ok,
        }
    }

    /// How an op's end is told.
    pub fn of_op(phase: OpPhase, reason: Option<&Reason>) -> Self {
        match phase {
            OpPhase::Done | OpPhase::Owed => Self::Ok,
            OpPhase::Ambiguous => Self::Failed,
            _ => reason.map_or(Self::Failed, |r| Self::from(r.code).or_failed()),
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(e: Exit) -> Self {
        Self::from(e.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ReasonCode;

    #[test]
    fn unknown_clocks_pass_unless_strict() {
        assert_eq!(Exit::of_clock(Verdict::Unknown, false), Exit::Ok);
        assert_eq!(Exit::of_clock(Verdict::Warn, true), Exit::Clock);
        assert_eq!(Exit::of_clock(Verdict::Blocked, false), Exit::Clock);
        assert_eq!(Exit::of_clock(Verdict::Ok, true), Exit::Ok);
    }

    #[test]
    fn a_failed_op_never_ends_with_zero() {
        assert_eq!(Exit::of_op(OpPhase::Failed, Some(&Reason::new(ReasonCode::AlreadyOnline))), Exit::Failed);
        assert_eq!(Exit::of_op(OpPhase::Ambiguous, Some(&Reason::new(ReasonCode::Unreachable))), Exit::Failed);
        assert_eq!(Exit::of_op(OpPhase::Done, None), Exit::Ok);
    }
}
