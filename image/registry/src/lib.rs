//! Fetches images from registries and pushes them there.
//!
//! What is fetched becomes an OCI layout in a directory, which `oci-image` opens like any other: so the rules which
//! image of an index is meant, and every check of a digest, are in one place. [`Store`] is that directory. It keeps
//! blobs by their digests, continues what was interrupted, and fetches nothing twice.
//!
//! Key types: [`Remote`] (the name of an image in a registry), [`Store`], [`Connection`].
//!
//! The protocol is that of the `oci-client` crate, and credentials are those of Docker and Podman (`docker login`), by
//! the `docker_credential` crate. Registries are asked by HTTPS; one on this machine's own loopback addresses may also speak plain
//! HTTP, as Docker has it.
//!
//! Trust: a registry may answer with anything, for ever, or not at all. Every blob is checked against its digest and
//! its promised length while it comes in, and only then has its name in the store.
#![forbid(unsafe_code)]

mod attachments;
mod connection;
mod credentials;
mod document;
mod error;
mod pull;
mod push;
mod remote;
mod store;

pub use connection::Connection;
pub use error::Error;
pub use push::Pushed;
pub use remote::{NotARemote, Remote};
pub use store::{Fetched, Store};

/// Is told how many bytes of how many are there.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);
