//! The routes below `/instance`.

use super::{
    Inner,
    guard::Key,
    lifecycle::{New, state_json},
    reply::Reply,
    rows,
    state::{Link, listed},
};
use crate::sandbox::{
    clock::iso,
    json::{Json, map},
};
use std::sync::Arc;

/// A query string, decoded, the first value of each name.
pub(crate) type Query = Vec<(String, String)>;

/// The value of `name`, if it is there and not empty.
pub(crate) fn asked<'q>(query: &'q Query, name: &str) -> Option<&'q str> {
    query.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
}

impl Inner {
    /// `POST /instance/create`.
    pub(crate) async fn create(self: &Arc<Self>, body: &Json, key: &Key) -> Reply {
        let name = body.get("instanceName").and_then(Json::text).unwrap_or_default().to_owned();
        if self.lock().row(&name).is_some() {
            return Reply::refuse(403, format!("This name \"{name}\" is already in use."));
        }
        // An instance's token may not create (recording 62).
        if *key != Key::Global {
            return Reply::unauthorized();
        }
        if let Some(failed) = create_schema(body) {
            return failed;
        }
        if body.get("integration").and_then(Json::text) != Some("WHATSAPP-BAILEYS") {
            return Reply::refuse(400, "Invalid integration");
        }
        let number = body.get("number").and_then(Json::text).map(str::to_owned);
        let token = body.get("token").and_then(Json::text).map(str::to_owned);
        let (life, id, token) = {
            let mut guard = self.lock();
            let state = &mut *guard;
            if state.by_name.len() >= MOST {
                return Reply::refuse(400, "too many instances for a sandbox");
            }
            // The row keeps the number (recording 53, shop-b); only `qrcode:true` uses it to connect.
            let life = self.add(state, New { name: name.clone(), number: number.clone(), token });
            let Some(l) = state.lives.get(&life) else { return Reply::refuse(400, "gone") };
            let (id, token) = (l.instance_id.clone(), l.token.clone());
            self.emit(state, life, "instance.create", map! { "instanceName" => &name, "instanceId" => &id });
            (life, id, token)
        };
        if let Err(message) = self.create_extras(&name, body) {
            // The half-made instance is taken back (recording 82).
            self.delete(&name);
            return Reply::refuse(400, message);
        }
        let settings = self.create_settings(&name, body);
        let on = |k: &str| match body.get(k).and_then(|w| w.get("enabled")) {
            Some(Json::Bool(b)) => map! { "enabled" => *b },
            _ => map! {},
        };
        let webhook = match body.get("webhook").filter(|w| w.get("url").is_some()) {
            None => map! {},
            Some(w) => map! {
                "webhookUrl" => w.get("url").cloned(), "webhookHeaders" => w.get("headers").cloned(),
                "webhookByEvents" => w.get("byEvents").cloned(), "webhookBase64" => w.get("base64").cloned(),
            },
        };
        let mut link = Link::Close;
        let mut code = None;
        if body.get("qrcode").and_then(Json::bool) == Some(true) {
            let (l, q) = self.first_qr(life, number).await;
            link = l;
            code = Some(q);
        }
        let mut answer = vec![
            (
                "instance".to_owned(),
                map! {
                    "instanceName" => &name, "instanceId" => id, "integration" => "WHATSAPP-BAILEYS",
                    "webhookWaBusiness" => Json::Null, "accessTokenWaBusiness" => "", "status" => link.text(),
                },
            ),
            ("hash".to_owned(), Json::from(token)),
            ("webhook".to_owned(), webhook),
            ("websocket".to_owned(), on("websocket")),
            ("rabbitmq".to_owned(), on("rabbitmq")),
            ("nats".to_owned(), on("nats")),
            ("sqs".to_owned(), on("sqs")),
            ("settings".to_owned(), settings),
        ];
        if let Some(q) = code {
            answer.push(("qrcode".to_owned(), q));
        }
        Reply::json(201, &Json::Map(answer))
    }

    /// Settings given to create; answers the eight values.
    fn create_settings(&self, name: &str, body: &Json) -> Json {
        let mut state = self.lock();
        let Some(row) = state.row_mut(name) else { return map! {} };
        for (k, v) in &mut row.settings.values {
            if let Some(given) = body.get(k) {
                *v = given.clone();
            }
        }
        row.settings.flat()
    }

    /// Websocket, webhook, proxy and kin given to create.
    fn create_extras(&self, name: &str, body: &Json) -> Result<(), String> {
        for kind in ["webhook", "websocket", "rabbitmq", "nats", "sqs", "kafka", "pusher"] {
            let Some(given) = body.get(kind) else { continue };
            if given.get("events").is_none() && (kind != "webhook" || given.get("url").is_some()) {
                return Err("Cannot read properties of undefined (reading 'length')".to_owned());
            }
            self.set_extra(name, kind, given);
        }
        if let Some(host) = body.get("proxyHost") {
            let pick = |k: &str| body.get(k).cloned();
            let given = map! {
                "enabled" => true, "host" => host.clone(), "port" => pick("proxyPort"), "protocol" => pick("proxyProtocol"),
                "username" => pick("proxyUsername"), "password" => pick("proxyPassword"),
            };
            self.set_extra(name, "proxy", &given);
        }
        Ok(())
    }

    /// `GET /instance/fetchInstances`.
    pub(crate) fn list(&self, query: &Query, key: &Key) -> Reply {
        let (name, id, number) = (asked(query, "instanceName"), asked(query, "instanceId"), asked(query, "number"));
        let state = self.lock();
        let client = &self.settings.client_name;
        let rows: Vec<_> = match key {
            Key::None => return Reply::unauthorized(),
            Key::Instance(names) => {
                let own: Vec<_> =
                    names.iter().filter_map(|n| state.row(n)).filter(|r| name.is_none_or(|n| n == r.name) && id.is_none_or(|i| i == r.id)).collect();
                if own.is_empty() {
                    return Reply::unauthorized();
                }
                own
            }
            Key::Global => {
                if let Some(id) = id {
                    match state.rows.values().find(|r| r.id == id) {
                        Some(r) => vec![r],
                        None => return Reply::refuse(404, format!("Instance \"{id}\" not found")),
                    }
                } else if let Some(number) = number {
                    match state.rows.values().find(|r| r.number.as_deref() == Some(number)) {
                        Some(r) => vec![r],
                        None => return Reply::refuse(404, format!("Instance \"{number}\" not found")),
                    }
                } else if let Some(name) = name {
                    match state.row(name) {
                        Some(r) => vec![r],
                        None => return Reply::refuse(404, format!("Instance \"{name}\" not found")),
                    }
                } else {
                    state.rows.values().collect()
                }
            }
        };
        Reply::json(200, &Json::List(rows.into_iter().map(|r| listed(r, client)).collect()))
    }

    /// `GET /instance/connectionState/{name}`.
    pub(crate) fn connection_state(&self, name: &str) -> Reply {
        let link = self.lock().life_of(name).map(|l| l.link);
        Reply::json(200, &link.map_or_else(|| map! { "instance" => map! { "instanceName" => name } }, |l| state_json(name, l)))
    }

    /// `POST /instance/setPresence/{name}`.
    pub(crate) fn set_presence(&self, name: &str, body: &Json) -> Reply {
        const KNOWN: [&str; 5] = ["unavailable", "available", "composing", "recording", "paused"];
        let Some(presence) = body.get("presence") else {
            return Reply::schema(vec!["instance requires property \"presence\"".to_owned()]);
        };
        if !presence.text().is_some_and(|p| KNOWN.contains(&p)) {
            return Reply::schema(vec![format!("presence is not one of enum values: {}", KNOWN.join(","))]);
        }
        if self.lock().life_of(name).is_none_or(|l| l.socket == 0) {
            return Reply::refuse(500, "Error: Connection Closed");
        }
        Reply::json(201, &map! { "presence" => presence.clone() })
    }

    /// `GET /metrics`.
    pub(crate) fn metrics(&self) -> Reply {
        if !self.settings.metrics {
            return Reply::refuse(404, "Cannot GET /metrics");
        }
        let escape = |v: &str| v.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"");
        let mut state = self.lock();
        let names: Vec<String> = state.rows.values().map(|r| r.name.clone()).collect();
        let mut out = format!(
            "# HELP evolution_environment_info Environment information\n# TYPE evolution_environment_info gauge\n\
             evolution_environment_info{{version=\"{}\",clientName=\"{}\",serverUrl=\"{}\"}} 1\n\
             # HELP evolution_instances_total Total number of instances\n# TYPE evolution_instances_total gauge\n\
             evolution_instances_total {}\n\
             # HELP evolution_instance_up 1 if instance state is open, else 0\n# TYPE evolution_instance_up gauge\n\
             # HELP evolution_instance_state Instance state as a labelled metric\n# TYPE evolution_instance_state gauge\n",
            self.settings.version,
            escape(&self.settings.client_name),
            escape(self.url()),
            names.len()
        );
        for name in names {
            let link = state.life_of(&name).map_or(Link::Close, |l| l.link);
            let (n, up) = (escape(&name), u8::from(link == Link::Open));
            out.push_str(&format!("evolution_instance_up{{instance=\"{n}\",integration=\"WHATSAPP-BAILEYS\"}} {up}\n"));
            out.push_str(&format!("evolution_instance_state{{instance=\"{n}\",integration=\"WHATSAPP-BAILEYS\",state=\"{}\"}} 1\n", link.text()));
        }
        out.push('\n');
        Reply { no_store: true, ..Reply::text(200, "text/plain; charset=utf-8; version=0.0.4", out) }
    }

    /// `createdAt`, `updatedAt` of a row that changes now.
    pub(crate) fn stamp(&self) -> String {
        iso(self.now_ms())
    }
}

/// Instances that a sandbox takes at most.
const MOST: usize = 20_000;

/// What `instanceSchema` refuses (recording 09).
fn create_schema(body: &Json) -> Option<Reply> {
    let mut wrong = Vec::new();
    if body.get("instanceName").is_some_and(|n| n.text().is_none()) {
        wrong.push("instanceName is not of a type(s) string".to_owned());
    }
    if let Some(number) = body.get("number") {
        match number.text() {
            None => wrong.push("number is not of a type(s) string".to_owned()),
            Some(n) => {
                let digits = n.chars().take_while(char::is_ascii_digit).count();
                let rest = n.chars().nth(digits);
                let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '@' | '-');
                // ^\d+[\.@\w-]+ : a digit and one more; backtracking lets the last digit be the second part.
                if digits == 0 || (digits == 1 && !rest.is_some_and(word)) {
                    wrong.push("number does not match pattern \"^\\\\d+[\\\\.@\\\\w-]+\"".to_owned());
                }
            }
        }
    }
    for k in rows::BOOLEAN_SETTINGS {
        if body.get(k).is_some_and(|v| v.bool().is_none()) {
            wrong.push(format!("{k} is not of a type(s) boolean"));
        }
    }
    (!wrong.is_empty()).then(|| Reply::schema(wrong))
}
