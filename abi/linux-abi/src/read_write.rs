//! Reading, writing and positions: lseek(2), preadv2(2), splice(2), fallocate(2), posix_fadvise(2).

numbers! {
    /// What an offset of `lseek` is counted from.
    pub struct Whence(u32) {
        SEEK_SET = 0,
        SEEK_CUR = 1,
        SEEK_END = 2,
        SEEK_DATA = 3,
        SEEK_HOLE = 4,
    }
}

flags! {
    /// What `sync_file_range` does.
    pub struct SyncRangeFlags(u32) {
        SYNC_FILE_RANGE_WAIT_BEFORE = 1,
        SYNC_FILE_RANGE_WRITE = 2,
        SYNC_FILE_RANGE_WAIT_AFTER = 4,
    }
}

flags! {
    /// The flags of `preadv2` and `pwritev2`.
    pub struct ReadWriteFlags(u32) {
        RWF_HIPRI = 0x01,
        RWF_DSYNC = 0x02,
        RWF_SYNC = 0x04,
        RWF_NOWAIT = 0x08,
        RWF_APPEND = 0x10,
    }
}

flags! {
    /// The flags of `splice`, `tee` and `vmsplice`.
    pub struct SpliceFlags(u32) {
        SPLICE_F_MOVE = 0x01,
        SPLICE_F_NONBLOCK = 0x02,
        SPLICE_F_MORE = 0x04,
        SPLICE_F_GIFT = 0x08,
    }
}

flags! {
    /// What `fallocate` does to a range.
    pub struct AllocateFlags(u32) {
        FALLOC_FL_KEEP_SIZE = 0x01,
        FALLOC_FL_PUNCH_HOLE = 0x02,
        FALLOC_FL_ZERO_RANGE = 0x10,
        FALLOC_FL_UNSHARE_RANGE = 0x40,
    }
}

numbers! {
    /// What `fadvise64` is told.
    pub struct FileAdvice(u32) {
        POSIX_FADV_NORMAL = 0,
        POSIX_FADV_RANDOM = 1,
        POSIX_FADV_SEQUENTIAL = 2,
        POSIX_FADV_WILLNEED = 3,
        POSIX_FADV_DONTNEED = 4,
        POSIX_FADV_NOREUSE = 5,
    }
}

constants! {
    /// Most bytes of one operation (the kernel's own name).
    MAX_RW_COUNT: usize = 0x7fff_f000;
    /// Most pieces of one operation, and most messages of `sendmmsg` and `recvmmsg`.
    UIO_MAXIOV: usize = 1024;
}
