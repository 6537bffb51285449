//! The choice of the platform: where the enclave runs, and who makes its quotes.
//!
//! Everything else in this crate works with any [`Builder`] and [`QuotingEnclave`].

use std::convert::Infallible;

use sgx_arch::Secs;
use sgx_platform::Builder;
use sgx_platform::driver::Driver;
use sgx_platform::emulator::{Emulator, EncluSites};

use crate::quoting::simulated::SimulatedQuoting;
use crate::quoting::{Aesm, QuotingEnclave};
use crate::seed::Seed;
use crate::start::{Error, Launch};

/// The platform that an enclave runs on.
pub enum Platform {
    /// The emulator, which protects nothing from this host. The simulated platform makes the quotes.
    Emulator {
        /// What all keys of the simulated platform are made from.
        seed: Seed,
        /// How ENCLU instructions are treated.
        sites: EncluSites,
    },
    /// SGX of this machine's processor by Linux's driver. Intel's quoting service makes the quotes. Not supported yet: the
    /// start ends with the reason.
    Driver,
}

impl Platform {
    /// The emulator as it is used: fast.
    pub fn emulator(seed: Seed) -> Self {
        Self::Emulator {
            seed,
            sites: EncluSites::default(),
        }
    }

    /// Creates the enclave, and goes on with the launch.
    pub(crate) fn launch(self, secs: Secs, launch: Launch<'_>) -> Result<Infallible, Error> {
        match self {
            Self::Emulator { seed, sites } => {
                let builder = Emulator::create(secs, seed.processor(), sites)?;
                launch.on(Created {
                    builder,
                    quoting: Box::new(SimulatedQuoting::new(seed)),
                    notice: Some(
                        "emulated enclave: this host can read and change everything in it; use it for development only",
                    ),
                })
            }
            Self::Driver => launch.on(Created {
                builder: Driver::create(&secs)?,
                quoting: Box::new(Aesm::new(Aesm::SOCKET)),
                notice: None,
            }),
        }
    }
}

/// An enclave that has been created and has no pages yet.
pub(crate) struct Created<B: Builder> {
    pub(crate) builder: B,
    pub(crate) quoting: Box<dyn QuotingEnclave>,
    /// A line for the user, before the container starts.
    pub(crate) notice: Option<&'static str>,
}
