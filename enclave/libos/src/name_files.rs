//! The files by which programs look names up without a server: /etc/hosts and /etc/hostname, made where the image has none.
//!
//! Container engines mount theirs over the image's, which is why most images have none, or empty ones. Here they come from the enclave:
//! who `localhost` is must not be the host's choice. A file that the image does fill is left alone.

use alloc::format;
use alloc::string::String;

use kobject::{Errno, KernelSource, Result};
use libos_fs::{At, Context, OpenHow, Vfs};
use linux_abi::{AtFlags, OpenFlags};

/// Makes what is missing or empty, for a container of this name.
///
/// # Errors
/// As opening and writing files; what was made stays.
pub(crate) fn make(vfs: &Vfs, root: &Context, name: &[u8]) -> Result<()> {
    match vfs.make_directory(root, At::Cwd, b"/etc", 0o755) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno),
    }
    let shown = name.escape_ascii();
    let mut hosts = String::from("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    if !name.is_empty() {
        hosts += &format!("127.0.0.1\t{shown}\n");
        fill(vfs, root, b"/etc/hostname", format!("{shown}\n").as_bytes())?;
    }
    fill(vfs, root, b"/etc/hosts", hosts.as_bytes())
}

/// Gives a file these contents, unless it has some. What is no regular file is left alone.
fn fill(vfs: &Vfs, root: &Context, path: &[u8], contents: &[u8]) -> Result<()> {
    match vfs.stat(root, At::Cwd, path, AtFlags::empty()) {
        Ok(stat) if stat.size > 0 || stat.kind != kobject::FileKind::Regular => return Ok(()),
        Ok(_) | Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno),
    }
    let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT;
    let file = vfs.open(root, At::Cwd, path, OpenHow::open(flags.bits(), 0o644)?)?;
    file.write(&mut KernelSource(contents)).map(drop)
}
