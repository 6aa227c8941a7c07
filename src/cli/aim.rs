//! What a verb is aimed at, and what it was given: the row that a name means, completed by the answers to what the verb asks.

use super::{Exit, Output, session::Session};
use crate::{
    domain::{Action, GatewayId, Inputs, RemoteId, Row, Target, ids::TargetName},
    engine::{blank_row, world::Gateway},
    i18n::{Message, command as c},
    providers::{AskSpec, Becomes, VerbSpec},
};
use std::sync::Arc;

/// The row that is meant, and the inputs of its plan. A creating verb names one that is not there yet.
///
/// # Errors
/// Said on stderr already; the code to end with.
pub(super) async fn row(house: &Session, action: &Action, typed: &str, set: &[(String, String)], out: &mut Output) -> Result<(Row, Inputs), Exit> {
    let name = TargetName::parse(typed);
    let verb = name.as_ref().and_then(|n| creating(house, action, n));
    let (Some(name), Some((gateway, verb))) = (name, verb) else {
        let row = house.resolve(typed, out).await?;
        let gateway = house.world.gateway(&row.gateway);
        let verb = gateway.as_ref().and_then(|g| verb_of(g, action));
        let inputs = inputs(verb.map_or(&[], |v| v.asks), set, |_| None, typed, out)?;
        return Ok((row, inputs));
    };
    let from_target = |ask: &AskSpec| match ask.becomes {
        Becomes::Account => Some(name.account.clone()),
        Becomes::Device => name.device.clone(),
        Becomes::Input => None,
    };
    if name.device.is_some() && !verb.asks.iter().any(|a| a.becomes == Becomes::Device) {
        // A verb that makes an account has no use for a device.
        let row = house.resolve(typed, out).await?;
        return Ok((row, Inputs::new()));
    }
    let given = inputs(verb.asks, set, from_target, typed, out)?;
    house.refresh(Some(&gateway.id), out).await;
    let answer = |becomes| verb.asks.iter().find(|a| a.becomes == becomes).and_then(|a| given.get(a.name));
    let target = Target {
        gateway: gateway.id.clone(),
        account: RemoteId::new(answer(Becomes::Account).map_or(name.account.as_str(), |a| a)),
        device: answer(Becomes::Device).map(|d| RemoteId::new(d)),
        incarnation: None,
    };
    let target = house.world.exact(target);
    Ok((house.world.row(&target).filter(|_| target.device.is_some()).unwrap_or_else(|| blank_row(&target)), given))
}

fn verb_of(gateway: &Gateway, action: &Action) -> Option<&'static VerbSpec> {
    gateway.spec.verbs.iter().find(|v| v.id == action.name())
}

/// The gateway and the verb, if it makes a new row. A gateway that is not named is the only one that has the verb.
fn creating(house: &Session, action: &Action, name: &TargetName) -> Option<(Arc<Gateway>, &'static VerbSpec)> {
    let mut able = match &name.gateway {
        Some(g) => house.world.gateway(&GatewayId::new(g)).into_iter().collect(),
        None => house.world.gateways(),
    };
    able.retain(|g| verb_of(g, action).is_some_and(VerbSpec::creates));
    let only = able.pop().filter(|_| able.is_empty())?;
    let verb = verb_of(&only, action)?;
    Some((only, verb))
}

/// Everything that a verb asks for, from `--set`, from the target, or its default.
fn inputs(
    asks: &[AskSpec],
    set: &[(String, String)],
    from_target: impl Fn(&AskSpec) -> Option<String>,
    typed: &str,
    out: &mut Output,
) -> Result<Inputs, Exit> {
    let known = || asks.iter().map(|a| a.name).collect::<Vec<_>>().join(", ");
    let mut given = Inputs::new();
    for (i, (name, value)) in set.iter().enumerate() {
        let twice = set[..i].iter().any(|(n, _)| n == name);
        if twice || !asks.iter().any(|a| a.name == name) {
            let known = if asks.is_empty() { "-".to_owned() } else { known() };
            out.complain(&Message::new(if twice { &c::SET_TWICE } else { &c::SET_UNKNOWN }).with("name", name).with("known", known));
            return Err(Exit::Usage);
        }
        given.insert(name.as_str().into(), value.as_str().into());
    }
    let mut missing = Vec::new();
    for ask in asks {
        let told = from_target(ask);
        match (given.get(ask.name), told) {
            (Some(set), Some(told)) if **set != *told => {
                out.complain(&Message::new(&c::SET_TWICE).with("name", ask.name).with("known", known()));
                return Err(Exit::Usage);
            }
            (Some(_), _) => {}
            (None, Some(told)) => {
                given.insert(ask.name.into(), told.into());
            }
            (None, None) => match ask.default {
                Some(default) => {
                    given.insert(ask.name.into(), default.into());
                }
                None => missing.push(format!("--set {}=…", ask.name)),
            },
        }
    }
    if missing.is_empty() {
        return Ok(given);
    }
    out.complain(&Message::new(&c::SET_MISSING).with("target", typed).with("missing", missing.join(" ")));
    Err(Exit::Usage)
}
