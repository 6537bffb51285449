//! The counts of `--stats`: how often each system call was made, and how often it trapped.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use host_abi::MessageKind;

use crate::console;
use crate::syscall::table;

static ON: AtomicBool = AtomicBool::new(false);
static CALLS: [AtomicU64; table::COUNT] = [const { AtomicU64::new(0) }; table::COUNT];
static TRAPS: [AtomicU64; table::COUNT] = [const { AtomicU64::new(0) }; table::COUNT];
static FAULTS: AtomicU64 = AtomicU64::new(0);

/// Starts counting.
pub(crate) fn start() {
    ON.store(true, Ordering::Relaxed);
}

/// Counts a system call.
pub(crate) fn count(number: u64) {
    if ON.load(Ordering::Relaxed) {
        add(&CALLS, number);
    }
}

/// Counts a system call that came by a trap: no stub stands in for its instruction.
pub(crate) fn count_trap(number: u64) {
    if ON.load(Ordering::Relaxed) {
        add(&TRAPS, number);
    }
}

/// Counts a page fault.
pub(crate) fn count_fault() {
    FAULTS.fetch_add(1, Ordering::Relaxed);
}

fn add(counts: &[AtomicU64], number: u64) {
    if let Some(count) = usize::try_from(number).ok().and_then(|number| counts.get(number)) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Prints the counts at the end of the container.
pub(crate) fn report() {
    if !ON.load(Ordering::Relaxed) {
        return;
    }
    let mut rows: Vec<(u64, u64, usize)> = CALLS
        .iter()
        .zip(&TRAPS)
        .enumerate()
        .map(|(number, (calls, traps))| {
            (
                calls.load(Ordering::Relaxed),
                traps.load(Ordering::Relaxed),
                number,
            )
        })
        .filter(|&(calls, ..)| calls > 0)
        .collect();
    rows.sort_unstable_by(|a, b| b.cmp(a));
    let mut text = String::from("system calls (of which trapped):\n");
    for (calls, traps, number) in rows {
        let name = table::row(number as u64).map_or("unknown", |row| row.name);
        let _ = writeln!(text, "  {calls:>10} {traps:>8}  {name}");
    }
    let faults = FAULTS.load(Ordering::Relaxed);
    let _ = writeln!(text, "page faults served by the LibOS: {faults}");
    let costs = libos_mm::turn_costs();
    if costs.turns + costs.forked > 0 {
        let _ = writeln!(
            text,
            "turns between processes: {} in {} us; pages exchanged: {}, copied by forks: {}, the same again: {}, written first: {}",
            costs.turns,
            costs.nanoseconds / 1000,
            costs.exchanged,
            costs.forked,
            costs.merged,
            costs.diverged
        );
    }
    let _ = writeln!(text, "LibOS heap: {} KiB", enclave_rt::heap::committed() / 1024);
    console::print(MessageKind::Stats, &text);
}
