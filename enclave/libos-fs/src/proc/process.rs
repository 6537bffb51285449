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
use crate::system::Process;
use crate::vfs::dentry_of;

/// A process.
pub(super) const PROCESS: Shape = Shape::Directory(PROCESS_ITEMS, None);

/// What a process and a task both have, and what else they have.
macro_rules! items {
    ($($extra:expr),*) => {
        &[
            Item::directory("attr", &[Item::fixed("current", "")]),
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
            Item::private("io", 0o400, |_, _| Ok(IO.into())),
            Item::text("limits", status::limits),
            Item::fixed("loginuid", "4294967295"),
            Item::private("maps", 0o444, |fs, subject| Ok(fs.process(subject)?.maps())),
            Item::text("mountinfo", |fs, _| Ok(fs.mounts.mount_info())),
            Item::text("mounts", |fs, _| Ok(fs.mounts.mounts())),
            Item::directory("net", net::ITEMS),
            Item::directory("ns", NAMESPACES),
            Item::fixed("oom_score", "0\n"),
            Item::writable("oom_score_adj", out_of_memory, set_out_of_memory),
            Item::private("personality", 0o400, |_, _| Ok(b"00000000\n".to_vec())),
            Item::link("root", |fs, subject| Ok(Link::Jump(living(fs, subject)?.context().root))),
            Item::fixed("schedstat", "0 0 0\n"),
            Item::fixed("sessionid", "4294967295"),
            Item::fixed("setgroups", "allow\n"),
            Item::private("smaps", 0o444, maps_in_detail),
            Item::private("smaps_rollup", 0o444, maps_in_sum),
            Item::text("stat", status::stat),
            Item::text("statm", status::memory),
            Item::text("status", status::status),
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

/// What a process has read and written is not counted.
const IO: &[u8] =
    b"rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n";

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
    Ok(format!("pos:\t{position}\nflags:\t0{flags:o}\nmnt_id:\t{mount}\nino:\t{inode}\n").into_bytes())
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

/// `smaps_rollup`: one mapping that holds all.
fn maps_in_sum(fs: &Synthetic, subject: Subject) -> Result<Vec<u8>> {
    let resident = fs.process(subject)?.status().resident / 1024;
    let mut text =
        String::from("00000000-7fffffffffff ---p 00000000 00:00 0                          [rollup]\n");
    for name in [
        "Rss",
        "Pss",
        "Pss_Dirty",
        "Pss_Anon",
        "Private_Dirty",
        "Anonymous",
    ] {
        text += &format!("{:<16}{resident:>8} kB\n", format!("{name}:"));
    }
    for name in [
        "Shared_Clean",
        "Shared_Dirty",
        "Private_Clean",
        "Referenced",
        "Swap",
        "SwapPss",
        "Locked",
    ] {
        text += &format!("{:<16}{:>8} kB\n", format!("{name}:"), 0);
    }
    Ok(text.into_bytes())
}

/// `smaps`: each line of `maps` with its size. Which of it is in memory is not known here, so all of it counts.
fn maps_in_detail(fs: &Synthetic, subject: Subject) -> Result<Vec<u8>> {
    const ZERO: [&str; 17] = [
        "Pss_Dirty",
        "Shared_Clean",
        "Shared_Dirty",
        "Private_Clean",
        "Referenced",
        "Anonymous",
        "KSM",
        "LazyFree",
        "AnonHugePages",
        "ShmemPmdMapped",
        "FilePmdMapped",
        "Shared_Hugetlb",
        "Private_Hugetlb",
        "Swap",
        "SwapPss",
        "Locked",
        "Private_Dirty",
    ];
    let maps = fs.process(subject)?.maps();
    let mut text = Vec::with_capacity(maps.len() * 8);
    for map in maps.split_inclusive(|&byte| byte == b'\n') {
        text.extend_from_slice(map);
        let line = |name: &str, kilobytes: u64| format!("{:<16}{kilobytes:>8} kB\n", format!("{name}:"));
        let size = map_size(map).unwrap_or(0) / 1024;
        let sizes = [
            ("Size", size),
            ("KernelPageSize", 4),
            ("MMUPageSize", 4),
            ("Rss", size),
            ("Pss", size),
        ];
        for (name, kilobytes) in sizes.into_iter().chain(ZERO.map(|name| (name, 0))) {
            text.extend(line(name, kilobytes).into_bytes());
        }
        text.extend_from_slice(b"THPeligible:           0\nVmFlags: \n");
    }
    Ok(text)
}

/// Bytes of a mapping, from its line in `maps`.
fn map_size(line: &[u8]) -> Option<u64> {
    let line = core::str::from_utf8(line).ok()?;
    let (start, rest) = line.split_once('-')?;
    let (end, _) = rest.split_once(' ')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    number(end)?.checked_sub(number(start)?)
}
