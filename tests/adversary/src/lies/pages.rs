//! A host that takes pages away for an instant: it owns the page tables.

use enclave_layout::{
    CONFIG_START, ELRANGE_SIZE, HEAP_END, HEAP_START, IMAGE_BASE, IMAGE_END, SLOTS_START, USER_END,
    USER_START,
};

use super::{End, Lie, RIGHT, Tell};

const fn withheld(name: &'static str, start: u64, end: u64, ends: &'static [End]) -> Lie {
    Lie {
        name,
        guest: "pages",
        tell: Tell::Withheld(start, end),
        ends,
    }
}

/// The handler of an exception needs some pages itself. Without them it cannot begin, and the enclave is over.
const OVER: &[End] = &[End::Right, End::Stopped];

pub(super) const LIES: &[Lie] = table! {
    // Programs, their stubs and the vDSO.
    withheld("pages/programs", USER_START, USER_END, RIGHT),
    withheld("pages/heap", HEAP_START, HEAP_END, OVER),
    withheld("pages/libos", IMAGE_BASE, IMAGE_END, OVER),
    withheld("pages/configuration", CONFIG_START, SLOTS_START, RIGHT),
    withheld("pages/threads", SLOTS_START, ELRANGE_SIZE, OVER),
};
