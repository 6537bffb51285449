//! The wire format of quotes: versions 3 (SGX), 4 and 5 (SGX and TDX).
//!
//! Sources: *Intel SGX ECDSA Quote Library Reference* (appendix A) and *Intel TDX DCAP Quoting Library API* (appendix
//! A.3 and A.4). All numbers are little-endian. A parsed quote borrows from its bytes and is a claim: nothing in it
//! is to be believed before [`verify`](crate::verify).

use crate::bytes::{Reader, Truncated};
use crate::certificate::CertificateError;
use crate::other_file::OtherFile;
use crate::pck::Platform;
use crate::pck_chain;
use crate::pki::PckCa;
use crate::refusal::{Chain, Refusal};
use crate::report::{SgxReport, TdReport};

/// A quote, well-formed and unverified.
#[derive(Clone, Debug)]
pub struct Quote<'a> {
    /// What precedes the report.
    pub header: Header,
    /// What the quote is about.
    pub report: Report,
    /// Header and report: what the attestation key signed.
    pub(crate) signed: &'a [u8],
    /// By the attestation key.
    pub(crate) signature: &'a [u8; 64],
    /// Why the attestation key would deserve trust.
    pub(crate) certification: Certification<'a>,
}

/// The first 48 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// 3, 4 or 5.
    pub version: u16,
    /// What kind of environment is attested.
    pub tee: Tee,
    /// Who wrote the quoting enclave.
    pub qe_vendor: [u8; 16],
    /// Chosen by the quoting enclave; Intel's puts the platform's QE ID into the first 16 bytes.
    pub user_data: [u8; 20],
}

/// A trusted execution environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Tee {
    /// An SGX enclave.
    Sgx,
    /// A TDX trust domain.
    Tdx,
}

impl std::fmt::Display for Tee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sgx => "SGX",
            Self::Tdx => "TDX",
        })
    }
}

/// What a quote is about.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Report {
    /// Of an enclave.
    Sgx(Box<SgxReport>),
    /// Of a trust domain.
    Td(Box<TdReport>),
}

/// The way from a PCK certificate to the attestation key. It is the same in all quotes of a quoting enclave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Certification<'a> {
    /// Coordinates x and y of the attestation key.
    pub attestation_key: &'a [u8; 64],
    /// REPORTBODY of the quoting enclave, whose report data vouches for the attestation key.
    pub qe_report: &'a [u8; SgxReport::SIZE],
    /// Over `qe_report`, by the PCK.
    pub qe_report_signature: &'a [u8; 64],
    /// Hashed together with the attestation key.
    pub qe_authentication_data: &'a [u8],
    /// The PCK certificate's chain as PEM, in whatever form and order the platform has it.
    pub pck_chain: &'a str,
}

/// Why bytes are not a quote that this parser knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuoteError {
    /// The bytes end too early, or a length inside says more than there is.
    #[error("the quote ends within its {0}")]
    Truncated(&'static str),
    /// Something follows where nothing may.
    #[error("{count} bytes too many after the {after}")]
    TrailingBytes {
        /// The last field.
        after: &'static str,
        /// The number of bytes after it.
        count: usize,
    },
    /// A number that stands for something else than what is supported.
    #[error("{field} {value} is not supported ({supported})")]
    Unsupported {
        /// Its name.
        field: &'static str,
        /// Its value.
        value: u32,
        /// What could stand here.
        supported: &'static str,
    },
    /// It names its platform's PCK certificate, or brings it alone, where the whole chain is needed: certification data of
    /// type 1 to 4.
    #[error("it does not bring its platform's PCK certificate chain: certification data type {0} ({what}) instead of 5",
        what = what_type_names(*.0))]
    WithoutPckChain(u16),
    /// Another file that is known.
    #[error(transparent)]
    OtherFile(OtherFile),
    /// The PCK certificate's chain is not text.
    #[error("the PCK certificate chain is not text")]
    ChainNotText,
}

impl<'a> Quote<'a> {
    /// Reads a quote that takes up all of `bytes`.
    ///
    /// # Errors
    /// When the bytes are not a quote of version 3, 4 or 5 with an ECDSA P-256 signature and certification data of
    /// type 5 (in versions 4 and 5 wrapped in type 6), or if anything follows it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, QuoteError> {
        let mut reader = Reader::new(bytes);
        let header = Header::parse(&mut reader).map_err(|error| {
            let other = OtherFile::recognize(bytes);
            other.map_or(error, QuoteError::OtherFile)
        })?;
        let report = Report::parse(&header, &mut reader)?;
        let signed_length = bytes.len().checked_sub(reader.rest().len());
        let signed = signed_length.and_then(|length| bytes.get(..length));
        let signed = signed.ok_or(QuoteError::Truncated("report"))?;
        let signature_data = length_and_bytes(&mut reader, "signature data")?;
        finish(reader, "signature data")?;

        let mut reader = Reader::new(signature_data);
        let signature = reader.array().within("signature")?;
        let attestation_key = reader.array().within("attestation key")?;
        let certification = if header.version == 3 {
            Certification::parse(attestation_key, reader)?
        } else {
            let wrapped = certification_data(&mut reader, 6, "6: QE report certification data")?;
            finish(reader, "certification data")?;
            Certification::parse(attestation_key, Reader::new(wrapped))?
        };
        Ok(Self {
            header,
            report,
            signed,
            signature,
            certification,
        })
    }

    /// Reads a quote that zeroes may follow: Linux (configfs-tsm) and some clouds hand out a buffer of fixed size.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_zero_padded(bytes: &'a [u8]) -> Result<Self, QuoteError> {
        match Self::parse(bytes) {
            Err(QuoteError::TrailingBytes {
                after: "signature data",
                count,
            }) => {
                let (quote, padding) = bytes
                    .len()
                    .checked_sub(count)
                    .and_then(|length| bytes.split_at_checked(length))
                    .ok_or(QuoteError::Truncated("padding"))?;
                if padding.iter().any(|byte| *byte != 0) {
                    return Err(QuoteError::TrailingBytes {
                        after: "signature data",
                        count,
                    });
                }
                Self::parse(quote)
            }
            parsed => parsed,
        }
    }

    /// The chain of the PCK certificate as PEM, in whatever form and order the platform has it.
    #[must_use]
    pub const fn pck_chain(&self) -> &'a str {
        self.certification.pck_chain
    }

    /// The platform that the quote says it comes from: a claim, to fetch collateral by.
    ///
    /// # Errors
    /// When the PCK certificate cannot be read.
    pub fn claimed_platform(&self) -> Result<Platform, Refusal> {
        let chain = Chain::Pck;
        let [pck, _, _] = pck_chain::certificates(self.certification.pck_chain)?;
        Platform::of(&pck).map_err(chain.at(1))
    }

    /// Who says to have certified the platform: a claim, to fetch collateral by.
    ///
    /// # Errors
    /// When its certificate cannot be read, or names neither.
    pub fn claimed_pck_ca(&self) -> Result<PckCa, Refusal> {
        let chain = Chain::Pck;
        let [_, authority, _] = pck_chain::certificates(self.certification.pck_chain)?;
        let unknown = CertificateError::Profile("its name is none of a PCK authority");
        PckCa::claimed_by(&authority).ok_or_else(|| chain.at(2)(unknown))
    }
}

impl Header {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, QuoteError> {
        const WHAT: &str = "header";
        let version = reader.u16().within(WHAT)?;
        if !(3..=5).contains(&version) {
            return Err(unsupported("quote version", version, "3, 4, 5"));
        }
        let key_type = reader.u16().within(WHAT)?;
        if key_type != 2 {
            return Err(unsupported("attestation key type", key_type, "2: ECDSA P-256"));
        }
        let tee = match reader.u32().within(WHAT)? {
            0 => Tee::Sgx,
            0x81 if version > 3 => Tee::Tdx,
            other => {
                return Err(unsupported(
                    "TEE type",
                    other,
                    "0: SGX; from version 4 on 129: TDX",
                ));
            }
        };
        // QE SVN and PCE SVN in version 3, reserved later. The PCK certificate and the QE's report say it better.
        reader.array::<4>().within(WHAT)?;
        Ok(Self {
            version,
            tee,
            qe_vendor: *reader.array().within(WHAT)?,
            user_data: *reader.array().within(WHAT)?,
        })
    }
}

impl Report {
    /// The 64 bytes that the attested environment itself says.
    #[must_use]
    pub fn report_data(&self) -> &[u8; 64] {
        match self {
            Self::Sgx(report) => &report.report_data.0,
            Self::Td(report) => &report.report_data.0,
        }
    }

    fn parse(header: &Header, reader: &mut Reader<'_>) -> Result<Self, QuoteError> {
        const WHAT: &str = "report";
        let kind = match (header.version, header.tee) {
            (5, _) => Self::kind_of_version_5(header.tee, reader)?,
            (_, Tee::Sgx) => Kind::Sgx,
            (_, Tee::Tdx) => Kind::Td10,
        };
        match kind {
            Kind::Sgx => reader
                .array()
                .and_then(SgxReport::parse)
                .map(Box::new)
                .map(Self::Sgx),
            Kind::Td10 => reader
                .array()
                .and_then(TdReport::parse)
                .map(Box::new)
                .map(Self::Td),
            Kind::Td15 => reader
                .array()
                .and_then(TdReport::parse_1_5)
                .map(Box::new)
                .map(Self::Td),
            Kind::Td15Ex => reader
                .array()
                .and_then(TdReport::parse_1_5_ex)
                .map(Box::new)
                .map(Self::Td),
        }
        .within(WHAT)
    }

    /// Version 5 says what body follows, and how long it is.
    fn kind_of_version_5(tee: Tee, reader: &mut Reader<'_>) -> Result<Kind, QuoteError> {
        const WHAT: &str = "body descriptor";
        let body_type = reader.u16().within(WHAT)?;
        let size = reader.u32().within(WHAT)?;
        let (kind, expected) = match (body_type, tee) {
            (1, Tee::Sgx) => (Kind::Sgx, SgxReport::SIZE),
            (2, Tee::Tdx) => (Kind::Td10, TdReport::SIZE),
            (3, Tee::Tdx) => (Kind::Td15, TdReport::SIZE_1_5),
            (4, Tee::Tdx) => (Kind::Td15Ex, TdReport::SIZE_1_5_EX),
            _ => return Err(unsupported("body type", body_type, "1 for SGX, 2 to 4 for TDX")),
        };
        if usize::try_from(size) != Ok(expected) {
            return Err(unsupported(
                "body size",
                size,
                "384, 584, 648, 885 by the body's type",
            ));
        }
        Ok(kind)
    }
}

/// The layouts of reports.
enum Kind {
    Sgx,
    Td10,
    Td15,
    Td15Ex,
}

impl<'a> Certification<'a> {
    /// Reads what follows the attestation key, to the end.
    fn parse(attestation_key: &'a [u8; 64], mut reader: Reader<'a>) -> Result<Self, QuoteError> {
        let qe_report = reader.array().within("QE report")?;
        let qe_report_signature = reader.array().within("QE report's signature")?;
        let length = reader.u16().within("QE authentication data")?;
        let qe_authentication_data = reader.slice(length.into()).within("QE authentication data")?;
        let chain = certification_data(&mut reader, 5, "5: PCK certificate chain")?;
        finish(reader, "certification data")?;
        // Intel's quoting enclave counts the terminator of its C string.
        let chain = chain.strip_suffix(&[0]).unwrap_or(chain);
        let pck_chain = std::str::from_utf8(chain).map_err(|_| QuoteError::ChainNotText)?;
        Ok(Self {
            attestation_key,
            qe_report,
            qe_report_signature,
            qe_authentication_data,
            pck_chain,
        })
    }
}

/// By Intel's quote library reference, "Certification data".
const fn what_type_names(kind: u16) -> &'static str {
    match kind {
        1 => "the platform's PPID and versions",
        2 | 3 => "the platform's PPID, encrypted, and versions",
        4 => "the PCK certificate without its issuers",
        _ => "unknown",
    }
}

/// Type, length and bytes; the type must be `wanted`.
fn certification_data<'a>(
    reader: &mut Reader<'a>,
    wanted: u16,
    supported: &'static str,
) -> Result<&'a [u8], QuoteError> {
    let found = reader.u16().within("certification data")?;
    if wanted == 5 && (1..5).contains(&found) {
        return Err(QuoteError::WithoutPckChain(found));
    }
    if found != wanted {
        return Err(unsupported("certification data type", found, supported));
    }
    length_and_bytes(reader, "certification data")
}

fn length_and_bytes<'a>(reader: &mut Reader<'a>, what: &'static str) -> Result<&'a [u8], QuoteError> {
    let length = reader.u32().within(what)?;
    let length = usize::try_from(length).map_err(|_| QuoteError::Truncated(what))?;
    reader.slice(length).within(what)
}

fn finish(reader: Reader<'_>, after: &'static str) -> Result<(), QuoteError> {
    match reader.rest().len() {
        0 => Ok(()),
        count => Err(QuoteError::TrailingBytes { after, count }),
    }
}

fn unsupported(field: &'static str, value: impl Into<u32>, supported: &'static str) -> QuoteError {
    QuoteError::Unsupported {
        field,
        value: value.into(),
        supported,
    }
}

/// Says where the bytes ended.
trait Within<T> {
    fn within(self, what: &'static str) -> Result<T, QuoteError>;
}

impl<T> Within<T> for Result<T, Truncated> {
    fn within(self, what: &'static str) -> Result<T, QuoteError> {
        self.map_err(|Truncated| QuoteError::Truncated(what))
    }
}
