//! Descriptors, locks and seals: fcntl(2), flock(2).

numbers! {
    /// What `fcntl` does.
    pub struct FcntlCommand(u32) {
        F_DUPFD = 0,
        F_GETFD = 1,
        F_SETFD = 2,
        F_GETFL = 3,
        F_SETFL = 4,
        F_GETLK = 5,
        F_SETLK = 6,
        F_SETLKW = 7,
        F_SETOWN = 8,
        F_GETOWN = 9,
        F_SETLEASE = 1024,
        F_GETLEASE = 1025,
        F_SETSIG = 10,
        F_GETSIG = 11,
        F_SETOWN_EX = 15,
        F_GETOWN_EX = 16,
        F_OFD_GETLK = 36,
        F_OFD_SETLK = 37,
        F_OFD_SETLKW = 38,
        F_DUPFD_QUERY = 1024 + 3,
        F_DUPFD_CLOEXEC = 1030,
        F_SETPIPE_SZ = 1031,
        F_GETPIPE_SZ = 1032,
        F_ADD_SEALS = 1033,
        F_GET_SEALS = 1034,
    }
}

numbers! {
    /// Whom a signal tells of events at an open file.
    pub struct OwnerKind(i32) {
        F_OWNER_TID = 0,
        F_OWNER_PID = 1,
        F_OWNER_PGRP = 2,
    }
}

flags! {
    /// The flags of a descriptor (`F_GETFD`).
    pub struct DescriptorFlags(u32) {
        FD_CLOEXEC = 1,
    }
}

numbers! {
    /// `l_type` of `struct flock`.
    pub struct RecordLockType(i16) {
        F_RDLCK = 0,
        F_WRLCK = 1,
        F_UNLCK = 2,
    }
}

flags! {
    /// What `flock` does: one of the first three, and whether it waits.
    pub struct FlockFlags(u32) {
        LOCK_SH = 1,
        LOCK_EX = 2,
        LOCK_UN = 8,
        LOCK_MAND = 32,
        LOCK_NB = 4,
    }
}

flags! {
    /// What can no longer be done to a file (`F_ADD_SEALS`).
    pub struct Seals(u32) {
        F_SEAL_SEAL = 0x01,
        F_SEAL_SHRINK = 0x02,
        F_SEAL_GROW = 0x04,
        F_SEAL_WRITE = 0x08,
        F_SEAL_FUTURE_WRITE = 0x10,
        F_SEAL_EXEC = 0x20,
    }
}
