//! Random calls of several spaces with the same addresses, compared with a model that keeps each space's pages by themselves.

use std::collections::BTreeMap;

use linux_abi::MapFlags;
use proptest::prelude::*;

use super::*;
use crate::Advice;

/// Where everything happens, in pages from [`BASE`].
const BASE: u64 = 0x5_0000_0000;
const AREA: u64 = 24;
/// Pages of the file that is mapped.
const FILE_LEN: u64 = 8;
/// Most spaces at a time.
const MAX_SPACES: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Page {
    protection: Protection,
    /// What it shows when nothing was written since it was mapped.
    at_first: u8,
    byte: u8,
    /// Which shared object it is a page of, and which page.
    object: Option<(usize, u64)>,
}

#[derive(Clone, Debug)]
enum Call {
    Map {
        at: u64,
        len: u64,
        protection: Protection,
        what: What,
    },
    Unmap(u64, u64),
    Protect(u64, u64, Protection),
    Forget(u64, u64),
    Store(u64, u8),
    Load(u64),
    Remap {
        at: u64,
        len: u64,
        target: u64,
    },
    Fork,
    Switch(usize),
    Exit,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Anonymous,
    File(u64),
    SharedAnonymous,
}

fn calls() -> impl Strategy<Value = Call> {
    let page = || 0..AREA;
    let len = || 1..6u64;
    let protection =
        || prop_oneof![1 => Just(NONE), 2 => Just(READ), 4 => Just(WRITE), 1 => Just(Protection::ALL)];
    let what = prop_oneof![
        4 => Just(What::Anonymous),
        3 => (0..FILE_LEN).prop_map(What::File),
        1 => Just(What::SharedAnonymous),
    ];
    prop_oneof![
        4 => (page(), len(), protection(), what)
            .prop_map(|(at, len, protection, what)| Call::Map { at, len, protection, what }),
        2 => (page(), len()).prop_map(|(at, len)| Call::Unmap(at, len)),
        3 => (page(), len(), protection()).prop_map(|(at, len, to)| Call::Protect(at, len, to)),
        1 => (page(), len()).prop_map(|(at, len)| Call::Forget(at, len)),
        8 => (page(), any::<u8>()).prop_map(|(at, byte)| Call::Store(at, byte)),
        3 => page().prop_map(Call::Load),
        1 => (page(), 1..4u64, page()).prop_map(|(at, len, target)| Call::Remap { at, len, target }),
        3 => Just(Call::Fork),
        4 => (0..MAX_SPACES).prop_map(Call::Switch),
        1 => Just(Call::Exit),
    ]
}

fn address(page: u64) -> u64 {
    BASE + page * PAGE
}

fn file_byte(page: u64) -> u8 {
    100 + page as u8
}

/// What one space has, by page of the area.
type Pages = BTreeMap<u64, Page>;

struct World {
    machine: Machine,
    file: Arc<TestFile>,
    /// The first one is resident.
    spaces: Vec<(Arc<AddressSpace>, Pages)>,
    /// How many objects were mapped shared.
    objects: usize,
}

impl World {
    fn new() -> Self {
        let machine = Machine::new(1 << 30);
        let bytes = (0..FILE_LEN).flat_map(|page| vec![file_byte(page); PAGE as usize]);
        let space = machine.space.clone();
        Self {
            file: TestFile::new(bytes.collect()),
            machine,
            spaces: vec![(space, Pages::new())],
            objects: 0,
        }
    }

    fn make(&mut self, call: &Call) {
        let count = self.spaces.len();
        let (space, pages) = &mut self.spaces[0];
        match *call {
            Call::Map {
                at,
                len,
                protection,
                what,
            } => {
                let len = len.min(AREA - at);
                self.objects += 1;
                let object = self.objects;
                let mut flags = MapFlags::MAP_FIXED;
                let backing = match what {
                    What::File(first) => Backing::File(self.file.clone(), first * PAGE),
                    What::Anonymous => Backing::Anonymous,
                    What::SharedAnonymous => {
                        flags |= MapFlags::MAP_SHARED;
                        Backing::Anonymous
                    }
                };
                let mapped = space.map(address(at), len * PAGE, protection, flags, backing, b"");
                assert_eq!(mapped, Ok(address(at)));
                for distance in 0..len {
                    let at_first = match what {
                        // Behind the end of the file is nothing.
                        What::File(first) if first + distance >= FILE_LEN => {
                            pages.remove(&(at + distance));
                            let beyond = address(at + distance);
                            space.unmap(beyond, PAGE).unwrap();
                            continue;
                        }
                        What::File(first) => file_byte(first + distance),
                        _ => 0,
                    };
                    let page = Page {
                        protection,
                        at_first,
                        byte: at_first,
                        object: match what {
                            What::SharedAnonymous => Some((object, distance)),
                            _ => None,
                        },
                    };
                    pages.insert(at + distance, page);
                }
            }
            Call::Unmap(at, len) => {
                space.unmap(address(at), len * PAGE).unwrap();
                pages.retain(|page, _| !(at..at + len).contains(page));
            }
            Call::Protect(at, len, to) => {
                let is_mapped = (at..at + len).all(|page| pages.contains_key(&page));
                let done = space.protect(address(at), len * PAGE, to);
                assert_eq!(done.is_ok(), is_mapped);
                for page in at..at + len {
                    let Some(page) = pages.get_mut(&page) else { break };
                    page.protection = to;
                }
            }
            Call::Forget(at, len) => {
                let _ = space.advise(address(at), len * PAGE, Advice::DontNeed);
                for (_, page) in pages.range_mut(at..at + len) {
                    if page.object.is_none() {
                        page.byte = page.at_first;
                    }
                }
            }
            Call::Store(at, byte) => {
                let expected = pages.get_mut(&at).filter(|page| page.protection.contains(WRITE));
                assert_eq!(
                    store(&self.machine, space, address(at), byte),
                    expected.is_some(),
                    "{at}"
                );
                let Some(page) = expected else { return };
                page.byte = byte;
                if let Some(object) = page.object {
                    self.write_shared(object, byte);
                }
            }
            Call::Load(at) => {
                let expected = pages.get(&at).filter(|page| page.protection.contains(READ));
                assert_eq!(
                    load(&self.machine, space, address(at)),
                    expected.map(|page| page.byte),
                    "{at}"
                );
            }
            Call::Remap { at, len, target } => {
                let overlap = target < at + len && at < target + len;
                let moved: Option<Vec<Page>> = (at..at + len).map(|page| pages.get(&page).copied()).collect();
                if moved.is_none() || overlap || target + len > AREA {
                    return;
                }
                let done = space.remap(address(at), len * PAGE, len * PAGE, true, Some(address(target)));
                if done.is_err() {
                    // Several mappings; what was at the target is not touched then.
                    return;
                }
                for (distance, page) in moved.unwrap().into_iter().enumerate() {
                    pages.remove(&(at + distance as u64));
                    pages.insert(target + distance as u64, page);
                }
            }
            Call::Fork if count < MAX_SPACES => {
                let child = (space.fork_quietly(), pages.clone());
                self.spaces.insert(0, child);
            }
            Call::Switch(to) if to < count => {
                let resident = self.spaces[0].0.id();
                self.spaces.swap(0, to);
                if to != 0 {
                    self.spaces[0].0.bring_in(resident).unwrap();
                }
            }
            Call::Exit if count > 1 => {
                drop(self.spaces.remove(0));
                self.spaces[0].0.bring_in(0).unwrap();
            }
            Call::Fork | Call::Switch(_) | Call::Exit => {}
        }
    }

    /// Whoever has the same shared page sees it.
    fn write_shared(&mut self, object: (usize, u64), byte: u8) {
        for (_, pages) in &mut self.spaces {
            let shown = pages.values_mut().filter(|page| page.object == Some(object));
            for page in shown {
                page.byte = byte;
            }
        }
    }

    /// Every page of every space.
    fn check(&mut self) {
        for index in 0..self.spaces.len() {
            self.make(&Call::Switch(index));
            for at in 0..AREA {
                self.make(&Call::Load(at));
            }
        }
    }
}

fn is_there(machine: &Machine, address: u64, wanted: Protection) -> bool {
    let protection = machine.arena.state(address).protection();
    protection.is_some_and(|protection| protection.contains(wanted))
}

fn touch(machine: &Machine, space: &AddressSpace, address: u64, access: Access, wanted: Protection) -> bool {
    // The processor looks at the page alone; what is not mapped may be another space's, and is not touched here.
    if !space.maps_all(address) {
        return false;
    }
    if is_there(machine, address, wanted) {
        return true;
    }
    let outcome = space.handle_fault(address, access);
    assert_eq!(
        outcome == FaultOutcome::Handled,
        is_there(machine, address, wanted),
        "{address:#x}"
    );
    outcome == FaultOutcome::Handled
}

fn store(machine: &Machine, space: &AddressSpace, address: u64, byte: u8) -> bool {
    let can = touch(machine, space, address, Access::Write, WRITE);
    if can {
        machine.memory.write(address, &[byte]).unwrap();
    }
    can
}

fn load(machine: &Machine, space: &AddressSpace, address: u64) -> Option<u8> {
    touch(machine, space, address, Access::Read, READ).then(|| {
        let mut byte = [0];
        machine.memory.read(address, &mut byte).unwrap();
        byte[0]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 5000, failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn each_space_has_its_own_pages(calls in prop::collection::vec(calls(), 1..80)) {
        let mut world = World::new();
        for call in &calls {
            world.make(call);
        }
        world.check();
    }
}

#[test]
fn what_a_child_leaves_is_its_parents() {
    let machine = Machine::new(1 << 30);
    let at = machine.map(16 * PAGE, WRITE);
    for page in 0..16 {
        assert!(store(&machine, &machine.space, at + page * PAGE, 1 + page as u8));
    }
    let child = machine.space.fork_quietly();
    assert!(store(&machine, &child, at, 99));
    machine.memory.take_exits();
    drop(child);
    machine.space.bring_in(0).unwrap();
    assert_eq!(
        machine.memory.take_exits(),
        0,
        "a child's end leaves the enclave for nothing"
    );
    for page in 0..16 {
        assert_eq!(
            load(&machine, &machine.space, at + page * PAGE),
            Some(1 + page as u8)
        );
    }
}

#[test]
fn the_addresses_of_all_are_free_in_the_end() {
    let machine = Machine::new(1 << 30);
    let at = machine.map(16 * PAGE, WRITE);
    let child = machine.space.fork_quietly();
    machine.space.unmap(at, 16 * PAGE).unwrap();
    let other = machine.map(16 * PAGE, WRITE);
    assert_ne!(at, other, "the child has it still");
    drop(child);
    machine.space.bring_in(0).unwrap();
    let whole = PageRange::new(at, 16 * PAGE).unwrap();
    assert!(machine.arena.ranges.lock().is_free(whole));
}

#[test]
fn relatives_map_the_same_part_of_a_file_at_one_address() {
    let machine = Machine::new(1 << 30);
    let parent = machine.space.clone();
    let file = TestFile::new((0..4 * PAGE).map(|at| (at / PAGE) as u8).collect());
    let map = |space: &AddressSpace, first: u64, count: u64| {
        let backing = Backing::File(file.clone(), first * PAGE);
        space
            .map(0, count * PAGE, WRITE, MapFlags::MAP_SHARED, backing, b"")
            .unwrap()
    };
    let child = parent.fork_quietly();
    let at = map(&child, 0, 4);
    assert!(store(&machine, &child, at + PAGE, 77));
    parent.bring_in(child.id()).unwrap();
    let again = map(&parent, 1, 2);
    assert_eq!(again, at + PAGE);
    assert!(is_there(&machine, again, WRITE), "the page did not move");
    assert_eq!(load(&machine, &parent, again), Some(77));
    assert!(store(&machine, &parent, again + PAGE, 78));
    assert_ne!(
        map(&parent, 1, 2),
        again,
        "a second mapping of one space is elsewhere"
    );
    drop(parent);
    machine.space.clear();
    child.bring_in(machine.space.id()).unwrap();
    assert_eq!(load(&machine, &child, at + 2 * PAGE), Some(78));
}
