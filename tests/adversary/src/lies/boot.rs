//! Lies in the boot information.

use super::{Boot, End, Lie, Tell};

const RIGHT: &[End] = &[End::Right];
const REFUSED: &[End] = &[End::Refused];
/// A claim about memory that is not there is found out by a fault outside the enclave, which nothing can survive.
const STOPPED: &[End] = &[End::Refused, End::Stopped];

const fn boot(name: &'static str, guest: &'static str, change: Boot, ends: &'static [End]) -> Lie {
    Lie {
        name,
        guest,
        tell: Tell::Boot(change),
        ends,
    }
}

// Offsets of words in the boot information.
const MAGIC: usize = 0;
const ROOTFS_ADDRESS: usize = 16;
const ROOTFS_LEN: usize = 24;
const PROCESSORS: usize = 40;
const CPUID_COUNT: usize = 48;

// Registers of an answer of CPUID.
const EAX: usize = 0;
const EBX: usize = 1;
const ECX: usize = 2;

/// End of the enclave's range.
const ELRANGE: u64 = enclave_layout::ELRANGE_SIZE;

pub(super) const LIES: &[Lie] = table! {
    Lie { name: "boot/truth", guest: "streams", tell: Tell::Truth, ends: RIGHT },
    Lie { name: "boot/truth-about-threads", guest: "threads", tell: Tell::Truth, ends: RIGHT },
    Lie { name: "boot/truth-about-sockets", guest: "sockets", tell: Tell::Truth, ends: RIGHT },
    Lie { name: "boot/truth-about-poll", guest: "poll", tell: Tell::Truth, ends: RIGHT },
    boot("boot/version", "streams", Boot::Word(MAGIC, u64::from_le_bytes(*b"NACREBT\x01")), REFUSED),
    boot("boot/magic", "streams", Boot::Word(MAGIC, 0), REFUSED),
    boot("boot/noise", "streams", Boot::Noise, REFUSED),
    boot("boot/cut-in-the-header", "streams", Boot::Cut(44), REFUSED),
    boot("boot/cut-in-cpuid", "streams", Boot::Cut(60), REFUSED),
    boot("boot/cpuid-count-huge", "streams", Boot::Word(CPUID_COUNT, u64::MAX), REFUSED),
    boot("boot/cpuid-count-beyond", "streams", Boot::Word(CPUID_COUNT, 1 << 15), REFUSED),
    boot("boot/cpuid-zeros", "streams", Boot::Cpuid(0), REFUSED),
    boot("boot/cpuid-ones", "streams", Boot::Cpuid(u32::MAX), REFUSED),
    boot("boot/cpuid-noise", "streams", Boot::CpuidNoise, REFUSED),
    boot("boot/cpuid-xsave-absent", "streams", Boot::CpuidRegister([1, 0], ECX, !(1 << 27)), REFUSED),
    boot("boot/cpuid-state-absent", "streams", Boot::CpuidRegister([0xd, 0], EAX, 1), REFUSED),
    boot("boot/cpuid-state-small", "streams", Boot::CpuidRegister([0xd, 2], EAX, 16), REFUSED),
    boot("boot/cpuid-state-elsewhere", "streams", Boot::CpuidRegister([0xd, 2], EBX, 512), REFUSED),
    boot("boot/cpuid-image-small", "streams", Boot::CpuidRegister([0xd, 0], EBX, 576), RIGHT),
    boot("boot/processors-0", "threads", Boot::Word(PROCESSORS, 0), RIGHT),
    boot("boot/processors-huge", "threads", Boot::Word(PROCESSORS, u32::MAX as u64), RIGHT),
    boot("boot/processors-beyond-32-bits", "streams", Boot::Word(PROCESSORS, 1 << 32), REFUSED),
    boot("boot/rootfs-at-0", "streams", Boot::Word(ROOTFS_ADDRESS, 0), REFUSED),
    boot("boot/rootfs-inside", "streams", Boot::Word(ROOTFS_ADDRESS, 0x10000), REFUSED),
    boot("boot/rootfs-at-the-end-inside", "streams", Boot::Word(ROOTFS_ADDRESS, ELRANGE - 4096), REFUSED),
    boot("boot/rootfs-wraps", "streams", Boot::Word(ROOTFS_ADDRESS, u64::MAX - 4095), REFUSED),
    boot("boot/rootfs-in-the-kernel", "streams", Boot::Word(ROOTFS_ADDRESS, 0xffff_8000_0000_0000), REFUSED),
    boot("boot/rootfs-not-canonical", "streams", Boot::Word(ROOTFS_ADDRESS, 1 << 47), REFUSED),
    boot("boot/rootfs-not-mapped", "streams", Boot::Word(ROOTFS_ADDRESS, ELRANGE + 4096), STOPPED),
    boot("boot/rootfs-short", "streams", Boot::Word(ROOTFS_LEN, 4096), REFUSED),
    boot("boot/rootfs-long", "streams", Boot::Word(ROOTFS_LEN, u64::MAX), RIGHT),
    boot("boot/arguments", "streams", Boot::Args(1, 5), REFUSED),
    boot("boot/many-arguments", "streams", Boot::Args(20_000, 1), REFUSED),
    boot("boot/variable", "streams", Boot::Env(b"LD_PRELOAD=/evil.so"), REFUSED),
    boot("boot/variable-without-a-name", "streams", Boot::Env(b"=x"), REFUSED),
    boot("boot/variable-empty", "streams", Boot::Env(b""), REFUSED),
    boot("boot/hostname-long", "streams", Boot::Hostname(&[b'a'; 4096]), RIGHT),
    boot("boot/hostname-noise", "streams", Boot::Hostname(&[0, 0xff, b'\n']), RIGHT),
    boot("boot/resolv-conf-long", "streams", Boot::ResolvConf(200_000), RIGHT),
    boot("boot/image-key", "streams", Boot::ImageKey, REFUSED),
    boot("boot/trace", "streams", Boot::Flags, REFUSED),
};
