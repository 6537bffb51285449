//! The collateral of the service: checked once, and found by a quote's platform.

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use dcap_quote::{
    Bytes, CheckedCollateral, Collateral, CollateralError, PckCa, Refusal, Tee, TrustedRoot, UnixTime,
};
use serde::Serialize;

use base16ct::lower::encode_string as hex;

/// Where the service finds collateral.
pub trait CollateralSource: Send + Sync {
    /// For platforms of this kind, certified by this authority. It may have expired.
    fn find(&self, tee: Tee, fmspc: Bytes<6>, ca: PckCa) -> Option<Arc<Endorsements>>;

    /// All that there is, for the service's health.
    fn all(&self) -> Vec<Arc<Endorsements>>;

    /// Looks whether there is newer collateral, and takes it; says whether there was. It may read files, and is called twice a
    /// minute and on SIGHUP.
    ///
    /// # Errors
    /// When what is there cannot be used; then what was there before stays in use.
    fn refresh(&self) -> Result<bool, Box<dyn Error + Send + Sync>>;
}

/// Checked collateral, and the hashes by which tokens say what was relied upon.
#[derive(Debug)]
pub struct Endorsements {
    /// Verified but for its dates.
    pub checked: Arc<CheckedCollateral>,
    pub(crate) hashes: CollateralHashes,
}

/// SHA-256 of pieces of collateral in hexadecimal, as the claim `x-ms-sgx-collateral` names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CollateralHashes {
    qeidcertshash: String,
    qeidcrlhash: String,
    qeidhash: String,
    tcbinfocertshash: String,
    tcbinfocrlhash: String,
    tcbinfohash: String,
}

impl Endorsements {
    /// Checks collateral, but for its dates.
    ///
    /// # Errors
    /// As [`CheckedCollateral::check`].
    pub fn check(collateral: &Collateral, root: &TrustedRoot) -> Result<Self, Refusal> {
        Ok(Self {
            checked: Arc::new(CheckedCollateral::check(collateral, root)?),
            hashes: CollateralHashes::of(collateral),
        })
    }

    /// Whether all of it may be relied upon now.
    #[must_use]
    pub fn is_valid_at(&self, now: UnixTime) -> bool {
        self.checked.validity().contains(now)
    }
}

impl CollateralHashes {
    /// The revocation lists are the root's, which has issued the certificates of both signers.
    fn of(collateral: &Collateral) -> Self {
        let hash = |text: &str| hex(digest(&SHA256, text.as_bytes()).as_ref());
        let list = hash(&collateral.root_ca_crl);
        Self {
            qeidcertshash: hash(&collateral.qe_identity_issuer_chain),
            qeidcrlhash: list.clone(),
            qeidhash: hash(&collateral.qe_identity),
            tcbinfocertshash: hash(&collateral.tcb_info_issuer_chain),
            tcbinfocrlhash: list,
            tcbinfohash: hash(&collateral.tcb_info),
        }
    }
}

/// Collateral from files, each with the nine members of `sgx_ql_qve_collateral_t`.
#[derive(Debug)]
pub struct CollateralFiles {
    paths: Vec<PathBuf>,
    root: TrustedRoot,
    loaded: RwLock<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    all: Vec<Arc<Endorsements>>,
    stamps: Vec<Stamp>,
}

/// When a file was changed and how long it is, as far as it tells.
type Stamp = Option<(SystemTime, u64)>;

/// Why a file is not collateral to verify with.
#[derive(Debug, thiserror::Error)]
pub enum CollateralFileError {
    /// The file system says so.
    #[error("cannot read the collateral file {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: std::io::Error,
    },
    /// Not collateral.
    #[error("{} is not a collateral file: {error}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: CollateralError,
    },
    /// It does not lead to the trusted root.
    #[error("the collateral in {} is refused: {error}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: Box<Refusal>,
    },
    /// Two files are for the same platforms.
    #[error("{} is for the same platforms as a file before it; give one of them", .0.display())]
    Repeated(PathBuf),
}

impl CollateralFiles {
    /// Reads the files and checks what is in them. Expired collateral is taken, and refuses quotes.
    ///
    /// # Errors
    /// With the first file that is wrong.
    pub fn load(paths: Vec<PathBuf>, root: TrustedRoot) -> Result<Self, CollateralFileError> {
        let loaded = Loaded {
            // Before the files are read: what changes meanwhile is read again.
            stamps: stamps(&paths),
            all: read_all(&paths, &root)?,
        };
        Ok(Self {
            paths,
            root,
            loaded: RwLock::new(loaded),
        })
    }

    fn loaded(&self) -> RwLockReadGuard<'_, Loaded> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CollateralSource for CollateralFiles {
    fn find(&self, tee: Tee, fmspc: Bytes<6>, ca: PckCa) -> Option<Arc<Endorsements>> {
        let loaded = self.loaded();
        let mut all = loaded.all.iter();
        all.find(|endorsements| platforms(endorsements) == (tee, fmspc, ca))
            .cloned()
    }

    fn all(&self) -> Vec<Arc<Endorsements>> {
        self.loaded().all.clone()
    }

    fn refresh(&self) -> Result<bool, Box<dyn Error + Send + Sync>> {
        let stamps = stamps(&self.paths);
        if self.loaded().stamps == stamps {
            return Ok(false);
        }
        let all = read_all(&self.paths, &self.root)?;
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Loaded { all, stamps };
        Ok(true)
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |path: &PathBuf| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    paths.iter().map(stamp).collect()
}

/// What platforms collateral is for.
fn platforms(endorsements: &Endorsements) -> (Tee, Bytes<6>, PckCa) {
    let checked = &endorsements.checked;
    (checked.tee(), checked.fmspc(), checked.pck_ca())
}

fn read_all(paths: &[PathBuf], root: &TrustedRoot) -> Result<Vec<Arc<Endorsements>>, CollateralFileError> {
    let mut all: Vec<Arc<Endorsements>> = Vec::new();
    for path in paths {
        let endorsements = read(path.clone(), root)?;
        if all
            .iter()
            .any(|other| platforms(other) == platforms(&endorsements))
        {
            return Err(CollateralFileError::Repeated(path.clone()));
        }
        all.push(Arc::new(endorsements));
    }
    Ok(all)
}

fn read(path: PathBuf, root: &TrustedRoot) -> Result<Endorsements, CollateralFileError> {
    let json = match std::fs::read(&path) {
        Ok(json) => json,
        Err(error) => return Err(CollateralFileError::Read { path, error }),
    };
    let collateral = match Collateral::from_json(&json) {
        Ok(collateral) => collateral,
        Err(error) => return Err(CollateralFileError::Form { path, error }),
    };
    Endorsements::check(&collateral, root).map_err(|error| CollateralFileError::Refused {
        path,
        error: Box::new(error),
    })
}

#[cfg(test)]
mod tests {
    use simulated_platform::{Profile, SimulatedPlatform};

    use super::*;

    #[test]
    fn newer_files_are_taken_and_wrong_ones_not() {
        let platform =
            |day: u64| SimulatedPlatform::new(Profile::new([7; 32], UnixTime(1_750_723_200 + day * 86_400)));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("collateral");
        let write = |content: &[u8]| {
            // A new file has a new time, however coarse the clock of the file system is.
            let new = directory.path().join(content.len().to_string());
            std::fs::write(&new, content).unwrap();
            std::fs::rename(new, &path).unwrap();
        };
        let json = |day, tee| serde_json::to_vec(&platform(day).collateral(tee)).unwrap();
        write(&json(0, Tee::Sgx));
        let root = TrustedRoot::dangerous_simulated(&platform(0).root_certificate()).unwrap();
        let files = CollateralFiles::load(vec![path.clone()], root).unwrap();
        let until = || files.all().first().unwrap().checked.validity().until;
        let first = until();
        assert!(!files.refresh().unwrap());
        write(b"{}");
        assert!(
            files
                .refresh()
                .unwrap_err()
                .to_string()
                .contains("is not a collateral file")
        );
        assert_eq!(until(), first);
        write(&json(1, Tee::Tdx));
        assert!(files.refresh().unwrap());
        assert_eq!(
            (until().0, files.all()[0].checked.tee()),
            (first.0 + 86_400, Tee::Tdx)
        );
        assert!(!files.refresh().unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(files.refresh().is_err() && until().0 == first.0 + 86_400);
    }
}
