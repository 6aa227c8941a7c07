//! Decoding of what a server sent, with the memory that it costs bounded. A tree of values is much larger than its text: a
//! megabyte of `{"a":1},` becomes eighty, so the size of a body alone bounds nothing.

use super::MOST_ITEMS;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::{cell::Cell, fmt};

/// Most memory that one decoded tree may take, in bytes, as `ENTRY` and its neighbours reckon it.
pub const TREE: usize = 48 << 20;
/// Most memory for one row of a list that is read row by row.
pub const ROW: usize = 4 << 20;
/// Most memory for all that is kept of such a list.
pub const KEPT: usize = 32 << 20;

/// What an element of an array takes, growth of the array included.
const ITEM: usize = 64;
/// What the first entry of an object takes: a node of the tree has room for eleven.
const OBJECT: usize = 640;
/// What each further entry takes.
const ENTRY: usize = 112;

/// Any JSON whose tree stays within [`TREE`].
pub fn value(body: &[u8]) -> Option<Value> {
    let mut d = serde_json::Deserializer::from_slice(body);
    let out = Bounded::new(&Cell::new(TREE)).deserialize(&mut d).ok()?;
    d.end().ok()?;
    Some(out)
}

/// Builds a tree as long as there is room left for it.
#[derive(Clone, Copy)]
pub struct Bounded<'a> {
    left: &'a Cell<usize>,
}

impl<'a> Bounded<'a> {
    /// A tree of at most `left` bytes; what it took is taken off.
    pub const fn new(left: &'a Cell<usize>) -> Self {
        Self { left }
    }

    fn takes<E: Error>(self, bytes: usize) -> Result<(), E> {
        let left = self.left.get().checked_sub(bytes).ok_or_else(|| E::custom("larger than what is taken"))?;
        self.left.set(left);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }
    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E: Error>(self, v: bool) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_i64<E: Error>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_u64<E: Error>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_f64<E: Error>(self, v: f64) -> Result<Value, E> {
        Ok(v.into())
    }
    fn visit_str<E: Error>(self, v: &str) -> Result<Value, E> {
        self.takes(v.len())?;
        Ok(v.into())
    }
    fn visit_string<E: Error>(self, v: String) -> Result<Value, E> {
        self.takes(v.len())?;
        Ok(v.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(v) = seq.next_element_seed(self)? {
            self.takes(ITEM)?;
            all.push(v);
        }
        Ok(Value::Array(all))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            self.takes(key.len() + if all.is_empty() { OBJECT } else { ENTRY })?;
            all.insert(key, map.next_value_seed(self)?);
        }
        Ok(Value::Object(all))
    }
}

/// An object with one list in it, which was read row by row and never was a tree.
pub struct Table<T> {
    /// The rows that could be read, at most [`MOST_ITEMS`].
    pub rows: Vec<T>,
    /// How many there were.
    pub sent: usize,
    /// The last of those that were looked at, as it came.
    pub last: Option<Value>,
    /// The object's other entries.
    pub rest: Map<String, Value>,
}

/// Reads an object whose entry under one of `names` is a list (`null`: an empty one). `None` when it is something else, has no such
/// entry, or when one row or the rest takes more memory than is taken.
pub fn table<T>(body: &[u8], names: &[&str], read: fn(&Value) -> Option<T>) -> Option<Table<T>> {
    let mut d = serde_json::Deserializer::from_slice(body);
    let out = d.deserialize_map(Outer { names, read }).ok()??;
    d.end().ok()?;
    Some(out)
}

struct Outer<'n, T> {
    names: &'n [&'n str],
    read: fn(&Value) -> Option<T>,
}

impl<'de, T> Visitor<'de> for Outer<'_, T> {
    type Value = Option<Table<T>>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let left = Cell::new(ROW);
        let (mut found, mut rest) = (None, Map::new());
        while let Some(key) = map.next_key::<String>()? {
            if found.is_none() && self.names.contains(&key.as_str()) {
                found = map.next_value_seed(Rows { read: self.read })?;
                continue;
            }
            Bounded::new(&left).takes(key.len() + ENTRY)?;
            rest.insert(key, map.next_value_seed(Bounded::new(&left))?);
        }
        Ok(found.map(|(rows, sent, last)| Table { rows, sent, last, rest }))
    }
}

struct Rows<T> {
    read: fn(&Value) -> Option<T>,
}

type Read<T> = Option<(Vec<T>, usize, Option<Value>)>;

impl<'de, T> DeserializeSeed<'de> for Rows<T> {
    type Value = Read<T>;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Read<T>, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de, T> Visitor<'de> for Rows<T> {
    type Value = Read<T>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }
    fn visit_unit<E: Error>(self) -> Result<Read<T>, E> {
        Ok(Some((Vec::new(), 0, None)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Read<T>, A::Error> {
        let (mut rows, mut sent, mut last, mut kept) = (Vec::new(), 0, None, 0);
        while sent < MOST_ITEMS && kept < KEPT {
            let left = Cell::new(ROW);
            let Some(v) = seq.next_element_seed(Bounded::new(&left))? else { return Ok(Some((rows, sent, last))) };
            sent += 1;
            kept += ROW - left.get();
            rows.extend((self.read)(&v));
            last = Some(v);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {
            sent += 1;
        }
        Ok(Some((rows, sent, last)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_reads_what_the_plain_decoder_reads() {
        for text in ["null", "[1,-2,3.5,true,\"x\\u00e9\",{\"a\":{\"b\":[]}}]", "{\"a\":1,\"a\":2}", "[1,", "1e999", "{} x", "18446744073709551615"] {
            assert_eq!(value(text.as_bytes()), serde_json::from_str::<Value>(text).ok(), "{text}");
        }
        assert_eq!(value(&vec![b'['; 200_000]), None, "depth");
    }

    #[test]
    fn a_small_text_that_would_become_a_large_tree_is_refused() {
        for piece in ["{\"a\":1}", "{\"a\":{\"a\":{\"a\":0}}}", "[0]"] {
            let body = format!("[{}]", vec![piece; (8 << 20) / piece.len()].join(","));
            assert_eq!(value(body.as_bytes()), None, "{piece}");
        }
        let honest = format!("[{}]", vec!["{\"name\":\"shop\",\"id\":\"1\",\"state\":\"open\"}"; 20_000].join(","));
        assert!(value(honest.as_bytes()).is_some());
    }

    #[test]
    fn a_table_counts_what_it_does_not_keep() {
        let read = |v: &Value| v.get("n").and_then(Value::as_u64);
        let many = vec!["{\"n\":1}"; MOST_ITEMS + 7].join(",");
        let t = table(format!("{{\"more\":1,\"data\":[{many}],\"data\":2}}").as_bytes(), &["data", "items"], read).unwrap();
        assert_eq!((t.rows.len(), t.sent, t.rest.get("more")), (MOST_ITEMS, MOST_ITEMS + 7, Some(&1.into())));
        let t = table(b"{\"data\":[{\"n\":1},{},{\"n\":3}]}", &["data"], read).unwrap();
        assert_eq!((t.rows, t.sent, t.last), (vec![1, 3], 3, Some(serde_json::json!({"n": 3}))));
        assert_eq!(table(b"{\"data\":null}", &["data"], read).unwrap().sent, 0);
        for other in ["{\"data\":5}", "{}", "[]", "{\"data\":[1}", "{\"data\":[]} x"] {
            assert!(table(other.as_bytes(), &["data"], read).is_none(), "{other}");
        }
    }

    #[test]
    fn a_row_that_is_one_huge_tree_ends_the_reading() {
        let body = format!("{{\"data\":[[{}]]}}", vec!["{\"a\":1}"; 100_000].join(","));
        assert!(table(body.as_bytes(), &["data"], |v| Some(v.clone())).is_none());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(value(&body), serde_json::from_slice::<Value>(&body).ok());
            let _ = table(&body, &["data"], |v| Some(v.clone()));
        }
    }
}
