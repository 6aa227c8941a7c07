//! Plain data in the operator's words: accounts and devices as rows, links, offers, reasons, plans.
//!
//! Nothing here does I/O, reads a clock, or knows the name of a provider. Text that came from a server enters only as
//! [`Clean`]; secrets only as [`Secret`], which can be neither printed nor serialised.

pub mod action;
pub mod clean;
pub mod exit;
pub mod fact;
pub mod fingerprint;
pub mod ids;
pub mod link;
pub mod offer;
pub mod plan;
pub mod reason;
pub mod row;
pub mod secret;
pub mod time;

pub use action::{Action, Effect, Method, Not, Tier, Want};
pub use clean::Clean;
pub use exit::Exit;
pub use fact::{Fact, FactValue};
pub use fingerprint::Fingerprint;
pub use ids::{GatewayId, RemoteId, Target};
pub use link::{Link, Source, State, Witness};
pub use offer::{Fresh, Offer, OfferKind, Payload, Ungated};
pub use plan::{Answer, Finding, Input, Inputs, Op, OpPhase, Plan, Prompt, PromptKind, Replay, Step, StepEnd};
pub use reason::{Reason, ReasonCode};
pub use row::{Row, TokenInfo};
pub use secret::{Secret, Secrets};
pub use time::{Boot, Stamp, Time, Wall};
