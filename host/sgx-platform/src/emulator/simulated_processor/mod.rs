//! The simulated processor's secrets, and what EREPORT and EGETKEY make of them (SDM 40.4).
//!
//! Every key is AES-128-CMAC, keyed with the root, over a label and the *key dependencies*: all fields that the SDM's
//! pseudo-code gathers, in full, each at a fixed place. CMAC is a pseudo-random function whose output has just the size of
//! a key, the silicon's derivation is built from AES as well, and the MAC of a report needs it anyway.
//!
//! The seal fuses and the owner's epoch of a real processor are both part of the root: who wants other keys takes another
//! one.

use aes::Aes128;
use cmac::{Cmac, KeyInit, Mac};
use sgx_arch::{
    Attributes, ErrorCode, KeyName, KeyPolicy, KeyRequest, Malformed, MiscSelect, Report, ReportBody, Secs,
    TargetInfo,
};
use zeroize::Zeroizing;

/// A key as EGETKEY derives it.
pub type Key = Zeroizing<[u8; KeyRequest::KEY_SIZE]>;

/// What a real processor has in its fuses and keeps to itself. Whoever holds the root key can make every report and
/// every sealing key of the platform.
pub struct SimulatedProcessor {
    root_key: Key,
    cpu_svn: [u8; 16],
    report_key_id: [u8; 32],
}

impl std::fmt::Debug for SimulatedProcessor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulatedProcessor")
            .field("cpu_svn", &self.cpu_svn)
            .finish_non_exhaustive()
    }
}

/// What a key is for, beside EGETKEY's names.
const REPORT_KEY_ID: [&[u8]; 2] = [b"nacre report key id 0", b"nacre report key id 1"];
const KEY: &[u8] = b"nacre key";

impl SimulatedProcessor {
    /// A processor with this root key, and with these security versions of its own parts.
    pub fn new(root_key: Key, cpu_svn: [u8; 16]) -> Self {
        let mut report_key_id = [0; 32];
        for (half, label) in report_key_id
            .as_chunks_mut::<16>()
            .0
            .iter_mut()
            .zip(REPORT_KEY_ID)
        {
            *half = mac(&root_key, label).finalize().into_bytes().into();
        }
        Self {
            root_key,
            cpu_svn,
            report_key_id,
        }
    }

    /// CPUSVN: sixteen versions of components, as this processor counts them.
    pub fn cpu_svn(&self) -> [u8; 16] {
        self.cpu_svn
    }

    /// The key by which the target checks reports with this KEYID.
    pub fn report_key(&self, target: &TargetInfo, key_id: &[u8; 32]) -> Key {
        self.derive(&Dependencies {
            attributes: target.attributes,
            mr_enclave: target.mr_enclave,
            key_id: *key_id,
            misc_select: target.misc_select,
            cet_attributes: target.cet_attributes,
            config_id: target.config_id,
            config_svn: target.config_svn,
            ..Dependencies::new(KeyName::REPORT, self.cpu_svn)
        })
    }

    /// Whether an enclave on this processor has made the report for this target, now that the processor is what it is. Takes
    /// the same time whatever the MAC.
    pub fn is_report_for(&self, report: &Report, target: &TargetInfo) -> bool {
        let key = self.report_key(target, &report.key_id);
        mac(&key, &report.body.to_bytes())
            .verify_slice(&report.mac)
            .is_ok()
    }

    /// EREPORT of an enclave.
    pub(super) fn report(
        &self,
        secs: &Secs,
        target: &TargetInfo,
        report_data: [u8; ReportBody::DATA_SIZE],
    ) -> Report {
        // The emulator has neither CET nor fields of key separation and sharing (KSS) in its SECS: what a processor writes
        // of them is zero.
        let body = ReportBody {
            cpu_svn: self.cpu_svn,
            misc_select: secs.misc_select,
            cet_attributes: 0,
            isv_ext_prod_id: [0; 16],
            attributes: secs.attributes,
            mr_enclave: secs.mr_enclave,
            mr_signer: secs.mr_signer,
            config_id: [0; 64],
            isv_prod_id: secs.isv_prod_id,
            isv_svn: secs.isv_svn,
            config_svn: 0,
            isv_family_id: [0; 16],
            report_data,
        };
        let key = self.report_key(target, &self.report_key_id);
        Report {
            body,
            key_id: self.report_key_id,
            mac: mac(&key, &body.to_bytes()).finalize().into_bytes().into(),
        }
    }

    /// EGETKEY of an enclave: the outer error is #GP.
    pub(super) fn key(&self, secs: &Secs, request: &KeyRequest) -> Result<Result<Key, ErrorCode>, Malformed> {
        let has = |flag| secs.attributes.flags & flag != 0;
        if !has(Attributes::KSS) && (request.policy.needs_kss() || request.config_svn != 0) {
            return Err(Malformed("KEYREQUEST asks for what needs ATTRIBUTES.KSS"));
        }
        Ok(self.dependencies(secs, request).map(|found| self.derive(&found)))
    }

    /// The table "Key Derivation", and who may have which key.
    fn dependencies(&self, secs: &Secs, request: &KeyRequest) -> Result<Dependencies, ErrorCode> {
        const ALWAYS: u64 = Attributes::INIT | Attributes::DEBUG;
        let has = |flag| secs.attributes.flags & flag != 0;
        let if_chosen = |policy, value| {
            if request.policy.has(policy) {
                value
            } else {
                [0; 32]
            }
        };

        let may_have = match request.name {
            KeyName::EINITTOKEN => has(Attributes::EINITTOKEN_KEY),
            KeyName::PROVISION | KeyName::PROVISION_SEAL => has(Attributes::PROVISIONKEY),
            KeyName::REPORT => {
                return Ok(Dependencies {
                    attributes: secs.attributes,
                    mr_enclave: secs.mr_enclave,
                    key_id: request.key_id,
                    misc_select: secs.misc_select,
                    ..Dependencies::new(KeyName::REPORT, self.cpu_svn)
                });
            }
            KeyName::SEAL => true,
            _ => return Err(ErrorCode::InvalidKeyName),
        };
        if !may_have {
            return Err(ErrorCode::InvalidAttribute);
        }
        if request
            .cpu_svn
            .iter()
            .zip(&self.cpu_svn)
            .any(|(asked, own)| asked > own)
        {
            return Err(ErrorCode::InvalidCpuSvn);
        }
        // CONFIGSVN of the enclave is zero, as is all that KSS adds to the identity: see `report`.
        let depends_on_config = matches!(request.name, KeyName::SEAL | KeyName::PROVISION_SEAL);
        if request.isv_svn > secs.isv_svn || depends_on_config && request.config_svn > 0 {
            return Err(ErrorCode::InvalidIsvSvn);
        }

        let mask = Attributes {
            flags: request.attributes_mask.flags | ALWAYS,
            ..request.attributes_mask
        };
        let isv_prod_id = if request.policy.has(KeyPolicy::NOISVPRODID) {
            0
        } else {
            secs.isv_prod_id
        };
        let common = Dependencies {
            isv_prod_id: secs.isv_prod_id,
            isv_svn: request.isv_svn,
            attributes: secs.attributes.masked(mask),
            mr_signer: secs.mr_signer,
            misc_select: MiscSelect(secs.misc_select.0 & request.misc_mask),
            ..Dependencies::new(request.name, request.cpu_svn)
        };
        Ok(match request.name {
            KeyName::EINITTOKEN => Dependencies {
                key_id: request.key_id,
                ..common
            },
            KeyName::PROVISION => Dependencies {
                attributes_mask: request.attributes_mask,
                misc_mask: !request.misc_mask,
                ..common
            },
            KeyName::PROVISION_SEAL => Dependencies {
                isv_prod_id,
                attributes_mask: request.attributes_mask,
                misc_mask: !request.misc_mask,
                policy: request.policy,
                ..common
            },
            _ => Dependencies {
                isv_prod_id,
                attributes_mask: request.attributes_mask,
                mr_enclave: if_chosen(KeyPolicy::MRENCLAVE, secs.mr_enclave),
                mr_signer: if_chosen(KeyPolicy::MRSIGNER, secs.mr_signer),
                key_id: request.key_id,
                misc_mask: !request.misc_mask,
                policy: request.policy,
                ..common
            },
        })
    }

    fn derive(&self, dependencies: &Dependencies) -> Key {
        let mut mac = mac(&self.root_key, KEY);
        dependencies.for_each(|field| mac.update(field));
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

/// Everything that a key may depend on; zero where the key does not.
struct Dependencies {
    name: KeyName,
    isv_prod_id: u16,
    isv_svn: u16,
    attributes: Attributes,
    attributes_mask: Attributes,
    mr_enclave: [u8; 32],
    mr_signer: [u8; 32],
    key_id: [u8; 32],
    cpu_svn: [u8; 16],
    misc_select: MiscSelect,
    misc_mask: u32,
    policy: KeyPolicy,
    cet_attributes: u8,
    config_id: [u8; 64],
    config_svn: u16,
}

impl Dependencies {
    /// A key that depends on nothing else.
    fn new(name: KeyName, cpu_svn: [u8; 16]) -> Self {
        Self {
            name,
            isv_prod_id: 0,
            isv_svn: 0,
            attributes: Attributes::default(),
            attributes_mask: Attributes::default(),
            mr_enclave: [0; 32],
            mr_signer: [0; 32],
            key_id: [0; 32],
            cpu_svn,
            misc_select: MiscSelect::default(),
            misc_mask: 0,
            policy: KeyPolicy::default(),
            cet_attributes: 0,
            config_id: [0; 64],
            config_svn: 0,
        }
    }

    /// All fields, each with its own length always.
    fn for_each(&self, mut field: impl FnMut(&[u8])) {
        field(&self.name.0.to_le_bytes());
        field(&self.isv_prod_id.to_le_bytes());
        field(&self.isv_svn.to_le_bytes());
        field(&self.attributes.to_bytes());
        field(&self.attributes_mask.to_bytes());
        field(&self.mr_enclave);
        field(&self.mr_signer);
        field(&self.key_id);
        field(&self.cpu_svn);
        field(&self.misc_select.0.to_le_bytes());
        field(&self.misc_mask.to_le_bytes());
        field(&self.policy.bits().to_le_bytes());
        field(&[self.cet_attributes]);
        field(&self.config_id);
        field(&self.config_svn.to_le_bytes());
    }
}

fn mac(key: &[u8; KeyRequest::KEY_SIZE], message: &[u8]) -> Cmac<Aes128> {
    Cmac::<Aes128>::new(key.into()).chain_update(message)
}

#[cfg(test)]
mod tests;
