//! Patches of executable mappings.

use callsite_map::{FileMap, JUMP_LEN, Kind, STUB_SIZE, Sites, Step, encode_file};
use linux_abi::MapFlags;

use super::*;
use crate::call_sites::{CallSites, install};

/// `mov eax, 39`.
const MOVE: [u8; 5] = [0xb8, 39, 0, 0, 0];
const SYSCALL: [u8; 2] = [0x0f, 0x05];
/// `cmp rax, -4095`, in six bytes.
const COMPARE: [u8; 6] = [0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff];
const KEY: u64 = 5;
/// Where the sites are: in a page, and across the end of one; form (i) and form (ii).
const FIRST: usize = 0x10;
const SECOND: usize = 2 * PAGE as usize - 2;
const LEN: u64 = 4 * PAGE;

struct Source;

impl CallSites for Source {
    fn map_of(&self, key: u64) -> Option<Vec<u8>> {
        (key == KEY).then(encoded)
    }
}

fn encoded() -> Vec<u8> {
    let mut sites = Sites::new();
    let step = |kind, bytes| Step { kind, bytes };
    let steps = [step(Kind::Copy, &MOVE[..]), step(Kind::Syscall, &SYSCALL[..])];
    sites.push(FIRST as u64, &steps).unwrap();
    let steps = [step(Kind::Syscall, &SYSCALL[..]), step(Kind::Copy, &COMPARE[..])];
    sites.push(SECOND as u64, &steps).unwrap();
    encode_file(&sites).unwrap()
}

fn code() -> Vec<u8> {
    let mut code = vec![0x90; LEN as usize];
    code[FIRST..][..5].copy_from_slice(&MOVE);
    code[FIRST + 5..][..2].copy_from_slice(&SYSCALL);
    code[SECOND..][..2].copy_from_slice(&SYSCALL);
    code[SECOND + 2..][..6].copy_from_slice(&COMPARE);
    code
}

fn map(machine: &Machine, file: &Arc<TestFile>, at: u64, protection: Protection) -> u64 {
    install(Arc::new(Source));
    let backing = Backing::File(file.clone(), 0);
    machine
        .space
        .map(at, LEN, protection, MapFlags::MAP_FIXED, backing, b"")
        .unwrap()
}

fn bytes(machine: &Machine, at: u64, len: usize) -> Vec<u8> {
    (0..len as u64)
        .map(|index| machine.load(at + index).unwrap())
        .collect()
}

const AT: u64 = 0x2_0000_0000;

/// Where a jump at a site leads.
fn target(machine: &Machine, site: u64) -> u64 {
    let jump = bytes(machine, site, JUMP_LEN);
    assert_eq!(jump[0], 0xe9, "{jump:x?}");
    let distance = i32::from_le_bytes(jump[1..].try_into().unwrap());
    (site + 5).wrapping_add_signed(distance.into())
}

#[test]
fn sites_jump_to_stubs_that_the_program_never_sees() {
    let machine = Machine::new(1 << 30);
    let file = TestFile::with_key(code(), Some(KEY));
    map(&machine, &file, AT, Protection::READ_EXECUTE);
    let (first, second) = (AT + FIRST as u64, AT + SECOND as u64);
    let stub = target(&machine, first);
    assert_eq!(bytes(&machine, first + 5, 2), SYSCALL, "a jump onto it traps");
    assert!(AT - stub < 1 << 31);
    assert_eq!(machine.maps().lines().count(), 1);
    let mut found = [0; STUB_SIZE];
    machine.memory.read(stub, &mut found).unwrap();
    assert_eq!(found[..5], MOVE);

    let space = &machine.space;
    // In front of the system call, at it, and behind it.
    assert_eq!(space.canonical_address(stub), first);
    assert_eq!(space.canonical_address(stub + 5), first + 5);
    assert_eq!(space.actual_address(first), first);
    assert_eq!(space.actual_address(first + 5), stub + 5);
    assert_eq!(space.call_address(first + 7), stub + 5);

    let stub = target(&machine, second);
    let continuation = stub + 15;
    assert_eq!(space.canonical_address(continuation), second + 2);
    assert_eq!(space.actual_address(second + 2), continuation);
    assert_eq!(space.call_address(continuation), second, "the jump at the site");
    // What is nobody's stays what it is.
    for address in [AT + 0x800, AT + LEN, 0x1234, u64::MAX] {
        assert_eq!(space.canonical_address(address), address);
        assert_eq!(space.actual_address(address), address);
    }
    assert_eq!(space.call_address(AT + 0x802), AT + 0x800);
}

#[test]
fn only_code_is_patched() {
    let machine = Machine::new(1 << 30);
    let file = TestFile::with_key(code(), Some(KEY));
    map(&machine, &file, AT, READ);
    assert_eq!(bytes(&machine, AT + FIRST as u64, 5), MOVE);
    machine.space.protect(AT, LEN, Protection::READ_EXECUTE).unwrap();
    assert_eq!(bytes(&machine, AT + FIRST as u64, 5), MOVE, "it was there before");
    assert_eq!(
        machine.space.actual_address(AT + FIRST as u64 + 5),
        AT + FIRST as u64 + 5
    );

    // As the dynamic linker does it: all of the file first, then its code over a part.
    let other = AT + (1 << 20);
    map(&machine, &file, other, READ);
    let backing = Backing::File(file.clone(), PAGE);
    let executable = Protection::READ_EXECUTE;
    machine
        .space
        .map(
            other + PAGE,
            2 * PAGE,
            executable,
            MapFlags::MAP_FIXED,
            backing,
            b"",
        )
        .unwrap();
    assert_eq!(bytes(&machine, other + FIRST as u64, 5), MOVE);
    let stub = target(&machine, other + SECOND as u64);
    assert_eq!(machine.space.canonical_address(stub), other + SECOND as u64);
}

#[test]
fn a_file_that_was_changed_is_not_patched() {
    let machine = Machine::new(1 << 30);
    let mut code = code();
    code[FIRST + 1] = 40;
    let file = TestFile::with_key(code, Some(KEY));
    map(&machine, &file, AT, Protection::READ_EXECUTE);
    assert_eq!(bytes(&machine, AT + FIRST as u64, 2), [0xb8, 40]);
    let address = AT + FIRST as u64 + 5;
    assert_eq!(machine.space.actual_address(address), address);
}

#[test]
fn stubs_live_as_long_as_a_part_of_the_mapping() {
    let machine = Machine::new(1 << 30);
    let file = TestFile::with_key(code(), Some(KEY));
    map(&machine, &file, AT, Protection::READ_EXECUTE);
    let stub = target(&machine, AT + FIRST as u64);
    machine.space.unmap(AT + PAGE, LEN - PAGE).unwrap();
    assert_eq!(machine.space.canonical_address(stub), AT + FIRST as u64);
    machine.space.unmap(AT, PAGE).unwrap();
    assert_eq!(machine.space.canonical_address(stub), stub);
    assert!(machine.memory.pages.lock().unwrap().is_empty());
}

#[test]
fn code_that_moves_is_as_in_the_file() {
    let machine = Machine::new(1 << 30);
    let file = TestFile::with_key(code(), Some(KEY));
    map(&machine, &file, AT, Protection::READ_EXECUTE);
    bytes(&machine, AT, LEN as usize);
    let to = AT + (1 << 30);
    machine.space.remap(AT, LEN, LEN, true, Some(to)).unwrap();
    assert_eq!(bytes(&machine, to, LEN as usize), code());
}

#[test]
fn without_room_near_nothing_is_patched() {
    let machine = Machine::new(1 << 30);
    let everything = PageRange::new(enclave_layout::USER_START, 16 << 30).unwrap();
    machine.arena.ranges.lock().take(everything);
    let map = FileMap::parse(encoded()).unwrap();
    let range = PageRange::new(AT, LEN).unwrap();
    let patches = crate::call_sites::Patches::new(machine.arena, map, 0, range);
    assert!(patches.is_none());
}
