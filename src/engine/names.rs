//! From a name that an operator typed to the one row that it means.

use super::world::World;
use crate::domain::{GatewayId, RemoteId, Row, Target, ids::TargetName};

/// Why a name could not be resolved to one row.
#[derive(Debug)]
pub enum Unresolved {
    /// Nothing of that name.
    Unknown,
    /// Several rows; their ids.
    Ambiguous(Vec<String>),
    /// The name itself is broken.
    Malformed,
}

impl World {
    /// The exact id of a device that was typed in another form, such as the name of its slot.
    pub fn slot(&self, gateway: &GatewayId, typed: &str) -> Option<String> {
        let gateway = self.gateway(gateway)?;
        gateway.provider.slot(&gateway.settings, typed)
    }

    /// A target with its device as the server knows it, however it was typed.
    pub fn exact(&self, target: Target) -> Target {
        let device = target.device.as_ref().and_then(|d| self.slot(&target.gateway, d.as_str()));
        match device {
            Some(id) => Target { device: Some(RemoteId::new(&id)), ..target },
            None => target,
        }
    }

    /// The one row that an operator's name means.
    pub fn resolve(&self, name: &str) -> Result<Row, Unresolved> {
        let rows = self.rows();
        let matches = |wanted: &TargetName, named: fn(&Row) -> &str| -> Vec<Row> {
            rows.iter()
                .filter(|r| {
                    wanted.gateway.as_deref().is_none_or(|g| r.gateway.as_str() == g)
                        && named(r) == wanted.account
                        && match (&r.device, wanted.device.as_deref()) {
                            (Some(d), Some(typed)) => d.as_str() == typed || self.slot(&r.gateway, typed).as_deref() == Some(d.as_str()),
                            (None, None) => true,
                            _ => false,
                        }
                })
                .cloned()
                .collect()
        };
        // The exact id stands above a label, which the server's users choose: no label can take another account's name.
        let id: fn(&Row) -> &str = |r| r.account.as_str();
        let label: fn(&Row) -> &str = |r| r.label.as_str();
        let wanted = TargetName::parse(name).ok_or(Unresolved::Malformed)?;
        // What was typed without escapes: exactly that account.
        let plain = TargetName { gateway: None, account: name.to_owned(), device: None };
        let mut found = Vec::new();
        for (wanted, named) in [(&wanted, id), (&plain, id), (&wanted, label), (&plain, label)] {
            if found.is_empty() {
                found = matches(wanted, named);
            }
        }
        match found.len() {
            0 => Err(Unresolved::Unknown),
            1 => found.pop().ok_or(Unresolved::Unknown),
            _ => Err(Unresolved::Ambiguous(found.iter().map(|r| r.target().id()).collect())),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::{
        domain::Clean,
        engine::tokens::tests::platform::{Bench, WECOM, target},
        providers::Report,
    };

    #[tokio::test(start_paused = true)]
    async fn a_row_is_found_by_the_label_that_is_listed_unless_an_id_has_that_name() {
        let world = Bench::new(WECOM).process().await;
        let gateway = world.gateways().remove(0);
        let called = |n: usize, label: &str| Row { label: Clean::new(label), ..crate::engine::blank_row(&target(n)) };
        let taken = target(0).account.as_str().to_owned();
        let rows = vec![called(0, "first"), called(1, "hr"), called(2, "twin"), called(3, "twin"), called(4, &taken)];
        world.merge(&gateway, Report::All { rows, complete: true });
        let is = |name: &str, n: usize| assert_eq!(world.resolve(name).unwrap().account, target(n).account, "{name}");
        is("hr", 1);
        is(&format!("{}:hr", gateway.id), 1);
        is(&taken, 0);
        let Err(Unresolved::Ambiguous(ids)) = world.resolve("twin") else { panic!("two rows of that name are one") };
        assert_eq!(ids, [target(2).id(), target(3).id()]);
        assert!(matches!(world.resolve("elsewhere:hr"), Err(Unresolved::Unknown)));
    }
}
