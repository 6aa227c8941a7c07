//! `pairdeck remove`: a gateway leaves the configuration; its sealed key and its cached rows go; its server is not told.

use super::{Exit, Output, args::Remove, prompt, run::Ran, session::Session, session::broken};
use crate::{
    engine::world::secret_name,
    i18n::{Message, command as c},
};
use std::{io::Write as _, path::Path};

/// Forgets a gateway after a question.
///
/// # Errors
/// When the reader of stdout has gone.
pub async fn run(house: &Session, args: &Remove, out: &mut Output) -> Ran {
    let Ok(gateway) = house.gateway(&args.target, out) else { return Ok(Exit::Name) };
    if !args.yes {
        match prompt::agreed(&Message::new(&c::ASK_REMOVE).with("name", &args.target), out) {
            Some(true) => {}
            Some(false) => {
                out.complain(&Message::new(&c::NOT_AGREED));
                return Ok(Exit::Failed);
            }
            None => {
                out.complain(&Message::new(&c::NOT_ASKED));
                return Ok(Exit::Usage);
            }
        }
    }
    // The configuration first: a key without a gateway is harmless, a gateway without its key is not.
    if let Err(why) = edit(&house.paths.config, &args.target) {
        out.complain(&Message::new(&c::CONFIG_UNCHANGED).with("path", house.paths.config.to_string_lossy()).with("why", why));
        return Ok(Exit::Failed);
    }
    for spec in gateway.spec.secrets {
        if let Err(e) = house.world.store().secret_forget(&secret_name(&gateway.id, spec.name)).await {
            return Ok(broken(&e, out));
        }
    }
    if let Err(e) = house.world.store().forget_gateway(&gateway.id).await {
        return Ok(broken(&e, out));
    }
    house.world.gate().forget(&gateway.id);
    out.note(&Message::new(&c::REMOVED).with("name", &args.target));
    Ok(Exit::Ok)
}

/// Takes the table out and keeps every comment; the file is replaced in one step.
fn edit(path: &Path, name: &str) -> Result<(), String> {
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    let Some(text) = without(&text, name)? else { return Ok(()) };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".config-").tempfile_in(folder).map_err(|e| e.to_string())?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(|e| e.to_string())?;
    file.persist(path).map(drop).map_err(|e| e.to_string())
}

/// `text` without `[gateway.NAME]`; `None` when there is none.
fn without(text: &str, name: &str) -> Result<Option<String>, String> {
    let mut doc: toml_edit::DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| e.message().to_owned())?;
    let Some(gateways) = doc.get_mut("gateway").and_then(toml_edit::Item::as_table_like_mut) else { return Ok(None) };
    Ok(gateways.remove(name).map(|_| doc.to_string()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# mine\nlang = \"en\"\n\n[gateway.wa-sp] # São Paulo\nkind = \"evolution\"\n\n[gateway.\"wa eu\"]\nkind = \"evolution\" # kept\n";

    #[test]
    fn one_gateway_goes_and_every_other_line_stays() {
        let left = without(TEXT, "wa-sp").unwrap().unwrap();
        assert_eq!(left, "# mine\nlang = \"en\"\n\n[gateway.\"wa eu\"]\nkind = \"evolution\" # kept\n");
        assert!(without(TEXT, "nobody").unwrap().is_none());
        assert!(without("= broken", "wa-sp").is_err());
    }

    #[test]
    fn the_file_is_replaced_in_one_step() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, TEXT).unwrap();
        edit(&path, "wa eu").unwrap();
        assert!(!std::fs::read_to_string(&path).unwrap().contains("wa eu"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
    }
}
