//! What is known of an enclave that asks for something.

use dcap_quote::{Bytes, Report, TcbStatus, Trust, Verdict};
use serde::Serialize;

use crate::document::ImageKeyId;

/// What an enclave has proven, and what the broker knows of the world. All of it must have been verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Measurement of the enclave.
    pub mr_enclave: Bytes<32>,
    /// Hash of its signer's key.
    pub mr_signer: Bytes<32>,
    /// Product of the signer.
    pub isv_prod_id: u16,
    /// Security version.
    pub isv_svn: u16,
    /// Whether its host can look into it with a debugger.
    pub debug: bool,
    /// Whether a simulated platform vouches for it.
    pub simulated: bool,
    /// Of its platform.
    pub status: TcbStatus,
    /// Known weaknesses of its platform.
    pub advisories: Vec<String>,
    /// Identity of its platform.
    pub ppid: Option<Bytes<16>>,
    /// Identity of its platform's set-up.
    pub platform_instance_id: Option<Bytes<16>>,
    /// What the registry of a cloud's hosts says of the PPID (see [`Policy::registry`](crate::Policy::registry)).
    pub registered: Registered,
    /// The key of an encrypted image that it asks for.
    pub image_key: Option<ImageKeyId>,
    /// How many other instances of its service run.
    pub instances: u32,
}

/// The answer of a registry of hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Registered {
    /// It was not asked, because no policy asked for that.
    #[default]
    NotAsked,
    /// It knows the platform.
    Yes,
    /// It does not know the platform.
    No,
    /// It gave no answer that can be used.
    Unavailable,
}

impl Evidence {
    /// What a verified quote proves; none for a trust domain, which is no enclave. The other fields are of somebody who asks
    /// for nothing, and is the first.
    #[must_use]
    pub fn of(verdict: &Verdict) -> Option<Self> {
        let Report::Sgx(report) = &verdict.report else {
            return None;
        };
        Some(Self {
            mr_enclave: report.mr_enclave,
            mr_signer: report.mr_signer,
            isv_prod_id: report.isv_prod_id,
            isv_svn: report.isv_svn,
            debug: report.is_debug(),
            simulated: verdict.trust != Trust::Intel,
            status: verdict.status,
            advisories: verdict.advisories.clone(),
            ppid: Some(verdict.platform.ppid),
            platform_instance_id: verdict.platform.platform_instance_id,
            registered: Registered::NotAsked,
            image_key: None,
            instances: 0,
        })
    }
}
