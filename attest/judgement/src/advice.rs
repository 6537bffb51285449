//! Advice: what to do about each refusal and objection.

use dcap_quote::{CertificateError, Component, Objection, QuoteError, Refusal, Shortfall, TcbStatus};

use crate::Reason;

/// What to do about a quote that proves nothing.
pub(crate) fn for_refusal(reason: &Reason) -> &'static str {
    let refusal = match reason {
        Reason::Quote(QuoteError::WithoutPckChain(_)) => {
            return "The platform had no PCK certificate at hand when it made the quote. Let its quote provider get one from \
                    Intel, a PCCS or the cloud (pccs_url in /etc/sgx_default_qcnl.conf), and have the quote made again.";
        }
        Reason::Quote(_) => {
            return "Give the quote as the platform made it: binary, in full, of version 3, 4 or 5, with the PCK certificate \
                    chain inside (certification data type 5). Where it comes from base64 or JSON, decode it first.";
        }
        Reason::CollateralFile(_) => {
            return "Fetch the collateral again (nacre collateral fetch). The file is JSON with the nine members of sgx_ql_qve_collateral_t, each once.";
        }
        Reason::Refusal(refusal) => refusal,
    };
    match refusal {
        Refusal::NotValid { at, dated } if *at < dated.validity.from => {
            "Check the clock of this machine, or the time that was asked for (--at): the evidence is younger than that."
        }
        Refusal::NotValid { .. } => {
            "Fetch current collateral for the platform (nacre collateral fetch --quote FILE); if it is current, check the clock of this machine or --at. If a \
             certificate of the quote itself has expired, the platform must be provisioned anew."
        }
        Refusal::Certificate {
            error: CertificateError::UntrustedRoot,
            ..
        } => {
            "The certificates lead to another root than the trusted one. A simulated platform's quote is accepted only with \
             --dangerous-trust-simulated and the root's certificate; anything else is not from Intel."
        }
        Refusal::Certificate {
            error: CertificateError::Revoked,
            ..
        } => {
            "Do not trust this platform: its keys may be known to others. Only its maker or Intel can provision it anew."
        }
        Refusal::Certificate {
            error: CertificateError::OtherAuthority,
            ..
        } => {
            "Fetch the collateral with the revocation list of the authority that certified this platform \
             (nacre collateral fetch --quote FILE)."
        }
        Refusal::WrongTee { .. } | Refusal::WrongPlatform { .. } | Refusal::MixedCollateral { .. } => {
            "Fetch the collateral for this quote's platform (nacre collateral fetch --quote FILE): TCB info by its FMSPC, SGX or \
             TDX as the quote is."
        }
        Refusal::Vendor(_) => {
            "Only Intel's quoting enclaves are trusted, and simulated ones below a simulated root that was named with \
             --dangerous-trust-simulated."
        }
        Refusal::QuotingEnclave(_) | Refusal::TdxModule(_) => {
            "The platform runs something else than what Intel signed for this purpose, or the collateral is older than what it \
             runs. Fetch current collateral; if that does not help, do not trust the platform."
        }
        Refusal::QeReportSignature | Refusal::AttestationKey | Refusal::QuoteSignature => {
            "The quote was changed after it was made, or was never made by this platform. Ask for a new one; if that does not \
             help, do not trust the sender."
        }
        Refusal::Pem { .. }
        | Refusal::ChainLength { .. }
        | Refusal::Certificate { .. }
        | Refusal::RevocationList { .. }
        | Refusal::RevocationListText(_)
        | Refusal::DocumentSignature(_)
        | Refusal::Document { .. } => {
            "This part was changed on its way, or is of another platform or issuer. Fetch the collateral again, byte by byte as \
             Intel serves it; if the part is in the quote, ask for a new quote."
        }
        _ => NEWER_VERIFIER,
    }
}

/// For what the verifier knows and this crate does not yet.
const NEWER_VERIFIER: &str =
    "This version has no advice for it. Do not trust the quote; a newer version of nacre may say more.";

/// What to do about an authentic quote that is not acceptable.
pub(crate) const fn for_objection(objection: &Objection) -> &'static str {
    match objection {
        Objection::Status(status) => for_status(*status),
        Objection::Debug | Objection::Profiling => {
            "Its host can read its memory. Build it without the debug attribute; for development, \
             --dangerous-accept-debug accepts it."
        }
        Objection::ReservedAttributes => "Nobody knows what they mean; a newer verifier may.",
        Objection::Migratable | Objection::ServiceDomain => {
            "What such a service domain may do decides about this one, and is not verified here. Launch it without."
        }
        Objection::SeptVe => "Launch the domain with SEPT_VE_DISABLE.",
        Objection::Identity(_) => "If it should be accepted as well, name it, too.",
        _ => NEWER_VERIFIER,
    }
}

const fn for_status(status: TcbStatus) -> &'static str {
    match status {
        TcbStatus::UpToDate => "Nothing is to be done.",
        TcbStatus::SwHardeningNeeded => {
            "The platform is patched as far as it can be; the rest is for the attested software, which must be built with \
             the mitigations of the advisories. If it is, accept it with --accept SWHardeningNeeded."
        }
        TcbStatus::ConfigurationNeeded => {
            "The firmware's settings, for instance hyperthreading, may expose it. Change them as the advisories say, or accept \
             it with --accept ConfigurationNeeded if you know that they do not matter to you."
        }
        TcbStatus::ConfigurationAndSwHardeningNeeded => {
            "The firmware's settings may expose it, and the attested software must be built with the mitigations of the \
             advisories. If both are cared for, accept it with --accept ConfigurationAndSWHardeningNeeded."
        }
        TcbStatus::OutOfDate | TcbStatus::OutOfDateConfigurationNeeded => {
            "Security updates are missing: install what is short below, then have the platform provisioned anew, so that its \
             PCK certificate says so."
        }
        TcbStatus::Revoked => "Do not trust this platform, whatever it says. No option accepts it.",
        TcbStatus::TdRelaunchAdvised | TcbStatus::TdRelaunchAdvisedConfigurationNeeded => {
            "The platform was updated under the running domain. Relaunch the domain."
        }
        TcbStatus::NotSupported => {
            "Intel lists no level for versions as low as these: update what is short below, then have the platform provisioned \
             anew. No option accepts it."
        }
        _ => NEWER_VERIFIER,
    }
}

/// Who can raise a security version.
pub(crate) fn for_component(short: &Shortfall) -> &'static str {
    let is = |word| {
        short
            .description
            .as_deref()
            .is_some_and(|text| text.contains(word))
    };
    match short.component {
        Component::Sgx(_) | Component::Tdx(_) if is("TDX Module") => "update the TDX module",
        Component::Sgx(_) | Component::Tdx(_) if is("BIOS") => "update the firmware (BIOS) of the machine",
        Component::Sgx(_) | Component::Tdx(_) if is("OS/VMM") => {
            "update what the operating system or hypervisor loads (microcode, ACMs)"
        }
        Component::Sgx(_) | Component::Tdx(_) => {
            "update firmware and microcode; or a setting of the firmware, as advisories say"
        }
        Component::Pce => "update the provisioning certification enclave (Intel SGX PSW or DCAP packages)",
        Component::TdxModule => "update the TDX module",
        Component::QuotingEnclave => "update the quoting enclave (Intel SGX DCAP packages)",
        _ => "update the firmware of the machine and its SGX or TDX software",
    }
}
