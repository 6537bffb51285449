//! A guest program: one C file, built in one or more ways, that tells in its opening comment how to run it.
//!
//! ```c
//! // What it tests.
//! // linkage: dynamic static musl
//! // flags: -fwhatever
//! // args: one two
//! // env: NAME=value
//! // stdin: text, with \n for a new line
//! // status: 3
//! // loopback: inside
//! ```
//!
//! The status is 0 unless it says otherwise, and 128 plus the signal's number when one kills it. Lines may be left out.

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::archive::{self, Config, Entry};
use crate::guests_dir;

/// How a program is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linkage {
    /// glibc, position independent, dynamic: what a distribution ships.
    Dynamic,
    /// glibc in the program.
    Static,
    /// glibc, dynamic, at the fixed address 0x400000.
    NoPie,
    /// musl, dynamic.
    Musl,
    /// musl in the program.
    MuslStatic,
}

/// The interpreter of programs that link glibc.
const GLIBC: &str = "/lib64/ld-linux-x86-64.so.2";

impl Linkage {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "dynamic" => Self::Dynamic,
            "static" => Self::Static,
            "no-pie" => Self::NoPie,
            "musl" => Self::Musl,
            "musl-static" => Self::MuslStatic,
            _ => return None,
        })
    }

    fn compiler(self) -> (&'static str, &'static [&'static str]) {
        // musl has no kernel headers of its own.
        const KERNEL_HEADERS: &str = "-idirafter/usr/include";
        const ARCH_HEADERS: &str = "-idirafter/usr/include/x86_64-linux-gnu";
        match self {
            Self::Dynamic => ("gcc", &["-fPIE", "-pie"]),
            Self::Static => ("gcc", &["-static"]),
            Self::NoPie => ("gcc", &["-no-pie"]),
            Self::Musl => ("musl-gcc", &[KERNEL_HEADERS, ARCH_HEADERS]),
            Self::MuslStatic => ("musl-gcc", &["-static", KERNEL_HEADERS, ARCH_HEADERS]),
        }
    }

    fn interpreter(self) -> Option<&'static str> {
        match self {
            Self::Dynamic | Self::NoPie => Some(GLIBC),
            Self::Musl => Some("/lib/ld-musl-x86_64.so.1"),
            Self::Static | Self::MuslStatic => None,
        }
    }

    /// The interpreter and the libraries of a program, as files for an image: what the interpreter itself lists.
    ///
    /// # Errors
    /// When one is not here.
    pub fn libraries(self, program: &Path) -> Result<Vec<Entry<'static>>> {
        let Some(interpreter) = self.interpreter() else {
            return Ok(Vec::new());
        };
        let mut libraries = vec![interpreter.to_owned()];
        if interpreter == GLIBC {
            // Not linked: glibc loads it when a thread is cancelled or exits.
            libraries.push("/lib/x86_64-linux-gnu/libgcc_s.so.1".to_owned());
        }
        let output = Command::new(interpreter).arg("--list").arg(program).output()?;
        for line in String::from_utf8(output.stdout)?.lines() {
            // "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)"
            let Some((name, rest)) = line.trim().split_once(" => ") else {
                continue;
            };
            match rest.split(" (").next() {
                Some(path) if path == interpreter => {}
                Some(path) if path.starts_with('/') => libraries.push(path.to_owned()),
                _ => bail!("{} needs {name}, which is not here", program.display()),
            }
        }
        let entries = libraries.into_iter().map(|library| {
            let bytes = fs::read(&library).with_context(|| library.clone())?;
            Ok(Entry::file(library.trim_start_matches('/'), 0o755, bytes))
        });
        entries.collect()
    }
}

impl fmt::Display for Linkage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dynamic => "dynamic",
            Self::Static => "static",
            Self::NoPie => "no-pie",
            Self::Musl => "musl",
            Self::MuslStatic => "musl-static",
        })
    }
}

/// Whose the loopback addresses are in the enclave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loopback {
    /// The host's: as `nacre run` has it for a plain image.
    OfHost,
    /// The container's own: as `nacre convert` has it.
    Inside,
}

impl Loopback {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "host" => Some(Self::OfHost),
            "inside" => Some(Self::Inside),
            _ => None,
        }
    }
}

/// One guest program, linked in one way.
#[derive(Clone, Debug)]
pub struct Guest {
    /// The name of its file, without `.c`.
    pub name: String,
    /// How it is linked.
    pub linkage: Linkage,
    /// What the compiler is told besides.
    pub flags: Vec<String>,
    /// Arguments behind the program's name.
    pub args: Vec<String>,
    /// Its whole environment, as `NAME=value`.
    pub env: Vec<String>,
    /// What it reads from standard input.
    pub stdin: Vec<u8>,
    /// Whether its loopback addresses are the container's own; otherwise they are the host's.
    pub loopback: Loopback,
    /// How it ends: see [`Outcome::status`](crate::Outcome).
    pub status: i32,
    source: PathBuf,
}

impl Guest {
    /// All guests in all their linkages, by name.
    ///
    /// # Errors
    /// When a source cannot be read, or its opening comment is wrong.
    pub fn all() -> Result<Vec<Self>> {
        let dir = guests_dir();
        let mut sources: Vec<PathBuf> = fs::read_dir(&dir)
            .with_context(|| format!("no guests in {}", dir.display()))?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        sources.retain(|path| path.extension().is_some_and(|ext| ext == "c"));
        sources.sort();
        let mut guests = Vec::new();
        for source in sources {
            guests.extend(Self::parse(&source).with_context(|| source.display().to_string())?);
        }
        Ok(guests)
    }

    fn parse(source: &Path) -> Result<Vec<Self>> {
        let name = source
            .file_stem()
            .and_then(|stem| stem.to_str())
            .context("not a name")?;
        let mut linkages = vec![Linkage::Dynamic];
        let mut loopbacks = vec![Loopback::OfHost];
        let mut guest = Self {
            name: name.to_owned(),
            linkage: Linkage::Dynamic,
            flags: Vec::new(),
            args: Vec::new(),
            // HOME is what a container runtime adds where the image names none.
            env: ["PATH=/usr/bin:/bin", "HOME=/root"].map(str::to_owned).to_vec(),
            stdin: Vec::new(),
            loopback: Loopback::OfHost,
            status: 0,
            source: source.to_owned(),
        };
        for line in fs::read_to_string(source)?
            .lines()
            .map_while(|line| line.strip_prefix("// "))
        {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            match line.split_once(": ") {
                Some(("linkage", text)) => {
                    linkages = text
                        .split_whitespace()
                        .map(|word| {
                            Linkage::parse(word).with_context(|| format!("no linkage is called {word}"))
                        })
                        .collect::<Result<_>>()?;
                }
                Some(("flags", text)) => guest.flags = words(text),
                Some(("args", text)) => guest.args = words(text),
                Some(("env", text)) => guest.env.extend(words(text)),
                Some(("stdin", text)) => guest.stdin = text.replace("\\n", "\n").into_bytes(),
                Some(("loopback", text)) => {
                    loopbacks = text
                        .split_whitespace()
                        .map(|word| {
                            Loopback::parse(word)
                                .with_context(|| format!("loopback addresses are not called {word}"))
                        })
                        .collect::<Result<_>>()?;
                }
                Some(("status", text)) => guest.status = text.parse().context("a status is a number")?,
                _ => {}
            }
        }
        // std::process::Command hands the environment over in this order.
        guest.env.sort();
        let both = |&loopback: &Loopback| linkages.iter().map(move |&linkage| (linkage, loopback));
        Ok(loopbacks
            .iter()
            .flat_map(both)
            .map(|(linkage, loopback)| Self {
                linkage,
                loopback,
                ..guest.clone()
            })
            .collect())
    }

    /// Builds the program below `cache`, unless the same source was built before.
    ///
    /// # Errors
    /// With the compiler's own words, when it refuses.
    pub fn build(&self, cache: &Path) -> Result<PathBuf> {
        let (compiler, flags) = self.linkage.compiler();
        let flags: Vec<&str> = [
            "-std=gnu17",
            "-O2",
            "-g",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pthread",
        ]
        .into_iter()
        .chain(flags.iter().copied())
        .chain(self.flags.iter().map(String::as_str))
        .collect();
        let mut hash = Sha256::new();
        hash.update(fs::read(&self.source)?);
        for header in ["check.h", "terminal.h"] {
            hash.update(fs::read(guests_dir().join(header))?);
        }
        hash.update(format!("{compiler} {flags:?}"));
        let dir = cache.join(format!(
            "{}-{}-{}",
            self.name,
            self.linkage,
            archive::hex(&hash.finalize()[..8])
        ));
        let program = dir.join("guest");
        if program.is_file() {
            return Ok(program);
        }
        fs::create_dir_all(&dir)?;
        // Tests of the same guest build at the same time: the last rename wins, both are the same.
        let scratch = tempfile::tempdir_in(&dir)?;
        let built = scratch.path().join("guest");
        let output = Command::new(compiler)
            .args(flags)
            .arg("-o")
            .arg(&built)
            .arg(&self.source)
            .output()
            .with_context(|| format!("cannot run {compiler}; install the packages gcc and musl-tools"))?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        fs::rename(&built, &program)?;
        Ok(program)
    }

    /// Makes a `docker-archive` which holds `program`, its interpreter and its libraries, and returns its path.
    ///
    /// # Errors
    /// When a library is missing or the archive cannot be written.
    pub fn image(&self, program: &Path) -> Result<PathBuf> {
        let path = program.with_extension("tar");
        let config = Config {
            entrypoint: vec!["/guest".to_owned()],
            cmd: self.args.clone(),
            env: self.env.clone(),
            working_dir: "/scratch".to_owned(),
            ..Config::default()
        };
        let layer = archive::layer(self.entries(program)?)?;
        let mut file = tempfile::NamedTempFile::new_in(path.parent().context("no folder")?)?;
        archive::write(
            file.as_file_mut(),
            &format!("guest-{}:latest", self.name),
            &config,
            &layer,
        )?;
        file.flush()?;
        file.persist(&path)?;
        Ok(path)
    }

    /// `program` as `/guest`, with its interpreter and its libraries, and where it may write.
    pub(crate) fn entries(&self, program: &Path) -> Result<Vec<Entry<'static>>> {
        let mut entries = vec![
            Entry::directory("scratch", 0o777),
            Entry::directory("tmp", 0o1777),
            Entry::file("etc/passwd", 0o644, &b"root:x:0:0:root:/root:/bin/sh\n"[..]),
            Entry::file("guest", 0o755, fs::read(program)?),
        ];
        entries.extend(self.linkage.libraries(program)?);
        Ok(entries)
    }
}

/// `name::linkage`, as a test is called; `name::linkage::inside` if its loopback addresses are the container's own.
impl fmt::Display for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.name, self.linkage)?;
        match self.loopback {
            Loopback::OfHost => Ok(()),
            Loopback::Inside => f.write_str("::inside"),
        }
    }
}
