//! Roles and the styles that they wear. The default uses the terminal's own 16 colours; without colour all is weight.

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a piece of text means, as far as looks go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Well, or neutral.
    Plain,
    /// Of less weight.
    Dim,
    /// Under way.
    Info,
    /// A person may have to act.
    Warn,
    /// A person has to act.
    Bad,
    /// The row under the cursor.
    Cursor,
    /// What is armed.
    Armed,
    /// From the cache, or of an unreachable gateway.
    Stale,
    /// Headings.
    Title,
    /// A revealed secret.
    Secret,
    /// A bar of parts.
    Bar,
}

impl Role {
    /// Every role with its name in theme files.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::Plain, "plain"),
        (Self::Dim, "dim"),
        (Self::Info, "info"),
        (Self::Warn, "warn"),
        (Self::Bad, "bad"),
        (Self::Cursor, "cursor"),
        (Self::Armed, "armed"),
        (Self::Stale, "stale"),
        (Self::Title, "title"),
        (Self::Secret, "secret"),
        (Self::Bar, "bar"),
    ];
}

/// One style a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    styles: [Style; 11],
}

/// What is wrong with a theme file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ThemeError {
    /// Not TOML, or a key that no theme has.
    #[error("theme: {0}")]
    Syntax(String),
    /// A role that does not exist.
    #[error("theme: there is no role `{0}`; roles are plain dim info warn bad cursor armed stale title secret bar")]
    Role(String),
    /// A colour that is not known.
    #[error("theme: `{1}` of role `{0}` is no colour; use a name such as bright-red, a number 0-255, or #rrggbb")]
    Colour(String, String),
    /// No theme of that name is built in.
    #[error("theme: there is no theme `{0}`; built in are default, light and mono")]
    Name(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    roles: BTreeMap<String, Look>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Look {
    fg: Option<String>,
    bg: Option<String>,
    bold: bool,
    dim: bool,
    reverse: bool,
    underline: bool,
}

const DEFAULT: &str = include_str!("../../assets/themes/default.toml");
const LIGHT: &str = include_str!("../../assets/themes/light.toml");

impl Theme {
    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }

    /// A theme that ships with the program: `default`, `light` or `mono`.
    pub fn named(name: &str) -> Result<Self, ThemeError> {
        match name {
            "default" | "dark" => Self::parse(DEFAULT),
            "light" => Self::parse(LIGHT),
            "mono" => Ok(Self::mono()),
            other => Err(ThemeError::Name(other.into())),
        }
    }

    /// Reads a theme file.
    pub fn parse(text: &str) -> Result<Self, ThemeError> {
        let file: File = toml::from_str(text).map_err(|e| ThemeError::Syntax(e.to_string()))?;
        let mut theme = Self { styles: [Style::new(); 11] };
        for (name, look) in file.roles {
            let Some((role, _)) = Role::ALL.into_iter().find(|(_, n)| *n == name) else { return Err(ThemeError::Role(name)) };
            let colour = |c: &Option<String>| -> Result<Option<Color>, ThemeError> {
                c.as_deref().map(|c| c.parse().map_err(|_| ThemeError::Colour(name.clone(), c.to_owned()))).transpose()
            };
            let mut style = Style { fg: colour(&look.fg)?, bg: colour(&look.bg)?, ..Style::new() };
            for (on, m) in
                [(look.bold, Modifier::BOLD), (look.dim, Modifier::DIM), (look.reverse, Modifier::REVERSED), (look.underline, Modifier::UNDERLINED)]
            {
                if on {
                    style = style.add_modifier(m);
                }
            }
            theme.styles[role as usize] = style;
        }
        Ok(theme)
    }

    /// No colour at all: weight, underline and reverse.
    pub fn mono() -> Self {
        let mut t = Self { styles: [Style::new(); 11] };
        for (role, m) in [
            (Role::Dim, Modifier::DIM),
            (Role::Warn, Modifier::BOLD),
            (Role::Bad, Modifier::BOLD.union(Modifier::UNDERLINED)),
            (Role::Cursor, Modifier::REVERSED),
            (Role::Armed, Modifier::REVERSED.union(Modifier::BOLD)),
            (Role::Stale, Modifier::DIM),
            (Role::Title, Modifier::BOLD),
            (Role::Secret, Modifier::REVERSED),
        ] {
            t.styles[role as usize] = Style::new().add_modifier(m);
        }
        t
    }
}

impl Default for Theme {
    fn default() -> Self {
        Self::parse(DEFAULT).unwrap_or_else(|_| Self::mono())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn themes_that_ship_can_be_read_and_default_keeps_to_sixteen_colours() {
        let light = Theme::named("light").unwrap();
        let dark = Theme::named("default").unwrap();
        assert_ne!(light, dark);
        for (role, name) in Role::ALL {
            for c in [dark.style(role).fg, dark.style(role).bg].into_iter().flatten() {
                assert!(!matches!(c, Color::Rgb(..) | Color::Indexed(_)), "{name} uses {c}");
            }
        }
    }

    #[test]
    fn mono_has_no_colour() {
        for (role, name) in Role::ALL {
            let s = Theme::mono().style(role);
            assert!(s.fg.is_none() && s.bg.is_none(), "{name}");
        }
    }

    #[test]
    fn mistakes_in_a_theme_are_named() {
        assert!(matches!(Theme::parse("[roles]\nloud = {}"), Err(ThemeError::Role(_))));
        assert!(matches!(Theme::parse("[roles]\nbad = { fg = 'pinkish' }"), Err(ThemeError::Colour(..))));
        assert!(matches!(Theme::parse("rolls = 1"), Err(ThemeError::Syntax(_))));
        assert!(matches!(Theme::named("neon"), Err(ThemeError::Name(_))));
    }
}
