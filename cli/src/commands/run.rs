//! `nacre run`: runs an image in an enclave.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use base16ct::lower;
use clap::{Args, ValueEnum};
use enclave_config::{Config, HostChoices};
use host_abi::BootFlags;
use host_runtime::control::Control;
use host_runtime::terminal::{self, RawMode};
use host_runtime::{Broker, FileBytes, Platform, RootfsFile, Seed};
use image_convert::{Conversion, Options, Package, PackageError, Part};
use oci_image::{ImageRef, ImageSource, Transport};
use sector_cipher::ImageKey;
use sgx_platform::driver;
use sha2::{Digest, Sha256};

use super::docker_options;
use crate::confidential_image;
use crate::flags::notices::Notices;
use crate::image_place::Source;
use crate::output::progress::ProgressLine;
use crate::running;
use crate::user_cache::development_key::development_key;
use crate::user_cache::{converted_images, known_programs, retention};

/// Run an image in an enclave
///
/// Options go before IMAGE; what follows IMAGE are arguments for the program. A plain image is converted first, for
/// development only: it is signed with a development key, and its host may change everything.
///
/// Ends with the program's status, or 128 + N if signal N ended it. The status is 125 if nacre refused or failed, 126 if
/// the program cannot be run, and 127 if it was not found.
#[derive(Args, Debug)]
pub struct Run {
    /// Set an environment variable, if the image allows it; NAME alone takes its value from the environment of nacre
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<OsString>,

    /// A name by which nacre exec, top and ps find the container; its process's number if none is given
    #[arg(long)]
    name: Option<String>,

    /// Accepted for the sake of docker run: of a container, nothing is left to remove
    #[arg(long)]
    rm: bool,

    /// Keep standard input open; without -t, it is open anyhow
    #[arg(short, long)]
    interactive: bool,

    /// Give the program a terminal, in the enclave; with -i, this terminal's keys go there
    #[arg(short, long)]
    tty: bool,

    /// The file with the key of an encrypted image, as nacre convert --encrypt made it
    #[arg(long, value_name = "FILE")]
    image_key: Option<PathBuf>,

    /// Where the key broker is that provisions the container, as https://HOST:PORT; for an image that was converted with --broker-ca
    #[arg(long, value_name = "URL", conflicts_with = "image_key")]
    broker: Option<String>,

    /// Where the enclave runs; auto takes SGX where this machine has it, and otherwise says that it takes the emulator
    #[arg(long, value_enum, default_value_t = PlatformChoice::Auto)]
    platform: PlatformChoice,

    /// Print a line for each system call, to standard error or to a file (debug enclaves only)
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    trace: Option<Option<PathBuf>>,

    /// Print counts of enclave exits, traps and host calls at the end (debug enclaves only)
    #[arg(long)]
    stats: bool,

    /// The image, and arguments that replace its command (Cmd), if it allows them
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_names = ["IMAGE", "ARGS"])]
    image_and_args: Vec<OsString>,
}

/// The platforms that a user can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PlatformChoice {
    /// SGX if there is the device, or else the emulator.
    Auto,
    /// SGX, or nothing.
    Sgx,
    /// The emulator, which protects nothing.
    Emulator,
}

impl PlatformChoice {
    fn platform(self) -> Result<Platform> {
        let has_sgx = driver::is_present();
        if self == Self::Auto && has_sgx {
            // Never in silence: it is another platform than the machine offers.
            eprintln!(
                "nacre: this machine has SGX, which nacre does not support yet: the enclave is emulated"
            );
        }
        Ok(match self {
            Self::Sgx => Platform::Driver,
            Self::Auto | Self::Emulator => Platform::emulator(Seed::of_this_user()?),
        })
    }
}

impl Run {
    /// Ends as the container ends; returns only if it cannot start.
    pub fn run(self) -> Result<Infallible> {
        host_runtime::make_room_for_enclave().context("cannot make room for the enclave")?;
        let mut words = self.image_and_args.into_iter();
        let image = words.next().context("name an image (see nacre run --help)")?;
        let image = image.to_str().context("the image's name is not UTF-8")?;
        // clap takes what it does not know for the image, as its arguments may look like options.
        if image.len() > 1 && image.starts_with('-') {
            bail!(unknown_option(image));
        }
        let image = Source::parse(image)?;
        let place = image.fetch(Notices::default())?;
        let args: Vec<_> = words.map(OsString::into_vec).collect();
        let env: Vec<_> = self.env.into_iter().filter_map(variable).collect();
        let flags = BootFlags {
            trace: self.trace.is_some(),
            stats: self.stats,
            terminal: self.tty,
        };
        if self.tty && self.interactive && !terminal::input_is_terminal() {
            bail!("the input device is not a TTY: leave out -t");
        }

        let package = confidential(&place)?;
        let config = Config::decode(&package.read(Part::Config)?)
            .with_context(|| format!("{image}: /{} cannot be used", Part::Config.path()))?;
        let choices = HostChoices {
            args: &args,
            env: &env,
            debugging: flags.trace || flags.stats,
        };
        // The enclave decides for itself: this copy of the configuration is the host's. The user hears of it earlier.
        if let Err(refused) = config.check_host_choices(&choices) {
            bail!("{image}: {refused}");
        }
        let image_key = self
            .image_key
            .as_deref()
            .map(image_key::load_private)
            .transpose()?;
        let broker = match (&config.broker, self.broker) {
            (None, None) => None,
            (Some(_), Some(url)) => Some(Broker {
                address: url.into_bytes(),
                init: package.read(Part::Init)?,
            }),
            (Some(_), None) => {
                bail!("{image}: a key broker provisions this image: say where it is with --broker URL")
            }
            (None, Some(_)) => bail!(
                "{image}: no key broker provisions this image: convert it with --broker-ca FILE, or leave --broker out"
            ),
        };
        if broker.is_none()
            && let Err(wrong) = config.rootfs.check_key(image_key.as_ref().map(ImageKey::id))
        {
            bail!("{image}: {wrong}");
        }
        let trace_file = match self.trace.flatten() {
            Some(path) => {
                let file = File::create(&path);
                Some(file.with_context(|| format!("cannot write the trace to {}", path.display()))?)
            }
            None => None,
        };
        let rootfs = package.rootfs();
        let enclave = package
            .locate(Part::Enclave)
            .context("the image has no enclave")?;
        let sgxs = FileBytes::map(&enclave.open, enclave.offset, enclave.len)
            .with_context(|| format!("{image}: cannot read /{}", Part::Enclave.path()))?;
        let options = host_runtime::Options {
            sgxs,
            signature: &package.read(Part::Signature)?,
            rootfs: RootfsFile {
                file: &rootfs.open,
                offset: rootfs.offset,
                len: rootfs.len,
            },
            args,
            env,
            flags,
            trace_file,
            hostname: Vec::new(),
            image_key,
            broker,
            platform: self.platform.platform()?,
            control: reachable(self.name.as_deref(), &image, config.debug)?,
        };
        let _raw = self.tty.then(|| attach(self.interactive)).transpose()?;
        host_runtime::run(options).with_context(|| format!("cannot run {image}"))
    }
}

/// What is said of an option that `nacre run` does not have.
fn unknown_option(option: &str) -> String {
    match docker_options::remedy(option) {
        Some(remedy) => format!("nacre run has no option {option}: {remedy}"),
        None => format!("nacre run has no option {option} (see nacre run --help)"),
    }
}

/// Lets other commands reach the container. Without a place for that it runs all the same, unless it was given a name.
fn reachable(name: Option<&str>, image: &Source, debug: bool) -> Result<Option<Control>> {
    let description = format!(
        "{}\t{}\t{image}",
        std::process::id(),
        if debug { "yes" } else { "no" }
    );
    let refusal = "the enclave refuses: its image was converted without --debug, so its host can neither run programs in it nor see its processes";
    let refusal = (!debug).then(|| refusal.to_owned());
    match running::listen(name, &description, refusal) {
        Err(error) if name.is_none() => {
            eprintln!("nacre: {error:#}: other commands do not find this container");
            Ok(None)
        }
        listens => listens.map(Some),
    }
}

/// Prepares this terminal for one in the enclave.
fn attach(interactive: bool) -> Result<RawMode> {
    if !interactive {
        terminal::close_input().context("cannot open /dev/null")?;
    }
    RawMode::enter().context("cannot put the terminal into raw mode")
}

/// `NAME=VALUE` as it is; `NAME` with its value in nacre's environment, or nothing if it has none, as with Docker.
pub(super) fn variable(given: OsString) -> Option<Vec<u8>> {
    let bytes = given.clone().into_vec();
    if bytes.contains(&b'=') {
        return Some(bytes);
    }
    let value = std::env::var_os(&given)?.into_vec();
    Some([bytes, b"=".to_vec(), value].concat())
}

/// The confidential image at this place, or one made of the plain image there.
fn confidential(place: &ImageRef) -> Result<Package> {
    let source = ImageSource::open(place)?;
    match confidential_image::find(&source) {
        Err(PackageError::Plain(_)) => development(&source),
        found => {
            let package = found?;
            say(&package);
            Ok(package)
        }
    }
}

/// Tells the user how the image is read, and what in it is not in the enclave.
fn say(package: &Package) {
    if let Some(name) = package.rootfs().compression.name() {
        eprintln!("nacre: the image's layer is compressed ({name}): it runs from an unpacked copy");
    }
    for remark in confidential_image::remarks(package.outside()) {
        eprintln!("nacre: {remark}");
    }
}

/// The plain image, converted into the cache. Its name there is a hash of everything that the result depends on, and
/// appears when the file is complete. Two runs that convert at once write the same bytes.
fn development(source: &ImageSource) -> Result<Package> {
    let options = Options::development();
    let mut name = Sha256::new();
    for part in [
        env!("CARGO_PKG_VERSION"),
        enclave_payload::DIGEST,
        &source.config_digest().hex(),
        &format!("{options:?}"),
    ] {
        name.update((part.len() as u64).to_le_bytes());
        name.update(part);
    }
    let name = lower::encode_string(&name.finalize());
    // Without a place in the cache, it is gone when the container ends.
    let mut temporary = None;
    let dir = match converted_images::dir() {
        Ok(dir) => dir,
        Err(error) => {
            eprintln!("nacre: {error:#}: the converted image is not kept");
            let dir = tempfile::tempdir().context("cannot make a temporary directory (set TMPDIR)")?;
            temporary.insert(dir).path().to_owned()
        }
    };
    let target = ImageRef {
        transport: Transport::OciArchive,
        path: dir.join(format!("{name}.tar")),
        reference: None,
    };
    eprintln!(
        "nacre: {} is a plain image: it runs converted for development, and its host may change everything",
        source.place()
    );
    if !target.path.exists() {
        let key = development_key()?;
        let cache = known_programs::cache();
        let conversion = Conversion {
            source,
            target: &target,
            options: &options,
            key: &key,
            image_key: None,
            attest: None,
            max_size: None,
            cache: cache.as_ref(),
            libos: enclave_payload::ENCLAVE,
            host_runtime: enclave_payload::HOST_RUNTIME,
            init: enclave_payload::INIT,
        };
        conversion.run(&mut ProgressLine::new())?;
        retention::remove_old(&dir);
    } else {
        retention::note_use(&target.path);
    }
    Ok(Package::open(&target)?)
}
