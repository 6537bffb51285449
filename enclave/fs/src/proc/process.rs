//! `/proc/PID`, and `/proc/PID/task/TID`, which is nearly the same.

use alloc::vec::Vec;

use kobject::{Description, Errno, Result};

use super::text;
use crate::inode::Link;
use crate::mounts;
use crate::synthetic::{Item, Numbered, Shape, Subject, Synthetic};
use crate::vfs::dentry_of;

/// A process.
pub(super) const PROCESS: Shape = Shape::Directory(PROCESS_ITEMS, None);

const TASK: Shape = Shape::Directory(TASK_ITEMS, None);

macro_rules! items {
    ($($extra:expr),*) => {
        &[
            Item::text("cmdline", |fs, subject| Ok(fs.process(subject)?.arguments())),
            Item { permissions: 0o400, ..Item::text("environ", |fs, subject| Ok(fs.process(subject)?.environment())) },
            Item { permissions: 0o400, ..Item::text("auxv", |fs, subject| Ok(fs.process(subject)?.auxiliary())) },
            Item::text("maps", |fs, subject| Ok(fs.process(subject)?.maps())),
            Item::text("mounts", |fs, _| Ok(mounts::mounts(fs.mounts))),
            Item::text("mountinfo", |fs, _| Ok(mounts::mount_info(fs.mounts))),
            Item::link("exe", exe),
            Item::link("cwd", |fs, subject| Ok(Link::Jump(fs.process(subject)?.context().cwd))),
            Item::link("root", |fs, subject| Ok(Link::Jump(fs.process(subject)?.context().root))),
            Item { permissions: 0o500, shape: Shape::Directory(&[], Some(&DESCRIPTORS)), name: "fd" },
            Item { permissions: 0o644, shape: Shape::Writable(name, set_name), name: "comm" },
            $($extra),*
        ]
    };
}

const PROCESS_ITEMS: &[Item] = items!(Item {
    permissions: 0o555,
    shape: Shape::Directory(&[], Some(&TASKS)),
    name: "task",
});
const TASK_ITEMS: &[Item] = items!();

const TASKS: Numbered = Numbered {
    prefix: "",
    numbers: |fs, subject| {
        fs.process(subject)
            .map(|process| process.threads())
            .unwrap_or_default()
    },
    subject: |fs, subject, tid| {
        fs.process(subject).ok()?.thread(tid)?;
        Some(Subject { tid, ..subject })
    },
    permissions: |_, _| 0o555,
    shape: TASK,
};

const DESCRIPTORS: Numbered = Numbered {
    prefix: "",
    numbers: |fs, subject| {
        fs.process(subject)
            .map(|process| process.descriptors())
            .unwrap_or_default()
    },
    subject: descriptor_subject,
    permissions: |fs, subject| match descriptor(fs, subject) {
        // Readable means r-x, writable -wx.
        Ok(file) => 0o100 | u32::from(file.flags().readable()) << 8 | u32::from(file.flags().writable()) << 7,
        Err(_) => 0,
    },
    shape: Shape::Link(|fs, subject| Ok(Link::Jump(dentry_of(&*descriptor(fs, subject)?)?))),
};

fn descriptor_subject(fs: &Synthetic, subject: Subject, fd: u32) -> Option<Subject> {
    fs.process(subject).ok()?.descriptor(fd)?;
    Some(Subject {
        number: fd,
        ..subject
    })
}

fn descriptor(fs: &Synthetic, subject: Subject) -> Result<alloc::sync::Arc<Description>> {
    fs.process(subject)?
        .descriptor(subject.number)
        .ok_or(Errno::ENOENT)
}

fn exe(fs: &Synthetic, subject: Subject) -> Result<Link> {
    let executable = fs.process(subject)?.executable().ok_or(Errno::ENOENT)?;
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

const _: fn(alloc::string::String) -> Result<Vec<u8>> = text;
