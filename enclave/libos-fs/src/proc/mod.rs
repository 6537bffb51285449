//! `/proc`: tables of names here, what stands in the files in the modules below.
//!
//! Texts are as Linux 6.x writes them, byte by byte in their format; numbers that an enclave has no use for are 0.

mod net;
mod process;
mod status;
mod sysctl;
mod whole;

use alloc::sync::Arc;

use kobject::Result;

use crate::inode::{Inode, Link};
use crate::mounts;
use crate::synthetic::{Item, Numbered, Subject, Synthetic};
use crate::system::SystemV;

pub(crate) use status::processor_list;

const ROOT: &[Item] = &[
    Item::fixed(
        "cgroups",
        "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t1\t1\nmemory\t0\t1\t1\n",
    ),
    Item::fixed("cmdline", "\n"),
    Item::fixed("consoles", ""),
    Item::text("cpuinfo", |fs, _| Ok(fs.system.cpu_info())),
    Item::fixed("execdomains", "0-0\tLinux           \t[kernel]\n"),
    Item::text("filesystems", |_, _| Ok(mounts::file_systems())),
    Item::fixed(
        "devices",
        "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/ptmx\n136 pts\n\nBlock devices:\n",
    ),
    Item::fixed("diskstats", ""),
    Item::text("interrupts", whole::interrupts),
    Item::fixed("key-users", ""),
    Item::fixed("keys", ""),
    Item::text("loadavg", whole::load_average),
    Item::fixed("locks", ""),
    Item::text("meminfo", whole::memory),
    Item::fixed("misc", ""),
    Item::fixed("modules", ""),
    Item::link("mounts", |_, _| path_link("self/mounts")),
    Item::link("net", |_, _| path_link("self/net")),
    Item::fixed("partitions", "major minor  #blocks  name\n\n"),
    Item::directory("pressure", PRESSURE),
    Item::link("self", |fs, _| {
        path_link(&alloc::format!("{}", fs.system.current().0))
    }),
    Item::text("softirqs", whole::software_interrupts),
    Item::text("stat", whole::stat),
    Item::fixed("swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"),
    Item::mounted("sys", sysctl::ROOT),
    Item::directory("sysvipc", SYSTEM_V),
    Item::link("thread-self", |fs, _| {
        let (pid, tid) = fs.system.current();
        path_link(&alloc::format!("{pid}/task/{tid}"))
    }),
    Item::directory("tty", &[Item::fixed("drivers", TERMINAL_DRIVERS)]),
    Item::text("uptime", whole::uptime),
    Item::text("version", whole::version),
    Item::text("vmstat", whole::virtual_memory),
];

/// Whether tasks wait for the machine is the host's to know.
const PRESSURE: &[Item] = &[
    Item::fixed("cpu", NO_PRESSURE),
    Item::fixed("io", NO_PRESSURE),
    Item::fixed("memory", NO_PRESSURE),
];

const NO_PRESSURE: &str =
    "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";

/// By this, `ps` knows the names of terminals.
const TERMINAL_DRIVERS: &str = "/dev/tty             /dev/tty        5       0 system:/dev/tty\n\
    /dev/ptmx            /dev/ptmx       5       2 system\n\
    pty_slave            /dev/pts      136 0-1048575 pty:slave\n\
    pty_master           /dev/ptm      128 0-1048575 pty:master\n";

const SYSTEM_V: &[Item] = &[
    Item::text("msg", |fs, _| Ok(fs.system.system_v(SystemV::Messages))),
    Item::text("sem", |fs, _| Ok(fs.system.system_v(SystemV::Semaphores))),
    Item::text("shm", |fs, _| Ok(fs.system.system_v(SystemV::Segments))),
];

const PROCESSES: Numbered = Numbered {
    prefix: "",
    numbers: |fs, _| fs.system.processes(),
    subject: |fs, _, pid| {
        let threads = fs.system.process(pid)?.threads();
        let tid = threads.first().copied().unwrap_or(pid);
        Some(Subject {
            pid,
            tid,
            ..Subject::default()
        })
    },
    permissions: |_, _| 0o555,
    shape: process::PROCESS,
};

fn path_link(path: &str) -> Result<Link> {
    Ok(Link::Path(path.as_bytes().into()))
}

/// The root of `/proc`.
pub(crate) fn root(fs: Synthetic) -> Arc<dyn Inode> {
    fs.root(ROOT, Some(&PROCESSES))
}
