//! Tests of every truncation and every flipped bit: never accepted, never a panic.
//!
//! Exhaustive over a quote of each kind. In collateral every byte has one bit flipped, another one in each byte, since
//! one trial costs up to seven verifications of signatures.

use dcap_quote::{
    CheckedCollateral, Collateral, Quote, SIMULATED_QE_VENDOR, Tee, TrustedRoot, UnixTime, Verdict, verify,
};
use simulated_platform::{Body, SimulatedPlatform};

use crate::support::{NOW, checked, domain, domain_1_5, enclave, profile, root};
use crate::vectors;

const TEE_TCB_SVN: [u8; 16] = [5, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// All tampered forms of `quote`, against collateral that knows the platform already.
fn tamper_with_quote(quote: &[u8], checked: &CheckedCollateral, now: UnixTime) {
    let accepted = |bytes: &[u8]| verify(&Quote::parse(bytes).ok()?, checked, now).ok();
    let genuine = accepted(quote).expect("the untampered quote is accepted");
    let refuse = |bytes: &[u8], what: &dyn Fn() -> String| {
        assert_eq!(accepted(bytes), None, "accepted after {}", what());
    };
    for length in 0..quote.len() {
        refuse(&quote[..length], &|| format!("a cut to {length} bytes"));
    }
    let mut tampered = quote.to_vec();
    for index in 0..quote.len() {
        for bit in 0..8 {
            tampered[index] ^= 1 << bit;
            refuse(&tampered, &|| format!("a flip of bit {bit} in byte {index}"));
            tampered[index] ^= 1 << bit;
        }
    }
    tampered.push(0);
    refuse(&tampered, &|| "a byte was added".to_owned());
    assert_eq!(accepted(quote), Some(genuine));
}

fn tamper_with_simulated(version: u16, body: &Body, tee: Tee) {
    let platform = SimulatedPlatform::new(profile());
    let quote = platform.quote_as(version, body, SIMULATED_QE_VENDOR);
    tamper_with_quote(&quote, &checked(&platform, tee).unwrap(), NOW);
}

#[test]
fn quote_of_version_3() {
    tamper_with_simulated(3, &enclave(), Tee::Sgx);
}

#[test]
fn quote_of_version_4() {
    tamper_with_simulated(4, &domain(TEE_TCB_SVN), Tee::Tdx);
}

#[test]
fn quote_of_version_5() {
    tamper_with_simulated(5, &domain_1_5(TEE_TCB_SVN, TEE_TCB_SVN), Tee::Tdx);
}

#[test]
fn genuine_quote() {
    let Some(vector) = vectors::read(vectors::SGX) else {
        return;
    };
    let collateral = Collateral::from_json(&vector.collateral).unwrap();
    let checked = CheckedCollateral::check(&collateral, &TrustedRoot::intel()).unwrap();
    tamper_with_quote(&vector.quote, &checked, vector.now);
}

/// From the collateral file to the verdict.
fn accepted(file: &[u8], root: &TrustedRoot, quote: &[u8], now: UnixTime) -> Option<Verdict> {
    let collateral = Collateral::from_json(file).ok()?;
    let checked = CheckedCollateral::check(&collateral, root).ok()?;
    verify(&Quote::parse(quote).ok()?, &checked, now).ok()
}

/// Flips in the file as it is stored: escapes and names of members included.
fn tamper_with_file(file: &[u8], root: &TrustedRoot, quote: &[u8], now: UnixTime) {
    assert!(
        accepted(file, root, quote, now).is_some(),
        "the untampered collateral is accepted"
    );
    let mut tampered = file.to_vec();
    for index in 0..file.len() {
        let bit = index % 8;
        tampered[index] ^= 1 << bit;
        assert_eq!(
            accepted(&tampered, root, quote, now),
            None,
            "accepted after a flip of bit {bit} in byte {index}"
        );
        tampered[index] ^= 1 << bit;
    }
    for length in 0..file.len() {
        assert!(
            Collateral::from_json(&file[..length]).is_err(),
            "accepted after a cut to {length} bytes"
        );
    }
}

#[test]
fn collateral_file() {
    let platform = SimulatedPlatform::new(profile());
    let quote = platform.quote_as(3, &enclave(), SIMULATED_QE_VENDOR);
    let file = serde_json::to_vec(&platform.collateral(Tee::Sgx)).unwrap();
    tamper_with_file(&file, &root(&platform), &quote, NOW);
}

#[test]
fn genuine_collateral_file() {
    let Some(vector) = vectors::read(vectors::SGX) else {
        return;
    };
    tamper_with_file(
        &vector.collateral,
        &TrustedRoot::intel(),
        &vector.quote,
        vector.now,
    );
}

#[test]
fn each_piece_of_collateral() {
    let platform = SimulatedPlatform::new(profile());
    let collateral = platform.collateral(Tee::Sgx);
    let root = root(&platform);
    let pieces: [fn(&mut Collateral) -> &mut String; 9] = [
        |collateral| &mut collateral.pck_crl_issuer_chain,
        |collateral| &mut collateral.root_ca_crl,
        |collateral| &mut collateral.pck_crl,
        |collateral| &mut collateral.tcb_info_issuer_chain,
        |collateral| &mut collateral.tcb_info,
        |collateral| &mut collateral.tcb_info_signature,
        |collateral| &mut collateral.qe_identity_issuer_chain,
        |collateral| &mut collateral.qe_identity,
        |collateral| &mut collateral.qe_identity_signature,
    ];
    for (number, piece) in pieces.into_iter().enumerate() {
        let mut tampered = collateral.clone();
        let original = piece(&mut tampered).clone();
        let mut refuse = |text: String, what: &dyn Fn() -> String| {
            *piece(&mut tampered) = text;
            let refused = CheckedCollateral::check(&tampered, &root).is_err();
            assert!(refused, "piece {number} accepted after {}", what());
        };
        for length in 0..original.len() {
            refuse(original[..length].to_owned(), &|| {
                format!("a cut to {length} bytes")
            });
        }
        for index in 0..original.len() {
            // The highest bit would make it something else than text.
            let bit = index % 7;
            let mut bytes = original.clone().into_bytes();
            bytes[index] ^= 1 << bit;
            refuse(String::from_utf8(bytes).unwrap(), &|| {
                format!("a flip of bit {bit} in byte {index}")
            });
        }
        for added in ["\n", " ", "\0", "0", "00"] {
            refuse(original.clone() + added, &|| format!("{added:?} was added"));
        }
    }
}
