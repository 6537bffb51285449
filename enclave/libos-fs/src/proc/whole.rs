//! Files about the whole container.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use enclave_layout::PAGE_SIZE;
use kobject::Result;

use super::status::ticks;
use crate::synthetic::{Subject, Synthetic};

const SECOND: u64 = 1_000_000_000;

pub(super) fn load_average(fs: &Synthetic, _: Subject) -> Result<Vec<u8>> {
    let pids = fs.system.processes();
    let processes = pids.iter().filter_map(|pid| fs.system.process(*pid));
    let threads: usize = processes.map(|process| process.threads().len()).sum();
    let last = pids.last().copied().unwrap_or(1);
    Ok(format!("0.00 0.00 0.00 1/{threads} {last}\n").into_bytes())
}

pub(super) fn memory(fs: &Synthetic, _: Subject) -> Result<Vec<u8>> {
    let memory = fs.system.memory();
    let (total, free) = (memory.total / 1024, memory.free / 1024);
    let used = total.saturating_sub(free);
    let lines: [(&str, u64); 36] = [
        ("MemTotal", total),
        ("MemFree", free),
        ("MemAvailable", free),
        ("Buffers", 0),
        ("Cached", 0),
        ("SwapCached", 0),
        ("Active", used),
        ("Inactive", 0),
        ("Active(anon)", used),
        ("Inactive(anon)", 0),
        ("Active(file)", 0),
        ("Inactive(file)", 0),
        ("Unevictable", 0),
        ("Mlocked", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Dirty", 0),
        ("Writeback", 0),
        ("AnonPages", used),
        ("Mapped", 0),
        ("Shmem", 0),
        ("KReclaimable", 0),
        ("Slab", 0),
        ("SReclaimable", 0),
        ("SUnreclaim", 0),
        ("KernelStack", 0),
        ("PageTables", 0),
        ("NFS_Unstable", 0),
        ("Bounce", 0),
        ("WritebackTmp", 0),
        ("CommitLimit", total),
        ("Committed_AS", used),
        ("VmallocTotal", 0),
        ("VmallocUsed", 0),
        ("VmallocChunk", 0),
        ("AnonHugePages", 0),
    ];
    let line = |(name, kilobytes): (&str, u64)| format!("{:<15} {kilobytes:>8} kB\n", format!("{name}:"));
    let mut text: String = lines.into_iter().map(line).collect();
    for name in ["Total", "Free", "Rsvd", "Surp"] {
        text += &format!("HugePages_{name}:{:>width$}\n", 0, width = 13 - name.len());
    }
    text += "Hugepagesize:       2048 kB\nHugetlb:               0 kB\n";
    Ok(text.into_bytes())
}

/// User and system time of all processes, in ticks.
fn times(fs: &Synthetic) -> (u64, u64) {
    let pids = fs.system.processes();
    let processes = pids.iter().filter_map(|pid| fs.system.process(*pid));
    processes.fold((0, 0), |(user, system), process| {
        let [more_user, more_system] = process.status().times;
        (user + ticks(more_user), system + ticks(more_system))
    })
}

pub(super) fn stat(fs: &Synthetic, _: Subject) -> Result<Vec<u8>> {
    let processors = u64::from(fs.system.processors().max(1));
    let uptime = ticks(fs.system.uptime());
    let (user, system) = times(fs);
    let idle = (uptime * processors).saturating_sub(user + system);
    let mut text = format!("cpu  {user} 0 {system} {idle} 0 0 0 0 0 0\n");
    for number in 0..processors {
        let (user, system, idle) = (user / processors, system / processors, idle / processors);
        text += &format!("cpu{number} {user} 0 {system} {idle} 0 0 0 0 0 0\n");
    }
    let processes = fs.system.processes().last().copied().unwrap_or(1);
    let started = fs.started.seconds;
    text += &format!("intr 0\nctxt 0\nbtime {started}\nprocesses {processes}\n");
    text += "procs_running 1\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n";
    Ok(text.into_bytes())
}

/// The head of a table with a column for each processor, which has no rows: interrupts are the host's.
fn columns(fs: &Synthetic, margin: usize) -> Vec<u8> {
    let mut text = " ".repeat(margin);
    for number in 0..fs.system.processors().max(1) {
        text += &format!("{:<11}", format!("CPU{number}"));
    }
    text.push('\n');
    text.into_bytes()
}

pub(super) fn interrupts(fs: &Synthetic, _: Subject) -> Result<Vec<u8>> {
    Ok(columns(fs, 11))
}

pub(super) fn software_interrupts(fs: &Synthetic, _: Subject) -> Result<Vec<u8>> {
    Ok(columns(fs, 20))
}

pub(super) fn uptime(fs: &Synthetic, _: Subject) -> Result<Vec<u8>> {
    let uptime = fs.system.uptime();
    let processors = u64::from(fs.system.processors().max(1));
    let (user, system) = times(fs);
    let idle = (ticks(uptime) * processors).saturating_sub(user + system);
    let up = format!("{}.{:02}", uptime / SECOND, uptime % SECOND / 10_000_000);
    Ok(format!("{up} {}.{:02}\n", idle / 100, idle % 100).into_bytes())
}

/// What `vmstat` reads; nothing is paged or swapped.
pub(super) fn virtual_memory(fs: &Synthetic, _: Subject) -> Result<Vec<u8>> {
    let memory = fs.system.memory();
    let pages = |bytes: u64| bytes / PAGE_SIZE;
    let used = memory.total.saturating_sub(memory.free);
    let mut text = format!(
        "nr_free_pages {}\nnr_active_anon {}\nnr_anon_pages {}\n",
        pages(memory.free),
        pages(used),
        pages(used)
    );
    for name in [
        "nr_inactive_anon",
        "nr_inactive_file",
        "nr_active_file",
        "nr_mapped",
        "nr_file_pages",
        "nr_dirty",
        "nr_writeback",
        "nr_shmem",
        "pgpgin",
        "pgpgout",
        "pswpin",
        "pswpout",
        "pgalloc_normal",
        "pgfree",
        "pgfault",
        "pgmajfault",
        "oom_kill",
    ] {
        text += &format!("{name} 0\n");
    }
    Ok(text.into_bytes())
}

pub(super) fn version(fs: &Synthetic, _: Subject) -> Result<Vec<u8>> {
    let kernel = fs.system.kernel();
    Ok(format!("Linux version {} (nacre) {}\n", kernel.release, kernel.version).into_bytes())
}
