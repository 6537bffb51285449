//! Host calls, decoded and served: one module per kind.

mod ahead;
mod changes;
mod memory;
mod poll;
mod process;
mod quote;
mod socket;
mod stream;

use host_abi::{Answer, CallCode, HostCall, HostClocks, STAGING_SIZE};
use sgx_platform::Enclave;

use crate::kernel;
use crate::stats;
use crate::thread::Runtime;
use crate::wake::Waker;

pub(crate) use ahead::Ahead;
pub(crate) use quote::Quoting;

/// Who answers host calls. The default is [`Honest`]; the tests of the boundary have hosts that lie.
pub trait Host: Send + Sync {
    /// Answers a call. `honest` serves it and gives the true answer; it may be called once, or not at all.
    fn answer(
        &self,
        code: CallCode,
        args: [u64; 6],
        staging: Staging,
        honest: &mut dyn FnMut() -> Answer,
    ) -> Answer;

    /// The boot information as the enclave finds it: the bytes of a [`host_abi::BootInfo`].
    fn boot_info(&self, honest: Vec<u8>) -> Vec<u8> {
        honest
    }

    /// The signals that the enclave is told of at an entry: bit `n - 1` for signal `n`.
    fn signals(&self, honest: u64) -> u64 {
        honest
    }

    /// What became of a posted piece ([`host_abi::Posted::result`]).
    fn sent(&self, honest: i64) -> i64 {
        honest
    }

    /// Where a thread that enters is told that its call area lies.
    fn call_area(&self, honest: u64) -> u64 {
        honest
    }
}

/// Answers every call truthfully.
#[derive(Clone, Copy, Debug)]
pub struct Honest;

impl Host for Honest {
    fn answer(&self, _: CallCode, _: [u64; 6], _: Staging, honest: &mut dyn FnMut() -> Answer) -> Answer {
        honest()
    }
}

/// A thread's staging buffer: memory that the enclave writes, too, so there is never a reference into it.
#[derive(Clone, Copy, Debug)]
pub struct Staging(u64);

impl Staging {
    /// # Safety
    /// `address` is that of [`STAGING_SIZE`] bytes, mapped for as long as the process lives.
    pub(crate) unsafe fn new(address: u64) -> Self {
        Self(address)
    }

    /// Its address, for the kernel.
    pub(crate) fn address(self) -> u64 {
        self.0
    }

    /// Copies bytes out, from `at` on; as many as there are.
    pub fn read(self, at: usize, len: usize) -> Vec<u8> {
        let len = len.min(STAGING_SIZE.saturating_sub(at));
        let mut bytes = vec![0; len];
        let from = std::ptr::with_exposed_provenance::<u8>(self.0 as usize);
        // SAFETY: within the buffer.
        let from = unsafe { from.add(at.min(STAGING_SIZE)) };
        // SAFETY: within the buffer, as bounded above.
        unsafe { from.copy_to_nonoverlapping(bytes.as_mut_ptr(), len) };
        bytes
    }

    /// Copies bytes in, from `at` on; as many as have room.
    pub fn write(self, at: usize, bytes: &[u8]) {
        let len = bytes.len().min(STAGING_SIZE.saturating_sub(at));
        let to = std::ptr::with_exposed_provenance_mut::<u8>(self.0 as usize);
        // SAFETY: within the buffer.
        let to = unsafe { to.add(at.min(STAGING_SIZE)) };
        // SAFETY: within the buffer, as bounded above.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), len) };
    }
}

/// Who makes a call, for those that may block.
#[derive(Clone, Copy)]
struct Caller<'a> {
    staging: Staging,
    waker: &'a Waker,
}

fn value(value: i64) -> Answer {
    Answer { value, extra: [0; 2] }
}

impl<E: Enclave> Runtime<E> {
    /// The honest answer to a call of the thread in this slot.
    pub(crate) fn answer(
        &'static self,
        slot: usize,
        code: CallCode,
        args: [u64; 6],
        staging: Staging,
    ) -> Answer {
        let caller = Caller {
            staging,
            waker: &self.slots[slot].waker,
        };
        if matches!(code, CallCode::Park | CallCode::Poll | CallCode::EpollWait) {
            self.rootfs.give_back();
        }
        match code {
            CallCode::Exit => with(args, |call| self.end(call)),
            CallCode::Spawn => value(self.spawn()),
            CallCode::Park => with(args, |call| process::park(call, caller)),
            CallCode::Unpark => with(args, |call| process::unpark(call, &self.slots)),
            CallCode::Interrupt => with(args, |call| process::interrupt(call, &self.slots)),
            CallCode::Message => with(args, |call| process::message(call, staging, self)),
            CallCode::ClockRead => with(args, |call: host_abi::ClockRead| clock_read(call)),
            CallCode::Commit => with(args, |call| memory::commit(call, &self.enclave, &self.rootfs)),
            CallCode::Protect => with(args, |call| memory::protect(call, &self.enclave)),
            CallCode::Trim => with(args, |call| memory::trim(call, &self.enclave)),
            CallCode::Remove => with(args, |call| memory::remove(call, &self.enclave)),
            CallCode::StreamRead => with(args, |call| stream::read(call, caller)),
            CallCode::StreamWrite => with(args, |call| stream::write(call, caller)),
            CallCode::StreamStat => with(args, stream::stat),
            CallCode::TerminalGet => with(args, |call| stream::terminal_get(call, staging)),
            CallCode::TerminalSet => with(args, |call| stream::terminal_set(call, caller)),
            CallCode::WindowSize => with(args, stream::window_size),
            CallCode::Socket => with(args, socket::socket),
            CallCode::Bind => with(args, |call| socket::bind(call, staging)),
            CallCode::Listen => with(args, socket::listen),
            CallCode::Accept => with(args, |call| socket::accept(call, caller)),
            CallCode::Connect => with(args, |call| socket::connect(call, caller)),
            CallCode::Send => with(args, |call| {
                if socket::is_small(&call) {
                    self.note_send();
                }
                socket::send(call, caller, &self.backlog)
            }),
            CallCode::Flush => with(args, |call: host_abi::Flush| {
                self.flush(call.slot as usize);
                value(0)
            }),
            CallCode::Recv => with(args, |call| socket::recv(call, caller)),
            CallCode::Shutdown => with(args, |call| socket::shutdown(call, &self.backlog)),
            CallCode::GetSockName => with(args, |call| socket::sock_name(call, staging)),
            CallCode::GetPeerName => with(args, |call| socket::peer_name(call, staging)),
            CallCode::GetSockOpt => with(args, |call| socket::option(call, staging)),
            CallCode::SetSockOpt => with(args, |call| socket::set_option(call, staging)),
            CallCode::Queued => with(args, |call| socket::queued(call, &self.backlog)),
            CallCode::Close => with(args, |call| socket::close(call, &self.ahead, &self.backlog)),
            CallCode::Poll => with(args, |call| poll::poll(call, caller)),
            CallCode::EpollCreate => with(args, |call: host_abi::EpollCreate| poll::epoll_create(call)),
            CallCode::EpollControl => with(args, |call| poll::epoll_control(call, &self.ahead)),
            CallCode::EpollWait => with(args, |call| poll::epoll_wait(call, caller, &self.ahead)),
            CallCode::StopAhead => with(args, |call: host_abi::StopAhead| value(self.ahead.stop(call.fd))),
            CallCode::QuoteTarget => with(args, |call| self.quoting.target(call, staging)),
            CallCode::TakeRequest => with(args, |call| self.requests.take(call, staging)),
            CallCode::AnswerRequest => with(args, |call| {
                let used = self.pool.lock().map_or(0, |pool| pool.used);
                let counts = self.slots[..used].iter().map(|slot| &slot.counts);
                self.requests.answer(call, staging, &stats::exits(counts))
            }),
            CallCode::Quote => with(args, |call| self.quoting.quote(call, staging)),
        }
    }
}

/// Decodes a call and serves it; EINVAL if its arguments mean nothing.
fn with<C: HostCall>(args: [u64; 6], serve: impl FnOnce(C) -> Answer) -> Answer {
    C::from_args(args).map_or(value(kernel::error(libc::EINVAL)), serve)
}

fn clock_read(_: host_abi::ClockRead) -> Answer {
    let clocks = HostClocks {
        monotonic: kernel::monotonic(),
        realtime: kernel::clock(libc::CLOCK_REALTIME),
    };
    Answer {
        value: 0,
        extra: [clocks.monotonic, clocks.realtime],
    }
}
