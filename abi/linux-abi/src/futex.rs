//! Futexes: futex(2), get_robust_list(2).

numbers! {
    /// What `futex` does, without [`FutexFlags`].
    pub struct FutexCommand(u32) {
        FUTEX_WAIT = 0,
        FUTEX_WAKE = 1,
        FUTEX_REQUEUE = 3,
        FUTEX_CMP_REQUEUE = 4,
        FUTEX_WAKE_OP = 5,
        FUTEX_LOCK_PI = 6,
        FUTEX_UNLOCK_PI = 7,
        FUTEX_TRYLOCK_PI = 8,
        FUTEX_WAIT_BITSET = 9,
        FUTEX_WAKE_BITSET = 10,
        FUTEX_LOCK_PI2 = 13,
    }
}

flags! {
    /// What stands beside the command in the same argument.
    pub struct FutexFlags(u32) {
        FUTEX_PRIVATE_FLAG = 128,
        FUTEX_CLOCK_REALTIME = 256,
    }
}

flags! {
    /// Flags of `futex_wake` and its kin. Two bits are no set but the size of a word, of which there is one.
    pub struct Futex2Flags(u32) {
        FUTEX2_SIZE_U32 = 2,
        FUTEX2_PRIVATE = 128,
    }
}

numbers! {
    /// How `FUTEX_WAKE_OP` changes the second word.
    pub struct FutexOperation(u32) {
        FUTEX_OP_SET = 0,
        FUTEX_OP_ADD = 1,
        FUTEX_OP_OR = 2,
        FUTEX_OP_ANDN = 3,
        FUTEX_OP_XOR = 4,
    }
}

numbers! {
    /// How `FUTEX_WAKE_OP` compares what the second word was.
    pub struct FutexComparison(u32) {
        FUTEX_OP_CMP_EQ = 0,
        FUTEX_OP_CMP_NE = 1,
        FUTEX_OP_CMP_LT = 2,
        FUTEX_OP_CMP_LE = 3,
        FUTEX_OP_CMP_GT = 4,
        FUTEX_OP_CMP_GE = 5,
    }
}

constants! {
    /// Beside a [`FutexOperation`]: its argument is a power of two.
    FUTEX_OP_OPARG_SHIFT: u32 = 8;
    FUTEX_WAITERS: u32 = 0x8000_0000;
    FUTEX_OWNER_DIED: u32 = 0x4000_0000;
    FUTEX_TID_MASK: u32 = 0x3fff_ffff;
    FUTEX_BITSET_MATCH_ANY: u32 = 0xffff_ffff;
    /// Words that `futex_waitv` takes at most.
    FUTEX_WAITV_MAX: u32 = 128;
    /// Entries of a robust list that are looked at.
    ROBUST_LIST_LIMIT: u32 = 2048;
}
