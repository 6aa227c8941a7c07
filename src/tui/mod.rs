//! The deck: what an operator sees and presses.
//!
//! Elm-like: an [`event::Event`] goes through [`update::update`], which changes the [`app::App`] and answers with
//! [`effect::Do`]s; [`view`] only reads. Nothing here awaits or does I/O except [`mod@run`], [`terminal`] and [`plain`]; nothing here knows
//! a provider. Time enters as a value with each event.

pub mod app;
pub mod armed;
pub mod clipboard;
pub mod devices;
pub mod edit;
pub mod effect;
pub mod event;
pub mod filter;
pub mod fleet;
pub mod guide;
#[cfg(unix)]
mod hangup;
pub mod keymap;
pub mod keys;
pub mod overlay;
pub mod plain;
pub mod png;
pub mod rows;
pub mod run;
pub mod start;
pub mod terminal;
pub mod text;
pub mod theme;
pub mod toasts;
pub mod update;
pub mod veil;
pub mod view;
pub mod widget;

pub use run::{Ended, Exit, TuiError, run};
pub use start::Start;

#[cfg(test)]
mod tests;
