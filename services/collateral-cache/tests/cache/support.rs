//! Fixtures: a simulated platform at a fixed time, and caches of its collateral.

use std::time::Duration;

use collateral_cache::{CacheDir, Wanted};
use dcap_quote::{Bytes, Collateral, PckCa, Tee, TrustedRoot, UnixTime};
use simulated_platform::{Profile, SimulatedPlatform};
use tempfile::TempDir;

/// 2025-06-24T00:00:00Z.
pub const NOW: UnixTime = UnixTime(1_750_723_200);
pub const DAY: u64 = 24 * 60 * 60;

pub const WANTED: Wanted = Wanted {
    tee: Tee::Sgx,
    fmspc: Bytes([0, 0x51, 0x4d, 0x55, 0x4c, 0]),
    ca: PckCa::Platform,
};

/// So many days after [`NOW`].
pub fn days(count: u64) -> UnixTime {
    UnixTime(NOW.0 + count * DAY)
}

pub fn day_count(count: u64) -> Duration {
    Duration::from_secs(count * DAY)
}

/// A platform whose collateral is issued at `now`, and serves for thirty days.
pub fn platform(now: UnixTime, change: impl FnOnce(&mut Profile)) -> SimulatedPlatform {
    let mut profile = Profile::new([9; 32], now);
    change(&mut profile);
    SimulatedPlatform::new(profile)
}

pub fn root() -> TrustedRoot {
    root_of(&platform(NOW, |_| ()))
}

pub fn root_of(platform: &SimulatedPlatform) -> TrustedRoot {
    TrustedRoot::dangerous_simulated(&platform.root_certificate()).unwrap()
}

/// SGX collateral issued at `now`.
pub fn collateral(now: UnixTime) -> Collateral {
    platform(now, |_| ()).collateral(Tee::Sgx)
}

/// An empty cache in a directory that goes away.
pub fn cache() -> (TempDir, CacheDir) {
    let folder = tempfile::tempdir().unwrap();
    let cache = CacheDir::create(&folder.path().join("collateral"), &root()).unwrap();
    (folder, cache)
}
