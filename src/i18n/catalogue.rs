//! The type of one entry and the macro that makes a catalogue.

use super::Lang;
use crate::domain::Clean;

/// One word or sentence in every language. Made only by `catalogue!`.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// `room.NAME`, stable: journals and stores refer to it.
    pub name: &'static str,
    /// English.
    pub en: &'static str,
    /// Simplified Chinese.
    pub zh: &'static str,
}

impl Words {
    /// The raw text in `lang`, placeholders still in it.
    pub const fn get(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.en,
            Lang::Zh => self.zh,
        }
    }

    /// The text in `lang` with `{name}` replaced by its value.
    pub fn fill<N: AsRef<str>>(&self, lang: Lang, args: &[(N, Clean)]) -> String {
        let mut rest = self.get(lang);
        let mut out = String::with_capacity(rest.len() + 16);
        while let Some(at) = rest.find('{') {
            out.push_str(&rest[..at]);
            let Some(end) = rest[at..].find('}') else { break };
            let name = &rest[at + 1..at + end];
            match args.iter().find(|(n, _)| n.as_ref() == name) {
                Some((_, value)) => out.push_str(value.as_str()),
                None => out.push('?'),
            }
            rest = &rest[at + end + 1..];
        }
        out.push_str(rest);
        out
    }
}

/// `catalogue! { "room"; NAME = "english", "中文"; … }` makes one constant a line and the list `ALL`.
macro_rules! catalogue {
    ($room:literal; $($name:ident = $en:literal, $zh:literal;)*) => {
        $(
            #[doc = $en]
            pub static $name: $crate::i18n::Words =
                $crate::i18n::Words { name: concat!($room, ".", stringify!($name)), en: $en, zh: $zh };
        )*
        /// Everything in this catalogue.
        pub static ALL: &[&$crate::i18n::Words] = &[$(&$name),*];
    };
}
