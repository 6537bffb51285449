//! Flags that several commands share, and the types of their values.

pub mod byte_size;
pub mod collateral_dir;
pub mod conversion;
pub mod enclave_values;
pub mod identity;
mod nacre_toml;
pub mod platform;
pub mod quote;
pub mod token;
pub mod trust;
pub mod verification;
