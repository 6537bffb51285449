//! What is known of programs by their bytes: looking for system calls is the longest part of a conversion, and images share
//! most of their programs with one another and with their own next version.
//!
//! A file per program, named by the SHA-256 of the scanner's name and the program's bytes:
//!
//! ```text
//!     0  SHA-256 of the file's name and of what follows      32
//!    32  1 for a program, 0 for what is none                  1
//!    33  counts: instruction before, following, preceding,
//!        trapping, unproven; little-endian                5 * 8
//!    73  the encoded map, empty if there is nothing to patch
//! ```
//!
//! What does not fit its digest is looked for anew, so a damaged cache changes nothing in the result. Who can write to the
//! directory could write a digest as well: it has to be the user's own.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use callsites::Counts;
use sha2::{Digest as _, Sha256};

/// How many programs stay known: those of some dozens of images. Most take less than a page.
const MAX_PROGRAMS: usize = 16_384;
/// Longest file that is read. The map of a program of 100 MB has some kilobytes.
const MAX_LEN: u64 = 16 << 20;
/// How old a note of use may become.
const NOTED_EACH: Duration = Duration::from_secs(24 * 60 * 60);

const DIGEST_LEN: usize = 32;
const COUNTS: usize = 5;
const HEAD_LEN: usize = 1 + COUNTS * 8;

/// A directory of what is known.
#[derive(Clone, Debug)]
pub struct CallSiteCache(PathBuf);

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It is no program.
    NoProgram,
    /// Its system calls, and its encoded map, if there is something to patch.
    Program(Counts, Option<Vec<u8>>),
}

/// A file's name in the cache.
#[derive(Clone, Copy)]
pub(crate) struct Key([u8; DIGEST_LEN]);

impl Key {
    /// The name of a program with these bytes.
    pub(crate) fn of(program: &[u8]) -> Self {
        let mut digest = Sha256::new();
        digest.update(callsites::SCANNER);
        digest.update(program);
        Self(digest.finalize().into())
    }

    fn digest(self, rest: &[u8]) -> [u8; DIGEST_LEN] {
        let mut digest = Sha256::new();
        digest.update(self.0);
        digest.update(rest);
        digest.finalize().into()
    }
}

impl CallSiteCache {
    /// The cache in this directory, which nobody but the user may write to.
    pub fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    fn path(&self, key: Key) -> PathBuf {
        self.0.join(base16ct::lower::encode_string(&key.0))
    }

    /// What is known, if it is undamaged.
    pub(crate) fn load(&self, key: Key) -> Option<Known> {
        let path = self.path(key);
        let metadata = fs::metadata(&path).ok()?;
        if metadata.len() > MAX_LEN {
            return None;
        }
        let bytes = fs::read(&path).ok()?;
        let (digest, rest) = bytes.split_first_chunk::<DIGEST_LEN>()?;
        if key.digest(rest) != *digest {
            return None;
        }
        let age = metadata.modified().ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > NOTED_EACH) {
            // If that fails, it only looks older than it is.
            let _ = fs::File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        }
        Known::decode(rest)
    }

    /// Keeps what was found. What cannot be kept is looked for again.
    pub(crate) fn store(&self, key: Key, known: &Known) {
        let rest = known.encode();
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
            file.write_all(&key.digest(&rest))?;
            file.write_all(&rest)?;
            file.persist(self.path(key)).map_err(|error| error.error)
        };
        let _ = write();
    }

    /// Removes what has not been used for longest, beyond the number that stays.
    pub(crate) fn forget_old(&self) {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
        if files.len() <= MAX_PROGRAMS {
            return;
        }
        files.sort_by_cached_key(|path| path.metadata().and_then(|found| found.modified()).ok());
        for path in files.iter().rev().skip(MAX_PROGRAMS) {
            let _ = fs::remove_file(path);
        }
    }
}

impl Known {
    fn encode(&self) -> Vec<u8> {
        let (is_program, counts, map) = match self {
            Self::NoProgram => (0, Counts::default(), &[][..]),
            Self::Program(counts, map) => (1, *counts, map.as_deref().unwrap_or_default()),
        };
        let mut bytes = vec![is_program];
        let counts = [
            counts.instruction_before,
            counts.following,
            counts.preceding,
            counts.trapping,
            counts.unproven,
        ];
        bytes.extend(counts.into_iter().flat_map(u64::to_le_bytes));
        bytes.extend_from_slice(map);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, map) = bytes.split_first_chunk::<HEAD_LEN>()?;
        let [kind, counts @ ..] = head;
        let (counts, _) = counts.as_chunks::<8>();
        let &[before, following, preceding, trapping, unproven] = counts else {
            return None;
        };
        let counts = Counts {
            instruction_before: u64::from_le_bytes(before),
            following: u64::from_le_bytes(following),
            preceding: u64::from_le_bytes(preceding),
            trapping: u64::from_le_bytes(trapping),
            unproven: u64::from_le_bytes(unproven),
        };
        match kind {
            0 => Some(Self::NoProgram),
            1 => Some(Self::Program(counts, (!map.is_empty()).then(|| map.to_vec()))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_or_elsewhere_is_not_known() {
        let directory = tempfile::tempdir().unwrap();
        let cache = CallSiteCache::new(directory.path().into());
        let (key, other) = (Key::of(b"a"), Key::of(b"b"));
        let counts = Counts {
            preceding: 3,
            unproven: 1 << 40,
            ..Counts::default()
        };
        for known in [
            Known::NoProgram,
            Known::Program(counts, None),
            Known::Program(counts, Some(vec![7; 99])),
        ] {
            assert_eq!(Known::decode(&known.encode()), Some(known.clone()));
            cache.store(key, &known);
            assert_eq!(cache.load(key), Some(known));
            let bytes = fs::read(cache.path(key)).unwrap();
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1;
                fs::write(cache.path(key), damaged).unwrap();
                assert_eq!(cache.load(key), None, "byte {at}");
                fs::write(cache.path(key), &bytes[..at]).unwrap();
                assert_eq!(cache.load(key), None, "cut at {at}");
            }
            fs::write(cache.path(other), &bytes).unwrap();
            assert_eq!(cache.load(other), None, "the entry of another program");
        }
    }
}
