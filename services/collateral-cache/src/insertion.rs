//! Insertion: what is new gets in, and nothing takes the place of something newer.
//!
//! Each piece counts by itself. A platform's collateral brings lists and a QE identity that all platforms share; if those in
//! the directory are newer, they stay, and the rest gets in. So the order does not matter in which files are read.

use dcap_quote::{CheckedCollateral, Collateral, UnixTime};

use crate::cache_dir::CacheDir;
use crate::error::CacheError;
use crate::item::{Item, Items, Name};
use crate::rank::Rank;
use crate::shelf::Shelf;

/// What an insertion did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    /// New, or newer than before.
    pub written: Vec<Name>,
    /// The same as before.
    pub unchanged: Vec<Name>,
    /// Newer than what was offered.
    pub kept: Vec<Kept>,
}

/// A piece that stays, since it is newer than the one that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {name} is older ({offered}) than the one in the directory ({held}), which stays")]
pub struct Kept {
    /// The piece.
    pub name: Name,
    /// In the directory.
    pub held: Rank,
    /// Offered.
    pub offered: Rank,
}

/// What a piece does to the cache.
enum Change {
    None,
    Newer,
    Older(Kept),
}

impl CacheDir {
    /// Puts collateral in, if all of it is genuine: each piece that is not older than what is there. What gets in, or is there
    /// already, must be valid `now`, and not be revoked by any list that is there or gets in.
    ///
    /// # Errors
    /// When that is not so; then nothing has changed.
    pub fn insert(
        &self,
        shelf: Shelf,
        collateral: &Collateral,
        now: UnixTime,
    ) -> Result<Inserted, CacheError> {
        let checked = CheckedCollateral::check(collateral, self.root())?;
        let (tee, fmspc) = (checked.tee(), checked.fmspc());
        if let Shelf::Number(wanted) = shelf {
            let found = checked.evaluation_data_numbers();
            if (found.tcb_info, found.qe_identity) != (wanted, wanted) {
                return Err(CacheError::OtherNumber { wanted, found });
            }
        }
        let items = Items::of(collateral);

        let _lock = self.lock_exclusively()?;
        // By the newer of both lists of the root all else is judged.
        let offered_list = items.root_crl.content().to_owned();
        let list = match self.compare(Name::RootCrl, &items.root_crl, &offered_list)? {
            Change::Older(_) => self.read(Name::RootCrl)?.content().to_owned(),
            Change::None | Change::Newer => offered_list,
        };
        let mut inserted = Inserted::default();
        let mut to_write = Vec::new();
        for (name, item) in [
            (Name::RootCrl, items.root_crl),
            (Name::PckCrl(checked.pck_ca()), items.pck_crl),
            (Name::QeIdentity(tee, shelf), items.qe_identity),
            (Name::TcbInfo(tee, fmspc, shelf), items.tcb_info),
        ] {
            let change = self.compare(name, &item, &list)?;
            if let Change::Older(kept) = change {
                inserted.kept.push(kept);
                continue;
            }
            self.check(name, &item, &list)?.check_dates(now)?;
            if let Change::Newer = change {
                to_write.push((name, item));
                inserted.written.push(name);
            } else {
                inserted.unchanged.push(name);
            }
        }
        for (name, item) in &to_write {
            self.write(*name, item)?;
        }
        Ok(inserted)
    }

    /// Whether a piece that was verified changes what is there. What is there and proves nothing any more, because it was
    /// damaged or its signer revoked, is as good as not there.
    fn compare(&self, name: Name, offered: &Item, root_ca_crl: &str) -> Result<Change, CacheError> {
        let Ok(held) = self.read(name) else {
            return Ok(Change::Newer);
        };
        if held == *offered {
            return Ok(Change::None);
        }
        // Of the root's list, each judges itself; otherwise one would judge both.
        let by = |item: &'_ Item| match name {
            Name::RootCrl => item.content().to_owned(),
            _ => root_ca_crl.to_owned(),
        };
        let Ok(checked) = self.check(name, &held, &by(&held)) else {
            return Ok(Change::Newer);
        };
        let held = Rank::of(&checked);
        let offered = Rank::of(&self.check(name, offered, &by(offered))?);
        Ok(if offered < held {
            Change::Older(Kept { name, held, offered })
        } else {
            Change::Newer
        })
    }
}
