//! `lying-host LIE DIR SECONDS`: runs the enclave of DIR (enclave.sgxs, enclave.sig, rootfs.img) and tells it the lie of this name.
//!
//! Ends as the container ends, or as [`adversary::liar::status`] says.
#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::fs::{self, File};
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use adversary::liar::{Hands, Liar, status};
use adversary::lies::{self, Tell};
use anyhow::{Context, Result};
use host_abi::{Answer, CallCode};
use host_runtime::{Host, Options, Platform, RootfsFile, Seed, Staging, hostile, run_with};

fn main() -> ExitCode {
    let Err(error) = run();
    eprintln!("nacre: {error:#}");
    ExitCode::from(125)
}

fn run() -> Result<Infallible> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, dir, seconds] = &args[..] else {
        anyhow::bail!("usage: lying-host LIE DIR SECONDS");
    };
    let lie = lies::all().find(|lie| lie.name == *name).context("no such lie")?;
    let liar = Arc::new(Liar::new(lie));
    if let Tell::Registers(registers) = lie.tell {
        hostile::install(Box::new(Hands(registers)));
    }
    if let Tell::Steps(instructions) = lie.tell {
        hostile::step_through(instructions);
    }
    let limit = Duration::from_secs_f64(seconds.parse()?);
    let dir = Path::new(dir);
    let (sgxs, signature) = (
        fs::read(dir.join("enclave.sgxs"))?,
        fs::read(dir.join("enclave.sig"))?,
    );
    let file = File::open(dir.join("rootfs.img"))?;
    let len = file.metadata()?.len();
    let rootfs = RootfsFile {
        file: &file,
        offset: 0,
        len,
    };
    Ok(run_with(
        Options::new(
            sgxs.into(),
            &signature,
            rootfs,
            Platform::emulator(Seed::ephemeral()?),
        ),
        Box::new(Shared { liar, limit }),
    )?)
}

/// The time is up.
static IS_OVER: AtomicBool = AtomicBool::new(false);

/// Ends the process when the time is up, and says by its status whether the enclave still asks or waits for something.
fn watch(liar: Arc<Liar>, limit: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        // What computes from here on is the enclave: the liar's own threads stop.
        IS_OVER.store(true, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(50));
        let look = Duration::from_millis(500);
        let (calls, time) = (liar.calls(), processor_time());
        std::thread::sleep(look);
        let asks = liar.calls() > calls;
        let computes = processor_time() - time > 10;
        eprintln!(
            "not over after {limit:?}: {} calls, asks {asks}, computes {computes}",
            liar.calls()
        );
        std::process::exit(if computes && !asks {
            status::SPINS
        } else {
            status::STARVED
        })
    });
}

/// Of this process, in hundredths of a second.
fn processor_time() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the program's name, which may have spaces: utime and stime are the 14th and 15th of all.
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
    fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum()
}

/// The liar, which other threads look at.
struct Shared {
    liar: Arc<Liar>,
    limit: Duration,
}

impl Shared {
    /// Starts the threads beside the enclave's. Not earlier: they are to block the signals that the host runtime waits for.
    fn start_threads(&self) {
        watch(self.liar.clone(), self.limit);
        let liar = self.liar.clone();
        match liar.lie().tell {
            Tell::Race => repeat(move || liar.race(), Duration::ZERO),
            Tell::Storm => repeat(storm, Duration::from_micros(30)),
            Tell::Withheld(start, end) => repeat(move || withhold(start..end), Duration::ZERO),
            _ => {}
        }
    }
}

/// Does something again and again, in a thread of its own, until the time is up.
fn repeat(act: impl Fn() + Send + 'static, pause: Duration) {
    std::thread::spawn(move || {
        while !IS_OVER.load(Ordering::Relaxed) {
            act();
            std::thread::sleep(pause);
        }
    });
}

/// Takes each page of a range away for an instant.
fn withhold(range: Range<u64>) {
    let pages = hostile::pages(range);
    if pages.is_empty() {
        // The enclave has none there yet.
        std::thread::sleep(Duration::from_millis(1));
    }
    for page in pages {
        page.withhold(|| std::thread::sleep(Duration::from_micros(20)));
        if IS_OVER.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// How far the time-stamp counter goes back.
static TICKS_BACK: AtomicU64 = AtomicU64::new(0);

/// The counter that the enclave reads in place of `now`.
fn counter_back(now: u64) -> u64 {
    static READINGS: AtomicU64 = AtomicU64::new(0);
    match READINGS.fetch_add(1, Ordering::Relaxed) % 3 {
        2 => now.saturating_sub(TICKS_BACK.load(Ordering::Relaxed)),
        _ => now,
    }
}

fn storm() {
    // It cannot fail for this process.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::WINCH);
}

impl Host for Shared {
    fn answer(
        &self,
        code: CallCode,
        args: [u64; 6],
        staging: Staging,
        honest: &mut dyn FnMut() -> Answer,
    ) -> Answer {
        self.liar.answer(code, args, staging, honest)
    }

    fn boot_info(&self, honest: Vec<u8>) -> Vec<u8> {
        if let Tell::CounterBack(ticks) = self.liar.lie().tell {
            TICKS_BACK.store(ticks, Ordering::Relaxed);
            hostile::set_counter(counter_back).expect("the kernel lets RDTSC fault");
        }
        self.start_threads();
        self.liar.boot_info(honest)
    }

    fn signals(&self, honest: u64) -> u64 {
        self.liar.signals(honest)
    }

    fn call_area(&self, honest: u64) -> u64 {
        self.liar.call_area(honest)
    }
}
