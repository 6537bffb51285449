//! Errors of reading a call-site map.

use core::fmt;

/// Why a map, or what should become one, is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// Not a call-site map, or one of another version of Nacre.
    Magic,
    /// Ends before what it announces, or goes on behind it.
    Length,
    /// Entries are not in ascending order, or two patches overlap.
    Order,
    /// A patch whose instructions cannot become a stub; the words say why.
    Patch(&'static str),
    /// The right patches in bytes that are not the canonical ones.
    NotCanonical,
    /// A file offset or a size that the format has no room for.
    TooLarge,
    /// The file's bytes at this offset are not those that the map was made from.
    Mismatch(u64),
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => {
                f.write_str("it is not a call-site map of this version of Nacre; convert the image again")
            }
            Self::Length => f.write_str("the call-site map is truncated or has bytes behind its end"),
            Self::Order => f.write_str("the call-site map's entries are out of order or overlap"),
            Self::Patch(rule) => write!(f, "the call-site map has a bad patch: {rule}"),
            Self::NotCanonical => f.write_str("the call-site map is not in canonical form"),
            Self::TooLarge => f.write_str("a call-site map has no room for files or maps of 4 GiB and more"),
            Self::Mismatch(offset) => {
                write!(
                    f,
                    "the call-site map was made from another file (bytes differ at offset {offset:#x})"
                )
            }
        }
    }
}

impl core::error::Error for MapError {}
