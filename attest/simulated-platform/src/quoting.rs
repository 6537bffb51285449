//! The simulated quoting enclave: reports in, quotes out.

use dcap_quote::{SIMULATED_QE_VENDOR, Tee};
use sha2::{Digest as _, Sha256};

use crate::key::Key;
use crate::pki::pem;
use crate::profile::Fault;
use crate::{Body, SimulatedPlatform};

/// MRSIGNER of simulated quoting enclaves.
pub(crate) fn qe_mr_signer() -> [u8; 32] {
    Sha256::digest(b"signer of Nacre's simulated quoting enclave").into()
}

/// MRENCLAVE of simulated quoting enclaves.
fn qe_mr_enclave() -> [u8; 32] {
    Sha256::digest(b"Nacre's simulated quoting enclave").into()
}

/// ATTRIBUTES of simulated quoting enclaves: INIT, PROVISION_KEY, and XFRM with x87 and SSE.
const QE_ATTRIBUTES: [u8; 16] = {
    let mut attributes = [0; 16];
    attributes[0] = 0x11;
    attributes[8] = 3;
    attributes
};

/// ISVPRODID of the quoting enclave, as Intel's have them.
pub(crate) const fn qe_isv_prod_id(tee: Tee) -> u16 {
    match tee {
        Tee::Sgx => 1,
        Tee::Tdx => 2,
    }
}

/// Intel's quoting enclave uses the numbers from 0 to 31 too.
fn authentication_data() -> [u8; 32] {
    std::array::from_fn(|index| index as u8)
}

impl SimulatedPlatform {
    /// TARGETINFO of the quoting enclave (SDM volume 3D, "TARGETINFO"): whom reports that are to become quotes are for.
    #[must_use]
    pub fn quoting_enclave(&self) -> [u8; 512] {
        let mut target_info = [0; 512];
        target_info[..32].copy_from_slice(&qe_mr_enclave());
        target_info[32..48].copy_from_slice(&QE_ATTRIBUTES);
        target_info
    }

    /// A quote of version 3 for the enclave with this REPORTBODY.
    ///
    /// The report is taken as it is: whoever calls has checked its MAC, as a quoting enclave does.
    #[must_use]
    pub fn quote(&self, report_body: &[u8; 384]) -> Vec<u8> {
        self.quote_as(3, &Body::Sgx(*report_body), SIMULATED_QE_VENDOR)
    }

    /// A quote in another format (version 3, 4 or 5) or by another vendor, for tests of verifiers.
    ///
    /// # Panics
    /// When there is no such format for such a body.
    #[must_use]
    pub fn quote_as(&self, version: u16, body: &Body, vendor: [u8; 16]) -> Vec<u8> {
        let tee = body.tee();
        let mut signed = self.header(version, tee, vendor);
        match (version, body) {
            (3 | 4, Body::Sgx(_)) | (4, Body::Td10(_)) => {}
            (5, _) => {
                signed.extend(body.type_in_version_5().to_le_bytes());
                signed.extend(length(body.bytes()));
            }
            _ => panic!("version {version} of the quote's format has no such body"),
        }
        signed.extend(body.bytes());

        let attestation_key = Key::derive(&self.profile.seed, "attestation key");
        let certification = self.certification(tee, &attestation_key);
        let mut signature_data = attestation_key.sign(&signed).to_vec();
        signature_data.extend(attestation_key.coordinates());
        if version > 3 {
            signature_data.extend(certification_data(6, &certification));
        } else {
            signature_data.extend(certification);
        }
        let mut quote = signed;
        quote.extend(length(&signature_data));
        quote.extend(signature_data);
        quote
    }

    fn header(&self, version: u16, tee: Tee, vendor: [u8; 16]) -> Vec<u8> {
        let tee_type: u32 = match tee {
            Tee::Sgx => 0,
            Tee::Tdx => 0x81,
        };
        let mut header = Vec::new();
        header.extend(version.to_le_bytes());
        header.extend(2_u16.to_le_bytes());
        header.extend(tee_type.to_le_bytes());
        if version == 3 {
            header.extend(self.profile.qe_isv_svn.to_le_bytes());
            header.extend(self.profile.pce_svn.to_le_bytes());
        } else {
            header.extend([0; 4]);
        }
        header.extend(vendor);
        header.extend([0; 20]);
        header
    }

    /// From the quoting enclave's report to the root certificate.
    fn certification(&self, tee: Tee, attestation_key: &Key) -> Vec<u8> {
        let authentication_data = authentication_data();
        let report = self.qe_report(tee, attestation_key, &authentication_data);
        let mut bytes = report.to_vec();
        bytes.extend(self.keys.pck.sign(&report));
        bytes.extend((authentication_data.len() as u16).to_le_bytes());
        bytes.extend(authentication_data);
        let chain = pem(&self.pki.pck) + &pem(&self.pki.authority) + &pem(&self.pki.root) + "\0";
        bytes.extend(certification_data(5, chain.as_bytes()));
        bytes
    }

    /// REPORTBODY of the quoting enclave.
    fn qe_report(&self, tee: Tee, attestation_key: &Key, authentication_data: &[u8]) -> [u8; 384] {
        let has = |fault| self.profile.fault == Some(fault);
        let mut report = [0; 384];
        let mut put =
            |offset: usize, bytes: &[u8]| report[offset..offset + bytes.len()].copy_from_slice(bytes);
        put(0, &self.profile.svns);
        put(48, &QE_ATTRIBUTES);
        if has(Fault::QeIsDebug) {
            put(48, &[QE_ATTRIBUTES[0] | 2]);
        }
        put(64, &qe_mr_enclave());
        put(
            128,
            &if has(Fault::QeHasAnotherSigner) {
                [0; 32]
            } else {
                qe_mr_signer()
            },
        );
        let product = if has(Fault::QeIsAnotherProduct) {
            99
        } else {
            qe_isv_prod_id(tee)
        };
        put(256, &product.to_le_bytes());
        put(258, &self.profile.qe_isv_svn.to_le_bytes());
        let mut hash = Sha256::new();
        hash.update(attestation_key.coordinates());
        hash.update(if has(Fault::QeVouchesForAnotherKey) {
            &[]
        } else {
            authentication_data
        });
        put(320, &hash.finalize());
        report
    }
}

fn certification_data(kind: u16, content: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes(), length(content).as_slice(), content].concat()
}

fn length(content: &[u8]) -> [u8; 4] {
    u32::try_from(content.len())
        .expect("some kilobytes")
        .to_le_bytes()
}
