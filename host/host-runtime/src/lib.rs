//! Runs an enclave and serves its host calls: threads, clocks, standard streams, sockets.
//!
//! [`run`] builds the enclave from its files, lends it the calling thread as its first one and ends the process as the
//! container ends. Inside:
//! - `start`: from files to a built enclave and what it is told at boot; `rootfs`: the image that it reads;
//! - `platform`: what it runs on, the emulator or the processor's own SGX;
//! - `thread`: host threads at TCSs, and the loop around entries; `wake`: how a blocked one is woken;
//! - `serve`: one module per kind of host call, behind the [`Host`] that tests replace;
//! - `outbox`: what threads send with their next calls; `backlog`: what of it the network does not take yet;
//! - `quoting`: quotes by Intel's service or by the simulated platform, which `seed` keeps;
//! - `layout`: where this process's own memory lies;
//! - [`control`]: how other commands reach a running container;
//! - [`terminal`]: the user's terminal in raw mode;
//! - `signals`: the process's signals become the container's; `stats`: counts for `--stats`.
//!
//! Trust: this is the adversary's side. It checks what the enclave asks for only as far as it must to keep itself in
//! order; the enclave checks every answer. State that lives as long as the process is leaked on purpose.

mod backlog;
pub mod control;
mod file_bytes;
mod kernel;
mod layout;
mod outbox;
mod own_pages;
mod platform;
mod quoting;
mod rootfs;
mod seed;
mod serve;
mod signals;
mod start;
mod stats;
pub mod terminal;
mod thread;
mod wake;

pub use file_bytes::FileBytes;
pub use host_abi::BootFlags;
pub use layout::make_room_for_enclave;
pub use platform::Platform;
pub use quoting::{Aesm, QuoteError, QuotingEnclave};
pub use rootfs::RootfsFile;
pub use seed::{Seed, SeedError};
pub use serve::{Honest, Host, Staging};
pub use sgx_platform::emulator::{EncluSites, hostile};
pub use start::{Broker, Error, Options, run, run_with};
