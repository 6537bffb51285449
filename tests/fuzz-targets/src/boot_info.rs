//! The boot information from the host: reading it gives what was written.

use host_abi::{BootFlags, BootInfo, CpuidEntry};
use sector_cipher::ImageKey;

pub(crate) fn run(input: &[u8]) {
    if let Ok(info) = BootInfo::decode(input) {
        let again = info.encode(usize::MAX).expect("there is room");
        assert!(again.len() <= input.len(), "it holds more than was read");
        assert_eq!(BootInfo::decode(&again), Ok(info));
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let full = BootInfo {
        flags: BootFlags {
            trace: true,
            stats: true,
            terminal: true,
        },
        rootfs_address: 0x7f00_0000_0000,
        rootfs_len: 1 << 20,
        tsc_hz: 2_000_000_000,
        processors: 4,
        cpuid: vec![
            CpuidEntry {
                leaf: 7,
                subleaf: 1,
                registers: [1, 2, 3, 4],
            };
            3
        ],
        args: vec![b"one".to_vec(), Vec::new()],
        env: vec![b"A=1".to_vec()],
        resolv_conf: b"nameserver 127.0.0.1\n".to_vec(),
        hostname: b"pearl".to_vec(),
        image_key: ImageKey::new(&std::array::from_fn::<u8, 64, _>(|at| at as u8)).ok(),
        broker: b"https://[::1]:8443/shop/web".to_vec(),
        init_address: 0x7e00_0000_0000,
    };
    let encode = |info: &BootInfo| info.encode(usize::MAX).expect("there is room");
    vec![encode(&full), encode(&BootInfo::default())]
}
