//! Putting a worker's slot into the operator's file, and taking it out again: comments and order stay, the file is old or new,
//! never half.

use super::{
    Config, ConfigErrors,
    edit::{document, finish, named},
};
use crate::i18n::store as words;
use std::path::{Path, PathBuf};
use toml_edit::{DocumentMut, Item, Table, value};

/// A slot as it stands, or shall stand, in the file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NewSlot {
    /// Its gateway.
    pub gateway: String,
    /// Its account.
    pub account: String,
    /// Its own name.
    pub name: String,
    /// The session file, as a whole path.
    pub file: PathBuf,
    /// The worker's own application, where it has one.
    pub api_id: Option<i32>,
}

impl NewSlot {
    fn key(&self) -> String {
        format!("gateway.{}.account.{}.slot.{}", self.gateway, self.account, self.name)
    }
}

/// Adds the slot's table below its account.
///
/// # Errors
/// The file has mistakes or no such account, the name is taken, or what would be written does not pass the check: nothing is changed
/// then.
pub fn add_slot(path: &Path, new: &NewSlot) -> Result<Config, ConfigErrors> {
    finish(path, &with_slot(path, new)?)
}

/// Says whether [`add_slot`] would take it; nothing is written.
///
/// # Errors
/// As there.
pub fn check_slot(path: &Path, new: &NewSlot) -> Result<Config, ConfigErrors> {
    Config::parse(&with_slot(path, new)?.to_string(), path)
}

/// Takes the slot out again, if it is still the one that was put there; one that somebody changed meanwhile stays. True when it is
/// not there any more.
///
/// # Errors
/// The file has mistakes or cannot be written: nothing is changed then.
pub fn remove_slot(path: &Path, old: &NewSlot) -> Result<bool, ConfigErrors> {
    let config = Config::load(path)?;
    match slot_of(&config, old) {
        None => return Ok(true),
        Some(there) if there.file != old.file => return Ok(false),
        Some(_) => {}
    }
    let mut doc = document(path)?;
    if let Some(account) = account(&mut doc, old).and_then(Item::as_table_like_mut)
        && let Some(slots) = account.get_mut("slot").and_then(Item::as_table_like_mut)
    {
        slots.remove(&old.name);
        if slots.is_empty() {
            account.remove("slot");
        }
    }
    finish(path, &doc).map(|_| true)
}

/// The slot of that name, if there is one.
pub fn slot_of<'a>(config: &'a Config, of: &NewSlot) -> Option<&'a super::Slot> {
    let account = config.gateway(&of.gateway)?.accounts.iter().find(|a| a.name == of.account)?;
    account.telegram.slots.iter().find(|s| s.name == of.name)
}

/// The table of the slot's account.
fn account<'a>(doc: &'a mut DocumentMut, of: &NewSlot) -> Option<&'a mut Item> {
    let gateway = doc.get_mut("gateway")?.as_table_like_mut()?.get_mut(&of.gateway)?.as_table_like_mut()?;
    gateway.get_mut("account")?.as_table_like_mut()?.get_mut(&of.account)
}

fn with_slot(path: &Path, new: &NewSlot) -> Result<DocumentMut, ConfigErrors> {
    let config = Config::load(path)?;
    let none = || named(path, &new.key(), &words::CONFIG_NONE);
    if slot_of(&config, new).is_some() {
        return Err(named(path, &new.key(), &words::CONFIG_EXISTS));
    }
    let mut doc = document(path)?;
    let account = account(&mut doc, new).ok_or_else(none)?;
    let all = if account.is_inline_table() {
        Item::Value(toml_edit::Value::InlineTable(toml_edit::InlineTable::new()))
    } else {
        let mut all = Table::new();
        all.set_implicit(true);
        Item::Table(all)
    };
    let slots = account.as_table_like_mut().ok_or_else(none)?.entry("slot").or_insert(all);
    let file = value(new.file.to_string_lossy().into_owned());
    let api_id = new.api_id.map(|id| value(i64::from(id)));
    match slots {
        // Written on one line by whoever wrote it: it stays on one line.
        Item::Value(toml_edit::Value::InlineTable(slots)) => {
            let mut slot = toml_edit::InlineTable::new();
            for (key, item) in [("file", Some(file)), ("api_id", api_id)] {
                if let Some(Ok(v)) = item.map(Item::into_value) {
                    slot.insert(key, v);
                }
            }
            slots.insert(&new.name, toml_edit::Value::InlineTable(slot));
        }
        slots => {
            let mut slot = Table::new();
            slot.insert("file", file);
            if let Some(id) = api_id {
                slot.insert("api_id", id);
            }
            slot.decor_mut().set_prefix("\n");
            slots.as_table_like_mut().ok_or_else(none)?.insert(&new.name, Item::Table(slot));
        }
    }
    Ok(doc)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn slot(name: &str) -> NewSlot {
        NewSlot { gateway: "tg".into(), account: "shop".into(), name: name.into(), file: "/srv/o/session.json".into(), api_id: Some(7) }
    }

    #[test]
    fn a_slot_comes_below_its_account_with_every_comment_kept_and_goes_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        let before = "# ours\n[gateway.tg]\nkind = \"telegram\" # the one\n\n[gateway.tg.account.shop]\napi_id = 1 # bot farm\n\n# next\n[clock]\n";
        std::fs::write(&path, before).unwrap();
        let config = add_slot(&path, &slot("orders")).unwrap();
        assert_eq!(slot_of(&config, &slot("orders")).unwrap().api_id, Some(7));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("[gateway.tg.account.shop.slot.orders]\nfile = \"/srv/o/session.json\"\napi_id = 7\n"), "{text}");
        for comment in ["# ours", "# the one", "# bot farm", "# next"] {
            assert!(text.contains(comment), "{text}");
        }
        assert!(add_slot(&path, &slot("orders")).unwrap_err().to_string().contains("already"));
        assert!(!remove_slot(&path, &NewSlot { file: "/else".into(), ..slot("orders") }).unwrap(), "somebody changed it meanwhile");
        assert!(remove_slot(&path, &slot("orders")).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
        assert!(remove_slot(&path, &slot("orders")).unwrap(), "again is no mistake");
    }

    #[test]
    fn accounts_on_one_line_take_a_slot_too_and_an_unknown_account_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, "[gateway.tg]\nkind = \"telegram\"\naccount = { shop = { api_id = 1, slot = { a = { file = \"/a\" } } }, b = { } }\n")
            .unwrap();
        let config = add_slot(&path, &slot("orders")).unwrap();
        assert_eq!(slot_of(&config, &slot("orders")).unwrap().file, PathBuf::from("/srv/o/session.json"));
        let config = add_slot(&path, &NewSlot { account: "b".into(), ..slot("x") }).unwrap();
        assert_eq!(config.gateways[0].accounts.iter().map(|a| a.telegram.slots.len()).collect::<Vec<_>>(), [2, 1]);
        assert!(add_slot(&path, &NewSlot { account: "none".into(), ..slot("x") }).is_err());
        assert!(add_slot(&path, &NewSlot { name: "no/good".into(), ..slot("x") }).is_err());
    }
}
