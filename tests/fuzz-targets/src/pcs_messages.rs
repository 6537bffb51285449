//! The messages of provisioning certification services: URLs that a server reads, answers that a client reads.
//!
//! The first byte says which.

use dcap_quote::{Bytes, Document, PckCa, Tee};
use pcs::{Edition, Encoding, Parts, Request, Response};

use crate::quote::platform;

pub(crate) fn run(input: &[u8]) {
    let Some((kind, content)) = input.split_first() else {
        return;
    };
    match kind % 4 {
        0 => request(&String::from_utf8_lossy(content)),
        // A header field, then a body.
        kind => {
            let (field, body) = match content.iter().position(|byte| *byte == b'\n') {
                Some(end) => (&content[..end], &content[end + 1..]),
                None => (content, [].as_slice()),
            };
            let field = String::from_utf8_lossy(field).into_owned();
            let names = [
                "SGX-PCK-CRL-Issuer-Chain",
                "TCB-Info-Issuer-Chain",
                "SGX-Enclave-Identity-Issuer-Chain",
            ];
            let response = Response {
                status: 200,
                headers: names.map(|name| (name.to_owned(), field.clone())).to_vec(),
                body: body.to_vec(),
            };
            answer(kind, &response);
        }
    }
}

/// A URL that is understood says the same once more.
fn request(url: &str) {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    if let Ok(request) = Request::parse(path, query) {
        let again = request.path_and_query();
        let (path, query) = again.split_once('?').unwrap_or((&again, ""));
        assert_eq!(Request::parse(path, query), Ok(request));
    }
}

/// An answer that is understood can be given, and is understood as the same.
fn answer(kind: u8, response: &Response) {
    match kind {
        1 => {
            if let Ok(list) = response.pck_crl() {
                for encoding in [Encoding::Pem, Encoding::Der] {
                    let again = Response::with_pck_crl(&list, encoding).expect("hexadecimal");
                    assert_eq!(again.pck_crl().as_ref(), Ok(&list));
                }
            }
        }
        2 => {
            if let Ok(list) = response.root_ca_crl() {
                let again = Response::with_root_ca_crl(&list).expect("hexadecimal");
                assert_eq!(again.root_ca_crl(), Ok(list));
            }
        }
        _ => {
            for document in [Document::TcbInfo, Document::QeIdentity] {
                if let Ok(issued) = response.document(document) {
                    // A signature that is no hexadecimal is the verifier's to refuse, and may break the form.
                    let is_plain = issued
                        .document
                        .signature
                        .bytes()
                        .all(|byte| byte.is_ascii_hexdigit());
                    let again = Response::with_document(document, &issued).document(document);
                    assert!(!is_plain || again.as_ref() == Ok(&issued));
                }
            }
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let fmspc = Bytes([0, 0x90, 0x6e, 0xd5, 0, 0]);
    let requests = [
        Request::TcbInfo {
            tee: Tee::Tdx,
            fmspc,
            edition: Edition::Early,
        },
        Request::QeIdentity {
            tee: Tee::Sgx,
            edition: Edition::EvaluationDataNumber(17),
        },
        Request::PckCrl {
            ca: PckCa::Platform,
            encoding: Encoding::Der,
        },
        Request::RootCaCrl,
    ];
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for request in requests {
        seeds.push([b"\0", request.path_and_query().as_bytes()].concat());
    }
    let mut add = |kind: u8, response: Response| {
        let chain = response.headers.iter().find(|(name, _)| name.ends_with("Chain"));
        let chain = chain.map(|(_, value)| value.as_bytes()).unwrap_or_default();
        seeds.push([&[kind], chain, b"\n", &response.body].concat());
    };
    let parts = Parts::from(platform().collateral(Tee::Sgx));
    for encoding in [Encoding::Pem, Encoding::Der] {
        add(
            1,
            Response::with_pck_crl(&parts.pck_crl, encoding).expect("a list"),
        );
    }
    add(2, Response::with_root_ca_crl(&parts.root_ca_crl).expect("a list"));
    add(3, Response::with_document(Document::TcbInfo, &parts.tcb_info));
    add(
        3,
        Response::with_document(Document::QeIdentity, &parts.qe_identity),
    );
    seeds
}
