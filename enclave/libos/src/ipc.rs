//! System V IPC and POSIX message queues of the container: who calls, and what /proc/sysvipc shows. The objects are in `libos-ipc`.

use alloc::format;
use alloc::string::String;

use kobject::clock::{self, SECOND};
use kobject::{Credentials, Result, Waiter};
use libos_ipc::posix_queue::Names;
use libos_ipc::{Caller, Messages, Permissions, Semaphores, SharedMemory};

use crate::process::{CURRENT, Process, Thread};

/// The container's objects.
pub(crate) struct Ipc {
    pub(crate) shared_memory: SharedMemory,
    pub(crate) semaphores: Semaphores,
    pub(crate) messages: Messages,
    pub(crate) queues: Names,
}

impl Ipc {
    /// None yet, for programs that have `memory` bytes. Segments may have half of it, as files: while nobody maps them, they take as much
    /// of the kernel's memory.
    pub(crate) fn new(memory: u64) -> Self {
        fn pid() -> u32 {
            CURRENT.try_with(|thread| thread.process.pid).unwrap_or_default()
        }
        Self {
            shared_memory: SharedMemory::new(memory / 2, || (pid(), now())),
            semaphores: Semaphores::default(),
            messages: Messages::default(),
            queues: Names::default(),
        }
    }

    /// A process has ended.
    pub(crate) fn process_ended(&self, pid: u32) {
        self.semaphores.process_ended(pid, now());
    }
}

fn now() -> i64 {
    (clock::realtime() / SECOND) as i64
}

/// A process that makes a call now, with these of its credentials.
pub(crate) fn caller<'a>(process: &Process, credentials: &'a Credentials) -> Caller<'a> {
    Caller {
        credentials,
        pid: process.pid,
        now: now(),
    }
}

/// Lets `thread` wait, up to a deadline on CLOCK_MONOTONIC.
pub(crate) fn sleep(thread: &Thread, deadline: Option<u64>) -> impl FnMut(&Waiter) -> Result<()> {
    move |waiter| thread.retry_interrupted(|| waiter.sleep(deadline))
}

/// /proc/sysvipc/shm.
pub(crate) fn segments_text(ipc: &Ipc) -> String {
    let mut text = String::from(
        "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      \
         atime      dtime      ctime                   rss                  swap\n",
    );
    for state in ipc.shared_memory.all() {
        let Permissions {
            key,
            uid,
            gid,
            creator,
            creator_group,
            mode,
            ..
        } = state.permissions;
        text += &format!(
            "{key:10} {:10}  {mode:4o} {:21} {:5} {:5}  {:5} {uid:5} {gid:5} {creator:5} {creator_group:5} \
             {:10} {:10} {:10} {:21} {:21}\n",
            state.id,
            state.len,
            state.creator_pid,
            state.last_pid,
            state.attachments,
            state.attached,
            state.detached,
            state.changed,
            0,
            0,
        );
    }
    text
}

/// /proc/sysvipc/sem.
pub(crate) fn semaphores_text(ipc: &Ipc) -> String {
    let mut text = String::from(
        "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n",
    );
    for state in ipc.semaphores.all() {
        let Permissions {
            key,
            uid,
            gid,
            creator,
            creator_group,
            mode,
            ..
        } = state.permissions;
        text += &format!(
            "{key:10} {:10}  {mode:4o} {:10} {uid:5} {gid:5} {creator:5} {creator_group:5} {:10} {:10}\n",
            state.id, state.len, state.operated, state.changed,
        );
    }
    text
}

/// /proc/sysvipc/msg.
pub(crate) fn messages_text(ipc: &Ipc) -> String {
    let mut text = String::from(
        "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      \
         stime      rtime      ctime\n",
    );
    for state in ipc.messages.all() {
        let Permissions {
            key,
            uid,
            gid,
            creator,
            creator_group,
            mode,
            ..
        } = state.permissions;
        text += &format!(
            "{key:10} {:10}  {mode:4o}  {:10} {:10} {:5} {:5} {uid:5} {gid:5} {creator:5} \
             {creator_group:5} {:10} {:10} {:10}\n",
            state.id,
            state.bytes,
            state.len,
            state.last_sender,
            state.last_receiver,
            state.sent,
            state.received,
            state.changed,
        );
    }
    text
}
