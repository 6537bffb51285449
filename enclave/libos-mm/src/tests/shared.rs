//! Files that are mapped shared.

use linux_abi::MapFlags;

use super::*;

fn map(machine: &Machine, file: &Arc<TestFile>, protection: Protection, flags: MapFlags) -> u64 {
    let backing = Backing::File(file.clone(), 0);
    machine
        .space
        .map(0, file.len(), protection, flags, backing, b"")
        .unwrap()
}

fn pages(count: u64) -> Arc<TestFile> {
    TestFile::new((0..count * PAGE).map(|at| (at / PAGE) as u8).collect())
}

#[test]
fn two_mappings_and_the_file_are_the_same_bytes() {
    let machine = Machine::new(1 << 30);
    let file = pages(3);
    let one = map(&machine, &file, WRITE, MapFlags::MAP_SHARED);
    let two = map(&machine, &file, WRITE, MapFlags::MAP_SHARED);
    assert_ne!(one, two);
    machine.store(one + PAGE, 100).unwrap();
    assert_eq!(machine.load(two + PAGE), Ok(100));
    machine.store(two + PAGE + 1, 101).unwrap();
    assert_eq!(machine.load(one + PAGE + 1), Ok(101));
    assert_eq!((file.load(PAGE), file.load(PAGE + 1)), (100, 101));
    file.store(PAGE + 2, 102);
    assert_eq!(machine.load(two + PAGE + 2), Ok(102));
    assert_eq!(machine.load(one + PAGE + 2), Ok(102));
}

#[test]
fn bytes_go_back_to_the_file_in_the_end() {
    let machine = Machine::new(1 << 30);
    let file = pages(3);
    let at = map(&machine, &file, WRITE, MapFlags::MAP_SHARED);
    machine.store(at + 2 * PAGE, 50).unwrap();
    assert_eq!(file.own_byte(2 * PAGE), 2);
    machine.space.protect(at, 3 * PAGE, NONE).unwrap();
    assert_eq!(file.load(2 * PAGE), 50, "through a mapping that allows nothing");
    machine.space.unmap(at, 3 * PAGE).unwrap();
    assert_eq!(file.own_byte(2 * PAGE), 50);
    assert!(file.shared().is_none());
}

#[test]
fn a_private_mapping_begins_with_what_others_share() {
    let machine = Machine::new(1 << 30);
    let file = pages(2);
    let shared = map(&machine, &file, WRITE, MapFlags::MAP_SHARED);
    machine.store(shared, 9).unwrap();
    let private = map(&machine, &file, WRITE, MapFlags::empty());
    assert_eq!(machine.load(private), Ok(9));
    machine.store(private, 10).unwrap();
    assert_eq!(machine.load(shared), Ok(9));
}

#[test]
fn a_read_only_mapping_sees_writes_and_writes_nothing_back() {
    let machine = Machine::new(1 << 30);
    let file = pages(2);
    let backing = Backing::ReadOnlyFile(file.clone(), 0);
    let at = machine
        .space
        .map(0, file.len(), READ, MapFlags::MAP_SHARED, backing, b"")
        .unwrap();
    assert_eq!(machine.load(at + PAGE), Ok(1));
    file.store(PAGE, 77);
    assert_eq!(machine.load(at + PAGE), Ok(77));
    assert_eq!(machine.space.protect(at, PAGE, WRITE), Err(Errno::EACCES));
    assert_eq!(machine.store(at, 1), Err(FaultOutcome::NotAllowed));
}

#[test]
fn a_file_that_is_cut_off_is_cut_off_in_memory() {
    let machine = Machine::new(1 << 30);
    let file = pages(3);
    let at = map(&machine, &file, WRITE, MapFlags::MAP_SHARED);
    for page in 0..3 {
        machine.store(at + page * PAGE + 200, 1).unwrap();
    }
    file.truncate(PAGE + 100);
    assert_eq!(machine.load(at + 2 * PAGE), Err(FaultOutcome::Bus));
    assert_eq!(machine.load(at + PAGE + 200), Ok(0));
    assert_eq!(machine.load(at + 200), Ok(1));
    file.truncate(3 * PAGE);
    assert_eq!(machine.load(at + 2 * PAGE + 200), Ok(0));
}

#[test]
fn moving_keeps_what_is_shared() {
    let machine = Machine::new(1 << 30);
    let file = pages(4);
    let at = map(&machine, &file, WRITE, MapFlags::MAP_SHARED);
    machine.store(at + PAGE, 60).unwrap();
    let to = at - 64 * PAGE;
    assert_eq!(
        machine.space.remap(at, 2 * PAGE, 2 * PAGE, true, Some(to)),
        Ok(to)
    );
    assert_eq!(machine.load(to + PAGE), Ok(60));
    assert_eq!(machine.load(at + PAGE), Err(FaultOutcome::NotMapped));
    assert_eq!(machine.load(at + 2 * PAGE), Ok(2));
    assert_eq!(file.load(PAGE), 60);
}

#[test]
fn shared_anonymous_memory_is_not_forgotten() {
    let machine = Machine::new(1 << 30);
    let at = machine
        .space
        .map(0, 4 * PAGE, WRITE, MapFlags::MAP_SHARED, Backing::Anonymous, b"")
        .unwrap();
    machine.store(at, 4).unwrap();
    machine
        .space
        .advise(at, 4 * PAGE, crate::Advice::DontNeed)
        .unwrap();
    assert_eq!(machine.load(at), Ok(4));
    assert_eq!(
        machine.space.advise(at, 4 * PAGE, crate::Advice::Free),
        Err(Errno::EINVAL)
    );
}
