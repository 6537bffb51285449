//! Linux is the oracle: random calls, made on the overlay over an image and on a tmpfs with the same files, have the same results.
//!
//! Needs root (for `chroot` and the identities of files) and a tmpfs at /dev/shm; says so if it has not. Where this machine protects files
//! in sticky directories more than Linux does by itself (fs.protected_regular and the like), no directory is sticky.

mod common;

use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;

use common::{Container, Kind, Tree, list_all};
use fs::{At, AtFlags, Context, NewNode, OpenHow, Owner, RenameFlags, SetTime, XattrFlags};
use kobject::credentials::AccessMode;
use kobject::{Errno, KernelSink, KernelSource, Stat, Timestamp};
use proptest::prelude::*;

const USER: u32 = 1000;

/// What a call gave: its result as text, or the number of its error.
type Outcome = Result<String, i32>;

#[derive(Clone, Debug)]
enum Call {
    Open {
        path: String,
        flags: i32,
        mode: u32,
        then: Vec<FileCall>,
    },
    MakeDirectory {
        path: String,
        mode: u32,
    },
    MakeNode {
        path: String,
        kind: u32,
    },
    Unlink(String),
    RemoveDirectory(String),
    Rename {
        old: String,
        new: String,
        flags: u32,
    },
    Link {
        old: String,
        new: String,
        flags: i32,
    },
    Symlink {
        target: String,
        path: String,
    },
    ReadLink(String),
    ChangeMode {
        path: String,
        mode: u32,
    },
    ChangeOwner {
        path: String,
        uid: Option<u32>,
        gid: Option<u32>,
        flags: i32,
    },
    Truncate {
        path: String,
        len: i64,
    },
    Stat {
        path: String,
        flags: i32,
    },
    Access {
        path: String,
        mode: u32,
        flags: i32,
    },
    List(String),
    SetXattr {
        path: String,
        name: String,
        value: String,
        flags: i32,
    },
    GetXattr {
        path: String,
        name: String,
    },
    ListXattr(String),
    RemoveXattr {
        path: String,
        name: String,
    },
    ChangeDirectory(String),
    OpenWithin {
        directory: String,
        path: String,
        flags: i32,
        mode: u32,
        resolve: u64,
    },
    SetTimes {
        path: String,
        times: [i64; 2],
        flags: i32,
    },
}

#[derive(Clone, Debug)]
enum FileCall {
    Write { offset: u16, len: u16, byte: u8 },
    Read { offset: u16, len: u16 },
    WriteOn { len: u16, byte: u8 },
    Truncate(u16),
    Punch { offset: u16, len: u16 },
    SeekData(u16),
    SeekHole(u16),
    Stat,
}

/// Somewhere calls are made.
trait World {
    fn call(&mut self, user: bool, call: &Call) -> Outcome;
    /// All that is there, as text.
    fn survey(&mut self) -> Vec<String>;
}

/// What a file is, as far as both must agree.
fn describe(mode: u32, links: u64, uid: u32, gid: u32, size: u64) -> String {
    let size = if mode & libc::S_IFMT == libc::S_IFDIR {
        0
    } else {
        size
    };
    format!("{mode:o} links {links} owner {uid}:{gid} size {size}")
}

fn bytes_text(bytes: &[u8]) -> String {
    // Runs, so that a difference can be read.
    let mut runs: Vec<(u8, usize)> = Vec::new();
    for &byte in bytes {
        match runs.last_mut() {
            Some((last, count)) if *last == byte => *count += 1,
            _ => runs.push((byte, 1)),
        }
    }
    format!("{runs:?}")
}

// ---------------------------------------------------------------------------------------------------------------------------------
// The overlay

struct Overlay {
    container: Container,
    root: Context,
    user: Context,
}

impl Overlay {
    fn new(tree: &Tree) -> Self {
        let container = Container::new(tree);
        let (root, user) = (container.context.clone(), container.as_user(USER, USER));
        Self {
            container,
            root,
            user,
        }
    }

    fn make(&mut self, user: bool, call: &Call) -> Result<String, Errno> {
        let context = if user {
            self.user.clone()
        } else {
            self.root.clone()
        };
        let (vfs, cx) = (&self.container.vfs, &context);
        let done = |()| String::new();
        let at = |flags: i32| {
            let flag = |bit: i32, ours| if flags & bit != 0 { ours } else { AtFlags::empty() };
            flag(libc::AT_SYMLINK_NOFOLLOW, AtFlags::SYMLINK_NOFOLLOW)
                | flag(libc::AT_SYMLINK_FOLLOW, AtFlags::SYMLINK_FOLLOW)
        };
        match call {
            Call::Open {
                path,
                flags,
                mode,
                then,
            } => {
                let how = OpenHow::open(*flags as u32, *mode)?;
                let file = vfs.open(cx, At::Cwd, path.as_bytes(), how)?;
                let mut text = String::new();
                for call in then {
                    let outcome = file_call(&file, call);
                    let writes = !matches!(
                        call,
                        FileCall::Read { .. }
                            | FileCall::SeekData(_)
                            | FileCall::SeekHole(_)
                            | FileCall::Stat
                    );
                    if writes && outcome.as_ref().is_ok_and(|text| text != "0") {
                        fs::written_by(&file, &cx.credentials);
                    }
                    text += &format!(
                        "{call:?} = {:?}\n",
                        outcome.map_err(|error| i32::from(error.raw()))
                    );
                }
                Ok(text)
            }
            Call::MakeDirectory { path, mode } => {
                vfs.make_directory(cx, At::Cwd, path.as_bytes(), *mode).map(done)
            }
            Call::MakeNode { path, kind } => {
                let node = NewNode::of_mode(*kind, 0)?;
                vfs.make_node(cx, At::Cwd, path.as_bytes(), node, 0o666).map(done)
            }
            Call::Unlink(path) => vfs.unlink(cx, At::Cwd, path.as_bytes()).map(done),
            Call::RemoveDirectory(path) => vfs.remove_directory(cx, At::Cwd, path.as_bytes()).map(done),
            Call::Rename { old, new, flags } => {
                let flags = RenameFlags::from_bits(*flags).ok_or(Errno::EINVAL)?;
                let (old, new) = ((At::Cwd, old.as_bytes()), (At::Cwd, new.as_bytes()));
                vfs.rename(cx, old, new, flags).map(done)
            }
            Call::Link { old, new, flags } => {
                let (old, new) = ((At::Cwd, old.as_bytes()), (At::Cwd, new.as_bytes()));
                vfs.link(cx, old, new, at(*flags)).map(done)
            }
            Call::Symlink { target, path } => vfs
                .make_symlink(cx, target.as_bytes(), At::Cwd, path.as_bytes())
                .map(done),
            Call::ReadLink(path) => {
                let target = vfs.read_link(cx, At::Cwd, path.as_bytes())?;
                Ok(String::from_utf8(target).unwrap())
            }
            Call::ChangeMode { path, mode } => vfs
                .change_mode(cx, At::Cwd, path.as_bytes(), *mode, AtFlags::empty())
                .map(done),
            Call::ChangeOwner {
                path,
                uid,
                gid,
                flags,
            } => {
                let owner = Owner { uid: *uid, gid: *gid };
                vfs.change_owner(cx, At::Cwd, path.as_bytes(), owner, at(*flags))
                    .map(done)
            }
            Call::Truncate { path, len } => vfs.truncate(cx, path.as_bytes(), *len as u64).map(done),
            Call::Stat { path, flags } => vfs
                .stat(cx, At::Cwd, path.as_bytes(), at(*flags))
                .map(|stat| stat_text(&stat)),
            Call::Access { path, mode, flags } => {
                let mode = AccessMode(*mode);
                vfs.access(cx, At::Cwd, path.as_bytes(), mode, at(*flags), &cx.credentials)
                    .map(done)
            }
            Call::List(path) => {
                let how = OpenHow::open(libc::O_DIRECTORY as u32, 0)?;
                let directory = vfs.open(cx, At::Cwd, path.as_bytes(), how)?;
                let mut names: Vec<_> = list_all(&directory, 3)?
                    .into_iter()
                    .map(|entry| entry.name)
                    .collect();
                names.sort();
                Ok(names.join(" "))
            }
            Call::SetXattr {
                path,
                name,
                value,
                flags,
            } => {
                let flags = XattrFlags::from_bits(*flags as u32).ok_or(Errno::EINVAL)?;
                let pair = (name.as_bytes(), value.as_bytes());
                vfs.set_xattr(cx, At::Cwd, path.as_bytes(), pair, flags, AtFlags::empty())
                    .map(done)
            }
            Call::GetXattr { path, name } => {
                let value = vfs.xattr(cx, At::Cwd, path.as_bytes(), name.as_bytes(), AtFlags::empty())?;
                Ok(String::from_utf8(value).unwrap())
            }
            Call::ListXattr(path) => {
                let names = vfs.xattr_names(cx, At::Cwd, path.as_bytes(), AtFlags::empty())?;
                Ok(sorted_names(&names))
            }
            Call::RemoveXattr { path, name } => vfs
                .remove_xattr(cx, At::Cwd, path.as_bytes(), name.as_bytes(), AtFlags::empty())
                .map(done),
            Call::OpenWithin {
                directory,
                path,
                flags,
                mode,
                resolve,
            } => {
                let how = OpenHow::open((libc::O_PATH | libc::O_DIRECTORY) as u32, 0)?;
                let directory = vfs.open(cx, At::Cwd, directory.as_bytes(), how)?;
                let how = OpenHow::open2(*flags as u64, (*mode).into(), *resolve)?;
                let file = vfs.open(cx, At::Descriptor(&directory), path.as_bytes(), how)?;
                Ok(stat_text(&file.object().stat()?))
            }
            Call::SetTimes { path, times, flags } => {
                let times = times.map(|time| match time {
                    libc::UTIME_NOW => SetTime::Now,
                    libc::UTIME_OMIT => SetTime::Omit,
                    nanoseconds => SetTime::To(Timestamp {
                        seconds: 5,
                        nanoseconds: nanoseconds as u32,
                    }),
                });
                vfs.set_times(cx, At::Cwd, path.as_bytes(), times, at(*flags))?;
                let stat = vfs.stat(cx, At::Cwd, path.as_bytes(), at(*flags))?;
                let set = |time: Timestamp| {
                    if time.seconds == 5 {
                        time.nanoseconds.into()
                    } else {
                        -1i64
                    }
                };
                Ok(format!("{} {}", set(stat.accessed), set(stat.modified)))
            }
            Call::ChangeDirectory(path) => {
                let cwd = vfs.directory(cx, At::Cwd, path.as_bytes(), AtFlags::empty())?;
                self.root.cwd = cwd.clone();
                self.user.cwd = cwd;
                Ok(String::new())
            }
        }
    }
}

fn stat_text(stat: &Stat) -> String {
    describe(stat.mode(), stat.links.into(), stat.uid, stat.gid, stat.size)
}

fn sorted_names(names: &[u8]) -> String {
    let mut names: Vec<_> = names
        .split(|&byte| byte == 0)
        .map(String::from_utf8_lossy)
        .collect();
    names.sort();
    names.join(" ")
}

fn file_call(file: &Arc<kobject::Description>, call: &FileCall) -> Result<String, Errno> {
    let number = |number: usize| number.to_string();
    match *call {
        FileCall::Write { offset, len, byte } => file
            .write_at(offset.into(), &mut KernelSource(&vec![byte; len.into()]))
            .map(number),
        FileCall::WriteOn { len, byte } => file.write(&mut KernelSource(&vec![byte; len.into()])).map(number),
        FileCall::Read { offset, len } => {
            let mut sink = KernelSink::new(len.into());
            file.read_at(offset.into(), &mut sink)?;
            Ok(bytes_text(&sink.into_bytes()))
        }
        FileCall::Truncate(len) => {
            // The caller's check, as `ftruncate` has it.
            if !file.flags().writable() {
                let path = file.flags().contains(kobject::StatusFlags::PATH);
                return Err(if path { Errno::EBADF } else { Errno::EINVAL });
            }
            file.object().truncate(len.into()).map(|()| String::new())
        }
        FileCall::Punch { offset, len } => punch(file, offset, len),
        FileCall::SeekData(offset) => file.seek(offset.into(), 3).map(|at| at.to_string()),
        FileCall::SeekHole(offset) => file.seek(offset.into(), 4).map(|at| at.to_string()),
        FileCall::Stat => file.object().stat().map(|stat| stat_text(&stat)),
    }
}

fn punch(file: &kobject::Description, offset: u16, len: u16) -> Result<String, Errno> {
    if len == 0 {
        return Err(if file.flags().contains(kobject::StatusFlags::PATH) {
            Errno::EBADF
        } else {
            Errno::EINVAL
        });
    }
    if !file.flags().writable() {
        return Err(Errno::EBADF);
    }
    file.object()
        .allocate(3, offset.into(), len.into())
        .map(|()| String::new())
}

impl World for Overlay {
    fn call(&mut self, user: bool, call: &Call) -> Outcome {
        self.make(user, call).map_err(|error| i32::from(error.raw()))
    }

    fn survey(&mut self) -> Vec<String> {
        self.root.cwd = self.container.vfs.root().clone();
        survey(self)
    }
}

/// All that is there: the same calls for both worlds.
fn survey(world: &mut dyn World) -> Vec<String> {
    let mut all = Vec::new();
    let mut todo = vec![String::from("/")];
    while let Some(path) = todo.pop() {
        let stat = world
            .call(
                false,
                &Call::Stat {
                    path: path.clone(),
                    flags: libc::AT_SYMLINK_NOFOLLOW,
                },
            )
            .unwrap();
        let xattrs = world.call(false, &Call::ListXattr(path.clone()));
        let mut line = format!("{path} {stat} {xattrs:?}");
        match &stat[..2] {
            "40" => {
                for name in world.call(false, &Call::List(path.clone())).unwrap().split(' ') {
                    let own = path == "/" && ["dev", "proc", "sys"].contains(&name);
                    if !own && name != "." && name != ".." {
                        todo.push(format!("{}/{name}", path.trim_end_matches('/')));
                    }
                }
            }
            "12" => line += &world.call(false, &Call::ReadLink(path.clone())).unwrap(),
            "10" if stat.starts_with("10")
                && stat.len() > 6
                && stat.split(' ').next().unwrap().len() == 6 =>
            {
                let then = vec![FileCall::Read {
                    offset: 0,
                    len: u16::MAX,
                }];
                let read = Call::Open {
                    path: path.clone(),
                    flags: 0,
                    mode: 0,
                    then,
                };
                line += &world.call(false, &read).unwrap();
            }
            _ => {}
        }
        all.push(line);
    }
    all.sort();
    all
}

// ---------------------------------------------------------------------------------------------------------------------------------
// Linux

/// A directory of a tmpfs that the calling thread has as its root.
struct Linux;

fn c(path: &str) -> CString {
    CString::new(path).unwrap()
}

fn result(result: libc::c_long) -> Result<libc::c_long, i32> {
    if result < 0 {
        Err(std::io::Error::last_os_error().raw_os_error().unwrap())
    } else {
        Ok(result)
    }
}

fn become_user(user: bool) {
    let id = if user { USER } else { 0 };
    // SAFETY: changes the identities of the calling thread alone, as raw system calls do.
    unsafe {
        libc::syscall(libc::SYS_setfsgid, id);
        libc::syscall(libc::SYS_setfsuid, id);
    }
}

fn lstat_of(fd: i32, path: &str, flags: i32) -> Result<String, i32> {
    // SAFETY: a structure of plain numbers.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: valid pointers.
    result(unsafe { libc::fstatat(fd, c(path).as_ptr(), &mut stat, flags) }.into())?;
    Ok(describe(
        stat.st_mode,
        stat.st_nlink,
        stat.st_uid,
        stat.st_gid,
        stat.st_size as u64,
    ))
}

impl Linux {
    fn make(&mut self, call: &Call) -> Outcome {
        let done = |_| String::new();
        let cwd = libc::AT_FDCWD;
        // SAFETY: every pointer is a C string or a buffer with its length; no descriptor is used after it is closed.
        unsafe {
            match call {
                Call::Open {
                    path,
                    flags,
                    mode,
                    then,
                } => {
                    let fd = result(libc::open(c(path).as_ptr(), *flags, *mode).into())?;
                    let file = OwnedFd::from_raw_fd(fd as i32);
                    let mut text = String::new();
                    for call in then {
                        text += &format!("{call:?} = {:?}\n", self.file_call(&file, call));
                    }
                    Ok(text)
                }
                Call::MakeDirectory { path, mode } => {
                    result(libc::mkdir(c(path).as_ptr(), *mode).into()).map(done)
                }
                Call::MakeNode { path, kind } => {
                    result(libc::mknod(c(path).as_ptr(), kind | 0o666, 0).into()).map(done)
                }
                Call::Unlink(path) => result(libc::unlink(c(path).as_ptr()).into()).map(done),
                Call::RemoveDirectory(path) => result(libc::rmdir(c(path).as_ptr()).into()).map(done),
                Call::Rename { old, new, flags } => {
                    let (old, new) = (c(old), c(new));
                    let renamed =
                        libc::syscall(libc::SYS_renameat2, cwd, old.as_ptr(), cwd, new.as_ptr(), *flags);
                    result(renamed).map(done)
                }
                Call::Link { old, new, flags } => {
                    result(libc::linkat(cwd, c(old).as_ptr(), cwd, c(new).as_ptr(), *flags).into()).map(done)
                }
                Call::Symlink { target, path } => {
                    result(libc::symlink(c(target).as_ptr(), c(path).as_ptr()).into()).map(done)
                }
                Call::ReadLink(path) => {
                    let mut target = vec![0u8; 5000];
                    let len =
                        result(libc::readlink(c(path).as_ptr(), target.as_mut_ptr().cast(), 5000) as _)?;
                    target.truncate(len as usize);
                    Ok(String::from_utf8(target).unwrap())
                }
                Call::ChangeMode { path, mode } => {
                    result(libc::chmod(c(path).as_ptr(), *mode).into()).map(done)
                }
                Call::ChangeOwner {
                    path,
                    uid,
                    gid,
                    flags,
                } => {
                    let (uid, gid) = (uid.unwrap_or(u32::MAX), gid.unwrap_or(u32::MAX));
                    result(libc::fchownat(cwd, c(path).as_ptr(), uid, gid, *flags).into()).map(done)
                }
                Call::Truncate { path, len } => {
                    result(libc::truncate(c(path).as_ptr(), *len).into()).map(done)
                }
                Call::Stat { path, flags } => lstat_of(cwd, path, *flags),
                Call::Access { path, mode, flags } => {
                    let flags = flags | libc::AT_EACCESS;
                    result(libc::syscall(
                        libc::SYS_faccessat2,
                        cwd,
                        c(path).as_ptr(),
                        *mode,
                        flags,
                    ))
                    .map(done)
                }
                Call::List(path) => {
                    let flags = libc::O_DIRECTORY | libc::O_RDONLY;
                    let fd = result(libc::open(c(path).as_ptr(), flags).into())?;
                    let directory = libc::fdopendir(fd as i32);
                    let mut names = Vec::new();
                    loop {
                        let entry = libc::readdir(directory);
                        if entry.is_null() {
                            break;
                        }
                        let name = std::ffi::CStr::from_ptr((*entry).d_name.as_ptr());
                        names.push(name.to_str().unwrap().to_owned());
                    }
                    libc::closedir(directory);
                    names.sort();
                    Ok(names.join(" "))
                }
                Call::SetXattr {
                    path,
                    name,
                    value,
                    flags,
                } => {
                    let (path, name) = (c(path), c(name));
                    let value = value.as_bytes();
                    let set = libc::setxattr(
                        path.as_ptr(),
                        name.as_ptr(),
                        value.as_ptr().cast(),
                        value.len(),
                        *flags,
                    );
                    result(set.into()).map(done)
                }
                Call::GetXattr { path, name } => {
                    let mut value = vec![0u8; 1000];
                    let len = libc::getxattr(
                        c(path).as_ptr(),
                        c(name).as_ptr(),
                        value.as_mut_ptr().cast(),
                        1000,
                    );
                    value.truncate(result(len as _)? as usize);
                    Ok(String::from_utf8(value).unwrap())
                }
                Call::ListXattr(path) => {
                    let mut names = vec![0u8; 1000];
                    let len =
                        result(libc::listxattr(c(path).as_ptr(), names.as_mut_ptr().cast(), 1000) as _)?;
                    Ok(sorted_names(&names[..len as usize]))
                }
                Call::RemoveXattr { path, name } => {
                    result(libc::removexattr(c(path).as_ptr(), c(name).as_ptr()).into()).map(done)
                }
                Call::ChangeDirectory(path) => result(libc::chdir(c(path).as_ptr()).into()).map(done),
                Call::OpenWithin {
                    directory,
                    path,
                    flags,
                    mode,
                    resolve,
                } => {
                    let fd =
                        result(libc::open(c(directory).as_ptr(), libc::O_PATH | libc::O_DIRECTORY).into())?;
                    let directory = OwnedFd::from_raw_fd(fd as i32);
                    let how: [u64; 3] = [*flags as u64, (*mode).into(), *resolve];
                    let path = c(path);
                    let fd = result(libc::syscall(
                        libc::SYS_openat2,
                        directory.as_raw_fd(),
                        path.as_ptr(),
                        how.as_ptr(),
                        size_of_val(&how),
                    ))?;
                    let file = OwnedFd::from_raw_fd(fd as i32);
                    lstat_of(file.as_raw_fd(), "", libc::AT_EMPTY_PATH)
                }
                Call::SetTimes { path, times, flags } => {
                    let times = times.map(|tv_nsec| libc::timespec { tv_sec: 5, tv_nsec });
                    result(libc::utimensat(cwd, c(path).as_ptr(), times.as_ptr(), *flags).into())?;
                    let mut stat: libc::stat = std::mem::zeroed();
                    result(libc::fstatat(cwd, c(path).as_ptr(), &mut stat, *flags).into())?;
                    let set = |seconds, nanoseconds| if seconds == 5 { nanoseconds } else { -1i64 };
                    Ok(format!(
                        "{} {}",
                        set(stat.st_atime, stat.st_atime_nsec),
                        set(stat.st_mtime, stat.st_mtime_nsec)
                    ))
                }
            }
        }
    }

    fn file_call(&mut self, file: &OwnedFd, call: &FileCall) -> Outcome {
        let fd = file.as_raw_fd();
        let done = |_| String::new();
        let number = |number: libc::c_long| number.to_string();
        // SAFETY: buffers with their lengths, and an open descriptor.
        unsafe {
            match *call {
                FileCall::Write { offset, len, byte } => {
                    let bytes = vec![byte; len.into()];
                    result(libc::pwrite(fd, bytes.as_ptr().cast(), bytes.len(), offset.into()) as _)
                        .map(number)
                }
                FileCall::WriteOn { len, byte } => {
                    let bytes = vec![byte; len.into()];
                    result(libc::write(fd, bytes.as_ptr().cast(), bytes.len()) as _).map(number)
                }
                FileCall::Read { offset, len } => {
                    let mut bytes = vec![0u8; len.into()];
                    let count =
                        result(libc::pread(fd, bytes.as_mut_ptr().cast(), bytes.len(), offset.into()) as _)?;
                    Ok(bytes_text(&bytes[..count as usize]))
                }
                FileCall::Truncate(len) => result(libc::ftruncate(fd, len.into()).into()).map(done),
                FileCall::Punch { offset, len } => {
                    result(libc::fallocate(fd, 3, offset.into(), len.into()).into()).map(done)
                }
                FileCall::SeekData(offset) => {
                    result(libc::lseek(fd, offset.into(), libc::SEEK_DATA)).map(number)
                }
                FileCall::SeekHole(offset) => {
                    result(libc::lseek(fd, offset.into(), libc::SEEK_HOLE)).map(number)
                }
                FileCall::Stat => lstat_of(fd, "", libc::AT_EMPTY_PATH),
            }
        }
    }

    /// Makes what the image has.
    fn populate(&mut self, tree: &Tree) {
        let mut paths: Vec<Option<String>> = vec![None; tree.0.len()];
        paths[0] = Some(String::new());
        let mut todo = vec![0];
        while let Some(id) = todo.pop() {
            let here = paths[id].clone().unwrap();
            let inode = &tree.0[id];
            if let Kind::Directory(names) = &inode.kind {
                for (name, &child) in names {
                    let path = format!("{here}/{}", std::str::from_utf8(name).unwrap());
                    if let Some(other) = &paths[child] {
                        self.must(Call::Link {
                            old: other.clone(),
                            new: path,
                            flags: 0,
                        });
                        continue;
                    }
                    match &tree.0[child].kind {
                        Kind::Directory(_) => self.must(Call::MakeDirectory {
                            path: path.clone(),
                            mode: 0o700,
                        }),
                        Kind::Symlink(target) => {
                            let target = String::from_utf8(target.clone()).unwrap();
                            self.must(Call::Symlink {
                                target,
                                path: path.clone(),
                            });
                        }
                        Kind::File(contents) => std::fs::write(&path, contents).unwrap(),
                        Kind::CharDevice(..) => unreachable!(),
                    }
                    paths[child] = Some(path);
                    todo.push(child);
                }
            }
        }
        for (inode, path) in tree.0.iter().zip(paths) {
            let path = path.filter(|path| !path.is_empty()).unwrap_or("/".into());
            let (uid, gid) = inode.owner;
            let flags = libc::AT_SYMLINK_NOFOLLOW;
            self.must(Call::ChangeOwner {
                path: path.clone(),
                uid: Some(uid),
                gid: Some(gid),
                flags,
            });
            if !matches!(inode.kind, Kind::Symlink(_)) {
                self.must(Call::ChangeMode {
                    path: path.clone(),
                    mode: inode.permissions.into(),
                });
            }
            for (name, value) in &inode.xattrs {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let (name, value) = (text(name), text(value));
                self.must(Call::SetXattr {
                    path: path.clone(),
                    name,
                    value,
                    flags: 0,
                });
            }
        }
        for name in ["/dev", "/proc", "/sys", "/dev/shm"] {
            let _ = self.make(&Call::MakeDirectory {
                path: name.into(),
                mode: 0o755,
            });
        }
    }

    fn must(&mut self, call: Call) {
        self.make(&call)
            .unwrap_or_else(|error| panic!("{call:?}: {error}"));
    }
}

impl World for Linux {
    fn call(&mut self, user: bool, call: &Call) -> Outcome {
        become_user(user);
        let outcome = self.make(call);
        become_user(false);
        outcome
    }

    fn survey(&mut self) -> Vec<String> {
        survey(self)
    }
}

// ---------------------------------------------------------------------------------------------------------------------------------
// What is tried

fn tree() -> Tree {
    let mut tree = Tree::new();
    let directory = || Kind::Directory(Default::default());
    let contents: Vec<u8> = (0..10_000u32).map(|n| (n / 1000) as u8).collect();
    tree.add("/a", 0o755, (0, 0), directory());
    tree.add("/a/b", 0o755, (USER, USER), directory());
    tree.add("/a/b/f", 0o640, (USER, 0), Kind::File(contents.clone()));
    tree.add("/a/f", 0o644, (0, 0), Kind::File(contents.clone()));
    let hard = tree.add("/a/h", 0o666, (0, 0), Kind::File(b"hard".to_vec()));
    tree.link("/h", hard);
    tree.add("/a/l", 0o777, (0, 0), Kind::Symlink(b"../c".to_vec()));
    tree.add("/c", 0o777, (0, 0), directory());
    tree.add("/c/f", 0o600, (0, 0), Kind::File(Vec::new()));
    tree.add(
        "/c/s",
        if has_sticky() { 0o1777 } else { 0o777 },
        (0, 0),
        directory(),
    );
    tree.add("/c/s/f", 0o666, (0, 0), Kind::File(b"sticky".to_vec()));
    tree.add("/c/s/x", 0o4755, (USER, USER), Kind::File(b"set-id".to_vec()));
    tree.add("/c/a", 0o755, (0, 0), directory());
    tree.add("/d", 0o700, (0, 0), directory());
    tree.add("/d/f", 0o644, (0, 0), Kind::File(b"hidden".to_vec()));
    tree.add("/g", 0o2777, (0, 7), directory());
    tree.add("/l", 0o777, (0, 0), Kind::Symlink(b"a".to_vec()));
    tree.add("/m", 0o777, (0, 0), Kind::Symlink(b"c/n".to_vec()));
    tree.add("/o", 0o777, (0, 0), Kind::Symlink(b"o".to_vec()));
    tree.add("/t", 0o777, (0, 0), Kind::Symlink(b"/c/f/".to_vec()));
    let attributed = tree.find("/a/f");
    tree.0[attributed]
        .xattrs
        .push((b"user.name".to_vec(), b"value".to_vec()));
    tree
}

fn path() -> impl Strategy<Value = String> {
    let name = || {
        prop::sample::select(vec![
            "a", "b", "c", "d", "f", "g", "h", "l", "m", "n", "o", "s", "t", "x", ".", "..",
        ])
    };
    let known = prop::sample::select(vec![
        "/a", "/a/b", "/a/b/f", "/a/f", "/a/h", "/h", "/a/l", "/c", "/c/f", "/c/s", "/c/s/f", "/c/s/x",
        "/c/a", "/d", "/d/f", "/g", "/l", "/m", "/o", "/t", "/c/n", "/g/n", "/", "a", "f", "b/../f", "/l/f",
        "/a/l/f", "/a/l/s/f", "l/", "/a/l/", "", "/c/s/n", "/g/a", "/c/b", "n",
    ]);
    let random =
        (any::<bool>(), prop::collection::vec(name(), 1..4), 0..12u8).prop_map(|(absolute, names, slash)| {
            let path = names.join(if slash == 1 { "//" } else { "/" });
            format!(
                "{}{path}{}",
                if absolute { "/" } else { "" },
                if slash == 0 { "/" } else { "" }
            )
        });
    prop_oneof![3 => known.prop_map(str::to_owned), 2 => random]
}

fn file_call_strategy() -> impl Strategy<Value = FileCall> {
    let offset = || {
        prop_oneof![
            0..20_000u16,
            prop::sample::select(vec![0, 4095, 4096, 8192, 10_000, 12_288])
        ]
    };
    let len = || prop_oneof![0..9_000u16, prop::sample::select(vec![0, 1, 4096, 8192])];
    prop_oneof![
        3 => (offset(), len(), any::<u8>()).prop_map(|(offset, len, byte)| FileCall::Write { offset, len, byte }),
        2 => (offset(), len()).prop_map(|(offset, len)| FileCall::Read { offset, len }),
        1 => (len(), any::<u8>()).prop_map(|(len, byte)| FileCall::WriteOn { len, byte }),
        1 => offset().prop_map(FileCall::Truncate),
        1 => (offset(), len()).prop_map(|(offset, len)| FileCall::Punch { offset, len }),
        1 => offset().prop_map(FileCall::SeekData),
        1 => offset().prop_map(FileCall::SeekHole),
        1 => Just(FileCall::Stat),
    ]
}

fn open_flags() -> impl Strategy<Value = i32> {
    let access = prop::sample::select(vec![libc::O_RDONLY, libc::O_WRONLY, libc::O_RDWR]);
    let extra = prop::collection::vec(
        prop::sample::select(vec![
            libc::O_CREAT,
            libc::O_CREAT,
            libc::O_EXCL,
            libc::O_TRUNC,
            libc::O_APPEND,
            libc::O_DIRECTORY,
            libc::O_NOFOLLOW,
            libc::O_PATH,
            libc::O_NOATIME,
            libc::O_TMPFILE,
            libc::O_NONBLOCK,
        ]),
        0..3,
    );
    (access, extra).prop_map(|(access, extra)| extra.into_iter().fold(access, |flags, flag| flags | flag))
}

fn call() -> impl Strategy<Value = Call> {
    let mode = || prop_oneof![0..0o10000u32, Just(0o755), Just(0o777), Just(0o644)];
    let id = || prop::option::of(prop::sample::select(vec![0, USER, 7]));
    let nofollow = || prop::sample::select(vec![0, libc::AT_SYMLINK_NOFOLLOW]);
    let xattr = || prop::sample::select(vec!["user.name", "user.other", "bad", "user."]);
    let time = || prop::sample::select(vec![libc::UTIME_NOW, libc::UTIME_OMIT, 7]);
    let then = prop::collection::vec(file_call_strategy(), 0..5);
    prop_oneof![
        6 => (path(), open_flags(), mode(), then)
            .prop_map(|(path, flags, mode, then)| Call::Open { path, flags, mode, then }),
        2 => (path(), mode()).prop_map(|(path, mode)| Call::MakeDirectory { path, mode }),
        1 => (path(), prop::sample::select(vec![0, libc::S_IFREG, libc::S_IFSOCK, libc::S_IFDIR]))
            .prop_map(|(path, kind)| Call::MakeNode { path, kind }),
        3 => path().prop_map(Call::Unlink),
        2 => path().prop_map(Call::RemoveDirectory),
        5 => (path(), path(), prop::sample::select(vec![0, 0, 0, 1, 2, 3]))
            .prop_map(|(old, new, flags)| Call::Rename { old, new, flags }),
        2 => (path(), path(), prop::sample::select(vec![0, libc::AT_SYMLINK_FOLLOW]))
            .prop_map(|(old, new, flags)| Call::Link { old, new, flags }),
        1 => (path(), path()).prop_map(|(target, path)| Call::Symlink { target, path }),
        1 => path().prop_map(Call::ReadLink),
        2 => (path(), mode()).prop_map(|(path, mode)| Call::ChangeMode { path, mode }),
        2 => (path(), id(), id(), nofollow())
            .prop_map(|(path, uid, gid, flags)| Call::ChangeOwner { path, uid, gid, flags }),
        1 => (path(), prop::sample::select(vec![0, 5, 4096, 20_000])).prop_map(|(path, len)| Call::Truncate { path, len }),
        2 => (path(), nofollow()).prop_map(|(path, flags)| Call::Stat { path, flags }),
        1 => (path(), 0..8u32, nofollow()).prop_map(|(path, mode, flags)| Call::Access { path, mode, flags }),
        1 => path().prop_map(Call::List),
        1 => (path(), xattr(), prop::sample::select(vec!["", "v"]), 0..3i32).prop_map(|(path, name, value, flags)| {
            Call::SetXattr { path, name: name.into(), value: value.into(), flags }
        }),
        1 => (path(), xattr()).prop_map(|(path, name)| Call::GetXattr { path, name: name.into() }),
        1 => path().prop_map(Call::ListXattr),
        1 => (path(), xattr()).prop_map(|(path, name)| Call::RemoveXattr { path, name: name.into() }),
        1 => path().prop_map(Call::ChangeDirectory),
        3 => (path(), path(), open_flags(), mode(), 0..32u64).prop_map(|(directory, path, flags, mode, resolve)| {
            let mode = if flags & (libc::O_CREAT | libc::O_TMPFILE) == 0 { 0 } else { mode };
            Call::OpenWithin { directory, path, flags, mode, resolve }
        }),
        1 => (path(), [time(), time()], nofollow()).prop_map(|(path, times, flags)| Call::SetTimes { path, times, flags }),
    ]
}

/// Runs in a thread of its own, whose root is a new directory of a tmpfs.
fn in_linux<T: Send>(run: impl FnOnce(&mut Linux) -> T + Send) -> T {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let root = format!("/dev/shm/oracle-{}-{number}", std::process::id());
    std::fs::create_dir(&root).unwrap();
    let result = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                // SAFETY: root and working directory of this thread alone, which ends with them.
                unsafe {
                    assert_eq!(libc::unshare(libc::CLONE_FS), 0);
                    assert_eq!(libc::chroot(c(&root).as_ptr()), 0);
                    assert_eq!(libc::chdir(c("/").as_ptr()), 0);
                    libc::umask(0o022);
                    libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<u32>());
                }
                run(&mut Linux)
            })
            .join()
    });
    std::fs::remove_dir_all(&root).unwrap();
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn sysctl(name: &str) -> String {
    std::fs::read_to_string(format!("/proc/sys/fs/protected_{name}"))
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Whether sticky directories are as Linux has them by itself.
fn has_sticky() -> bool {
    ["symlinks", "regular", "fifos"]
        .iter()
        .all(|name| sysctl(name) == "0")
}

fn has_oracle() -> bool {
    // SAFETY: asks for the user.
    let root = unsafe { libc::geteuid() } == 0;
    let has = root && sysctl("hardlinks") == "1";
    if !has {
        eprintln!("SKIPPED: comparing with Linux needs root and fs.protected_hardlinks = 1");
    }
    has
}

/// The calls with modes that this machine has plain results for.
fn plain(calls: &[(bool, Call)]) -> Vec<(bool, Call)> {
    let mut calls = calls.to_vec();
    if !has_sticky() {
        for (_, call) in &mut calls {
            if let Call::Open { mode, .. }
            | Call::OpenWithin { mode, .. }
            | Call::MakeDirectory { mode, .. }
            | Call::ChangeMode { mode, .. } = call
            {
                *mode &= !0o1000;
            }
        }
    }
    calls
}

fn compare(overlay: &mut Overlay, linux: &mut Linux, calls: &[(bool, Call)]) -> Result<(), String> {
    for (at, (user, call)) in calls.iter().enumerate() {
        let (expected, found) = (linux.call(*user, call), overlay.call(*user, call));
        if expected != found {
            let who = if *user { "user" } else { "root" };
            return Err(format!(
                "call {at} by {who}: {call:?}\n Linux: {expected:?}\n  ours: {found:?}"
            ));
        }
    }
    become_user(false);
    // SAFETY: the root is there.
    assert_eq!(unsafe { libc::chdir(c("/").as_ptr()) }, 0);
    let (expected, found) = (linux.survey(), overlay.survey());
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these
            .iter()
            .filter(|line| !those.contains(line))
            .cloned()
            .collect()
    };
    if expected == found {
        return Ok(());
    }
    Err(format!(
        "at the end\n Linux: {:#?}\n  ours: {:#?}",
        only(&expected, &found),
        only(&found, &expected)
    ))
}

#[test]
fn the_worlds_begin_the_same() {
    if has_oracle() {
        let tree = tree();
        in_linux(|linux| {
            linux.populate(&tree);
            compare(&mut Overlay::new(&tree), linux, &[]).unwrap();
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig {  max_shrink_iters: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_calls_have_linux_results(calls in prop::collection::vec((any::<bool>(), call()), 1..60)) {
        if has_oracle() {
            let (tree, calls) = (tree(), plain(&calls));
            let outcome = in_linux(|linux| {
                linux.populate(&tree);
                compare(&mut Overlay::new(&tree), linux, &calls)
            });
            if let Err(difference) = outcome {
                return Err(TestCaseError::fail(difference));
            }
        }
    }
}
