//! Resource limits (getrlimit(2)).

use crate::uapi::Rlimit;

/// How many resources there are.
pub(crate) const COUNT: usize = 16;
/// No limit.
pub(crate) const INFINITY: u64 = u64::MAX;

pub(crate) const CPU: usize = 0;
pub(crate) const FILE_SIZE: usize = 1;
pub(crate) const STACK: usize = 3;
pub(crate) const CORE: usize = 4;
pub(crate) const PROCESSES: usize = 6;
pub(crate) const FILES: usize = 7;
pub(crate) const LOCKED: usize = 8;
pub(crate) const SIGNALS: usize = 11;
pub(crate) const QUEUES: usize = 12;

/// Size of a main thread's stack, bytes.
pub(crate) const STACK_SIZE: u64 = 8 << 20;
/// Most descriptors of a process.
pub(crate) const FILES_MOST: u64 = 1 << 20;

/// The limits of a process.
#[derive(Clone)]
pub(crate) struct Limits(pub(crate) [Rlimit; COUNT]);

impl Limits {
    /// What a container's first process finds.
    pub(crate) fn initial() -> Self {
        let unlimited = Rlimit {
            current: INFINITY,
            maximum: INFINITY,
        };
        let mut limits = [unlimited; COUNT];
        limits[STACK].current = STACK_SIZE;
        limits[CORE].current = 0;
        limits[FILES] = Rlimit {
            current: 1024 * 1024,
            maximum: FILES_MOST,
        };
        limits[LOCKED] = Rlimit {
            current: 8 << 20,
            maximum: 8 << 20,
        };
        limits[SIGNALS] = Rlimit {
            current: 4096,
            maximum: 4096,
        };
        limits[QUEUES] = Rlimit {
            current: 819_200,
            maximum: 819_200,
        };
        limits[13] = Rlimit {
            current: 0,
            maximum: 0,
        };
        limits[14] = Rlimit {
            current: 0,
            maximum: 0,
        };
        limits[PROCESSES] = unlimited;
        limits[CPU] = unlimited;
        Self(limits)
    }
}
