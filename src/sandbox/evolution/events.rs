//! Events: envelopes as the server writes them, and where they go.

use super::{Inner, state::State};
use crate::sandbox::{
    clock::iso,
    json::{Json, map},
    settings::Events,
};
use std::sync::Arc;

/// Names that an instance can subscribe to, in the server's order (event.controller.ts).
pub(crate) const NAMES: &[&str] = &[
    "APPLICATION_STARTUP",
    "INSTANCE_CREATE",
    "INSTANCE_DELETE",
    "QRCODE_UPDATED",
    "MESSAGES_SET",
    "MESSAGES_UPSERT",
    "MESSAGES_EDITED",
    "MESSAGES_UPDATE",
    "MESSAGES_DELETE",
    "SEND_MESSAGE",
    "SEND_MESSAGE_UPDATE",
    "CONTACTS_SET",
    "CONTACTS_UPSERT",
    "CONTACTS_UPDATE",
    "PRESENCE_UPDATE",
    "CHATS_SET",
    "CHATS_UPSERT",
    "CHATS_UPDATE",
    "CHATS_DELETE",
    "GROUPS_UPSERT",
    "GROUP_UPDATE",
    "GROUP_PARTICIPANTS_UPDATE",
    "CONNECTION_UPDATE",
    "LABELS_EDIT",
    "LABELS_ASSOCIATION",
    "CALL",
    "TYPEBOT_START",
    "TYPEBOT_CHANGE_STATUS",
    "REMOVE_INSTANCE",
    "LOGOUT_INSTANCE",
    "STATUS_INSTANCE",
];

/// One event on its way out.
#[derive(Clone, Debug)]
pub struct Event {
    /// Such as `connection.update`.
    pub event: String,
    /// The instance that it is about.
    pub instance: String,
    /// True when the root namespace gets it.
    pub(crate) root: bool,
    /// True when the instance's namespace gets it.
    pub(crate) namespaced: bool,
    /// The envelope, as JSON text.
    pub envelope: Arc<str>,
}

impl Inner {
    /// Sends one event of the instance in `life`, to whoever may hear it.
    pub(crate) fn emit(&self, state: &mut State, life: u64, event: &str, data: Json) {
        let Some(l) = state.lives.get(&life) else { return };
        let (name, token, wuid) = (l.name.clone(), l.token.clone(), l.wuid.clone());
        let now = self.now_ms();
        let mut pairs = vec![
            ("event".to_owned(), Json::from(event)),
            ("instance".to_owned(), Json::from(&name)),
            ("data".to_owned(), data),
            ("server_url".to_owned(), Json::from(self.url())),
            // Local time with a false Z (channel.service.ts; recording ws-limit2).
            ("date_time".to_owned(), Json::from(iso(now + i64::from(self.settings.tz_offset_s) * 1000))),
        ];
        if let Some(w) = wuid {
            pairs.push(("sender".to_owned(), w.into()));
        }
        pairs.push(("apikey".to_owned(), if self.settings.expose_keys { token.into() } else { Json::Null }));
        let wire = event.replace(['.', '-'], "_").to_uppercase();
        let subscribed = state.row(&name).and_then(|r| r.extras.get("websocket")).is_some_and(|w| {
            w.get("enabled").and_then(Json::bool) == Some(true)
                && w.get("events").and_then(Json::list).is_some_and(|l| l.iter().any(|e| e.text() == Some(&wire)))
        });
        let enabled = self.settings.events != Events::None;
        if enabled && subscribed {
            state.namespaces.insert(name.clone());
        }
        let e = Event {
            event: event.to_owned(),
            instance: name,
            root: enabled && self.settings.events == Events::Global,
            namespaced: enabled && subscribed,
            envelope: Json::Map(pairs).to_string().into(),
        };
        // Nobody listening is no error.
        let _ = self.bus.send(Arc::new(e));
    }

    /// `connection.update` with the memory state of `life`.
    pub(crate) fn emit_state(&self, state: &mut State, life: u64) {
        let Some(l) = state.lives.get(&life) else { return };
        let mut pairs = vec![("instance".to_owned(), Json::from(&l.name))];
        if l.link == super::state::Link::Open {
            pairs.push(("wuid".to_owned(), l.wuid.clone().into()));
            pairs.push(("profileName".to_owned(), Json::from(&l.profile)));
            pairs.push(("profilePictureUrl".to_owned(), Json::Null));
        }
        pairs.push(("state".to_owned(), l.link.text().into()));
        pairs.push(("statusReason".to_owned(), l.status_reason.into()));
        self.emit(state, life, "connection.update", Json::Map(pairs));
    }

    /// The three events of the end of a session, in the recorded order, with the row and the session changed as the server does.
    pub(crate) fn emit_closed(&self, state: &mut State, life: u64, code: u16, object: &Json) {
        let now = self.now_ms();
        let text = object.to_string();
        let Some(l) = state.lives.get_mut(&life) else { return };
        l.socket = 0;
        l.offered = None;
        l.status_reason = code;
        let name = l.name.clone();
        let data = map! {
            "instance" => &name, "status" => "closed", "disconnectionAt" => iso(now),
            "disconnectionReasonCode" => code, "disconnectionObject" => &text,
        };
        self.emit(state, life, "status.instance", data);
        if let Some(row) = state.row_of(life) {
            row.status = super::state::Link::Close;
            row.reason = Some(code);
            row.reason_object = Some(text);
            row.reason_at = Some(now);
            row.updated = now;
        }
        self.emit(state, life, "logout.instance", Json::Null);
        if let Some(l) = state.lives.get_mut(&life) {
            l.session = None;
            l.link = super::state::Link::Close;
        }
        self.emit_state(state, life);
    }
}

/// The error object that the server stores and sends, as a JSON value; `at` in milliseconds.
pub(crate) fn disconnection(code: u16, data: Json, message: &str, at: i64) -> Json {
    let error = match code {
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        406 => "Not Acceptable",
        408 => "Request Time-out",
        428 => "Precondition Required",
        440 => "Unknown",
        500 => "Internal Server Error",
        515 => "Unknown",
        _ => "Unknown",
    };
    map! {
        "error" => map! {
            "data" => data, "isBoom" => true, "isServer" => code >= 500,
            "output" => map! {
                "statusCode" => code,
                "payload" => map! { "statusCode" => code, "error" => error, "message" => message },
                "headers" => map! {},
            },
        },
        "date" => iso(at),
    }
}
