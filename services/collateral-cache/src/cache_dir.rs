//! The cache directory: a file for each piece of collateral, written atomically, verified on the
//! way in and out.
//!
//! Locks: one file, exclusive for writers and shared for readers, so that nobody sees half of an update. It is taken and
//! released within one function, and nothing but files of this directory is waited for under it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use dcap_quote::{
    About, Bytes, CheckedCollateral, CheckedPiece, Collateral, PckCa, Tee, TrustedRoot, UnixTime,
};

use crate::binding::{self, BindingError};
use crate::error::CacheError;
use crate::freshness::{Fresh, Freshness};
use crate::item::{Item, Items, Name};
use crate::shelf::{self, Shelf};

/// The file that is locked.
pub(crate) const LOCK: &str = "lock";

/// Bytes of the largest file that is read.
const MAX_SIZE: u64 = 8 << 20;

/// A directory of collateral, bound to a root.
#[derive(Clone, Debug)]
pub struct CacheDir {
    path: PathBuf,
    root: TrustedRoot,
}

/// The platform whose collateral is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// For its enclaves or its trust domains.
    pub tee: Tee,
    /// The kind of platform.
    pub fmspc: Bytes<6>,
    /// Who certified its PCK.
    pub ca: PckCa,
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tee, fmspc, ca } = self;
        write!(f, "{tee} on FMSPC {fmspc}, certified by the {ca} CA")
    }
}

impl CacheDir {
    /// Opens a directory that is there.
    ///
    /// # Errors
    /// When it is not there, others can write to it, or it is bound to another root.
    pub fn open(path: &Path, root: &TrustedRoot) -> Result<Self, CacheError> {
        let cache = Self {
            path: path.to_owned(),
            root: root.clone(),
        };
        let metadata = fs::metadata(path).map_err(|error| cache.io(error))?;
        let mode = metadata.mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(CacheError::Writable {
                path: cache.path,
                mode,
            });
        }
        binding::check(path, root).map_err(|error| cache.binding(error))?;
        Ok(cache)
    }

    /// Opens a directory; makes it, for its owner alone, if it is not there.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when it cannot be made.
    pub fn create(path: &Path, root: &TrustedRoot) -> Result<Self, CacheError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| CacheError::Dir {
            path: path.to_owned(),
            error,
        })?;
        let cache = Self {
            path: path.to_owned(),
            root: root.clone(),
        };
        let _lock = cache.lock_exclusively()?;
        binding::bind(path, root).map_err(|error| cache.binding(error))?;
        Self::open(path, root)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The edition by which quotes are verified.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn in_use(&self) -> Result<Shelf, CacheError> {
        Ok(self.chosen()?.unwrap_or_default())
    }

    /// The edition that the owner has chosen, if any.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn chosen(&self) -> Result<Option<Shelf>, CacheError> {
        shelf::chosen(&self.path).map_err(|error| self.io(error))
    }

    /// Chooses the edition by which quotes are verified from now on.
    ///
    /// # Errors
    /// When that cannot be stored.
    pub fn choose(&self, shelf: Shelf) -> Result<(), CacheError> {
        let _lock = self.lock_exclusively()?;
        shelf::choose(&self.path, shelf).map_err(|error| self.io(error))
    }

    /// The collateral of a platform, verified and valid `now`.
    ///
    /// # Errors
    /// When something is missing, damaged, expired or too old for the policy.
    pub fn collateral(
        &self,
        wanted: &Wanted,
        now: UnixTime,
        freshness: &Freshness,
    ) -> Result<Fresh<Collateral>, CacheError> {
        let collateral = self.load(wanted, self.in_use()?)?;
        let checked = CheckedCollateral::check(&collateral, &self.root)?;
        checked.check_dates(now)?;
        let refresh_due = freshness.judge(&checked, now)?;
        Ok(Fresh {
            collateral,
            refresh_due,
        })
    }

    /// What tells what is to come for a platform, if it is here and valid `now`. Nothing is to be verified by it.
    ///
    /// # Errors
    /// When a piece is damaged or proves nothing.
    pub fn early(&self, wanted: &Wanted, now: UnixTime) -> Result<Option<Collateral>, CacheError> {
        let collateral = match self.load(wanted, Shelf::Early) {
            Ok(collateral) => collateral,
            Err(CacheError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let checked = CheckedCollateral::check(&collateral, &self.root)?;
        Ok(checked.check_dates(now).is_ok().then_some(collateral))
    }

    /// Platforms for which there is TCB info of this edition, with each authority whose list is there.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn platforms(&self, shelf: Shelf) -> Result<Vec<Wanted>, CacheError> {
        self.platforms_with(|found| found == shelf)
    }

    /// Platforms for which there is TCB info of any edition.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn known_platforms(&self) -> Result<Vec<Wanted>, CacheError> {
        self.platforms_with(|_| true)
    }

    fn platforms_with(&self, is_meant: impl Fn(Shelf) -> bool) -> Result<Vec<Wanted>, CacheError> {
        let names = self.names()?;
        let cas = PckCa::ALL
            .into_iter()
            .filter(|ca| names.contains(&Name::PckCrl(*ca)));
        let cas: Vec<PckCa> = cas.collect();
        let mut platforms = Vec::new();
        for name in names {
            if let Name::TcbInfo(tee, fmspc, found) = name
                && is_meant(found)
            {
                for ca in &cas {
                    let wanted = Wanted { tee, fmspc, ca: *ca };
                    if !platforms.contains(&wanted) {
                        platforms.push(wanted);
                    }
                }
            }
        }
        Ok(platforms)
    }

    /// All pieces that are there, sorted; files that are none are passed over.
    pub(crate) fn names(&self) -> Result<Vec<Name>, CacheError> {
        let entries = fs::read_dir(&self.path).map_err(|error| self.io(error))?;
        let names = entries
            .flatten()
            .filter_map(|entry| Name::from_file_name(entry.file_name().to_str()?));
        let mut names: Vec<Name> = names.collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The root that the directory is bound to.
    pub(crate) const fn root(&self) -> &TrustedRoot {
        &self.root
    }

    /// Reads a piece and what it depends on, and verifies it; the caller looks at the dates.
    pub(crate) fn checked(&self, name: Name) -> Result<(Item, CheckedPiece), CacheError> {
        let _lock = self.lock_shared()?;
        let root_crl = self.read(Name::RootCrl)?;
        let item = self.read(name)?;
        let checked = self.check(name, &item, root_crl.content())?;
        Ok((item, checked))
    }

    /// Collateral put together from its pieces, not verified.
    pub(crate) fn load(&self, wanted: &Wanted, shelf: Shelf) -> Result<Collateral, CacheError> {
        let _lock = self.lock_shared()?;
        let Wanted { tee, fmspc, ca } = *wanted;
        let items = Items {
            tcb_info: self.read(Name::TcbInfo(tee, fmspc, shelf))?,
            qe_identity: self.read(Name::QeIdentity(tee, shelf))?,
            pck_crl: self.read(Name::PckCrl(ca))?,
            root_crl: self.read(Name::RootCrl)?,
        };
        Ok(items.into_collateral())
    }

    pub(crate) fn check(
        &self,
        name: Name,
        item: &Item,
        root_ca_crl: &str,
    ) -> Result<CheckedPiece, CacheError> {
        let piece = item.piece(name).ok_or_else(|| self.damaged(name))?;
        let checked = piece.check(root_ca_crl, &self.root)?;
        // A file in another's place.
        if is_about(&checked, name) {
            Ok(checked)
        } else {
            Err(self.damaged(name))
        }
    }

    pub(crate) fn read(&self, name: Name) -> Result<Item, CacheError> {
        let file = match File::open(self.path.join(name.file_name())) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(CacheError::Missing {
                    path: self.path.clone(),
                    name,
                });
            }
            Err(error) => return Err(self.io(error)),
        };
        let mut json = Vec::new();
        file.take(MAX_SIZE + 1)
            .read_to_end(&mut json)
            .map_err(|error| self.io(error))?;
        if json.len() as u64 > MAX_SIZE {
            return Err(self.damaged(name));
        }
        serde_json::from_slice(&json).map_err(|_| self.damaged(name))
    }

    /// Writes beside and renames, so that a reader or a crash finds the old file or the new one.
    pub(crate) fn write(&self, name: Name, item: &Item) -> Result<(), CacheError> {
        let write = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
            serde_json::to_writer(&mut file, item)?;
            file.flush()?;
            file.as_file().sync_all()?;
            file.persist(self.path.join(name.file_name()))
                .map_err(|error| error.error)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|error| self.io(error))
    }

    /// The lock is released when the file is closed.
    pub(crate) fn lock_exclusively(&self) -> Result<File, CacheError> {
        let mut options = OpenOptions::new();
        options
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600);
        let file = options
            .open(self.path.join(LOCK))
            .map_err(|error| self.io(error))?;
        file.lock().map_err(|error| self.io(error))?;
        Ok(file)
    }

    /// Reading needs no right to write.
    fn lock_shared(&self) -> Result<File, CacheError> {
        let file = File::open(self.path.join(LOCK)).map_err(|error| self.io(error))?;
        file.lock_shared().map_err(|error| self.io(error))?;
        Ok(file)
    }

    fn binding(&self, error: BindingError) -> CacheError {
        CacheError::Binding {
            path: self.path.clone(),
            error,
        }
    }

    fn io(&self, error: io::Error) -> CacheError {
        CacheError::Dir {
            path: self.path.clone(),
            error,
        }
    }

    fn damaged(&self, name: Name) -> CacheError {
        CacheError::Damaged {
            path: self.path.clone(),
            file: name.file_name(),
        }
    }
}

/// Whether a verified piece is what its name says.
fn is_about(piece: &CheckedPiece, name: Name) -> bool {
    // Which number the other editions have is not theirs to say.
    let is_on = |shelf: Shelf, number: u32| match shelf {
        Shelf::Number(wanted) => wanted == number,
        Shelf::Standard | Shelf::Early => true,
    };
    match (piece.about, name) {
        (About::Root, Name::RootCrl) => true,
        (About::PckCa(found), Name::PckCrl(ca)) => found == ca,
        (
            About::QeIdentity {
                tee: found,
                evaluation_data_number,
            },
            Name::QeIdentity(tee, shelf),
        ) => found == tee && is_on(shelf, evaluation_data_number),
        (
            About::TcbInfo {
                tee: found_tee,
                fmspc: found,
                evaluation_data_number,
            },
            Name::TcbInfo(tee, fmspc, shelf),
        ) => found_tee == tee && found == fmspc && is_on(shelf, evaluation_data_number),
        _ => false,
    }
}
