//! The encryption of a root file system's image: AES-256-XTS over sectors of 4096 bytes, as dm-crypt has it.
//!
//! The crate `rootfs-image` encrypts where an image is converted; the crate `rootfs` decrypts in the enclave. An image
//! is what `cryptsetup open --type plain --cipher aes-xts-plain64 --key-size 512 --sector-size 4096` opens with the same
//! key file: the initialisation vector is the sector's place in units of 512 bytes, which is the kernel's default
//! (without `iv_large_sectors`). Source: <https://docs.kernel.org/admin-guide/device-mapper/dm-crypt.html>, IEEE 1619.
//!
//! Key types: [`ImageKey`], [`KeyId`], [`SectorCipher`].
//!
//! XTS hides contents and does not protect them: whoever changes a sector changes sixteen bytes into noise of their
//! choice. The dm-verity tree, which is over the ciphertext, is what refuses a changed block; nothing is decrypted that
//! it has not vouched for.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod image_key;
mod xts;

pub use image_key::{ImageKey, KEY_SIZE, KeyId, NotAKey};
pub use xts::SectorCipher;
