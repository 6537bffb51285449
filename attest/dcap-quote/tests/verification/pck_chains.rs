//! Tests of the forms of a quote's PCK chain: all that stand for the same certificates are accepted, and no other.

use dcap_quote::{Chain, Quote, Refusal, SIMULATED_QE_VENDOR, Tee, Verdict, verify};
use simulated_platform::SimulatedPlatform;

use crate::support::{NOW, checked, domain, enclave, profile};

const END: &str = "-----END CERTIFICATE-----\n";

/// The quote with another chain in place of its own; with the lengths that it says.
fn with_chain(quote: &[u8], version: u16, chain: &str) -> Vec<u8> {
    let old = Quote::parse(quote).unwrap().pck_chain().len() + 1;
    let mut changed = quote[..quote.len() - old].to_vec();
    changed.extend(chain.as_bytes());
    changed.push(0);
    // The lengths of the chain, of what wraps it from version 4 on, and of the signature data, by where they end.
    let body = if version == 3 { 384 } else { 584 };
    let mut lengths = vec![quote.len() - old, 48 + body + 4];
    if version > 3 {
        lengths.push(48 + body + 4 + 64 + 64 + 2 + 4);
    }
    for end in lengths {
        let length = u32::try_from(changed.len() - end).unwrap();
        changed[end - 4..end].copy_from_slice(&length.to_le_bytes());
    }
    changed
}

fn judge(change: impl Fn(&str) -> String) -> Result<Verdict, Refusal> {
    let platform = SimulatedPlatform::new(profile());
    let tee_tcb_svn = [5, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut last = None;
    for (version, body, tee) in [(3, enclave(), Tee::Sgx), (4, domain(tee_tcb_svn), Tee::Tdx)] {
        let quote = platform.quote_as(version, &body, SIMULATED_QE_VENDOR);
        let chain = change(Quote::parse(&quote).unwrap().pck_chain());
        let changed = with_chain(&quote, version, &chain);
        let parsed = Quote::parse(&changed).unwrap();
        let judged = verify(&parsed, &checked(&platform, tee).unwrap(), NOW);
        if judged.is_ok() {
            assert!(parsed.claimed_platform().is_ok() && parsed.claimed_pck_ca().is_ok());
        }
        last = Some(judged);
    }
    last.unwrap()
}

/// Base64 in lines of this many characters.
fn wrapped(chain: &str, length: usize) -> String {
    let mut text = String::new();
    let mut base64 = String::new();
    for line in chain.lines() {
        if !line.starts_with('-') {
            base64.push_str(line);
            continue;
        }
        for start in (0..base64.len()).step_by(length) {
            text += &base64[start..base64.len().min(start + length)];
            text.push('\n');
        }
        base64.clear();
        text += line;
        text.push('\n');
    }
    text
}

#[test]
fn every_form_of_the_same_certificates() {
    let forms: [fn(&str) -> String; 8] = [
        str::to_owned,
        |chain| chain.replace('\n', "\r\n"),
        |chain| chain.replace('\n', "\r"),
        |chain| chain.trim_end().to_owned(),
        |chain| chain.replace(END, &format!("{END}\n")),
        |chain| wrapped(chain, 76),
        |chain| wrapped(chain, 1),
        |chain| wrapped(chain, 100_000),
    ];
    for form in forms {
        judge(form).unwrap();
    }
}

#[test]
fn every_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let verdict = judge(|chain| {
            let blocks: Vec<&str> = chain.split_inclusive(END).collect();
            order.map(|index| blocks[index]).concat()
        });
        assert_eq!(verdict.unwrap().platform.svns, profile().svns, "{order:?}");
    }
}

#[test]
fn no_other_certificates() {
    let blocks = |chain: &str, order: &[usize]| -> String {
        let blocks: Vec<&str> = chain.split_inclusive(END).collect();
        order.iter().map(|index| blocks[*index]).collect()
    };
    for order in [&[0, 1][..], &[0, 1, 2, 2], &[0, 0, 1, 2], &[2]] {
        let refused = judge(|chain| blocks(chain, order)).unwrap_err();
        assert!(
            matches!(
                refused,
                Refusal::ChainLength {
                    chain: Chain::Pck,
                    ..
                }
            ),
            "{refused}"
        );
    }
    for order in [[0, 1, 1], [0, 2, 2], [1, 1, 2], [2, 2, 2], [0, 0, 2]] {
        let refused = judge(|chain| blocks(chain, &order)).unwrap_err();
        assert!(
            matches!(
                refused,
                Refusal::Certificate {
                    chain: Chain::Pck,
                    ..
                }
            ),
            "{refused}"
        );
    }
    let other: [fn(&str) -> String; 3] = [
        |chain| format!("{chain}x"),
        |chain| chain.replacen('A', " A", 1),
        |chain| chain.replacen("\n", "\nBag Attributes\n", 1),
    ];
    for form in other {
        let refused = judge(form).unwrap_err();
        assert!(
            matches!(
                refused,
                Refusal::Pem {
                    chain: Chain::Pck,
                    ..
                }
            ),
            "{refused}"
        );
    }
}
