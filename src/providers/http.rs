//! The one shared HTTP client.
/// Bound to a gateway.
pub struct Client;
