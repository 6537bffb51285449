//! `/proc`.

mod process;

use alloc::sync::Arc;
use alloc::vec::Vec;

use kobject::Result;

use crate::inode::{Inode, Link};
use crate::synthetic::{Item, Numbered, Subject, Synthetic};

const ROOT: &[Item] = &[
    Item::link("self", |fs, _| decimal_link(fs.system.current().0)),
    Item::link("thread-self", |fs, _| {
        let (pid, tid) = fs.system.current();
        Ok(Link::Path(alloc::format!("{pid}/task/{tid}").into_bytes().into()))
    }),
    Item::link("mounts", |_, _| Ok(Link::Path(b"self/mounts"[..].into()))),
];

const PROCESSES: Numbered = Numbered {
    prefix: "",
    numbers: |fs, _| fs.system.processes(),
    subject: |fs, _, pid| {
        let threads = fs.system.process(pid)?.threads();
        let tid = threads.first().copied().unwrap_or(pid);
        Some(Subject { pid, tid, number: 0 })
    },
    permissions: |_, _| 0o555,
    shape: process::PROCESS,
};

fn decimal_link(number: u32) -> Result<Link> {
    Ok(Link::Path(alloc::format!("{number}").into_bytes().into()))
}

/// The root of `/proc`.
pub(crate) fn root(fs: Synthetic) -> Arc<dyn Inode> {
    fs.root(ROOT, Some(&PROCESSES))
}

/// Text as a file's contents.
fn text(text: alloc::string::String) -> Result<Vec<u8>> {
    Ok(text.into_bytes())
}
