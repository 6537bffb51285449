//! Host calls that wait for several descriptors.

use host_abi::{Answer, EpollControl, EpollCreate, EpollEvent, EpollWait, Poll, ReadyEvent, Wait};

use super::ahead::Ahead;
use super::{Caller, value};
use crate::kernel;

/// What is left of a wait as a `struct timespec`; the calls here begin at once.
fn limit(wait: Wait) -> Option<libc::timespec> {
    wait.limit().map(kernel::timespec)
}

pub(super) fn poll(call: Poll, caller: Caller) -> Answer {
    // A `struct pollfd` is what the boundary has: descriptor, events, events that happened.
    const _: () = assert!(size_of::<libc::pollfd>() == host_abi::PollEntry::SIZE);
    let limit = limit(call.wait);
    let limit = kernel::timespec_address(limit.as_ref());
    let args = [caller.staging.address(), call.count as u64, limit, 0, 0, 0];
    // SAFETY: the entries lie in the staging buffer: `Poll` bounds their number.
    value(unsafe { caller.waker.blocking(libc::SYS_ppoll, args) })
}

pub(super) fn epoll_create(_: EpollCreate) -> Answer {
    // SAFETY: no preconditions.
    value(kernel::result(unsafe {
        libc::epoll_create1(libc::EPOLL_CLOEXEC)
    }))
}

pub(super) fn epoll_control(call: EpollControl, ahead: &Ahead) -> Answer {
    // With data that is received ahead the enclave has to know whether the end comes right behind it.
    let is_read_ahead = call.ahead && call.events & libc::EPOLLIN as u32 != 0;
    let also = if is_read_ahead { libc::EPOLLRDHUP as u32 } else { 0 };
    let event = libc::epoll_event {
        events: call.events | also,
        u64: call.data,
    };
    let args = [
        call.epoll.raw().into(),
        call.operation as u64,
        call.fd.raw().into(),
        (&raw const event) as u64,
        0,
        0,
    ];
    // SAFETY: reads the event.
    value(ahead.control(call, || unsafe { kernel::syscall(libc::SYS_epoll_ctl, args) }))
}

pub(super) fn epoll_wait(call: EpollWait, caller: Caller, ahead: &Ahead) -> Answer {
    // Before the kernel's events take its place.
    let held = held(caller, call.held);
    let limit = limit(call.wait);
    let limit = kernel::timespec_address(limit.as_ref());
    let args = [
        call.epoll.raw().into(),
        caller.staging.address(),
        call.most as u64,
        limit,
        0,
        0,
    ];
    // SAFETY: the kernel's events are smaller than ours, which `EpollWait` bounds to the staging buffer.
    let count = unsafe { caller.waker.blocking(libc::SYS_epoll_pwait2, args) };
    if let Ok(count) = usize::try_from(count) {
        let events = (0..count).map(|at| kernel_event(caller, at));
        let received = ahead.receive(call, &held, events, caller.staging);
        widen_events(caller, count, &received);
    }
    value(count)
}

fn held(caller: Caller, count: usize) -> Vec<u64> {
    let bytes = caller.staging.read(0, count * size_of::<u64>());
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|word| u64::from_le_bytes(*word))
        .collect()
}

const PACKED: usize = size_of::<libc::epoll_event>();
const _: () = assert!(PACKED == 12);

/// An event, as the kernel has written it to the staging buffer.
fn kernel_event(caller: Caller, at: usize) -> EpollEvent {
    let base = std::ptr::with_exposed_provenance::<u8>(caller.staging.address() as usize);
    // SAFETY: the kernel has written more packed events than this to the staging buffer.
    let packed = unsafe { base.add(at * PACKED) };
    // SAFETY: as above.
    let event = unsafe { packed.cast::<libc::epoll_event>().read_unaligned() };
    EpollEvent {
        events: event.events,
        data: event.u64,
    }
}

/// The kernel packs an event into 12 bytes; the boundary has 16. From the last one on, in place.
fn widen_events(caller: Caller, count: usize, received: &[i64]) {
    let base = std::ptr::with_exposed_provenance_mut::<u8>(caller.staging.address() as usize);
    for at in (0..count).rev() {
        let ahead = received.get(at).copied().unwrap_or(kernel::error(libc::EAGAIN));
        let wide = ReadyEvent::new(kernel_event(caller, at), ahead).to_bytes();
        // SAFETY: `EpollWait` bounds the number of wide events to the staging buffer.
        let to = unsafe { base.add(at * ReadyEvent::SIZE) };
        // SAFETY: as above; packed events before this one end before `to`.
        unsafe { to.copy_from_nonoverlapping(wide.as_ptr(), wide.len()) };
    }
}
