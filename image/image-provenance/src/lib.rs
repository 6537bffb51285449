//! What is in an image, and how a confidential image was made of it, in the formats that other tools read.
//!
//! - [`Inventory`] is read from the package databases in an image's file tree: dpkg's (also distroless images' own form of
//!   it) and apk's.
//! - [`sbom`] writes it as an SPDX 2.3 document.
//! - [`provenance`] is an in-toto statement with a SLSA provenance predicate, version 1.
//!
//! The same image gives the same bytes: the documents hold no time of their own and no name of this machine.
//!
//! Neighbours: `oci-image` gives the tree, and attaches the documents; `image-convert` calls.
//!
//! Trust: the databases come from the image, which may be hostile: what they say is bounded, and stays text. The documents
//! are not signed. Who wants a proof makes the image again (`nacre verify image`).
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used))]

mod apk;
mod dpkg;
mod inventory;
mod package_url;
mod spdx;
mod statement;

pub use inventory::{Distribution, Ecosystem, Inventory, InventoryError, Package, parse};
pub use spdx::{SPDX, sbom};
pub use statement::{Made, PREDICATE, PREDICATE_TYPE, STATEMENT, Source, provenance};
