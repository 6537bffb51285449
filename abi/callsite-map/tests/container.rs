//! The blob of all maps: found by inode number, without reading more than the index.

use std::cell::Cell;
use std::collections::BTreeMap;

use callsite_map::{Container, FindError, MapError, ReadAt, encode_container};
use proptest::prelude::*;

fn blob(maps: &[(u64, &[u8])]) -> Vec<u8> {
    let maps: BTreeMap<_, _> = maps.iter().map(|(nid, map)| (*nid, map.to_vec())).collect();
    encode_container(&maps).unwrap()
}

fn open(blob: &[u8]) -> Result<Container, FindError<MapError>> {
    Container::open(blob, blob.len() as u64)
}

#[test]
fn files_are_found_by_number() {
    let blob = blob(&[(36, b"one"), (7, b"three"), (1 << 40, b"")]);
    let container = open(&blob).unwrap();
    container.check(&blob[..]).unwrap();
    assert_eq!(container.files(), 3);
    let find = |nid| {
        let range = container.find(&blob[..], nid).unwrap()?;
        Some(&blob[range.start as usize..range.end as usize])
    };
    assert_eq!(find(36), Some(&b"one"[..]));
    assert_eq!(find(7), Some(&b"three"[..]));
    assert_eq!(find(1 << 40), Some(&b""[..]));
    assert_eq!(find(8), None);
    assert_eq!(find(u64::MAX), None);
}

#[test]
fn an_image_without_programs_has_an_empty_blob() {
    let blob = blob(&[]);
    let container = open(&blob).unwrap();
    container.check(&blob[..]).unwrap();
    assert_eq!(container.find(&blob[..], 1), Ok(None));
}

/// Counts what is read.
struct Counted<'a>(&'a [u8], Cell<usize>);

impl ReadAt for Counted<'_> {
    type Error = MapError;

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), MapError> {
        self.1.set(self.1.get() + out.len());
        self.0.read_at(offset, out)
    }
}

#[test]
fn finding_a_file_reads_little() {
    let maps: BTreeMap<u64, Vec<u8>> = (0..10_000).map(|nid| (nid * 3, vec![0; 100])).collect();
    let blob = encode_container(&maps).unwrap();
    let counted = Counted(&blob, Cell::new(0));
    let container = Container::open(&counted, blob.len() as u64).unwrap();
    assert!(container.find(&counted, 9_999).unwrap().is_some());
    assert!(counted.1.get() <= 16 + 15 * 16, "{} bytes", counted.1.get());
}

#[test]
fn every_truncation_is_refused() {
    let blob = blob(&[(1, b"abc"), (2, b"def")]);
    for len in 0..blob.len() {
        let cut = &blob[..len];
        let refused = open(cut).and_then(|container| container.check(cut));
        assert!(refused.is_err(), "{len} of {} bytes", blob.len());
    }
}

#[test]
fn disorder_is_refused() {
    let mut blob = blob(&[(1, b"abc"), (2, b"def")]);
    blob[16] = 3;
    assert_eq!(
        open(&blob).unwrap().check(&blob[..]),
        Err(FindError::Map(MapError::Order))
    );
}

proptest! {
    #[test]
    fn damaged_blobs_never_panic(
        flips in prop::collection::vec(any::<(usize, u8)>(), 1..4),
        nids in prop::collection::btree_map(any::<u64>(), prop::collection::vec(any::<u8>(), 0..20), 0..10),
    ) {
        let mut blob = encode_container(&nids).unwrap();
        let len = blob.len();
        for (at, bits) in flips {
            blob[at % len] ^= bits;
        }
        if let Ok(container) = open(&blob) {
            let _ = container.check(&blob[..]);
            for nid in nids.keys() {
                if let Ok(Some(range)) = container.find(&blob[..], *nid) {
                    prop_assert!(range.end <= blob.len() as u64);
                }
            }
        }
    }
}
