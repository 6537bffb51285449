//! What takes a path: open, stat, mkdir, rename and all the rest, in their older and newer forms.

use fs::{At, AtFlags, Context, NewNode, OpenHow, Owner, RenameFlags, SetTime};
use kobject::clock::SECOND;
use kobject::credentials::AccessMode;
use kobject::{Credentials, Errno, Result, Stat, Timestamp};

use super::Call;
use super::sys_event::add_open;
use super::sys_read::{check_file_size, modified};
use super::table::{Restart, Row};
use crate::container;
use crate::process::descriptors::OnExec;
use crate::uapi::{RawStat, Statfs, Statx, StatxTimestamp, Timespec, Timeval};
use crate::user;

/// What the table says of these.
pub(super) const ROWS: &[Row] = &[
    Row::full(2, "open", sys_open, "sxx").restarts(Restart::WithFlag),
    Row::full(85, "creat", sys_creat, "sx").restarts(Restart::WithFlag),
    Row::full(257, "openat", sys_openat, "dsxx").restarts(Restart::WithFlag),
    Row::full(437, "openat2", sys_openat2, "dsxd").restarts(Restart::WithFlag),
    Row::full(4, "stat", sys_stat, "sx"),
    Row::full(6, "lstat", sys_lstat, "sx"),
    Row::full(5, "fstat", sys_fstat, "dx"),
    Row::full(262, "newfstatat", sys_newfstatat, "dsxx"),
    Row::full(332, "statx", sys_statx, "dsxxx"),
    Row::full(137, "statfs", sys_statfs, "sx"),
    Row::full(138, "fstatfs", sys_fstatfs, "dx"),
    Row::full(21, "access", sys_access, "sx"),
    Row::full(269, "faccessat", sys_faccessat, "dsx"),
    Row::full(439, "faccessat2", sys_faccessat2, "dsxx"),
    Row::full(83, "mkdir", sys_mkdir, "sx"),
    Row::full(258, "mkdirat", sys_mkdirat, "dsx"),
    Row::full(133, "mknod", sys_mknod, "sxx"),
    Row::full(259, "mknodat", sys_mknodat, "dsxx"),
    Row::full(84, "rmdir", sys_rmdir, "s"),
    Row::full(87, "unlink", sys_unlink, "s"),
    Row::full(263, "unlinkat", sys_unlinkat, "dsx"),
    Row::full(82, "rename", sys_rename, "ss"),
    Row::full(264, "renameat", sys_renameat, "dsds"),
    Row::full(316, "renameat2", sys_renameat2, "dsdsx"),
    Row::full(86, "link", sys_link, "ss"),
    Row::full(265, "linkat", sys_linkat, "dsdsx"),
    Row::full(88, "symlink", sys_symlink, "ss"),
    Row::full(266, "symlinkat", sys_symlinkat, "sds"),
    Row::full(89, "readlink", sys_readlink, "sxd"),
    Row::full(267, "readlinkat", sys_readlinkat, "dsxd"),
    Row::full(90, "chmod", sys_chmod, "sx"),
    Row::full(91, "fchmod", sys_fchmod, "dx"),
    Row::full(268, "fchmodat", sys_fchmodat, "dsx"),
    Row::full(452, "fchmodat2", sys_fchmodat2, "dsxx"),
    Row::full(92, "chown", sys_chown, "sdd"),
    Row::full(94, "lchown", sys_lchown, "sdd"),
    Row::full(93, "fchown", sys_fchown, "ddd"),
    Row::full(260, "fchownat", sys_fchownat, "dsddx"),
    Row::full(132, "utime", sys_utime, "sx"),
    Row::full(235, "utimes", sys_utimes, "sx"),
    Row::full(261, "futimesat", sys_futimesat, "dsx"),
    Row::full(280, "utimensat", sys_utimensat, "dsxx"),
    Row::partial(
        76,
        "truncate",
        sys_truncate,
        "sd",
        "RLIMIT_FSIZE is not looked at",
    ),
    Row::full(77, "ftruncate", sys_ftruncate, "dd"),
    Row::full(285, "fallocate", sys_fallocate, "dxdd"),
    Row::full(80, "chdir", sys_chdir, "s"),
    Row::full(81, "fchdir", sys_fchdir, "d"),
    Row::full(161, "chroot", sys_chroot, "s"),
    Row::full(79, "getcwd", sys_getcwd, "xd"),
    Row::full(95, "umask", sys_umask, "x"),
];

const AT_FDCWD: i32 = -100;

/// Where the paths of a process begin.
fn context(call: &Call<'_>) -> Context {
    call.thread.process.context.lock().clone()
}

/// Calls `f` with the directory that a descriptor is.
fn at<R>(call: &Call<'_>, fd: u64, path: &[u8], f: impl FnOnce(At<'_>) -> Result<R>) -> Result<R> {
    // An absolute path does not look at the descriptor at all.
    if fd as i32 == AT_FDCWD || path.first() == Some(&b'/') {
        return f(At::Cwd);
    }
    let file = call.file(fd)?;
    f(At::Descriptor(&file))
}

/// The AT_ flags of a call: EINVAL for those that it does not take.
fn at_flags(raw: u64, allowed: AtFlags) -> Result<AtFlags> {
    AtFlags::from_bits(raw as u32)
        .filter(|&flags| allowed.contains(flags))
        .ok_or(Errno::EINVAL)
}

const EITHER: AtFlags = AtFlags::SYMLINK_NOFOLLOW.union(AtFlags::EMPTY_PATH);

const O_CLOEXEC: u64 = 0o2000000;

fn open(call: &Call<'_>, fd: u64, path: u64, how: OpenHow, flags: u64) -> Result<u64> {
    let path = user::get_path(path)?;
    let file = loop {
        match at(call, fd, &path, |at| {
            container().vfs.open(&context(call), at, &path, how)
        }) {
            Err(Errno::EINTR) if !call.thread.is_interrupted() => {}
            done => break done?,
        }
    };
    add_open(&call.thread.process, file, OnExec::of(flags & O_CLOEXEC != 0))
}

fn sys_open(call: &mut Call<'_>) -> Result<u64> {
    let [path, flags, mode, ..] = call.args;
    open(
        call,
        AT_FDCWD as u64,
        path,
        OpenHow::open(flags as u32, mode as u32)?,
        flags,
    )
}

fn sys_creat(call: &mut Call<'_>) -> Result<u64> {
    /// O_CREAT | O_WRONLY | O_TRUNC
    const FLAGS: u32 = 0o100 | 0o1 | 0o1000;
    let [path, mode, ..] = call.args;
    open(call, AT_FDCWD as u64, path, OpenHow::open(FLAGS, mode as u32)?, 0)
}

fn sys_openat(call: &mut Call<'_>) -> Result<u64> {
    let [fd, path, flags, mode, ..] = call.args;
    open(call, fd, path, OpenHow::open(flags as u32, mode as u32)?, flags)
}

fn sys_openat2(call: &mut Call<'_>) -> Result<u64> {
    let [fd, path, how, size, ..] = call.args;
    // struct open_how: flags, mode, resolve.
    if size < 24 {
        return Err(Errno::EINVAL);
    }
    let size = usize::try_from(size)
        .ok()
        .filter(|&size| size <= 4096)
        .ok_or(Errno::E2BIG)?;
    let bytes = user::get_bytes(how, size)?;
    if bytes.iter().skip(24).any(|&byte| byte != 0) {
        return Err(Errno::E2BIG);
    }
    let [flags, mode, resolve]: [u64; 3] =
        zerocopy::transmute!(*bytes.first_chunk::<24>().ok_or(Errno::EINVAL)?);
    open(call, fd, path, OpenHow::open2(flags, mode, resolve)?, flags)
}

fn time(time: Timestamp) -> Timespec {
    Timespec {
        seconds: time.seconds,
        nanoseconds: time.nanoseconds.into(),
    }
}

fn raw_stat(stat: &Stat) -> RawStat {
    RawStat {
        device: stat.device,
        inode: stat.inode,
        links: stat.links.into(),
        mode: stat.mode(),
        uid: stat.uid,
        gid: stat.gid,
        _pad: 0,
        special_device: stat.special_device,
        size: stat.size as i64,
        block_size: stat.block_size.into(),
        blocks: stat.blocks as i64,
        accessed: time(stat.accessed),
        modified: time(stat.modified),
        changed: time(stat.changed),
        _unused: [0; 3],
    }
}

fn stat(call: &Call<'_>, fd: u64, path: u64, out: u64, flags: AtFlags) -> Result<u64> {
    let path = user::get_path(path)?;
    let stat = at(call, fd, &path, |at| {
        container().vfs.stat(&context(call), at, &path, flags)
    })?;
    user::put(out, &raw_stat(&stat))?;
    Ok(0)
}

fn sys_stat(call: &mut Call<'_>) -> Result<u64> {
    stat(
        call,
        AT_FDCWD as u64,
        call.args[0],
        call.args[1],
        AtFlags::empty(),
    )
}

fn sys_lstat(call: &mut Call<'_>) -> Result<u64> {
    stat(
        call,
        AT_FDCWD as u64,
        call.args[0],
        call.args[1],
        AtFlags::SYMLINK_NOFOLLOW,
    )
}

fn sys_fstat(call: &mut Call<'_>) -> Result<u64> {
    let stat = call.file(call.args[0])?.object().stat()?;
    user::put(call.args[1], &raw_stat(&stat))?;
    Ok(0)
}

/// AT_NO_AUTOMOUNT has no effect.
const AT_NO_AUTOMOUNT: u64 = 0x800;

fn sys_newfstatat(call: &mut Call<'_>) -> Result<u64> {
    let [fd, path, out, flags, ..] = call.args;
    let flags = at_flags(flags & !AT_NO_AUTOMOUNT, EITHER)?;
    if flags.contains(AtFlags::EMPTY_PATH) && fd as i32 != AT_FDCWD && user::get::<u8>(path) == Ok(0) {
        let stat = call.file(fd)?.object().stat()?;
        user::put(out, &raw_stat(&stat))?;
        return Ok(0);
    }
    stat(call, fd, path, out, flags)
}

fn statx_time(time: Timestamp) -> StatxTimestamp {
    StatxTimestamp {
        seconds: time.seconds,
        nanoseconds: time.nanoseconds,
        _reserved: 0,
    }
}

fn sys_statx(call: &mut Call<'_>) -> Result<u64> {
    /// STATX_BASIC_STATS, STATX_BTIME, STATX_MNT_ID
    const GIVEN: u32 = 0x7ff | 0x800 | 0x1000;
    const AT_STATX_SYNC: u64 = 0x6000;
    const RESERVED: u64 = 0x8000_0000;
    let [fd, path_at, flags, mask, out, _] = call.args;
    if mask & RESERVED != 0 || flags & AT_STATX_SYNC == AT_STATX_SYNC {
        return Err(Errno::EINVAL);
    }
    let flags = at_flags(flags & !(AT_NO_AUTOMOUNT | AT_STATX_SYNC), EITHER)?;
    let path = if path_at == 0 && flags.contains(AtFlags::EMPTY_PATH) {
        alloc::vec::Vec::new()
    } else {
        user::get_path(path_at)?
    };
    let context = context(call);
    let vfs = &container().vfs;
    let anonymous = path.is_empty() && flags.contains(AtFlags::EMPTY_PATH) && fd as i32 != AT_FDCWD;
    let (stat, mount) = if anonymous {
        let file = call.file(fd)?;
        let mount = vfs.mount_of(&context, At::Descriptor(&file), &path, flags);
        (file.object().stat()?, mount.map_or(0, |mount| mount.number()))
    } else {
        at(call, fd, &path, |at| {
            let stat = vfs.stat(&context, at, &path, flags)?;
            Ok((
                stat,
                vfs.mount_of(&context, at, &path, flags)
                    .map_or(0, |mount| mount.number()),
            ))
        })?
    };
    let major = |device: u64| ((device >> 8) & 0xfff | (device >> 32) & !0xfff) as u32;
    let minor = |device: u64| (device & 0xff | (device >> 12) & !0xff) as u32;
    let statx = Statx {
        mask: GIVEN,
        block_size: stat.block_size,
        attributes: 0,
        links: stat.links,
        uid: stat.uid,
        gid: stat.gid,
        mode: stat.mode() as u16,
        _spare0: 0,
        inode: stat.inode,
        size: stat.size,
        blocks: stat.blocks,
        attributes_mask: 0,
        accessed: statx_time(stat.accessed),
        created: statx_time(stat.created),
        changed: statx_time(stat.changed),
        modified: statx_time(stat.modified),
        special_major: major(stat.special_device),
        special_minor: minor(stat.special_device),
        device_major: major(stat.device),
        device_minor: minor(stat.device),
        mount: mount.into(),
        _spare: [0; 13],
    };
    user::put(out, &statx)?;
    Ok(0)
}

fn raw_statfs(stat: &fs::FileSystemStat) -> Statfs {
    Statfs {
        kind: stat.magic as i64,
        block_size: stat.block_size as i64,
        blocks: stat.blocks,
        free: stat.free_blocks,
        available: stat.free_blocks,
        files: stat.files,
        free_files: stat.free_files,
        id: [stat.device as i32, (stat.device >> 32) as i32],
        name_len: stat.name_max as i64,
        fragment_size: stat.block_size as i64,
        flags: stat.flags as i64,
        _spare: [0; 4],
    }
}

fn sys_statfs(call: &mut Call<'_>) -> Result<u64> {
    let path = user::get_path(call.args[0])?;
    let stat = container().vfs.stat_file_system(&context(call), &path)?;
    user::put(call.args[1], &raw_statfs(&stat))?;
    Ok(0)
}

fn sys_fstatfs(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.args[0])?;
    let stat = container().vfs.stat_file_system_at(&file)?;
    user::put(call.args[1], &raw_statfs(&stat))?;
    Ok(0)
}

fn access(call: &Call<'_>, fd: u64, path: u64, mode: u64, flags: u64) -> Result<u64> {
    const AT_EACCESS: u64 = 0x200;
    if mode & !7 != 0 {
        return Err(Errno::EINVAL);
    }
    let at_flags = at_flags(flags & !AT_EACCESS, EITHER)?;
    let path = user::get_path(path)?;
    let context = context(call);
    // With the real identities, unless the effective ones are asked for.
    let mut credentials = Credentials::clone(&context.credentials);
    if flags & AT_EACCESS == 0 {
        credentials.uid[3] = credentials.uid[0];
        credentials.gid[3] = credentials.gid[0];
    }
    let credentials = alloc::sync::Arc::new(credentials);
    let mode = AccessMode(mode as u32);
    at(call, fd, &path, |at| {
        container()
            .vfs
            .access(&context, at, &path, mode, at_flags, &credentials)
    })?;
    Ok(0)
}

fn sys_access(call: &mut Call<'_>) -> Result<u64> {
    access(call, AT_FDCWD as u64, call.args[0], call.args[1], 0)
}

fn sys_faccessat(call: &mut Call<'_>) -> Result<u64> {
    access(call, call.args[0], call.args[1], call.args[2], 0)
}

fn sys_faccessat2(call: &mut Call<'_>) -> Result<u64> {
    access(call, call.args[0], call.args[1], call.args[2], call.args[3])
}

fn make_directory(call: &Call<'_>, fd: u64, path: u64, mode: u64) -> Result<u64> {
    let path = user::get_path(path)?;
    at(call, fd, &path, |at| {
        container()
            .vfs
            .make_directory(&context(call), at, &path, mode as u32)
    })?;
    Ok(0)
}

fn sys_mkdir(call: &mut Call<'_>) -> Result<u64> {
    make_directory(call, AT_FDCWD as u64, call.args[0], call.args[1])
}

fn sys_mkdirat(call: &mut Call<'_>) -> Result<u64> {
    make_directory(call, call.args[0], call.args[1], call.args[2])
}

fn make_node(call: &Call<'_>, fd: u64, path: u64, mode: u64, device: u64) -> Result<u64> {
    let path = user::get_path(path)?;
    let node = NewNode::of_mode(mode as u32, device)?;
    at(call, fd, &path, |at| {
        container()
            .vfs
            .make_node(&context(call), at, &path, node, mode as u32)
    })?;
    Ok(0)
}

fn sys_mknod(call: &mut Call<'_>) -> Result<u64> {
    make_node(call, AT_FDCWD as u64, call.args[0], call.args[1], call.args[2])
}

fn sys_mknodat(call: &mut Call<'_>) -> Result<u64> {
    make_node(call, call.args[0], call.args[1], call.args[2], call.args[3])
}

fn sys_rmdir(call: &mut Call<'_>) -> Result<u64> {
    let path = user::get_path(call.args[0])?;
    container().vfs.remove_directory(&context(call), At::Cwd, &path)?;
    Ok(0)
}

fn sys_unlink(call: &mut Call<'_>) -> Result<u64> {
    let path = user::get_path(call.args[0])?;
    container().vfs.unlink(&context(call), At::Cwd, &path)?;
    Ok(0)
}

fn sys_unlinkat(call: &mut Call<'_>) -> Result<u64> {
    const AT_REMOVEDIR: u64 = 0x200;
    let [fd, path, flags, ..] = call.args;
    let path = user::get_path(path)?;
    let context = context(call);
    at(call, fd, &path, |at| match flags {
        0 => container().vfs.unlink(&context, at, &path),
        AT_REMOVEDIR => container().vfs.remove_directory(&context, at, &path),
        _ => Err(Errno::EINVAL),
    })?;
    Ok(0)
}

fn rename(call: &Call<'_>, from: (u64, u64), to: (u64, u64), flags: u64) -> Result<u64> {
    let flags = RenameFlags::from_bits(flags as u32).ok_or(Errno::EINVAL)?;
    let (old, new) = (user::get_path(from.1)?, user::get_path(to.1)?);
    at(call, from.0, &old, |from_at| {
        at(call, to.0, &new, |to_at| {
            container()
                .vfs
                .rename(&context(call), (from_at, &old), (to_at, &new), flags)
        })
    })?;
    Ok(0)
}

fn sys_rename(call: &mut Call<'_>) -> Result<u64> {
    rename(
        call,
        (AT_FDCWD as u64, call.args[0]),
        (AT_FDCWD as u64, call.args[1]),
        0,
    )
}

fn sys_renameat(call: &mut Call<'_>) -> Result<u64> {
    rename(
        call,
        (call.args[0], call.args[1]),
        (call.args[2], call.args[3]),
        0,
    )
}

fn sys_renameat2(call: &mut Call<'_>) -> Result<u64> {
    rename(
        call,
        (call.args[0], call.args[1]),
        (call.args[2], call.args[3]),
        call.args[4],
    )
}

fn link(call: &Call<'_>, from: (u64, u64), to: (u64, u64), flags: u64) -> Result<u64> {
    let flags = at_flags(flags, AtFlags::SYMLINK_FOLLOW | AtFlags::EMPTY_PATH)?;
    let (old, new) = (user::get_path(from.1)?, user::get_path(to.1)?);
    at(call, from.0, &old, |from_at| {
        at(call, to.0, &new, |to_at| {
            container()
                .vfs
                .link(&context(call), (from_at, &old), (to_at, &new), flags)
        })
    })?;
    Ok(0)
}

fn sys_link(call: &mut Call<'_>) -> Result<u64> {
    link(
        call,
        (AT_FDCWD as u64, call.args[0]),
        (AT_FDCWD as u64, call.args[1]),
        0,
    )
}

fn sys_linkat(call: &mut Call<'_>) -> Result<u64> {
    link(
        call,
        (call.args[0], call.args[1]),
        (call.args[2], call.args[3]),
        call.args[4],
    )
}

fn make_symlink(call: &Call<'_>, target: u64, fd: u64, path: u64) -> Result<u64> {
    let (target, path) = (user::get_path(target)?, user::get_path(path)?);
    at(call, fd, &path, |at| {
        container().vfs.make_symlink(&context(call), &target, at, &path)
    })?;
    Ok(0)
}

fn sys_symlink(call: &mut Call<'_>) -> Result<u64> {
    make_symlink(call, call.args[0], AT_FDCWD as u64, call.args[1])
}

fn sys_symlinkat(call: &mut Call<'_>) -> Result<u64> {
    make_symlink(call, call.args[0], call.args[1], call.args[2])
}

fn read_link(call: &Call<'_>, fd: u64, path: u64, out: u64, room: i32) -> Result<u64> {
    let room = usize::try_from(room)
        .ok()
        .filter(|&room| room > 0)
        .ok_or(Errno::EINVAL)?;
    let path = user::get_path(path)?;
    let target = at(call, fd, &path, |at| {
        container().vfs.read_link(&context(call), at, &path)
    })?;
    let given = target.get(..room.min(target.len())).unwrap_or_default();
    user::put_bytes(out, given)?;
    Ok(given.len() as u64)
}

fn sys_readlink(call: &mut Call<'_>) -> Result<u64> {
    read_link(call, AT_FDCWD as u64, call.args[0], call.args[1], call.int(2))
}

fn sys_readlinkat(call: &mut Call<'_>) -> Result<u64> {
    read_link(call, call.args[0], call.args[1], call.args[2], call.int(3))
}

fn change_mode(call: &Call<'_>, fd: u64, path: &[u8], mode: u64, flags: AtFlags) -> Result<u64> {
    at(call, fd, path, |at| {
        container()
            .vfs
            .change_mode(&context(call), at, path, mode as u32, flags)
    })?;
    Ok(0)
}

fn sys_chmod(call: &mut Call<'_>) -> Result<u64> {
    let path = user::get_path(call.args[0])?;
    change_mode(call, AT_FDCWD as u64, &path, call.args[1], AtFlags::empty())
}

fn sys_fchmod(call: &mut Call<'_>) -> Result<u64> {
    open_only(call)?;
    change_mode(call, call.args[0], b"", call.args[1], AtFlags::EMPTY_PATH)
}

/// What changes an open file refuses one that was opened with O_PATH.
fn open_only(call: &Call<'_>) -> Result<()> {
    let is_path = call
        .file(call.args[0])?
        .flags()
        .contains(kobject::StatusFlags::PATH);
    if is_path { Err(Errno::EBADF) } else { Ok(()) }
}

fn sys_fchmodat(call: &mut Call<'_>) -> Result<u64> {
    let path = user::get_path(call.args[1])?;
    change_mode(call, call.args[0], &path, call.args[2], AtFlags::empty())
}

fn sys_fchmodat2(call: &mut Call<'_>) -> Result<u64> {
    let flags = at_flags(call.args[3], EITHER)?;
    let path = user::get_path(call.args[1])?;
    change_mode(call, call.args[0], &path, call.args[2], flags)
}

fn change_owner(call: &Call<'_>, fd: u64, path: &[u8], uid: u64, gid: u64, flags: AtFlags) -> Result<u64> {
    let given = |id: u64| Some(id as u32).filter(|&id| id != u32::MAX);
    let owner = Owner {
        uid: given(uid),
        gid: given(gid),
    };
    at(call, fd, path, |at| {
        container()
            .vfs
            .change_owner(&context(call), at, path, owner, flags)
    })?;
    Ok(0)
}

fn sys_chown(call: &mut Call<'_>) -> Result<u64> {
    let path = user::get_path(call.args[0])?;
    change_owner(
        call,
        AT_FDCWD as u64,
        &path,
        call.args[1],
        call.args[2],
        AtFlags::empty(),
    )
}

fn sys_lchown(call: &mut Call<'_>) -> Result<u64> {
    let path = user::get_path(call.args[0])?;
    change_owner(
        call,
        AT_FDCWD as u64,
        &path,
        call.args[1],
        call.args[2],
        AtFlags::SYMLINK_NOFOLLOW,
    )
}

fn sys_fchown(call: &mut Call<'_>) -> Result<u64> {
    open_only(call)?;
    change_owner(
        call,
        call.args[0],
        b"",
        call.args[1],
        call.args[2],
        AtFlags::EMPTY_PATH,
    )
}

fn sys_fchownat(call: &mut Call<'_>) -> Result<u64> {
    let flags = at_flags(call.args[4], EITHER)?;
    let path = user::get_path(call.args[1])?;
    change_owner(call, call.args[0], &path, call.args[2], call.args[3], flags)
}

fn set_times(call: &Call<'_>, fd: u64, path: u64, times: [SetTime; 2], flags: AtFlags) -> Result<u64> {
    // A null path means the open file itself.
    let (path, flags) = match path {
        0 => (alloc::vec::Vec::new(), flags | AtFlags::EMPTY_PATH),
        path => (user::get_path(path)?, flags),
    };
    at(call, fd, &path, |at| {
        container().vfs.set_times(&context(call), at, &path, times, flags)
    })?;
    Ok(0)
}

fn seconds(seconds: i64) -> SetTime {
    SetTime::To(Timestamp {
        seconds,
        nanoseconds: 0,
    })
}

fn sys_utime(call: &mut Call<'_>) -> Result<u64> {
    let times = match user::get_if::<[i64; 2]>(call.args[1])? {
        None => [SetTime::Now; 2],
        Some(times) => times.map(seconds),
    };
    set_times(call, AT_FDCWD as u64, call.args[0], times, AtFlags::empty())
}

fn timevals(at: u64) -> Result<[SetTime; 2]> {
    let Some(times) = user::get_if::<[Timeval; 2]>(at)? else {
        return Ok([SetTime::Now; 2]);
    };
    let mut out = [SetTime::Now; 2];
    for (out, time) in out.iter_mut().zip(times) {
        let micros = u32::try_from(time.microseconds)
            .ok()
            .filter(|&micros| micros < 1_000_000);
        let nanoseconds = micros.ok_or(Errno::EINVAL)? * 1000;
        *out = SetTime::To(Timestamp {
            seconds: time.seconds,
            nanoseconds,
        });
    }
    Ok(out)
}

fn sys_utimes(call: &mut Call<'_>) -> Result<u64> {
    let times = timevals(call.args[1])?;
    set_times(call, AT_FDCWD as u64, call.args[0], times, AtFlags::empty())
}

fn sys_futimesat(call: &mut Call<'_>) -> Result<u64> {
    let times = timevals(call.args[2])?;
    set_times(call, call.args[0], call.args[1], times, AtFlags::empty())
}

fn sys_utimensat(call: &mut Call<'_>) -> Result<u64> {
    const UTIME_NOW: i64 = (1 << 30) - 1;
    const UTIME_OMIT: i64 = (1 << 30) - 2;
    let [fd, path, times, flags, ..] = call.args;
    let flags = at_flags(flags, EITHER)?;
    let times = match user::get_if::<[Timespec; 2]>(times)? {
        None => [SetTime::Now; 2],
        Some(times) => {
            let mut out = [SetTime::Now; 2];
            for (out, time) in out.iter_mut().zip(times) {
                *out = match time.nanoseconds {
                    UTIME_NOW => SetTime::Now,
                    UTIME_OMIT => SetTime::Omit,
                    n if (0..SECOND as i64).contains(&n) => SetTime::To(Timestamp {
                        seconds: time.seconds,
                        nanoseconds: n as u32,
                    }),
                    _ => return Err(Errno::EINVAL),
                };
            }
            out
        }
    };
    if path == 0 && fd as i32 == AT_FDCWD {
        return Err(Errno::EFAULT);
    }
    set_times(call, fd, path, times, flags)
}

fn length(raw: u64) -> Result<u64> {
    if (raw as i64) < 0 {
        Err(Errno::EINVAL)
    } else {
        Ok(raw)
    }
}

fn sys_truncate(call: &mut Call<'_>) -> Result<u64> {
    let len = length(call.args[1])?;
    let path = user::get_path(call.args[0])?;
    container().vfs.truncate(&context(call), &path, len)?;
    Ok(0)
}

fn sys_ftruncate(call: &mut Call<'_>) -> Result<u64> {
    let len = length(call.args[1])?;
    let file = call.file(call.args[0])?;
    if file.flags().contains(kobject::StatusFlags::PATH) {
        return Err(Errno::EBADF);
    }
    if !file.flags().writable() {
        return Err(Errno::EINVAL);
    }
    if len > file.object().end()? {
        check_file_size(call, len)?;
    }
    file.object().truncate(len)?;
    modified(call, &file);
    Ok(0)
}

fn sys_fallocate(call: &mut Call<'_>) -> Result<u64> {
    let [fd, mode, offset, len, ..] = call.args;
    let (offset, len) = (length(offset)?, length(len)?);
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    let file = call.file(fd)?;
    if !file.flags().writable() {
        return Err(Errno::EBADF);
    }
    if offset.checked_add(len).is_none_or(|end| end > i64::MAX as u64) {
        return Err(Errno::EFBIG);
    }
    check_file_size(call, offset + len)?;
    file.object().allocate(mode as u32, offset, len)?;
    modified(call, &file);
    Ok(0)
}

fn sys_chdir(call: &mut Call<'_>) -> Result<u64> {
    let path = user::get_path(call.args[0])?;
    let directory = container()
        .vfs
        .directory(&context(call), At::Cwd, &path, AtFlags::empty())?;
    call.thread.process.context.lock().cwd = directory;
    Ok(0)
}

fn sys_fchdir(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.args[0])?;
    let directory =
        container()
            .vfs
            .directory(&context(call), At::Descriptor(&file), b"", AtFlags::EMPTY_PATH)?;
    call.thread.process.context.lock().cwd = directory;
    Ok(0)
}

fn sys_chroot(call: &mut Call<'_>) -> Result<u64> {
    let path = user::get_path(call.args[0])?;
    let directory = container()
        .vfs
        .directory(&context(call), At::Cwd, &path, AtFlags::empty())?;
    let mut context = call.thread.process.context.lock();
    if context.credentials.euid() != 0 {
        return Err(Errno::EPERM);
    }
    context.root = directory;
    Ok(0)
}

fn sys_getcwd(call: &mut Call<'_>) -> Result<u64> {
    let [at, room, ..] = call.args;
    let mut path = container().vfs.working_directory(&context(call))?;
    path.push(0);
    if (path.len() as u64) > room {
        return Err(Errno::ERANGE);
    }
    user::put_bytes(at, &path)?;
    Ok(path.len() as u64)
}

fn sys_umask(call: &mut Call<'_>) -> Result<u64> {
    let mut context = call.thread.process.context.lock();
    let before = context.umask;
    context.umask = call.args[0] as u32 & 0o777;
    Ok(before.into())
}
