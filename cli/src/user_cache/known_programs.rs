//! What conversions have found in programs, so that the next conversion need not look again.

use std::fs;

use image_convert::CallSiteCache;

/// The directory's name in the cache.
pub const NAME: &str = "callsites";

/// The cache; none if there is no place for it. Then every program is looked at.
pub fn cache() -> Option<CallSiteCache> {
    let directory = super::open().ok()?.join(NAME);
    fs::create_dir_all(&directory).ok()?;
    Some(CallSiteCache::new(directory))
}
