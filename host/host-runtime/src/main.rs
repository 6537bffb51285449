//! `nacre-host`: runs one enclave. The entry point of a confidential image.

mod environment;
mod mounts;

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use enclave_config::HostEnv;
use host_runtime::{
    Broker, EncluSites, FileBytes, Options, Platform, RootfsFile, Seed, make_room_for_enclave, run, terminal,
};
use sector_cipher::{ImageKey, KEY_SIZE, KeyId};
use zeroize::Zeroizing;

const USAGE: &str = "\
Runs a Nacre enclave.

Usage: nacre-host [OPTIONS] [--] [ARGS]...

ARGS replace the image's arguments, if it allows that. Of this process's own environment, the variables that the
image lets its host set are passed on; all others are not looked at.

Options:
      --sgxs FILE                    the enclave [/nacre/enclave.sgxs]
      --sig FILE                     its signature [/nacre/enclave.sig]
      --config FILE                  its configuration [/nacre/enclave.config]
      --rootfs FILE[:OFFSET:LENGTH]  the root file system [/nacre/rootfs.img]
  -e, --env NAME=VALUE               adds to the environment, if the image allows that
      --image-key FILE               the key of an encrypted image [/run/secrets/nacre-image-key, if it is there]
      --broker URL                   the key broker that provisions the container [$NACRE_BROKER]
      --init FILE                    the program that asks it [/nacre/nacre-init]
      --hostname NAME                the container's host name
      --trace                        prints a line per system call, if the image allows debugging
      --stats                        prints counts at the end
      --trap-enclu                   does not rewrite ENCLU instructions (a test of the emulator; slow)
  -h, --help                         prints this";

/// Exit status of Nacre's own failures, as container engines have it.
const FAILED: u8 = 125;

struct Arguments {
    sgxs: PathBuf,
    sig: PathBuf,
    config: PathBuf,
    rootfs: OsString,
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    flags: host_abi::BootFlags,
    hostname: Vec<u8>,
    image_key: Option<PathBuf>,
    broker: Option<Vec<u8>>,
    init: PathBuf,
    sites: EncluSites,
}

fn main() -> ExitCode {
    let room = make_room_for_enclave().map_err(|error| error.to_string());
    let result = room.and_then(|()| parse()).and_then(|arguments| match arguments {
        Some(arguments) => start(arguments),
        None => {
            println!("{USAGE}");
            Ok(())
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nacre: {error}");
            ExitCode::from(FAILED)
        }
    }
}

/// The arguments; `None` if help was asked for.
fn parse() -> Result<Option<Arguments>, String> {
    use lexopt::prelude::*;
    let mut arguments = Arguments {
        sgxs: IN_A_CONTAINER.into(),
        sig: "/nacre/enclave.sig".into(),
        config: "/nacre/enclave.config".into(),
        rootfs: "/nacre/rootfs.img".into(),
        args: Vec::new(),
        env: Vec::new(),
        flags: host_abi::BootFlags::default(),
        hostname: Vec::new(),
        image_key: None,
        broker: std::env::var_os(BROKER).map(OsString::into_vec),
        init: "/nacre/nacre-init".into(),
        sites: EncluSites::Patched,
    };
    arguments.flags.terminal = terminal::is_interactive();
    let mut parser = lexopt::Parser::from_env();
    let hint = |error: lexopt::Error| format!("{error} (see nacre-host --help)");
    while let Some(argument) = parser.next().map_err(hint)? {
        match argument {
            Long("sgxs") => arguments.sgxs = parser.value().map_err(hint)?.into(),
            Long("sig") => arguments.sig = parser.value().map_err(hint)?.into(),
            Long("config") => arguments.config = parser.value().map_err(hint)?.into(),
            Long("rootfs") => arguments.rootfs = parser.value().map_err(hint)?,
            Short('e') | Long("env") => arguments.env.push(parser.value().map_err(hint)?.into_vec()),
            Long("hostname") => arguments.hostname = parser.value().map_err(hint)?.into_vec(),
            Long("image-key") => arguments.image_key = Some(parser.value().map_err(hint)?.into()),
            Long("broker") => arguments.broker = Some(parser.value().map_err(hint)?.into_vec()),
            Long("init") => arguments.init = parser.value().map_err(hint)?.into(),
            Long("trace") => arguments.flags.trace = true,
            Long("stats") => arguments.flags.stats = true,
            Long("trap-enclu") => arguments.sites = EncluSites::Trapped,
            Short('h') | Long("help") => return Ok(None),
            Value(first) => {
                let rest = parser.raw_args().map_err(hint)?;
                arguments.args = std::iter::once(first)
                    .chain(rest)
                    .map(OsString::into_vec)
                    .collect();
            }
            other => return Err(hint(other.unexpected())),
        }
    }
    Ok(Some(arguments))
}

/// Where the enclave is in a container.
const IN_A_CONTAINER: &str = "/nacre/enclave.sgxs";

/// Tells the user of a container that its volumes are not the enclave's.
fn say_what_is_mounted() {
    // If it cannot be read, nobody can be told.
    let mounts = mounts::of_the_user(&std::fs::read("/proc/self/mountinfo").unwrap_or_default());
    if mounts.is_empty() {
        return;
    }
    let places: Vec<_> = mounts.iter().map(|place| place.display().to_string()).collect();
    eprintln!(
        "nacre: the enclave does not see what is mounted at {}: what programs write there stays in the enclave, and is lost at its end",
        places.join(", ")
    );
}

/// Where the broker is, for users of container engines.
const BROKER: &str = "NACRE_BROKER";

/// What this process was given for the container. Who has a broker means this process by that variable.
fn variables(is_provisioned: bool) -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(move |(name, _)| !(is_provisioned && name == BROKER))
}

fn start(arguments: Arguments) -> Result<(), String> {
    if arguments.sgxs == Path::new(IN_A_CONTAINER) {
        say_what_is_mounted();
    }
    let read = |path: &PathBuf| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let map = |path: &PathBuf| {
        let file = File::open(path)?;
        FileBytes::map(&file, 0, file.metadata()?.len())
    };
    let sgxs = map(&arguments.sgxs).map_err(|error| format!("{}: {error}", arguments.sgxs.display()))?;
    let signature = read(&arguments.sig)?;
    let config = environment::configuration(&sgxs, &read(&arguments.config)?)
        .map_err(|problem| format!("{}: {problem}", arguments.config.display()))?;
    let is_provisioned = config.as_ref().is_some_and(|config| config.broker.is_some());
    let key_id = config.as_ref().and_then(|config| config.rootfs.key_id);
    let (host_env, image_env) = config.map_or_else(
        || (HostEnv::Names(Vec::new()), Vec::new()),
        |config| (config.host_env, config.env),
    );
    if arguments.sgxs == Path::new(IN_A_CONTAINER)
        && let Some(line) = environment::ignored(&host_env, &image_env, variables(is_provisioned))
    {
        eprintln!("nacre: {line}");
    }
    let mut env = environment::passed_on(&host_env, variables(is_provisioned));
    // What was asked for here takes precedence.
    env.extend(arguments.env);
    let (path, range) = split_range(&arguments.rootfs);
    let failed = |error| format!("{}: {error}", path.display());
    let file = File::open(&path).map_err(failed)?;
    let (offset, len) = match range {
        Some(range) => range,
        None => (0, file.metadata().map_err(failed)?.len()),
    };
    let broker = match arguments.broker.filter(|_| is_provisioned) {
        Some(address) => Some(Broker {
            address,
            init: read(&arguments.init)?,
        }),
        None => None,
    };
    let options = Options {
        sgxs,
        signature: &signature,
        rootfs: RootfsFile {
            file: &file,
            offset,
            len,
        },
        args: arguments.args,
        env,
        flags: arguments.flags,
        trace_file: None,
        hostname: arguments.hostname,
        // A broker gives the key of an image that it provisions.
        image_key: image_key(arguments.image_key, key_id.filter(|_| !is_provisioned))?,
        broker,
        platform: Platform::Emulator {
            seed: Seed::of_this_user().map_err(|error| error.to_string())?,
            sites: arguments.sites,
        },
        control: None,
    };
    // An engine's terminal: the one in the enclave does the work.
    let _raw = match options.flags.terminal {
        true => Some(terminal::RawMode::enter().map_err(|error| format!("standard input: {error}"))?),
        false => None,
    };
    run(options)
        .map(|never| match never {})
        .map_err(|error| error.to_string())
}

/// Where container engines put the secret of this name.
const KEY_IN_A_CONTAINER: &str = "/run/secrets/nacre-image-key";

/// The key of the image: from the file that was named, or for an encrypted image from the engine's secret, if there is one.
fn image_key(named: Option<PathBuf>, needed: Option<KeyId>) -> Result<Option<ImageKey>, String> {
    let secret = || {
        needed
            .map(|_| PathBuf::from(KEY_IN_A_CONTAINER))
            .filter(|path| path.exists())
    };
    let Some(path) = named.or_else(secret) else {
        return Ok(None);
    };
    let failed = |error| format!("cannot read {}: {error}", path.display());
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_SIZE + 1));
    // One byte more than a key has, to see that it goes on.
    let file = File::open(&path).map_err(failed)?;
    file.take(KEY_SIZE as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let key = ImageKey::new(&bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Some(key))
}

/// Splits `FILE[:OFFSET:LENGTH]`.
fn split_range(argument: &OsString) -> (PathBuf, Option<(u64, u64)>) {
    let Some(text) = argument.to_str() else {
        return (argument.into(), None);
    };
    let mut parts = text.rsplitn(3, ':');
    let (len, offset, path) = (parts.next(), parts.next(), parts.next());
    match (path, offset.map(str::parse), len.map(str::parse)) {
        (Some(path), Some(Ok(offset)), Some(Ok(len))) => (path.into(), Some((offset, len))),
        _ => (text.into(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_file_can_be_named() {
        let split = |text: &str| split_range(&text.into());
        assert_eq!(split("a:b:4096:10"), ("a:b".into(), Some((4096, 10))));
        assert_eq!(split("a.img"), ("a.img".into(), None));
        assert_eq!(split("a:b"), ("a:b".into(), None));
        assert_eq!(split("a:1:x"), ("a:1:x".into(), None));
    }
}
