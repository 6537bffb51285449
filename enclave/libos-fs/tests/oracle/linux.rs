//! Linux: a directory of a tmpfs as the root of a thread.

use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::call::{Call, FileCall, Outcome, USER, World, bytes_text, describe, sorted_names, survey};
use super::common::{Kind, Tree};

/// A directory of a tmpfs that the calling thread has as its root.
pub struct Linux;

pub fn c(path: &str) -> CString {
    CString::new(path).unwrap()
}

pub fn result(result: libc::c_long) -> Result<libc::c_long, i32> {
    if result < 0 {
        Err(std::io::Error::last_os_error().raw_os_error().unwrap())
    } else {
        Ok(result)
    }
}

pub fn become_user(user: bool) {
    let id = if user { USER } else { 0 };
    // SAFETY: changes the identities of the calling thread alone, as raw system calls do.
    unsafe {
        libc::syscall(libc::SYS_setfsgid, id);
        libc::syscall(libc::SYS_setfsuid, id);
    }
}

pub fn lstat_of(fd: i32, path: &str, flags: i32) -> Result<String, i32> {
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
    pub fn populate(&mut self, tree: &Tree) {
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

/// Runs in a thread of its own, whose root is a new directory of a tmpfs.
pub fn in_linux<T: Send>(run: impl FnOnce(&mut Linux) -> T + Send) -> T {
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
