//! The subcommands, one file or folder each.

pub mod attestation;
pub mod collateral;
pub mod convert;
pub mod explain;
pub mod inspect;
pub mod keygen;
pub mod policy;
pub mod run;
pub mod sign;
pub mod simulated_platform;
pub mod verify;
