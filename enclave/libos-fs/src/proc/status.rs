//! `stat`, `statm`, `status` and `limits` of processes and threads.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use enclave_layout::PAGE_SIZE;
use kobject::{Errno, Result};
use linux_abi::limits::RLIM_INFINITY;
use linux_abi::sched::PF_RANDOMIZE;

use crate::synthetic::{Subject, Synthetic};
use crate::system::{ProcessStatus, ThreadStatus};

/// Nanoseconds in units of USER_HZ.
pub(super) fn ticks(nanoseconds: u64) -> u64 {
    nanoseconds / 10_000_000
}

/// A process or thread, with all that its files tell.
struct View {
    subject: Subject,
    umask: u32,
    process: ProcessStatus,
    thread: ThreadStatus,
    threads: usize,
    /// `/proc/PID` rather than `/proc/PID/task/TID`: times are those of all threads.
    whole: bool,
}

impl View {
    fn new(fs: &Synthetic, subject: Subject) -> Result<Self> {
        let process = fs.process(subject)?;
        let threads = process.threads();
        Ok(Self {
            subject,
            umask: process.context().umask,
            process: process.status(),
            thread: process.thread(subject.tid).ok_or(Errno::ESRCH)?,
            threads: threads.len(),
            whole: subject.number == 0,
        })
    }

    /// What `ps` calls it: `/proc/PID` has the process's number, a task its own.
    fn number(&self) -> u32 {
        if self.whole {
            self.subject.pid
        } else {
            self.subject.tid
        }
    }

    fn name(&self) -> String {
        // As in the kernel, what is not printable stays as it is; what is no UTF-8 cannot be in a `String`.
        String::from_utf8_lossy(&self.thread.name).into_owned()
    }
}

pub(super) fn stat(fs: &Synthetic, subject: Subject) -> Result<Vec<u8>> {
    let view = View::new(fs, subject)?;
    let (process, thread) = (&view.process, &view.thread);
    let [user, system] = if view.whole { process.times } else { thread.times };
    let [child_user, child_system] = process.child_times;
    let signals = if view.whole {
        process.pending | thread.pending
    } else {
        thread.pending
    };
    let started = if view.whole {
        process.started
    } else {
        thread.started
    };
    let [code_start, code_end] = process.code_range;
    // As the kernel does, signals beyond 31 are left out of these old fields.
    let low = |signals: u64| signals & 0x7fff_ffff;
    let fields: [i128; 49] = [
        process.parent.into(),
        process.group.into(),
        process.session.into(),
        process.terminal.into(),
        process.foreground.into(),
        PF_RANDOMIZE.into(),
        0,
        0,
        0,
        0,
        ticks(user).into(),
        ticks(system).into(),
        ticks(child_user).into(),
        ticks(child_system).into(),
        match thread.priority {
            0 => 20 + i128::from(thread.nice),
            priority => -1 - i128::from(priority),
        },
        thread.nice.into(),
        view.threads as i128,
        0,
        ticks(started).into(),
        process.virtual_memory.into(),
        (process.resident() / PAGE_SIZE).into(),
        RLIM_INFINITY.into(),
        code_start.into(),
        code_end.into(),
        process.stack_start.into(),
        0,
        0,
        low(signals).into(),
        low(thread.blocked).into(),
        low(process.ignored).into(),
        low(process.caught).into(),
        0,
        0,
        0,
        // SIGCHLD
        17,
        0,
        thread.priority.into(),
        thread.policy.0.into(),
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ];
    let state = char::from(thread.state);
    let mut text = format!("{} ({}) {state}", view.number(), view.name());
    for field in fields {
        text += &format!(" {field}");
    }
    text.push('\n');
    Ok(text.into_bytes())
}

pub(super) fn memory(fs: &Synthetic, subject: Subject) -> Result<Vec<u8>> {
    let status = fs.process(subject)?.status();
    let pages = |bytes: u64| bytes / PAGE_SIZE;
    let (size, resident) = (pages(status.virtual_memory), pages(status.resident()));
    let shared = pages(status.resident_file + status.resident_shared_memory);
    let (code, data) = (pages(status.code), pages(status.data + status.stack));
    Ok(format!("{size} {resident} {shared} {code} 0 {data} 0\n").into_bytes())
}

pub(super) fn status(fs: &Synthetic, subject: Subject) -> Result<Vec<u8>> {
    let view = View::new(fs, subject)?;
    let (process, thread) = (&view.process, &view.thread);
    let credentials = &thread.credentials;
    let state = match thread.state {
        b'R' => "R (running)",
        b'T' => "T (stopped)",
        b'Z' => "Z (zombie)",
        _ => "S (sleeping)",
    };
    let number = view.number();
    let pid = subject.pid;
    let four = |ids: [u32; 4]| ids.map(|id| format!("\t{id}")).concat();
    let groups: String = credentials
        .groups
        .iter()
        .map(|group| format!("{group} "))
        .collect();
    let mut text = format!(
        "Name:\t{}\nUmask:\t{:04o}\nState:\t{state}\nTgid:\t{pid}\nNgid:\t0\nPid:\t{number}\nPPid:\t{}\nTracerPid:\t0\n\
         Uid:{}\nGid:{}\nFDSize:\t256\nGroups:\t{groups}\nNStgid:\t{pid}\nNSpid:\t{number}\nNSpgid:\t{}\nNSsid:\t{}\n\
         Kthread:\t0\n",
        view.name(),
        view.umask,
        process.parent,
        four(credentials.uid),
        four(credentials.gid),
        process.group,
        process.session,
    );
    let memory = [
        ("VmPeak", process.virtual_memory),
        ("VmSize", process.virtual_memory),
        ("VmLck", 0),
        ("VmPin", 0),
        ("VmHWM", process.resident()),
        ("VmRSS", process.resident()),
        ("RssAnon", process.resident_anonymous),
        ("RssFile", process.resident_file),
        ("RssShmem", process.resident_shared_memory),
        ("VmData", process.data),
        ("VmStk", process.stack),
        ("VmExe", process.code),
        ("VmLib", process.libraries),
        ("VmPTE", 0),
        ("VmSwap", 0),
        ("HugetlbPages", 0),
    ];
    // What has ended has none.
    let shown = memory.into_iter().filter(|_| thread.state != b'Z');
    for (name, bytes) in shown {
        text += &format!("{name}:\t{:>8} kB\n", bytes / 1024);
    }
    text += "CoreDumping:\t0\nTHP_enabled:\t0\nuntag_mask:\t0xffffffffffffffff\n";
    text += &format!("Threads:\t{}\nSigQ:\t0/{}\n", view.threads, process.signal_limit);
    let privileges = &credentials.privileges;
    let masks = [
        ("SigPnd", thread.pending),
        ("ShdPnd", process.pending),
        ("SigBlk", thread.blocked),
        ("SigIgn", process.ignored),
        ("SigCgt", process.caught),
        ("CapInh", privileges.inheritable.bits()),
        ("CapPrm", privileges.permitted.bits()),
        ("CapEff", privileges.effective.bits()),
        ("CapBnd", privileges.bounding.bits()),
        ("CapAmb", privileges.ambient.bits()),
    ];
    for (name, mask) in masks {
        text += &format!("{name}:\t{mask:016x}\n");
    }
    text += &format!("NoNewPrivs:\t{}\n", u8::from(privileges.no_new_privs));
    text += "Seccomp:\t0\nSeccomp_filters:\t0\nSpeculation_Store_Bypass:\tvulnerable\n";
    text += "SpeculationIndirectBranch:\talways enabled\n";
    text += &format!(
        "Cpus_allowed:\t{}\nCpus_allowed_list:\t{}\n",
        mask(&thread.processors),
        list(&thread.processors),
    );
    text += "Mems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n";
    Ok(text.into_bytes())
}

/// A mask as the kernel prints it: `3`, or `1,ffffffff` for more than 32 bits.
fn mask(bytes: &[u8]) -> String {
    let mut words: Vec<u32> = Vec::new();
    for word in bytes.chunks(4) {
        words.push(
            word.iter()
                .rev()
                .fold(0, |word, &byte| word << 8 | u32::from(byte)),
        );
    }
    let mut text = String::new();
    for (index, word) in words.iter().rev().enumerate() {
        text += &match index {
            0 => format!("{word:x}"),
            _ => format!(",{word:08x}"),
        };
    }
    text
}

/// The bits of a mask as a list: `0-3,8`.
fn list(bytes: &[u8]) -> String {
    let is_set = |bit: usize| bytes.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1);
    let mut parts: Vec<String> = Vec::new();
    let mut bit = 0;
    while bit < bytes.len() * 8 {
        let first = bit;
        while is_set(bit) {
            bit += 1;
        }
        match bit - first {
            0 => {}
            1 => parts.push(format!("{first}")),
            _ => parts.push(format!("{first}-{}", bit - 1)),
        }
        bit += 1;
    }
    parts.join(",")
}

/// `0-3`
pub(crate) fn processor_list(processors: u32) -> String {
    match processors {
        0 | 1 => "0".into(),
        more => format!("0-{}", more - 1),
    }
}

pub(super) fn limits(fs: &Synthetic, subject: Subject) -> Result<Vec<u8>> {
    const NAMES: [(&str, &str); 16] = [
        ("Max cpu time", "seconds"),
        ("Max file size", "bytes"),
        ("Max data size", "bytes"),
        ("Max stack size", "bytes"),
        ("Max core file size", "bytes"),
        ("Max resident set", "bytes"),
        ("Max processes", "processes"),
        ("Max open files", "files"),
        ("Max locked memory", "bytes"),
        ("Max address space", "bytes"),
        ("Max file locks", "locks"),
        ("Max pending signals", "signals"),
        ("Max msgqueue size", "bytes"),
        ("Max nice priority", ""),
        ("Max realtime priority", ""),
        ("Max realtime timeout", "us"),
    ];
    let limit = |value: u64| match value {
        RLIM_INFINITY => String::from("unlimited"),
        value => format!("{value}"),
    };
    let mut text =
        String::from("Limit                     Soft Limit           Hard Limit           Units     \n");
    for ((name, unit), (soft, hard)) in NAMES.into_iter().zip(fs.process(subject)?.limits()) {
        text += &format!("{name:<25} {:<20} {:<20} ", limit(soft), limit(hard));
        if !unit.is_empty() {
            text += &format!("{unit:<10}");
        }
        text.push('\n');
    }
    Ok(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_shown_as_the_kernel_shows_them() {
        for (bytes, text, numbers) in [
            (&[0b11][..], "3", "0-1"),
            (&[0, 0b101], "500", "8,10"),
            (&[0xff, 0xff, 0xff, 0xff, 1], "1,ffffffff", "0-32"),
            (&[1, 0, 0, 0, 0x80], "80,00000001", "0,39"),
        ] {
            assert_eq!((mask(bytes).as_str(), list(bytes).as_str()), (text, numbers));
        }
    }
}
