//! The deck: `Event → update → Command`; views only read.

pub mod png;
pub mod theme;
pub mod view;
pub mod widget;
