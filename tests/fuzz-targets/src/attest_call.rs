//! Bodies of attest calls, for each kind of evidence.

use attestation_service::{AttestRequest, AttestationType, DataType};

pub(crate) fn run(input: &[u8]) {
    for kind in AttestationType::ALL {
        let Ok(request) = AttestRequest::parse(kind, input) else {
            continue;
        };
        // What is read is never more than what was sent.
        assert!(!request.quote.is_empty() && request.quote.len() < input.len());
        for data in [request.runtime_data, request.init_time_data]
            .into_iter()
            .flatten()
        {
            assert!(data.bytes.len() < input.len());
            if let DataType::Json(object) = data.kind {
                let bytes: Result<serde_json::Value, _> = serde_json::from_slice(&data.bytes);
                assert_eq!(bytes.ok(), Some(object.into()));
            }
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let open_enclave = "AQAAAAIAAAABAAAAAAAAAAc";
    [
        r#"{"quote":"AQI","runtimeData":{"data":"eyJhIjpbMV19","dataType":"JSON"},"nonce":"n"}"#.to_owned(),
        r#"{"Quote":"AQI=","EnclaveHeldData":"-_8","DraftPolicyForAttestation":"version=1.0;"}"#.to_owned(),
        format!(r#"{{"report":"{open_enclave}","initTimeData":{{"data":"+/8=","dataType":"Binary"}}}}"#),
        r#"{"quote":"AQI","initTimeData":{"dataType":"JSON"}}"#.to_owned(),
    ]
    .map(String::into_bytes)
    .into()
}
