//! `/proc/sys`, a mount of its own that nothing can be written to, as container engines make it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::MAX_TERMINALS;
use crate::notify::{MAX_QUEUED_EVENTS, MAX_USER_INSTANCES, MAX_USER_WATCHES};
use crate::synthetic::Item;
use enclave_rt::processor;

pub(super) const ROOT: &[Item] = &[
    Item::directory("fs", FS),
    Item::directory("kernel", KERNEL),
    Item::directory("net", NET),
    Item::directory("vm", VM),
];

const FS: &[Item] = &[
    Item::fixed("aio-max-nr", "65536\n"),
    Item::fixed("file-max", "9223372036854775807\n"),
    Item::fixed("file-nr", "0\t0\t9223372036854775807\n"),
    Item::directory("inotify", INOTIFY),
    Item::fixed("lease-break-time", "45\n"),
    Item::fixed("leases-enable", "1\n"),
    Item::directory("mqueue", MESSAGE_QUEUES),
    Item::fixed("nr_open", "1048576\n"),
    Item::fixed("pipe-max-size", "1048576\n"),
    Item::fixed("pipe-user-pages-hard", "0\n"),
    Item::fixed("pipe-user-pages-soft", "0\n"),
    Item::fixed("protected_hardlinks", "1\n"),
    Item::fixed("protected_symlinks", "0\n"),
    Item::fixed("suid_dumpable", "0\n"),
];

const MESSAGE_QUEUES: &[Item] = &[
    Item::fixed("msg_default", "10\n"),
    Item::fixed("msg_max", "10\n"),
    Item::fixed("msgsize_default", "8192\n"),
    Item::fixed("msgsize_max", "8192\n"),
    Item::fixed("queues_max", "256\n"),
];

const INOTIFY: &[Item] = &[
    Item::text("max_queued_events", |_, _| {
        Ok(line(MAX_QUEUED_EVENTS.to_string().into()))
    }),
    Item::text("max_user_instances", |_, _| {
        Ok(line(MAX_USER_INSTANCES.to_string().into()))
    }),
    Item::text("max_user_watches", |_, _| {
        Ok(line(MAX_USER_WATCHES.to_string().into()))
    }),
];

const KERNEL: &[Item] = &[
    Item::fixed("cap_last_cap", "40\n"),
    Item::fixed("core_pattern", "core\n"),
    Item::fixed("domainname", "(none)\n"),
    Item::text("hostname", |fs, _| Ok(line(fs.system.host_name()))),
    Item::fixed("msgmax", "8192\n"),
    Item::fixed("msgmnb", "16384\n"),
    Item::fixed("msgmni", "32000\n"),
    Item::fixed("ngroups_max", "65536\n"),
    Item::text("osrelease", |fs, _| Ok(line(fs.system.kernel().release.into()))),
    Item::fixed("ostype", "Linux\n"),
    Item::fixed("overflowgid", "65534\n"),
    Item::fixed("overflowuid", "65534\n"),
    Item::fixed("perf_event_paranoid", "4\n"),
    Item::fixed("pid_max", "4194304\n"),
    Item::directory("pty", PTY),
    Item::directory("random", RANDOM),
    Item::fixed("randomize_va_space", "2\n"),
    Item::fixed("sem", "32000\t1024000000\t500\t32000\n"),
    Item::fixed("shm_rmid_forced", "0\n"),
    Item::fixed("shmall", "18446744073692774399\n"),
    Item::fixed("shmmax", "18446744073692774399\n"),
    Item::fixed("shmmni", "4096\n"),
    Item::fixed("tainted", "0\n"),
    Item::fixed("threads-max", "192735\n"),
    Item::text("version", |fs, _| Ok(line(fs.system.kernel().version.into()))),
];

const PTY: &[Item] = &[
    Item::text("max", |_, _| Ok(line(format!("{MAX_TERMINALS}").into_bytes()))),
    Item::text("nr", |fs, _| {
        Ok(line(format!("{}", fs.system.terminals()).into_bytes()))
    }),
    Item::fixed("reserve", "1024\n"),
];

const RANDOM: &[Item] = &[
    Item::text("boot_id", |fs, _| Ok(line(uuid(fs.boot_id)))),
    Item::fixed("entropy_avail", "256\n"),
    Item::fixed("poolsize", "256\n"),
    Item::text("uuid", |_, _| {
        let mut bytes = [0; 16];
        processor::random(&mut bytes);
        Ok(line(uuid(bytes)))
    }),
];

const NET: &[Item] = &[
    Item::directory(
        "core",
        &[
            Item::fixed("rmem_default", "212992\n"),
            Item::fixed("rmem_max", "212992\n"),
            Item::fixed("somaxconn", "4096\n"),
            Item::fixed("wmem_default", "212992\n"),
            Item::fixed("wmem_max", "212992\n"),
        ],
    ),
    Item::directory(
        "ipv4",
        &[
            Item::fixed("ip_local_port_range", "32768\t60999\n"),
            Item::fixed("ip_unprivileged_port_start", "0\n"),
            Item::fixed("tcp_fin_timeout", "60\n"),
            Item::fixed("tcp_keepalive_intvl", "75\n"),
            Item::fixed("tcp_keepalive_probes", "9\n"),
            Item::fixed("tcp_keepalive_time", "7200\n"),
            Item::fixed("tcp_max_syn_backlog", "1024\n"),
            Item::fixed("tcp_rmem", "4096\t131072\t6291456\n"),
            Item::fixed("tcp_wmem", "4096\t16384\t4194304\n"),
        ],
    ),
    Item::directory("ipv6", &[Item::fixed("bindv6only", "0\n")]),
];

// Memory is promised as it is asked for, up to the container's limit, and no mapping is refused by a guess at what will be touched.
const VM: &[Item] = &[
    Item::fixed("max_map_count", "1048576\n"),
    Item::fixed("mmap_min_addr", "65536\n"),
    Item::fixed("nr_hugepages", "0\n"),
    Item::fixed("overcommit_memory", "1\n"),
    Item::fixed("overcommit_ratio", "50\n"),
    Item::fixed("swappiness", "60\n"),
];

fn line(mut text: Vec<u8>) -> Vec<u8> {
    text.push(b'\n');
    text
}

/// Random bytes as a version 4 UUID (RFC 9562).
fn uuid(bytes: [u8; 16]) -> Vec<u8> {
    let random = u128::from_be_bytes(bytes);
    let marked = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{marked:032x}");
    let mut text = String::new();
    for (at, digit) in hex.chars().enumerate() {
        if [8, 12, 16, 20].contains(&at) {
            text.push('-');
        }
        text.push(digit);
    }
    text.into_bytes()
}
