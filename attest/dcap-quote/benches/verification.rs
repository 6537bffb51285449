//! Verifications per second on one core, ours and dcap-qvl's in turns: `cargo bench -p dcap-quote`.
//!
//! One line per case: what, microseconds each, how many a second, and how many verifications of P-256 signatures
//! (measured alone in the same run) the time would be worth. Medians over rounds, since other work on the machine
//! disturbs some of them. With `--rows` a name and the seconds each, for `cargo xtask bench`; with `--quick` one short
//! round, to see that it works.

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

/// How much is measured.
#[derive(Clone, Copy)]
struct Amount {
    rounds: usize,
    repeats: u32,
}

fn main() {
    let has = |option| std::env::args().any(|argument| argument == option);
    let amount = if has("--quick") {
        Amount {
            rounds: 1,
            repeats: 2,
        }
    } else {
        Amount {
            rounds: 15,
            repeats: 200,
        }
    };
    let cases = measure(amount);
    if has("--rows") {
        for case in &cases {
            println!("{} {}", case.name, case.median(amount));
        }
    } else {
        print(&cases, amount);
    }
}

fn measure(amount: Amount) -> Vec<Measured> {
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
        Case::new("p256", "one P-256 verification (aws-lc-rs)", || {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key)
                .verify(signed, signature)
                .unwrap();
        }),
        Case::new(
            "known-key",
            "ours: checked collateral, known attestation key",
            || {
                black_box(accept(&checked));
            },
        ),
        Case::new("new-key", "ours: checked collateral, new attestation key", {
            // As many as are needed, so that none has seen the quote.
            let total = amount.rounds * amount.repeats as usize;
            let mut fresh: Vec<_> = (0..total).map(|_| check(&collateral)).collect();
            move || {
                black_box(accept(&fresh.pop().unwrap()));
            }
        }),
        Case::new("from-file", "ours: from the collateral file on", || {
            black_box(accept(&check(&Collateral::from_json(&file).unwrap())));
        }),
        Case::new("dcap-qvl", "dcap-qvl 0.7 (ring)", || {
            black_box(
                their_verifier
                    .verify(&their_quote, &their_collateral, NOW.0)
                    .unwrap(),
            );
        }),
    ];
    for _ in 0..amount.rounds {
        cases.iter_mut().for_each(|case| case.measure(amount.repeats));
    }
    cases.into_iter().map(|case| case.measured).collect()
}

fn print(cases: &[Measured], amount: Amount) {
    let unit = cases[0].median(amount);
    let theirs = cases[cases.len() - 1].median(amount);
    println!(
        "{:<50} {:>9} {:>9} {:>7} {:>12}",
        "one core", "µs", "per s", "P-256", "× dcap-qvl"
    );
    for case in cases {
        let each = case.median(amount);
        println!(
            "{:<50} {:>9.1} {:>9.0} {:>7.1} {:>12.1}",
            case.title,
            each * 1e6,
            1.0 / each,
            each / unit,
            theirs / each
        );
    }
}

struct Case<'a> {
    run: Box<dyn FnMut() + 'a>,
    measured: Measured,
}

struct Measured {
    name: &'static str,
    title: &'static str,
    rounds: Vec<Duration>,
}

impl<'a> Case<'a> {
    fn new(name: &'static str, title: &'static str, run: impl FnMut() + 'a) -> Self {
        Self {
            run: Box::new(run),
            measured: Measured {
                name,
                title,
                rounds: Vec::new(),
            },
        }
    }

    fn measure(&mut self, repeats: u32) {
        let start = Instant::now();
        (0..repeats).for_each(|_| (self.run)());
        self.measured.rounds.push(start.elapsed());
    }
}

impl Measured {
    /// Seconds for one.
    fn median(&self, amount: Amount) -> f64 {
        let mut rounds = self.rounds.clone();
        rounds.sort_unstable();
        rounds[rounds.len() / 2].as_secs_f64() / f64::from(amount.repeats)
    }
}
