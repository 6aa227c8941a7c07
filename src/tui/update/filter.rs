//! The filter line.

use crate::tui::{app::App, filter::Filter};

/// Sets the filter and shows what passes it.
pub(super) fn set(app: &mut App, text: String) {
    app.filter = (!text.trim().is_empty()).then(|| Filter::parse(&text));
    app.filter_text = text;
    app.reorder_by_hand();
    // A gateway line is rarely what was looked for.
    if app.filter.is_some()
        && app.slot().is_none()
        && let Some(at) = app.rows.lines().iter().position(|l| l.depth > 0)
    {
        app.cursor = at;
        app.scroll_into_view();
    }
}
