//! Cases that are named one by one.

use std::sync::atomic::Ordering;

use linux_abi::MapFlags;

use enclave_layout::{USER_END, USER_START};

use super::*;
use crate::{Advice, MAX_WARM};

const ANONYMOUS: Backing = Backing::Anonymous;

#[test]
fn a_small_mapping_is_reused_without_leaving_the_enclave() {
    let machine = Machine::new(1 << 30);
    let first = machine.map(64 << 10, WRITE);
    machine.store(first, 7).unwrap();
    assert_eq!(machine.memory.take_exits(), 1);
    machine.space.unmap(first, 64 << 10).unwrap();
    let second = machine.map(64 << 10, WRITE);
    assert_eq!(second, first);
    assert_eq!(machine.load(second), Ok(0), "old bytes are not seen");
    assert_eq!(machine.memory.take_exits(), 0);
}

#[test]
fn warm_memory_is_bounded() {
    let machine = Machine::new(1 << 30);
    for _ in 0..32 {
        machine.map(1 << 20, WRITE);
    }
    machine.space.clear();
    let left = machine.memory.pages.lock().unwrap().len() as u64 * PAGE;
    assert!(left <= MAX_WARM, "{left} bytes are left");
}

#[test]
fn reservations_cost_nothing() {
    let machine = Machine::new(1 << 30);
    let at = machine.map(32 << 30, NONE);
    assert_eq!(machine.load(at), Err(FaultOutcome::NotAllowed));
    machine.space.protect(at, 1 << 20, WRITE).unwrap();
    machine.store(at + 5, 1).unwrap();
    machine.space.unmap(at, 32 << 30).unwrap();
    assert_eq!(machine.load(at), Err(FaultOutcome::NotMapped));
}

#[test]
fn a_reservation_over_warm_memory_traps() {
    let machine = Machine::new(1 << 30);
    let at = machine.map(64 << 10, WRITE);
    machine.space.unmap(at, 64 << 10).unwrap();
    assert_eq!(machine.map(64 << 10, NONE), at);
    assert!(machine.memory.pages.lock().unwrap().is_empty());
}

#[test]
fn a_few_pages_that_are_unmapped_are_gone() {
    let machine = Machine::new(1 << 30);
    let at = machine.map(64 << 10, WRITE);
    machine.space.unmap(at + PAGE, PAGE).unwrap();
    assert_eq!(machine.memory.pages.lock().unwrap().len(), 15);
}

#[test]
fn what_is_dropped_gives_everything_back() {
    let machine = Machine::new(1 << 30);
    let Machine { memory, arena, space } = machine;
    let file = TestFile::new(vec![1; 10_000]);
    let flags = MapFlags::empty();
    space
        .map(0, 10_000, READ, flags, Backing::File(file, 0), b"")
        .unwrap();
    space.map(0, 16 << 20, WRITE, flags, ANONYMOUS, b"").unwrap();
    drop(space);
    let everything = PageRange::new(USER_START, USER_END - USER_START).unwrap();
    arena.cool(everything);
    assert!(memory.pages.lock().unwrap().is_empty());
    assert!(arena.ranges.lock().is_free(everything));
}

#[test]
fn the_limit_is_for_what_is_touched() {
    let machine = Machine::new(64 << 20);
    let flags = MapFlags::empty();
    let map = |len| machine.space.map(0, len, WRITE, flags, ANONYMOUS, b"");
    assert_eq!(map(65 << 20), Err(Errno::ENOMEM));
    let first = map(60 << 20).unwrap();
    let second = map(60 << 20).unwrap();
    for at in (0..60 << 20).step_by(PAGE as usize) {
        machine.store(first + at, 1).unwrap();
    }
    assert_eq!(map(5 << 20), Err(Errno::ENOMEM));
    let mut touched = 0;
    while machine.store(second + touched, 1).is_ok() {
        touched += PAGE;
    }
    assert_eq!(machine.store(second + touched, 1), Err(FaultOutcome::Bus));
    assert_eq!(touched, 4 << 20);
    machine.space.advise(first, 60 << 20, Advice::DontNeed).unwrap();
    machine.store(second + touched, 1).unwrap();
    assert_eq!(machine.load(first), Ok(0));
}

#[test]
fn a_host_without_memory_is_no_memory() {
    let machine = Machine::new(1 << 30);
    machine.memory.capacity.store(1 << 20, Ordering::Relaxed);
    let flags = MapFlags::empty();
    machine
        .space
        .map(0, 1 << 20, WRITE, flags, ANONYMOUS, b"")
        .unwrap();
    let more = machine.space.map(0, 1 << 20, WRITE, flags, ANONYMOUS, b"");
    assert_eq!(more, Err(Errno::ENOMEM));
    let lazy = machine
        .space
        .map(0, 2 << 20, WRITE, flags, ANONYMOUS, b"")
        .unwrap();
    assert_eq!(machine.store(lazy, 1), Err(FaultOutcome::Bus));
}

#[test]
fn errors_are_linux_s() {
    let machine = Machine::new(1 << 30);
    let space = &machine.space;
    let flags = MapFlags::empty();
    let map = |hint, len, flags| space.map(hint, len, WRITE, flags, ANONYMOUS, b"");
    assert_eq!(map(0, 0, flags), Err(Errno::EINVAL));
    assert_eq!(map(0, u64::MAX, flags), Err(Errno::ENOMEM));
    assert_eq!(map(0x10_0001, PAGE, MapFlags::MAP_FIXED), Err(Errno::EINVAL));
    assert_eq!(map(0, PAGE, MapFlags::MAP_FIXED), Err(Errno::EPERM));
    let at = map(0, 3 * PAGE, flags).unwrap();
    assert_eq!(map(at, PAGE, MapFlags::MAP_FIXED_NOREPLACE), Err(Errno::EEXIST));
    let file = Backing::File(TestFile::new(Vec::new()), u64::MAX - PAGE + 1);
    assert_eq!(space.map(0, PAGE, READ, flags, file, b""), Err(Errno::EOVERFLOW));

    assert_eq!(space.unmap(at + 1, PAGE), Err(Errno::EINVAL));
    assert_eq!(space.unmap(at, 0), Err(Errno::EINVAL));
    assert_eq!(space.unmap(at + PAGE, PAGE), Ok(()));
    assert_eq!(
        space.unmap(0x7000_0000_0000, PAGE),
        Ok(()),
        "nothing is mapped there"
    );

    assert_eq!(space.protect(at, 3 * PAGE, READ), Err(Errno::ENOMEM));
    assert_eq!(
        machine.store(at, 1),
        Err(FaultOutcome::NotAllowed),
        "before the hole"
    );
    assert_eq!(machine.store(at + 2 * PAGE, 1), Ok(()), "behind the hole");
    assert_eq!(space.protect(at + 1, PAGE, READ), Err(Errno::EINVAL));
    assert_eq!(space.protect(at, 0, READ), Ok(()));
    assert_eq!(space.protect(at, u64::MAX - 5, READ), Err(Errno::ENOMEM));

    assert_eq!(space.advise(at, 3 * PAGE, Advice::DontNeed), Err(Errno::ENOMEM));
    assert_eq!(space.residency(at, 3 * PAGE), Err(Errno::ENOMEM));
    assert_eq!(space.check_mapped(at + 2 * PAGE + 5, 100), Ok(()));
    assert_eq!(space.check_mapped(at + 5, PAGE), Err(Errno::ENOMEM));

    assert_eq!(
        space.remap(at + PAGE, PAGE, 2 * PAGE, true, None),
        Err(Errno::EFAULT)
    );
    assert_eq!(
        space.remap(at, 2 * PAGE, 3 * PAGE, true, None),
        Err(Errno::EFAULT)
    );
    assert_eq!(space.remap(at, PAGE, 0, true, None), Err(Errno::EINVAL));
    assert_eq!(space.remap(at, 0, PAGE, true, None), Err(Errno::EINVAL));
    assert_eq!(space.remap(at, PAGE, 3 * PAGE, false, None), Err(Errno::ENOMEM));
    assert_eq!(space.remap(at, PAGE, PAGE, true, Some(at)), Err(Errno::EINVAL));
}

#[test]
fn the_heap_grows_and_shrinks() {
    let machine = Machine::new(1 << 30);
    let space = &machine.space;
    space.set_heap(0x50_0123);
    assert_eq!(space.set_break(0), 0x50_1000);
    assert_eq!(space.set_break(0x50_3456), 0x50_3456);
    machine.store(0x50_3fff, 9).unwrap();
    assert_eq!(space.set_break(0x50_1010), 0x50_1010);
    assert_eq!(machine.load(0x50_3fff), Err(FaultOutcome::NotMapped));
    assert_eq!(space.set_break(0x50_4000), 0x50_4000);
    assert_eq!(machine.load(0x50_3fff), Ok(0));
    let line = machine.maps();
    assert_eq!(
        line,
        format!("00501000-00504000 rw-p 00000000 00:00 0 {:>39}\n", "[heap]")
    );
    // Something in its way.
    let flags = MapFlags::MAP_FIXED;
    space.map(0x50_6000, PAGE, READ, flags, ANONYMOUS, b"").unwrap();
    assert_eq!(space.set_break(0x50_7000), 0x50_4000);
    assert_eq!(space.set_break(0x50_6000), 0x50_6000);
}

#[test]
fn neighbours_become_one_and_maps_say_what_linux_says() {
    let machine = Machine::new(1 << 30);
    let at = 0x8_0000_0000;
    let map = |at, protection, backing, name: &'static [u8]| {
        let flags = MapFlags::MAP_FIXED;
        machine
            .space
            .map(at, PAGE, protection, flags, backing, name)
            .unwrap()
    };
    let file = TestFile::new(vec![0; 20_000]);
    map(at + PAGE, WRITE, ANONYMOUS, b"");
    map(at, WRITE, ANONYMOUS, b"");
    map(at + 2 * PAGE, READ, Backing::File(file.clone(), 0x2000), b"");
    map(at + 3 * PAGE, READ, Backing::File(file, 0x3000), b"");
    map(at + 4 * PAGE, NONE, ANONYMOUS, b"[stack]");
    let pad = |prefix: &str, path: &str| format!("{prefix:<73}{path}\n");
    let expected = [
        "800000000-800002000 rw-p 00000000 00:00 0 \n".to_owned(),
        pad("800002000-800004000 r--p 00002000 08:01 77 ", "/lib/file"),
        pad("800004000-800005000 ---p 00000000 00:00 0 ", "[stack]"),
    ];
    assert_eq!(machine.maps(), expected.concat());
}

#[test]
fn pages_behind_the_end_of_a_file_are_bus_errors() {
    let machine = Machine::new(1 << 30);
    let file = TestFile::new(vec![5; 5000]);
    for (flags, len) in [
        (MapFlags::empty(), 4),
        (MapFlags::MAP_SHARED, 4),
        (MapFlags::empty(), 100),
    ] {
        let backing = Backing::File(file.clone(), 0);
        let at = machine
            .space
            .map(0, len * PAGE, READ, flags, backing, b"")
            .unwrap();
        assert_eq!(machine.load(at + 4999), Ok(5));
        assert_eq!(machine.load(at + 5000), Ok(0));
        assert_eq!(machine.load(at + 2 * PAGE), Err(FaultOutcome::Bus));
    }
}

#[test]
fn a_mapping_that_grows_down_keeps_its_distance() {
    let machine = Machine::new(1 << 30);
    let at = 0x8_0000_0000;
    let flags = MapFlags::MAP_FIXED | MapFlags::MAP_GROWSDOWN;
    machine.space.map(at, PAGE, WRITE, flags, ANONYMOUS, b"").unwrap();
    machine.store(at - 3 * PAGE, 1).unwrap();
    machine.store(at - (1 << 20), 2).unwrap();
    assert_eq!(machine.store(at - (9 << 20), 1), Err(FaultOutcome::NotMapped));
    let below = at - (4 << 20);
    let flags = MapFlags::MAP_FIXED;
    machine
        .space
        .map(below, PAGE, WRITE, flags, ANONYMOUS, b"")
        .unwrap();
    assert_eq!(machine.store(below + 2 * PAGE, 1), Err(FaultOutcome::NotMapped));
    assert_eq!(machine.maps().lines().count(), 2);
}

#[test]
fn what_moves_keeps_its_bytes_and_protection() {
    let machine = Machine::new(1 << 30);
    let at = machine.map(4 << 20, WRITE);
    machine.store(at + (3 << 20), 3).unwrap();
    machine.space.protect(at, 4 << 20, READ).unwrap();
    let blocker = at + (4 << 20);
    let flags = MapFlags::MAP_FIXED;
    machine
        .space
        .map(blocker, PAGE, READ, flags, ANONYMOUS, b"")
        .unwrap();
    let moved = machine.space.remap(at, 4 << 20, 8 << 20, true, None).unwrap();
    assert_ne!(moved, at);
    assert_eq!(machine.load(moved + (3 << 20)), Ok(3));
    assert_eq!(machine.load(moved + (7 << 20)), Ok(0));
    assert_eq!(machine.store(moved, 1), Err(FaultOutcome::NotAllowed));
    assert_eq!(machine.load(at), Err(FaultOutcome::NotMapped));
}

#[test]
fn low_addresses_can_be_asked_for() {
    let machine = Machine::new(1 << 30);
    let flags = MapFlags::MAP_32BIT;
    let at = machine.space.map(0, PAGE, WRITE, flags, ANONYMOUS, b"").unwrap();
    assert!(at < 1 << 31, "{at:#x}");
}
