//! System V IPC and POSIX message queues: sysvipc(7), mq_overview(7).

flags! {
    /// How an object is looked up or waited for; the lowest nine bits are permissions.
    pub struct IpcFlags(u32) {
        IPC_CREAT = 0o1000,
        IPC_EXCL = 0o2000,
        IPC_NOWAIT = 0o4000,
    }
}

numbers! {
    /// What `shmctl` does.
    pub struct ShmCommand(u32) {
        IPC_RMID = 0,
        IPC_SET = 1,
        IPC_STAT = 2,
        IPC_INFO = 3,
        SHM_LOCK = 11,
        SHM_UNLOCK = 12,
        SHM_STAT = 13,
        SHM_INFO = 14,
        SHM_STAT_ANY = 15,
    }
}

numbers! {
    /// What `semctl` does.
    pub struct SemCommand(u32) {
        IPC_RMID = 0,
        IPC_SET = 1,
        IPC_STAT = 2,
        IPC_INFO = 3,
        GETPID = 11,
        GETVAL = 12,
        GETALL = 13,
        GETNCNT = 14,
        GETZCNT = 15,
        SETVAL = 16,
        SETALL = 17,
        SEM_STAT = 18,
        SEM_INFO = 19,
        SEM_STAT_ANY = 20,
    }
}

numbers! {
    /// What `msgctl` does.
    pub struct MsgCommand(u32) {
        IPC_RMID = 0,
        IPC_SET = 1,
        IPC_STAT = 2,
        IPC_INFO = 3,
        MSG_STAT = 11,
        MSG_INFO = 12,
        MSG_STAT_ANY = 13,
    }
}

flags! {
    /// How a shared memory segment is attached.
    pub struct ShmFlags(u32) {
        SHM_RDONLY = 0o10000,
        SHM_RND = 0o20000,
        SHM_REMAP = 0o40000,
        SHM_EXEC = 0o100000,
    }
}

flags! {
    /// How a semaphore operation is done, beside `IPC_NOWAIT`.
    pub struct SemFlags(u32) {
        SEM_UNDO = 0x1000,
    }
}

flags! {
    /// How a message is received, beside `IPC_NOWAIT`.
    pub struct MsgFlags(u32) {
        MSG_NOERROR = 0o10000,
        MSG_EXCEPT = 0o20000,
        MSG_COPY = 0o40000,
    }
}

constants! {
    IPC_PRIVATE: i32 = 0;
    /// Objects of one kind that an identifier can name (`ipcmni_seq_shift`): its upper bits are a sequence number.
    IPCMNI_SHIFT: u32 = 15;
    /// A segment of huge pages.
    SHM_HUGETLB: u32 = 0o4000;
    /// Bits of a segment's mode: it goes with its last attachment, and it is locked in memory.
    SHM_DEST: u32 = 0o1000;
    SHM_LOCKED: u32 = 0o2000;
    SHMMNI: usize = 4096;
    SHMMIN: u64 = 1;
    /// Most bytes of a segment, and most pages of all.
    SHMMAX: u64 = u64::MAX - (1 << 24);
    SHMALL: u64 = u64::MAX - (1 << 24);
    SEMMNI: usize = 32000;
    SEMMSL: usize = 32000;
    SEMMNS: usize = 32000 * 32000;
    SEMOPM: usize = 500;
    SEMVMX: i32 = 32767;
    SEMAEM: i32 = 32767;
    SEMUSZ: i32 = 20;
    MSGMNI: usize = 32000;
    MSGMAX: usize = 8192;
    MSGMNB: u64 = 16384;
    MSGSSZ: i32 = 16;
    /// Messages of POSIX queues have lower priorities than this.
    MQ_PRIO_MAX: u32 = 32768;
    /// What a queue has if its maker does not say, and what anybody may ask for at most.
    DFLT_MSGMAX: i64 = 10;
    DFLT_MSGSIZEMAX: i64 = 8192;
    /// What whoever has CAP_SYS_RESOURCE may ask for.
    HARD_MSGMAX: i64 = 65536;
    HARD_MSGSIZEMAX: i64 = 16 * 1024 * 1024;
    DFLT_QUEUESMAX: usize = 256;
}
