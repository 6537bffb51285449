//! The broker over its wire, with people and with enclaves of a simulated platform.

mod policies;
mod provisioning_tests;
mod support;
mod trust;
