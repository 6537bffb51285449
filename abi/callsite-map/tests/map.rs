//! The map of one file: what is written can be read back, damage is refused, and addresses translate both ways.

use callsite_map::{FileMap, Kind, MapError, Placement, STUB_SIZE, Sites, Step, encode_file};
use proptest::prelude::*;

const PLACEMENT: Placement = Placement {
    file: 0x40_0000,
    stubs: 0x1000_0000,
};

fn step(kind: Kind, bytes: &[u8]) -> Step<'_> {
    Step { kind, bytes }
}

const SYSCALL: Step<'static> = Step {
    kind: Kind::Syscall,
    bytes: &[0x0f, 0x05],
};

fn map(sites: &[(u64, &[Step<'_>])]) -> FileMap<Vec<u8>> {
    let mut collected = Sites::new();
    for (offset, steps) in sites {
        collected.push(*offset, steps).unwrap();
    }
    FileMap::parse(encode_file(&collected).unwrap()).unwrap()
}

/// `mov eax, 39; syscall`
fn getpid() -> [Step<'static>; 2] {
    [step(Kind::Copy, &[0xb8, 0x27, 0, 0, 0]), SYSCALL]
}

/// `syscall; cmp rax, -4096; ja +0x10`
fn checked() -> [Step<'static>; 3] {
    [
        SYSCALL,
        step(Kind::Copy, &[0x48, 0x3d, 0, 0xf0, 0xff, 0xff]),
        step(Kind::Branch, &[0x77, 0x10]),
    ]
}

fn stub(map: &FileMap<Vec<u8>>, index: usize) -> [u8; STUB_SIZE] {
    let mut stubs = [[0; STUB_SIZE]];
    map.emit_stubs(PLACEMENT, index, &mut stubs);
    stubs[0]
}

#[test]
fn the_instruction_before_makes_room_and_the_syscall_stays() {
    let map = map(&[(0x1000, &getpid())]);
    let mut file = [&[0x90][..], &[0xb8, 0x27, 0, 0, 0, 0x0f, 0x05, 0xc3]].concat();
    assert_eq!(map.apply(PLACEMENT, 0xfff, &mut file), Ok(0));
    // jmp 0x10000000 from 0x401005; syscall; ret
    assert_eq!(file, [0x90, 0xe9, 0xfb, 0xef, 0xbf, 0x0f, 0x0f, 0x05, 0xc3]);
    #[rustfmt::skip]
    let expected = [
        0xb8, 0x27, 0, 0, 0, //                       mov eax, 39
        0x48, 0x8d, 0x0d, 0xfb, 0x0f, 0x40, 0xf0, //  lea rcx, [rip + (0x401007 - 0x1000000c)]
        0x65, 0xff, 0x24, 0x25, 24, 0, 0, 0, //       jmp gs:[24]
    ];
    let stub = stub(&map, 0);
    assert_eq!(stub[..20], expected);
    assert_eq!(stub[20..], [0xcc; 12]);
}

#[test]
fn following_instructions_move_and_branches_keep_their_targets() {
    let map = map(&[(0x1000, &checked())]);
    #[rustfmt::skip]
    let expected = [
        0x48, 0x8d, 0x0d, 8, 0, 0, 0, //              lea rcx, [rip + 8]
        0x65, 0xff, 0x24, 0x25, 24, 0, 0, 0, //       jmp gs:[24]
        0x48, 0x3d, 0, 0xf0, 0xff, 0xff, //           cmp rax, -4096
        0x0f, 0x87, 0xff, 0x0f, 0x40, 0xf0, //        ja 0x40101a (from 0x1000001b)
        0xe9, 0xea, 0x0f, 0x40, 0xf0, //              jmp 0x40100a (from 0x10000020)
    ];
    assert_eq!(stub(&map, 0), expected);
}

#[test]
fn rip_relative_operands_keep_their_address() {
    let run = [
        step(Kind::RipRelativeImm8, &[0x80, 0x3d, 0x10, 0, 0, 0, 1]), // cmp byte [rip + 0x10], 1
        SYSCALL,
        step(Kind::RipRelative, &[0x89, 0x05, 0xf0, 0xff, 0xff, 0xff]), // mov [rip - 0x10], eax
    ];
    let mut sites = Sites::new();
    // 7 + 15 + 6 + 5 bytes of stub.
    assert_eq!(sites.push(0, &run), Err(MapError::Patch("its stub is too long")));
    let map = map(&[(0x1000, &run[..2])]);
    let stub = stub(&map, 0);
    let displacement = i32::from_le_bytes(stub[2..6].try_into().unwrap());
    assert_eq!((0x1000_0007_i64 + i64::from(displacement)) as u64, 0x40_1017);
    assert_eq!(stub[6], 1);
}

#[test]
fn a_part_of_the_file_gets_its_part_of_the_jump() {
    let map = map(&[(0x0ffd, &getpid())]);
    let original = [0xb8, 0x27, 0, 0, 0, 0x0f, 0x05];
    let mut whole = original;
    map.apply(PLACEMENT, 0x0ffd, &mut whole).unwrap();
    let mut parts = original;
    let (left, right) = parts.split_at_mut(3);
    map.apply(PLACEMENT, 0x0ffd, left).unwrap();
    map.apply(PLACEMENT, 0x1000, right).unwrap();
    assert_eq!(whole, parts);
    assert_eq!(map.for_range(0x1000..0x2000).count(), 1);
    assert_eq!(map.for_range(0x1002..0x2000).count(), 0);
    assert_eq!(map.for_range(0..0x0ffd).count(), 0);
}

#[test]
fn other_bytes_than_the_scanned_ones_are_refused() {
    let map = map(&[(0x1000, &getpid())]);
    let mut other = [0xb8, 0x28, 0, 0, 0, 0x0f, 0x05];
    assert_eq!(
        map.apply(PLACEMENT, 0x1000, &mut other),
        Err(MapError::Mismatch(0x1001))
    );
}

#[test]
fn what_cannot_be_reached_is_left_alone() {
    let map = map(&[(0x1000, &getpid())]);
    let far = Placement {
        file: 0x40_0000,
        stubs: 0x1_0000_0000,
    };
    let original = [0xb8, 0x27, 0, 0, 0, 0x0f, 0x05];
    let mut bytes = original;
    assert_eq!(map.apply(far, 0x1000, &mut bytes), Ok(1));
    assert_eq!(bytes, original);
    let mut stubs = [[0; STUB_SIZE]];
    map.emit_stubs(far, 0, &mut stubs);
    assert_eq!(stubs[0], [0xcc; STUB_SIZE]);
}

#[test]
fn addresses_translate_both_ways() {
    let map = map(&[(0x1000, &getpid()), (0x2000, &checked())]);
    let second = PLACEMENT.stubs + STUB_SIZE as u64;
    // Inside the way into the LibOS: the system call. Behind it: what follows.
    assert_eq!(map.canonical(PLACEMENT, PLACEMENT.stubs), Some(0x40_1000));
    assert_eq!(map.canonical(PLACEMENT, PLACEMENT.stubs + 5), Some(0x40_1005));
    assert_eq!(map.canonical(PLACEMENT, PLACEMENT.stubs + 12), Some(0x40_1005));
    assert_eq!(map.canonical(PLACEMENT, PLACEMENT.stubs + 20), None);
    assert_eq!(map.canonical(PLACEMENT, second), Some(0x40_2000));
    assert_eq!(map.canonical(PLACEMENT, second + 7), Some(0x40_2000));
    assert_eq!(map.canonical(PLACEMENT, second + 15), Some(0x40_2002));
    assert_eq!(map.canonical(PLACEMENT, second + 21), Some(0x40_2008));
    assert_eq!(map.canonical(PLACEMENT, second + 27), Some(0x40_200a));
    assert_eq!(map.canonical(PLACEMENT, second + 32), None);
    assert_eq!(map.canonical(PLACEMENT, PLACEMENT.stubs - 1), None);
    // The other way: a first instruction is where it was, the others have moved.
    assert_eq!(map.resume(PLACEMENT, 0x40_1000), None);
    assert_eq!(map.resume(PLACEMENT, 0x40_1005), Some(PLACEMENT.stubs + 5));
    assert_eq!(map.resume(PLACEMENT, 0x40_1007), None);
    assert_eq!(map.resume(PLACEMENT, 0x40_2000), None);
    assert_eq!(map.resume(PLACEMENT, 0x40_2002), Some(second + 15));
    assert_eq!(map.resume(PLACEMENT, 0x40_2003), None);
    assert_eq!(map.resume(PLACEMENT, 0x40_2008), Some(second + 21));
    assert_eq!(map.resume(PLACEMENT, 0x40_200a), None);
    assert_eq!(map.resume(PLACEMENT, 0), None);
}

#[test]
fn bad_patches_are_refused() {
    let refused = |steps: &[Step<'_>]| Sites::new().push(0x1000, steps).unwrap_err();
    let nop3 = step(Kind::Copy, &[0x0f, 0x1f, 0x00]);
    let ret = step(Kind::CopyEnd, &[0xc3]);
    assert_eq!(refused(&[SYSCALL]), MapError::Patch("it is shorter than a jump"));
    assert_eq!(
        refused(&[nop3, nop3]),
        MapError::Patch("not exactly one system call")
    );
    assert_eq!(
        refused(&[SYSCALL, nop3, SYSCALL]),
        MapError::Patch("not exactly one system call")
    );
    let dead = MapError::Patch("an instruction behind an end, or padding before it");
    assert_eq!(refused(&[SYSCALL, ret, nop3]), dead);
    assert_eq!(refused(&[step(Kind::Dead, &[0x90]), SYSCALL, nop3]), dead);
    assert_eq!(
        refused(&[ret, step(Kind::Dead, &[0x0f, 0x05])]),
        MapError::Patch("not exactly one system call")
    );
    let kind = MapError::Patch("a step's bytes are not what its kind says");
    assert_eq!(refused(&[SYSCALL, step(Kind::Jump, &[0x90, 0, 0])]), kind);
    assert_eq!(refused(&[step(Kind::Syscall, &[0x0f, 0x34]), nop3]), kind);
    // je -4: to the middle of the jump.
    let inside = MapError::Patch("a branch into the bytes that are overwritten");
    assert_eq!(
        refused(&[SYSCALL, nop3, step(Kind::Branch, &[0x74, 0xfb])]),
        inside
    );
    // jmp -7: to the site itself, which is fine.
    Sites::new()
        .push(0x1000, &[SYSCALL, nop3, step(Kind::Jump, &[0xeb, 0xf9])])
        .unwrap();
}

#[test]
fn sites_come_in_order_and_apart() {
    let mut sites = Sites::new();
    sites.push(0x1000, &getpid()).unwrap();
    assert_eq!(sites.push(0x1006, &getpid()), Err(MapError::Order));
    assert_eq!(sites.push(0x0800, &getpid()), Err(MapError::Order));
    assert_eq!(sites.push(1 << 32, &getpid()), Err(MapError::TooLarge));
    sites.push(0x1007, &getpid()).unwrap();
    assert_eq!(sites.len(), 2);
}

#[test]
fn every_truncation_is_refused() {
    let mut sites = Sites::new();
    sites.push(0x1000, &getpid()).unwrap();
    sites.push(0x2000, &checked()).unwrap();
    let bytes = encode_file(&sites).unwrap();
    for len in 0..bytes.len() {
        assert!(
            FileMap::parse(&bytes[..len]).is_err(),
            "{len} of {} bytes",
            bytes.len()
        );
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(FileMap::parse(longer).unwrap_err(), MapError::Length);
}

/// A run of steps that fits a stub: something before the `syscall`, something behind it.
fn run() -> impl Strategy<Value = Vec<(Kind, Vec<u8>)>> {
    let movable = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..=7).prop_map(|bytes| (Kind::Copy, bytes)),
        (any::<u8>(), any::<[u8; 4]>())
            .prop_map(|(op, d)| (Kind::RipRelative, [&[op, 0x05][..], &d].concat())),
        (any::<[u8; 4]>(), any::<u8>())
            .prop_map(|(d, i)| (Kind::RipRelativeImm8, [&[0x80, 0x3d][..], &d, &[i]].concat())),
        (0x70..=0x7f_u8, any::<u8>()).prop_map(|(op, d)| (Kind::Branch, vec![op, d])),
        (0x80..=0x8f_u8, any::<[u8; 4]>()).prop_map(|(op, d)| (Kind::Branch, [&[0x0f, op][..], &d].concat())),
    ];
    let end = prop_oneof![
        Just(vec![]),
        Just(vec![
            (Kind::CopyEnd, vec![0xc3]),
            (Kind::Dead, vec![0x66, 0x90]),
            (Kind::Dead, vec![0x90])
        ]),
        any::<u8>().prop_map(|d| vec![(Kind::Jump, vec![0xeb, d]), (Kind::Dead, vec![0xcc])]),
        any::<[u8; 4]>().prop_map(|d| vec![(Kind::Jump, [&[0xe9][..], &d].concat())]),
    ];
    (
        prop::collection::vec(movable.clone(), 0..2),
        prop::collection::vec(movable, 0..3),
        end,
    )
        .prop_map(|(before, behind, end)| {
            before
                .into_iter()
                .chain([(Kind::Syscall, vec![0x0f, 0x05])])
                .chain(behind)
                .chain(end)
                .collect()
        })
}

fn sites() -> impl Strategy<Value = Sites> {
    prop::collection::vec((1..5000_u64, run()), 0..40).prop_map(|runs| {
        let mut sites = Sites::new();
        let mut offset = 0;
        for (gap, steps) in runs {
            offset += gap;
            let steps: Vec<_> = steps.iter().map(|(kind, bytes)| step(*kind, bytes)).collect();
            // Not every random run is a patch.
            if sites.push(offset, &steps).is_ok() {
                offset += steps.iter().map(|step| step.bytes.len() as u64).sum::<u64>();
            }
        }
        sites
    })
}

proptest! {
    #[test]
    fn reading_and_writing_again_gives_the_same_bytes(sites in sites()) {
        let bytes = encode_file(&sites).unwrap();
        let map = FileMap::parse(bytes.as_slice()).unwrap();
        prop_assert_eq!(map.len(), sites.len());
        let mut again = Sites::new();
        for (_, patch) in map.patches() {
            let steps: Vec<_> = patch.steps().collect();
            again.push(patch.offset(), &steps).unwrap();
        }
        prop_assert_eq!(encode_file(&again).unwrap(), bytes);
    }

    #[test]
    fn what_moved_is_found_again(sites in sites()) {
        let map = FileMap::parse(encode_file(&sites).unwrap()).unwrap();
        for (index, patch) in map.patches() {
            let site = PLACEMENT.file + patch.offset();
            let mut offset = 0;
            for (number, step) in patch.steps().enumerate() {
                let moved = map.resume(PLACEMENT, site + offset);
                prop_assert_eq!(moved.is_some(), number != 0 && step.kind != Kind::Dead);
                if let Some(moved) = moved {
                    prop_assert_eq!(map.canonical(PLACEMENT, moved), Some(site + offset));
                }
                offset += step.bytes.len() as u64;
            }
            let stub = PLACEMENT.stubs + (index * STUB_SIZE) as u64;
            prop_assert_eq!(map.canonical(PLACEMENT, stub), Some(site));
            // Everything that can run stands for an address of the run, or the one behind it.
            for at in 0..patch.stub_len() as u64 {
                let canonical = map.canonical(PLACEMENT, stub + at).unwrap();
                prop_assert!((site..=site + offset).contains(&canonical));
            }
        }
    }

    #[test]
    fn ranges_find_what_they_touch(sites in sites(), start in 0..50_000_u64, len in 0..5000_u64) {
        let map = FileMap::parse(encode_file(&sites).unwrap()).unwrap();
        let touched: Vec<_> = map.for_range(start..start + len).map(|(index, _)| index).collect();
        let expected: Vec<_> = map
            .patches()
            .filter(|(_, patch)| patch.offset() < start + len && patch.offset() + 5 > start)
            .map(|(index, _)| index)
            .collect();
        prop_assert_eq!(touched, expected);
    }

    #[test]
    fn damaged_maps_never_panic(sites in sites(), flips in prop::collection::vec(any::<(usize, u8)>(), 1..4)) {
        let mut bytes = encode_file(&sites).unwrap();
        let len = bytes.len();
        for (at, bits) in flips {
            bytes[at % len] ^= bits;
        }
        exercise(&bytes);
    }

    #[test]
    fn random_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), magic in any::<u8>()) {
        if magic % 2 == 0 && bytes.len() >= 8 {
            bytes[..8].copy_from_slice(b"NCM1\x03\0\0\0");
        }
        exercise(&bytes);
    }
}

/// Uses a map in every way, if it is one.
fn exercise(bytes: &[u8]) {
    let Ok(map) = FileMap::parse(bytes) else { return };
    let mut stubs = [[0; STUB_SIZE]; 8];
    map.emit_stubs(PLACEMENT, 0, &mut stubs);
    let _ = map.apply(PLACEMENT, 0, &mut [0; 256]);
    for (_, patch) in map.patches() {
        let mut part = [patch.original(), &[0; 8]].concat();
        let _ = map.apply(PLACEMENT, patch.offset(), &mut part);
        for at in 0..40 {
            map.resume(PLACEMENT, PLACEMENT.file + patch.offset() + at);
        }
    }
    for at in 0..map.stubs_len() {
        map.canonical(PLACEMENT, PLACEMENT.stubs + at);
    }
}
