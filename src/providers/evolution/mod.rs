//! Evolution API (WhatsApp gateways).
mod fresh;
mod state;
mod wire;
