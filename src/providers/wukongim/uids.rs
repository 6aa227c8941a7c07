//! Which accounts are watched: those of the configuration, of a file, or all that the server knows.

use super::api::Api;
use crate::{
    domain::{Reason, ReasonCode},
    i18n::{Message, wukongim as w},
    providers::{Cx, http::MOST_ITEMS},
    store::paths::plain,
};
use std::{collections::HashSet, path::Path, time::SystemTime};

/// Longest file of uids that is read.
const MOST_BYTES: u64 = 4 << 20;

/// The file as it was last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edition(Option<(SystemTime, u64)>);

impl Edition {
    /// As the file is now; equal as long as nobody changed it.
    pub(super) fn of(cx: &Cx) -> Self {
        let meta = cx.settings.wukongim.uids_file.as_deref().and_then(|f| std::fs::metadata(f).ok());
        Self(meta.and_then(|m| Some((m.modified().ok()?, m.len()))))
    }
}

/// The accounts, each once, in the order in which they are written; and what is wrong with the list.
///
/// # Errors
/// What kept the server from telling all its users, where all are watched.
pub(super) async fn watched(cx: &Cx, api: &Api<'_>) -> Result<(Vec<Box<str>>, Vec<Message>), Reason> {
    let settings = &cx.settings.wukongim;
    let mut warnings = Vec::new();
    let mut named: Vec<Box<str>> = settings.uids.iter().map(|u| u.as_str().into()).collect();
    if let Some(file) = &settings.uids_file {
        match read(file) {
            Ok(more) => named.extend(more),
            Err(e) => warnings.push(Message::new(&w::WARN_UIDS_FILE).with("why", plain(&e))),
        }
    }
    if settings.watches_all() {
        match api.users().await {
            Ok(all) => named.extend(all.into_iter().map(Into::into)),
            // Nobody asked for all of them, and this server does not list them, or not to us.
            Err(r) if !settings.all && matches!(r.code, ReasonCode::NotInVersion | ReasonCode::CredentialMissing) => {
                warnings.push(Message::new(&w::WARN_NO_UIDS));
            }
            Err(r) => return Err(r),
        }
    }
    let mut once = HashSet::with_capacity(named.len());
    named.retain(|u| !u.is_empty() && once.insert(u.clone()));
    if named.len() > MOST_ITEMS {
        warnings.push(Message::new(&w::WARN_BEYOND).with("n", (named.len() - MOST_ITEMS).to_string()));
        named.truncate(MOST_ITEMS);
    }
    Ok((named, warnings))
}

fn read(file: &Path) -> std::io::Result<Vec<Box<str>>> {
    use std::io::Read as _;
    let mut text = Vec::new();
    std::fs::File::open(file)?.take(MOST_BYTES).read_to_end(&mut text)?;
    Ok(parse(&String::from_utf8_lossy(&text)))
}

/// One uid a line. A `#` begins a comment, at the beginning of a line or after a blank: no uid holds one.
pub(super) fn parse(text: &str) -> Vec<Box<str>> {
    text.trim_start_matches('\u{feff}')
        .lines()
        .map(|l| l.split('#').next().unwrap_or_default().trim())
        .filter(|l| !l.is_empty())
        .map(Into::into)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_uids_may_have_comments_blank_lines_and_any_line_ends() {
        let uids = parse("\u{feff}# ours\r\nu1\r\n\r\n  u2   # the shop\nu3");
        assert_eq!(uids.iter().map(|u| &**u).collect::<Vec<_>>(), ["u1", "u2", "u3"]);
    }
}
