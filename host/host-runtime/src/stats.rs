//! Counts for `--stats`: what takes time on SGX hardware.

use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use host_abi::CallCode;

/// Vectors that have a name (SDM volume 3A, table 6-1).
const VECTORS: [(u8, &str); 9] = [
    (0, "divide error"),
    (1, "debug"),
    (3, "breakpoint"),
    (
        6,
        "invalid opcode (a system call that was not rewritten, or CPUID)",
    ),
    (13, "general protection"),
    (14, "page fault"),
    (16, "x87 exception"),
    (17, "alignment check"),
    (19, "SIMD exception"),
];

/// A thread's counts. Only that thread writes them.
#[derive(Debug)]
pub(crate) struct Counts {
    enters: Count,
    resumes: Count,
    interrupts: Count,
    exceptions: [Count; 32],
    calls: [Count; 64],
}

/// A line about the exits of all threads.
pub(crate) fn exits<'a>(threads: impl Iterator<Item = &'a Counts>) -> String {
    let exits: u64 = threads.map(Counts::exits).sum();
    format!("{exits} exits of the enclave so far, as the host counts\n")
}

/// One number, written by one thread.
#[derive(Debug)]
struct Count(AtomicU64);

impl Count {
    fn add(&self) {
        // Not fetch_add: nobody else writes, and a locked instruction would show in every host call.
        self.0
            .store(self.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for Counts {
    fn default() -> Self {
        let zero = || Count(AtomicU64::new(0));
        Self {
            enters: zero(),
            resumes: zero(),
            interrupts: zero(),
            exceptions: std::array::from_fn(|_| zero()),
            calls: std::array::from_fn(|_| zero()),
        }
    }
}

impl Counts {
    /// How often the thread has left the enclave, by a call or for an exception or interrupt.
    fn exits(&self) -> u64 {
        let calls: u64 = self.calls.iter().map(Count::get).sum();
        let exceptions: u64 = self.exceptions.iter().map(Count::get).sum();
        calls + exceptions + self.interrupts.get()
    }

    pub(crate) fn enter(&self) {
        self.enters.add();
    }

    pub(crate) fn resume(&self) {
        self.resumes.add();
    }

    pub(crate) fn interrupt(&self) {
        self.interrupts.add();
    }

    pub(crate) fn exception(&self, vector: u8) {
        self.exceptions[usize::from(vector) % self.exceptions.len()].add();
    }

    pub(crate) fn call(&self, code: CallCode) {
        self.calls[code as usize % self.calls.len()].add();
    }
}

/// What the enclave has counted itself, as text.
#[derive(Debug, Default)]
pub(crate) struct EnclaveReport(Mutex<String>);

impl EnclaveReport {
    pub(crate) fn add(&self, text: &str) {
        if let Ok(mut report) = self.0.lock() {
            report.push_str(text);
        }
    }
}

/// The table at the end.
pub(crate) fn table<'a>(
    threads: impl Iterator<Item = &'a Counts> + Clone,
    enclave: &EnclaveReport,
) -> String {
    let sum = |count: fn(&Counts) -> &Count| threads.clone().map(|counts| count(counts).get()).sum::<u64>();
    let mut out = String::from("nacre: statistics\n");
    let mut row = |count: u64, name: &str| {
        if count != 0 {
            // Writing to a string does not fail.
            let _ = writeln!(out, "{count:>12}  {name}");
        }
    };
    row(sum(|counts| &counts.enters), "enclave entries (EENTER)");
    row(sum(|counts| &counts.resumes), "resumptions (ERESUME)");
    row(
        sum(|counts| &counts.interrupts),
        "interrupts of the enclave by the host",
    );
    for (vector, name) in VECTORS {
        let count = threads
            .clone()
            .map(|counts| counts.exceptions[usize::from(vector)].get())
            .sum();
        row(count, &format!("exceptions: {name}"));
    }
    for &code in CallCode::ALL {
        let count = threads
            .clone()
            .map(|counts| counts.calls[code as usize].get())
            .sum();
        row(count, &format!("host calls: {}", code.name()));
    }
    if let Ok(report) = enclave.0.lock() {
        out.push_str(&report);
    }
    out
}

const _: () = assert!((CallCode::ALL[CallCode::ALL.len() - 1] as usize) < 64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_all_threads_are_added_up() {
        let threads = [Counts::default(), Counts::default()];
        threads[0].enter();
        threads[1].enter();
        threads[1].exception(14);
        threads[0].call(CallCode::Recv);
        let enclave = EnclaveReport::default();
        enclave.add("its own\n");
        let table = table(threads.iter(), &enclave);
        assert!(table.contains("           2  enclave entries"), "{table}");
        assert!(table.contains("           1  exceptions: page fault"), "{table}");
        assert!(table.contains("           1  host calls: Recv\n"), "{table}");
        assert!(table.ends_with("its own\n"), "{table}");
        assert!(!table.contains("ERESUME"), "{table}");
    }
}
