//! The profile of a simulated platform. The default is up to date; tests change what they are
//! about.

use dcap_quote::{TcbStatus, UnixTime, Validity};

use crate::key::derive;

/// A platform before its keys are made. Equal profiles make equal platforms, bit for bit.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What all keys and serial numbers are made from.
    pub seed: [u8; 32],
    /// Who certifies the PCK.
    pub authority: Authority,
    /// The kind of platform.
    pub fmspc: [u8; 6],
    /// The provisioning certification enclave.
    pub pce_id: [u8; 2],
    /// Security versions of the components of CPUSVN, and CPUSVN itself, which is opaque on silicon.
    pub svns: [u8; 16],
    /// Security version of the provisioning certification enclave.
    pub pce_svn: u16,
    /// Security version of the quoting enclave.
    pub qe_isv_svn: u16,
    /// Levels of the TCB info.
    pub levels: Vec<Level>,
    /// Levels of the QE identity.
    pub qe_levels: Vec<IsvLevel>,
    /// Levels of the TDX module of version 1.
    pub module_levels: Vec<IsvLevel>,
    /// Number of the TCB recovery that the documents take into account.
    pub evaluation_data_number: u32,
    /// That of the QE identity, if it is another one.
    pub qe_evaluation_data_number: Option<u32>,
    /// Date of the first of the levels of each kind; the others' is 2024-03-13.
    pub tcb_date: UnixTime,
    /// When everything may be relied upon.
    pub dates: Dates,
    /// Certificates that their issuer has revoked.
    pub revoked: Vec<Certificate>,
    /// What is wrong with the platform, for tests of verifiers.
    pub fault: Option<Fault>,
}

/// A level of the TCB info.
#[derive(Clone, Debug)]
pub struct Level {
    /// Least versions of the components of CPUSVN.
    pub svns: [u8; 16],
    /// Least version of the provisioning certification enclave.
    pub pce_svn: u16,
    /// Least versions of the components of TEE_TCB_SVN; only in TCB info for TDX.
    pub tdx_svns: [u8; 16],
    /// What the level is worth.
    pub status: TcbStatus,
    /// Weaknesses that are not fixed.
    pub advisories: Vec<String>,
}

/// A level of an enclave's or a module's one version.
#[derive(Clone, Debug)]
pub struct IsvLevel {
    /// The least version.
    pub isv_svn: u16,
    /// What the level is worth.
    pub status: TcbStatus,
    /// Weaknesses that are not fixed.
    pub advisories: Vec<String>,
}

/// When everything may be relied upon.
#[derive(Clone, Debug)]
pub struct Dates {
    /// Certificate of the root.
    pub root: Validity,
    /// Certificate of the PCK authority.
    pub authority: Validity,
    /// PCK certificate.
    pub pck: Validity,
    /// Certificate of the signer of TCB info and QE identity.
    pub tcb_signer: Validity,
    /// Revocation list of the root.
    pub root_list: Validity,
    /// Revocation list of the PCK authority.
    pub pck_list: Validity,
    /// TCB info.
    pub tcb_info: Validity,
    /// QE identity.
    pub qe_identity: Validity,
}

/// The two authorities for PCKs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// Of platforms with one processor.
    Processor,
    /// Of platforms that register.
    Platform,
}

/// A certificate of the simulated infrastructure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// Self-signed.
    Root,
    /// Of the authority that certifies PCKs.
    Authority,
    /// Of the platform.
    Pck,
    /// Of the signer of TCB info and QE identity.
    TcbSigner,
}

/// A way to be wrong although every signature is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The PCK authority's certificate says that it is no authority.
    AuthorityIsEndEntity,
    /// The PCK authority may have authorities below it.
    AuthorityHasPathLength1,
    /// The PCK certificate says that it is an authority.
    PckIsAuthority,
    /// The PCK certificate has no SGX extension.
    PckWithoutSgxExtension,
    /// The PCK certificate has another name.
    PckIsCalledOtherwise,
    /// The PCK certificate has a critical extension that nobody knows.
    PckHasUnknownCriticalExtension,
    /// The PCK certificate has an extension twice.
    PckHasExtensionTwice,
    /// The signer of TCB info and QE identity has another name.
    TcbSignerIsCalledOtherwise,
    /// The PCK authority's revocation list is of a part of the certificates.
    PckListIsPartial,
    /// The quoting enclave can be debugged.
    QeIsDebug,
    /// The quoting enclave is another enclave of its signer.
    QeIsAnotherProduct,
    /// The quoting enclave has another signer.
    QeHasAnotherSigner,
    /// The quoting enclave vouches for another key.
    QeVouchesForAnotherKey,
}

const DAY: u64 = 24 * 60 * 60;

/// 2024-03-13.
pub(crate) const TCB_DATE: UnixTime = UnixTime(1_710_288_000);

impl Profile {
    /// A platform that is up to date, with collateral that is issued `now` and serves for thirty days, as Intel's. Its
    /// certificates do not depend on `now`.
    #[must_use]
    pub fn new(seed: [u8; 32], now: UnixTime) -> Self {
        let svns = [4, 4, 3, 3, 255, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let level = |svns, status, advisories: &[&str]| Level {
            svns,
            pce_svn: 13,
            tdx_svns: [5, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            status,
            advisories: advisories.iter().map(ToString::to_string).collect(),
        };
        let isv_level = |isv_svn, status, advisories: &[&str]| IsvLevel {
            isv_svn,
            status,
            advisories: advisories.iter().map(ToString::to_string).collect(),
        };
        let older = [3, 3, 3, 3, 255, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        Self {
            seed,
            authority: Authority::Platform,
            fmspc: [0, 0x51, 0x4d, 0x55, 0x4c, 0],
            pce_id: [0, 0],
            svns,
            pce_svn: 13,
            qe_isv_svn: 8,
            levels: vec![
                level(svns, TcbStatus::UpToDate, &[]),
                level(older, TcbStatus::OutOfDate, &["SIMULATED-SA-00001"]),
            ],
            qe_levels: vec![
                isv_level(8, TcbStatus::UpToDate, &[]),
                isv_level(6, TcbStatus::OutOfDate, &["SIMULATED-SA-00002"]),
            ],
            module_levels: vec![
                isv_level(5, TcbStatus::UpToDate, &[]),
                isv_level(3, TcbStatus::OutOfDate, &["SIMULATED-SA-00003"]),
            ],
            evaluation_data_number: 17,
            qe_evaluation_data_number: None,
            tcb_date: TCB_DATE,
            dates: Dates::issued(now),
            revoked: Vec::new(),
            fault: None,
        }
    }

    /// What the processor's own keys are made from: on silicon, fuses that nothing can read.
    #[must_use]
    pub fn processor_key(&self) -> [u8; 16] {
        let mut key = [0; 16];
        key.copy_from_slice(&derive(&self.seed, "processor", 0)[..16]);
        key
    }
}

impl Dates {
    fn issued(now: UnixTime) -> Self {
        // 2020-01-01 to 2049-12-31.
        let certificate = Validity {
            from: UnixTime(1_577_836_800),
            until: UnixTime(2_524_521_600),
        };
        let collateral = Validity {
            from: now,
            until: UnixTime(now.0.saturating_add(30 * DAY)),
        };
        Self {
            root: certificate,
            authority: certificate,
            pck: certificate,
            tcb_signer: certificate,
            root_list: collateral,
            pck_list: collateral,
            tcb_info: collateral,
            qe_identity: collateral,
        }
    }
}
