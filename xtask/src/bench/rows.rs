//! The rows of the benchmark, with the target of each.

/// One line of the table.
pub struct Row {
    /// Its name, for `--only`.
    pub name: &'static str,
    /// The group that measures it.
    pub group: &'static str,
    /// What a reader sees.
    pub title: &'static str,
    pub unit: &'static str,
    pub better: Better,
    pub target: Target,
    /// The same ratio of the strongest peer, Gramine without an enclave, on such a machine (files verified where it
    /// has a choice).
    pub peer: Option<f64>,
}

/// Which way is good.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Better {
    Lower,
    Higher,
}

/// What the enclave's number has to reach.
#[derive(Clone, Copy)]
pub enum Target {
    /// This share of the baseline: of the native number, if the row names no other.
    Ratio(f64),
    /// At most the baseline and this much.
    Added(f64),
    /// This number, whatever the baseline is.
    Value(f64),
    /// No promise but to beat the peer.
    Open,
}

use Better::{Higher, Lower};
use Target::{Added, Open, Ratio, Value};

/// All rows, in the order of the table.
pub const ROWS: &[Row] = &[
    operation("getpid-libc", "getpid through libc", Ratio(0.25), Some(0.36)),
    operation(
        "getpid-raw",
        "getpid by a `syscall` instruction of the program",
        Ratio(0.25),
        Some(18.0),
    ),
    operation("futex-wake", "futex wake, no waiter", Ratio(0.25), Some(0.38)),
    operation("lseek", "lseek", Ratio(0.25), None),
    operation("read-zero", "read 1 byte of /dev/zero", Ratio(0.25), Some(0.39)),
    operation("clock-gettime", "clock_gettime (vDSO)", Ratio(1.5), Some(3.8)),
    operation(
        "pread-4k",
        "pread 4 KiB of a file of the image, warm",
        Ratio(1.0),
        Some(199.0),
    ),
    operation("pwrite-4k", "pwrite 4 KiB", Open, Some(1.5)),
    operation(
        "pipe",
        "pipe: write and read 1 byte in one process",
        Open,
        Some(3.5),
    ),
    operation(
        "mmap-untouched",
        "mmap and munmap 64 KiB, untouched",
        Ratio(1.0),
        Some(1.5),
    ),
    operation(
        "mmap-touched",
        "mmap and munmap 64 KiB, touched",
        Ratio(1.0),
        Some(1.2),
    ),
    operation("open-close", "open and close", Open, Some(2.5)),
    operation("stat", "stat, three names deep", Open, Some(0.24)),
    operation("fstat", "fstat", Open, Some(0.51)),
    operation("stat-enoent", "stat of what is not there", Open, Some(1.5)),
    processes("fork-exit", "fork, exit and wait", Ratio(0.7), Some(79.0)),
    processes("vfork-exit", "vfork, exit and wait", Open, None),
    processes("fork-exec", "fork, exec and wait", Ratio(1.0), Some(30.0)),
    processes("spawn", "posix_spawn and wait", Ratio(1.0), None),
    processes(
        "ping-pong-relatives",
        "a byte there and back by pipes, between a process and its fork",
        Open,
        None,
    ),
    processes(
        "ping-pong-programs",
        "a byte there and back by pipes, between two programs",
        Ratio(0.5),
        None,
    ),
    processes(
        "ping-pong-tcp",
        "a byte there and back over 127.0.0.1, between two programs",
        Ratio(0.5),
        None,
    ),
    processes(
        "connect-close",
        "connect, accept and close over 127.0.0.1",
        Open,
        None,
    ),
    row(
        "read-first",
        "sequential",
        "sequential read of 256 MiB, first time",
        "MiB/s",
        Higher,
        Open,
        None,
    ),
    row(
        "read-second",
        "sequential",
        "sequential read of 256 MiB, second time",
        "MiB/s",
        Higher,
        Open,
        None,
    ),
    row(
        "read-cold",
        "encrypted",
        "encrypted image: sequential read of 128 MiB, first time; baseline: OpenSSL's ciphers on one core",
        "MB/s",
        Higher,
        Ratio(0.6),
        None,
    ),
    row(
        "read-random",
        "encrypted",
        "encrypted image: 4 KiB at random, first time",
        "reads/s",
        Higher,
        Value(100_000.0),
        None,
    ),
    row(
        "read-warm",
        "encrypted",
        "encrypted image: 16 MiB that were read before; baseline: the page cache",
        "MB/s",
        Higher,
        Ratio(0.9),
        None,
    ),
    row(
        "hello",
        "start-up",
        "C hello, from `nacre run` to exit",
        "ms",
        Lower,
        Added(15.0),
        Some(38.0),
    ),
    row(
        "hello-large",
        "start-up",
        "the same in an image with a file of 256 MiB",
        "ms",
        Lower,
        Added(15.0),
        None,
    ),
    row(
        "python-pass",
        "start-up",
        "python3 -c pass",
        "ms",
        Lower,
        Added(40.0),
        Some(32.0),
    ),
    row(
        "python-cpu",
        "python",
        "CPU-bound Python",
        "s",
        Lower,
        Ratio(1.02),
        Some(1.06),
    ),
    row(
        "redis-rss",
        "redis",
        "idle Redis: resident memory (RSS)",
        "MiB",
        Lower,
        Added(8.0),
        Some(1.9),
    ),
    row(
        "redis-pss",
        "redis",
        "idle Redis: proportional share (PSS)",
        "MiB",
        Lower,
        Open,
        None,
    ),
    throughput("redis-set-1", "redis", "Redis SET, 50 clients", 1.05, Some(1.13)),
    throughput("redis-get-1", "redis", "Redis GET, 50 clients", 1.05, Some(1.12)),
    throughput(
        "redis-set-16",
        "redis",
        "Redis SET, 50 clients, pipeline 16",
        0.9,
        Some(0.65),
    ),
    throughput(
        "redis-get-16",
        "redis",
        "Redis GET, 50 clients, pipeline 16",
        0.9,
        Some(0.77),
    ),
    cpu(
        "redis-set-1-cpu",
        "redis",
        "Redis SET: CPU time of the server",
        0.95,
        Some(1.25),
    ),
    cpu(
        "redis-get-1-cpu",
        "redis",
        "Redis GET: CPU time of the server",
        0.95,
        Some(1.17),
    ),
    cpu(
        "redis-set-16-cpu",
        "redis",
        "Redis SET, pipeline 16: CPU time of the server",
        1.15,
        None,
    ),
    cpu(
        "redis-get-16-cpu",
        "redis",
        "Redis GET, pipeline 16: CPU time of the server",
        1.15,
        Some(1.58),
    ),
    row(
        "redis-exits",
        "redis",
        "Redis GET: enclave exits",
        "per request",
        Lower,
        Value(0.7),
        None,
    ),
    throughput(
        "memcached-set",
        "memcached",
        "Memcached set, 32 connections",
        1.0,
        Some(0.93),
    ),
    throughput(
        "memcached-get",
        "memcached",
        "Memcached get, 32 connections",
        1.0,
        Some(0.99),
    ),
    cpu(
        "memcached-set-cpu",
        "memcached",
        "Memcached set: CPU time of the server",
        0.95,
        None,
    ),
    cpu(
        "memcached-get-cpu",
        "memcached",
        "Memcached get: CPU time of the server",
        0.95,
        Some(1.47),
    ),
    row(
        "convert-python",
        "conversion",
        "convert Python's image",
        "MB/CPU s",
        Higher,
        Value(150.0),
        None,
    ),
    row(
        "convert-large",
        "conversion",
        "convert an image with a file of 256 MiB",
        "MB/CPU s",
        Higher,
        Value(150.0),
        None,
    ),
    row(
        "convert-memory",
        "conversion",
        "the same: peak memory",
        "MiB",
        Lower,
        Open,
        None,
    ),
    row(
        "convert-encrypted",
        "encrypted-conversion",
        "convert Python's image, encrypted; baseline: mkfs.erofs, veritysetup and OpenSSL's cipher",
        "CPU s",
        Lower,
        Ratio(0.8),
        None,
    ),
    row(
        "token-validation",
        "token",
        "validate an attestation token, known key; baseline: its RSA verification alone",
        "µs",
        Lower,
        Ratio(1.3),
        None,
    ),
    // A token needs an RSA signature, which takes several times as long as verifying a quote, so that 0.7 of the verifier's rate
    // cannot be had. What can is 0.7 of what verification and signature leave possible: 1 / 0.7 = 1.43 of their cost.
    attestation("attest-1", "attest calls, 1 connection", "calls/s", Higher, Open),
    attestation(
        "attest-1-p99",
        "attest calls, 1 connection: 99th percentile",
        "ms",
        Lower,
        Open,
    ),
    attestation(
        "attest-1-core",
        "attest calls a core, 1 connection; baseline: the verifier alone",
        "calls/CPU s",
        Higher,
        Ratio(0.7),
    ),
    attestation(
        "attest-1-cpu",
        "CPU time of an attest call, 1 connection; baseline: verification and RSA signature",
        "µs",
        Lower,
        Ratio(1.43),
    ),
    attestation(
        "attest-16",
        "attest calls, 16 connections",
        "calls/s",
        Higher,
        Open,
    ),
    attestation(
        "attest-16-p99",
        "attest calls, 16 connections: 99th percentile",
        "ms",
        Lower,
        Open,
    ),
    attestation(
        "attest-16-core",
        "attest calls a core, 16 connections; baseline: the verifier alone",
        "calls/CPU s",
        Higher,
        Ratio(0.7),
    ),
    attestation(
        "attest-16-cpu",
        "CPU time of an attest call, 16 connections; baseline: verification and RSA signature",
        "µs",
        Lower,
        Ratio(1.43),
    ),
    attestation(
        "attest-256",
        "attest calls, 256 connections",
        "calls/s",
        Higher,
        Open,
    ),
    attestation(
        "attest-256-p99",
        "attest calls, 256 connections: 99th percentile",
        "ms",
        Lower,
        Open,
    ),
    attestation(
        "attest-256-core",
        "attest calls a core, 256 connections; baseline: the verifier alone",
        "calls/CPU s",
        Higher,
        Ratio(0.7),
    ),
    attestation(
        "attest-256-cpu",
        "CPU time of an attest call, 256 connections; baseline: verification and RSA signature",
        "µs",
        Lower,
        Ratio(1.43),
    ),
    attestation(
        "attest-signature",
        "one RSA-2048 signature, which each token needs",
        "µs",
        Lower,
        Open,
    ),
    provisioning(
        "provision-64",
        "containers provisioned by a broker, 64 at once, SQLite; clients on the same processors",
        "/s",
        Higher,
        Open,
    ),
    provisioning(
        "provision-64-p99",
        "the same: 99th percentile",
        "ms",
        Lower,
        Value(100.0),
    ),
    provisioning(
        "provision-64-cpu",
        "the same: CPU time of broker and client together",
        "µs",
        Lower,
        // 300 a second and core.
        Value(3333.0),
    ),
    // Here the baseline is not the same program natively, but what the title says.
    verification(
        "verify-known",
        "verify an SGX quote, collateral checked, attestation key known; baseline: dcap-qvl 0.7",
        "quotes/s",
        Higher,
        Ratio(4.0),
    ),
    verification(
        "verify-new",
        // No promise: three signatures are left of the eleven that dcap-qvl verifies, and cannot be four times as fast.
        "the same, attestation key new; baseline: dcap-qvl 0.7",
        "quotes/s",
        Higher,
        Open,
    ),
    verification(
        "verify-known-cost",
        "verify an SGX quote, attestation key known; baseline: 1 P-256 verification",
        "µs",
        Lower,
        Ratio(1.5),
    ),
    verification(
        "verify-new-cost",
        "the same, attestation key new; baseline: 3 P-256 verifications",
        "µs",
        Lower,
        Ratio(1.5),
    ),
];

const fn operation(name: &'static str, title: &'static str, target: Target, peer: Option<f64>) -> Row {
    row(name, "operations", title, "ns", Lower, target, peer)
}

/// What processes cost.
const fn processes(name: &'static str, title: &'static str, target: Target, peer: Option<f64>) -> Row {
    row(name, "processes", title, "ns", Lower, target, peer)
}

const fn attestation(
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    better: Better,
    target: Target,
) -> Row {
    row(name, "attestation", title, unit, better, target, None)
}

const fn provisioning(
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    better: Better,
    target: Target,
) -> Row {
    row(name, "provisioning", title, unit, better, target, None)
}

const fn throughput(
    name: &'static str,
    group: &'static str,
    title: &'static str,
    ratio: f64,
    peer: Option<f64>,
) -> Row {
    row(name, group, title, "requests/s", Higher, Ratio(ratio), peer)
}

const fn cpu(
    name: &'static str,
    group: &'static str,
    title: &'static str,
    ratio: f64,
    peer: Option<f64>,
) -> Row {
    row(name, group, title, "µs/request", Lower, Ratio(ratio), peer)
}

const fn verification(
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    better: Better,
    target: Target,
) -> Row {
    row(name, "verification", title, unit, better, target, None)
}

const fn row(
    name: &'static str,
    group: &'static str,
    title: &'static str,
    unit: &'static str,
    better: Better,
    target: Target,
    peer: Option<f64>,
) -> Row {
    Row {
        name,
        group,
        title,
        unit,
        better,
        target,
        peer,
    }
}
