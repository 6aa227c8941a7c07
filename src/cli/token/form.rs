//! The forms in which a token is printed.

use super::Written;
use crate::{cli::Output, engine::agent::Document};
use clap::ValueEnum;
use serde_json::json;
use zeroize::Zeroizing;

/// How a token is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The token and a line end.
    #[default]
    Plain,
    /// One line of JSON with what is known of it.
    Json,
    /// What kubectl's credential plugins print.
    ExecCredential,
    /// What git's credential helpers print.
    Git,
    /// Lines for a shell: PAIRDECK_TOKEN and PAIRDECK_TOKEN_EXPIRES_AT.
    Env,
}

pub(super) fn print(d: &Document, format: Format, out: &mut Output) -> Written {
    let text = Zeroizing::new(text(d, format));
    out.raw(text.as_bytes())
}

fn text(d: &Document, format: Format) -> String {
    let (token, expires) = (d.token.expose(), d.expires.rfc3339());
    match format {
        Format::Plain => format!("{token}\n"),
        Format::Json => format!("{}\n", d.to_json()),
        Format::ExecCredential => {
            let status = json!({ "token": token, "expirationTimestamp": expires });
            format!("{}\n", json!({ "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status }))
        }
        Format::Git => {
            // A value ends at the line's end: one with a line break cannot be told.
            let clean = token.replace(['\n', '\r', '\0'], "");
            format!("username={}\npassword={clean}\npassword_expiry_utc={}\n", d.name.replace(['\n', '\r', '\0'], ""), d.expires.0.div_euclid(1000))
        }
        Format::Env => format!("PAIRDECK_TOKEN={}\nPAIRDECK_TOKEN_EXPIRES_AT={expires}\n", quoted(token)),
    }
}

/// For a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::domain::{Fingerprint, Secret, Wall};

    fn document(token: &str) -> Document {
        Document {
            id: "corp:ops-bot".into(),
            name: "ops-bot".into(),
            provider: "wecom".into(),
            token: Secret::new(token.into()),
            token_type: "query".into(),
            issued: Wall(1_795_262_400_000),
            expires: Wall(1_795_269_600_000),
            left: 5120,
            generation: 7,
            fingerprint: Fingerprint::parse("1a2b3c4d").unwrap(),
            source: "cache".into(),
            trouble: None,
        }
    }

    #[test]
    fn every_form_is_what_its_readers_expect() {
        let d = document("TOK'EN");
        assert_eq!(text(&d, Format::Plain), "TOK'EN\n");
        assert_eq!(text(&d, Format::Env), "PAIRDECK_TOKEN='TOK'\\''EN'\nPAIRDECK_TOKEN_EXPIRES_AT=2026-11-21T14:00:00Z\n");
        assert_eq!(text(&d, Format::Git), "username=ops-bot\npassword=TOK'EN\npassword_expiry_utc=1795269600\n");
        let kube: serde_json::Value = serde_json::from_str(&text(&d, Format::ExecCredential)).unwrap();
        assert_eq!(kube["status"]["expirationTimestamp"], "2026-11-21T14:00:00Z");
        let line = text(&d, Format::Json);
        assert_eq!(line.lines().count(), 1);
        let doc: serde_json::Value = serde_json::from_str(&line).unwrap();
        let contract =
            ["v", "name", "provider", "token", "token_type", "issued_at", "expires_at", "expires_in", "generation", "fingerprint", "source"];
        assert!(contract.iter().all(|k| !doc[k].is_null()), "{line}");
    }

    #[test]
    fn a_document_reads_back() {
        let d = document("TOKEN-0123456789abcdef");
        let back = Document::from_json(&d.to_json()).unwrap();
        assert_eq!(back.to_json(), d.to_json());
    }

    #[test]
    fn over_the_socket_trouble_keeps_what_its_sentence_needs() {
        use crate::{
            domain::{Reason, ReasonCode},
            i18n::{Lang, reason},
        };
        let d = Document { trouble: Some(Reason::new(ReasonCode::SharedDown).with("why", "refused")), ..document("TOKEN-0123456789abcdef") };
        let back = Document::from_json(&d.to_line()).unwrap();
        assert_eq!((back.to_json(), &back.trouble), (d.to_json(), &d.trouble));
        assert_eq!(reason::sentence(&back.trouble.unwrap(), Lang::En), "The shared store does not answer: refused.");
        // What is printed stays as the contract has it.
        assert_eq!(d.to_json()["trouble"], "shared_down");
        assert!(d.to_json().get("trouble_reason").is_none());
    }
}
