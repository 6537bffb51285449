//! Flags that several commands share, and the types of their values.

#[cfg(feature = "convert")]
mod authority;
#[cfg(feature = "key-broker")]
pub mod broker;
#[cfg(feature = "convert")]
pub mod byte_size;
#[cfg(feature = "verify")]
pub mod collateral_dir;
#[cfg(feature = "convert")]
pub mod conversion;
#[cfg(feature = "verify")]
pub mod edition;
#[cfg(feature = "convert")]
pub mod enclave_values;
#[cfg(feature = "verify")]
pub mod identity;
#[cfg(feature = "convert")]
mod nacre_toml;
#[cfg(feature = "convert")]
pub mod notices;
#[cfg(feature = "verify")]
pub mod platform;
#[cfg(feature = "verify")]
pub mod quote;
#[cfg(feature = "verify")]
pub mod report_data;
#[cfg(feature = "verify")]
pub mod service;
#[cfg(feature = "verify")]
pub mod token;
#[cfg(feature = "verify")]
pub mod trust;
#[cfg(feature = "verify")]
pub mod verification;
