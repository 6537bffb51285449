//! The same program on both sides: natively, and in the enclave.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use harness::archive::{self, Config, Entry};
use harness::images::{provide, recipe, unpack};
use tempfile::TempDir;

use crate::shell;

/// Where a program runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Native,
    Enclave,
}

impl Side {
    /// Natively first; callers alternate.
    pub const BOTH: [Self; 2] = [Self::Native, Self::Enclave];
}

/// What all measurements share.
pub struct Bench {
    pub nacre: PathBuf,
    pub is_quick: bool,
    scratch: TempDir,
}

/// An image on both sides.
pub struct Image {
    /// As a `docker-archive`.
    pub plain: PathBuf,
    /// As `nacre run` takes it.
    converted: String,
    /// Where its files lie natively.
    pub root: PathBuf,
    /// How its program starts natively, and with which environment.
    native: Vec<OsString>,
    native_env: Option<(&'static str, PathBuf)>,
    /// The key's file, if the converted image is encrypted.
    image_key: Option<PathBuf>,
}

impl Bench {
    /// With the nacre at this path.
    ///
    /// # Errors
    /// When there is no place to write, or no key can be made.
    pub fn new(nacre: PathBuf, is_quick: bool) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("nacre-bench-").tempdir()?;
        let bench = Self {
            nacre,
            is_quick,
            scratch,
        };
        shell::output(Command::new(&bench.nacre).arg("keygen").arg(bench.key()))?;
        Ok(bench)
    }

    /// So many rounds; one when it only has to work.
    pub fn rounds(&self, count: usize) -> usize {
        if self.is_quick { 1 } else { count }
    }

    /// So many requests, bytes or the like; a hundredth when it only has to work.
    pub fn amount(&self, count: u64) -> u64 {
        if self.is_quick { count / 100 } else { count }
    }

    /// Somewhere to write.
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// An image of Debian packages, whose program is at `program`; natively the same files run, by their own
    /// interpreter and with their own libraries.
    ///
    /// # Errors
    /// When it cannot be built, unpacked or converted.
    pub fn packages(&self, name: &str, program: &str) -> Result<Image> {
        let plain = provide(&recipe(name)?)?;
        let root = self.scratch().join(name);
        unpack(&plain, &root).with_context(|| plain.display().to_string())?;
        let libraries = root.join("usr/lib/x86_64-linux-gnu");
        let native = [
            libraries.join("ld-linux-x86-64.so.2").into(),
            "--library-path".into(),
            libraries.into(),
            root.join(program).into(),
        ];
        // Python finds its modules by where it lies, which it does not know when the interpreter starts it.
        let native_env = (name == "python").then(|| ("PYTHONHOME", root.join("usr")));
        let converted = self.convert(&plain, name)?;
        Ok(Image {
            plain,
            converted,
            root,
            native: native.into(),
            native_env,
            image_key: None,
        })
    }

    /// An image of C programs from `bench/guests`, each at the root, and of a file of `len` bytes that no one can
    /// compress, at usr/share/bench/data.
    ///
    /// # Errors
    /// When it cannot be built or converted.
    pub fn guests(&self, name: &str, programs: &[&str], len: u64) -> Result<Image> {
        const LIBRARIES: [&str; 2] = ["lib64/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/libc.so.6"];
        let root = self.scratch().join(name);
        let data = root.join("usr/share/bench/data");
        fs::create_dir_all(data.parent().context("no parent")?)?;
        let noise = noise(len);
        fs::write(&data, &noise)?;
        let mut entries = vec![
            Entry::directory("tmp", 0o1777),
            Entry::file("usr/share/bench/data", 0o644, &noise),
        ];
        for library in LIBRARIES {
            let bytes = fs::read(Path::new("/").join(library)).with_context(|| library.to_owned())?;
            entries.push(Entry::file(library, 0o755, bytes));
        }
        for program in programs {
            let built = root.join(program);
            let source = shell::workspace()
                .join("bench/guests")
                .join(program)
                .with_extension("c");
            let mut compiler = Command::new("gcc");
            compiler.args(["-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]);
            shell::run(compiler.arg(&built).arg(source))?;
            entries.push(Entry::file(program, 0o755, fs::read(&built)?));
        }
        let plain = root.with_extension("docker.tar");
        let config = Config {
            cmd: vec![format!("/{}", programs.first().context("no program")?)],
            working_dir: "/".to_owned(),
            ..Config::default()
        };
        archive::write(File::create(&plain)?, name, &config, &archive::layer(entries)?)?;
        let converted = self.convert(&plain, name)?;
        Ok(Image {
            plain,
            converted,
            root,
            native: Vec::new(),
            native_env: None,
            image_key: None,
        })
    }

    /// The same image, converted again, encrypted.
    ///
    /// # Errors
    /// When it cannot be converted.
    pub fn encrypted(&self, image: Image, name: &str) -> Result<Image> {
        let target = self.scratch().join(format!("{name}.encrypted.tar"));
        let (mut command, converted) = self.conversion(&image.plain, &target);
        shell::output(command.args(["--encrypt", "--image-key"]).arg(self.image_key()))?;
        Ok(Image {
            converted,
            image_key: Some(self.image_key()),
            ..image
        })
    }

    /// Where the key of encrypted images is.
    pub fn image_key(&self) -> PathBuf {
        self.scratch().join("image.key")
    }

    /// The command that converts `plain` to `target`.
    pub fn conversion(&self, plain: &Path, target: &Path) -> (Command, String) {
        let image = format!("oci-archive:{}", target.display());
        let mut command = Command::new(&self.nacre);
        command
            .args(["convert", "--debug", "--allow-args", "--key"])
            .arg(self.key())
            .arg(format!("docker-archive:{}", plain.display()))
            .arg(&image);
        (command, image)
    }

    fn convert(&self, plain: &Path, name: &str) -> Result<String> {
        let (mut command, image) = self.conversion(plain, &self.scratch().join(format!("{name}.nacre.tar")));
        shell::output(&mut command)?;
        Ok(image)
    }

    fn key(&self) -> PathBuf {
        self.scratch().join("key.pem")
    }
}

impl Image {
    /// The command that runs the image's program on this side; arguments come next.
    pub fn command(&self, bench: &Bench, side: Side) -> Command {
        match side {
            Side::Native => {
                let mut words = self.native.iter();
                let mut command = Command::new(words.next().map_or("false".as_ref(), OsString::as_os_str));
                command.args(words);
                command.envs(self.native_env.iter().map(|(name, value)| (name, value)));
                command
            }
            Side::Enclave => self.enclave(bench, &[]),
        }
    }

    /// `nacre run` with these options; arguments of the program come next.
    pub fn enclave(&self, bench: &Bench, options: &[&str]) -> Command {
        let mut command = Command::new(&bench.nacre);
        command.arg("run").args(options);
        if let Some(key) = &self.image_key {
            command.arg("--image-key").arg(key);
        }
        command.arg(&self.converted);
        command
    }

    /// The command that runs one of several programs at the root; arguments come next.
    pub fn program(&self, bench: &Bench, side: Side, program: &str) -> Command {
        match side {
            Side::Native => Command::new(self.root.join(program)),
            Side::Enclave => {
                let mut command = self.enclave(bench, &[]);
                command.arg(format!("/{program}"));
                command
            }
        }
    }
}

/// Bytes without a pattern, the same each time (the generator is SplitMix64).
fn noise(len: u64) -> Vec<u8> {
    let mut state = 0u64;
    let words = (0..len / 8).flat_map(|_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    });
    words.collect()
}
