//! Bodies of attest calls.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::api::{base64, json};
use crate::error::{ApiError, ErrorCode};

/// What kind of evidence is attested; also, what a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttestationType {
    /// A quote of an SGX enclave.
    SgxEnclave,
    /// The same in Open Enclave's wrapping.
    OpenEnclave,
    /// A quote of a TDX trust domain.
    TdxVm,
}

impl AttestationType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SgxEnclave, Self::OpenEnclave, Self::TdxVm];

    /// As in paths.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SgxEnclave => "SgxEnclave",
            Self::OpenEnclave => "OpenEnclave",
            Self::TdxVm => "TdxVm",
        }
    }

    /// Reads the part of a path. Azure's paths do not depend on the case of letters.
    ///
    /// # Errors
    /// When the service does not attest such evidence.
    pub fn parse(name: &str) -> Result<Self, ApiError> {
        let found = Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| {
            ErrorCode::NotFound.because(format!(
                "there is no such attestation type; this service knows {}",
                Self::ALL.map(Self::name).join(", ")
            ))
        })
    }
}

/// What a caller wants attested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestRequest {
    /// The quote, without Open Enclave's header.
    pub quote: Vec<u8>,
    /// What the attested software holds, and proves by its report data.
    pub runtime_data: Option<Data>,
    /// What it was launched with, and proves by its configuration identity.
    pub init_time_data: Option<Data>,
    /// A policy to try instead of the one in force; the token is then unsigned.
    pub draft_policy: Option<String>,
    /// To be repeated in the token.
    pub nonce: Option<String>,
}

/// Data that evidence is bound to by its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// What is hashed.
    pub bytes: Vec<u8>,
    /// How the token shows it.
    pub kind: DataType,
}

/// How a token shows data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataType {
    /// As base64.
    Binary,
    /// As the JSON object that the bytes are.
    Json(Map<String, Value>),
}

/// Characters of the longest nonce; Azure's documents give no limit.
const MAX_NONCE: usize = 1024;

impl AttestRequest {
    /// Reads the body of an attest call.
    ///
    /// # Errors
    /// When it is not such a body.
    pub fn parse(kind: AttestationType, body: &[u8]) -> Result<Self, ApiError> {
        let body: Body = serde_json::from_slice(body).map_err(|error| {
            invalid(format!(
                "the body is not the JSON object of an attest call: {error}"
            ))
        })?;
        let evidence = match (kind, body.quote, body.report) {
            (AttestationType::OpenEnclave, None, Some(report)) => open_enclave_quote(&report)?,
            // The preview called it a quote.
            (AttestationType::OpenEnclave, Some(quote), None) => open_enclave_quote(&quote)?,
            (AttestationType::SgxEnclave | AttestationType::TdxVm, Some(quote), None) => {
                decode("quote", &quote)?
            }
            (AttestationType::OpenEnclave, ..) => {
                return Err(invalid("the body must have the member report, and no quote"));
            }
            _ => return Err(invalid("the body must have the member quote, and no report")),
        };
        if evidence.is_empty() {
            return Err(invalid("the quote is empty"));
        }
        if body.nonce.as_ref().is_some_and(|nonce| nonce.len() > MAX_NONCE) {
            return Err(invalid(format!("nonce is longer than {MAX_NONCE} bytes")));
        }
        let runtime_data = match (body.runtime_data, body.enclave_held_data) {
            (Some(_), Some(_)) => {
                return Err(invalid(
                    "the body has both runtimeData and EnclaveHeldData; give one",
                ));
            }
            (Some(data), None) => data.read("runtimeData")?,
            (None, Some(data)) => Some(Data {
                bytes: decode("EnclaveHeldData", &data)?,
                kind: DataType::Binary,
            }),
            (None, None) => None,
        };
        Ok(Self {
            quote: evidence,
            runtime_data,
            init_time_data: body
                .init_time_data
                .map(|data| data.read("initTimeData"))
                .transpose()?
                .flatten(),
            draft_policy: body.draft_policy,
            nonce: body.nonce,
        })
    }
}

/// The members of all versions. Azure's service takes names in either case, and .NET programs rely on it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(alias = "Quote")]
    quote: Option<String>,
    #[serde(alias = "Report")]
    report: Option<String>,
    #[serde(rename = "runtimeData", alias = "RuntimeData")]
    runtime_data: Option<BodyData>,
    #[serde(rename = "initTimeData", alias = "InitTimeData", alias = "InittimeData")]
    init_time_data: Option<BodyData>,
    #[serde(rename = "enclaveHeldData", alias = "EnclaveHeldData")]
    enclave_held_data: Option<String>,
    #[serde(rename = "draftPolicyForAttestation", alias = "DraftPolicyForAttestation")]
    draft_policy: Option<String>,
    #[serde(alias = "Nonce")]
    nonce: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BodyData {
    #[serde(alias = "Data")]
    data: Option<String>,
    #[serde(rename = "dataType", alias = "DataType")]
    data_type: Option<BodyDataType>,
}

#[derive(Deserialize)]
enum BodyDataType {
    Binary,
    #[serde(rename = "JSON", alias = "Json")]
    Json,
}

impl BodyData {
    /// None when no data is given: Azure's Python client sends `inittime_json` so.
    fn read(self, member: &str) -> Result<Option<Data>, ApiError> {
        let Some(text) = self.data else {
            return Ok(None);
        };
        let bytes = decode(member, &text)?;
        let kind = match self.data_type.unwrap_or(BodyDataType::Binary) {
            BodyDataType::Binary => DataType::Binary,
            BodyDataType::Json => {
                let object = json::object(&bytes);
                DataType::Json(object.map_err(|error| {
                    invalid(format!("{member} is of type JSON, but cannot be read: {error}"))
                })?)
            }
        };
        Ok(Some(Data { bytes, kind }))
    }
}

/// Drops Open Enclave's header: version 1, type 2 (remote), and the number of bytes that follow, little-endian.
fn open_enclave_quote(report: &str) -> Result<Vec<u8>, ApiError> {
    let report = decode("report", report)?;
    let header = report.split_first_chunk::<16>();
    let (header, quote) = header.ok_or_else(|| invalid("report ends within Open Enclave's header"))?;
    let [v0, v1, v2, v3, t0, t1, t2, t3, size @ ..] = *header;
    let version = u32::from_le_bytes([v0, v1, v2, v3]);
    let kind = u32::from_le_bytes([t0, t1, t2, t3]);
    if (version, kind) != (1, 2) {
        return Err(invalid(format!(
            "report has not Open Enclave's header of a remote report: version {version} and type {kind} instead of 1 and 2"
        )));
    }
    if usize::try_from(u64::from_le_bytes(size)) != Ok(quote.len()) {
        return Err(invalid(
            "report has another number of bytes than Open Enclave's header says",
        ));
    }
    Ok(quote.to_vec())
}

fn decode(member: &str, text: &str) -> Result<Vec<u8>, ApiError> {
    base64::decode(text).map_err(|error| invalid(format!("{member} cannot be read: {error}")))
}

fn invalid(message: impl Into<String>) -> ApiError {
    ErrorCode::InvalidParameter.because(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(kind: AttestationType, body: &str) -> Result<AttestRequest, ApiError> {
        AttestRequest::parse(kind, body.as_bytes())
    }

    #[test]
    fn the_current_form_and_the_preview() {
        use AttestationType::{OpenEnclave, SgxEnclave};
        let request = parse(
            SgxEnclave,
            r#"{"quote":"AQI","runtimeData":{"data":"e30","dataType":"JSON"},"nonce":"n"}"#,
        );
        let request = request.unwrap();
        assert_eq!(request.quote, [1, 2]);
        assert_eq!(request.runtime_data.unwrap().kind, DataType::Json(Map::new()));
        assert_eq!(request.nonce.as_deref(), Some("n"));
        let request = parse(SgxEnclave, r#"{"Quote":"AQI=","EnclaveHeldData":"AQ=="}"#).unwrap();
        assert_eq!(request.runtime_data.unwrap().bytes, [1]);
        let report = base64::encode(&[1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7]);
        let request = parse(OpenEnclave, &format!(r#"{{"report":"{report}"}}"#)).unwrap();
        assert_eq!(request.quote, [7]);
        let request = parse(
            SgxEnclave,
            r#"{"quote":"AQI","initTimeData":{"dataType":"JSON"}}"#,
        )
        .unwrap();
        assert_eq!(request.init_time_data, None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        use AttestationType::{OpenEnclave, SgxEnclave, TdxVm};
        let short = base64::encode(&[1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 7]);
        let local = base64::encode(&[1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7]);
        for (kind, body, part) in [
            (SgxEnclave, "", "EOF"),
            (SgxEnclave, "[]", "JSON object"),
            (SgxEnclave, "{}", "member quote"),
            (SgxEnclave, r#"{"quote":""}"#, "empty"),
            (SgxEnclave, r#"{"quote":"AQI","quote":"AQI"}"#, "duplicate"),
            (SgxEnclave, r#"{"quote":"AQI","Quote":"AQI"}"#, "duplicate"),
            (SgxEnclave, r#"{"quote":"A"}"#, "base64"),
            (SgxEnclave, r#"{"quote":5}"#, "string"),
            (SgxEnclave, r#"{"report":"AQI"}"#, "member quote"),
            (SgxEnclave, r#"{"quote":"AQI","runtimedata":{}}"#, "unknown field"),
            (
                SgxEnclave,
                r#"{"quote":"AQI","runtimeData":{"data":"AQI","dataType":"XML"}}"#,
                "XML",
            ),
            (
                SgxEnclave,
                r#"{"quote":"AQI","runtimeData":{"data":"AQI","dataType":"JSON"}}"#,
                "type JSON",
            ),
            (
                SgxEnclave,
                r#"{"quote":"AQI","runtimeData":{"data":"AQI"},"EnclaveHeldData":"AQI"}"#,
                "both",
            ),
            (TdxVm, r#"{"report":"AQI"}"#, "member quote"),
            (OpenEnclave, r#"{"report":"AQI"}"#, "header"),
            (
                OpenEnclave,
                &format!(r#"{{"report":"{short}"}}"#),
                "number of bytes",
            ),
            (
                OpenEnclave,
                &format!(r#"{{"report":"{local}"}}"#),
                "remote report",
            ),
        ] {
            let error = parse(kind, body).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidParameter);
            assert!(error.message.contains(part), "{body}: {error}");
        }
    }
}
