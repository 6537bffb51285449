//! Random calls, compared with a model that keeps each page by itself.

use std::collections::BTreeMap;

use linux_abi::MapFlags;
use proptest::prelude::*;

use super::*;
use crate::Advice;

/// Where everything happens, in pages from [`BASE`]: small, so that mappings meet.
const BASE: u64 = 0x5_0000_0000;
const AREA: u64 = 48;
/// Pages of the two files; the first is mapped private and never changes, the second is mapped shared.
const PRIVATE_LEN: u64 = 12;
const SHARED_LEN: u64 = 6;

/// What a page shows. Its content is one byte.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shown {
    Anonymous {
        byte: u8,
    },
    /// A page of shared memory without a file.
    Nameless {
        object: usize,
        page: u64,
    },
    Private {
        page: u64,
        own: Option<u8>,
    },
    Shared {
        page: u64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct ModelPage {
    protection: Protection,
    shown: Shown,
}

/// By address in pages.
struct Model {
    pages: BTreeMap<u64, ModelPage>,
    file: Vec<u8>,
    /// What is shared without a file: a byte for each page.
    nameless: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Anonymous,
    SharedAnonymous,
    Private(u64),
    Shared(u64),
}

#[derive(Clone, Debug)]
enum Call {
    Map {
        at: Option<u64>,
        len: u64,
        protection: Protection,
        what: What,
    },
    Unmap(u64, u64),
    Protect(u64, u64, Protection),
    Remap {
        at: u64,
        old: u64,
        new: u64,
        target: Option<u64>,
        may_move: bool,
    },
    Forget(u64, u64),
    Store(u64, u8),
    Load(u64),
    WriteFile(u64, u8),
    ReadFile(u64),
}

fn protections() -> impl Strategy<Value = Protection> {
    prop_oneof![
        1 => Just(NONE),
        1 => Just(READ),
        4 => Just(WRITE),
        1 => Just(Protection::READ_EXECUTE),
        1 => Just(Protection::ALL),
    ]
}

fn calls() -> impl Strategy<Value = Call> {
    let page = || 0..AREA;
    let len = || 1..12u64;
    let what = prop_oneof![
        3 => Just(What::Anonymous),
        1 => Just(What::SharedAnonymous),
        2 => (0..PRIVATE_LEN).prop_map(What::Private),
        2 => (0..SHARED_LEN).prop_map(What::Shared),
    ];
    prop_oneof![
        4 => (proptest::option::weighted(0.8, page()), len(), protections(), what)
            .prop_map(|(at, len, protection, what)| Call::Map { at, len, protection, what }),
        2 => (page(), len()).prop_map(|(at, len)| Call::Unmap(at, len)),
        3 => (page(), len(), protections()).prop_map(|(at, len, to)| Call::Protect(at, len, to)),
        3 => (page(), 1..8u64, 1..10u64, proptest::option::of(page()), any::<bool>()).prop_map(
            |(at, old, new, target, may_move)| Call::Remap { at, old, new, target, may_move }
        ),
        1 => (page(), len()).prop_map(|(at, len)| Call::Forget(at, len)),
        6 => (page(), any::<u8>()).prop_map(|(at, byte)| Call::Store(at, byte)),
        3 => page().prop_map(Call::Load),
        1 => (0..SHARED_LEN, any::<u8>()).prop_map(|(page, byte)| Call::WriteFile(page, byte)),
        1 => (0..SHARED_LEN).prop_map(Call::ReadFile),
    ]
}

fn address(page: u64) -> u64 {
    BASE + page * PAGE
}

/// The byte of a page of the private file.
fn private_byte(page: u64) -> u8 {
    100 + page as u8
}

impl Model {
    fn new() -> Self {
        Self {
            pages: BTreeMap::new(),
            file: (0..SHARED_LEN as u8).collect(),
            nameless: Vec::new(),
        }
    }

    fn shown_at(&self, what: What, distance: u64) -> Shown {
        match what {
            What::Anonymous => Shown::Anonymous { byte: 0 },
            What::SharedAnonymous => Shown::Nameless {
                object: self.nameless.len() - 1,
                page: distance,
            },
            What::Private(first) => Shown::Private {
                page: first + distance,
                own: None,
            },
            What::Shared(first) => Shown::Shared {
                page: first + distance,
            },
        }
    }

    fn is_free(&self, at: u64, len: u64) -> bool {
        self.pages.range(at..at + len).next().is_none()
    }

    fn unmap(&mut self, at: u64, len: u64) {
        self.pages.retain(|page, _| !(at..at + len).contains(page));
    }

    /// Whether two neighbouring pages are of one mapping.
    fn are_one(before: ModelPage, next: ModelPage) -> bool {
        before.protection == next.protection
            && match (before.shown, next.shown) {
                (Shown::Anonymous { .. }, Shown::Anonymous { .. }) => true,
                (
                    Shown::Nameless { object: a, page },
                    Shown::Nameless {
                        object: b,
                        page: next,
                    },
                ) => a == b && page + 1 == next,
                (Shown::Private { page: a, .. }, Shown::Private { page: b, .. }) => a + 1 == b,
                (Shown::Shared { page: a }, Shown::Shared { page: b }) => a + 1 == b,
                _ => false,
            }
    }

    fn is_one_mapping(&self, at: u64, len: u64) -> bool {
        let parts: Vec<_> = (at..at + len)
            .map(|page| self.pages.get(&page).copied())
            .collect();
        parts.iter().all(Option::is_some)
            && parts
                .windows(2)
                .all(|pair| Self::are_one(pair[0].unwrap(), pair[1].unwrap()))
    }

    fn protect(&mut self, at: u64, len: u64, to: Protection) -> Result<()> {
        for page in at..at + len {
            self.pages.get_mut(&page).ok_or(Errno::ENOMEM)?.protection = to;
        }
        Ok(())
    }

    fn forget(&mut self, at: u64, len: u64) -> Result<()> {
        let mut covered = true;
        for page in at..at + len {
            match self.pages.get_mut(&page).map(|page| &mut page.shown) {
                Some(Shown::Anonymous { byte }) => *byte = 0,
                Some(Shown::Private { own, .. }) => *own = None,
                Some(_) => {}
                None => covered = false,
            }
        }
        if covered { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// What remapping should do: an error, or the new place if that is decided.
    fn check_remap(
        &mut self,
        at: u64,
        old: &mut u64,
        new: u64,
        target: Option<u64>,
        may_move: bool,
    ) -> Result<Option<u64>> {
        let first = *self.pages.get(&at).ok_or(Errno::EFAULT)?;
        if target.is_some_and(|to| to < at + *old && at < to + new) {
            return Err(Errno::EINVAL);
        }
        if *old > new {
            self.unmap(at + new, *old - new);
            *old = new;
        }
        if target.is_none() && *old == new {
            return Ok(Some(at));
        }
        if !self.is_one_mapping(at, *old) {
            return Err(Errno::EFAULT);
        }
        if let Some(target) = target {
            return Ok(Some(target));
        }
        let last = self.pages[&(at + *old - 1)];
        let next = self.pages.get(&(at + *old));
        let ends_there = next.is_none_or(|next| !Self::are_one(last, *next));
        if ends_there && self.is_free(at + *old, new - *old) {
            return Ok(Some(at));
        }
        let _ = first;
        if may_move { Ok(None) } else { Err(Errno::ENOMEM) }
    }

    fn finish_remap(&mut self, at: u64, old: u64, new: u64, to: u64) {
        let moved: Vec<ModelPage> = (at..at + old).map(|page| self.pages[&page]).collect();
        self.unmap(at, old);
        self.unmap(to, new);
        for (page, content) in (to..).zip(&moved) {
            self.pages.insert(page, *content);
        }
        let first = moved[0];
        for distance in old..new {
            let shown = match first.shown {
                Shown::Anonymous { .. } => Shown::Anonymous { byte: 0 },
                Shown::Nameless { object, page } => Shown::Nameless {
                    object,
                    page: page + distance,
                },
                Shown::Private { page, .. } => Shown::Private {
                    page: page + distance,
                    own: None,
                },
                Shown::Shared { page } => Shown::Shared {
                    page: page + distance,
                },
            };
            self.pages.insert(to + distance, ModelPage { shown, ..first });
        }
    }

    fn load(&self, page: u64) -> core::result::Result<u8, FaultOutcome> {
        let page = self.pages.get(&page).ok_or(FaultOutcome::NotMapped)?;
        if !page.protection.contains(READ) {
            return Err(FaultOutcome::NotAllowed);
        }
        match page.shown {
            Shown::Anonymous { byte } => Ok(byte),
            Shown::Nameless { object, page } => {
                let byte = self.nameless[object].get(page as usize).copied();
                byte.ok_or(FaultOutcome::Bus)
            }
            Shown::Private { page, .. } if page >= PRIVATE_LEN => Err(FaultOutcome::Bus),
            Shown::Private { page, own } => Ok(own.unwrap_or(private_byte(page))),
            Shown::Shared { page } => self.file.get(page as usize).copied().ok_or(FaultOutcome::Bus),
        }
    }

    fn store(&mut self, page: u64, value: u8) -> core::result::Result<(), FaultOutcome> {
        let page = self.pages.get_mut(&page).ok_or(FaultOutcome::NotMapped)?;
        if !page.protection.contains(WRITE) {
            return Err(FaultOutcome::NotAllowed);
        }
        match &mut page.shown {
            Shown::Anonymous { byte } => *byte = value,
            Shown::Nameless { object, page } => {
                let byte = self.nameless[*object].get_mut(*page as usize);
                *byte.ok_or(FaultOutcome::Bus)? = value;
            }
            Shown::Private { page, .. } if *page >= PRIVATE_LEN => return Err(FaultOutcome::Bus),
            Shown::Private { own, .. } => *own = Some(value),
            Shown::Shared { page } => {
                let byte = self.file.get_mut(*page as usize);
                *byte.ok_or(FaultOutcome::Bus)? = value;
            }
        }
        Ok(())
    }

    /// The mappings as (start, end, protection) in pages.
    fn mappings(&self) -> Vec<(u64, u64, Protection)> {
        let mut all: Vec<(u64, u64, Protection)> = Vec::new();
        let mut before: Option<(u64, ModelPage)> = None;
        for (&at, &page) in &self.pages {
            let continues =
                before.is_some_and(|(previous, before)| previous + 1 == at && Self::are_one(before, page));
            match all.last_mut() {
                Some(last) if continues => last.1 = at + 1,
                _ => all.push((at, at + 1, page.protection)),
            }
            before = Some((at, page));
        }
        all
    }
}

struct Pair {
    machine: Machine,
    model: Model,
    private: Arc<TestFile>,
    shared: Arc<TestFile>,
}

impl Pair {
    fn new() -> Self {
        let pages = |count: u64, byte: fn(u64) -> u8| {
            TestFile::new((0..count * PAGE).map(|at| byte(at / PAGE)).collect())
        };
        Self {
            machine: Machine::new(1 << 30),
            model: Model::new(),
            private: pages(PRIVATE_LEN, private_byte),
            shared: pages(SHARED_LEN, |page| page as u8),
        }
    }

    fn make(&mut self, call: &Call) {
        let space = self.machine.space.clone();
        match *call {
            Call::Map {
                at,
                len,
                protection,
                what,
            } => self.map(at, len, protection, what),
            Call::Unmap(at, len) => {
                self.model.unmap(at, len);
                space.unmap(address(at), len * PAGE).unwrap();
            }
            Call::Protect(at, len, to) => {
                let expected = self.model.protect(at, len, to);
                assert_eq!(space.protect(address(at), len * PAGE, to), expected);
            }
            Call::Remap {
                at,
                old,
                new,
                target,
                may_move,
            } => self.remap(at, old, new, target, may_move),
            Call::Forget(at, len) => {
                let expected = self.model.forget(at, len);
                assert_eq!(space.advise(address(at), len * PAGE, Advice::DontNeed), expected);
            }
            Call::Store(at, byte) => {
                let expected = self.model.store(at, byte);
                assert_eq!(self.machine.store(address(at), byte), expected);
            }
            Call::Load(at) => assert_eq!(self.machine.load(address(at)), self.model.load(at)),
            Call::WriteFile(page, byte) => {
                self.model.file[page as usize] = byte;
                self.shared.store(page * PAGE, byte);
            }
            Call::ReadFile(page) => {
                assert_eq!(self.shared.load(page * PAGE), self.model.file[page as usize]);
            }
        }
        self.compare_maps();
    }

    fn map(&mut self, at: Option<u64>, len: u64, protection: Protection, what: What) {
        let (backing, mut flags) = match what {
            What::Anonymous => (Backing::Anonymous, MapFlags::empty()),
            What::SharedAnonymous => (Backing::Anonymous, MapFlags::MAP_SHARED),
            What::Private(page) => (
                Backing::File(self.private.clone(), page * PAGE),
                MapFlags::empty(),
            ),
            What::Shared(page) => (
                Backing::File(self.shared.clone(), page * PAGE),
                MapFlags::MAP_SHARED,
            ),
        };
        // Without an address to be obeyed: near, so that it is in the area, if that is free.
        let hint = at.unwrap_or(AREA);
        if at.is_some() {
            flags |= MapFlags::MAP_FIXED;
        }
        let got = self
            .machine
            .space
            .map(address(hint), len * PAGE, protection, flags, backing, b"")
            .unwrap();
        let got = (got - BASE) / PAGE;
        match at {
            Some(at) => assert_eq!(got, at),
            None => assert!(self.model.is_free(got, len), "{got:#x} was taken"),
        }
        self.model.unmap(got, len);
        if let What::SharedAnonymous = what {
            self.model.nameless.push(vec![0; len as usize]);
        }
        for distance in 0..len {
            let shown = self.model.shown_at(what, distance);
            self.model
                .pages
                .insert(got + distance, ModelPage { protection, shown });
        }
    }

    fn remap(&mut self, at: u64, old: u64, new: u64, target: Option<u64>, may_move: bool) {
        let may_move = may_move || target.is_some();
        let got =
            self.machine
                .space
                .remap(address(at), old * PAGE, new * PAGE, may_move, target.map(address));
        let mut kept = old;
        match self.model.check_remap(at, &mut kept, new, target, may_move) {
            Err(error) => assert_eq!(got, Err(error)),
            Ok(expected) => {
                let to = (got.unwrap() - BASE) / PAGE;
                match expected {
                    Some(expected) => assert_eq!(to, expected),
                    None => assert!(self.model.is_free(to, new), "{to:#x} was taken"),
                }
                // What only shrank is not to be one mapping.
                if !(to == at && kept == new) {
                    self.model.finish_remap(at, kept, new, to);
                }
            }
        }
    }

    fn compare_maps(&self) {
        let found: Vec<_> = self
            .machine
            .maps()
            .lines()
            .map(|line| {
                let (start, rest) = line.split_once('-').unwrap();
                let (end, rest) = rest.split_once(' ').unwrap();
                let page = |text: &str| (u64::from_str_radix(text, 16).unwrap() - BASE) / PAGE;
                let bits = [(b'r', 1), (b'w', 2), (b'x', 4)];
                let bits = bits
                    .iter()
                    .zip(rest.bytes())
                    .filter(|((name, _), found)| name == found)
                    .map(|((_, bit), _)| bit)
                    .sum();
                (page(start), page(end), Protection::from_bits(bits).unwrap())
            })
            .collect();
        assert_eq!(found, self.model.mappings());
    }

    fn compare_contents(&self) {
        for &page in self.model.pages.keys() {
            assert_eq!(
                self.machine.load(address(page)),
                self.model.load(page),
                "page {page}"
            );
        }
        for (page, &byte) in self.model.file.iter().enumerate() {
            assert_eq!(
                self.shared.load(page as u64 * PAGE),
                byte,
                "page {page} of the file"
            );
        }
        self.machine.space.clear();
        for (page, &byte) in self.model.file.iter().enumerate() {
            assert_eq!(self.shared.own_byte(page as u64 * PAGE), byte, "written back");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_calls_do_what_the_model_does(calls in proptest::collection::vec(calls(), 1..60)) {
        let mut pair = Pair::new();
        for call in &calls {
            pair.make(call);
        }
        pair.compare_contents();
    }
}
