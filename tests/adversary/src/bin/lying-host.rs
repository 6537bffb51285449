//! `lying-host LIE DIR SECONDS`: runs the enclave of DIR (enclave.sgxs, enclave.sig, rootfs.img) and tells it the lie of this name.
//!
//! Ends as the container ends, or as [`adversary::liar::status`] says.
#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::fs::{self, File};
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use adversary::liar::{Hands, Liar, status};
use adversary::lies::{self, Tell};
use anyhow::{Context, Result};
use host_abi::{Answer, CallCode};
use host_runtime::{Host, Options, Platform, RootfsFile, Seed, Staging, hostile, run_with};
