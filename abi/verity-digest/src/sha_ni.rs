//! SHA-256 of several messages in step, by the SHA extensions (SDM volume 1, section 5.14).

use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_blend_epi16, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32,
    _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
};
use core::hint::black_box;

use zerocopy::transmute;

use crate::{Chunk, State};

/// The eight words of a state, as the SHA instructions have them.
#[derive(Clone, Copy)]
struct Halves {
    abef: __m128i,
    cdgh: __m128i,
}

impl Halves {
    const ZERO: Self = Self {
        abef: ZERO,
        cdgh: ZERO,
    };
}

const ZERO: __m128i = transmute!([0u8; 16]);

/// The constants of the rounds, four to a register, sixteen rounds together: the fractional parts of the cube roots of the first 64 primes (FIPS 180-4,
/// section 4.2.2).
const ROUND_CONSTANTS: [[[u32; 4]; 4]; 4] = [
    [
        [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
        [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
        [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
        [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
    ],
    [
        [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
        [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
        [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
        [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
    ],
    [
        [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
        [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
        [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
        [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
    ],
    [
        [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
        [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
        [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
        [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
    ],
];

/// The bytes of four big-endian words, for `PSHUFB`.
const BIG_ENDIAN: [u8; 16] = [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12];

/// Takes chunk after chunk of each message into its state: `chunks` gives the next one of every message.
#[target_feature(enable = "sha,ssse3,sse4.1")]
pub(crate) fn compress<'a, const N: usize>(
    states: &mut [State; N],
    chunks: impl Iterator<Item = [&'a Chunk; N]>,
) {
    let mut running = [Halves::ZERO; N];
    for (halves, state) in running.iter_mut().zip(states.iter()) {
        *halves = split(state);
    }
    for chunk in chunks {
        compress_chunk(&mut running, chunk);
    }
    for (state, halves) in states.iter_mut().zip(running) {
        *state = joined(halves);
    }
}

#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn compress_chunk<const N: usize>(states: &mut [Halves; N], chunks: [&Chunk; N]) {
    let before = *states;
    let mut words = [[ZERO; 4]; N];
    for (words, chunk) in words.iter_mut().zip(chunks) {
        *words = transmute!(*chunk);
        for word in words {
            *word = _mm_shuffle_epi8(*word, transmute!(BIG_ENDIAN));
        }
    }
    let [first, rest @ ..] = &ROUND_CONSTANTS;
    sixteen_rounds::<N, false>(states, &mut words, first);
    // A loop that the compiler cannot unroll: it would put the schedules of all rounds before the first round, and has no
    // registers for them.
    for constants in black_box(rest.as_slice()) {
        sixteen_rounds::<N, true>(states, &mut words, constants);
    }
    for (state, before) in states.iter_mut().zip(before) {
        state.abef = _mm_add_epi32(state.abef, before.abef);
        state.cdgh = _mm_add_epi32(state.cdgh, before.cdgh);
    }
}

/// Sixteen rounds of every message. `words` are the last sixteen words of each message's schedule, four to a register;
/// the next sixteen take their places if `EXTEND`, as in all rounds but the first.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn sixteen_rounds<const N: usize, const EXTEND: bool>(
    states: &mut [Halves; N],
    words: &mut [[__m128i; 4]; N],
    constants: &[[u32; 4]; 4],
) {
    for constants in constants {
        for (state, words) in states.iter_mut().zip(words.iter_mut()) {
            let [oldest, second, third, newest] = *words;
            let now = match EXTEND {
                true => next_words(*words),
                false => oldest,
            };
            four_rounds(state, now, constants);
            *words = [second, third, newest, now];
        }
    }
}

/// The four words that follow sixteen, the oldest of which come first.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn next_words([oldest, second, third, newest]: [__m128i; 4]) -> __m128i {
    let middle = _mm_alignr_epi8::<4>(newest, third);
    let sum = _mm_add_epi32(_mm_sha256msg1_epu32(oldest, second), middle);
    _mm_sha256msg2_epu32(sum, newest)
}

/// Four rounds with four words of the schedule.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn four_rounds(state: &mut Halves, words: __m128i, constants: &[u32; 4]) {
    let words = _mm_add_epi32(words, transmute!(*constants));
    state.cdgh = _mm_sha256rnds2_epu32(state.cdgh, state.abef, words);
    state.abef = _mm_sha256rnds2_epu32(state.abef, state.cdgh, _mm_shuffle_epi32::<0x0e>(words));
}

/// From the words a to h to the order that the instructions want: F E B A and H G D C, the lowest first.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn split(state: &State) -> Halves {
    let [abcd, efgh]: [__m128i; 2] = transmute!(*state);
    let badc = _mm_shuffle_epi32::<0xb1>(abcd);
    let hgfe = _mm_shuffle_epi32::<0x1b>(efgh);
    Halves {
        abef: _mm_alignr_epi8::<8>(badc, hgfe),
        cdgh: _mm_blend_epi16::<0xf0>(hgfe, badc),
    }
}

/// The way back.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn joined(halves: Halves) -> State {
    let feba = _mm_shuffle_epi32::<0x1b>(halves.abef);
    let dchg = _mm_shuffle_epi32::<0xb1>(halves.cdgh);
    transmute!([
        _mm_blend_epi16::<0xf0>(feba, dchg),
        _mm_alignr_epi8::<8>(dchg, feba),
    ])
}
