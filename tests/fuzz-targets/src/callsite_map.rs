//! Call-site maps: a map that was parsed can be applied anywhere without harm.

use std::collections::BTreeMap;

use callsite_map::{Container, FileMap, Placement, ReadAt, STUB_SIZE, encode_container, encode_file};

/// Where a file and its stubs may be, near and far, and at the ends of the address space.
const PLACEMENTS: [Placement; 3] = [
    Placement {
        file: 0x40_0000,
        stubs: 0x50_0000,
    },
    Placement {
        file: 0x10_0000,
        stubs: 0x7f00_0000_0000,
    },
    Placement {
        file: u64::MAX - 0xfff,
        stubs: u64::MAX - 0x1f,
    },
];

pub(crate) fn run(input: &[u8]) {
    if let Ok(map) = FileMap::parse(input) {
        check_map(&map);
    }
    check_container(input);
}

fn check_map(map: &FileMap<&[u8]>) {
    assert_eq!(
        map.patches().count(),
        map.len(),
        "what succeeds once does not fail later"
    );
    let mut stubs = vec![[0; STUB_SIZE]; map.len().min(64) + 1];
    for placement in PLACEMENTS {
        map.emit_stubs(placement, 0, &mut stubs);
        if map.len() < stubs.len() {
            assert_eq!(
                stubs.last(),
                Some(&[0xcc; STUB_SIZE]),
                "what no patch has is a trap"
            );
        }
        for (index, patch) in map.patches().take(64) {
            let site = placement.file.wrapping_add(patch.offset());
            // The bytes that it was made from, whole and cut off at either side.
            for cut in 0..patch.original().len() {
                let mut bytes = patch.original()[cut..].to_vec();
                let before = bytes.clone();
                let offset = patch.offset() + cut as u64;
                let left_alone = map.apply(placement, offset, &mut bytes);
                assert!(left_alone.is_ok(), "{left_alone:?}");
                assert_eq!(bytes.len(), before.len());
            }
            let mut other = [0x90; 64];
            let _ = map.apply(placement, patch.offset(), &mut other);
            let stub = placement.stubs.wrapping_add((index * STUB_SIZE) as u64);
            for at in 0..STUB_SIZE as u64 {
                map.canonical(placement, stub.wrapping_add(at));
                map.resume(placement, site.wrapping_add(at));
            }
        }
        map.canonical(placement, 0);
        map.resume(placement, 0);
        let _ = map.apply(placement, u64::MAX, &mut [0; 4]);
    }
}

fn check_container(input: &[u8]) {
    let Ok(container) = Container::open(input, input.len() as u64) else {
        return;
    };
    let is_canonical = container.check(input).is_ok();
    for nid in [0, 1, 40, u64::MAX] {
        match container.find(input, nid) {
            Ok(Some(range)) => {
                let mut bytes = vec![0; (range.end - range.start) as usize];
                input.read_at(range.start, &mut bytes).expect("within the blob");
            }
            Ok(None) => {}
            Err(error) => assert!(!is_canonical, "{error:?}"),
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let report = callsites::scan(&crate::elf::sample()).expect("a program");
    let map = encode_file(&report.sites).expect("small");
    assert!(!FileMap::parse(&map).expect("its own").is_empty());
    let container = encode_container(&BTreeMap::from([(1, map.clone()), (40, map.clone())])).expect("small");
    vec![map, container]
}
