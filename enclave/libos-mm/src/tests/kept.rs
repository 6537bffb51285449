//! Code of programs that have ended, and comes again.

use enclave_layout::{USER_END, USER_START};

use super::*;

const CODE: Protection = Protection::READ_EXECUTE;
/// A file of the image without system calls.
const KEY: u64 = 6;

fn file() -> Arc<TestFile> {
    TestFile::with_key((0..8 * PAGE).map(|at| (at / PAGE) as u8 + 1).collect(), Some(KEY))
}

fn another(machine: &Machine) -> Machine {
    Machine {
        memory: machine.memory,
        arena: machine.arena,
        space: AddressSpace::in_arena(machine.arena, 1 << 30),
    }
}

fn map(machine: &Machine, at: u64, file: &Arc<TestFile>, pages: (u64, u64), protection: Protection) -> u64 {
    let flags = match at {
        0 => MapFlags::MAP_DENYWRITE,
        _ => MapFlags::MAP_FIXED,
    };
    let backing = Backing::File(file.clone(), pages.0 * PAGE);
    machine
        .space
        .map(at, pages.1 * PAGE, protection, flags, backing, b"")
        .unwrap()
}

/// As a dynamic linker does it: all of it to be read, then code and data over it. Gives where it lies.
fn load(machine: &Machine, file: &Arc<TestFile>) -> u64 {
    let at = map(machine, 0, file, (0, 8), READ);
    map(machine, at + 2 * PAGE, file, (2, 3), CODE);
    map(machine, at + 6 * PAGE, file, (6, 2), WRITE);
    for page in 0..8 {
        assert_eq!(machine.load(at + page * PAGE), Ok(page as u8 + 1));
    }
    at
}

fn is_code(machine: &Machine, page: u64) -> bool {
    machine.arena.state(page).protection() == Some(CODE)
}

#[test]
fn code_is_in_place_when_it_is_mapped_again() {
    let first = Machine::new(1 << 30);
    let at = load(&first, &file());
    let second = another(&first);
    drop(first.space);
    assert_eq!(map(&second, 0, &file(), (0, 8), READ), at);
    second.memory.take_exits();
    map(&second, at + 2 * PAGE, &file(), (2, 3), CODE);
    assert_eq!(second.memory.take_exits(), 0);
    assert!((2..5).all(|page| is_code(&second, at + page * PAGE)));
    assert_eq!(
        load(&second, &file()),
        load(&second, &file()) + 8 * PAGE,
        "only once"
    );
}

#[test]
fn who_reads_a_file_gets_it_as_it_is() {
    let first = Machine::new(1 << 30);
    let at = load(&first, &file());
    let second = another(&first);
    drop(first.space);
    for protection in [READ, WRITE] {
        let backing = Backing::File(file(), 0);
        let read = second
            .space
            .map(0, 8 * PAGE, protection, MapFlags::empty(), backing, b"")
            .unwrap();
        assert_ne!(read, at);
        assert!((2..5).all(|page| !is_code(&second, read + page * PAGE)));
    }
}

#[test]
fn a_file_that_was_changed_is_read_anew() {
    let first = Machine::new(1 << 30);
    load(&first, &file());
    let second = another(&first);
    drop(first.space);
    let changed = TestFile::with_key(vec![9; 8 * PAGE as usize], None);
    let at = map(&second, 0, &changed, (0, 8), READ);
    map(&second, at + 2 * PAGE, &changed, (2, 3), CODE);
    assert_eq!(second.load(at + 2 * PAGE), Ok(9));
}

#[test]
fn what_could_be_written_to_is_not_kept() {
    let first = Machine::new(1 << 30);
    let at = load(&first, &file());
    first.space.protect(at + 2 * PAGE, 3 * PAGE, WRITE).unwrap();
    first.store(at + 2 * PAGE, 99).unwrap();
    first.space.protect(at + 2 * PAGE, 3 * PAGE, CODE).unwrap();
    let second = another(&first);
    drop(first.space);
    assert!((2..5).all(|page| !is_code(&second, at + page * PAGE)));
    let again = load(&second, &file());
    assert_eq!(second.load(again + 2 * PAGE), Ok(3));
}

#[test]
fn another_part_in_its_place_is_read_anew() {
    let first = Machine::new(1 << 30);
    let at = load(&first, &file());
    let second = another(&first);
    drop(first.space);
    assert_eq!(map(&second, 0, &file(), (0, 8), READ), at);
    // Other pages of the file, and not all of what was there.
    map(&second, at + 2 * PAGE, &file(), (4, 3), CODE);
    assert_eq!(second.load(at + 2 * PAGE), Ok(5));
    let third = another(&second);
    drop(second.space);
    let at = map(&third, 0, &file(), (0, 8), READ);
    map(&third, at + 2 * PAGE, &file(), (2, 2), CODE);
    assert_eq!(third.load(at + 2 * PAGE), Ok(3));
}

#[test]
fn addresses_can_be_had_and_memory_too() {
    let first = Machine::new(1 << 30);
    let at = load(&first, &file());
    let second = another(&first);
    drop(first.space);
    let flags = MapFlags::MAP_FIXED;
    let anonymous = second
        .space
        .map(at + 2 * PAGE, PAGE, WRITE, flags, Backing::Anonymous, b"");
    assert_eq!(anonymous, Ok(at + 2 * PAGE));
    assert_eq!(second.load(at + 2 * PAGE), Ok(0));
    drop(second.space);

    let third = Machine::new(1 << 30);
    load(&third, &file());
    let fourth = another(&third);
    drop(third.space);
    fourth
        .arena
        .cool(PageRange::new(USER_START, USER_END - USER_START).unwrap());
    let there = fourth.memory.pages.lock().unwrap().len();
    assert_ne!(there, 0);
    fourth
        .memory
        .capacity
        .store((there as u64 * PAGE) as usize, Ordering::Relaxed);
    let wanted = fourth.map(there as u64 * PAGE, WRITE);
    assert_eq!(fourth.store(wanted, 1), Ok(()));
    drop(fourth.space);
}
