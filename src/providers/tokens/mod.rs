//! Platforms whose accounts live by a token that the platform issues: WeCom apps, official accounts, and their kin.
//!
//! A platform is a table (`platform`); one provider serves all of them. It describes how a token is asked for and tries the
//! ones that are there; it keeps none and asks for none on its own account: the engine owns them ([`crate::providers::token`]).
//! Secrets and tokens travel in the query there, so no URL may reach a log or a reason.

mod answer;
mod can;
mod fetch;
mod look;
mod memory;
mod plans;
mod platform;
mod probe;
mod rows;
mod watch;
mod wechat_oa;
mod wecom;

pub use wechat_oa::SPEC as WECHAT_OA;
pub use wecom::SPEC as WECOM;

use super::{
    Cx, Fut, GatewayFacts, KindSpec, Look, Pairing, Provider, Report, Tx,
    token::{Issued, Issuer, Renew, TokenRules, Tried},
};
use crate::domain::{Action, Answer, Effect, Finding, Inputs, Not, Op, Plan, Reason, ReasonCode, Row, Secret, StepEnd, Target, Want};
use platform::Platform;

/// One provider for every platform of this sort. It keeps nothing: what must last goes through the context.
#[derive(Debug)]
pub struct Platforms(&'static Platform);

impl Platforms {
    /// The provider of a kind; `None` when no table has it.
    pub fn of(kind: &str) -> Option<Self> {
        static ALL: [&Platform; 2] = [&wecom::PLATFORM, &wechat_oa::PLATFORM];
        ALL.into_iter().find(|p| p.spec.kind == kind).map(Self)
    }
}

impl Issuer for Platforms {
    fn rules(&self) -> TokenRules {
        self.0.rules
    }
    fn fetch<'a>(&'a self, cx: &'a Cx, at: &'a Target, how: Renew) -> Fut<'a, Result<Issued, Reason>> {
        Box::pin(fetch::fetch(self.0, cx, at, how))
    }
    fn tries<'a>(&'a self, cx: &'a Cx, at: &'a Target, token: &'a Secret) -> Fut<'a, Tried> {
        Box::pin(look::tries(self.0, cx, at, token))
    }
    fn belongs<'a>(&'a self, cx: &'a Cx, at: &'a Target, token: &'a Secret) -> Fut<'a, Result<Option<crate::domain::Clean>, Reason>> {
        Box::pin(async move { probe::probe(self.0, cx, fetch::account(cx, at)?, token, probe::Depth::Whole).await })
    }
    fn token_type(&self) -> &'static str {
        self.0.token_type
    }
    fn mirrors(&self, cx: &Cx, at: &Target, prefix: &str) -> Vec<crate::shared::Mirror> {
        fetch::mirrors(cx, at, prefix)
    }
}

impl Provider for Platforms {
    fn spec(&self) -> &'static KindSpec {
        self.0.spec
    }
    fn can(&self, row: &Row, action: &Action, _facts: &GatewayFacts) -> Result<Effect, Not> {
        can::can(self.0, row, action)
    }
    fn watch<'a>(&'a self, cx: &'a Cx, out: Tx<Report>) -> Fut<'a, Reason> {
        Box::pin(watch::watch(self.0, cx, out))
    }
    fn look<'a>(&'a self, cx: &'a Cx, at: Option<&'a Target>, how: Look) -> Fut<'a, Result<Report, Reason>> {
        Box::pin(look::look(self.0, cx, at, how))
    }
    fn plan<'a>(&'a self, cx: &'a Cx, at: &'a Target, action: &'a Action, _given: Inputs) -> Fut<'a, Result<Plan, Reason>> {
        Box::pin(plans::plan(self.0, cx, at, action))
    }
    fn check<'a>(&'a self, cx: &'a Cx, op: &'a Op, step: &'a str) -> Fut<'a, Finding> {
        Box::pin(plans::check(cx, op, step))
    }
    fn run<'a>(&'a self, cx: &'a Cx, op: &'a Op, step: &'a str, answer: Option<Answer>) -> Fut<'a, StepEnd> {
        Box::pin(plans::run(self.0, cx, op, step, answer))
    }
    fn back<'a>(&'a self, _cx: &'a Cx, _op: &'a Op, _step: &'a str) -> Fut<'a, StepEnd> {
        // Every plan here is one step, and that is its pivot.
        Box::pin(async { StepEnd::done() })
    }
    fn pair<'a>(&'a self, _cx: &'a Cx, _at: &'a Target, _want: Want) -> Fut<'a, Result<Box<dyn Pairing>, Reason>> {
        Box::pin(async { Err(Reason::new(ReasonCode::NotInVersion)) })
    }
    fn reveal<'a>(&'a self, cx: &'a Cx, at: &'a Target) -> Fut<'a, Result<Secret, Reason>> {
        Box::pin(look::reveal(cx, at))
    }
    fn issuer(&self) -> Option<&dyn Issuer> {
        Some(self)
    }
}

#[cfg(test)]
mod tests;
