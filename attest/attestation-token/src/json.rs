//! A strict reader of JSON objects: each member once, no deep nesting, nothing behind them.
//!
//! serde_json takes the last of two members with one name and other parsers the first, so what one has checked is not what
//! the other reads. And it makes a tree, which takes a third of the time of the signature: here the members stay text, all of
//! it checked, until somebody asks for one.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeMap as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

/// Much deeper than tokens, key sets and runtime data are.
const MAX_DEPTH: u8 = 32;

/// An object whose members are read when they are asked for.
#[derive(Clone)]
pub(crate) struct Object {
    text: String,
    has_escapes: bool,
    /// By their names.
    members: Vec<Member>,
}

#[derive(Clone)]
struct Member {
    name: Name,
    /// Where its value is.
    value: Range<usize>,
}

#[derive(Clone)]
enum Name {
    /// Where it is, between its quotation marks.
    At(Range<usize>),
    /// With escapes in the text.
    Escaped(String),
}

/// Why bytes are not such an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(String);

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

impl Object {
    /// Reads an object that takes up all of `bytes`.
    pub(crate) fn parse(bytes: Vec<u8>) -> Result<Self, JsonError> {
        let text = String::from_utf8(bytes).map_err(|_| JsonError("it is not UTF-8".to_owned()))?;
        // All of it, without stopping at the first: that is done many bytes at a time.
        let has_escapes = text.bytes().fold(false, |found, byte| found | (byte == b'\\'));
        let mut deserializer = serde_json::Deserializer::from_str(&text);
        let (mut members, is_sorted) = deserializer.deserialize_map(Members {
            text: &text,
            has_escapes,
        })?;
        deserializer.end()?;
        // Most writers sort them.
        if !is_sorted {
            members.sort_by(|one, other| one.name.of(&text).cmp(other.name.of(&text)));
            let names = members.iter().map(|member| member.name.of(&text));
            if let Some((name, _)) = names.clone().zip(names.skip(1)).find(|(one, next)| one == next) {
                return Err(twice(name));
            }
        }
        Ok(Self {
            text,
            has_escapes,
            members,
        })
    }

    /// The value's text.
    fn raw(&self, name: &str) -> Option<&str> {
        // One by one: names are told apart by their lengths, mostly, where a search by halves compares long beginnings.
        let is_wanted = |member: &&Member| member.name.bytes(&self.text) == name.as_bytes();
        self.value(self.members.iter().find(is_wanted)?)
    }

    fn value(&self, member: &Member) -> Option<&str> {
        self.text.get(member.value.clone())
    }

    /// A member.
    pub(crate) fn member(&self, name: &str) -> Option<Value> {
        // What was checked when it was parsed cannot fail now.
        serde_json::from_str(self.raw(name)?).ok()
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// A member, if it is a text.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let inner = self.raw(name)?.strip_prefix('"')?;
        if self.has_escapes && inner.contains('\\') {
            return Some(Cow::Owned(self.member(name)?.as_str()?.to_owned()));
        }
        Some(Cow::Borrowed(inner.strip_suffix('"')?))
    }

    /// A member, if it is a whole number from 0 on, written as one.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.raw(name)?.parse().ok()
    }

    /// A member, if it is true or false.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.raw(name)?.parse().ok()
    }

    /// All members.
    pub(crate) fn to_map(&self) -> Map<String, Value> {
        let members = self.members.iter().filter_map(|member| {
            let value = serde_json::from_str(self.value(member)?).ok()?;
            Some((member.name.of(&self.text).to_owned(), value))
        });
        members.collect()
    }
}

/// As it was read, byte by byte but for white space between members.
impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(Some(self.members.len()))?;
        for member in &self.members {
            let name = member.name.of(&self.text);
            let value = self
                .value(member)
                .ok_or_else(|| S::Error::custom("no such member"))?;
            let value: &RawValue = serde_json::from_str(value).map_err(S::Error::custom)?;
            members.serialize_entry(name, value)?;
        }
        members.end()
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        self.to_map() == other.to_map()
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_map().fmt(f)
    }
}

impl Name {
    fn of<'a>(&'a self, text: &'a str) -> &'a str {
        match self {
            Self::At(range) => text.get(range.clone()).unwrap_or_default(),
            Self::Escaped(name) => name,
        }
    }

    fn bytes<'a>(&'a self, text: &'a str) -> &'a [u8] {
        match self {
            Self::At(range) => text.as_bytes().get(range.clone()).unwrap_or_default(),
            Self::Escaped(name) => name.as_bytes(),
        }
    }
}

fn twice(name: &str) -> JsonError {
    JsonError(format!("the member {name:?} is there twice"))
}

/// Where `part` is within `text`, of which it is a piece.
fn place(text: &str, part: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    text.get(start..end)?;
    Some(start..end)
}

/// Reads the outermost members of this text.
struct Members<'t> {
    text: &'t str,
    has_escapes: bool,
}

impl<'de> Visitor<'de> for Members<'_> {
    /// And whether their names are known to be sorted, each there once.
    type Value = (Vec<Member>, bool);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        // As many as usual in claims; and a header's four.
        let mut members = Vec::with_capacity((self.text.len() / 64).saturating_add(4));
        let (mut last, mut is_sorted) = ("", true);
        let outside = || A::Error::custom("a member is not part of the text");
        while let Some(Text(name)) = map.next_key()? {
            let name = match name {
                Cow::Borrowed(name) => {
                    is_sorted &= last < name;
                    last = name;
                    Name::At(place(self.text, name).ok_or_else(outside)?)
                }
                Cow::Owned(name) => {
                    is_sorted = false;
                    Name::Escaped(name)
                }
            };
            let value: &RawValue = map.next_value()?;
            check_value(value.get(), self.has_escapes).map_err(A::Error::custom)?;
            let value = place(self.text, value.get()).ok_or_else(outside)?;
            members.push(Member { name, value });
        }
        Ok((members, is_sorted))
    }
}

/// Checks what serde_json does not look at when it steps over a value.
fn check_value(value: &str, has_escapes: bool) -> Result<(), serde_json::Error> {
    match value.as_bytes().first() {
        Some(b'{' | b'[') => Strict { depth: MAX_DEPTH }
            .inside()?
            .deserialize(&mut serde_json::Deserializer::from_str(value)),
        // Escapes may stand for halves of characters.
        Some(b'"') if has_escapes && value.contains('\\') => serde_json::from_str::<String>(value).map(drop),
        Some(b'-' | b'0'..=b'9') => serde_json::from_str::<Number>(value).map(drop),
        _ => Ok(()),
    }
}

/// A text, borrowed where it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// Checks a value and everything in it.
#[derive(Clone, Copy)]
struct Strict {
    /// Levels that may follow.
    depth: u8,
}

impl Strict {
    /// What is inside of a list or an object.
    fn inside<E: de::Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1);
        let depth =
            depth.ok_or_else(|| E::custom(format_args!("it is nested deeper than {MAX_DEPTH} levels")))?;
        Ok(Self { depth })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        while sequence.next_element_seed(inside)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        let mut names = Vec::with_capacity(16);
        while let Some(Text(name)) = map.next_key()? {
            names.push(name);
            map.next_value_seed(inside)?;
        }
        names.sort();
        match names
            .iter()
            .zip(names.iter().skip(1))
            .find(|(one, next)| one == next)
        {
            Some((name, _)) => Err(A::Error::custom(twice(name))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Object, JsonError> {
        Object::parse(text.as_bytes().to_vec())
    }

    #[test]
    fn reads_what_serde_json_reads() {
        let text = r#" { "b" : [1,-2,3.5,null,true,"\u00e9\""], "a\n":{"a":{}},"c":18446744073709551615,"d":"\u00e9","e":"é" } "#;
        let expected: Value = serde_json::from_str(text).unwrap();
        let object = parse(text).unwrap();
        assert_eq!(Value::Object(object.to_map()), expected);
        assert_eq!(serde_json::to_value(&object).unwrap(), expected);
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(object.member(name).as_ref(), Some(value), "{name}");
            assert_eq!(object.text(name).as_deref(), value.as_str(), "{name}");
            assert_eq!(object.number(name), value.as_u64(), "{name}");
        }
        assert_eq!(object.member("é"), None);
    }

    #[test]
    fn refuses_two_members_of_one_name_at_any_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"\u0061":2}"#,
            r#"{"b":[{"c":{"a":1,"b":2,"\u0061":2}}]}"#,
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().contains(r#""a" is there twice"#), "{error}");
        }
    }

    #[test]
    fn refuses_depth_and_what_is_no_object() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(31)).is_ok());
        let error = parse(&nested(32)).unwrap_err();
        assert!(error.to_string().contains("deeper than 32"), "{error}");
        assert!(parse(&nested(100_000)).is_err());
        for text in [
            "",
            "[]",
            "1",
            "null",
            "{} {}",
            "{}x",
            "{\"a\":}",
            "{\"a\":1,}",
            "{1:1}",
            "{\"a\":tru}",
            "{\"a\":01}",
            "\u{feff}{}",
            "{\"a\":1e999}",
            "{\"a\":[1e999]}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\n\"}",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(Object::parse(b"{\"a\":\"\xff\"}".to_vec()).is_err());
    }
}
