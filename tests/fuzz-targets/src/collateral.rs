//! Collateral: the file, and the documents in it with their signatures taken as right.
//!
//! The first byte says what the rest is: the whole file, or a piece of otherwise good collateral. TCB info and QE identity
//! are signed for whatever they say, since their parsers would see nothing of it otherwise; certificates and lists are
//! read before their signatures are verified.

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dcap_quote::{CheckedCollateral, Collateral, Tee, TrustedRoot};
use simulated_platform::SimulatedPlatform;

use crate::quote::{NOW, platform, root};

struct Fixture {
    platform: SimulatedPlatform,
    root: TrustedRoot,
    collateral: [Collateral; 2],
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let platform = platform();
    Fixture {
        root: root(&platform),
        collateral: [Tee::Sgx, Tee::Tdx].map(|tee| platform.collateral(tee)),
        platform,
    }
});

pub(crate) fn run(input: &[u8]) {
    let Some((kind, content)) = input.split_first() else {
        return;
    };
    let fixture = &*FIXTURE;
    let [sgx, tdx] = &fixture.collateral;
    let check = |collateral: &Collateral| CheckedCollateral::check(collateral, &fixture.root);
    let Some(piece) = (kind % 9).checked_sub(1) else {
        if let Ok(collateral) = Collateral::from_json(content)
            && check(&collateral).is_ok()
        {
            // Other forms of the lists are the same lists.
            let is_genuine = [sgx, tdx].iter().any(|genuine| {
                (&genuine.tcb_info, &genuine.tcb_info_issuer_chain)
                    == (&collateral.tcb_info, &collateral.tcb_info_issuer_chain)
            });
            assert!(is_genuine, "accepted what the platform never signed");
        }
        return;
    };
    let mut collateral = if piece % 2 == 0 { sgx } else { tdx }.clone();
    let text = String::from_utf8_lossy(content).into_owned();
    match piece / 2 {
        0 => {
            collateral.tcb_info_signature = fixture.platform.sign_document(&text);
            collateral.tcb_info = text;
        }
        1 => {
            collateral.qe_identity_signature = fixture.platform.sign_document(&text);
            collateral.qe_identity = text;
        }
        2 => collateral.pck_crl = hex(content),
        _ => {
            let certificate = pem(content);
            let root = collateral.root_certificate().unwrap_or_default().to_owned();
            collateral.pck_crl_issuer_chain = certificate + &root;
        }
    }
    if let Ok(checked) = check(&collateral) {
        let _ = checked.check_dates(NOW);
        let _ = dcap_quote::forecast(&checked, &checked);
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let Fixture { collateral, .. } = &*FIXTURE;
    let mut seeds = Vec::new();
    for (tee, collateral) in (0..).zip(collateral) {
        let mut add = |kind: u8, content: &[u8]| seeds.push([&[kind], content].concat());
        add(0, &serde_json::to_vec(collateral).expect("strings"));
        add(1 + tee, collateral.tcb_info.as_bytes());
        add(3 + tee, collateral.qe_identity.as_bytes());
        add(5 + tee, &unhex(&collateral.pck_crl));
        add(7 + tee, &der(&collateral.pck_crl_issuer_chain));
    }
    seeds
}

/// DER of the first certificate of a chain.
fn der(pem: &str) -> Vec<u8> {
    let body = pem
        .split("-----")
        .nth(2)
        .expect("a certificate")
        .replace('\n', "");
    STANDARD.decode(&body).expect("base64")
}

fn pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let lines = base64.as_bytes().chunks(64);
    let lines = lines.map(|line| String::from_utf8_lossy(line).into_owned() + "\n");
    format!(
        "-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n",
        lines.collect::<String>()
    )
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("digits");
    pairs.map(byte).collect()
}
