//! Which kind of platform a quote claims to come from, remembered: reading its certificates takes longer than verifying the
//! quote, and a platform always sends the same.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use dcap_quote::{Bytes, PckCa, Quote, Refusal};

/// What collateral is found by. It is a claim: the collateral that it leads to refuses quotes of other platforms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claimed {
    pub fmspc: Bytes<6>,
    pub ca: PckCa,
}

/// Claims by the hashes of the certificates that make them.
#[derive(Debug, Default)]
pub(crate) struct Platforms {
    known: Mutex<BTreeMap<[u8; 32], Claimed>>,
}

/// Platforms to remember at most; about as many as a service sees.
const MAX_KNOWN: usize = 4096;

impl Platforms {
    /// What the quote's certificates claim.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn claimed(&self, quote: &Quote<'_>) -> Result<Claimed, Refusal> {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, quote.pck_chain().as_bytes()).as_ref());
        // Nothing below panics while the lock is held.
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(claimed) = known().get(&hash) {
            return Ok(*claimed);
        }
        let claimed = Claimed {
            fmspc: quote.claimed_platform()?.fmspc,
            ca: quote.claimed_pck_ca()?,
        };
        let mut known = known();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(hash, claimed);
        Ok(claimed)
    }
}
