//! Hashes names for directories' tables.
//!
//! A folded multiplication over words, seeded at boot. It need not withstand an attacker who knows the seed: whoever can make
//! names is inside the container. Rejected: SipHash, which costs as much as the rest of a look-up.

/// An odd number without pattern (the golden ratio).
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of a name.
pub(crate) fn hash(seed: u64, name: &[u8]) -> u64 {
    let mut state = seed ^ name.len() as u64;
    let (words, rest) = name.as_chunks::<8>();
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word));
    }
    fold(state ^ tail(name, rest))
}

/// The bytes that do not fill a word: the last eight of a longer name, so that nothing is shifted together.
fn tail(name: &[u8], rest: &[u8]) -> u64 {
    if let Some(word) = name.last_chunk::<8>() {
        return u64::from_le_bytes(*word);
    }
    if let (Some(first), Some(last)) = (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last));
    }
    rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

fn fold(word: u64) -> u64 {
    let product = u128::from(word) * u128::from(MULTIPLIER);
    (product as u64) ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::hash;
    use std::collections::HashSet;

    #[test]
    fn names_that_look_alike_differ() {
        let names = (0..20_000).map(|n| format!("file-{n:05}.txt"));
        let short = (0..=255u8).flat_map(|a| {
            (0..=255u8).map(move |b| String::from_utf8_lossy(&[b'a', a & 0x7f, b & 0x7f]).into_owned())
        });
        let names: HashSet<String> = names.chain(short).collect();
        let hashes: HashSet<u64> = names.iter().map(|name| hash(7, name.as_bytes())).collect();
        assert_eq!(hashes.len(), names.len());
        // The table takes seven bits from the top and the rest from the bottom.
        let top: HashSet<u64> = names.iter().map(|name| hash(7, name.as_bytes()) >> 57).collect();
        assert_eq!(top.len(), 128);
    }
}
