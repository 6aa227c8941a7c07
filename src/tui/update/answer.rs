//! The question of a running action: shown when it comes, taken away when the action goes on without it.

use crate::{
    domain::{OpPhase, PromptKind, Secret},
    engine::{Command, mailbox::OpView},
    tui::{
        app::App,
        edit::Field,
        effect::Do,
        overlay::{AnswerForm, Overlay},
        view::armed::verb,
    },
};
use crossterm::event::{KeyCode, KeyEvent};

/// News of an op: it may ask, ask again, or ask no more.
pub(super) fn news(app: &mut App, view: &OpView) {
    let asks = view.prompt.as_ref().filter(|_| view.phase == OpPhase::Asking && !app.quitting);
    let open = |o: &Overlay| matches!(o, Overlay::Answer(f) if f.op == view.id);
    match asks {
        Some(prompt) if app.overlays.iter().any(|o| matches!(o, Overlay::Answer(f) if f.op == view.id && f.prompt == *prompt)) => {}
        Some(prompt) => {
            app.overlays.retain(|o| !open(o));
            let masked = matches!(prompt.kind, PromptKind::Secret | PromptKind::Password | PromptKind::Code);
            let name = if app.hide_names { "····".to_owned() } else { view.label.to_string() };
            let form = AnswerForm {
                op: view.id,
                title: format!("{} · {name}", verb(&view.action, app.lang())),
                prompt: prompt.clone(),
                field: if masked { Field::secret() } else { Field::default() },
                said: false,
            };
            app.overlays.push(Overlay::Answer(Box::new(form)));
        }
        None => app.overlays.retain(|o| !open(o)),
    }
}

/// A key while the question is open. Nothing is sent before something was typed.
pub(super) fn key(app: &mut App, key: &KeyEvent, out: &mut Vec<Do>) {
    let Some(Overlay::Answer(f)) = app.overlays.last_mut() else { return };
    if key.code != KeyCode::Enter {
        f.field.key(key);
        return;
    }
    if f.field.is_empty() {
        return;
    }
    let (op, answer) = (f.op, Secret::new(f.field.text().to_owned()));
    app.overlays.pop();
    out.push(Do::Send(Command::AnswerOp(op, answer)));
}

/// Esc: the action is taken back.
pub(super) fn left(form: &AnswerForm, out: &mut Vec<Do>) {
    out.push(Do::Send(Command::Undo(form.op)));
}
