//! Adding and removing a gateway in the operator's file: comments and order stay, the file is old or new, never half.

use super::{Config, ConfigErrors};
use crate::{
    i18n::{Message, store as words},
    store::paths,
};
use std::{fs, io::Write, path::Path};
use toml_edit::{DocumentMut, Item, Table, value};

/// A gateway to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGateway {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Its base URL.
    pub url: String,
    /// Plain http to a host other than loopback is accepted.
    pub allow_plaintext: bool,
}

impl NewGateway {
    /// One that is spoken to as its URL says, never in plain text beyond this machine.
    pub fn new(name: &str, kind: &str, url: &str) -> Self {
        Self { name: name.to_owned(), kind: kind.to_owned(), url: url.to_owned(), allow_plaintext: false }
    }
}

/// Adds a table at the end of the file, making the file if there is none.
///
/// # Errors
/// The file as it stands has mistakes, the name is taken, or what would be written does not pass the check: nothing is
/// changed then.
pub fn add_gateway(path: &Path, new: &NewGateway) -> Result<Config, ConfigErrors> {
    add_gateway_with(path, new, &[])
}

/// As [`add_gateway`], with what only its kind has: keys of its table, and their values as TOML.
///
/// # Errors
/// As there, and for a value that is no TOML.
pub fn add_gateway_with(path: &Path, new: &NewGateway, more: &[(&str, String)]) -> Result<Config, ConfigErrors> {
    finish(path, &with_gateway(path, new, more)?)
}

/// Says whether [`add_gateway`] would take it; nothing is written.
///
/// # Errors
/// As there.
pub fn check_gateway(path: &Path, new: &NewGateway) -> Result<Config, ConfigErrors> {
    check_gateway_with(path, new, &[])
}

/// Says whether [`add_gateway_with`] would take it; nothing is written.
///
/// # Errors
/// As there.
pub fn check_gateway_with(path: &Path, new: &NewGateway, more: &[(&str, String)]) -> Result<Config, ConfigErrors> {
    Config::parse(&with_gateway(path, new, more)?.to_string(), path)
}

fn with_gateway(path: &Path, new: &NewGateway, more: &[(&str, String)]) -> Result<DocumentMut, ConfigErrors> {
    if Config::load(path)?.gateway(&new.name).is_some() {
        return Err(named(path, &format!("gateway.{}", new.name), &words::CONFIG_EXISTS));
    }
    let mut doc = document(path)?;
    let mut table = Table::new();
    table.insert("kind", value(&new.kind));
    if !new.url.is_empty() {
        table.insert("url", value(&new.url));
    }
    if new.allow_plaintext {
        table.insert("allow_plaintext", value(true));
    }
    for (key, text) in more {
        let parsed: toml_edit::Value = text.parse().map_err(|e: toml_edit::TomlError| syntax(path, &e))?;
        table.insert(key, own(parsed));
    }
    if !doc.as_table().is_empty() || !doc.trailing().as_str().unwrap_or_default().is_empty() {
        table.decor_mut().set_prefix("\n");
    }
    let mut all = Table::new();
    all.set_implicit(true);
    let slot = doc.entry("gateway").or_insert(Item::Table(all));
    if let Some(tables) = slot.as_table_like_mut() {
        tables.insert(&new.name, Item::Table(table));
    }
    Ok(doc)
}

/// A table of tables, such as the accounts, becomes tables with heads of their own, which people add lines to.
fn own(v: toml_edit::Value) -> Item {
    match v {
        toml_edit::Value::InlineTable(t) if t.iter().any(|(_, v)| v.is_inline_table()) => {
            let mut table = Table::new();
            table.set_implicit(true);
            for (name, v) in t {
                let item = match v {
                    toml_edit::Value::InlineTable(inner) => {
                        let mut inner = inner.into_table();
                        inner.decor_mut().set_prefix("\n");
                        Item::Table(inner)
                    }
                    other => Item::Value(other),
                };
                table.insert(&name, item);
            }
            Item::Table(table)
        }
        v => Item::Value(v),
    }
}

fn syntax(path: &Path, e: &toml_edit::TomlError) -> ConfigErrors {
    ConfigErrors::whole(path, Message::new(&words::CONFIG_SYNTAX).with("why", e.message()))
}

/// Removes a gateway's table with the comments that stand directly above it.
///
/// # Errors
/// The file has mistakes or no gateway of that name: nothing is changed then.
pub fn remove_gateway(path: &Path, name: &str) -> Result<Config, ConfigErrors> {
    if Config::load(path)?.gateway(name).is_none() {
        return Err(named(path, &format!("gateway.{name}"), &words::CONFIG_NONE));
    }
    let mut doc = document(path)?;
    if let Some(tables) = doc.get_mut("gateway").and_then(Item::as_table_like_mut) {
        tables.remove(name);
    }
    finish(path, &doc)
}

pub(super) fn named(path: &Path, key: &str, what: &'static crate::i18n::Words) -> ConfigErrors {
    let mut errors = ConfigErrors::whole(path, Message::new(what));
    for e in &mut errors.errors {
        e.key = key.to_owned();
    }
    errors
}

pub(super) fn document(path: &Path) -> Result<DocumentMut, ConfigErrors> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(ConfigErrors::unreadable(path, &e)),
    };
    text.parse().map_err(|e: toml_edit::TomlError| syntax(path, &e))
}

/// Checks what would be written, then writes it whole: a file beside it, synced, renamed over it, the folder synced.
pub(super) fn finish(path: &Path, doc: &DocumentMut) -> Result<Config, ConfigErrors> {
    let text = doc.to_string();
    let config = Config::parse(&text, path)?;
    // Through a link to where the file really lies: people keep their configuration in a repository.
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let dir = real.parent().unwrap_or(Path::new("."));
    if !dir.exists() {
        // A folder that is there is the operator's own: perhaps a repository with other rights.
        let _ = paths::private_dir(dir);
    }
    let go = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&real).map_err(|e| e.error)?;
        fs::File::open(dir)?.sync_all()
    };
    go().map_err(|e| ConfigErrors::unwritable(path, &e))?;
    Ok(config)
}
