//! `/proc/PID`, and `/proc/PID/task/TID`, which is nearly the same.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use kobject::{Description, Errno, Result};
use linux_abi::stat::{S_IRUSR, S_IWUSR, S_IXUSR};

use super::{net, status};
use crate::inode::Link;
use crate::synthetic::{Item, Numbered, Shape, Subject, Synthetic};
use crate::system::{MappingStatus, Process, Transfers};
use crate::vfs::dentry_of;

/// A process.
pub(super) const PROCESS: Shape = Shape::Directory(PROCESS_ITEMS, None);

/// What a process and a task both have, and what else they have.
macro_rules! items {
    ($($extra:expr),*) => {
        &[
            Item::directory("attr", &[Item::fixed("current", "")]),
            Item::fixed("autogroup", "/autogroup-1 nice 0\n"),
            Item::private("auxv", 0o400, |fs, subject| Ok(fs.process(subject)?.auxiliary())),
            Item::fixed("cgroup", "0::/\n"),
            Item::text("cmdline", arguments),
            Item::writable("comm", name, set_name),
            Item::fixed("coredump_filter", "00000033\n"),
            Item::fixed("cpuset", "/\n"),
            Item::link("cwd", |fs, subject| Ok(Link::Jump(living(fs, subject)?.context().cwd))),
            Item::private("environ", 0o400, |fs, subject| Ok(fs.process(subject)?.environment())),
            Item::link("exe", exe),
            Item { name: "fd", permissions: 0o500, shape: Shape::Directory(&[], Some(&DESCRIPTORS)) },
            Item { name: "fdinfo", permissions: 0o555, shape: Shape::Directory(&[], Some(&DESCRIPTOR_INFOS)) },
            Item::fixed("gid_map", ID_MAP),
            Item::private("io", 0o400, transfers),
            Item::text("limits", status::limits),
            Item::fixed("loginuid", "4294967295"),
            Item::private("maps", 0o444, |fs, subject| Ok(fs.process(subject)?.maps())),
            Item::text("mountinfo", |fs, _| Ok(fs.mounts.mount_info())),
            Item::text("mounts", |fs, _| Ok(fs.mounts.mounts())),
            Item::text("mountstats", |fs, _| Ok(fs.mounts.mount_statistics())),
            Item::directory("net", net::ITEMS),
            Item::directory("ns", NAMESPACES),
            Item::fixed("oom_score", "0\n"),
            Item::writable("oom_score_adj", out_of_memory, set_out_of_memory),
            Item::private("personality", 0o400, |_, _| Ok(b"00000000\n".to_vec())),
            Item::fixed("projid_map", ID_MAP),
            Item::link("root", |fs, subject| Ok(Link::Jump(living(fs, subject)?.context().root))),
            Item::fixed("schedstat", "0 0 0\n"),
            Item::fixed("sessionid", "4294967295"),
            Item::fixed("setgroups", "allow\n"),
            Item::private("smaps", 0o444, maps_in_detail),
            Item::private("smaps_rollup", 0o444, maps_in_sum),
            Item::text("stat", status::stat),
            Item::text("statm", status::memory),
            Item::text("status", status::status),
            Item::private("syscall", 0o400, |_, _| Ok(b"running\n".to_vec())),
            Item::fixed("timens_offsets", "monotonic           0         0\nboottime            0         0\n"),
            Item::fixed("uid_map", ID_MAP),
            Item::fixed("wchan", "0"),
            $($extra),*
        ]
    };
}

const PROCESS_ITEMS: &[Item] = items!(Item {
    name: "task",
    permissions: 0o555,
    shape: Shape::Directory(&[], Some(&TASKS)),
});
const TASK_ITEMS: &[Item] = items!(Item::text("children", children));

/// Users and groups are the same inside and outside: there is one namespace.
const ID_MAP: &str = "         0          0 4294967295\n";

/// One of each kind, by the numbers that Linux gives to its first ones. They are names only: nothing opens them.
const NAMESPACES: &[Item] = &[
    Item::link("cgroup", |fs, subject| {
        namespace(fs, subject, "cgroup:[4026531835]")
    }),
    Item::link("ipc", |fs, subject| namespace(fs, subject, "ipc:[4026531839]")),
    Item::link("mnt", |fs, subject| namespace(fs, subject, "mnt:[4026531841]")),
    Item::link("net", |fs, subject| namespace(fs, subject, "net:[4026531840]")),
    Item::link("pid", |fs, subject| namespace(fs, subject, "pid:[4026531836]")),
    Item::link("pid_for_children", |fs, subject| {
        namespace(fs, subject, "pid:[4026531836]")
    }),
    Item::link("time", |fs, subject| namespace(fs, subject, "time:[4026531834]")),
    Item::link("time_for_children", |fs, subject| {
        namespace(fs, subject, "time:[4026531834]")
    }),
    Item::link("user", |fs, subject| namespace(fs, subject, "user:[4026531837]")),
    Item::link("uts", |fs, subject| namespace(fs, subject, "uts:[4026531838]")),
];

fn namespace(fs: &Synthetic, subject: Subject, name: &str) -> Result<Link> {
    fs.inspect(subject)?;
    Ok(Link::Path(name.as_bytes().into()))
}

/// What read(2), write(2) and their kin have moved; no file lies on a disk.
fn transfers(fs: &Synthetic, subject: Subject) -> Result<Vec<u8>> {
    let Transfers {
        read,
        written,
        reads,
        writes,
    } = fs.process(subject)?.transfers();
    let counts = format!("rchar: {read}\nwchar: {written}\nsyscr: {reads}\nsyscw: {writes}\n");
    let disk = "read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n";
    Ok((counts + disk).into_bytes())
}

/// A process that the caller may look into and that has not ended: EACCES, ENOENT.
fn living(fs: &Synthetic, subject: Subject) -> Result<Arc<dyn Process>> {
    let process = fs.inspect(subject)?;
    if process.has_ended() {
        Err(Errno::ENOENT)
    } else {
        Ok(process)
    }
}

/// Nothing once it has ended.
fn arguments(fs: &Synthetic, subject: Subject) -> Result<Vec<u8>> {
    let process = fs.process(subject)?;
    Ok(if process.has_ended() {
        Vec::new()
    } else {
        process.arguments()
    })
}

/// All children count as the first thread's.
fn children(fs: &Synthetic, subject: Subject) -> Result<Vec<u8>> {
    let children = match subject.tid == subject.pid {
        true => fs.process(subject)?.children(),
        false => Vec::new(),
    };
    let text: String = children.iter().map(|pid| format!("{pid} ")).collect();
    Ok(text.into_bytes())
}

const TASKS: Numbered = Numbered {
    prefix: "",
    numbers: |fs, subject| {
        fs.process(subject)
            .map(|process| process.threads())
            .unwrap_or_default()
    },
    subject: |fs, subject, tid| {
        fs.process(subject).ok()?.thread(tid)?;
        // The number tells that it is the thread alone that is asked about.
        Some(Subject {
            tid,
            number: 1,
            ..subject
        })
    },
    permissions: |_, _| 0o555,
    shape: Shape::Directory(TASK_ITEMS, None),
};

const DESCRIPTORS: Numbered = Numbered {
    prefix: "",
    numbers: descriptor_numbers,
    subject: descriptor_subject,
    permissions: |fs, subject| match descriptor(fs, subject) {
        // Readable means r-x, writable -wx.
        Ok(file) => {
            let bit = |is, bit| if is { bit } else { 0 };
            let flags = file.flags();
            S_IXUSR | bit(flags.readable(), S_IRUSR) | bit(flags.writable(), S_IWUSR)
        }
        Err(_) => 0,
    },
    shape: Shape::Link(|fs, subject| {
        fs.inspect(subject)?;
        Ok(Link::Jump(dentry_of(&*descriptor(fs, subject)?)?))
    }),
};

const DESCRIPTOR_INFOS: Numbered = Numbered {
    prefix: "",
    numbers: descriptor_numbers,
    subject: descriptor_subject,
    permissions: |_, _| 0o400,
    shape: Shape::Private(descriptor_info),
};

fn descriptor_numbers(fs: &Synthetic, subject: Subject) -> Vec<u32> {
    fs.process(subject)
        .map(|process| process.descriptors())
        .unwrap_or_default()
}

fn descriptor_subject(fs: &Synthetic, subject: Subject, fd: u32) -> Option<Subject> {
    fs.process(subject).ok()?.descriptor(fd)?;
    Some(Subject {
        number: fd,
        ..subject
    })
}

fn descriptor(fs: &Synthetic, subject: Subject) -> Result<Arc<Description>> {
    fs.process(subject)?
        .descriptor(subject.number)
        .ok_or(Errno::ENOENT)
}

fn descriptor_info(fs: &Synthetic, subject: Subject) -> Result<Vec<u8>> {
    let file = descriptor(fs, subject)?;
    let stat = file.object().stat()?;
    let mount = fs.mounts.of_device(stat.device);
    let mount = mount.map_or(0, |mount| mount.number());
    let flags = file.flags().bits();
    let (position, inode) = (file.position(), stat.inode);
    let own = file.object().info();
    Ok(format!("pos:\t{position}\nflags:\t0{flags:o}\nmnt_id:\t{mount}\nino:\t{inode}\n{own}").into_bytes())
}

fn exe(fs: &Synthetic, subject: Subject) -> Result<Link> {
    let executable = living(fs, subject)?.executable().ok_or(Errno::ENOENT)?;
    Ok(Link::Jump(executable))
}

fn name(fs: &Synthetic, subject: Subject) -> Result<Vec<u8>> {
    let thread = fs.process(subject)?.thread(subject.tid).ok_or(Errno::ESRCH)?;
    let mut name = thread.name;
    name.push(b'\n');
    Ok(name)
}

fn set_name(fs: &Synthetic, subject: Subject, name: &[u8]) -> Result<()> {
    let name = name.strip_suffix(b"\n").unwrap_or(name);
    let name = name.get(..15).unwrap_or(name);
    fs.process(subject)?.set_thread_name(subject.tid, name)
}

fn out_of_memory(fs: &Synthetic, _: Subject) -> Result<Vec<u8>> {
    let adjust = fs.oom_score_adjust.load(Ordering::Relaxed);
    Ok(format!("{adjust}\n").into_bytes())
}

fn set_out_of_memory(fs: &Synthetic, _: Subject, text: &[u8]) -> Result<()> {
    let text = core::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
    let adjust: i32 = text.trim().parse().map_err(|_| Errno::EINVAL)?;
    if !(-1000..=1000).contains(&adjust) {
        return Err(Errno::EINVAL);
    }
    fs.oom_score_adjust.store(adjust, Ordering::Relaxed);
    Ok(())
}

/// The sizes of a mapping, or of all: their names, and kilobytes. What is there has been written, or may have been, so it counts as
/// dirty; how many others map what is shared is not known, so it all counts.
fn sizes_of(private: u64, shared: u64) -> [(&'static str, u64); 18] {
    let resident = private + shared;
    [
        ("Rss", resident),
        ("Pss", resident),
        ("Pss_Dirty", resident),
        ("Shared_Clean", 0),
        ("Shared_Dirty", shared),
        ("Private_Clean", 0),
        ("Private_Dirty", private),
        ("Referenced", resident),
        ("Anonymous", private),
        ("KSM", 0),
        ("LazyFree", 0),
        ("AnonHugePages", 0),
        ("ShmemPmdMapped", 0),
        ("FilePmdMapped", 0),
        ("Shared_Hugetlb", 0),
        ("Private_Hugetlb", 0),
        ("Swap", 0),
        ("SwapPss", 0),
    ]
}

fn size_line((name, kilobytes): (&str, u64)) -> String {
    format!("{:<16}{kilobytes:>8} kB\n", format!("{name}:"))
}

/// What of a mapping is there, in kilobytes: private and shared.
fn resident(mapping: &MappingStatus) -> (u64, u64) {
    match mapping.is_shared {
        true => (0, mapping.resident / 1024),
        false => (mapping.resident / 1024, 0),
    }
}

/// What of a mapping is locked, in kilobytes. All of that is there.
fn locked(mapping: &MappingStatus) -> u64 {
    if mapping.is_locked { mapping.size / 1024 } else { 0 }
}

/// `smaps_rollup`: one mapping that holds all.
fn maps_in_sum(fs: &Synthetic, subject: Subject) -> Result<Vec<u8>> {
    let mappings = fs.process(subject)?.mappings();
    let (private, shared) = mappings
        .iter()
        .map(resident)
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let locked = mappings.iter().map(locked).sum();
    let mut text =
        String::from("00000000-7fffffffffff ---p 00000000 00:00 0                          [rollup]\n");
    let kinds = [("Pss_Anon", private), ("Pss_File", 0), ("Pss_Shmem", shared)];
    let sizes = sizes_of(private, shared).into_iter();
    for size in sizes.chain(kinds).chain([("Locked", locked)]) {
        text += &size_line(size);
    }
    Ok(text.into_bytes())
}

/// `smaps`: each line of `maps` with its sizes.
fn maps_in_detail(fs: &Synthetic, subject: Subject) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for mapping in fs.process(subject)?.mappings() {
        text.extend_from_slice(&mapping.line);
        let (private, shared) = resident(&mapping);
        let pages = [
            ("Size", mapping.size / 1024),
            ("KernelPageSize", 4),
            ("MMUPageSize", 4),
        ];
        for size in pages
            .into_iter()
            .chain(sizes_of(private, shared))
            .chain([("Locked", locked(&mapping))])
        {
            text.extend_from_slice(size_line(size).as_bytes());
        }
        text.extend_from_slice(b"THPeligible:           0\nVmFlags: \n");
    }
    Ok(text)
}
