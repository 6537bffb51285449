//! The overlay over an image: what is there, what changes, what stays.

mod common;

use common::{Container, Kind, Lister, Tree, list_all, read_all, write};
use kobject::{Errno, FileKind, KernelSink};
use libc::{
    O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_PATH, O_RDONLY, O_RDWR, O_TMPFILE, O_TRUNC,
    O_WRONLY,
};
use libos_fs::{At, OpenHow, path_of};
use linux_abi::{AllocateFlags, AtFlags, OpenFlags, RenameFlags, ResolveFlags, Seals, Whence};

fn tree() -> Tree {
    let mut tree = Tree::new();
    tree.directory("/etc");
    tree.file("/etc/hosts", b"127.0.0.1 localhost\n");
    tree.directory("/usr");
    tree.directory("/usr/lib");
    tree.symlink("/lib", "usr/lib");
    let big: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
    let id = tree.file("/usr/lib/big", &big);
    tree.link("/usr/lib/big2", id);
    tree.directory("/many");
    for n in 0..300 {
        tree.file(&format!("/many/file{n:03}"), format!("{n}").as_bytes());
    }
    tree.symlink("/loop", "loop");
    tree.symlink("/absolute", "/usr/lib");
    tree.add("/tmp", 0o1777, (0, 0), Kind::Directory(Default::default()));
    tree.add("/secret", 0o700, (0, 0), Kind::Directory(Default::default()));
    tree.file("/secret/key", b"key");
    tree
}

fn big() -> Vec<u8> {
    (0..100_000u32).map(|n| (n % 251) as u8).collect()
}

#[test]
fn the_image_is_there() {
    let container = Container::new(&tree());
    assert_eq!(container.read("/etc/hosts").unwrap(), b"127.0.0.1 localhost\n");
    assert_eq!(container.read("/lib/big").unwrap(), big());
    assert_eq!(container.read("/absolute/../lib/./big2").unwrap(), big());
    assert_eq!(container.read("/nothing"), Err(Errno::ENOENT));
    assert_eq!(container.read("/nothing"), Err(Errno::ENOENT));
    assert_eq!(container.read("/etc/hosts/x"), Err(Errno::ENOTDIR));
    assert_eq!(container.read("/etc/hosts/"), Err(Errno::ENOTDIR));
    assert_eq!(container.read("/loop"), Err(Errno::ELOOP));
    assert_eq!(container.read("/etc"), Err(Errno::EISDIR));
    assert_eq!(container.read(""), Err(Errno::ENOENT));
    assert_eq!(
        container.read(&format!("/{}", "x".repeat(256))),
        Err(Errno::ENAMETOOLONG)
    );
    assert_eq!(container.read(&"x/".repeat(2048)), Err(Errno::ENAMETOOLONG));
    assert_eq!(container.readlink("/lib").unwrap(), "usr/lib");
    assert_eq!(container.readlink("/etc"), Err(Errno::EINVAL));
    let stat = container.stat("/usr/lib/big").unwrap();
    assert_eq!(
        (stat.kind, stat.permissions, stat.links, stat.size),
        (FileKind::Regular, 0o644, 2, 100_000)
    );
    assert_eq!(stat.inode, container.stat("/usr/lib/big2").unwrap().inode);
    assert_eq!(
        container.list("/").unwrap().join(" "),
        "absolute dev etc lib loop many proc secret sys tmp usr"
    );
}

#[test]
fn files_of_the_image_change_by_pages() {
    let container = Container::new(&tree());
    let file = container.open("/usr/lib/big", O_RDWR, 0).unwrap();
    file.seek(5000, Whence::SEEK_SET).unwrap();
    write(&file, b"changed").unwrap();
    let mut expected = big();
    expected[5000..5007].copy_from_slice(b"changed");
    assert_eq!(container.read("/usr/lib/big").unwrap(), expected);
    // The other name is the same file.
    assert_eq!(container.read("/usr/lib/big2").unwrap(), expected);
    assert_eq!(file.object().clone().mapping().unwrap().call_site_key(), None);
    file.object().truncate(3000).unwrap();
    file.object().truncate(9000).unwrap();
    expected.truncate(3000);
    expected.resize(9000, 0);
    assert_eq!(container.read("/usr/lib/big2").unwrap(), expected);
    let append = container.open("/usr/lib/big", O_WRONLY | O_APPEND, 0).unwrap();
    write(&append, b"end").unwrap();
    expected.extend(b"end");
    assert_eq!(container.read("/usr/lib/big2").unwrap(), expected);
}

#[test]
fn an_inode_outlives_the_name_that_changed_it() {
    let container = Container::new(&tree());
    container.write("/usr/lib/big", b"new").unwrap();
    container.unlink("/usr/lib/big").unwrap();
    assert_eq!(container.read("/usr/lib/big2").unwrap(), b"new");
    assert_eq!(container.stat("/usr/lib/big2").unwrap().links, 1);
}

#[test]
fn names_come_and_go() {
    let container = Container::new(&tree());
    assert_eq!(container.mkdir("/etc"), Err(Errno::EEXIST));
    assert_eq!(container.rmdir("/many"), Err(Errno::ENOTEMPTY));
    container.unlink("/etc/hosts").unwrap();
    assert_eq!(container.read("/etc/hosts"), Err(Errno::ENOENT));
    container.rmdir("/etc").unwrap();
    assert_eq!(container.stat("/etc").map(drop), Err(Errno::ENOENT));
    // A new directory of the old name has nothing of the old one's.
    container.mkdir("/etc").unwrap();
    assert_eq!(container.list("/etc").unwrap(), Vec::<String>::new());
    container.write("/etc/hosts", b"mine").unwrap();
    assert_eq!(container.read("/etc/hosts").unwrap(), b"mine");
    // A directory of the image takes its contents along.
    container.rename("/usr", "/etc/usr").unwrap();
    assert_eq!(container.read("/etc/usr/lib/big").unwrap(), big());
    assert_eq!(container.read("/lib/big"), Err(Errno::ENOENT));
    assert_eq!(container.rename("/etc", "/etc/usr/x"), Err(Errno::EINVAL));
    assert_eq!(container.rename("/etc/usr/lib", "/etc"), Err(Errno::ENOTEMPTY));
    assert_eq!(container.rmdir("/proc"), Err(Errno::EBUSY));
    assert_eq!(container.rename("/proc", "/x"), Err(Errno::EBUSY));
    assert_eq!(container.rename("/etc/hosts", "/dev/hosts"), Err(Errno::EXDEV));
}

#[test]
fn a_removed_directory_is_dead() {
    let container = Container::new(&tree());
    container.mkdir("/tmp/a").unwrap();
    let mut inside = container.context.clone();
    inside.cwd = container
        .vfs
        .directory(&inside, At::Cwd, b"/tmp/a", AtFlags::empty())
        .unwrap();
    assert_eq!(container.vfs.working_directory(&inside).unwrap(), b"/tmp/a");
    container.rename("/tmp/a", "/tmp/b").unwrap();
    assert_eq!(container.vfs.working_directory(&inside).unwrap(), b"/tmp/b");
    container.rmdir("/tmp/b").unwrap();
    assert_eq!(container.vfs.working_directory(&inside), Err(Errno::ENOENT));
    let create = OpenHow::open((O_CREAT | O_WRONLY) as u32, 0o600).unwrap();
    assert_eq!(
        container.vfs.open(&inside, At::Cwd, b"x", create).err(),
        Some(Errno::ENOENT)
    );
    assert!(
        container
            .vfs
            .directory(&inside, At::Cwd, b"..", AtFlags::empty())
            .is_ok()
    );
}

#[test]
fn listing_survives_removal() {
    let container = Container::new(&tree());
    for n in 0..200 {
        container.write(&format!("/many/new{n:03}"), b"").unwrap();
    }
    let directory = container.open("/many", O_DIRECTORY, 0).unwrap();
    let mut seen = Vec::new();
    loop {
        let mut lister = Lister {
            entries: Vec::new(),
            most: 7,
        };
        directory.read_directory(&mut lister).unwrap();
        if lister.entries.is_empty() {
            break;
        }
        for entry in lister
            .entries
            .into_iter()
            .filter(|entry| entry.kind == FileKind::Regular)
        {
            container.unlink(&format!("/many/{}", entry.name)).unwrap();
            seen.push(entry.name);
        }
    }
    assert_eq!(seen.len(), 500);
    container.rmdir("/many").unwrap();
}

#[test]
fn listing_goes_on_at_any_cookie() {
    let container = Container::new(&tree());
    for n in 0..100 {
        container.write(&format!("/many/new{n:03}"), b"").unwrap();
    }
    container.unlink("/many/file123").unwrap();
    container.write("/many/file123", b"again").unwrap();
    let directory = container.open("/many", O_DIRECTORY, 0).unwrap();
    let all = list_all(&directory, usize::MAX).unwrap();
    assert_eq!(all.len(), 402);
    for (at, entry) in all.iter().enumerate() {
        directory.seek(entry.next as i64, Whence::SEEK_SET).unwrap();
        assert_eq!(list_all(&directory, 50).unwrap(), all[at + 1..]);
        let path = format!("/many/{}", entry.name);
        if entry.name != ".." {
            assert_eq!(container.stat(&path).unwrap().inode, entry.inode, "{path}");
        }
    }
}

#[test]
fn users_are_told_apart() {
    let container = Container::new(&tree());
    let user = container.as_user(1000, 1000);
    let open = |path: &str, flags: i32| {
        let how = OpenHow::open(flags as u32, 0o666).unwrap();
        container.vfs.open(&user, At::Cwd, path.as_bytes(), how).map(drop)
    };
    assert_eq!(open("/etc/hosts", O_RDONLY), Ok(()));
    assert_eq!(open("/etc/hosts", O_WRONLY), Err(Errno::EACCES));
    assert_eq!(open("/etc/hosts", O_RDONLY | O_TRUNC), Err(Errno::EACCES));
    assert_eq!(open("/etc/new", O_WRONLY | O_CREAT), Err(Errno::EACCES));
    assert_eq!(open("/secret/key", O_RDONLY), Err(Errno::EACCES));
    assert_eq!(open("/secret/nothing", O_RDONLY), Err(Errno::EACCES));
    assert_eq!(open("/tmp/mine", O_WRONLY | O_CREAT), Ok(()));
    container.write("/tmp/roots", b"").unwrap();
    let unlink = |path: &str| container.vfs.unlink(&user, At::Cwd, path.as_bytes());
    assert_eq!(unlink("/tmp/roots"), Err(Errno::EPERM));
    assert_eq!(unlink("/tmp/mine"), Ok(()));
    assert_eq!(unlink("/etc/hosts"), Err(Errno::EACCES));
    let chmod = |path: &str| {
        container
            .vfs
            .change_mode(&user, At::Cwd, path.as_bytes(), 0o777, AtFlags::empty())
    };
    assert_eq!(chmod("/etc/hosts"), Err(Errno::EPERM));
}

#[test]
fn open_flags_mean_what_they_say() {
    let container = Container::new(&tree());
    let open = |path: &str, flags: i32| container.open(path, flags, 0o644).map(drop);
    assert_eq!(open("/etc/hosts", O_CREAT | O_EXCL), Err(Errno::EEXIST));
    assert_eq!(open("/lib", O_CREAT | O_EXCL), Err(Errno::EEXIST));
    assert_eq!(open("/lib", O_NOFOLLOW), Err(Errno::ELOOP));
    assert_eq!(open("/lib", O_NOFOLLOW | O_DIRECTORY), Err(Errno::ENOTDIR));
    assert_eq!(open("/lib", O_NOFOLLOW | O_PATH), Ok(()));
    assert_eq!(open("/lib/", O_NOFOLLOW), Ok(()));
    assert_eq!(open("/etc/new/", O_CREAT | O_WRONLY), Err(Errno::EISDIR));
    assert_eq!(open("/etc", O_CREAT), Err(Errno::EISDIR));
    assert_eq!(open("/etc/..", O_CREAT), Err(Errno::EISDIR));
    assert_eq!(open("/etc", O_RDWR), Err(Errno::EISDIR));
    assert_eq!(open("/etc/hosts", O_DIRECTORY), Err(Errno::ENOTDIR));
    assert_eq!(open("/etc", O_CREAT | O_DIRECTORY), Err(Errno::EINVAL));
    assert_eq!(open("/tmp", O_TMPFILE), Err(Errno::EINVAL));

    let path = container.open("/etc/hosts", O_PATH, 0).unwrap();
    assert_eq!(read_all(&path), Err(Errno::EBADF));
    let temporary = container.open("/tmp", O_TMPFILE | O_RDWR, 0o600).unwrap();
    write(&temporary, b"temporary").unwrap();
    assert_eq!(temporary.object().stat().unwrap().links, 0);
    let from = (At::Descriptor(&temporary), &b""[..]);
    let to = (At::Cwd, &b"/tmp/named"[..]);
    container
        .vfs
        .link(&container.context, from, to, AtFlags::AT_EMPTY_PATH)
        .unwrap();
    assert_eq!(container.read("/tmp/named").unwrap(), b"temporary");
}

#[test]
fn paths_can_be_kept_within_bounds() {
    let container = Container::new(&tree());
    let directory = container.open("/usr", O_DIRECTORY, 0).unwrap();
    let open = |path: &str, resolve: ResolveFlags| {
        let how = OpenHow::open2(0, 0, resolve.bits()).unwrap();
        container
            .vfs
            .open(
                &container.context,
                At::Descriptor(&directory),
                path.as_bytes(),
                how,
            )
            .map(drop)
    };
    assert_eq!(open("lib/big", ResolveFlags::RESOLVE_BENEATH), Ok(()));
    assert_eq!(open("lib/../lib/big", ResolveFlags::RESOLVE_BENEATH), Ok(()));
    assert_eq!(open("../etc", ResolveFlags::RESOLVE_BENEATH), Err(Errno::EXDEV));
    assert_eq!(open("/etc", ResolveFlags::RESOLVE_BENEATH), Err(Errno::EXDEV));
    assert_eq!(open("../../lib/big", ResolveFlags::RESOLVE_IN_ROOT), Ok(()));
    assert_eq!(open("/lib/big", ResolveFlags::RESOLVE_IN_ROOT), Ok(()));
    assert_eq!(
        open("../lib/big", ResolveFlags::RESOLVE_NO_SYMLINKS),
        Err(Errno::ELOOP)
    );
    assert_eq!(
        open("../dev/null", ResolveFlags::RESOLVE_NO_XDEV),
        Err(Errno::EXDEV)
    );
}

#[test]
fn memory_has_a_limit() {
    let container = Container::with(Some(tree().image()), 1 << 20);
    let file = container.open("/tmp/file", O_CREAT | O_RDWR, 0o600).unwrap();
    let written = write(&file, &vec![1; 2 << 20]).unwrap();
    assert!((900_000..1 << 20).contains(&written), "{written}");
    assert_eq!(write(&file, &[1; 8192]), Err(Errno::ENOSPC));
    container.unlink("/tmp/file").unwrap();
    // Open yet, so still there.
    assert_eq!(container.write("/tmp/other", &[1; 8192]), Err(Errno::ENOSPC));
    assert_eq!(path_of(&file, container.vfs.root()), b"/tmp/file (deleted)");
    drop(file);
    container.write("/tmp/other", &[1; 500_000]).unwrap();
}

#[test]
fn files_are_sparse() {
    let container = Container::new(&tree());
    let file = container.open("/tmp/file", O_CREAT | O_RDWR, 0o600).unwrap();
    file.seek(1 << 40, Whence::SEEK_SET).unwrap();
    write(&file, b"far").unwrap();
    let stat = file.object().stat().unwrap();
    assert_eq!((stat.size, stat.blocks), ((1 << 40) + 3, 8));
    assert_eq!(file.seek(0, Whence::SEEK_DATA).unwrap(), 1 << 40);
    assert_eq!(file.seek(1 << 40, Whence::SEEK_HOLE).unwrap(), (1 << 40) + 3);
    assert_eq!(file.seek(0, Whence::SEEK_HOLE).unwrap(), 0);
    assert_eq!(file.seek((1 << 40) + 3, Whence::SEEK_DATA), Err(Errno::ENXIO));
    file.object()
        .allocate(AllocateFlags::empty(), (1 << 40) + 3, 5000)
        .unwrap();
    assert_eq!(file.object().stat().unwrap().size, (1 << 40) + 5003);
    file.object()
        .allocate(AllocateFlags::FALLOC_FL_KEEP_SIZE, 0, 1 << 20)
        .unwrap();
    assert_eq!(file.object().stat().unwrap().size, (1 << 40) + 5003);
    assert_eq!(
        file.object().allocate(AllocateFlags::empty(), 0, 1 << 40),
        Err(Errno::ENOSPC)
    );
    const PUNCH: AllocateFlags =
        AllocateFlags::FALLOC_FL_PUNCH_HOLE.union(AllocateFlags::FALLOC_FL_KEEP_SIZE);
    let big = container.open("/usr/lib/big", O_RDWR, 0).unwrap();
    big.object().allocate(PUNCH, 5000, 10_000).unwrap();
    let mut expected = self::big();
    expected[5000..15_000].fill(0);
    assert_eq!(container.read("/usr/lib/big").unwrap(), expected);
    assert_eq!(big.seek(0, Whence::SEEK_HOLE).unwrap(), 8192);
    assert_eq!(big.seek(8192, Whence::SEEK_DATA).unwrap(), 12288);
}

#[test]
fn mappings_see_files() {
    let container = Container::new(&tree());
    let file = container.open("/usr/lib/big", O_RDWR, 0).unwrap();
    let mapping = file.object().clone().mapping().unwrap();
    assert_eq!(mapping.call_site_key(), Some(file.object().stat().unwrap().inode));
    let mut bytes = vec![1; 16384];
    assert_eq!(mapping.read_pages(90_112, &mut bytes).unwrap(), 100_000 - 90_112);
    assert_eq!(bytes[..9888], big()[90_112..]);
    assert!(bytes[9888..].iter().all(|&byte| byte == 0));
    mapping.write_pages(98_304, &[7; 4096]).unwrap();
    assert_eq!(mapping.len(), 100_000);
    let mut sink = KernelSink::new(10_000);
    file.read_at(98_300, &mut sink).unwrap();
    let read = sink.into_bytes();
    assert_eq!(read.len(), 1700);
    assert_eq!(read[..4], big()[98_300..98_304]);
    assert!(read[4..].iter().all(|&byte| byte == 7));
}

#[test]
fn anonymous_files_take_seals() {
    let container = Container::new(&tree());
    let file = container
        .vfs
        .anonymous_file(&container.context, b"name", 0o777, Seals::empty())
        .unwrap();
    write(&file, b"contents").unwrap();
    assert_eq!(path_of(&file, container.vfs.root()), b"/memfd:name (deleted)");
    container.vfs.add_seals(&file, Seals::F_SEAL_GROW.bits()).unwrap();
    assert_eq!(write(&file, b"more"), Err(Errno::EPERM));
    file.seek(0, Whence::SEEK_SET).unwrap();
    assert_eq!(write(&file, b"C"), Ok(1));
    container
        .vfs
        .add_seals(&file, (Seals::F_SEAL_WRITE | Seals::F_SEAL_SEAL).bits())
        .unwrap();
    assert_eq!(write(&file, b"x"), Err(Errno::EPERM));
    assert_eq!(
        container.vfs.add_seals(&file, Seals::F_SEAL_SHRINK.bits()),
        Err(Errno::EPERM)
    );
    assert_eq!(
        container.vfs.seals(&file),
        Ok(Seals::F_SEAL_GROW | Seals::F_SEAL_WRITE | Seals::F_SEAL_SEAL)
    );
}

#[test]
fn devices_do_what_they_are_for() {
    let container = Container::new(&tree());
    let zero = container.open("/dev/zero", O_RDWR, 0).unwrap();
    let mut sink = KernelSink::new(5);
    assert_eq!(zero.read(&mut sink), Ok(5));
    assert_eq!(sink.into_bytes(), [0; 5]);
    assert_eq!(zero.seek(100, Whence::SEEK_SET), Ok(0));
    assert_eq!(zero.object().stat().unwrap().special_device, 0x105);
    let null = container.open("/dev/null", O_RDWR, 0).unwrap();
    assert_eq!(write(&null, b"gone"), Ok(4));
    assert_eq!(read_all(&null).unwrap(), b"");
    let full = container.open("/dev/full", O_RDWR, 0).unwrap();
    assert_eq!(write(&full, b"x"), Err(Errno::ENOSPC));
    let random = container.open("/dev/urandom", O_RDONLY, 0).unwrap();
    let mut sink = KernelSink::new(1000);
    assert_eq!(random.read(&mut sink), Ok(1000));
    assert_eq!(container.open("/dev/tty", O_RDWR, 0).err(), Some(Errno::ENXIO));
    container.write("/dev/shm/segment", b"shared").unwrap();
    assert_eq!(container.read("/dev/shm/segment").unwrap(), b"shared");
}

#[test]
fn proc_leads_to_the_objects_themselves() {
    let container = Container::new(&tree());
    let file = container.open("/etc/hosts", O_RDONLY, 0).unwrap();
    container.process.descriptors.lock().unwrap().insert(3, file);
    assert_eq!(container.readlink("/proc/self").unwrap(), "7");
    assert_eq!(container.readlink("/proc/self/fd/3").unwrap(), "/etc/hosts");
    assert_eq!(container.readlink("/proc/self/fd/4"), Err(Errno::ENOENT));
    container.unlink("/etc/hosts").unwrap();
    assert_eq!(container.readlink("/dev/fd/3").unwrap(), "/etc/hosts (deleted)");
    assert_eq!(container.read("/dev/fd/3").unwrap(), b"127.0.0.1 localhost\n");
    assert_eq!(container.list("/proc/self/fd").unwrap(), ["3"]);
    assert_eq!(
        container.read("/proc/thread-self/cmdline").unwrap(),
        b"test\0--fast\0"
    );
    container
        .write("/proc/self/comm", b"a name that is too long\n")
        .unwrap();
    assert_eq!(container.read("/proc/7/comm").unwrap(), b"a name that is \n");
    assert_eq!(container.stat("/proc/8").map(drop), Err(Errno::ENOENT));
    assert_eq!(container.stat("/proc/07").map(drop), Err(Errno::ENOENT));
    assert!(container.list("/proc").unwrap().contains(&"7".into()));
    assert_eq!(container.readlink("/proc/self/cwd").unwrap(), "/");
}

#[test]
fn exchange_and_no_replace() {
    let container = Container::new(&tree());
    let rename = |old: &str, new: &str, flags| {
        let (old, new) = ((At::Cwd, old.as_bytes()), (At::Cwd, new.as_bytes()));
        container.vfs.rename(&container.context, old, new, flags)
    };
    assert_eq!(
        rename("/usr", "/etc", RenameFlags::RENAME_NOREPLACE),
        Err(Errno::EEXIST)
    );
    rename("/usr/lib/big", "/etc", RenameFlags::RENAME_EXCHANGE).unwrap();
    assert_eq!(container.read("/etc").unwrap(), big());
    assert_eq!(
        container.read("/usr/lib/big/hosts").unwrap(),
        b"127.0.0.1 localhost\n"
    );
    assert_eq!(container.stat("/usr/lib").unwrap().links, 3);
    assert_eq!(container.list("/usr/lib").unwrap(), ["big", "big2"]);
}

/// One page of a file that a program has mapped shared.
struct OnePage {
    index: u64,
    bytes: std::sync::Mutex<Option<Vec<u8>>>,
}

impl kobject::SharedPages for OnePage {
    fn read(&self, offset: u64, out: &mut [u8]) -> kobject::Result<bool> {
        let bytes = self.bytes.lock().unwrap();
        let start = (offset % 4096) as usize;
        match &*bytes {
            Some(bytes) if offset / 4096 == self.index => {
                out.copy_from_slice(&bytes[start..start + out.len()]);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn write(
        &self,
        offset: u64,
        bytes: &[u8],
        file: &mut dyn FnMut() -> kobject::Result<()>,
    ) -> kobject::Result<()> {
        let mut page = self.bytes.lock().unwrap();
        file()?;
        if let Some(page) = page.as_mut().filter(|_| offset / 4096 == self.index) {
            let start = (offset % 4096) as usize;
            page[start..start + bytes.len()].copy_from_slice(bytes);
        }
        Ok(())
    }

    fn zero(
        &self,
        range: std::ops::Range<u64>,
        file: &mut dyn FnMut() -> kobject::Result<()>,
    ) -> kobject::Result<()> {
        let mut page = self.bytes.lock().unwrap();
        file()?;
        if range.start <= self.index * 4096 {
            *page = None;
        }
        Ok(())
    }
}

#[test]
fn shared_mappings_are_the_file() {
    let container = Container::new(&tree());
    let file = container.open("/usr/lib/big", O_RDWR, 0).unwrap();
    let mapping = file.object().clone().mapping().unwrap();
    let page = std::sync::Arc::new(OnePage {
        index: 1,
        bytes: std::sync::Mutex::new(Some(vec![9; 4096])),
    });
    let weak = std::sync::Arc::downgrade(&page);
    *mapping.shared_pages().unwrap().lock() = Some(weak);
    let mut expected = big();
    expected[4096..8192].fill(9);
    assert_eq!(container.read("/usr/lib/big").unwrap(), expected);
    file.seek(4000, Whence::SEEK_SET).unwrap();
    write(&file, &[5; 200]).unwrap();
    expected[4000..4200].fill(5);
    assert_eq!(container.read("/usr/lib/big").unwrap(), expected);
    assert_eq!(
        page.bytes.lock().unwrap().as_ref().unwrap()[..105],
        [[5; 104].as_slice(), &[9]].concat()
    );
    file.object().truncate(4096).unwrap();
    assert!(page.bytes.lock().unwrap().is_none());
    file.object().truncate(8192).unwrap();
    expected.truncate(4096);
    expected.resize(8192, 0);
    assert_eq!(container.read("/usr/lib/big").unwrap(), expected);
}

#[test]
fn locks_end_with_the_open_file() {
    use libos_fs::{
        LockKind, LockOwner, LockWait, RecordLock, lock_file, lock_record, release_records, test_record,
    };
    let container = Container::new(&tree());
    let open = || container.open("/etc/hosts", O_RDWR, 0).unwrap();
    let (one, two) = (open(), open());
    lock_file(&one, LockKind::Exclusive, LockWait::Try).unwrap();
    assert_eq!(
        lock_file(&two, LockKind::Shared, LockWait::Try),
        Err(Errno::EAGAIN)
    );
    drop(one);
    lock_file(&two, LockKind::Shared, LockWait::Try).unwrap();

    let one = open();
    let lock = |start, len| RecordLock::new(&one, LockKind::Exclusive, Whence::SEEK_SET, start, len).unwrap();
    lock_record(&one, LockOwner::Process(1), lock(10, 0), LockWait::Try).unwrap();
    let against = test_record(&two, LockOwner::Process(2), &lock(0, 100)).unwrap();
    assert_eq!(
        against.map(|(lock, pid)| (lock.start, lock.len(), pid)),
        Some((10, 0, Some(1)))
    );
    assert_eq!(
        lock_record(&two, LockOwner::Process(2), lock(50, -41), LockWait::Try),
        Err(Errno::EAGAIN)
    );
    // Any descriptor of the file that the process closes ends its locks.
    release_records(&two, 1);
    lock_record(&two, LockOwner::OpenFile, lock(0, 100), LockWait::Try).unwrap();
    assert_eq!(
        lock_record(&one, LockOwner::OpenFile, lock(0, 1), LockWait::Try),
        Err(Errno::EAGAIN)
    );
    drop(two);
    lock_record(&one, LockOwner::OpenFile, lock(0, 1), LockWait::Try).unwrap();
    assert_eq!(
        RecordLock::new(&one, LockKind::Shared, Whence::SEEK_SET, -1, 0),
        Err(Errno::EINVAL)
    );
    assert_eq!(
        RecordLock::new(&one, LockKind::Shared, Whence::SEEK_SET, i64::MAX, 2),
        Err(Errno::EOVERFLOW)
    );
}

#[test]
fn sockets_are_found_by_their_names() {
    let container = Container::new(&tree());
    let (vfs, context) = (&container.vfs, &container.context);
    vfs.bind_socket(context, b"/tmp/socket", std::sync::Arc::new(42u32), 0o777)
        .unwrap();
    assert_eq!(
        vfs.bind_socket(context, b"/tmp/socket", std::sync::Arc::new(1u32), 0o777),
        Err(Errno::EADDRINUSE)
    );
    let found = vfs.find_socket(context, b"/tmp/../tmp/socket").unwrap();
    assert_eq!(*found.downcast::<u32>().unwrap(), 42);
    let stat = container.stat("/tmp/socket").unwrap();
    assert_eq!((stat.kind, stat.permissions), (FileKind::Socket, 0o755));
    assert_eq!(container.open("/tmp/socket", O_RDWR, 0).err(), Some(Errno::ENXIO));
    assert!(matches!(
        vfs.find_socket(&container.as_user(1, 1), b"/tmp/socket"),
        Err(Errno::EACCES)
    ));
    assert!(matches!(
        vfs.find_socket(context, b"/etc/hosts"),
        Err(Errno::ECONNREFUSED)
    ));
    container.rename("/tmp/socket", "/tmp/renamed").unwrap();
    assert!(matches!(
        vfs.find_socket(context, b"/tmp/socket"),
        Err(Errno::ENOENT)
    ));
    assert!(vfs.find_socket(context, b"/tmp/renamed").is_ok());
}

/// Something that no path leads to, and that says how it was opened.
struct Object(std::sync::Mutex<Vec<OpenFlags>>);

impl kobject::File for Object {
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn stat(&self) -> kobject::Result<kobject::Stat> {
        Ok(kobject::Stat::new(FileKind::Fifo, 0o600, 99))
    }

    fn reopen(
        self: std::sync::Arc<Self>,
        flags: OpenFlags,
    ) -> kobject::Result<std::sync::Arc<dyn kobject::File>> {
        self.0.lock().unwrap().push(flags);
        Ok(self)
    }
}

#[test]
fn standard_output_can_be_opened_by_its_name() {
    let container = Container::new(&tree());
    let object = std::sync::Arc::new(Object(Default::default()));
    let output = kobject::Description::new(object.clone(), OpenFlags::O_WRONLY, b"pipe:[99]");
    container.process.descriptors.lock().unwrap().insert(1, output);
    assert_eq!(container.readlink("/proc/self/fd/1").unwrap(), "pipe:[99]");
    let file = container.open("/dev/stdout", O_WRONLY | O_APPEND, 0).unwrap();
    assert_eq!(path_of(&file, container.vfs.root()), b"pipe:[99]");
    assert_eq!(object.0.lock().unwrap().len(), 1);
    let follow = container
        .vfs
        .stat(&container.context, At::Cwd, b"/dev/stdout", AtFlags::empty());
    assert_eq!(follow.unwrap().inode, 99);
}
