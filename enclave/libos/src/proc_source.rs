//! The data of /proc, /sys and /dev: the container and its processes, as the file systems ask for them.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use kobject::{Description, Errno, File, Result, clock};
use libos_fs::{Context, Dentry, Kernel, Memory, NamedPipe, ProcessStatus, System, SystemV, ThreadStatus};
use linux_abi::signal::{SIG_DFL, SIG_IGN};
use linux_abi::{OpenFlags, Resource, Signal};

use crate::process::{CURRENT, Process, limits, table};
use crate::{ipc, syscall};

/// The container, as the file systems ask for it.
pub(crate) struct Source;

impl System for Source {
    fn named_pipe(&self) -> Arc<dyn NamedPipe> {
        Arc::new(Fifo(libos_io::pipe::Fifo::new()))
    }

    fn terminal(&self) -> Option<Arc<dyn File>> {
        CURRENT.with(|thread| {
            let open = thread.process.descriptors.with(|table| table.all());
            open.into_iter().map(|(_, file)| file).find_map(|file| {
                let stream = file.object_as::<libos_io::Stream>()?;
                stream.is_terminal().then(|| file.object().clone())
            })
        })
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
        let first = table::process(table::INIT).map_or(0, |process| process.started);
        clock::monotonic().saturating_sub(first)
    }

    fn processors(&self) -> u32 {
        crate::container().processor.count
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

    fn set_host_name(&self, name: &[u8]) -> Result<()> {
        *crate::container().hostname.lock() = name.to_vec();
        Ok(())
    }
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
        self.0.context()
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
        let (virtual_memory, resident) = process.space().size();
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
        let first = table::process(table::INIT).map_or(0, |process| process.started);
        ProcessStatus {
            parent: process.parent(),
            group: process.group.load(Ordering::Relaxed),
            session: process.session.load(Ordering::Relaxed),
            terminal: 0,
            foreground: -1,
            started: process.started.saturating_sub(first),
            virtual_memory,
            resident,
            code: 0,
            data: virtual_memory,
            stack: limits::STACK_SIZE,
            stack_start: process.image.lock().stack_start,
            times: [clock::monotonic().saturating_sub(process.started), 0],
            child_times: [0; 2],
            pending: process.pending.lock().set().0,
            ignored,
            caught,
            signal_limit: process.limits.lock()[Resource::RLIMIT_SIGPENDING].current,
            nice: 0,
        }
    }

    fn threads(&self) -> Vec<u32> {
        let numbers: Vec<u32> = self.0.threads().iter().map(|thread| thread.tid).collect();
        match numbers.is_empty() && self.0.last_name.lock().is_some() {
            // The first one stays until the process was waited for.
            true => Vec::from([self.0.pid]),
            false => numbers,
        }
    }

    fn thread(&self, tid: u32) -> Option<ThreadStatus> {
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
        let signals = thread.signals.lock();
        let first = table::process(table::INIT).map_or(0, |process| process.started);
        Some(ThreadStatus {
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
        let name = (*self.0.last_name.lock())?;
        let first = table::process(table::INIT).map_or(0, |process| process.started);
        (tid == self.0.pid).then(|| ThreadStatus {
            name: shown_name(name),
            state: match self.0.is_zombie.load(Ordering::Acquire) {
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
