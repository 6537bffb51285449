//! Tokens validated per second on one core, in turns with the bare RSA verification: `cargo bench -p attestation-token`.
//!
//! One line per case: what, microseconds each, how many a second, and the ratio to the RSA verification of the same bytes.
//! Medians over many short rounds, since other work on the machine disturbs some of them; ratios are taken within a round.
//! With `--json`, an object for `cargo xtask bench` instead.

#[path = "../tests/validation/support.rs"]
mod support;

use std::hint::black_box;
use std::time::{Duration, Instant};

use attestation_token::ClaimPolicy;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, Validation};
use support::{ISSUER, KEY, NOW, RUNTIME_DATA, key_set, token, validator};

const ROUNDS: usize = 61;
const REPEATS: u32 = 100;

fn main() {
    let (token, keys, validator) = (token(), key_set(), validator());
    let policy = ClaimPolicy::default()
        .require_mrenclave(support::MR_ENCLAVE)
        .min_svn(7)
        .require_nonce("2f7e1a")
        .require_runtime_data(RUNTIME_DATA);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, KEY.public_key().info()).unwrap();

    let jwk = KEY.jwk(&[]);
    let number = |name: &str| jwk[name].as_str().unwrap();
    let their_key = DecodingKey::from_rsa_components(number("n"), number("e")).unwrap();
    let mut their_validation = Validation::new(jsonwebtoken::Algorithm::RS256);
    their_validation.set_issuer(&[ISSUER]);
    their_validation.validate_exp = false;
    let (_, payload) = signed.split_once('.').unwrap();

    let mut cases: Vec<Case<'_>> = vec![
        Case::new("one RSA-2048 verification (aws-lc-rs)", || {
            key.verify_sig(signed.as_bytes(), &signature).unwrap();
        }),
        Case::new("ours: known key, all claims", || {
            black_box(validator.validate(&token, &keys, &policy, NOW).unwrap());
        }),
        Case::new("jsonwebtoken 11 (aws-lc-rs), known key, into a map", || {
            black_box(
                jsonwebtoken::decode::<serde_json::Value>(&token, &their_key, &their_validation).unwrap(),
            );
        }),
        Case::new("the payload's base64", || {
            black_box(URL_SAFE_NO_PAD.decode(payload).unwrap());
        }),
    ];
    for _ in 0..ROUNDS {
        cases.iter_mut().for_each(Case::measure);
    }
    if std::env::args().any(|argument| argument == "--json") {
        println!(
            "{}",
            serde_json::json!({
                "bare_us": cases[0].median() * 1e6,
                "validation_us": cases[1].median() * 1e6,
            })
        );
        return;
    }
    println!("a token of {} bytes", token.len());
    println!("{:<55} {:>9} {:>9} {:>7}", "one core", "µs", "per s", "× RSA");
    for case in &cases {
        let each = case.median();
        println!(
            "{:<55} {:>9.2} {:>9.0} {:>7.2}",
            case.name,
            each * 1e6,
            1.0 / each,
            case.ratio(&cases[0])
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
        median(self.rounds.iter().map(Duration::as_secs_f64)) / f64::from(REPEATS)
    }

    /// How many times as long as the other.
    fn ratio(&self, other: &Self) -> f64 {
        let rounds = self.rounds.iter().zip(&other.rounds);
        median(rounds.map(|(ours, other)| ours.as_secs_f64() / other.as_secs_f64()))
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
