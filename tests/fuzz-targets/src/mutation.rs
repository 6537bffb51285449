//! Mutations of inputs, the same each time: a simple fuzzer for machines without one.

/// Numbers at which readers go wrong.
const EDGES: [u64; 12] = [
    0,
    1,
    7,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    i64::MAX as u64,
    u64::MAX,
];

/// An endless sequence of mutants of some inputs.
pub struct Mutations<'a> {
    seeds: &'a [Vec<u8>],
    state: u64,
}

impl<'a> Mutations<'a> {
    /// Of these inputs, of which there is at least one.
    pub fn new(seeds: &'a [Vec<u8>]) -> Self {
        Self { seeds, state: 1 }
    }

    /// xorshift64*.
    fn next_random(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next_random() % end.max(1) as u64) as usize
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        // Half of all places in the first bytes, where the headers are.
        let end = if self.below(2) == 0 {
            bytes.len().min(128)
        } else {
            bytes.len()
        };
        let at = self.below(end);
        match self.below(8) {
            0 => bytes
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte ^= 1 << (at % 8)),
            1 => {
                let new = self.next_random() as u8;
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = new);
            }
            2 | 3 => {
                let edge = EDGES[self.below(EDGES.len())].to_le_bytes();
                let len = 1 << self.below(4);
                bytes
                    .iter_mut()
                    .skip(at)
                    .zip(&edge[..len])
                    .for_each(|(byte, new)| *byte = *new);
            }
            4 => bytes.truncate(at),
            5 => {
                let piece: Vec<u8> = bytes.iter().skip(at).take(32).copied().collect();
                let to = self.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            6 => {
                let end = (at + 1 + self.below(32)).min(bytes.len());
                bytes.drain(at.min(end)..end);
            }
            _ => {
                let other = &self.seeds[self.below(self.seeds.len())];
                let piece: Vec<u8> = other.iter().skip(at).take(64).copied().collect();
                bytes
                    .iter_mut()
                    .skip(at)
                    .zip(piece)
                    .for_each(|(byte, new)| *byte = new);
            }
        }
    }
}

impl Iterator for Mutations<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut bytes = self.seeds[self.below(self.seeds.len())].clone();
        for _ in 0..=self.below(4) {
            self.mutate(&mut bytes);
        }
        Some(bytes)
    }
}
