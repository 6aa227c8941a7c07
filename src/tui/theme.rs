//! Roles and their styles.

use ratatui::style::{Color, Modifier, Style};

/// What a piece of text is, as far as its look goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Plain text.
    Plain,
    /// Less important.
    Dim,
    /// Passing, needs nobody.
    Info,
    /// A person may have to act.
    Warn,
    /// A person must act.
    Bad,
    /// Heads.
    Title,
    /// A secret in clear.
    Secret,
    /// An armed action.
    Armed,
}

/// The look of every role.
#[derive(Clone, Debug, Default)]
pub struct Theme {}

impl Theme {
    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        match role {
            Role::Plain => Style::new(),
            Role::Dim => Style::new().fg(Color::DarkGray),
            Role::Info => Style::new().fg(Color::Cyan),
            Role::Warn => Style::new().fg(Color::Yellow),
            Role::Bad => Style::new().fg(Color::LightRed).add_modifier(Modifier::BOLD),
            Role::Title => Style::new().add_modifier(Modifier::BOLD),
            Role::Secret => Style::new().add_modifier(Modifier::REVERSED | Modifier::DIM),
            Role::Armed => Style::new().fg(Color::Yellow).add_modifier(Modifier::REVERSED | Modifier::BOLD),
        }
    }
}
