//! What people give for a quote and is none, by its first bytes: so that the refusal can say what it is.

use crate::report::SgxReport;

/// Something else than a quote that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OtherFile {
    /// From TDG.MR.REPORT.
    #[error(
        "it is a TDREPORT, which only its own platform can check; have the platform's quoting enclave make a quote of it (configfs-tsm, /dev/tdx_guest with QGS, or the cloud's service)"
    )]
    TdReport,
    /// From EREPORT.
    #[error(
        "it is an SGX REPORT, which only its own platform can check; have the quoting enclave make a quote of it (AESM, or /dev/attestation/quote)"
    )]
    SgxReport,
    /// From the vTPM of Azure's confidential virtual machines.
    #[error(
        "it is an HCL report of an Azure confidential VM, with a report inside that only its own platform can check; get a quote of it from the VM's metadata service (/acc/tdquote)"
    )]
    HclReport,
    /// From AMD.
    #[error("it is a report of AMD SEV-SNP, which is not verified here")]
    SevSnpReport,
    /// From Open Enclave.
    #[error(
        "it is a report of Open Enclave, whose header of 16 bytes comes before the quote; take that away: tail -c +17"
    )]
    OpenEnclave,
    /// Of Intel's former scheme.
    #[error(
        "it is an EPID quote (version 1 or 2), which Intel no longer supports; make an ECDSA quote (DCAP)"
    )]
    Epid,
    /// A quote perhaps, as text.
    #[error("it is text in hexadecimal; decode it: xxd -r -p")]
    Hexadecimal,
    /// A quote perhaps, as text.
    #[error("it is text in base64; decode it: base64 -d (of the URL alphabet: tr -- -_ +/ first)")]
    Base64,
    /// A token.
    #[error("it is a JSON Web Token; verify it with nacre verify token")]
    Token,
    /// JSON.
    #[error("it is JSON; take the quote out of it, and decode that")]
    Json,
    /// PEM.
    #[error(
        "it is text in PEM, a certificate perhaps; a certificate of RA-TLS is verified at its server, with nacre verify tls"
    )]
    Pem,
}

/// Bytes of a TDREPORT.
const TD_REPORT: usize = 1024;
/// Bytes of an SGX REPORT.
const SGX_REPORT: usize = 432;
/// Bytes of a report of SEV-SNP.
const SEV_SNP_REPORT: usize = 1184;

impl OtherFile {
    /// What these bytes are that are no quote; none when nobody knows.
    pub(crate) fn recognize(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"HCLA") {
            return Some(Self::HclReport);
        }
        if bytes.starts_with(&[1, 0, 0, 0, 2, 0, 0, 0]) {
            return Some(Self::OpenEnclave);
        }
        match (bytes.len(), bytes) {
            // REPORTTYPE: of a trust domain.
            (TD_REPORT, [0x81, 0, ..]) => return Some(Self::TdReport),
            (SGX_REPORT | SgxReport::SIZE, _) if !bytes.is_ascii() => return Some(Self::SgxReport),
            (SEV_SNP_REPORT, [2..=5, 0, 0, 0, ..]) => return Some(Self::SevSnpReport),
            (_, [1 | 2, 0, 0 | 1, 0, ..]) => return Some(Self::Epid),
            _ => {}
        }
        std::str::from_utf8(bytes).ok().and_then(Self::of_text)
    }

    fn of_text(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_all = |is: fn(char) -> bool| {
            !text.is_empty()
                && text
                    .chars()
                    .all(|character| is(character) || character.is_ascii_whitespace())
        };
        let digits = text.strip_prefix("0x").unwrap_or(text);
        if text.starts_with(['{', '[', '"']) {
            Some(Self::Json)
        } else if text.starts_with("-----BEGIN ") {
            Some(Self::Pem)
        } else if text.starts_with("eyJ") && text.matches('.').count() == 2 {
            Some(Self::Token)
        } else if !digits.is_empty()
            && digits
                .chars()
                .all(|character| character.is_ascii_hexdigit() || character.is_ascii_whitespace())
        {
            Some(Self::Hexadecimal)
        } else if is_all(|character| character.is_ascii_alphanumeric() || "+/-_=".contains(character)) {
            Some(Self::Base64)
        } else {
            None
        }
    }
}
