//! A tiny LibOS and a configuration to go with it.

use enclave_config::{Config, Extent, HostEnv, HostSignals, Loopback, Resolver, Rootfs, User};
use enclave_layout::IMAGE_BASE;

pub const R: u32 = 4;
pub const W: u32 = 2;
pub const X: u32 = 1;

pub const LOAD: u32 = 1;

/// A program header: type, flags, address, bytes in the file, bytes in memory.
pub type Header<'a> = (u32, u32, u64, &'a [u8], u64);

/// An ELF file of this type (2: executable, 3: shared) with these program headers and contents.
pub fn elf(kind: u16, entry: u64, headers: &[Header]) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    file.extend(kind.to_le_bytes());
    file.extend(62u16.to_le_bytes());
    file.extend(1u32.to_le_bytes());
    file.extend(entry.to_le_bytes());
    file.extend(64u64.to_le_bytes());
    file.extend(0u64.to_le_bytes());
    file.extend(0u32.to_le_bytes());
    for half in [64, 56, headers.len() as u16, 64, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    let mut offset = (64 + 56 * headers.len()) as u64;
    for (kind, flags, address, data, len) in headers {
        file.extend(kind.to_le_bytes());
        file.extend(flags.to_le_bytes());
        for word in [offset, *address, *address, data.len() as u64, *len, 1] {
            file.extend(word.to_le_bytes());
        }
        offset += data.len() as u64;
    }
    for (_, _, _, data, _) in headers {
        file.extend(*data);
    }
    file
}

/// Constants, code (which begins in the middle of a page) and data with a tail of zeros.
pub fn libos() -> Vec<u8> {
    let code = [0xf4; 5000];
    elf(
        2,
        IMAGE_BASE + 0x2108,
        &[
            (LOAD, R, IMAGE_BASE, b"constants", 9),
            (LOAD, R | X, IMAGE_BASE + 0x2100, &code, 5000),
            (LOAD, R | W, IMAGE_BASE + 0x8000, b"data", 0x2001),
        ],
    )
}

pub fn config() -> Config {
    Config {
        args: vec![b"/bin/true".to_vec()],
        entrypoint_len: 1,
        allow_args: false,
        env: vec![],
        host_env: HostEnv::Names(vec![]),
        cwd: b"/".to_vec(),
        user: User::default(),
        hostname: vec![],
        resolver: Resolver::Servers(vec![]),
        loopback: Loopback::INSIDE,
        broker: None,
        stop_signal: 15,
        host_signals: HostSignals::USUAL,
        debug: false,
        memory: 1 << 28,
        threads: 3,
        volumes: vec![],
        rootfs: Rootfs {
            root_hash: [0x11; 32],
            data_blocks: 1,
            hash_offset: 4096,
            salt: vec![],
            total_len: 12288,
            callsites: Extent::default(),
            key_id: None,
        },
        source_digest: None,
    }
}
