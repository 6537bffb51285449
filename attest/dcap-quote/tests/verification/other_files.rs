//! Tests of files that people take for quotes and for TCB info: each is told what it is.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use dcap_quote::{CheckedCollateral, Collateral, CollateralError, OtherFile, Quote, QuoteError, Tee};
use simulated_platform::SimulatedPlatform;

use crate::support::{NOW, enclave, profile, root};

fn told(bytes: &[u8]) -> QuoteError {
    Quote::parse(bytes).unwrap_err()
}

#[test]
fn each_is_told_what_it_is() {
    let platform = SimulatedPlatform::new(profile());
    let quote = platform.quote_as(3, &enclave(), dcap_quote::SIMULATED_QE_VENDOR);
    let padded = |start: &[u8], length: usize| {
        let mut bytes = start.to_vec();
        bytes.resize(length, 0);
        bytes
    };
    let hex = base16ct::lower::encode_string(&quote);
    let open_enclave = [
        &[1, 0, 0, 0, 2, 0, 0, 0][..],
        &(quote.len() as u64).to_le_bytes(),
        &quote,
    ]
    .concat();
    let wrapped: String = STANDARD
        .encode(&quote)
        .as_bytes()
        .chunks(76)
        .map(|line| format!("{}\n", str::from_utf8(line).unwrap()))
        .collect();
    let json = format!("{{\"quote\":\"{}\"}}", URL_SAFE_NO_PAD.encode(&quote));
    for (bytes, expected) in [
        (padded(&[0x81, 0, 0, 0], 1024), OtherFile::TdReport),
        (padded(&[0x81, 0, 1, 0], 1024), OtherFile::TdReport),
        (padded(&[4, 4, 0xff], 432), OtherFile::SgxReport),
        (padded(&[4, 4, 0xff], 384), OtherFile::SgxReport),
        (padded(b"HCLA\x02\0\0\0", 2600), OtherFile::HclReport),
        (padded(&[3, 0, 0, 0], 1184), OtherFile::SevSnpReport),
        (padded(&[2, 0, 0, 0], 1116), OtherFile::Epid),
        (padded(&[2, 0, 1, 0], 1116), OtherFile::Epid),
        (open_enclave, OtherFile::OpenEnclave),
        (hex.clone().into_bytes(), OtherFile::Hexadecimal),
        (
            format!("0x{}\n", hex.to_uppercase()).into_bytes(),
            OtherFile::Hexadecimal,
        ),
        (STANDARD.encode(&quote).into_bytes(), OtherFile::Base64),
        (URL_SAFE_NO_PAD.encode(&quote).into_bytes(), OtherFile::Base64),
        (wrapped.into_bytes(), OtherFile::Base64),
        (json.into_bytes(), OtherFile::Json),
        (platform.root_certificate().into_bytes(), OtherFile::Pem),
        (b"eyJhbGciOiJSUzI1NiJ9.e30.AAAA".to_vec(), OtherFile::Token),
    ] {
        assert_eq!(told(&bytes), QuoteError::OtherFile(expected), "{expected}");
        assert_eq!(
            Quote::parse_zero_padded(&bytes).unwrap_err(),
            QuoteError::OtherFile(expected)
        );
    }
    for unknown in [&[][..], &[0xff; 100], b"Hello, world!", &[3, 0]] {
        assert!(!matches!(told(unknown), QuoteError::OtherFile(_)), "{unknown:?}");
    }
}

/// What the sentences tell people to do.
#[test]
fn the_advice_leads_to_the_quote() {
    let platform = SimulatedPlatform::new(profile());
    let quote = platform.quote_as(3, &enclave(), dcap_quote::SIMULATED_QE_VENDOR);
    let run = |command: &str, input: &[u8]| {
        use std::io::Write as _;
        let mut child = std::process::Command::new("sh")
            .args(["-c", command])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(output.status.success(), "{command}");
        output.stdout
    };
    let open_enclave = [&[1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &quote].concat();
    assert_eq!(run("tail -c +17", &open_enclave), quote);
    assert_eq!(run("base64 -d", STANDARD.encode(&quote).as_bytes()), quote);
    let url = base64::engine::general_purpose::URL_SAFE.encode(&quote);
    assert_eq!(run("tr -- -_ +/ | base64 -d", url.as_bytes()), quote);
}

#[test]
fn an_answer_of_the_service_is_no_collateral() {
    for json in [
        r#"{"tcbInfo":{"id":"SGX"},"signature":"00"}"#,
        r#"{"enclaveIdentity":{"id":"QE"},"signature":"00"}"#,
    ] {
        assert_eq!(
            Collateral::from_json(json.as_bytes()),
            Err(CollateralError::Answer)
        );
    }
    for json in ["", "{}", r#"{"signature":"00"}"#] {
        let error = Collateral::from_json(json.as_bytes());
        assert!(matches!(error, Err(CollateralError::Json(_))), "{json}");
    }
}

#[test]
fn tcb_info_of_version_2() {
    let platform = SimulatedPlatform::new(profile());
    let mut collateral = platform.collateral(Tee::Sgx);
    collateral.tcb_info = format!(
        r#"{{"version":2,"issueDate":"{NOW}","nextUpdate":"{NOW}","fmspc":"00606A000000","pceId":"0000","tcbType":0,"tcbEvaluationDataNumber":12,"tcbLevels":[]}}"#
    );
    collateral.tcb_info_signature = platform.sign_document(&collateral.tcb_info);
    let refused = CheckedCollateral::check(&collateral, &root(&platform)).unwrap_err();
    assert!(refused.to_string().contains("TCB info of version 2"), "{refused}");
}
