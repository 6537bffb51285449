//! Turns an OCI image into a confidential one.
//!
//! [`Conversion::run`] reads the image's layers, looks for system calls in its programs, writes the root file
//! system, lays out and signs the enclave, and writes an image of five files, [`Part`]s, that run it. [`Package`]
//! finds these files again in a confidential image. [`configuration`] tells without a conversion what would be measured.
//!
//! Nothing of the image is executed, and the same image, options and binaries give the same bytes. Memory is bounded
//! by the image's metadata and its largest program; contents go through temporary files without a name.
//!
//! Neighbours: `oci-image` (images), `image-provenance` (SBOM and provenance), `callsites` (system calls), `rootfs-image` (root file system), `enclave-config` and
//! `sgx-sign` (the enclave). The caller provides the binaries (`enclave-payload`).
//!
//! Trust: what is written here is what the enclave will trust. The image itself may be hostile to this machine:
//! every reader below is bounded, and nothing is unpacked into the host's file system.
#![forbid(unsafe_code)]

mod accounts;
mod attest;
mod call_site_cache;
mod call_sites;
mod container;
mod conversion;
mod error;
mod options;
mod package;
mod progress;
mod room;
mod signal_name;
mod tree_source;

pub use accounts::AccountError;
pub use attest::{Attached, Attest};
pub use call_site_cache::CallSiteCache;
pub use call_sites::Coverage;
pub use container::{ContainerError, left_out};
pub use conversion::{Conversion, Summary, configuration};
pub use error::ConvertError;
pub use options::Options;
pub use package::{Outside, Package, PackageError, Part, ResignError, label};
pub use progress::{Progress, Silent, Stage};
pub use signal_name::{signal_name, signal_number};
