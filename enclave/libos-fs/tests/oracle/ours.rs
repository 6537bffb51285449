//! The overlay over an image.

use std::sync::Arc;

use kobject::credentials::AccessMode;
use kobject::{Errno, KernelSink, KernelSource, Stat, Timestamp};
use libos_fs::{At, Context, NewNode, OpenHow, Owner, SetTime};
use linux_abi::{AllocateFlags, AtFlags, OpenFlags, RenameFlags, Whence, XattrFlags};

use super::call::{Call, FileCall, Outcome, USER, World, bytes_text, describe, sorted_names, survey};
use super::common::{Container, Tree, list_all};

pub struct Overlay {
    container: Container,
    root: Context,
    user: Context,
}

impl Overlay {
    pub fn new(tree: &Tree) -> Self {
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
            flag(libc::AT_SYMLINK_NOFOLLOW, AtFlags::AT_SYMLINK_NOFOLLOW)
                | flag(libc::AT_SYMLINK_FOLLOW, AtFlags::AT_SYMLINK_FOLLOW)
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
                        libos_fs::written_by(&file, &cx.credentials);
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

pub fn stat_text(stat: &Stat) -> String {
    describe(stat.mode(), stat.links.into(), stat.uid, stat.gid, stat.size)
}

pub fn file_call(file: &Arc<kobject::Description>, call: &FileCall) -> Result<String, Errno> {
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
                let path = file.flags().contains(OpenFlags::O_PATH);
                return Err(if path { Errno::EBADF } else { Errno::EINVAL });
            }
            file.object().truncate(len.into()).map(|()| String::new())
        }
        FileCall::Punch { offset, len } => punch(file, offset, len),
        FileCall::SeekData(offset) => file
            .seek(offset.into(), Whence::SEEK_DATA)
            .map(|at| at.to_string()),
        FileCall::SeekHole(offset) => file
            .seek(offset.into(), Whence::SEEK_HOLE)
            .map(|at| at.to_string()),
        FileCall::Stat => file.object().stat().map(|stat| stat_text(&stat)),
    }
}

pub fn punch(file: &kobject::Description, offset: u16, len: u16) -> Result<String, Errno> {
    if len == 0 {
        return Err(if file.flags().contains(OpenFlags::O_PATH) {
            Errno::EBADF
        } else {
            Errno::EINVAL
        });
    }
    if !file.flags().writable() {
        return Err(Errno::EBADF);
    }
    file.object()
        .allocate(
            AllocateFlags::FALLOC_FL_PUNCH_HOLE | AllocateFlags::FALLOC_FL_KEEP_SIZE,
            offset.into(),
            len.into(),
        )
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
