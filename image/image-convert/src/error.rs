//! Why an image cannot be converted.

use std::io;
use std::path::PathBuf;

use enclave_config::ConfigError;
use oci_image::ImageRef;

use crate::ContainerError;

/// Why an image cannot be converted.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The LibOS cannot be laid out: a mistake in nacre's own build.
    #[error(transparent)]
    Libos(#[from] sgx_sign::LibosError),
    /// The result would take the place of the source.
    #[error("{0} is the image to convert, which would be lost: write to another place")]
    OntoItself(ImageRef),
    /// The source is a result.
    #[error(
        "{0} is already a confidential image: convert the image that it was made from (for another key, use `nacre sign`)"
    )]
    Confidential(ImageRef),
    /// Its layers cannot be applied.
    #[error(transparent)]
    Tree(#[from] oci_image::TreeError),
    /// No temporary file, or no room for it.
    #[error("cannot write a temporary file in {0} (set TMPDIR to a directory with room for the image): {1}")]
    Spool(PathBuf, #[source] io::Error),
    /// What will be written does not fit.
    #[error(
        "there is no room in {}: the conversion will write at least {needed} MiB more, and {free} MiB are free (TMPDIR says \
         where temporary files go; the image can be written to another file system)",
        directory.display()
    )]
    Room {
        /// Where.
        directory: PathBuf,
        /// MiB.
        needed: u64,
        /// MiB.
        free: u64,
    },
    /// A temporary file cannot be read.
    #[error("cannot read a temporary file")]
    ReadSpool(#[source] io::Error),
    /// The root file system cannot be written.
    #[error("cannot write the root file system: {0}")]
    Rootfs(#[from] rootfs_image::Error),
    /// The call-site maps cannot be written.
    #[error("cannot write the call-site maps: {0}")]
    CallSites(#[from] callsite_map::MapError),
    /// A file that says who the image's users are.
    #[error("the image's {0} cannot be used: {1}")]
    Accounts(&'static str, String),
    /// What the image says of its container.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// The image's package databases.
    #[error("cannot write the SBOM: {0} (without --attest, nobody reads it)")]
    Inventory(#[from] image_provenance::InventoryError),
    /// The measured configuration breaks a rule.
    #[error("the image and the options do not make a valid configuration: {0}")]
    Config(#[from] ConfigError),
    /// The enclave cannot be kept in memory.
    #[error("cannot lay out the enclave")]
    Layout(#[source] io::Error),
    /// The signature cannot be made.
    #[error(transparent)]
    Signature(#[from] sgx_sign::SignatureError),
    /// The image cannot be written.
    #[error(transparent)]
    Write(#[from] oci_image::WriteError),
}
