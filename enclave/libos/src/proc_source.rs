//! The data of /proc, /sys and /dev: the container and its processes, as the file systems ask for them.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use enclave_layout::PAGE_SIZE;
use kobject::{Description, Errno, File, Result, clock};
use libos_fs::{
    Cache, Context, Dentry, Kernel, MappingStatus, Memory, NamedPipe, ProcessStatus, System, SystemV,
    ThreadStatus, Transfers,
};
use linux_abi::device::DEV_TTY;
use linux_abi::signal::{SIG_DFL, SIG_IGN};
use linux_abi::{Capabilities, OpenFlags, Resource, Signal};

use crate::process::scheduling::Scheduling;
use crate::process::{CURRENT, Process, kin, table};
use crate::signal::send;
use crate::{ipc, syscall, terminal};

/// The container, as the file systems ask for it.
pub(crate) struct Source;

impl System for Source {
    fn named_pipe(&self) -> Arc<dyn NamedPipe> {
        Arc::new(Fifo(libos_io::pipe::Fifo::new()))
    }

    fn open_terminal(&self, number: u64, flags: OpenFlags, inode: Arc<dyn File>) -> Result<Arc<dyn File>> {
        match terminal::open(number, flags, inode) {
            Err(Errno::ENXIO) if number == DEV_TTY => host_terminal().ok_or(Errno::ENXIO),
            opened => opened,
        }
    }

    fn terminals(&self) -> usize {
        terminal::count()
    }

    fn processes(&self) -> Vec<u32> {
        table::processes().iter().map(|process| process.pid).collect()
    }

    fn process(&self, pid: u32) -> Option<Arc<dyn libos_fs::Process>> {
        let process = table::process(pid)?;
        Some(Arc::new(Shown(process)))
    }

    fn current(&self) -> (u32, u32) {
        CURRENT.with(|thread| (thread.process.pid, thread.tid))
    }

    fn memory(&self) -> Memory {
        let total = crate::container().memory;
        let used: u64 = table::processes()
            .iter()
            .map(|process| process.space().size().1)
            .sum();
        Memory {
            total,
            free: total.saturating_sub(used),
        }
    }

    fn uptime(&self) -> u64 {
        table::uptime()
    }

    fn processors(&self) -> u32 {
        crate::container().processor.count
    }

    fn caches(&self) -> Vec<Cache> {
        crate::container().processor.caches()
    }

    fn cpu_info(&self) -> Vec<u8> {
        crate::container().processor.info()
    }

    fn kernel(&self) -> Kernel {
        Kernel {
            release: syscall::RELEASE,
            version: syscall::VERSION,
        }
    }

    fn system_v(&self, facility: SystemV) -> Vec<u8> {
        let objects = &crate::container().ipc;
        let text = match facility {
            SystemV::Segments => ipc::segments_text(objects),
            SystemV::Semaphores => ipc::semaphores_text(objects),
            SystemV::Messages => ipc::messages_text(objects),
        };
        text.into_bytes()
    }

    fn host_name(&self) -> Vec<u8> {
        crate::container().hostname.lock().clone()
    }
}

/// A terminal of the host's that the calling process has open, which stands in for a controlling terminal.
fn host_terminal() -> Option<Arc<dyn File>> {
    CURRENT.with(|thread| {
        let open = thread.process.descriptors.with(|table| table.all());
        open.into_iter().map(|(_, file)| file).find_map(|file| {
            let stream = file.object_as::<libos_io::Stream>()?;
            stream.is_terminal().then(|| file.object().clone())
        })
    })
}

struct Fifo(libos_io::pipe::Fifo);

impl NamedPipe for Fifo {
    fn open(&self, flags: OpenFlags, inode: Arc<dyn File>) -> Result<Arc<dyn File>> {
        let end: Arc<dyn File> = self.0.open(flags, inode)?;
        Ok(end)
    }
}

/// A process, as /proc shows it.
struct Shown(Arc<Process>);

fn joined(strings: &[Vec<u8>]) -> Vec<u8> {
    strings
        .iter()
        .flat_map(|string| string.iter().copied().chain([0]))
        .collect()
}

impl libos_fs::Process for Shown {
    fn context(&self) -> Context {
        self.0.context(self.0.credentials())
    }

    fn is_inspected_by(&self, pid: u32) -> bool {
        let Some(other) = table::process(pid) else {
            return false;
        };
        let (own, other) = (self.0.credentials(), other.credentials());
        let [users, groups] = [own.uid, own.gid].map(|[real, effective, saved, _]| [real, effective, saved]);
        let is_same = users.iter().all(|&user| user == other.fsuid())
            && groups.iter().all(|&group| group == other.fsgid())
            && self.0.dumpable.load(Ordering::Relaxed) == 1;
        pid == self.0.pid || is_same || other.has(Capabilities::CAP_SYS_PTRACE)
    }

    fn has_ended(&self) -> bool {
        self.0.is_zombie.load(Ordering::Acquire)
    }

    fn children(&self) -> Vec<u32> {
        kin::children(self.0.pid).iter().map(|child| child.pid).collect()
    }

    fn executable(&self) -> Option<Arc<Dentry>> {
        self.0.image.lock().executable.clone()
    }

    fn arguments(&self) -> Vec<u8> {
        joined(&self.0.image.lock().arguments)
    }

    fn environment(&self) -> Vec<u8> {
        joined(&self.0.image.lock().environment)
    }

    fn auxiliary(&self) -> Vec<u8> {
        self.0.image.lock().auxiliary.clone()
    }

    fn maps(&self) -> Vec<u8> {
        self.0.space().maps()
    }

    fn mappings(&self) -> Vec<MappingStatus> {
        let report = self.0.space().report().into_iter();
        let shown = report.map(|mapping| MappingStatus {
            line: mapping.line,
            size: mapping.size,
            resident: mapping.resident,
            is_shared: mapping.is_shared,
            is_locked: mapping.is_locked,
        });
        shown.collect()
    }

    fn transfers(&self) -> Transfers {
        let ((reads, read), (writes, written)) = (self.0.reads.counts(), self.0.writes.counts());
        Transfers {
            read,
            written,
            reads,
            writes,
        }
    }

    fn descriptors(&self) -> Vec<u32> {
        self.0
            .descriptors
            .with(|table| table.all())
            .into_iter()
            .map(|(fd, _)| fd)
            .collect()
    }

    fn descriptor(&self, fd: u32) -> Option<Arc<Description>> {
        self.0.descriptors.with(|table| table.find(fd).ok().cloned())
    }

    fn limits(&self) -> [(u64, u64); Resource::COUNT] {
        self.0.limits.lock().0.map(|limit| (limit.current, limit.maximum))
    }

    fn status(&self) -> ProcessStatus {
        let process = &self.0;
        let sizes = process.space().sizes();
        let (mut ignored, mut caught) = (0, 0);
        let actions = process.actions.lock();
        for signal in (1..=Signal::COUNT as u64).filter_map(Signal::from_raw) {
            match actions.of(signal).handler {
                SIG_DFL => {}
                SIG_IGN => ignored |= 1 << signal.index(),
                _ => caught |= 1 << signal.index(),
            }
        }
        drop(actions);
        let terminal = process.terminal.lock().clone();
        let first = table::process(table::INIT).map_or(0, |process| process.started);
        let (stack_start, (code_start, code_end)) = {
            let image = process.image.lock();
            (image.stack_start, image.code)
        };
        // As `task_mem` of the kernel: whole pages, and not more than is mapped.
        let code_pages = code_end
            .checked_next_multiple_of(PAGE_SIZE)
            .unwrap_or(code_end)
            .saturating_sub(code_start / PAGE_SIZE * PAGE_SIZE);
        let code = code_pages.min(sizes.executable);
        // Not below: locks that are taken there are held to the end.
        let signals_queued = send::waiting_for(process.uid()) as u64;
        ProcessStatus {
            parent: process.parent(),
            group: process.group.load(Ordering::Relaxed),
            session: process.session.load(Ordering::Relaxed),
            terminal: terminal.as_ref().map_or(0, |terminal| terminal.device() as u32),
            foreground: terminal.map_or(-1, |terminal| terminal.foreground().cast_signed()),
            started: process.started.saturating_sub(first),
            virtual_memory: sizes.total,
            locked: sizes.locked,
            resident_anonymous: sizes.resident_anonymous,
            resident_file: sizes.resident_file,
            resident_shared_memory: sizes.resident_shared_memory,
            code,
            libraries: sizes.executable.saturating_sub(code),
            data: sizes.data,
            stack: sizes.stack,
            stack_start,
            code_range: [code_start, code_end],
            times: [clock::monotonic().saturating_sub(process.started), 0],
            child_times: [0; 2],
            pending: process.pending.lock().set().0,
            ignored,
            caught,
            signals_queued,
            signal_limit: process.limits.lock()[Resource::RLIMIT_SIGPENDING].current,
        }
    }

    /// With the first thread, which stays until the process is gone.
    fn threads(&self) -> Vec<u32> {
        let mut threads: Vec<u32> = self.0.threads().iter().map(|thread| thread.tid).collect();
        if threads.first() != Some(&self.0.pid) {
            threads.insert(0, self.0.pid);
        }
        threads
    }

    fn thread(&self, tid: u32) -> Option<ThreadStatus> {
        let first = table::process(table::INIT).map_or(0, |process| process.started);
        let Some(thread) = self.0.thread(tid) else {
            return self.ended(tid);
        };
        let name = shown_name(*thread.name.lock());
        let state = match () {
            () if CURRENT.with(|current| current.tid == tid) => b'R',
            () if self.0.stop.is_stopped() => b'T',
            // Who was woken runs, though it may not know yet.
            () if thread.is_away.load(Ordering::Relaxed) && thread.is_outside() => b'S',
            () => b'R',
        };
        let scheduling = thread.scheduling.lock().clone();
        let signals = thread.signals.lock();
        Some(ThreadStatus {
            credentials: thread.credentials(),
            policy: scheduling.policy,
            priority: scheduling.priority,
            nice: scheduling.nice,
            processors: scheduling.processors(),
            timer_slack: scheduling.timer_slack,
            name,
            state,
            started: self.0.started.saturating_sub(first),
            times: [0; 2],
            pending: signals.pending.set().0,
            blocked: signals.mask.0,
        })
    }

    fn set_thread_name(&self, tid: u32, name: &[u8]) -> Result<()> {
        let thread = self.0.thread(tid).ok_or(Errno::ESRCH)?;
        thread.set_name(name);
        Ok(())
    }
}

impl Shown {
    /// The first thread of a process that has ended.
    fn ended(&self, tid: u32) -> Option<ThreadStatus> {
        let first = table::process(table::INIT).map_or(0, |process| process.started);
        let others_live = !self.0.threads().is_empty();
        let nothing_asked = Scheduling::first();
        (tid == self.0.pid).then(|| ThreadStatus {
            credentials: self.0.credentials(),
            policy: nothing_asked.policy,
            priority: nothing_asked.priority,
            nice: nothing_asked.nice,
            processors: nothing_asked.processors(),
            timer_slack: nothing_asked.timer_slack,
            name: shown_name(*self.0.name_at_end.lock()),
            state: match others_live || self.0.is_zombie.load(Ordering::Acquire) {
                true => b'Z',
                // It is still giving back what it had.
                false => b'R',
            },
            started: self.0.started.saturating_sub(first),
            times: [0; 2],
            pending: 0,
            blocked: 0,
        })
    }
}

/// A thread's name without what lies behind it.
fn shown_name(name: [u8; 16]) -> Vec<u8> {
    name.split(|&byte| byte == 0).next().unwrap_or_default().to_vec()
}
