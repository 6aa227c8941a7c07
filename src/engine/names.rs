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
        let matches = |wanted: &TargetName| -> Vec<Row> {
            self.rows()
                .into_iter()
                .filter(|r| {
                    wanted.gateway.as_deref().is_none_or(|g| r.gateway.as_str() == g)
                        && r.account.as_str() == wanted.account
                        && match (&r.device, wanted.device.as_deref()) {
                            (Some(d), Some(typed)) => d.as_str() == typed || self.slot(&r.gateway, typed).as_deref() == Some(d.as_str()),
                            (None, None) => true,
                            _ => false,
                        }
                })
                .collect()
        };
        let wanted = TargetName::parse(name).ok_or(Unresolved::Malformed)?;
        let mut found = matches(&wanted);
        if found.is_empty() {
            // What was typed without escapes: exactly that account.
            found = matches(&TargetName { gateway: None, account: name.to_owned(), device: None });
        }
        match found.len() {
            0 => Err(Unresolved::Unknown),
            1 => found.pop().ok_or(Unresolved::Unknown),
            _ => Err(Unresolved::Ambiguous(found.iter().map(|r| r.target().id()).collect())),
        }
    }
}
