//! `/sys`, as far as programs look at it: processors, memory nodes, huge pages, limits.

mod processors;

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use enclave_layout::PAGE_SIZE;
use kobject::Result;

use crate::inode::Inode;
use crate::synthetic::{Item, Shape, Subject, Synthetic};

const ROOT: &[Item] = &[
    Item::directory("block", &[]),
    Item::directory(
        "class",
        &[
            Item::directory("block", &[]),
            Item::directory("net", &[Item::directory("lo", LOOPBACK)]),
        ],
    ),
    Item::directory(
        "dev",
        &[Item::directory("block", &[]), Item::directory("char", &[])],
    ),
    Item::directory("devices", &[Item::directory("system", SYSTEM)]),
    Item::directory("fs", &[Item::mounted("cgroup", CGROUP)]),
    Item::directory("kernel", &[Item::directory("mm", MEMORY)]),
];

/// The loopback interface. The others are the host's, and what it says of them here would be believed.
const LOOPBACK: &[Item] = &[
    Item::fixed("addr_assign_type", "0\n"),
    Item::fixed("addr_len", "6\n"),
    Item::fixed("address", "00:00:00:00:00:00\n"),
    Item::fixed("broadcast", "00:00:00:00:00:00\n"),
    Item::fixed("carrier", "1\n"),
    Item::fixed("dev_id", "0x0\n"),
    Item::fixed("dev_port", "0\n"),
    Item::fixed("dormant", "0\n"),
    Item::fixed("flags", "0x9\n"),
    Item::fixed("ifalias", ""),
    Item::fixed("ifindex", "1\n"),
    Item::fixed("iflink", "1\n"),
    Item::fixed("link_mode", "0\n"),
    Item::fixed("mtu", "65536\n"),
    Item::fixed("operstate", "unknown\n"),
    Item::directory(
        "statistics",
        &[
            Item::fixed("collisions", "0\n"),
            Item::fixed("multicast", "0\n"),
            Item::fixed("rx_bytes", "0\n"),
            Item::fixed("rx_dropped", "0\n"),
            Item::fixed("rx_errors", "0\n"),
            Item::fixed("rx_packets", "0\n"),
            Item::fixed("tx_bytes", "0\n"),
            Item::fixed("tx_dropped", "0\n"),
            Item::fixed("tx_errors", "0\n"),
            Item::fixed("tx_packets", "0\n"),
        ],
    ),
    Item::fixed("tx_queue_len", "1000\n"),
    Item::fixed("type", "772\n"),
    Item::fixed("uevent", "INTERFACE=lo\nIFINDEX=1\n"),
];

const SYSTEM: &[Item] = &[
    Item::directory(
        "clocksource",
        &[Item::directory(
            "clocksource0",
            &[
                Item::fixed("available_clocksource", "tsc \n"),
                Item::fixed("current_clocksource", "tsc\n"),
            ],
        )],
    ),
    Item {
        name: "cpu",
        permissions: 0o555,
        shape: Shape::Directory(processors::ALL, Some(&processors::EACH)),
    },
    Item::directory("node", NODES),
];

const NODES: &[Item] = &[
    Item::fixed("has_cpu", "0\n"),
    Item::fixed("has_memory", "0\n"),
    Item::fixed("has_normal_memory", "0\n"),
    Item {
        name: "node0",
        permissions: 0o555,
        shape: Shape::Directory(NODE, Some(&processors::OF_NODE)),
    },
    Item::fixed("online", "0\n"),
    Item::fixed("possible", "0\n"),
];

const NODE: &[Item] = &[
    Item::text("cpulist", processors::list_of_all),
    Item::text("cpumap", processors::mask_of_all),
    Item::fixed("distance", "10\n"),
    Item::directory("hugepages", &[]),
    Item::text("meminfo", node_memory),
];

const CGROUP: &[Item] = &[
    Item::fixed("cgroup.controllers", "cpu memory pids\n"),
    Item::text("cgroup.procs", |fs, _| {
        let processes = fs.system.processes();
        Ok(processes
            .iter()
            .flat_map(|pid| format!("{pid}\n").into_bytes())
            .collect())
    }),
    Item::fixed("cpu.max", "max 100000\n"),
    Item::fixed("cpu.weight", "100\n"),
    Item::text("cpuset.cpus.effective", processors::list_of_all),
    Item::fixed("cpuset.mems.effective", "0\n"),
    Item::text("memory.current", |fs, _| {
        let memory = fs.system.memory();
        Ok(format!("{}\n", memory.total.saturating_sub(memory.free)).into_bytes())
    }),
    Item::fixed("memory.high", "max\n"),
    Item::text("memory.max", |fs, _| {
        // In whole pages, as on Linux.
        let total = fs.system.memory().total;
        Ok(format!("{}\n", total - total % PAGE_SIZE).into_bytes())
    }),
    Item::fixed("memory.swap.current", "0\n"),
    Item::fixed("memory.swap.max", "0\n"),
    Item::fixed("pids.max", "max\n"),
];

const MEMORY: &[Item] = &[
    Item::directory("hugepages", &[]),
    // No pages are merged.
    Item::directory("ksm", &[Item::fixed("run", "0\n")]),
    Item::directory(
        "transparent_hugepage",
        &[
            Item::fixed("defrag", "always defer defer+madvise madvise [never]\n"),
            Item::fixed("enabled", "always madvise [never]\n"),
            Item::fixed("hpage_pmd_size", "2097152\n"),
            Item::fixed("shmem_enabled", "always within_size advise [never] deny force\n"),
        ],
    ),
];

fn node_memory(fs: &Synthetic, _: Subject) -> Result<Vec<u8>> {
    let memory = fs.system.memory();
    let (total, free) = (memory.total / 1024, memory.free / 1024);
    let lines = [
        ("MemTotal", total),
        ("MemFree", free),
        ("MemUsed", total.saturating_sub(free)),
    ];
    let line = |(name, kilobytes)| format!("Node 0 {:<15}{kilobytes:>9} kB\n", format!("{name}:"));
    Ok(lines
        .into_iter()
        .flat_map(|each| line(each).into_bytes())
        .collect())
}

/// The root of `/sys`.
pub(crate) fn root(fs: Synthetic) -> Arc<dyn Inode> {
    fs.root(ROOT, None)
}
