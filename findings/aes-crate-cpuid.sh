#!/usr/bin/env bash
# The Rust crate `aes` in code that must not execute CPUID: an enclave, a boot loader.
#
# Guess: compiled with `-C target-feature=+aes`, the crate knows at compile time that the AES instructions are there,
# and asks the processor nothing. The documentation of `cpufeatures`, by which it asks, says so; version 0.8 does so.
# True: since 0.9 it also asks for VAES, by CPUID at run time, unless that is a target feature, too; and then the
# cipher uses registers of AVX and AVX-512. Its only switch, `--cfg aes_backend="soft"`, gives up the instructions.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Counts the CPUID instructions in a program without a standard library that decrypts with this version.
count() {
    local version=$1 cipher=$2 flags=$3
    local project=$scratch/$version-${flags//[^a-z0-9]/}
    mkdir -p "$project/src"
    cat >"$project/Cargo.toml" <<TOML
[package]
name = "probe"
edition = "2024"
[lib]
crate-type = ["staticlib"]
[dependencies]
aes = { version = "=$version", default-features = false }
[profile.release]
panic = "abort"
lto = true
codegen-units = 1
[workspace]
TOML
    cat >"$project/src/lib.rs" <<RUST
#![no_std]
use aes::Aes256;
use aes::cipher::{$cipher, KeyInit};

#[unsafe(no_mangle)]
pub extern "C" fn decrypt(key: &[u8; 32], block: &mut [u8; 16]) {
    let mut inner = (*block).into();
    Aes256::new(key.into()).decrypt_block(&mut inner);
    *block = inner.into();
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}
RUST
    RUSTFLAGS="-C target-feature=+aes,+sse4.1 $flags" \
        cargo build --quiet --release --manifest-path "$project/Cargo.toml" --target-dir "$project/target"
    # Only the objects of this program: the archive also holds the compiler's own support routines.
    (cd "$project" && ar x "target/release/libprobe.a" && for object in probe-*.o; do
        objdump -d --no-show-raw-insn "$object"
    done | grep -cw cpuid || true)
}

cargo --version
old=$(count 0.8.4 BlockDecrypt "")
new=$(count 0.9.4 BlockCipherDecrypt "")
wide=$(count 0.9.4 BlockCipherDecrypt "-C target-feature=+vaes,+avx2,+avx512f")
echo "CPUID instructions with +aes: aes 0.8.4: $old, aes 0.9.4: $new; 0.9.4 with VAES and AVX-512 as features: $wide"
[ "$old" = 0 ] || { echo "0.8.4 asks now"; exit 1; }
[ "$new" != 0 ] || { echo "0.9.4 does not ask any more"; exit 1; }
[ "$wide" = 0 ] || { echo "0.9.4 asks also for what it was told"; exit 1; }
echo "The finding holds."
