//! JSON-RPC 2.0 as `pkg/jsonrpc` of v2.2.5 reads and writes it. The version may be left out, as easyjssdk does.

use super::{
    Inner,
    session::Hello,
    wire::{Delivery, Out},
};
use crate::sandbox::json::{Json, map};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::sync::Arc;

/// What a CONNECT asked for besides its identity.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) id: String,
    /// The client's clock, milliseconds since 1970.
    pub(crate) at: i64,
}

/// Reads a CONNECT; `None` when the frame is none, for which the socket is closed at once.
pub(crate) fn connect(frame: &str) -> Option<(Asked, Hello)> {
    let v: Value = serde_json::from_str(frame).ok()?;
    if v.get("method").and_then(Value::as_str) != Some("connect") || v.get("jsonrpc").is_some_and(|j| j != "2.0") {
        return None;
    }
    let params = v.get("params")?.as_object()?;
    let word = |k: &str| params.get(k).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |k: &str| params.get(k).and_then(Value::as_i64).unwrap_or(0);
    let version = u8::try_from(number("version")).ok().filter(|v| *v > 0).unwrap_or(5);
    // The number passes unchanged, cut to eight bits (pkg/jsonrpc/types.go:349).
    let flag = (number("deviceFlag") & 0xff) as u8;
    let hello = Hello { uid: word("uid"), token: word("token"), flag, device_id: word("deviceId"), version, ..Hello::default() };
    Some((Asked { id: v.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(), at: number("clientTimestamp") }, hello))
}

/// The answer to a CONNECT; `timeDiff` is left out when it is 0, the version when the login failed.
pub(crate) fn connack(id: &str, version: u8, time_diff: i64, reason: u8, node: u64) -> String {
    let mut result = Vec::new();
    if reason == 1 {
        result.push(("serverVersion".to_owned(), Json::from(u32::from(version.min(5)))));
    }
    if time_diff != 0 {
        result.push(("timeDiff".to_owned(), time_diff.into()));
    }
    result.push(("reasonCode".to_owned(), u32::from(reason).into()));
    result.push(("nodeId".to_owned(), Json::Int(node as i64)));
    map! { "jsonrpc" => "2.0", "id" => id, "result" => Json::Map(result) }.to_string()
}

/// A notification; `None` closes the socket.
pub(crate) fn notify(out: &Out) -> Option<String> {
    let (method, params) = match out {
        Out::Disconnect(reason) if reason.is_empty() => ("disconnect", map! { "reasonCode" => 12u32 }),
        Out::Disconnect(reason) => ("disconnect", map! { "reasonCode" => 12u32, "reason" => reason }),
        Out::Recv(d) => ("recv", recv(d)),
        Out::Close => return None,
    };
    Some(map! { "jsonrpc" => "2.0", "method" => method, "params" => params }.to_string())
}

fn recv(d: &Delivery) -> Json {
    map! {
        "messageId" => d.id.to_string(), "messageSeq" => d.seq, "clientMsgNo" => &d.client_msg_no, "timestamp" => d.timestamp,
        "channelId" => &d.channel, "channelType" => 1u32, "fromUid" => &d.from, "payload" => &d.payload,
    }
}

/// The answer to a frame of a client that got in.
pub(crate) fn answer(inner: &Arc<Inner>, conn: u64, uid: &str, frame: &str) -> Option<String> {
    let fail = |id: &str, why: &str| Some(map! { "jsonrpc" => "2.0", "id" => id, "error" => map! { "code" => 0u32, "message" => why } }.to_string());
    let Ok(v) = serde_json::from_str::<Value>(frame) else { return fail("", "jsonrpc decode: failed to unmarshal message") };
    let request = v.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let params = v.get("params");
    let word = |k: &str| params.and_then(|p| p.get(k)).and_then(Value::as_str).unwrap_or_default().to_owned();
    match v.get("method").and_then(Value::as_str) {
        Some("ping") => Some(map! { "jsonrpc" => "2.0", "id" => request }.to_string()),
        Some("send") => {
            if let Some(why) = params.and_then(|p| bad_payload(p.get("payload")?)) {
                return fail(&request, &format!("jsonrpc: failed to unmarshal field: send params: {why}"));
            }
            if params.and_then(|p| p.get("channelType")).and_then(Value::as_u64) != Some(1) {
                return fail(&request, "the sandbox has personal channels only");
            }
            let (message, seq, reason) = inner.message(conn, uid, &word("channelId"), &word("clientMsgNo"), &word("payload"))?;
            let result = map! { "messageId" => message.to_string(), "messageSeq" => seq, "reasonCode" => u32::from(reason) };
            Some(map! { "jsonrpc" => "2.0", "id" => request, "result" => result }.to_string())
        }
        Some("recvack" | "disconnect" | "pong") => None,
        _ => fail(&request, "jsonrpc: unknown method"),
    }
}

/// A payload is `[]byte`: base64 in a string. The document that says "object" is wrong (pkg/jsonrpc/types.go:114).
fn bad_payload(payload: &Value) -> Option<String> {
    let kind = match payload {
        Value::String(s) => return STANDARD.decode(s).err().map(|_| "illegal base64 data at input byte 0".to_owned()),
        Value::Null => return None,
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::Number(_) => "number",
        Value::Bool(_) => "bool",
    };
    Some(format!("json: cannot unmarshal {kind} into Go struct field SendParams.payload of type []uint8"))
}
