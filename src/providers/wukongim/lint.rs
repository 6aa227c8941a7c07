//! What is wrong with what a client is about to use, without asking anybody: the rules of the server, and those of the plan.

use super::{
    flags::{self, Flags},
    valid,
};
use crate::{
    domain::Target,
    i18n::{Message, wukongim_act as act, wukongim_why as w},
    providers::{Claim, DiagLine, Mark},
    store::config::WuKongIm,
};

/// Characters of a token below which it is worth a word: 22 of base64 are 128 bits.
const SHORT: usize = 22;

/// Judges uid, flag, level and token; what was not given is not judged. A [`Mark::Bad`] line is a finding.
pub(super) fn lint(settings: &WuKongIm, at: &Target, claim: &Claim) -> Vec<DiagLine> {
    let names = Flags::new(settings);
    let uid = at.account.as_str();
    let slot = claim.slot.as_deref().or_else(|| at.device.as_ref().map(|d| d.as_str()));
    let flag = slot.map(|s| (s, names.read(s))).or_else(|| claim.sdk.as_deref().map(|s| (s, flags::of_sdk(s))));
    let level = claim.level.as_deref().map(|l| (l, flags::level(l)));
    let mut lines = Vec::new();
    let mut say = |mark, text| lines.push(DiagLine { mark, text });

    // Flag and level that could not be read are said as they were typed; the numbers are judged where they are judged before
    // a write too.
    let problems = valid::valid(uid, None, None, claim.token.as_ref().map(|t| t.expose()), &[]);
    let uid_is_fine = problems.iter().all(|p| *p == valid::Problem::TokenEmpty);
    if uid_is_fine {
        say(Mark::Good, Message::new(&w::CHECK_UID).with("uid", uid));
    }
    for p in &problems {
        say(Mark::Bad, p.words());
    }
    match flag {
        None => {}
        Some((typed, None)) => say(Mark::Bad, Message::new(&act::BAD_FLAG).with("flag", typed)),
        Some((_, Some(flag))) => {
            let shown = names.shown(flag);
            match against_plan(settings, &names, flag) {
                Some(found) => say(Mark::Bad, found),
                None => say(Mark::Good, Message::new(&w::CHECK_FLAG).with("flag", &shown)),
            }
            match settings.plan.iter().find(|p| p.flag == flag) {
                Some(p) => say(Mark::Note, Message::new(&w::CHECK_FLAG_PLAN).with("flag", &shown).with("platform", &p.platform)),
                None if !settings.plan.is_empty() => say(Mark::Bad, Message::new(&w::CHECK_FLAG_UNPLANNED).with("flag", &shown)),
                None => {}
            }
        }
    }
    match level {
        None => {}
        Some((typed, None)) => say(Mark::Bad, Message::new(&act::BAD_LEVEL).with("level", typed)),
        Some((_, Some(level))) => {
            let planned = flag.and_then(|f| f.1).and_then(|f| settings.plan.iter().find(|p| p.flag == f));
            let word = |l| Message::new(flags::level_words(l));
            match planned.filter(|p| u8::from(p.master) != level) {
                Some(p) => say(
                    Mark::Bad,
                    Message::new(&w::CHECK_LEVEL_PLAN)
                        .with("flag", names.shown(p.flag))
                        .nest("planned", word(u8::from(p.master)))
                        .nest("level", word(level)),
                ),
                None => say(Mark::Good, Message::new(&w::CHECK_LEVEL).nest("level", word(level))),
            }
        }
    }
    if let Some(token) = claim.token.as_ref().filter(|t| !t.is_empty()) {
        let length = token.expose().chars().count();
        if token.expose() == uid {
            say(Mark::Bad, Message::new(&w::CHECK_TOKEN_IS_UID));
        } else if length < SHORT {
            say(Mark::Note, Message::new(&w::CHECK_TOKEN_SHORT).with("length", length.to_string()));
        } else {
            say(Mark::Good, Message::new(&w::CHECK_TOKEN).with("length", length.to_string()));
        }
    }
    lines
}

fn against_plan(settings: &WuKongIm, names: &Flags<'_>, flag: u8) -> Option<Message> {
    if flag == flags::SYSTEM {
        return Some(Message::new(&w::CHECK_FLAG_SYSTEM));
    }
    let reserved = settings.reserved.iter().find(|r| (r.from..=r.to).contains(&flag))?;
    Some(Message::new(&w::CHECK_FLAG_RESERVED).with("flag", names.shown(flag)).with("what", &reserved.what))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        domain::{GatewayId, RemoteId, Secret},
        i18n::Lang,
        store::config::{PlanLine, Reserved},
    };

    fn findings(uid: &str, device: Option<&str>, claim: &Claim) -> Vec<String> {
        let settings = WuKongIm {
            flags: vec![("Android".into(), 4)],
            reserved: vec![Reserved { from: 10, to: 20, what: "bots".into() }],
            plan: vec![PlanLine { platform: "Android".into(), flag: 4, master: true }],
            ..WuKongIm::default()
        };
        let mut at = Target::account(&GatewayId::new("im"), &RemoteId::new(uid));
        at.device = device.map(RemoteId::new);
        lint(&settings, &at, claim).into_iter().filter(|l| l.mark == Mark::Bad).map(|l| l.text.text(Lang::En)).collect()
    }

    fn claim(slot: Option<&str>, level: Option<&str>, token: Option<&str>) -> Claim {
        Claim { slot: slot.map(Into::into), level: level.map(Into::into), token: token.map(|t| Secret::new(t.into())), ..Claim::default() }
    }

    #[test]
    fn what_is_right_has_no_finding() {
        assert_eq!(findings("u1", None, &claim(Some("android"), Some("master"), Some(&"x".repeat(43)))), Vec::<String>::new());
        assert_eq!(findings("u1", Some("4"), &claim(None, Some("1"), None)), Vec::<String>::new());
    }

    #[test]
    fn each_rule_has_its_own_words() {
        for (uid, c, words) in [
            ("a@b", claim(None, None, None), "A uid must not hold @, # or &."),
            ("____system", claim(None, None, None), "____system is a uid of the server itself: no client may use it."),
            ("x___vstr", claim(None, None, None), "Uids that end in ___vstr skip the token check."),
            ("u1", claim(Some("300"), None, None), "300 is no device flag: 0 to 255 or a configured name."),
            ("u1", claim(Some("phone"), None, None), "phone is no device flag: 0 to 255 or a configured name."),
            ("u1", claim(Some("4"), Some("9"), None), "9 is no level: slave (0) or master (1)."),
            ("u1", claim(Some("4"), Some("slave"), None), "The plan says master for flag Android 4, not slave."),
            ("u1", claim(Some("5"), None, None), "Flag 5 is in no line of the plan."),
            ("u1", claim(Some("4"), None, Some("")), "The token is empty."),
            ("u1", claim(Some("4"), None, Some("u1")), "The token is the uid itself: anybody can guess it."),
        ] {
            assert_eq!(findings(uid, None, &c), [words], "{uid} {c:?}");
        }
        assert_eq!(findings("u1", None, &claim(Some("12"), None, None)), ["Flag 12 is reserved for bots.", "Flag 12 is in no line of the plan."]);
        assert_eq!(findings("u1", None, &claim(Some("99"), None, None))[0], "Flag 99 is the server's own; no client should log in with it.");
    }
}
