//! What Prometheus is told, and what it is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::{
    domain::{Clean, Fact, Fingerprint, Link, Source, TokenInfo, row::TokenSemantics},
    engine::tokens::tests::platform::{Bench, WECOM, target},
    i18n::wecom as w,
    providers::{
        Report,
        token::{Ask, Tokens},
    },
};

fn row(n: usize, state: State, reason: Option<Reason>) -> Row {
    let at = target(n);
    Row {
        gateway: at.gateway,
        account: at.account,
        device: None,
        incarnation: None,
        label: Clean::new("app"),
        identity: None,
        link: Link { state, since: None, observed_at: None, source: Source::Own, reason, witnesses: Vec::new() },
        tokens: vec![TokenInfo {
            fingerprint: Fingerprint::parse("1a2b3c4d").unwrap(),
            length: 20,
            issued_at: Some(Wall(1_795_000_000_000)),
            expires_at: Some(Wall(1_795_007_200_000)),
            generation: 1,
            semantics: TokenSemantics::SameUntilExpiry,
            rejected: false,
        }],
        facts: vec![Fact { key: "fetches_10min", label: &w::FACT_FETCHES, value: FactValue::Count(2) }],
    }
}

#[tokio::test(start_paused = true)]
async fn the_page_tells_links_lives_fetches_storms_and_no_secret() {
    let mut b = Bench::new(WECOM);
    b.accounts = 2;
    let world = b.process().await;
    let given = world.tokens().obtain(&target(0), Ask::default()).await.unwrap();
    b.fail(ReasonCode::CredentialRefused);
    let _ = world.tokens().obtain(&target(1), Ask::default()).await;
    let storm = Reason::new(ReasonCode::TokenStorm).with("evidence", "died").with("n", "3");
    let gateway = world.gateways().remove(0);
    world.take(&gateway, Report::All { rows: vec![row(0, State::Ready, None), row(1, State::Expired, Some(storm))], complete: true });
    let page = text(&world).await;
    for line in [
        r#"pairdeck_links{gateway="corp",kind="mint",state="ready"} 1"#,
        r#"pairdeck_links{gateway="corp",kind="mint",state="refused"} 0"#,
        r#"pairdeck_token_fetches_total{gateway="corp",account="app-0",reason="cold",result="new"} 1"#,
        r#"pairdeck_token_fetch_errors_total{gateway="corp",account="app-1",class="credential"} 1"#,
        r#"pairdeck_token_storm{gateway="corp",account="app-1",evidence="died"} 3"#,
        r#"pairdeck_token_info{gateway="corp",account="app-0",fingerprint="1a2b3c4d"} 1"#,
        r#"pairdeck_token_expiration_timestamp_seconds{gateway="corp",kind="mint",account="app-0"} 1795007200"#,
        "pairdeck_token_fetch_duration_seconds_count 2",
        "# EOF",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
    assert!(page.contains(r#"pairdeck_token_life_seconds{gateway="corp",kind="mint",account="app-0"}"#), "{page}");
    for secret in [given.token.expose(), "the-secret-of-this-app"] {
        assert!(!page.contains(secret), "{page}");
    }
}
