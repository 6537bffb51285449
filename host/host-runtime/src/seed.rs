//! The seed of the simulated platform, from which all of its keys are made.
//!
//! It is kept, so that what an emulated enclave seals can be unsealed by its next run, and so that a verifier that was
//! told of the platform knows its quotes. It is no secret worth the name: the host may read it, and a simulated platform
//! protects nothing against its host.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use sgx_platform::emulator::SimulatedProcessor;
use simulated_platform::{Profile, SimulatedPlatform, UnixTime};

/// What a simulated platform is made from. No `Debug`: it does not belong into logs.
#[derive(Clone)]
pub struct Seed([u8; Self::SIZE]);

/// What is done with the file of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// One that is there is read.
    Read,
    /// A new one is made.
    Make,
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Make => "make",
        })
    }
}

/// Why there is no seed.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The file is not as this program writes it.
    #[error(
        "{0} is not the seed of a simulated platform (64 hexadecimal digits); restore it, or remove it to \
         become another platform, which can unseal nothing of the old one"
    )]
    Malformed(PathBuf),
    /// It cannot be read, or made.
    #[error("cannot {action} the seed of the simulated platform, {}: {source}", path.display())]
    File {
        /// What was tried: to read the file, or to make it.
        action: Action,
        /// Where it is.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
}

impl Seed {
    const SIZE: usize = 32;
    /// Hexadecimal digits and the end of the line.
    const FILE_SIZE: usize = 2 * Self::SIZE + 1;

    /// This user's, at [`Self::default_path`]. Where nothing can be kept, as in a container with a read-only root file system,
    /// it is a new one each time, with a line on standard error about it.
    ///
    /// # Errors
    /// When there is a file that cannot be used.
    pub fn of_this_user() -> Result<Self, SeedError> {
        let ephemeral = |why: &dyn std::fmt::Display| {
            eprintln!(
                "nacre: {why}: this simulated platform ends with this run, and nothing else unseals what is sealed in it"
            );
            Self::ephemeral().map_err(|source| SeedError::File {
                action: Action::Make,
                path: "/dev/urandom".into(),
                source,
            })
        };
        let Some(path) = Self::default_path() else {
            return ephemeral(&"there is no home directory; set XDG_STATE_HOME");
        };
        match Self::load_or_make(&path) {
            Err(
                error @ SeedError::File {
                    action: Action::Make, ..
                },
            ) => ephemeral(&error),
            made => made,
        }
    }

    /// Where this user's is: `$XDG_STATE_HOME/nacre/simulated-platform`, or below `~/.local/state`. `None` without a home
    /// directory.
    #[must_use]
    pub fn default_path() -> Option<PathBuf> {
        let base = std::env::var_os("XDG_STATE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        let base = base.or_else(|| std::env::home_dir().map(|home| home.join(".local/state")))?;
        Some(base.join("nacre/simulated-platform"))
    }

    /// A platform that nobody will be again.
    ///
    /// # Errors
    /// When the kernel gives no random numbers.
    pub fn ephemeral() -> io::Result<Self> {
        let mut seed = [0; Self::SIZE];
        File::open("/dev/urandom")?.read_exact(&mut seed)?;
        Ok(Self(seed))
    }

    /// The seed in a file, which is made if it is not there.
    ///
    /// # Errors
    /// When there is another file, or it can be neither read nor made.
    pub fn load_or_make(path: &Path) -> Result<Self, SeedError> {
        match Self::load(path) {
            // Without the right to look, whether it can be made says whether it is there.
            Err(SeedError::File { source, .. })
                if matches!(
                    source.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied
                ) => {}
            loaded => return loaded,
        }
        let failed = |source| SeedError::File {
            action: Action::Make,
            path: path.to_owned(),
            source,
        };
        let seed = Self::ephemeral().map_err(failed)?;
        match seed.save_new(path) {
            // Another one was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::load(path),
            saved => saved.map(|()| seed).map_err(failed),
        }
    }

    /// The platform, with collateral that is issued now.
    #[must_use]
    pub fn platform(&self) -> SimulatedPlatform {
        SimulatedPlatform::new(self.profile())
    }

    /// Its processor. The rest of the platform takes some milliseconds to make, which a start need not.
    pub(crate) fn processor(&self) -> SimulatedProcessor {
        let profile = self.profile();
        SimulatedProcessor::new(profile.processor_key().into(), profile.svns)
    }

    fn profile(&self) -> Profile {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Profile::new(self.0, UnixTime(since.as_secs()))
    }

    fn load(path: &Path) -> Result<Self, SeedError> {
        let text = fs::read(path).map_err(|source| SeedError::File {
            action: Action::Read,
            path: path.to_owned(),
            source,
        })?;
        parse(&text).ok_or_else(|| SeedError::Malformed(path.to_owned()))
    }

    /// Appears complete or not at all, and replaces nothing.
    fn save_new(&self, path: &Path) -> io::Result<()> {
        let dir = path.parent().unwrap_or(Path::new("."));
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|error| match error.kind() {
            // A file has its name: not what the seed's own name being taken means.
            io::ErrorKind::AlreadyExists => io::ErrorKind::NotADirectory.into(),
            _ => error,
        })?;
        let draft = path.with_extension(std::process::id().to_string());
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        let text: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        let linked = file
            .write_all(text.as_bytes())
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::hard_link(&draft, path));
        fs::remove_file(&draft)?;
        linked
    }
}

fn parse(text: &[u8]) -> Option<Seed> {
    if text.len() != Seed::FILE_SIZE || text.last() != Some(&b'\n') {
        return None;
    }
    let mut seed = [0; Seed::SIZE];
    let (pairs, _) = text.as_chunks::<2>();
    for (byte, pair) in seed.iter_mut().zip(pairs) {
        let digit = |digit: u8| {
            char::from(digit)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
    }
    Some(Seed(seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/seed");
        let made = Seed::load_or_make(&path).unwrap();
        let loaded = Seed::load_or_make(&path).unwrap();
        assert!(made.0 == loaded.0);
        assert!(made.0 != Seed::ephemeral().unwrap().0);
        let files = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(files, 1, "the draft is gone");
    }

    #[test]
    fn a_place_that_cannot_be_is_told_from_a_file_that_cannot_be_used() {
        let dir = tempfile::tempdir().unwrap();
        let action = |path: &str| match Seed::load_or_make(&dir.path().join(path)) {
            Err(SeedError::File { action, .. }) => action,
            _ => panic!("no such error for {path}"),
        };
        fs::write(dir.path().join("file"), "").unwrap();
        fs::create_dir(dir.path().join("directory")).unwrap();
        assert_eq!(action("file/seed"), Action::Make);
        assert_eq!(action("directory"), Action::Read);
    }

    #[test]
    fn a_file_that_is_no_seed_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("seed");
        for text in [
            "",
            "12\n",
            &"g".repeat(64),
            &("g".repeat(64) + "\n"),
            &"0".repeat(65),
        ] {
            fs::write(&path, text).unwrap();
            assert!(matches!(Seed::load_or_make(&path), Err(SeedError::Malformed(_))));
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
