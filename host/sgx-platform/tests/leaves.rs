//! ENCLU leaves and the pages that they work on.

mod tiny_enclave;

use enclave_layout::{Acceptance, ELRANGE_SIZE, PAGE_SIZE as PAGE, PageRange, Protection};
use sgx_arch::{ErrorCode, SecInfo};
use sgx_platform::emulator::{Emulated, EmulatedThread, EncluSites};
use sgx_platform::{AsyncExit, Enclave, EnclaveError, Exit, Thread};
use tiny_enclave::*;

const EACCEPT: u64 = 5;
const EMODPE: u64 = 6;
const EACCEPTCOPY: u64 = 7;
const REGULAR: u64 = 0x200;
const TRIM: u64 = 0x400;
const RW: u64 = SecInfo::R | SecInfo::W;
const INFO: u64 = DATA + 1024;

fn range(page: u64, pages: u64) -> PageRange {
    PageRange::new(page, pages * PAGE).unwrap()
}

/// How the enclave executes its leaves.
#[derive(Clone, Copy)]
struct Way(EncluSites, fn() -> u64);

const WAYS: [Way; 3] = [
    Way(EncluSites::Patched, tiny_leaf::address),
    Way(EncluSites::Patched, tiny_raw_leaf::address),
    Way(EncluSites::Trapped, tiny_leaf::address),
];

struct Inside<'a> {
    thread: EmulatedThread<'a>,
    routine: u64,
}

impl<'a> Inside<'a> {
    fn new(enclave: &'a Emulated, way: Way) -> Self {
        Self {
            thread: thread(enclave, 0),
            routine: way.1(),
        }
    }

    fn start(&mut self, leaf: u64, flags: u64, page: u64) -> Exit {
        set_word(INFO, flags);
        for (at, value) in [leaf, INFO, page, READ_ONLY].into_iter().enumerate() {
            set_word(DATA + at as u64 * 8, value);
        }
        enter(&mut self.thread, self.routine)
    }

    /// RAX after a leaf that returns.
    fn leaf(&mut self, leaf: u64, flags: u64, page: u64) -> u64 {
        assert_eq!(self.start(leaf, flags, page), Exit::Left(DONE));
        assert_eq!(
            (word(DATA + 48), word(DATA + 56)),
            (READ_ONLY, 0x51),
            "RDX and RSI"
        );
        let (rax, rflags) = (word(DATA + 32), word(DATA + 40));
        if leaf != EMODPE {
            assert_eq!(rflags & 0x40 != 0, rax != 0, "ZF");
        }
        rax
    }

    /// The vector of a leaf that faults.
    fn fault(&mut self, leaf: u64, flags: u64, page: u64) -> u8 {
        let Exit::Async(AsyncExit::Exception(vector)) = self.start(leaf, flags, page) else {
            panic!()
        };
        // It faults at the instruction; the handler skips it.
        let at = ssa(0).rip;
        assert_eq!(
            handle(&mut self.thread, 0, |_| at + 5
                - u64::from(
                    word(at) & 0xff == 0x0f && self.routine == tiny_raw_leaf::address()
                )),
            Exit::Left(DONE)
        );
        vector
    }
}

#[test]
fn committed_pages_are_accepted_once() {
    let _alone = alone();
    for way in WAYS {
        let enclave = enclave(1, way.0);
        let mut inside = Inside::new(&enclave, way);
        enclave.commit(range(DYNAMIC, 2), Acceptance::Zeros).unwrap();
        let mismatch = ErrorCode::PageAttributesMismatch as u64;
        assert_eq!(
            inside.leaf(EACCEPT, REGULAR | RW | SecInfo::X | SecInfo::PENDING, DYNAMIC),
            mismatch
        );
        assert_eq!(inside.leaf(EACCEPT, REGULAR | RW | SecInfo::PENDING, DYNAMIC), 0);
        assert_eq!(
            inside.leaf(EACCEPT, REGULAR | RW | SecInfo::PENDING, DYNAMIC),
            mismatch
        );
        assert_eq!(word(DYNAMIC), 0);
        set_word(DYNAMIC, 1);
        assert_eq!(
            enclave.commit(range(DYNAMIC, 1), Acceptance::Zeros),
            Err(EnclaveError::PageState(DYNAMIC))
        );
        assert_eq!(
            enclave.trim(range(DYNAMIC + PAGE, 1)),
            Err(EnclaveError::PageState(DYNAMIC + PAGE))
        );
    }
}

#[test]
fn pages_outside_the_enclave_are_refused() {
    let _alone = alone();
    let enclave = enclave(1, EncluSites::Patched);
    let outside = Err(EnclaveError::PageState(ELRANGE_SIZE));
    for pages in [range(ELRANGE_SIZE, 1), range(ELRANGE_SIZE - PAGE, 2)] {
        assert_eq!(enclave.commit(pages, Acceptance::Zeros), outside);
        assert_eq!(enclave.commit(pages, Acceptance::Copies), outside);
    }
    let beyond = range(ELRANGE_SIZE, 1);
    assert_eq!(enclave.protect(beyond, Protection::READ), outside);
    assert_eq!(enclave.trim(beyond), outside);
    assert_eq!(enclave.remove(beyond), outside);
}

#[test]
fn a_leaf_with_bad_operands_faults() {
    let _alone = alone();
    for way in WAYS {
        let enclave = enclave(1, way.0);
        let mut inside = Inside::new(&enclave, way);
        assert_eq!(
            inside.fault(EACCEPT, REGULAR | RW | SecInfo::PENDING, DYNAMIC),
            14
        );
        assert_eq!(exinfo(0).0, DYNAMIC);
        enclave.commit(range(DYNAMIC, 1), Acceptance::Zeros).unwrap();
        assert_eq!(
            inside.fault(EACCEPT, REGULAR | RW | SecInfo::PENDING, DYNAMIC + 8),
            13
        );
        assert_eq!(
            inside.fault(EACCEPT, REGULAR | RW | SecInfo::PENDING, ELRANGE_SIZE),
            13
        );
        assert_eq!(inside.fault(EACCEPT, REGULAR | RW, DYNAMIC), 13);
        assert_eq!(
            inside.fault(EACCEPT, REGULAR | RW | SecInfo::PENDING | 1 << 20, DYNAMIC),
            13
        );
        assert_eq!(inside.fault(EACCEPT, TRIM | SecInfo::PENDING, DYNAMIC), 13);
        set_word(INFO + 56, 1);
        assert_eq!(
            inside.fault(EACCEPT, REGULAR | RW | SecInfo::PENDING, DYNAMIC),
            13
        );
        set_word(INFO + 56, 0);
        assert_eq!(inside.fault(EMODPE, REGULAR | RW, DYNAMIC), 14);
        assert_eq!(inside.fault(99, 0, 0), 13);
    }
}

#[test]
fn permissions_are_extended_inside_and_restricted_outside() {
    let _alone = alone();
    for way in WAYS {
        let enclave = enclave(1, way.0);
        let mut inside = Inside::new(&enclave, way);
        enclave.commit(range(DYNAMIC, 1), Acceptance::Zeros).unwrap();
        assert_eq!(inside.leaf(EACCEPT, REGULAR | RW | SecInfo::PENDING, DYNAMIC), 0);
        let executable = REGULAR | SecInfo::R | SecInfo::X;
        // The host alone cannot make it executable.
        enclave
            .protect(range(DYNAMIC, 1), Protection::READ_EXECUTE)
            .unwrap();
        let mismatch = ErrorCode::PageAttributesMismatch as u64;
        assert_eq!(inside.leaf(EACCEPT, executable | SecInfo::PR, DYNAMIC), mismatch);
        assert_eq!(
            inside.leaf(EACCEPT, REGULAR | SecInfo::R | SecInfo::PR, DYNAMIC),
            0
        );
        assert_eq!(inside.leaf(EMODPE, executable, DYNAMIC), EMODPE);
        enclave
            .protect(range(DYNAMIC, 1), Protection::READ_EXECUTE)
            .unwrap();
        assert_eq!(inside.leaf(EACCEPT, executable | SecInfo::PR, DYNAMIC), 0);
        // No access at all, and back.
        enclave.protect(range(DYNAMIC, 1), Protection::NONE).unwrap();
        assert_eq!(inside.leaf(EACCEPT, REGULAR | SecInfo::PR, DYNAMIC), 0);
        assert_eq!(inside.leaf(EMODPE, REGULAR | RW, DYNAMIC), EMODPE);
        enclave
            .protect(range(DYNAMIC, 1), Protection::READ_WRITE)
            .unwrap();
        assert_eq!(inside.leaf(EACCEPT, REGULAR | RW | SecInfo::PR, DYNAMIC), 0);
        set_word(DYNAMIC, 3);
    }
}

#[test]
fn pages_are_given_back_and_come_back_empty() {
    let _alone = alone();
    for way in WAYS {
        let enclave = enclave(1, way.0);
        let mut inside = Inside::new(&enclave, way);
        let pages = range(DYNAMIC, 1);
        enclave.commit(pages, Acceptance::Zeros).unwrap();
        assert_eq!(inside.leaf(EACCEPT, REGULAR | RW | SecInfo::PENDING, DYNAMIC), 0);
        set_word(DYNAMIC, 7);
        enclave.trim(pages).unwrap();
        assert_eq!(
            enclave.remove(pages),
            Err(EnclaveError::PageState(DYNAMIC)),
            "not accepted yet"
        );
        assert_eq!(inside.leaf(EACCEPT, TRIM | SecInfo::MODIFIED, DYNAMIC), 0);
        enclave.remove(pages).unwrap();
        enclave.commit(pages, Acceptance::Zeros).unwrap();
        assert_eq!(inside.leaf(EACCEPT, REGULAR | RW | SecInfo::PENDING, DYNAMIC), 0);
        assert_eq!(word(DYNAMIC), 0);
    }
}

#[test]
fn a_page_is_accepted_with_a_copy() {
    let _alone = alone();
    for way in WAYS {
        let enclave = enclave(1, way.0);
        let mut inside = Inside::new(&enclave, way);
        enclave.commit(range(DYNAMIC, 1), Acceptance::Zeros).unwrap();
        assert_eq!(inside.leaf(EACCEPTCOPY, REGULAR | SecInfo::R, DYNAMIC), 0);
        assert_eq!(word(DYNAMIC), word(READ_ONLY));
        let mismatch = ErrorCode::PageAttributesMismatch as u64;
        assert_eq!(inside.leaf(EACCEPTCOPY, REGULAR | SecInfo::R, DYNAMIC), mismatch);
    }
}

#[test]
fn a_page_is_not_seen_before_its_copy_is_complete() {
    let _alone = alone();
    for way in WAYS {
        let enclave = enclave(1, way.0);
        let mut inside = Inside::new(&enclave, way);
        let executable = SecInfo::R | SecInfo::X;
        enclave.commit(range(DYNAMIC, 1), Acceptance::Copies).unwrap();
        let stopped = enter(&mut inside.thread, tiny_undefined::address());
        assert_eq!(stopped, Exit::Async(AsyncExit::Exception(6)));
        let mut state = ssa(0);
        (state.rip, state.rdx, state.rcx) = (tiny_load::address(), DYNAMIC, state.r15);
        set_ssa(0, state);
        let faulted = inside.thread.resume();
        assert_eq!(faulted, Exit::Async(AsyncExit::Exception(14)));
        assert_eq!(exinfo(0).0, DYNAMIC);
        let skipped = handle(&mut inside.thread, 0, |state| state.rip + 3);
        assert_eq!(skipped, Exit::Left(DONE));
        assert_eq!(inside.leaf(EACCEPTCOPY, REGULAR | executable, DYNAMIC), 0);
        enclave
            .protect(range(DYNAMIC, 1), Protection::READ_EXECUTE)
            .unwrap();
        assert_eq!(
            inside.leaf(EACCEPT, REGULAR | executable | SecInfo::PR, DYNAMIC),
            0
        );
        assert_eq!(word(DYNAMIC), word(READ_ONLY));
    }
}
