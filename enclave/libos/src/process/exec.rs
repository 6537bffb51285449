//! The program of a process: from a path with arguments and environment to the state that its first thread begins with (execve(2)).
//!
//! [`load`] fills an address space and changes nothing else, so that it may fail; [`take_over`] makes the process what was loaded.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefCell;

use enclave_rt::frame::TrapFrame;
use kobject::credentials::AccessMode;
use kobject::{Description, Errno};
use libos_fs::{At, Context, OpenHow};
use libos_mm::AddressSpace;
use linux_abi::AtFlags;

use super::Thread;
use crate::loader::{self, Loaded};

/// What a process is to run.
pub(crate) struct Request {
    pub(crate) path: Vec<u8>,
    pub(crate) arguments: Vec<Vec<u8>>,
    pub(crate) environment: Vec<Vec<u8>>,
}

/// Why a program could not be loaded.
pub(crate) struct Failure {
    /// The file that failed: the program, or an interpreter that it needs.
    pub(crate) file: Vec<u8>,
    pub(crate) errno: Errno,
}

/// Loads a program into an empty address space, with the permissions and the credentials of `context`.
pub(crate) fn load(space: &AddressSpace, context: &Context, request: Request) -> Result<Loaded, Failure> {
    // What was opened last is what failed.
    let opened = RefCell::new(request.path.clone());
    let open = |path: &[u8]| {
        opened.replace(path.to_vec());
        open(context, path)
    };
    let credentials = &context.credentials;
    let request = loader::Request {
        path: &request.path,
        arguments: request.arguments,
        environment: request.environment,
        identities: [
            credentials.uid[0],
            credentials.uid[1],
            credentials.gid[0],
            credentials.gid[1],
        ],
    };
    loader::load(space, &open, request).map_err(|errno| Failure {
        file: opened.borrow().clone(),
        errno,
    })
}

/// Opens a file that `context` may execute.
pub(crate) fn open(context: &Context, path: &[u8]) -> kobject::Result<Arc<Description>> {
    let vfs = &crate::container().vfs;
    let (mode, flags) = (AccessMode::EXECUTE, AtFlags::empty());
    vfs.access(context, At::Cwd, path, mode, flags, &context.credentials)?;
    vfs.open(context, At::Cwd, path, OpenHow::open(0, 0)?)
}

/// Makes the process of `thread` the program that was loaded from `path`; gives the state that `thread` begins with.
pub(crate) fn take_over(thread: &Thread, path: &[u8], loaded: Loaded) -> TrapFrame {
    *thread.process.image.lock() = loaded.image;
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    thread.set_name(name);
    loaded.start
}
