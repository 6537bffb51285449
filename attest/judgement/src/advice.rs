//! Advice: what to do about each refusal and objection.

use std::borrow::Cow;

use dcap_quote::{
    CertificateError, Component, Lack, Objection, QuoteError, Refusal, Remedy, Shortfall, TcbStatus, Verdict,
};

use crate::Reason;

/// What to do about a quote that proves nothing.
pub(crate) fn for_refusal(reason: &Reason) -> &'static str {
    let refusal = match reason {
        Reason::Quote(QuoteError::WithoutPckChain(_)) => {
            return "The platform had no PCK certificate at hand when it made the quote. Let its quote provider get one from \
                    Intel, a PCCS or the cloud (pccs_url in /etc/sgx_default_qcnl.conf), and have the quote made again.";
        }
        Reason::Quote(QuoteError::OtherFile(_)) => {
            return "Give a quote: what the platform's quoting enclave made, binary and in full.";
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
pub(crate) fn for_objection(objection: &Objection, verdict: &Verdict) -> Cow<'static, str> {
    match objection {
        Objection::Status(status) => for_status(*status, verdict),
        other => Cow::Borrowed(for_other_objection(other)),
    }
}

const fn for_other_objection(objection: &Objection) -> &'static str {
    match objection {
        Objection::Debug | Objection::Profiling => {
            "Its host can read its memory. Build it without the debug attribute; for development, \
             --dangerous-accept-debug accepts it."
        }
        Objection::ReservedAttributes => "Nobody knows what they mean; a newer verifier may.",
        Objection::Migratable | Objection::ServiceDomain => {
            "What such a service domain may do decides about this one, and is not verified here. Launch it without, or accept \
             the service domain that you know with --dangerous-accept-mrservicetd."
        }
        Objection::SeptVe => {
            "Launch the domain with SEPT_VE_DISABLE; if its kernel is hardened against such exceptions, \
             --dangerous-accept-missing-sept-ve-disable accepts it."
        }
        Objection::Advisory(_) => {
            "Update the platform, if a newer level does not have the weakness; or accept it in the policy file, if you know that \
             it does not matter to you."
        }
        Objection::EvaluationDataNumber { .. } => {
            "Fetch newer TCB info and QE identity (nacre collateral fetch --update early, or --evaluation-number)."
        }
        Objection::Configuration(_) => {
            "Change the platform's set-up and have it provisioned anew, or accept it in the policy file."
        }
        Objection::SgxType(_) => "Use a platform of another kind, or accept it in the policy file.",
        Objection::Platform(_) => {
            "If this machine is yours, add its PPID (or PlatformInstanceID) to accepted_platforms in the policy file; if not, do \
             not trust it, however genuine it is."
        }
        Objection::ReportData(_) | Objection::Nonce(_) => {
            "The quote was made for something else, or earlier: ask for a new one."
        }
        Objection::Identity(_) => "If it should be accepted as well, name it, too.",
        _ => NEWER_VERIFIER,
    }
}

fn for_status(status: TcbStatus, verdict: &Verdict) -> Cow<'static, str> {
    Cow::Borrowed(match status {
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
            return Cow::Owned(format!("Security updates are missing. {}", updates(verdict)));
        }
        TcbStatus::Revoked => "Do not trust this platform, whatever it says. No option accepts it.",
        TcbStatus::TdRelaunchAdvised | TcbStatus::TdRelaunchAdvisedConfigurationNeeded => {
            "The platform was updated under the running domain. Relaunch the domain."
        }
        TcbStatus::NotSupported => {
            return Cow::Owned(format!(
                "Intel lists no level for versions as low as these. {} No option accepts it.",
                updates(verdict)
            ));
        }
        _ => NEWER_VERIFIER,
    })
}

/// What makes the versions of a platform current, by those that are too low.
fn updates(verdict: &Verdict) -> String {
    let lacks = verdict.lacks();
    let needs = |remedy| lacks.iter().any(|lack| lack.remedy == remedy);
    let mut steps = Vec::new();
    if needs(Remedy::Provision) {
        steps.push(
            "Update the platform's components that are short below, then have it provisioned anew, so that its PCK certificate \
             says so.",
        );
    }
    if needs(Remedy::UpdateModule) {
        steps.push("Update the TDX module, then relaunch the domain.");
    } else if needs(Remedy::Relaunch) {
        steps.push("Relaunch the domain.");
    }
    if needs(Remedy::UpdatePackage) {
        steps.push("Update the package with the quoting enclave, then have the quote made again.");
    }
    if steps.is_empty() {
        steps.push("No version is short of the highest that Intel lists, so that no update helps: use another platform.");
    }
    steps.join(" ")
}

/// Who can raise a security version.
pub(crate) fn for_lack(lack: &Lack<'_>) -> &'static str {
    match lack.remedy {
        Remedy::Provision => for_component(lack.shortfall),
        Remedy::UpdateModule => "update the TDX module, then relaunch the domain",
        Remedy::Relaunch => "relaunch the domain",
        Remedy::UpdatePackage => "update the quoting enclave (Intel SGX DCAP packages)",
    }
}

/// Who can raise a version that the PCK certificate states.
fn for_component(short: &Shortfall) -> &'static str {
    let is = |word| {
        short
            .description
            .as_deref()
            .is_some_and(|text| text.contains(word))
    };
    match short.component {
        Component::Pce => "update the provisioning certification enclave (Intel SGX PSW or DCAP packages)",
        _ if is("BIOS") => "update the firmware (BIOS) of the machine",
        _ if is("OS/VMM") => "update what the operating system or hypervisor loads (microcode, ACMs)",
        _ => "update firmware and microcode; or a setting of the firmware, as advisories say",
    }
}
