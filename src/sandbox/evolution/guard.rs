//! Who may ask for what, in the server's order: exists (404), logged (403), apikey (401).

use super::{Inner, reply::Reply};

/// Whose key came with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// None, or one that nobody knows.
    None,
    /// `AUTHENTICATION_API_KEY`.
    Global,
    /// The token of these instances (a token can be given twice).
    Instance(Vec<String>),
}

impl Inner {
    /// Looks a key up.
    pub(crate) fn key(&self, given: Option<&str>) -> Key {
        let Some(given) = given.filter(|k| !k.is_empty()) else { return Key::None };
        if given == self.settings.key {
            return Key::Global;
        }
        let names: Vec<_> = self.lock().rows.values().filter(|r| r.token == given).map(|r| r.name.clone()).collect();
        if names.is_empty() { Key::None } else { Key::Instance(names) }
    }

    /// The guards of a route with `:instanceName`. An unknown name is 404 even with a bad key.
    ///
    /// # Errors
    /// The refusing answer.
    pub(crate) fn guard(&self, name: &str, key: &Key) -> Result<(), Reply> {
        if self.lock().row(name).is_none() {
            return Err(Reply::refuse(404, format!("The \"{name}\" instance does not exist")));
        }
        match key {
            Key::Global => Ok(()),
            Key::Instance(names) if names.iter().any(|n| n == name) => Ok(()),
            _ => Err(Reply::unauthorized()),
        }
    }
}
