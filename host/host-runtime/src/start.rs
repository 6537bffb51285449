//! The start of an enclave: from its files to its first entry.

use std::arch::x86_64::__cpuid_count;
use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::sync::Mutex;

use enclave_config::{Config, HostSignals};
use enclave_layout::Slot as SlotAddress;
use host_abi::{BootError, BootFlags, BootInfo, CpuidEntry, STAGING_SIZE};
use sector_cipher::ImageKey;
use sgx_arch::{Malformed, Secs, SigStruct, SigStructError};
use sgx_platform::sgxs::Stream;
use sgx_platform::{Builder, PlatformError, processor};

use crate::backlog::Backlog;
use crate::control::{self, Control, Requests};
use crate::file_bytes::FileBytes;
use crate::outbox::Watcher;
use crate::platform::{Created, Platform};
use crate::rootfs::{RootfsFile, RootfsMapping};
use crate::serve::{Ahead, Honest, Host, Quoting};
use crate::signals::{self, Pending};
use crate::stats::EnclaveReport;
use crate::thread::{Pool, Runtime, Slot, map_areas};
use crate::{kernel, own_pages, terminal};

/// What to run.
pub struct Options<'a> {
    /// The enclave: contents of `enclave.sgxs`, which are dropped once it is loaded.
    pub sgxs: FileBytes,
    /// Its signature: contents of `enclave.sig`.
    pub signature: &'a [u8],
    /// The root file system's image.
    pub rootfs: RootfsFile<'a>,
    /// Arguments that replace the image's; empty for none.
    pub args: Vec<Vec<u8>>,
    /// `NAME=VALUE` to add to the image's environment.
    pub env: Vec<Vec<u8>>,
    /// `--trace` and `--stats`.
    pub flags: BootFlags,
    /// Where lines about system calls go, if not to standard error.
    pub trace_file: Option<File>,
    /// The container's host name, empty for the default.
    pub hostname: Vec<u8>,
    /// The key of the root file system's image, if it is encrypted.
    pub image_key: Option<ImageKey>,
    /// Who provisions the container, if somebody does.
    pub broker: Option<Broker>,
    /// What the enclave runs on.
    pub platform: Platform,
    /// How other commands reach the container, if they may.
    pub control: Option<Control>,
}

/// The key broker that provisions a container.
#[derive(Debug)]
pub struct Broker {
    /// Where it is, a URL.
    pub address: Vec<u8>,
    /// The program that asks it: contents of `nacre-init`.
    pub init: Vec<u8>,
}

impl<'a> Options<'a> {
    /// An enclave as it is, without anything that the host may add.
    pub fn new(sgxs: FileBytes, signature: &'a [u8], rootfs: RootfsFile<'a>, platform: Platform) -> Self {
        Self {
            sgxs,
            signature,
            rootfs,
            args: Vec::new(),
            env: Vec::new(),
            flags: BootFlags::default(),
            trace_file: None,
            hostname: Vec::new(),
            image_key: None,
            broker: None,
            platform,
            control: None,
        }
    }
}

/// Why the container did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine or the enclave's files are not fit.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// The signature's file is not one.
    #[error("the enclave's signature is damaged: {0}")]
    Signature(#[from] SigStructError),
    /// The enclave has no thread, or not where Nacre puts them.
    #[error("the enclave file is damaged: its threads are not where Nacre puts them")]
    Threads,
    /// Arguments and environment are too long.
    #[error("the arguments and environment are too long: together they may have about {} KiB", STAGING_SIZE / 1024)]
    TooLong,
    /// The root file system's file is shorter than it should be.
    #[error("the root file system is truncated: {len} bytes at {offset} are not in the file of {size} bytes")]
    Truncated {
        /// First byte of the image.
        offset: u64,
        /// Bytes of the image.
        len: u64,
        /// Bytes of the file.
        size: u64,
    },
    /// The host's kernel refused something.
    #[error("{0}: {1}")]
    Kernel(&'static str, io::Error),
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        Self::Platform(malformed.into())
    }
}

/// Runs an enclave and ends the process as its container ends. Returns only if it cannot start. To be called from a
/// process's only thread.
pub fn run(options: Options) -> Result<Infallible, Error> {
    run_with(options, Box::new(Honest))
}

/// As [`run`], with a host that answers calls in its own way.
pub fn run_with(options: Options, host: Box<dyn Host>) -> Result<Infallible, Error> {
    let clock = TscSample::now();
    signals::block(host_signals(&options.sgxs))
        .map_err(|error| Error::Kernel("cannot block signals", error))?;
    let signature = SigStruct::from_bytes(options.signature)?;
    let create = Stream::new(&options.sgxs)?.create();
    let attributes = processor::attributes(&signature);
    let secs = Secs::new(
        0,
        create.size,
        create.ssa_frame_pages,
        signature.misc_select,
        attributes,
    );
    let launch = Launch {
        sgxs: options.sgxs,
        signature,
        rootfs: options.rootfs,
        args: options.args,
        env: options.env,
        flags: options.flags,
        trace_file: options.trace_file,
        hostname: options.hostname,
        image_key: options.image_key,
        broker: options.broker,
        control: options.control,
        host,
        clock,
    };
    options.platform.launch(secs, launch)
}

/// The signals that the container takes; the usual ones if the enclave has no configuration that can be read, and so does not start.
fn host_signals(sgxs: &[u8]) -> HostSignals {
    let configuration = Stream::new(sgxs).and_then(|stream| stream.configuration());
    let config = configuration.ok().and_then(|bytes| Config::decode(&bytes).ok());
    config.map_or(HostSignals::USUAL, |config| config.host_signals)
}

/// A start on whatever platform.
pub(crate) struct Launch<'a> {
    sgxs: FileBytes,
    signature: SigStruct,
    rootfs: RootfsFile<'a>,
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    flags: BootFlags,
    trace_file: Option<File>,
    hostname: Vec<u8>,
    image_key: Option<ImageKey>,
    broker: Option<Broker>,
    control: Option<Control>,
    host: Box<dyn Host>,
    /// At the beginning of the start.
    clock: TscSample,
}

impl Launch<'_> {
    /// Loads the enclave, tells it what it needs at boot and lends it the calling thread.
    pub(crate) fn on<B: Builder<Enclave: 'static>>(self, created: Created<B>) -> Result<Infallible, Error> {
        let mut builder = created.builder;
        let tcs = Stream::new(&self.sgxs)?.load(&mut builder)?;
        let enclave = builder.init(&self.signature)?;
        drop(self.sgxs);
        let slots = slots(tcs)?;

        let rootfs_len = self.rootfs.len;
        let rootfs = RootfsMapping::new(self.rootfs)?;
        let (broker, init_address) = match self.broker {
            // The enclave reads it at some time after its first entry.
            Some(broker) => (
                broker.address,
                Vec::leak(broker.init).as_ptr().expose_provenance() as u64,
            ),
            None => (Vec::new(), 0),
        };
        let info = BootInfo {
            flags: self.flags,
            rootfs_address: rootfs.address(),
            rootfs_len,
            tsc_hz: tsc_hz(self.clock),
            processors: processors(),
            cpuid: cpuid(),
            args: self.args,
            env: self.env,
            resolv_conf: std::fs::read("/etc/resolv.conf").unwrap_or_default(),
            hostname: self.hostname,
            image_key: self.image_key,
            broker,
            init_address,
        };
        let bytes = info.encode(STAGING_SIZE).map_err(|error| match error {
            BootError::TooLong | BootError::Truncated | BootError::Version | BootError::Key => Error::TooLong,
        })?;
        if let Some(first) = slots.first() {
            first.area().staging().write(0, &self.host.boot_info(bytes));
        }

        // The process ends with the container, and its threads with the process.
        let runtime: &'static _ = Box::leak(Box::new(Runtime {
            enclave,
            host: self.host,
            slots,
            rootfs,
            quoting: Quoting::new(created.quoting),
            ahead: Ahead::default(),
            watcher: Watcher::default(),
            backlog: Backlog::default(),
            signals: Pending::default(),
            requests: Requests::default(),
            report: EnclaveReport::default(),
            trace_file: self.trace_file,
            print_stats: self.flags.stats,
            pool: Mutex::new(Pool::default()),
        }));
        signals::forward(&runtime.signals, runtime)
            .map_err(|error| Error::Kernel("cannot start a thread", error))?;
        if let Some(control) = self.control {
            let announce = |signals| {
                runtime.signals.add(signals);
                runtime.tell_any();
            };
            control::serve(control, &runtime.requests, announce)
                .map_err(|error| Error::Kernel("cannot start a thread", error))?;
        }
        if let Some(notice) = created.notice {
            eprint!("{}", terminal::shown(format!("nacre: {notice}\n")));
        }
        own_pages::give_back();
        Ok(runtime.lend_main_thread()?)
    }
}

/// A slot with its call area for each TCS, which must be where Nacre puts it.
fn slots(tcs: Vec<u64>) -> Result<Vec<Slot>, Error> {
    let are_placed = tcs
        .iter()
        .zip(0..)
        .all(|(&tcs, index)| SlotAddress::new(index).map(SlotAddress::tcs) == Some(tcs));
    if tcs.is_empty() || !are_placed {
        return Err(Error::Threads);
    }
    let areas =
        map_areas(tcs.len()).map_err(|error| Error::Kernel("cannot map memory for threads", error))?;
    Ok(tcs
        .into_iter()
        .zip(areas)
        .map(|(tcs, area)| Slot::new(tcs, area))
        .collect())
}

/// Processors that this process may use.
fn processors() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX))
}

/// What CPUID says, for the leaves that programs ask for.
fn cpuid() -> Vec<CpuidEntry> {
    const SUBLEAVES: [(u32, u32); 8] = [
        (0x4, 4),
        (0x7, 3),
        (0xb, 2),
        (0xd, 8),
        (0x14, 2),
        (0x1f, 2),
        (0x8000_001d, 4),
        (0x8000_0026, 4),
    ];
    let highest = |base: u32| __cpuid_count(base, 0).eax;
    let ranges = [
        0..=highest(0).min(0x20),
        0x8000_0000..=highest(0x8000_0000).min(0x8000_0026),
    ];
    let mut entries = Vec::new();
    for leaf in ranges.into_iter().flatten() {
        let subleaves = SUBLEAVES
            .iter()
            .find(|(known, _)| *known == leaf)
            .map_or(1, |(_, count)| *count);
        for subleaf in 0..subleaves {
            let answer = __cpuid_count(leaf, subleaf);
            let registers = [answer.eax, answer.ebx, answer.ecx, answer.edx];
            if registers != [0; 4] {
                entries.push(CpuidEntry {
                    leaf,
                    subleaf,
                    registers,
                });
            }
        }
    }
    entries
}

/// The time-stamp counter and the clock at the same time.
#[derive(Clone, Copy, Debug)]
struct TscSample {
    tsc: u64,
    nanoseconds: u64,
}

impl TscSample {
    fn now() -> Self {
        // SAFETY: every processor with SGX's register state has RDTSC.
        let tsc = unsafe { std::arch::x86_64::_rdtsc() };
        Self {
            tsc,
            nanoseconds: kernel::monotonic(),
        }
    }
}

/// The frequency of the time-stamp counter: as the processor or the hypervisor says, or else measured over what has
/// passed since `earlier`. 0 if the counter is not a clock.
fn tsc_hz(earlier: TscSample) -> u64 {
    const INVARIANT: u32 = 1 << 8;
    if __cpuid_count(0x8000_0000, 0).eax < 0x8000_0007 || __cpuid_count(0x8000_0007, 0).edx & INVARIANT == 0 {
        return 0;
    }
    if __cpuid_count(0, 0).eax >= 0x15 {
        let ratio = __cpuid_count(0x15, 0);
        let product = u64::from(ratio.ecx) * u64::from(ratio.ebx);
        if let Some(hz) = product.checked_div(ratio.eax.into()).filter(|&hz| hz != 0) {
            return hz;
        }
    }
    // KVM and VMware: kHz in leaf 0x4000_0010, if the leaf exists.
    const HYPERVISOR: u32 = 1 << 31;
    if __cpuid_count(1, 0).ecx & HYPERVISOR != 0 && __cpuid_count(0x4000_0000, 0).eax >= 0x4000_0010 {
        let khz = __cpuid_count(0x4000_0010, 0).eax;
        if khz != 0 {
            return u64::from(khz) * 1000;
        }
    }
    let now = TscSample::now();
    let (ticks, time) = (
        now.tsc.wrapping_sub(earlier.tsc),
        now.nanoseconds.saturating_sub(earlier.nanoseconds),
    );
    let hz = u128::from(ticks) * 1_000_000_000 / u128::from(time.max(1));
    u64::try_from(hz).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_measured_when_nobody_says() {
        let earlier = TscSample::now();
        std::thread::sleep(std::time::Duration::from_millis(5));
        let hz = tsc_hz(earlier);
        assert!(hz == 0 || (100_000_000..10_000_000_000).contains(&hz), "{hz}");
    }

    #[test]
    fn cpuid_has_the_basic_leaves() {
        let entries = cpuid();
        assert!(
            entries
                .iter()
                .any(|entry| entry.leaf == 1 && entry.registers[3] & 1 << 26 != 0),
            "SSE2"
        );
        assert!(entries.iter().any(|entry| entry.leaf == 0x8000_0000));
    }
}
