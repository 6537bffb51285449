//! The subcommands, one file or folder each.

#[cfg(feature = "key-broker")]
pub mod approve;
#[cfg(feature = "verify")]
pub mod attestation;
#[cfg(feature = "key-broker")]
pub mod audit;
#[cfg(all(feature = "convert", feature = "verify"))]
pub mod authorize;
#[cfg(feature = "key-broker")]
pub mod broker;
#[cfg(feature = "convert")]
pub mod cache;
#[cfg(feature = "verify")]
pub mod collateral;
pub mod completion;
#[cfg(feature = "convert")]
pub mod convert;
#[cfg(feature = "run")]
mod docker_options;
#[cfg(feature = "run")]
pub mod doctor;
#[cfg(feature = "run")]
pub mod exec;
#[cfg(any(feature = "convert", feature = "verify"))]
pub mod explain;
#[cfg(feature = "convert")]
pub mod inspect;
#[cfg(feature = "convert")]
pub mod keygen;
pub mod man;
#[cfg(feature = "verify")]
pub mod policy;
#[cfg(feature = "run")]
pub mod run;
#[cfg(feature = "key-broker")]
pub mod secret;
#[cfg(feature = "key-broker")]
pub mod service;
#[cfg(feature = "convert")]
pub mod sign;
#[cfg(feature = "run")]
pub mod simulated_platform;
#[cfg(feature = "verify")]
pub mod verify;
pub mod version;
