//! Instances with a past.

use super::{
    Inner,
    events::{NAMES, disconnection},
    lifecycle::New,
    qr,
    state::{Link, QrCode, Session},
};
use crate::sandbox::{
    clock::iso,
    json::{Json, map},
    settings::{InstanceSpec, Past},
};
use std::sync::Arc;

impl Inner {
    /// Adds an instance with that past. Makes no events for what has already been; sockets that live open now.
    pub(crate) fn seed(self: &Arc<Self>, spec: &InstanceSpec) {
        let mut guard = self.lock();
        let state = &mut *guard;
        if state.by_name.contains_key(&spec.name) {
            return;
        }
        let key = self.add(state, New { name: spec.name.clone(), number: None, token: None });
        let now = self.now_ms();
        let then = now - i64::try_from(spec.idle.as_millis()).unwrap_or(0);
        let ws_id = state.chance.cuid();
        let new_session = Session::new(&mut state.chance);
        let old = format!("{},{},{},{}", state.chance.qr_ref(), new_session.noise, new_session.identity, new_session.adv);
        let old_code = state.chance.pairing_code();
        let Some(l) = state.lives.get_mut(&key) else { return };
        if !spec.number.is_empty() {
            l.phone.clone_from(&spec.number);
        }
        if !spec.profile.is_empty() {
            l.profile.clone_from(&spec.profile);
        }
        l.link_delay = spec.link_delay.unwrap_or(l.link_delay);
        l.scans_after = spec.scans_after.unwrap_or(l.scans_after);
        let jid = format!("{}@s.whatsapp.net", l.phone);
        let was_linked = !matches!(spec.past, Past::New | Past::Futile | Past::Pairing | Past::Spoilt | Past::LimitReached);
        let mut row_link = Link::Close;
        let mut reason = None;
        let linked = |mut s: Session| {
            s.me = Some(jid.clone());
            s.registered = true;
            Some(s)
        };
        match spec.past {
            Past::New => {}
            Past::Online => {
                (l.link, row_link) = (Link::Open, Link::Open);
                l.session = linked(new_session);
                // A socket that lives without a task: nothing is due until someone ends it.
                l.socket = u64::MAX;
                l.wuid = Some(jid.clone());
            }
            Past::DeadOpen => {
                (l.link, row_link) = (Link::Open, Link::Open);
                l.session = linked(new_session);
                l.wuid = Some(jid.clone());
            }
            Past::LoggedOut => {
                l.qr = QrCode { pairing_code: Some(Some(old_code)), base64: Some(qr::data_url(&old)), code: Some(old), count: 1 };
                l.wuid = Some(jid.clone());
                l.status_reason = 401;
                let data = map! {
                    "tag" => "stream:error", "attrs" => map! { "code" => "401" },
                    "content" => Json::List(vec![map! { "tag" => "conflict", "attrs" => map! { "type" => "device_removed" } }]),
                };
                reason = Some((401, data, "Stream Errored (conflict)"));
            }
            Past::Replaced => {
                l.wuid = Some(jid.clone());
                l.session = linked(new_session);
                let data = map! {
                    "tag" => "stream:error", "attrs" => map! {},
                    "content" => Json::List(vec![map! { "tag" => "conflict", "attrs" => map! { "type" => "replaced" } }]),
                };
                reason = Some((440, data, "Stream Errored (conflict)"));
            }
            Past::Forbidden => reason = Some((403, map! { "reason" => "403", "location" => "cln" }, "Connection Failure")),
            Past::Futile => {
                l.futile = true;
                row_link = Link::Connecting;
            }
            Past::LimitReached => {
                l.session = Some(new_session);
                row_link = Link::Connecting;
            }
            Past::DeadRow => {
                l.session = linked(new_session);
                row_link = Link::Open;
            }
            Past::Spoilt => {
                l.session = Some(Session { me: Some(jid.clone()), ..new_session });
                row_link = Link::Close;
            }
            Past::Flapping => {
                l.session = linked(new_session);
                l.flapping = true;
                row_link = Link::Open;
            }
            Past::Pairing => row_link = Link::Connecting,
        }
        let profile = l.profile.clone();
        if let Some(row) = state.row_of(key) {
            row.created = then - 86_400_000;
            row.updated = then;
            row.status = row_link;
            row.settings.created = row.created;
            row.settings.updated = row.created;
            if was_linked {
                row.owner = Some(jid);
                row.profile = Some(profile);
            }
            if let Some((code, data, message)) = reason {
                row.reason = Some(code);
                row.reason_object = Some(disconnection(code, data, message, then).to_string());
                row.reason_at = Some(then);
            }
            if spec.subscribed {
                let at = iso(row.created);
                let events = Json::List(NAMES.iter().map(|n| Json::from(*n)).collect());
                let ws =
                    map! { "id" => ws_id, "enabled" => true, "events" => events, "createdAt" => &at, "updatedAt" => &at, "instanceId" => &row.id };
                row.extras.insert("websocket", ws);
            }
        }
        if matches!(spec.past, Past::Futile | Past::Flapping | Past::Pairing) {
            self.open_socket(state, key);
        }
        if let Some(after) = spec.deleted_after {
            let (me, name) = (Arc::clone(self), spec.name.clone());
            self.spawn(async move {
                tokio::time::sleep(after).await;
                me.delete(&name);
            });
        }
    }
}
