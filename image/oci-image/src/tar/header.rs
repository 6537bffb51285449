//! The 512-byte header block.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use super::{BLOCK, BadField};

const USTAR: &[u8; 8] = b"ustar\x0000";
const GNU: &[u8; 8] = b"ustar  \x00";

/// The header as it is stored. Numbers are octal text, or big-endian binary if the first bit is set.
#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Header {
    name: [u8; 100],
    mode: [u8; 8],
    uid: [u8; 8],
    gid: [u8; 8],
    size: [u8; 12],
    mtime: [u8; 12],
    checksum: [u8; 8],
    pub(super) kind: u8,
    link: [u8; 100],
    magic: [u8; 8],
    uname: [u8; 32],
    gname: [u8; 32],
    dev_major: [u8; 8],
    dev_minor: [u8; 8],
    /// ustar: the path's prefix. GNU: times and the map of a sparse file.
    tail: [u8; 167],
}

const _: () = assert!(size_of::<Header>() == BLOCK);

/// GNU's use of the header's tail.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct GnuTail {
    times_and_offsets: [u8; 41],
    pub(super) sparse: [[[u8; 12]; 2]; 4],
    /// Not 0 if blocks with more of the map follow.
    pub(super) is_extended: u8,
    pub(super) real_size: [u8; 12],
    unused: [u8; 17],
}

const _: () = assert!(size_of::<GnuTail>() == 167);

impl Header {
    /// A header from its block, or `None` if its checksum does not agree.
    pub(super) fn from_block(block: &[u8; BLOCK]) -> Option<Self> {
        let header: Self = zerocopy::transmute!(*block);
        let stored = number(&header.checksum).ok()?;
        let (unsigned, signed) = header.sums();
        // Some old archivers added the bytes as signed numbers.
        (stored == unsigned || stored == signed).then_some(header)
    }

    /// A ustar header owned by root, with the time 0. `None` if the path does not fit.
    pub(super) fn new(path: &[u8], kind: u8, mode: u32, len: u64) -> Option<Self> {
        let mut header = Self::new_zeroed();
        header.name.get_mut(..path.len())?.copy_from_slice(path);
        header.mode = octal(mode.into());
        header.uid = octal(0);
        header.gid = octal(0);
        header.size = size_field(len);
        header.mtime = octal(0);
        header.kind = kind;
        header.magic = *USTAR;
        header.dev_major = octal(0);
        header.dev_minor = octal(0);
        let (sum, _) = header.sums();
        // Six digits, NUL, space: the form that all archivers write.
        let digits: [u8; 7] = octal(sum.try_into().unwrap_or(0));
        header.checksum[..7].copy_from_slice(&digits);
        header.checksum[7] = b' ';
        Some(header)
    }

    fn sums(&self) -> (i64, i64) {
        let mut blank = self.clone();
        blank.checksum = [b' '; 8];
        let bytes = blank.as_bytes();
        let unsigned = bytes.iter().map(|&b| i64::from(b)).sum();
        let signed = bytes.iter().map(|&b| i64::from(b.cast_signed())).sum();
        (unsigned, signed)
    }

    pub(super) fn path(&self) -> Vec<u8> {
        let name = text(&self.name);
        let prefix = match (self.magic == *USTAR, self.tail.ends_with(b"tar\0")) {
            // Schilling's tar keeps times behind a shorter prefix.
            (true, true) => text(self.tail.get(..131).unwrap_or_default()),
            (true, false) => text(self.tail.get(..155).unwrap_or_default()),
            (false, _) => &[],
        };
        if prefix.is_empty() {
            name.to_vec()
        } else {
            [prefix, b"/", name].concat()
        }
    }

    pub(super) fn link(&self) -> Vec<u8> {
        text(&self.link).to_vec()
    }

    pub(super) fn mode(&self) -> Result<u32, BadField> {
        // Some archivers store the file type here as well; only the low 12 bits are permissions.
        Ok((number(&self.mode).map_err(|_| BadField("mode"))? & 0o7777)
            .try_into()
            .unwrap_or(0))
    }

    pub(super) fn uid(&self) -> Result<u32, BadField> {
        id(number(&self.uid).map_err(|_| BadField("uid"))?, "uid")
    }

    pub(super) fn gid(&self) -> Result<u32, BadField> {
        id(number(&self.gid).map_err(|_| BadField("gid"))?, "gid")
    }

    pub(super) fn size(&self) -> Result<u64, BadField> {
        count(&self.size).map_err(|_| BadField("size"))
    }

    pub(super) fn mtime(&self) -> Result<i64, BadField> {
        number(&self.mtime).map_err(|_| BadField("mtime"))
    }

    /// Major and minor number, within what Linux can represent (12 and 20 bits).
    pub(super) fn device(&self) -> Result<(u32, u32), BadField> {
        let part = |field: &[u8], bits: u32| {
            count(field)
                .ok()
                .and_then(|n| u32::try_from(n).ok())
                .filter(|n| n >> bits == 0)
        };
        match (part(&self.dev_major, 12), part(&self.dev_minor, 20)) {
            (Some(major), Some(minor)) => Ok((major, minor)),
            _ => Err(BadField("device number")),
        }
    }

    pub(super) fn gnu_tail(&self) -> Result<GnuTail, BadField> {
        if self.magic == *GNU {
            Ok(zerocopy::transmute!(self.tail))
        } else {
            Err(BadField("magic"))
        }
    }
}

/// A user or group number. The largest one means "no change" to Linux, so it owns nothing.
pub(super) fn id(number: i64, field: &'static str) -> Result<u32, BadField> {
    u32::try_from(number)
        .ok()
        .filter(|&id| id != u32::MAX)
        .ok_or(BadField(field))
}

/// A number that is not negative.
pub(super) fn count(field: &[u8]) -> Result<u64, ()> {
    u64::try_from(number(field)?).map_err(|_| ())
}

/// Octal text between spaces and NULs (nothing is 0), or two's complement if the first bit is set.
fn number(field: &[u8]) -> Result<i64, ()> {
    let (&first, rest) = field.split_first().ok_or(())?;
    if first & 0x80 != 0 {
        // The first bit is the mark; the second one is the sign.
        let start = if first & 0x40 != 0 {
            i64::from(first) - 0x100
        } else {
            i64::from(first & 0x3f)
        };
        return rest.iter().try_fold(start, |value, &byte| {
            value
                .checked_mul(256)
                .and_then(|value| value.checked_add(byte.into()))
                .ok_or(())
        });
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | 0);
    let digits = field.iter().skip_while(|byte| is_blank(byte));
    let mut value = 0i64;
    let mut ended = false;
    for byte in digits {
        match byte {
            b'0'..=b'7' if !ended => {
                value = value
                    .checked_mul(8)
                    .and_then(|v| v.checked_add((byte - b'0').into()))
                    .ok_or(())?;
            }
            byte if is_blank(byte) => ended = true,
            _ => return Err(()),
        }
    }
    Ok(value)
}

/// Octal digits and a NUL.
fn octal<const N: usize>(mut value: u64) -> [u8; N] {
    let mut field = [0; N];
    for digit in field.iter_mut().rev().skip(1) {
        *digit = b'0' + (value & 7) as u8;
        value >>= 3;
    }
    field
}

/// Octal up to 8 GiB - 1, binary beyond.
fn size_field(len: u64) -> [u8; 12] {
    if len < 1 << 33 {
        return octal(len);
    }
    let mut field = [0; 12];
    field[0] = 0x80;
    field[4..].copy_from_slice(&len.to_be_bytes());
    field
}

/// The bytes before the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers() {
        for (field, value) in [
            (&b"0000644\0"[..], Ok(0o644)),
            (b"   644 \0", Ok(0o644)),
            (b"\0\0\0\0\0\0\0\0", Ok(0)),
            (b"        ", Ok(0)),
            (b"77777777", Ok(0o77777777)),
            (b"644x", Err(())),
            (b"6 44", Err(())),
            (b"-1", Err(())),
            (b"999", Err(())),
            (&[0x80, 0, 0, 1, 0], Ok(256)),
            (&[0xff, 0xff, 0xff, 0xff], Ok(-1)),
            (&[0xff, 0xff, 0xff, 0x00], Ok(-256)),
            (&[0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Err(())),
            (&[0xbf; 12], Err(())),
            (&[], Err(())),
        ] {
            assert_eq!(number(field), value, "{field:?}");
        }
    }

    proptest! {
        #[test]
        fn sizes_come_back(len in 0..=i64::MAX as u64) {
            prop_assert_eq!(count(&size_field(len)), Ok(len));
        }

        #[test]
        fn any_block_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), BLOCK)) {
            let header: Header = zerocopy::transmute!(<[u8; BLOCK]>::try_from(bytes).unwrap());
            let _ = (header.path(), header.mode(), header.uid(), header.size(), header.mtime(), header.device());
        }
    }

    #[test]
    fn a_new_header_has_a_right_checksum() {
        let header = Header::new(b"a/b", b'0', 0o4755, 1 << 40).unwrap();
        let again = Header::from_block(header.as_bytes().try_into().unwrap()).unwrap();
        assert_eq!(again.path(), b"a/b");
        assert_eq!(again.size(), Ok(1 << 40));
        assert_eq!(again.mode(), Ok(0o4755));
        assert!(Header::new(&[b'a'; 101], b'0', 0, 0).is_none());
        let mut damaged: [u8; BLOCK] = header.as_bytes().try_into().unwrap();
        damaged[3] ^= 1;
        assert!(Header::from_block(&damaged).is_none());
    }
}
