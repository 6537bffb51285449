//! Leaf numbers of ENCLU and the error codes that leaves return (SDM 40.1.1 and 40.1.2).

/// ENCLU leaves, the instructions of SGX that an application or an enclave executes (`EAX`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Enclu {
    /// Makes a report about the enclave for another one on the same machine.
    EReport = 0,
    /// Derives a key.
    EGetKey = 1,
    /// Enters the enclave (outside only).
    EEnter = 2,
    /// Goes on after an asynchronous exit (outside only).
    EResume = 3,
    /// Leaves the enclave.
    EExit = 4,
    /// Accepts what the host has done to a page.
    EAccept = 5,
    /// Extends what a page allows.
    EModPe = 6,
    /// Accepts a new page and fills it from another one.
    EAcceptCopy = 7,
}

impl Enclu {
    /// The leaf with this number.
    pub const fn from_raw(raw: u32) -> Option<Self> {
        Some(match raw {
            0 => Self::EReport,
            1 => Self::EGetKey,
            2 => Self::EEnter,
            3 => Self::EResume,
            4 => Self::EExit,
            5 => Self::EAccept,
            6 => Self::EModPe,
            7 => Self::EAcceptCopy,
            _ => return None,
        })
    }
}

/// What a leaf reports in `EAX`, together with ZF (SDM table 40-5); 0 is success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ErrorCode {
    /// SIGSTRUCT is malformed.
    InvalidSigStruct = 1,
    /// The attributes are not those that SIGSTRUCT allows, or (EGETKEY) the key needs others.
    InvalidAttribute = 2,
    /// MRENCLAVE is not SIGSTRUCT's ENCLAVEHASH.
    InvalidMeasurement = 4,
    /// SIGSTRUCT's signature does not verify.
    InvalidSignature = 8,
    /// EACCEPT: the page is not in the state that the enclave expects.
    PageAttributesMismatch = 19,
    /// EMODPE, EMODPR, EMODT: the page is pending or modified.
    PageNotModifiable = 20,
    /// EGETKEY: CPUSVN is beyond the processor's.
    InvalidCpuSvn = 32,
    /// EGETKEY: ISVSVN or CONFIGSVN is beyond the enclave's.
    InvalidIsvSvn = 64,
    /// EGETKEY: KEYNAME is unknown.
    InvalidKeyName = 256,
}
