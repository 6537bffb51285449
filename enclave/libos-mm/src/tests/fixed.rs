//! Programs that are linked at the same addresses.

use linux_abi::MapFlags;

use super::*;

const LIMIT: u64 = 1 << 30;

fn linked() -> PageRange {
    PageRange::new(0x40_0000, 16 * PAGE).unwrap()
}

/// What the loader does with a space that is resident.
fn load(space: &AddressSpace) -> Result<u64> {
    let flags = MapFlags::MAP_FIXED;
    let range = linked();
    space.bring_in(space.id())?;
    space.map(
        range.start(),
        range.len(),
        Protection::NONE,
        flags,
        Backing::Anonymous,
        b"",
    )
}

#[test]
fn programs_at_the_same_addresses_are_one_family() {
    let machine = Machine::new(LIMIT);
    let first = AddressSpace::at_in_arena(machine.arena, LIMIT, linked()).unwrap();
    let second = AddressSpace::at_in_arena(machine.arena, LIMIT, linked()).unwrap();
    assert!(first.is_related(&second));
    let elsewhere = PageRange::new(0x1000_0000, PAGE).unwrap();
    let third = AddressSpace::at_in_arena(machine.arena, LIMIT, elsewhere).unwrap();
    assert!(!first.is_related(&third));
}

/// The second one waits for its turn with nothing mapped when the first one ends; a third must not get its addresses.
#[test]
fn who_waits_to_be_loaded_keeps_its_addresses() {
    let machine = Machine::new(LIMIT);
    let first = AddressSpace::at_in_arena(machine.arena, LIMIT, linked()).unwrap();
    let second = AddressSpace::at_in_arena(machine.arena, LIMIT, linked()).unwrap();
    drop(first);
    let third = AddressSpace::at_in_arena(machine.arena, LIMIT, linked()).unwrap();
    assert!(second.is_related(&third));
    assert_eq!(load(&second), Ok(linked().start()));
}

#[test]
fn spaces_that_have_ended_are_forgotten() {
    let machine = Machine::new(LIMIT);
    let first = AddressSpace::at_in_arena(machine.arena, LIMIT, linked()).unwrap();
    for _ in 0..100 {
        drop(AddressSpace::at_in_arena(machine.arena, LIMIT, linked()).unwrap());
    }
    assert_eq!(machine.arena.spaces.lock().len(), 2);
    drop(first);
    assert_eq!(machine.arena.spaces.lock().len(), 1);
}
