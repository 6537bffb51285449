//! A container that a key broker provisions.
//!
//! Its first program is not the image's but `nacre-init`, which the host supplies and the configuration measures. It runs alone, as root,
//! from file systems in memory; asks the broker; mounts the image by mount(2) with the key that it was given, once; and executes the
//! image's program. So the LibOS holds no TLS, and before the broker has answered nothing of the image is looked at.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;

use enclave_config::{Broker, Config, Init, User};
use enclave_rt::untrusted::HostMemory;
use host_abi::{BootInfo, MessageKind};
use kobject::{Errno, KernelSource, Result, SpinLock};
use libos_fs::{At, Context, OpenHow, Vfs};
use linux_abi::OpenFlags;
use sector_cipher::ImageKey;
use sha2::{Digest as _, Sha256};

use crate::boot::{self, Refusal};
use crate::process::Thread;
use crate::{console, container, requests};

/// Where the program lies that asks the broker.
const PROGRAM: &[u8] = b"/nacre-init";
/// Where that program finds who vouches for the broker (X.509, DER).
const AUTHORITY: &[u8] = b"/broker.der";

/// The file system type by which [`mount_image`] is asked for.
pub(crate) const IMAGE: &[u8] = b"nacre-image";

/// How much of the program is copied at a time.
const CHUNK: usize = 64 << 10;

/// What the image is mounted from.
pub(crate) struct Awaited {
    pub(crate) config: Config,
    pub(crate) rootfs_address: u64,
    pub(crate) rootfs_len: u64,
    pub(crate) environment: Vec<Vec<u8>>,
    pub(crate) resolver: String,
}

/// `None` before the boot and once the image is mounted.
static AWAITED: SpinLock<Option<Awaited>> = SpinLock::new(None);

/// Lets the first process mount the image.
pub(crate) fn await_image(awaited: Awaited) {
    *AWAITED.lock() = Some(awaited);
}

/// The file systems before the image is mounted: the program and what it needs, in memory.
pub(crate) fn file_systems(
    config: &Config,
    broker: &Broker,
    info: &BootInfo,
) -> core::result::Result<Vfs, Refusal> {
    if info.broker.is_empty() {
        return Err(Refusal::new(
            "a key broker provisions this image: say where it is with --broker URL (in a container engine: -e NACRE_BROKER=URL)",
        ));
    }
    if info.image_key.is_some() {
        return Err(Refusal::new(
            "a key broker provisions this image, and gives it its key: run it without --image-key",
        ));
    }
    let vfs = boot::file_systems(config, None)?;
    let unwritten = |errno| Refusal::new(format!("nacre-init cannot be put into memory ({errno})"));
    write(&vfs, AUTHORITY, 0o444, |file| file.write(&broker.authority)).map_err(unwritten)?;
    let memory = HostMemory::new(info.init_address, broker.init.len)
        .ok_or_else(|| Refusal::new("the host has mapped nacre-init nowhere"))?;
    let mut is_measured = false;
    write(&vfs, PROGRAM, 0o500, |file| {
        is_measured = copy(memory, &broker.init, file)?;
        Ok(())
    })
    .map_err(unwritten)?;
    match is_measured {
        true => Ok(vfs),
        false => Err(Refusal::new("nacre-init is not the one that was measured")),
    }
}

/// An open file that is written from its beginning.
struct Output(alloc::sync::Arc<kobject::Description>);

impl Output {
    fn write(&self, bytes: &[u8]) -> Result<()> {
        match self.0.write(&mut KernelSource(bytes))? {
            count if count == bytes.len() => Ok(()),
            _ => Err(Errno::ENOSPC),
        }
    }
}

fn write(vfs: &Vfs, path: &[u8], mode: u32, fill: impl FnOnce(&Output) -> Result<()>) -> Result<()> {
    let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT;
    let how = OpenHow::open(flags.bits(), mode)?;
    fill(&Output(vfs.open(&vfs.root_context(), At::Cwd, path, how)?))
}

/// Copies the program from the host's memory; whether it is the measured one. Each byte is read once.
fn copy(memory: HostMemory, init: &Init, file: &Output) -> Result<bool> {
    let mut digest = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    let len = memory.len();
    for start in (0..len).step_by(CHUNK) {
        let count = CHUNK.min(len - start);
        let part = chunk.get_mut(..count).ok_or(Errno::EIO)?;
        memory.part(start, count).read(part);
        digest.update(&*part);
        file.write(part)?;
    }
    Ok(digest.finalize().as_slice() == init.digest)
}

/// Where the program begins, and as whom.
pub(crate) fn first_context() -> Context {
    Context {
        umask: 0o022,
        ..container::container().vfs().root_context()
    }
}

/// The program and its arguments: where the broker is, and what the image's configuration says of what is to be run.
pub(crate) fn program(
    config: &Config,
    address: &[u8],
    arguments: &[Vec<u8>],
    environment: &[Vec<u8>],
) -> Vec<Vec<u8>> {
    let option = |name: &str, value: &[u8]| [name.as_bytes().to_vec(), value.to_vec()];
    let mut program = vec![PROGRAM.to_vec()];
    program.extend(option("--broker", address));
    program.extend(option("--authority", AUTHORITY));
    program.extend(option("--user", user(&config.user).as_bytes()));
    program.extend(option("--directory", &config.cwd));
    if let Some(id) = config.rootfs.key_id {
        program.extend(option("--image-key", id.to_string().as_bytes()));
    }
    for variable in environment {
        program.extend(option("--env", variable));
    }
    program.push(b"--".to_vec());
    program.extend_from_slice(arguments);
    program
}

/// `UID:GID` and the other groups, as `:GID` each.
fn user(user: &User) -> String {
    let mut text = format!("{}:{}", user.uid, user.gid);
    for group in &user.groups {
        text += &format!(":{group}");
    }
    text
}

/// mount(2) of the image in place of what there is, by the first process, once. The process then stands at its root.
///
/// # Errors
/// EPERM for anybody else; EINVAL if the key is none, EACCES if it is another than the image's, EIO if the image is not the one that
/// was measured: the user is told. After an error the image can be mounted still.
pub(crate) fn mount_image(thread: &Thread, key: Option<&[u8]>) -> Result<()> {
    let key = key.map(ImageKey::new).transpose().map_err(|_| Errno::EINVAL)?;
    let mut awaited = AWAITED.lock();
    let image = awaited
        .take_if(|_| thread.process.pid == FIRST)
        .ok_or(Errno::EPERM)?;
    drop(awaited);
    if image
        .config
        .rootfs
        .check_key(key.as_ref().map(ImageKey::id))
        .is_err()
    {
        await_image(image);
        return Err(Errno::EACCES);
    }
    match install(&image, key.as_ref()) {
        Ok(()) => {
            let root = container::container().vfs().root().clone();
            let mut place = thread.process.place.lock();
            (place.root, place.cwd) = (root.clone(), root);
            Ok(())
        }
        Err(refusal) => {
            console::print(MessageKind::Notice, &format!("{}\n", refusal.line));
            await_image(image);
            Err(Errno::EIO)
        }
    }
}

/// The container's first process.
const FIRST: u32 = 1;

fn install(image: &Awaited, key: Option<&ImageKey>) -> core::result::Result<(), Refusal> {
    let container = container::container();
    let vfs = boot::mount(&image.config, (image.rootfs_address, image.rootfs_len), key)?;
    let name = container.hostname.lock().clone();
    boot::make_name_files(&vfs, &name, &image.resolver)?;
    container.image_vfs.get_or_make(|| vfs);
    let context = boot::first_context(&image.config)?;
    requests::allow(&image.config, &context, image.environment.clone());
    Ok(())
}
