//! What quotes are verified with: collateral that was checked once, found by a quote's platform.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest::{SHA256, digest};
use dcap_quote::{
    Bytes, CheckedCollateral, Collateral, CollateralError, PckCa, Refusal, Tee, TrustedRoot, UnixTime,
};
use serde::Serialize;

use crate::hex::hex;

/// Where the service finds collateral.
pub trait CollateralSource: Send + Sync {
    /// For platforms of this kind, certified by this authority. It may have expired.
    fn find(&self, tee: Tee, fmspc: Bytes<6>, ca: PckCa) -> Option<Arc<Endorsements>>;

    /// All that there is, for the service's health.
    fn all(&self) -> Vec<Arc<Endorsements>>;
}

/// Checked collateral, and the hashes by which tokens say what was relied upon.
#[derive(Debug)]
pub struct Endorsements {
    /// Verified but for its dates.
    pub checked: CheckedCollateral,
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
            checked: CheckedCollateral::check(collateral, root)?,
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
    loaded: RwLock<Vec<Arc<Endorsements>>>,
}

/// Why a file is not collateral to verify with.
#[derive(Debug, thiserror::Error)]
pub enum CollateralFileError {
    /// The file system says so.
    #[error("cannot read the collateral file {}: {error}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Not collateral.
    #[error("{} is not a collateral file: {error}", path.display())]
    Form {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: CollateralError,
    },
    /// It does not lead to the trusted root.
    #[error("the collateral in {} is refused: {error}", path.display())]
    Refused {
        /// Which file.
        path: PathBuf,
        /// Why.
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
        let loaded = read_all(&paths, &root)?;
        Ok(Self {
            paths,
            root,
            loaded: RwLock::new(loaded),
        })
    }

    /// Reads the files again.
    ///
    /// # Errors
    /// With the first file that is wrong; then what was loaded before stays in use.
    pub fn reload(&self) -> Result<(), CollateralFileError> {
        let loaded = read_all(&self.paths, &self.root)?;
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }

    /// The files.
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }
}

impl CollateralSource for CollateralFiles {
    fn find(&self, tee: Tee, fmspc: Bytes<6>, ca: PckCa) -> Option<Arc<Endorsements>> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        loaded
            .iter()
            .find(|endorsements| platforms(endorsements) == (tee, fmspc, ca))
            .cloned()
    }

    fn all(&self) -> Vec<Arc<Endorsements>> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        loaded.clone()
    }
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
