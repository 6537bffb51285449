//! XTS (IEEE 1619) over whole sectors.

use aes_enclave::cipher::generic_array::GenericArray;
use aes_enclave::cipher::{BlockDecrypt as _, BlockEncrypt as _, KeyInit as _};
use aes_enclave::{Aes256, Aes256Enc};
use rootfs_format::Block;

use crate::ImageKey;

/// Bytes of a block of AES.
const AES_BLOCK: usize = 16;
/// Blocks of AES that go through the cipher together: as many as the `aes` crate has in flight.
const LANES: usize = 8;
/// Units of dm-crypt's initialisation vector in a sector: 512 bytes each.
const IV_UNITS_PER_SECTOR: u64 = 8;
/// What a carry out of bit 127 adds in GF(2^128), whose polynomial is x^128 + x^7 + x^2 + x + 1.
const REDUCTION: u128 = 0x87;

type Lanes = [aes_enclave::Block; LANES];

/// Encrypts and decrypts sectors. The expanded keys are wiped when it is dropped.
pub struct SectorCipher {
    data: Aes256,
    tweak: Aes256Enc,
}

impl SectorCipher {
    /// The cipher under this key.
    pub fn new(key: &ImageKey) -> Self {
        let (data, tweak) = key.halves();
        Self {
            data: Aes256::new(data.into()),
            tweak: Aes256Enc::new(tweak.into()),
        }
    }

    /// Encrypts the sector of this number, where it is.
    pub fn encrypt(&self, number: u64, sector: &mut Block) {
        self.pass(number, sector, |lanes| self.data.encrypt_blocks(lanes));
    }

    /// Decrypts the sector of this number, where it is.
    pub fn decrypt(&self, number: u64, sector: &mut Block) {
        self.pass(number, sector, |lanes| self.data.decrypt_blocks(lanes));
    }

    #[inline(always)]
    fn pass(&self, number: u64, sector: &mut Block, cipher: impl Fn(&mut Lanes)) {
        let mut tweak = self.first_tweak(number);
        let (groups, _) = sector.as_chunks_mut::<{ AES_BLOCK * LANES }>();
        for group in groups {
            let (blocks, _) = group.as_chunks_mut::<AES_BLOCK>();
            let mut tweaks = [0; LANES];
            let mut lanes = Lanes::default();
            for ((lane, block), this) in lanes.iter_mut().zip(blocks.iter()).zip(&mut tweaks) {
                *lane = masked(*block, tweak).into();
                *this = tweak;
                tweak = doubled(tweak);
            }
            cipher(&mut lanes);
            for ((block, lane), tweak) in blocks.iter_mut().zip(lanes).zip(tweaks) {
                *block = masked(lane.into(), tweak);
            }
        }
    }

    /// The number of a sector, in dm-crypt's `plain64`, encrypted.
    fn first_tweak(&self, number: u64) -> u128 {
        let iv = number.wrapping_mul(IV_UNITS_PER_SECTOR);
        let mut block = GenericArray::from(u128::from(iv).to_le_bytes());
        self.tweak.encrypt_block(&mut block);
        u128::from_le_bytes(block.into())
    }
}

#[inline(always)]
fn masked(block: [u8; AES_BLOCK], tweak: u128) -> [u8; AES_BLOCK] {
    (u128::from_le_bytes(block) ^ tweak).to_le_bytes()
}

/// Times x in GF(2^128), in constant time.
#[inline(always)]
fn doubled(tweak: u128) -> u128 {
    let carry = (tweak >> 127).wrapping_neg() & REDUCTION;
    (tweak << 1) ^ carry
}

#[cfg(test)]
mod tests {
    use rootfs_format::BLOCK_SIZE;

    use super::*;

    fn cipher() -> SectorCipher {
        SectorCipher::new(&ImageKey::new(&core::array::from_fn::<u8, 64, _>(|at| at as u8)).unwrap())
    }

    fn sector() -> Block {
        core::array::from_fn(|at| (at / 7) as u8)
    }

    /// XTS by its definition, a block of AES at a time.
    fn by_definition(number: u64, sector: &Block) -> Block {
        let key: [u8; 64] = core::array::from_fn(|at| at as u8);
        let [data, tweak] = [&key[..32], &key[32..]].map(|half| Aes256::new_from_slice(half).unwrap());
        let mut mask = GenericArray::from(u128::from(number * 8).to_le_bytes());
        tweak.encrypt_block(&mut mask);
        let mut out = [0; BLOCK_SIZE];
        for (from, to) in sector.chunks(AES_BLOCK).zip(out.chunks_mut(AES_BLOCK)) {
            let mut block = *aes_enclave::Block::from_slice(from);
            (0..AES_BLOCK).for_each(|at| block[at] ^= mask[at]);
            data.encrypt_block(&mut block);
            (0..AES_BLOCK).for_each(|at| to[at] = block[at] ^ mask[at]);
            // Times x: each byte moves up by a bit, and what leaves the last one comes back as 0x87.
            let mut carry = 0;
            for byte in mask.iter_mut() {
                (*byte, carry) = (*byte << 1 | carry, *byte >> 7);
            }
            mask[0] ^= 0x87 * carry;
        }
        out
    }

    #[test]
    fn a_sector_is_what_the_standard_says() {
        for number in [0, 1, 77, 1 << 40] {
            let mut encrypted = sector();
            cipher().encrypt(number, &mut encrypted);
            assert_eq!(encrypted, by_definition(number, &sector()), "{number}");
            cipher().decrypt(number, &mut encrypted);
            assert_eq!(encrypted, sector());
        }
    }

    #[test]
    fn equal_sectors_at_two_places_differ() {
        let [mut first, mut second] = [sector(); 2];
        cipher().encrypt(1, &mut first);
        cipher().encrypt(2, &mut second);
        assert!(
            first
                .chunks(AES_BLOCK)
                .zip(second.chunks(AES_BLOCK))
                .all(|(a, b)| a != b)
        );
    }
}
