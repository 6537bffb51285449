//! Capabilities: capabilities(7), capget(2).

constants! {
    _LINUX_CAPABILITY_VERSION_3: u32 = 0x2008_0522;
    CAP_LAST_CAP: u32 = 40;
}

/// All capabilities, each as the bit that has its number.
pub const ALL_CAPABILITIES: u64 = (1 << (CAP_LAST_CAP + 1)) - 1;
