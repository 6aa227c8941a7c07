//! Reading a body as Go's `encoding/json` does, with its words when it fails. Names match whatever their case; `null` is
//! nothing; unknown names are skipped.

use super::gojson;
use serde_json::Value;

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Text,
    Int(i64, u64),
    Texts,
}

/// One field: its name in JSON, its kind, and Go's name of its type.
pub(crate) type Field = (&'static str, Kind, &'static str);

/// A Go struct: its name (empty when it has none) and fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) whole: &'static str,
    pub(crate) fields: &'static [Field],
}

const U8: Kind = Kind::Int(0, 255);
const INT: Kind = Kind::Int(i64::MIN, i64::MAX as u64);

/// `/user/token`.
pub(crate) const TOKEN: Shape = Shape {
    name: "UpdateTokenReq",
    whole: "api.UpdateTokenReq",
    fields: &[
        ("uid", Kind::Text, "string"),
        ("token", Kind::Text, "string"),
        ("device_flag", U8, "wkproto.DeviceFlag"),
        ("device_level", U8, "wkproto.DeviceLevel"),
    ],
};
/// `/user/device_quit`.
pub(crate) const QUIT: Shape = Shape {
    name: "",
    whole: "struct { UID string \"json:\\\"uid\\\"\"; DeviceFlag int \"json:\\\"device_flag\\\"\" }",
    fields: &[("uid", Kind::Text, "string"), ("device_flag", INT, "int")],
};
/// `/user/systemuids_add` and `_remove`.
pub(crate) const UIDS: Shape =
    Shape { name: "", whole: "struct { UIDs []string \"json:\\\"uids\\\"\" }", fields: &[("uids", Kind::Texts, "[]string")] };
/// `/conn/kick` and `/conn/remove`.
pub(crate) const CONN: Shape = Shape {
    name: "",
    whole: "struct { Uid string \"json:\\\"uid\\\"\"; ConnID int64 \"json:\\\"conn_id\\\"\"; NodeId uint64 \"json:\\\"node_id\\\"\"; OpNodeId uint64 \"json:\\\"op_node_id\\\"\" }",
    fields: &[
        ("uid", Kind::Text, "string"),
        ("conn_id", INT, "int64"),
        ("node_id", Kind::Int(0, u64::MAX), "uint64"),
        ("op_node_id", Kind::Int(0, u64::MAX), "uint64"),
    ],
};
/// `/channel/info`.
pub(crate) const CHANNEL: Shape = Shape {
    name: "channelInfoReq",
    whole: "api.channelInfoReq",
    fields: &[("channel_id", Kind::Text, "string"), ("channel_type", U8, "uint8"), ("ban", INT, "int"), ("send_ban", INT, "int")],
};
/// `/manager/login`.
pub(crate) const LOGIN: Shape = Shape {
    name: "",
    whole: "struct { Username string \"json:\\\"username\\\"\"; Password string \"json:\\\"password\\\"\" }",
    fields: &[("username", Kind::Text, "string"), ("password", Kind::Text, "string")],
};

/// A body that fits its shape.
#[derive(Debug, Default)]
pub(crate) struct Bound(Vec<(&'static str, Value)>);

impl Bound {
    /// A string, empty when absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.value(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number, 0 when absent.
    pub(crate) fn int(&self, name: &str) -> i64 {
        self.value(name).and_then(Value::as_i64).unwrap_or_default()
    }

    /// A number of its unsigned kind, 0 when absent.
    pub(crate) fn unsigned(&self, name: &str) -> u64 {
        self.value(name).and_then(Value::as_u64).unwrap_or_default()
    }

    /// Strings, none when absent.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        self.value(name).and_then(Value::as_array).map(|l| l.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect()).unwrap_or_default()
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.0.iter().rev().find(|(n, _)| *n == name).map(|(_, v)| v)
    }
}

fn kind_of(v: &Value) -> String {
    match v {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(n) => format!("number {n}"),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
    }
}

/// Reads a document.
///
/// # Errors
/// Go's message of a syntax error.
pub(crate) fn parse(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|_| gojson::syntax_error(body))
}

/// Reads `body` as `shape`.
///
/// # Errors
/// Go's message.
pub(crate) fn bind(body: &[u8], shape: &Shape) -> Result<Bound, String> {
    let whole = parse(body)?;
    let map = match whole {
        Value::Object(map) => map,
        Value::Null => return Ok(Bound::default()),
        other => return Err(format!("json: cannot unmarshal {} into Go value of type {}", short(&other), shape.whole)),
    };
    let mut out = Vec::new();
    let mut first: Option<String> = None;
    for (key, value) in map {
        let Some((name, kind, go)) = shape.fields.iter().find(|f| f.0.eq_ignore_ascii_case(&key)) else { continue };
        if value.is_null() {
            continue;
        }
        let fits = match kind {
            Kind::Text => value.is_string(),
            Kind::Int(low, high) => {
                let above = value.as_i64().is_some_and(|n| n >= *low && u64::try_from(n).map_or(true, |n| n <= *high));
                above || value.as_u64().is_some_and(|n| n <= *high)
            }
            Kind::Texts => value.as_array().is_some_and(|l| l.iter().all(|v| v.is_string() || v.is_null())),
        };
        if fits {
            out.push((*name, value));
            continue;
        }
        let (what, go) = match (&value, kind) {
            (Value::Array(items), Kind::Texts) => (items.iter().find(|v| !v.is_string() && !v.is_null()).map(short).unwrap_or_default(), "string"),
            // Go names the number only where a number was wanted.
            (_, Kind::Int(..)) => (kind_of(&value), *go),
            _ => (short(&value), *go),
        };
        // Go goes on and tells the first failure.
        first.get_or_insert(format!("json: cannot unmarshal {what} into Go struct field {}.{name} of type {go}", shape.name));
    }
    first.map_or(Ok(Bound(out)), Err)
}

/// Reads `body` as a list of strings.
///
/// # Errors
/// Go's message.
pub(crate) fn texts(body: &[u8]) -> Result<Vec<String>, String> {
    match parse(body)? {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items
            .into_iter()
            .map(|v| match v {
                Value::String(s) => Ok(s),
                Value::Null => Ok(String::new()),
                other => Err(format!("json: cannot unmarshal {} into Go value of type string", short(&other))),
            })
            .collect(),
        other => Err(format!("json: cannot unmarshal {} into Go value of type []string", short(&other))),
    }
}

fn short(v: &Value) -> String {
    kind_of(v).split(' ').next().unwrap_or_default().to_owned()
}
