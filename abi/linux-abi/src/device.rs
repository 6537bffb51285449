//! The devices that every system has, by number (devices.txt of the kernel, which names majors only).

use crate::stat::makedev;

constants! {
    /// Memory devices.
    MEM_MAJOR: u32 = 1;
    /// The controlling terminal and its kin.
    TTYAUX_MAJOR: u32 = 5;
    /// Pseudo-terminals.
    UNIX98_PTY_SLAVE_MAJOR: u32 = 136;
    DEV_NULL: u64 = makedev(MEM_MAJOR, 3);
    DEV_ZERO: u64 = makedev(MEM_MAJOR, 5);
    DEV_FULL: u64 = makedev(MEM_MAJOR, 7);
    DEV_RANDOM: u64 = makedev(MEM_MAJOR, 8);
    DEV_URANDOM: u64 = makedev(MEM_MAJOR, 9);
    DEV_TTY: u64 = makedev(TTYAUX_MAJOR, 0);
    /// Opening it makes a pseudo-terminal.
    DEV_PTMX: u64 = makedev(TTYAUX_MAJOR, 2);
    /// The first pseudo-terminal, /dev/pts/0.
    DEV_PTS_0: u64 = makedev(UNIX98_PTY_SLAVE_MAJOR, 0);
}
