//! Tests of the cache with collateral of simulated platforms.

mod directory;
mod insertion;
mod limits;
mod network;
mod peer;
mod support;
mod tampering;
mod warnings;
