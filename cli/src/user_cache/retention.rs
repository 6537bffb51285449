//! What stays in a directory of the cache, and what goes.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// How many files stay; each new version of an image or of nacre makes another one.
const MAX_FILES: usize = 32;

/// Notes that a file has been used now. If that fails, it only looks older than it is.
pub fn note_use(path: &Path) {
    if let Ok(file) = fs::File::open(path) {
        let _ = file.set_modified(SystemTime::now());
    }
}

/// Removes the files that have not been used for longest, beyond the number that stays. A container that runs from one
/// keeps its open file. What cannot be removed stays.
pub fn remove_old(dir: &Path) {
    keep(dir, MAX_FILES);
}

/// As [`remove_old`], but so many stay.
pub fn keep(dir: &Path, count: usize) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut images: Vec<_> = entries
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    images.sort();
    for (_, path) in images.iter().rev().skip(count) {
        let _ = fs::remove_file(path);
    }
}

#[cfg(all(test, feature = "run"))]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_least_recently_used_go_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = |index: u64| dir.path().join(format!("{index}.tar"));
        for index in 0..MAX_FILES as u64 + 3 {
            let file = fs::File::create(path(index)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(index))
                .unwrap();
        }
        note_use(&path(1));
        remove_old(dir.path());
        let left: Vec<_> = (0..5).filter(|index| path(*index).exists()).collect();
        assert_eq!(left, [1, 4]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), MAX_FILES);
    }
}
