//! The traits of a platform: the life of an enclave in four steps.

use enclave_layout::{Acceptance, EntryReason, PageRange, Protection};
use sgx_arch::{GprSgx, Malformed, PAGE_SIZE, SecInfo, SigStruct};

/// An enclave that is being built: pages are added until it is initialised.
pub trait Builder: Sized {
    /// What it becomes.
    type Enclave: Enclave;

    /// Adds a page (EADD) and measures the chunks of it that `measured` names (EEXTEND). `content` is `None` for
    /// zeros. Linux's driver can measure whole pages or none.
    fn add_page(
        &mut self,
        offset: u64,
        sec_info: SecInfo,
        content: Option<&[u8; PAGE_SIZE as usize]>,
        measured: Chunks,
    ) -> Result<(), PlatformError>;

    /// Checks the signature against what has been measured and opens the enclave for entries (EINIT).
    fn init(self, signature: &SigStruct) -> Result<Self::Enclave, PlatformError>;
}

/// An initialised enclave.
pub trait Enclave: Send + Sync {
    /// A host thread that may enter.
    type Thread<'a>: Thread
    where
        Self: 'a;

    /// Prepares the calling host thread to enter by this TCS (address in ELRANGE). The TCS is the thread's until
    /// the value is dropped.
    fn thread(&self, tcs: u64) -> Result<Self::Thread<'_>, PlatformError>;

    /// Adds zeroed pages, readable and writable, pending until accepted (EAUG). Like the other three calls, it refuses
    /// pages outside ELRANGE with [`EnclaveError::PageState`].
    ///
    /// `acceptance` says how the enclave is going to accept them. With [`Acceptance::Zeros`], the page tables allow
    /// reading and writing from now on. With [`Acceptance::Copies`], where the processor does not protect pending pages,
    /// they allow nothing until [`Enclave::protect`], so that no thread of the enclave sees the pages before.
    fn commit(&self, range: PageRange, acceptance: Acceptance) -> Result<(), EnclaveError>;

    /// Sets the host's page tables, and restricts the EPCM to these permissions (EMODPR): each page must be
    /// accepted.
    fn protect(&self, range: PageRange, protection: Protection) -> Result<(), EnclaveError>;

    /// Changes the type of pages to TRIM (EMODT): each must be accepted before it can be removed.
    fn trim(&self, range: PageRange) -> Result<(), EnclaveError>;

    /// Removes trimmed and accepted pages (EREMOVE).
    fn remove(&self, range: PageRange) -> Result<(), EnclaveError>;
}

/// A host thread at one TCS. It stays on the thread that made it.
pub trait Thread {
    /// EENTER, with `call_area` in `RDI` and `reason` in `RSI`. The caller follows the entry protocol of
    /// `enclave-layout`: with [`EntryReason::Exception`] after an asynchronous exit, else with `Normal`.
    fn enter(&mut self, call_area: u64, reason: EntryReason) -> Exit;

    /// ERESUME: goes on where the last asynchronous exit stopped.
    fn resume(&mut self) -> Exit;

    /// A handle that interrupts this thread from another one.
    fn interrupter(&self) -> Interrupter;

    /// The registers at the last asynchronous exit, of an enclave that may be debugged.
    fn debugged(&self) -> Option<Debugged>;
}

/// Why the processor is outside again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The enclave left by EEXIT, with this in `RDI`.
    Left(u64),
    /// An asynchronous exit: the state lies in the SSA frame.
    Async(AsyncExit),
    /// The TCS cannot be entered or resumed in its state (#GP): all its SSA frames are in use, or none.
    Refused,
}

/// What stopped an enclave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsyncExit {
    /// [`Interrupter::interrupt`], or anything that is the host's business.
    Interrupt,
    /// An exception with this vector (SDM volume 3A, table 6-1).
    Exception(u8),
}

/// What a debugger sees of a stopped thread.
#[derive(Clone, Copy, Debug)]
pub struct Debugged {
    /// The registers.
    pub registers: GprSgx,
    /// The address that faulted, for #PF.
    pub address: u64,
}

/// Interrupts one thread: if it runs in the enclave, it exits with [`AsyncExit::Interrupt`]; if it handles an
/// exception, it does so at the next [`Thread::resume`]; if it is blocked in an [`crate::interruptible`] system call,
/// that ends with EINTR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupter {
    tid: libc::pid_t,
}

impl Interrupter {
    /// Of the calling thread.
    pub(crate) fn current() -> Self {
        // SAFETY: no preconditions.
        let tid = unsafe { libc::gettid() };
        Self { tid }
    }

    /// Interrupts the thread.
    pub fn interrupt(self) {
        // SAFETY: no preconditions.
        let pid = unsafe { libc::getpid() };
        // SAFETY: sends a signal that this crate handles. It goes nowhere if the thread has ended.
        unsafe { libc::syscall(libc::SYS_tgkill, pid, self.tid, crate::interruptible::signal()) };
    }
}

/// Which of a page's sixteen 256-byte chunks are measured: bit `n` for chunk `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chunks(pub u16);

impl Chunks {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(u16::MAX);
}

/// What the enclave asked for and cannot have; it gets an error number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnclaveError {
    /// A page is in a state that does not allow it.
    #[error("page {0:#x} is not in the state for it")]
    PageState(u64),
    /// The host has no memory, or no more mappings.
    #[error("the host has no memory for it")]
    Memory,
}

/// Which field of the signature disagrees with the enclave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are SIGSTRUCT's")]
pub enum Mismatch {
    EnclaveHash,
    Attributes,
    MiscSelect,
    Signature,
    Vendor,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::EnclaveHash => "ENCLAVEHASH is not the measurement of this enclave: one of the two files is of another enclave, or damaged",
            Self::Attributes => "ATTRIBUTES under ATTRIBUTEMASK are not the enclave's",
            Self::MiscSelect => "MISCSELECT under MISCMASK is not the enclave's",
            Self::Signature => "the RSA signature does not verify",
            Self::Vendor => "VENDOR is neither 0 nor Intel's",
        })
    }
}

/// Why there is no enclave.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// The machine cannot run enclaves on this platform.
    #[error(transparent)]
    Machine(#[from] crate::requirements::Missing),
    /// The signature is not one for this enclave (EINIT).
    #[error("the enclave's signature is refused: {0}")]
    Signature(Mismatch),
    /// A structure of the enclave file is not what the architecture defines.
    #[error("the enclave file is damaged: {0}")]
    Malformed(#[from] Malformed),
    /// A page cannot be added where the file says.
    #[error("the enclave file is damaged: page {0:#x} {1}")]
    Page(u64, &'static str),
    /// The address range is taken.
    #[error(
        "the address range {start:#x} to {end:#x} cannot be had ({}): {source}",
        address_range_hint(source)
    )]
    AddressRange {
        /// First address.
        start: u64,
        /// First address after it.
        end: u64,
        /// What the kernel says.
        source: std::io::Error,
    },
    /// The TCS cannot be entered.
    #[error("TCS {0:#x} {1}")]
    Tcs(u64, &'static str),
    /// The kernel refused something.
    #[error("{0}: {1}")]
    Kernel(&'static str, std::io::Error),
}

/// What to do when an address range cannot be had.
fn address_range_hint(error: &std::io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOMEM) => {
            "an enclave reserves 64 TiB of addresses, not of memory: lift the limit with `ulimit -v unlimited`"
        }
        _ => "set vm.legacy_va_layout to 0, and run one enclave per process",
    }
}
