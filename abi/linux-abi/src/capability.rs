//! Capabilities: capabilities(7), capget(2).

flags! {
    /// A set of capabilities, each the bit that has its number (`CAP_TO_MASK` of the headers).
    pub struct Capabilities(u64) {
        CAP_CHOWN = 1 << 0,
        CAP_DAC_OVERRIDE = 1 << 1,
        CAP_DAC_READ_SEARCH = 1 << 2,
        CAP_FOWNER = 1 << 3,
        CAP_FSETID = 1 << 4,
        CAP_KILL = 1 << 5,
        CAP_SETGID = 1 << 6,
        CAP_SETUID = 1 << 7,
        CAP_SETPCAP = 1 << 8,
        CAP_LINUX_IMMUTABLE = 1 << 9,
        CAP_NET_BIND_SERVICE = 1 << 10,
        CAP_NET_BROADCAST = 1 << 11,
        CAP_NET_ADMIN = 1 << 12,
        CAP_NET_RAW = 1 << 13,
        CAP_IPC_LOCK = 1 << 14,
        CAP_IPC_OWNER = 1 << 15,
        CAP_SYS_MODULE = 1 << 16,
        CAP_SYS_RAWIO = 1 << 17,
        CAP_SYS_CHROOT = 1 << 18,
        CAP_SYS_PTRACE = 1 << 19,
        CAP_SYS_PACCT = 1 << 20,
        CAP_SYS_ADMIN = 1 << 21,
        CAP_SYS_BOOT = 1 << 22,
        CAP_SYS_NICE = 1 << 23,
        CAP_SYS_RESOURCE = 1 << 24,
        CAP_SYS_TIME = 1 << 25,
        CAP_SYS_TTY_CONFIG = 1 << 26,
        CAP_MKNOD = 1 << 27,
        CAP_LEASE = 1 << 28,
        CAP_AUDIT_WRITE = 1 << 29,
        CAP_AUDIT_CONTROL = 1 << 30,
        CAP_SETFCAP = 1 << 31,
        CAP_MAC_OVERRIDE = 1 << 32,
        CAP_MAC_ADMIN = 1 << 33,
        CAP_SYSLOG = 1 << 34,
        CAP_WAKE_ALARM = 1 << 35,
        CAP_BLOCK_SUSPEND = 1 << 36,
        CAP_AUDIT_READ = 1 << 37,
        CAP_PERFMON = 1 << 38,
        CAP_BPF = 1 << 39,
        CAP_CHECKPOINT_RESTORE = 1 << 40,
    }
}

impl Capabilities {
    /// The capability with this number, if there is one (`cap_valid`).
    pub const fn numbered(number: u64) -> Option<Self> {
        match number <= CAP_LAST_CAP as u64 {
            true => Some(Self::from_bits_truncate(1 << number)),
            false => None,
        }
    }
}

flags! {
    /// How the capabilities of user 0 differ from what capabilities(7) says first.
    pub struct Securebits(u32) {
        SECBIT_NOROOT = 1 << 0,
        SECBIT_NOROOT_LOCKED = 1 << 1,
        SECBIT_NO_SETUID_FIXUP = 1 << 2,
        SECBIT_NO_SETUID_FIXUP_LOCKED = 1 << 3,
        SECBIT_KEEP_CAPS = 1 << 4,
        SECBIT_KEEP_CAPS_LOCKED = 1 << 5,
        SECBIT_NO_CAP_AMBIENT_RAISE = 1 << 6,
        SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED = 1 << 7,
    }
}

impl Securebits {
    /// `SECURE_ALL_LOCKS`: each locks the bit below it.
    pub const LOCKS: Self = Self::SECBIT_NOROOT_LOCKED
        .union(Self::SECBIT_NO_SETUID_FIXUP_LOCKED)
        .union(Self::SECBIT_KEEP_CAPS_LOCKED)
        .union(Self::SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED);
}

constants! {
    /// Sets of 32 bits.
    _LINUX_CAPABILITY_VERSION_1: u32 = 0x1998_0330;
    /// Sets of 64 bits; programs should use the third version.
    _LINUX_CAPABILITY_VERSION_2: u32 = 0x2007_1026;
    /// Sets of 64 bits.
    _LINUX_CAPABILITY_VERSION_3: u32 = 0x2008_0522;
    CAP_LAST_CAP: u32 = 40;
}
