//! Provides the attestation service with collateral from the directory that `nacre collateral` fills.

use std::error::Error;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use anyhow::Result;
use attestation_service::{CollateralSource, Endorsements};
use collateral_cache::{CacheDir, Freshness, Wanted};
use dcap_quote::{Bytes, Collateral, PckCa, Tee, TrustedRoot};

use crate::clock;

/// All platforms' collateral in a directory, checked when it changes.
#[derive(Debug)]
pub struct CachedCollateral {
    cache: CacheDir,
    root: TrustedRoot,
    loaded: RwLock<Loaded>,
}

#[derive(Debug, Default)]
struct Loaded {
    platforms: Vec<Platform>,
    /// What is wrong, so that it is told once.
    trouble: Option<String>,
}

#[derive(Clone, Debug)]
struct Platform {
    wanted: Wanted,
    collateral: Collateral,
    endorsements: Arc<Endorsements>,
}

impl CachedCollateral {
    /// Takes what is in the directory. What has expired is not taken, and does not keep the service from starting.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub fn open(directory: &Path, root: &TrustedRoot) -> Result<Self> {
        let cached = Self {
            cache: CacheDir::open(directory, root)?,
            root: root.clone(),
            loaded: RwLock::default(),
        };
        if let Err(error) = cached.refresh() {
            tracing::error!(%error, "some collateral cannot be used");
        }
        Ok(cached)
    }

    fn loaded(&self) -> RwLockReadGuard<'_, Loaded> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The platform as it is in the directory; as it was before, where that is the same.
    fn read(&self, wanted: Wanted, known: Option<&Platform>) -> Result<Platform> {
        let fresh = self
            .cache
            .collateral(&wanted, clock::now()?, &Freshness::default())?;
        match known {
            Some(known) if known.collateral == fresh.collateral => Ok(known.clone()),
            _ => Ok(Platform {
                wanted,
                endorsements: Arc::new(Endorsements::check(&fresh.collateral, &self.root)?),
                collateral: fresh.collateral,
            }),
        }
    }
}

impl CollateralSource for CachedCollateral {
    fn find(&self, tee: Tee, fmspc: Bytes<6>, ca: PckCa) -> Option<Arc<Endorsements>> {
        let loaded = self.loaded();
        let wanted = Wanted { tee, fmspc, ca };
        let found = loaded.platforms.iter().find(|platform| platform.wanted == wanted);
        found.map(|platform| Arc::clone(&platform.endorsements))
    }

    fn all(&self) -> Vec<Arc<Endorsements>> {
        let loaded = self.loaded();
        loaded
            .platforms
            .iter()
            .map(|platform| Arc::clone(&platform.endorsements))
            .collect()
    }

    /// What cannot be used now is used as it was: once expired, it refuses quotes by itself.
    fn refresh(&self) -> Result<bool, Box<dyn Error + Send + Sync>> {
        let before = self.loaded().platforms.clone();
        let (mut platforms, mut trouble) = (Vec::new(), None);
        for wanted in self.cache.platforms(self.cache.in_use()?)? {
            let known = before.iter().find(|platform| platform.wanted == wanted);
            match self.read(wanted, known) {
                Ok(platform) => platforms.push(platform),
                Err(error) => {
                    platforms.extend(known.cloned());
                    trouble = trouble.or(Some(format!("{wanted}: {error:#}")));
                }
            }
        }
        let is_same = |(old, new): (&Platform, &Platform)| Arc::ptr_eq(&old.endorsements, &new.endorsements);
        let changed = before.len() != platforms.len() || !before.iter().zip(&platforms).all(is_same);
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        loaded.platforms = platforms;
        if loaded.trouble == trouble {
            return Ok(changed);
        }
        loaded.trouble.clone_from(&trouble);
        match trouble {
            Some(trouble) => Err(trouble.into()),
            None => Ok(changed),
        }
    }
}
