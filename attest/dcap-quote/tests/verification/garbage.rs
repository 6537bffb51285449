//! Tests with random changes: never a panic, and accepted only where nothing has changed.
//!
//! What is signed is signed anew after the change, since the parsers behind signatures would see nothing of it otherwise.

use std::sync::LazyLock;

use base16ct::lower::encode_string as to_hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dcap_quote::{CheckedCollateral, Collateral, Quote, SIMULATED_QE_VENDOR, Tee, TrustedRoot, verify};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use simulated_platform::SimulatedPlatform;

use crate::support::{NOW, checked, domain, enclave, profile, root};

/// A platform with all that is changed below.
struct Fixture {
    platform: SimulatedPlatform,
    root: TrustedRoot,
    collateral: Collateral,
    checked: CheckedCollateral,
    quote: Vec<u8>,
}

static SGX: LazyLock<Fixture> = LazyLock::new(|| Fixture::new(Tee::Sgx));
static TDX: LazyLock<Fixture> = LazyLock::new(|| Fixture::new(Tee::Tdx));

impl Fixture {
    fn new(tee: Tee) -> Self {
        let platform = SimulatedPlatform::new(profile());
        let (version, body) = match tee {
            Tee::Sgx => (3, enclave()),
            Tee::Tdx => (4, domain([5, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
        };
        Self {
            root: root(&platform),
            collateral: platform.collateral(tee),
            checked: checked(&platform, tee).unwrap(),
            quote: platform.quote_as(version, &body, SIMULATED_QE_VENDOR),
            platform,
        }
    }

    fn checks(&self, collateral: &Collateral) -> bool {
        CheckedCollateral::check(collateral, &self.root).is_ok()
    }
}

/// A change at some place.
#[derive(Clone, Debug)]
enum Edit {
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    /// Repeats what is found elsewhere.
    Copy(Index, Index, usize),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Replace(at, byte)),
        1 => (any::<Index>(), vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        1 => (any::<Index>(), 1..40_usize).prop_map(|(at, count)| Edit::Remove(at, count)),
        1 => (any::<Index>(), any::<Index>(), 1..40_usize).prop_map(|(from, to, count)| Edit::Copy(from, to, count)),
    ];
    vec(edit, 1..4)
}

fn apply(edits: &[Edit], bytes: &mut Vec<u8>) {
    for edit in edits {
        let length = bytes.len();
        if length == 0 {
            return;
        }
        match edit {
            Edit::Replace(at, byte) => bytes[at.index(length)] = *byte,
            Edit::Insert(at, new) => {
                let at = at.index(length);
                bytes.splice(at..at, new.iter().copied());
            }
            Edit::Remove(at, count) => {
                let at = at.index(length);
                bytes.drain(at..length.min(at + count));
            }
            Edit::Copy(from, to, count) => {
                let (from, to) = (from.index(length), to.index(length));
                let copy = bytes[from..length.min(from + count)].to_vec();
                bytes.splice(to..to, copy);
            }
        }
    }
}

/// The DER of each certificate of a chain.
fn certificates(chain: &str) -> Vec<Vec<u8>> {
    let blocks = chain.split_terminator("-----END CERTIFICATE-----\n");
    let base64 = blocks.map(|block| {
        block
            .trim_start_matches("-----BEGIN CERTIFICATE-----\n")
            .replace('\n', "")
    });
    base64.map(|text| STANDARD.decode(&text).unwrap()).collect()
}

fn pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let lines = base64
        .as_bytes()
        .chunks(64)
        .map(|line| str::from_utf8(line).unwrap().to_owned() + "\n");
    format!(
        "-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n",
        lines.collect::<String>()
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn as_quote(bytes in vec(any::<u8>(), 0..2000), edits in edits()) {
        let _ = Quote::parse(&bytes);
        for fixture in [&*SGX, &*TDX] {
            let mut quote = fixture.quote.clone();
            apply(&edits, &mut quote);
            let accepted = Quote::parse(&quote).is_ok_and(|quote| verify(&quote, &fixture.checked, NOW).is_ok());
            prop_assert_eq!(accepted, quote == fixture.quote);
        }
    }

    #[test]
    fn as_collateral_file(bytes in vec(any::<u8>(), 0..200), edits in edits()) {
        let _ = Collateral::from_json(&bytes);
        let good = serde_json::to_vec(&SGX.collateral).unwrap();
        let mut file = good.clone();
        apply(&edits, &mut file);
        let accepted = Collateral::from_json(&file).is_ok_and(|collateral| SGX.checks(&collateral));
        prop_assert_eq!(accepted, file == good);
    }

    /// Behind the signature there is no right or wrong but for the parser: that it ends is all.
    #[test]
    fn as_signed_documents(edits in edits()) {
        for fixture in [&*SGX, &*TDX] {
            let mut collateral = fixture.collateral.clone();
            let change = |json: &mut String, signature: &mut String| {
                let mut bytes = std::mem::take(json).into_bytes();
                apply(&edits, &mut bytes);
                *json = String::from_utf8_lossy(&bytes).into_owned();
                *signature = fixture.platform.sign_document(json);
            };
            change(&mut collateral.tcb_info, &mut collateral.tcb_info_signature);
            if let Ok(checked) = CheckedCollateral::check(&collateral, &fixture.root) {
                let _ = verify(&Quote::parse(&fixture.quote).unwrap(), &checked, NOW);
            }
            collateral.tcb_info.clone_from(&fixture.collateral.tcb_info);
            collateral.tcb_info_signature.clone_from(&fixture.collateral.tcb_info_signature);
            change(&mut collateral.qe_identity, &mut collateral.qe_identity_signature);
            if let Ok(checked) = CheckedCollateral::check(&collateral, &fixture.root) {
                let _ = verify(&Quote::parse(&fixture.quote).unwrap(), &checked, NOW);
            }
        }
    }

    #[test]
    fn as_certificates_and_lists(which in 0..6_usize, edits in edits()) {
        let mut collateral = SGX.collateral.clone();
        let change_certificate = |chain: &mut String, number: usize| {
            let mut certificates = certificates(chain);
            apply(&edits, &mut certificates[number]);
            *chain = certificates.iter().map(|der| pem(der)).collect();
        };
        let change_list = |list: &mut String| {
            let mut der = base16ct::lower::decode_vec(&*list).unwrap();
            apply(&edits, &mut der);
            *list = to_hex(&der);
        };
        match which {
            0 => change_certificate(&mut collateral.pck_crl_issuer_chain, 0),
            1 => change_certificate(&mut collateral.pck_crl_issuer_chain, 1),
            2 => change_certificate(&mut collateral.tcb_info_issuer_chain, 0),
            3 => change_certificate(&mut collateral.qe_identity_issuer_chain, 1),
            4 => change_list(&mut collateral.root_ca_crl),
            _ => change_list(&mut collateral.pck_crl),
        }
        prop_assert_eq!(SGX.checks(&collateral), collateral == SGX.collateral);
    }
}
