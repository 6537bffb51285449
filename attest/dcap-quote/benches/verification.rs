//! Verifications per second on one core, ours and dcap-qvl's in turns: `cargo bench -p dcap-quote`.
//!
//! One line per case: what, microseconds each, how many a second, and how many verifications of P-256 signatures
//! (measured alone in the same run) the time would be worth. Medians over rounds, since other work on the machine
//! disturbs some of them.

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use dcap_quote::{
    CheckedCollateral, Collateral, INTEL_QE_VENDOR, Quote, SIMULATED_QE_VENDOR, Tee, UnixTime, verify,
};
use dcap_qvl::QuoteCollateralV3;
use dcap_qvl::verify::QuoteVerifier;
use simulated_platform::{Body, Profile, SimulatedPlatform};

const NOW: UnixTime = UnixTime(1_750_723_200);
const ROUNDS: usize = 15;
const REPEATS: u32 = 200;

fn main() {
    let platform = SimulatedPlatform::new(Profile::new([7; 32], NOW));
    let root = dcap_quote::TrustedRoot::dangerous_simulated(&platform.root_certificate()).unwrap();
    let collateral = platform.collateral(Tee::Sgx);
    let file = serde_json::to_vec(&collateral).unwrap();
    let mut body = [0; 384];
    body[48] = 5;
    let quote = platform.quote_as(3, &Body::Sgx(body), SIMULATED_QE_VENDOR);
    let check = |collateral: &Collateral| CheckedCollateral::check(collateral, &root).unwrap();
    let accept = |checked: &CheckedCollateral| verify(&Quote::parse(&quote).unwrap(), checked, NOW).unwrap();

    let checked = check(&collateral);
    accept(&checked);
    let their_quote = platform.quote_as(3, &Body::Sgx(body), INTEL_QE_VENDOR);
    let their_collateral: QuoteCollateralV3 = serde_json::from_slice(&file).unwrap();
    let their_verifier = QuoteVerifier::new(platform.root_certificate_der().to_vec());

    // Header and report are signed by the key that follows the signature.
    let (signed, rest) = quote.split_at(48 + 384);
    let (signature, rest) = rest[4..].split_at(64);
    let key = [&[4], &rest[..64]].concat();

    let mut cases: Vec<Case<'_>> = vec![
        Case::new("one P-256 verification (aws-lc-rs)", || {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key)
                .verify(signed, signature)
                .unwrap();
        }),
        Case::new("ours: checked collateral, known attestation key", || {
            black_box(accept(&checked));
        }),
        Case::new("ours: checked collateral, new attestation key", {
            // As many as are needed, so that none has seen the quote.
            let total = ROUNDS * REPEATS as usize;
            let mut fresh: Vec<_> = (0..total).map(|_| check(&collateral)).collect();
            move || {
                black_box(accept(&fresh.pop().unwrap()));
            }
        }),
        Case::new("ours: from the collateral file on", || {
            black_box(accept(&check(&Collateral::from_json(&file).unwrap())));
        }),
        Case::new("dcap-qvl 0.7 (ring)", || {
            black_box(
                their_verifier
                    .verify(&their_quote, &their_collateral, NOW.0)
                    .unwrap(),
            );
        }),
    ];
    for _ in 0..ROUNDS {
        cases.iter_mut().for_each(Case::measure);
    }
    let unit = cases[0].median();
    let theirs = cases[cases.len() - 1].median();
    println!(
        "{:<50} {:>9} {:>9} {:>7} {:>12}",
        "one core", "µs", "per s", "P-256", "× dcap-qvl"
    );
    for case in &cases {
        let each = case.median();
        println!(
            "{:<50} {:>9.1} {:>9.0} {:>7.1} {:>12.1}",
            case.name,
            each * 1e6,
            1.0 / each,
            each / unit,
            theirs / each
        );
    }
}

struct Case<'a> {
    name: &'static str,
    run: Box<dyn FnMut() + 'a>,
    rounds: Vec<Duration>,
}

impl<'a> Case<'a> {
    fn new(name: &'static str, run: impl FnMut() + 'a) -> Self {
        Self {
            name,
            run: Box::new(run),
            rounds: Vec::new(),
        }
    }

    fn measure(&mut self) {
        let start = Instant::now();
        (0..REPEATS).for_each(|_| (self.run)());
        self.rounds.push(start.elapsed());
    }

    /// Seconds for one.
    fn median(&self) -> f64 {
        let mut rounds = self.rounds.clone();
        rounds.sort_unstable();
        rounds[rounds.len() / 2].as_secs_f64() / f64::from(REPEATS)
    }
}
