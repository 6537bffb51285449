//! PAX extended headers: `length key=value\n` records that replace fields of the entry that follows.

use super::header::id;
use super::{BadField, Timestamp, Xattrs};

const XATTR: &[u8] = b"SCHILY.xattr.";

/// The records that matter to an image. `None` leaves the header's own field.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) mtime: Option<Timestamp>,
    pub(super) xattrs: Xattrs,
    pub(super) sparse: SparseRecords,
}

/// GNU's description of a sparse file.
#[derive(Debug, Default)]
pub(super) struct SparseRecords {
    /// Major and minor version of the format; absent in 0.0 and 0.1.
    pub(super) major: Option<u64>,
    pub(super) minor: Option<u64>,
    pub(super) name: Option<Vec<u8>>,
    pub(super) real_size: Option<u64>,
    /// Offset, length, offset, length, …; in version 1.0 this list is in the entry's data instead.
    pub(super) map: Vec<u64>,
}

impl Records {
    /// Reads the body of an extended header.
    pub(super) fn parse(mut body: &[u8]) -> Result<Self, BadField> {
        let mut records = Self::default();
        while !body.is_empty() {
            let (key, value, rest) = split_record(body).ok_or(BadField("PAX record"))?;
            records.set(key, value)?;
            body = rest;
        }
        Ok(records)
    }

    /// Whether a record changes what an entry is. Docker and containerd ignore such records in *global* headers
    /// while other tools apply them, so there they are refused rather than read in one of two ways.
    pub(super) fn change_entries(&self) -> bool {
        let Self {
            path,
            link,
            size,
            uid,
            gid,
            mtime: _,
            xattrs,
            sparse,
        } = self;
        let SparseRecords {
            major,
            minor,
            name,
            real_size,
            map,
        } = sparse;
        path.is_some()
            || link.is_some()
            || size.is_some()
            || uid.is_some()
            || gid.is_some()
            || !xattrs.is_empty()
            || major.or(*minor).or(*real_size).is_some()
            || name.is_some()
            || !map.is_empty()
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), BadField> {
        let decimal = |field| decimal(value).ok_or(BadField(field));
        // An empty value takes back an earlier record.
        let is_set = !value.is_empty();
        match key {
            b"path" => self.path = name(value, "PAX path")?,
            b"linkpath" => self.link = name(value, "PAX linkpath")?,
            b"size" => self.size = is_set.then(|| decimal("PAX size")).transpose()?,
            b"uid" => self.uid = is_set.then(|| owner(value, "PAX uid")).transpose()?,
            b"gid" => self.gid = is_set.then(|| owner(value, "PAX gid")).transpose()?,
            b"mtime" => {
                self.mtime = is_set
                    .then(|| timestamp(value).ok_or(BadField("PAX mtime")))
                    .transpose()?;
            }
            b"GNU.sparse.major" => self.sparse.major = Some(decimal("PAX sparse version")?),
            b"GNU.sparse.minor" => self.sparse.minor = Some(decimal("PAX sparse version")?),
            b"GNU.sparse.name" => self.sparse.name = name(value, "PAX sparse name")?,
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => {
                self.sparse.real_size = Some(decimal("PAX sparse size")?);
            }
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => self.sparse.map.push(decimal("PAX sparse map")?),
            b"GNU.sparse.map" => {
                let numbers = if is_set { value } else { return Ok(()) };
                self.sparse.map = numbers
                    .split(|&byte| byte == b',')
                    .map(|number| self::decimal(number).ok_or(BadField("PAX sparse map")))
                    .collect::<Result<_, _>>()?;
            }
            _ => {
                if let Some(name) = key.strip_prefix(XATTR) {
                    if name.is_empty() || name.contains(&0) {
                        return Err(BadField("PAX extended attribute name"));
                    }
                    self.xattrs.insert(name.to_vec(), value.to_vec());
                }
            }
        }
        Ok(())
    }
}

/// One record and what follows it. The length counts the whole record, its own digits included.
fn split_record(body: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let digits = body.iter().position(|&byte| byte == b' ')?;
    let len = usize::try_from(decimal(body.get(..digits)?)?).ok()?;
    let record = body.get(digits.checked_add(1)?..len)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    let (key, value) = (record.get(..equals)?, record.get(equals.checked_add(1)?..)?);
    (!key.is_empty()).then_some((key, value, body.get(len..)?))
}

fn name(value: &[u8], field: &'static str) -> Result<Option<Vec<u8>>, BadField> {
    if value.contains(&0) {
        return Err(BadField(field));
    }
    Ok((!value.is_empty()).then(|| value.to_vec()))
}

fn owner(value: &[u8], field: &'static str) -> Result<u32, BadField> {
    id(
        decimal(value)
            .and_then(|n| i64::try_from(n).ok())
            .ok_or(BadField(field))?,
        field,
    )
}

/// Digits only: no sign, no spaces.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |value, byte| match byte {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add((byte - b'0').into()),
        _ => None,
    })
}

/// Seconds with an optional fraction, possibly negative. What is finer than a nanosecond is cut off.
fn timestamp(text: &[u8]) -> Option<Timestamp> {
    let (is_negative, text) = match text.strip_prefix(b"-") {
        Some(text) => (true, text),
        None => (false, text),
    };
    let mut parts = text.splitn(2, |&byte| byte == b'.');
    let seconds = i64::try_from(decimal(parts.next()?)?).ok()?;
    let mut nanoseconds = 0;
    if let Some(fraction) = parts.next() {
        if !fraction.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let digits = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(9);
        nanoseconds = digits.fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    }
    Some(match (is_negative, nanoseconds) {
        (false, _) => Timestamp { seconds, nanoseconds },
        (true, 0) => Timestamp {
            seconds: -seconds,
            nanoseconds,
        },
        (true, _) => Timestamp {
            seconds: -seconds - 1,
            nanoseconds: 1_000_000_000 - nanoseconds,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records_replace_fields() {
        let body = b"30 mtime=1350244992.023960108\n12 path=a/b\n31 SCHILY.xattr.user.x=\x00a=b\nc\xff\n";
        let records = Records::parse(body).unwrap();
        assert_eq!(records.path.as_deref(), Some(&b"a/b"[..]));
        assert_eq!(
            records.mtime,
            Some(Timestamp {
                seconds: 1_350_244_992,
                nanoseconds: 23_960_108
            })
        );
        assert_eq!(records.xattrs[&b"user.x"[..]], b"\x00a=b\nc\xff");
    }

    #[test]
    fn an_empty_value_takes_a_record_back() {
        let records = Records::parse(b"9 path=a\n8 path=\n").unwrap();
        assert_eq!(records.path, None);
    }

    fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
        let content = [b" ", key, b"=", value, b"\n"].concat();
        let len = (1..9)
            .map(|digits| content.len() + digits)
            .find(|len| len.to_string().len() + content.len() == *len);
        [len.unwrap().to_string().as_bytes(), &content].concat()
    }

    #[test]
    fn malformed_records_are_refused() {
        let framing = [
            &b"path=a\n"[..],
            b"8 path=a\n",
            b"11 path=a\n",
            b"9 path=ab",
            b"0 path=a\n",
            b"9 path:a\n",
        ];
        for body in framing.into_iter().chain([&b"99999999999999999999 path=a\n"[..]]) {
            assert_eq!(
                Records::parse(body).unwrap_err(),
                BadField("PAX record"),
                "{}",
                body.escape_ascii()
            );
        }
        for (key, value) in [
            ("", "a"),
            ("path", "\0a"),
            ("uid", "-1"),
            ("uid", "4294967295"),
            ("size", "1e3"),
            ("mtime", "."),
            ("mtime", "1.5x"),
            ("SCHILY.xattr.", "a"),
            ("GNU.sparse.map", "1,,2"),
        ] {
            let body = record(key.as_bytes(), value.as_bytes());
            assert!(Records::parse(&body).is_err(), "{key}={value}");
        }
        assert_eq!(
            Records::parse(&record(b"uid", b"4294967294")).unwrap().uid,
            Some(u32::MAX - 1)
        );
    }

    #[test]
    fn times_before_the_epoch() {
        let parse = |text: &[u8]| timestamp(text).map(|t| (t.seconds, t.nanoseconds));
        assert_eq!(parse(b"-1.5"), Some((-2, 500_000_000)));
        assert_eq!(parse(b"-1"), Some((-1, 0)));
        assert_eq!(parse(b"1.0000000019"), Some((1, 1)));
        assert_eq!(parse(b"1."), Some((1, 0)));
        assert_eq!(parse(b"9223372036854775808"), None);
        assert_eq!(parse(b"-9223372036854775807.5"), Some((i64::MIN, 500_000_000)));
    }

    proptest! {
        #[test]
        fn any_body_is_parsed_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Records::parse(&body);
        }
    }
}
