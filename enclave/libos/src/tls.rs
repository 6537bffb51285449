//! The TLS key of this enclave, and its certificates (RA-TLS), for servers that know nothing of attestation.
//!
//! The key is made when somebody asks for it first, and lives as long as the container. Whoever can read
//! `/dev/attestation/tls/key.pem` is inside of the enclave; the host never sees it. A certificate is made for each opening, so that
//! a server that reads its certificate again has a quote of now.

use alloc::sync::Arc;
use alloc::vec::Vec;

use attested_tls::{Name, Request, TlsKey, Validity};
use enclave_rt::processor;
use kobject::{Mutex, Result, clock};
use libos_fs::Secret;

/// A certificate is valid from so long before now, for clients whose clocks are late.
const BEFORE: u64 = 3600;
/// And for so long after: a server that reads it once has to start anew once a year. What a quote proves is as old as the quote,
/// which clients judge by the collateral of their day.
const AFTER: u64 = 365 * 86_400;
const SECOND: u64 = 1_000_000_000;

/// The enclave as a server.
pub(crate) struct Tls {
    /// Once somebody has asked for it.
    key: Mutex<Option<Arc<TlsKey>>>,
    /// What certificates call it.
    names: Vec<Vec<u8>>,
}

impl Tls {
    /// A server with these names in the domain name system.
    pub(crate) const fn new(names: Vec<Vec<u8>>) -> Self {
        Self {
            key: Mutex::new(None),
            names,
        }
    }

    /// The private key in PEM.
    pub(crate) fn key(&self) -> Secret {
        Secret::new(self.own().to_pem())
    }

    /// A certificate with the quote that `quote` gives for its report data, in PEM.
    pub(crate) fn certificate(&self, quote: impl FnOnce(&[u8; 64]) -> Result<Vec<u8>>) -> Result<Vec<u8>> {
        let now = clock::realtime() / SECOND;
        let mut serial_number = [0; 16];
        processor::random(&mut serial_number);
        let names: Vec<Name<'_>> = self.names.iter().map(|name| Name::Dns(name)).collect();
        let request = Request {
            validity: Validity {
                from: now.saturating_sub(BEFORE),
                until: now.saturating_add(AFTER),
            },
            serial_number,
            names: &names,
        };
        self.own().certificate(&request, quote)
    }

    fn own(&self) -> Arc<TlsKey> {
        let mut key = self.key.lock();
        key.get_or_insert_with(|| Arc::new(TlsKey::generate(processor::random)))
            .clone()
    }
}
