//! An inotify instance: its watches, and the events that wait to be read.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::Ordering;

use enclave_rt::user;
use kobject::credentials::AccessMode;
use kobject::{
    Errno, File, FileKind, How, Mutex, Observer, Result, Sink, Source, SpinLock, Stat, Subscription,
    WaitQueue, clock, wait_until,
};
use linux_abi::{AtFlags, InotifyMask, Ioctl, PollEvents};

use super::usage::{self, MAX_QUEUED_EVENTS};
use super::{EVENTS, Event, Mark};
use crate::context::{At, Context};
use crate::vfs::Vfs;

/// Bytes of `struct inotify_event` without the name: watch, mask, cookie, length of the name.
const HEADER: usize = 16;

/// The watch of an event that is of none (IN_Q_OVERFLOW).
const NO_WATCH: i32 = -1;

/// An instance, as `inotify_init` makes it.
pub struct Inotify {
    state: SpinLock<State>,
    /// Held while a watch is added, so that no inode gets two.
    adding: Mutex<()>,
    queue: Arc<WaitQueue>,
    user: u32,
    itself: Weak<Self>,
}

#[derive(Default)]
struct State {
    watches: BTreeMap<i32, Arc<Mark>>,
    /// The highest watch that was given out: none is given out twice before all were.
    last: i32,
    events: VecDeque<Queued>,
    /// What the events take when they are read.
    bytes: usize,
}

struct Queued {
    watch: i32,
    mask: InotifyMask,
    cookie: u32,
    name: Vec<u8>,
}

impl Queued {
    /// Bytes of the name as it is read: with at least one zero, up to a multiple of 16.
    fn name_room(&self) -> usize {
        match self.name.len() {
            0 => 0,
            len => (len + 1).next_multiple_of(HEADER),
        }
    }

    fn len(&self) -> usize {
        HEADER + self.name_room()
    }

    fn write_to(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.len();
        out.extend_from_slice(&self.watch.to_ne_bytes());
        out.extend_from_slice(&self.mask.bits().to_ne_bytes());
        out.extend_from_slice(&self.cookie.to_ne_bytes());
        out.extend_from_slice(&(self.name_room() as u32).to_ne_bytes());
        out.extend_from_slice(&self.name);
        out.resize(end, 0);
    }

    /// Whether reading one of the two says as much as reading both.
    fn repeats(&self, last: &Self) -> bool {
        (self.watch, self.mask, &self.name) == (last.watch, last.mask, &last.name)
            && self.mask != InotifyMask::IN_IGNORED
    }
}

impl State {
    fn push(&mut self, event: Queued) {
        if self.events.back().is_some_and(|last| event.repeats(last)) {
            return;
        }
        let is_full = self.events.len() >= MAX_QUEUED_EVENTS;
        let overflow = Queued {
            watch: NO_WATCH,
            mask: InotifyMask::IN_Q_OVERFLOW,
            cookie: 0,
            name: Vec::new(),
        };
        let event = match is_full {
            true if self.events.back().is_some_and(|last| last.watch == NO_WATCH) => return,
            true => overflow,
            false => event,
        };
        self.bytes += event.len();
        self.events.push_back(event);
    }

    /// Takes as many events as there is room for. EAGAIN if there are none, EINVAL if there is no room for the first.
    fn take(&mut self, room: usize) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        while let Some(first) = self.events.front() {
            if out.len() + first.len() > room {
                break;
            }
            first.write_to(&mut out);
            self.bytes -= first.len();
            self.events.pop_front();
        }
        match (out.is_empty(), self.events.is_empty()) {
            (true, true) => Err(Errno::EAGAIN),
            (true, false) => Err(Errno::EINVAL),
            _ => Ok(out),
        }
    }

    fn next_watch(&mut self) -> Result<i32> {
        for _ in 0..=self.watches.len() {
            self.last = self.last.checked_add(1).unwrap_or(1);
            if !self.watches.contains_key(&self.last) {
                return Ok(self.last);
            }
        }
        Err(Errno::ENOSPC)
    }
}

impl Inotify {
    /// `inotify_init`, by this user. EMFILE if it has too many.
    pub fn new(user: u32) -> Result<Arc<Self>> {
        usage::add_instance(user)?;
        Ok(Arc::new_cyclic(|itself| Self {
            state: SpinLock::new(State::default()),
            adding: Mutex::new(()),
            queue: WaitQueue::new(),
            user,
            itself: itself.clone(),
        }))
    }

    /// `inotify_add_watch`: the watch. EACCES unless the file may be read, ENOTDIR with IN_ONLYDIR, EEXIST with IN_MASK_CREATE if it is
    /// watched already, ENOSPC if there are too many.
    pub fn watch(&self, vfs: &Vfs, context: &Context, path: &[u8], mask: InotifyMask) -> Result<i32> {
        let flags = match mask.contains(InotifyMask::IN_DONT_FOLLOW) {
            true => AtFlags::AT_SYMLINK_NOFOLLOW,
            false => AtFlags::empty(),
        };
        let dentry = vfs.locate(context, At::Cwd, path, flags)?;
        if mask.contains(InotifyMask::IN_ONLYDIR) && !dentry.head().is_directory() {
            return Err(Errno::ENOTDIR);
        }
        dentry.head().permits(&context.credentials, AccessMode::READ)?;
        let kept = mask & (EVENTS | InotifyMask::IN_EXCL_UNLINK | InotifyMask::IN_ONESHOT);
        let marks = dentry.tree().map(|inode| {
            // Forgotten inodes would come back without their marks.
            inode.pin();
            &inode.extra().marks
        });
        let _adding = self.adding.lock();
        if let Some(mark) = marks.and_then(|marks| marks.of(&self.itself)) {
            if mask.contains(InotifyMask::IN_MASK_CREATE) {
                return Err(Errno::EEXIST);
            }
            match mask.contains(InotifyMask::IN_MASK_ADD) {
                true => mark.mask.fetch_or(kept.bits(), Ordering::Relaxed),
                false => mark.mask.swap(kept.bits(), Ordering::Relaxed),
            };
            return Ok(mark.watch);
        }
        usage::add_watch(self.user)?;
        let mut state = self.state.lock();
        let watch = state
            .next_watch()
            .inspect_err(|_| usage::give_back(self.user, 0, 1))?;
        let mark = Mark::new(watch, kept, self.itself.clone(), Arc::downgrade(dentry.inode()));
        state.watches.insert(watch, mark.clone());
        drop(state);
        if let Some(marks) = marks {
            marks.add(mark);
        }
        Ok(watch)
    }

    /// `inotify_rm_watch`: EINVAL for a watch that there is not.
    pub fn remove(&self, watch: i32) -> Result<()> {
        let mark = self.state.lock().watches.get(&watch).cloned();
        self.end(&mark.ok_or(Errno::EINVAL)?);
        Ok(())
    }

    /// A watch ends, which is told (IN_IGNORED).
    pub(super) fn end(&self, mark: &Arc<Mark>) {
        mark.detach();
        let mut state = self.state.lock();
        if state.watches.remove(&mark.watch).is_none() {
            return;
        }
        state.push(Queued {
            watch: mark.watch,
            mask: InotifyMask::IN_IGNORED,
            cookie: 0,
            name: Vec::new(),
        });
        drop(state);
        usage::give_back(self.user, 0, 1);
        self.queue.wake(PollEvents::READABLE);
    }

    pub(super) fn tell(&self, mark: &Arc<Mark>, event: Event<'_>) {
        // What becomes of the watched file itself is told without its kind (inotify_handle_inode_event of the kernel).
        let of_itself = InotifyMask::IN_MOVE_SELF | InotifyMask::IN_DELETE_SELF;
        let mask = match event.mask.intersects(of_itself) {
            true => event.mask - InotifyMask::IN_ISDIR,
            false => event.mask,
        };
        self.state.lock().push(Queued {
            watch: mark.watch,
            mask,
            cookie: event.cookie,
            name: event.name.to_vec(),
        });
        self.queue.wake(PollEvents::READABLE);
        if mark.mask().contains(InotifyMask::IN_ONESHOT) {
            self.end(mark);
        }
    }
}

impl Drop for Inotify {
    fn drop(&mut self) {
        let watches = core::mem::take(&mut self.state.lock().watches);
        usage::give_back(self.user, 1, watches.len());
        for mark in watches.values() {
            mark.detach();
        }
    }
}

impl File for Inotify {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stat(&self) -> Result<Stat> {
        let now = clock::timestamp();
        let mut stat = Stat::new(FileKind::Anonymous, 0o600, 0);
        (stat.accessed, stat.modified, stat.changed) = (now, now, now);
        Ok(stat)
    }

    fn info(&self) -> String {
        let mut text = String::new();
        let watches = self.state.lock().watches.clone();
        // The last one first, as on Linux.
        for mark in watches.values().rev() {
            let Some(inode) = mark.inode.upgrade() else {
                continue;
            };
            let (watch, mask, head) = (mark.watch, mark.mask().bits(), inode.head());
            let (number, device) = (head.number, head.device);
            text += &format!(
                "inotify wd:{watch:x} ino:{number:x} sdev:{device:x} mask:{mask:x} ignored_mask:0 \n"
            );
        }
        text
    }

    fn read(&self, _: u64, to: &mut dyn Sink, how: How) -> Result<usize> {
        let room = to.room();
        let attempt = || self.state.lock().take(room);
        let events = match how.nonblocking {
            true => attempt()?,
            false => wait_until(&self.queue, PollEvents::READABLE, None, attempt)?,
        };
        to.put(&events)?;
        Ok(events.len())
    }

    fn write(&self, _: u64, _: &mut dyn Source, _: How) -> Result<(usize, u64)> {
        Err(Errno::EBADF)
    }

    fn poll(&self, interest: PollEvents) -> PollEvents {
        match self.state.lock().events.is_empty() {
            true => PollEvents::empty(),
            false => interest & PollEvents::READABLE,
        }
    }

    fn subscribe(&self, interest: PollEvents, observer: Weak<dyn Observer>) -> Option<Subscription> {
        Some(self.queue.subscribe(interest, observer))
    }

    fn ioctl(&self, request: Ioctl, argument: u64) -> Result<u64> {
        match request {
            Ioctl::FIONREAD => {
                let bytes = self.state.lock().bytes as u32;
                user::write(argument, &bytes.to_ne_bytes())?;
                Ok(0)
            }
            _ => Err(Errno::ENOTTY),
        }
    }
}
