//! The rank of a piece: which of two is the newer one.

use dcap_quote::{About, CheckedPiece, UnixTime};

/// Orders pieces of one name by their age: first by the number of the TCB recovery that a document takes into account,
/// then by its date. Lists have a date only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// Zero for lists.
    pub evaluation_data_number: u32,
    /// The piece's own date.
    pub issued: UnixTime,
}

impl Rank {
    pub(crate) fn of(piece: &CheckedPiece) -> Self {
        let evaluation_data_number = match piece.about {
            About::Root | About::PckCa(_) => 0,
            About::TcbInfo {
                evaluation_data_number,
                ..
            }
            | About::QeIdentity {
                evaluation_data_number,
                ..
            } => evaluation_data_number,
        };
        Self {
            evaluation_data_number,
            issued: piece.own.validity.from,
        }
    }
}

impl std::fmt::Display for Rank {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.evaluation_data_number {
            0 => write!(f, "issued {}", self.issued),
            number => write!(f, "number {number} of {}", self.issued),
        }
    }
}
