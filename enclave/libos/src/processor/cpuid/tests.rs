//! An Intel processor's table, and what a host may make of it.

use alloc::vec;

use super::*;

const ALL: u64 = 0xe7;
const LAYOUT: [StateComponent; 4] = [
    component(2, 576, 256),
    component(5, 1088, 64),
    component(6, 1152, 512),
    component(7, 1664, 1024),
];

const fn component(number: u32, offset: u32, size: u32) -> StateComponent {
    StateComponent { number, offset, size }
}

fn table() -> Vec<CpuidEntry> {
    let entry = |leaf, subleaf, registers| CpuidEntry {
        leaf,
        subleaf,
        registers,
    };
    let mut table = vec![
        entry(0, 0, [0x20, 0, 0, 0]),
        entry(1, 0, [0, 0, u32::MAX, u32::MAX]),
        entry(7, 0, [1, u32::MAX, u32::MAX, u32::MAX]),
        entry(7, 1, [u32::MAX; 4]),
        // Protection keys and tiles, which no enclave of ours has.
        entry(0xd, 0, [0x6_02e7, 11008, 11008, 0]),
        entry(0xd, 1, [0x1f, 11008, 0x1800, 0]),
        entry(0xd, 9, [8, 2688, 0, 0]),
        entry(0xd, 18, [8192, 2816, 6, 0]),
        entry(0x1d, 1, [1, 2, 3, 4]),
    ];
    let components = LAYOUT.map(|part| entry(0xd, part.number, [part.size, part.offset, 0, 0]));
    table.extend(components);
    table
}

fn with(components: u64) -> Cpuid {
    let has = |component: &StateComponent| components >> component.number & 1 != 0;
    let layout = LAYOUT.into_iter().filter(has).collect();
    Cpuid::new(table(), components, layout).unwrap()
}

#[test]
fn the_leaf_of_xsave_is_the_enclaves() {
    let cpuid = with(ALL);
    assert_eq!(cpuid.answer(0xd, 0), [0xe7, 2688, 2688, 0]);
    assert_eq!(cpuid.answer(0xd, 1), [0b111, 2432, 0, 0]);
    assert_eq!(cpuid.answer(0xd, 2), [256, 576, 0, 0]);
    assert_eq!(cpuid.answer(0xd, 7), [1024, 1664, 0, 0]);
    for absent in [3, 4, 8, 9, 11, 17, 18, 62, 63, u32::MAX] {
        assert_eq!(cpuid.answer(0xd, absent), [0; 4], "{absent}");
    }
    assert_eq!(with(0x7).answer(0xd, 0), [0x7, 832, 832, 0]);
    assert_eq!(with(0x7).answer(0xd, 5), [0; 4]);
    assert_eq!(with(0x3).answer(0xd, 0), [0x3, 576, 576, 0]);
    assert_eq!(with(0x3).answer(0xd, 1), [0b111, 576, 0, 0]);
}

#[test]
fn features_without_state_are_left_out() {
    const AVX2: u32 = 1 << 5;
    const AVX512F: u32 = 1 << 16;
    const SHA: u32 = 1 << 29;
    let features = |components| with(components).answer(7, 0)[EBX] & (AVX2 | AVX512F | SHA | FSGSBASE);
    assert_eq!(features(ALL), AVX2 | AVX512F | SHA);
    assert_eq!(features(0x7), AVX2 | SHA);
    assert_eq!(features(0x3), SHA);
    for components in [ALL, 0x7, 0x3] {
        let [_, _, c, d] = with(components).answer(7, 0);
        assert_eq!((c & 0x18, d & 1 << 24), (0, 0), "protection keys and tiles");
        assert_eq!(with(components).answer(0x1d, 1)[..3], [0; 3], "tiles");
        assert_ne!(with(components).answer(1, 0)[ECX] & 1 << 27, 0, "OSXSAVE");
    }
    assert_eq!(with(0x3).answer(1, 0)[ECX] & 1 << 28, 0, "AVX");
}

#[test]
fn a_table_that_contradicts_the_processor_is_refused() {
    let refuses = |change: &dyn Fn(&mut CpuidEntry)| {
        let mut table = table();
        table.iter_mut().for_each(change);
        Cpuid::new(table, ALL, LAYOUT.into()).is_err()
    };
    assert!(!refuses(&|_| {}));
    let set = |leaf, subleaf, register: usize, value| {
        move |entry: &mut CpuidEntry| {
            if (entry.leaf, entry.subleaf) == (leaf, subleaf) {
                entry.registers[register] = value;
            }
        }
    };
    assert!(refuses(&set(0xd, 0, EAX, 0x7)), "fewer components");
    assert!(refuses(&set(0xd, 6, EAX, 8)), "a smaller component");
    assert!(refuses(&set(0xd, 7, EBX, 1408)), "another place");
    assert!(refuses(&set(1, 0, ECX, !(1 << 27))), "no OSXSAVE");
    assert!(refuses(&set(7, 0, EBX, 0)), "no AVX-512");
    assert!(refuses(&|entry| entry.registers = [0; 4]), "zeros");
    assert!(refuses(&|entry| entry.leaf += 0x100), "nothing");
}
