//! Answers of the host to any call: what passes the check is within what was asked for.
//!
//! The input: the code (1 byte), the arguments (6 words), the answer (3 words), then what lies in the staging buffer.

use std::fmt::Debug;

use host_abi::{
    AHEAD_OFFSET, Accept, Answer, AnswerRequest, Bind, CallCode, CallError, ClockRead, Close, Commit,
    Connect, EpollControl, EpollCreate, EpollWait, Errno, Exit, Flush, GetPeerName, GetSockName, GetSockOpt,
    HostCall, HostClocks, HostFd, Interrupt, Listen, MAX_SOCKADDR, Message, Park, Poll, PollEntry, Protect,
    Queued, Quote, QuoteTarget, ReadyEvent, Recv, Remove, STAGING_SIZE, Send, SetSockOpt, Shutdown, Socket,
    Spawn, StopAhead, StreamRead, StreamStat, StreamWrite, TakeRequest, TerminalGet, TerminalSet, Trim,
    Unpark, WindowSize,
};

const WORDS: usize = 9;

pub(crate) fn run(input: &[u8]) {
    let Some((&code, rest)) = input.split_first() else {
        return;
    };
    let (words, staging) = rest.as_chunks::<8>().0.split_at(rest.len().min(WORDS * 8) / 8);
    let mut all = [0; WORDS];
    for (place, word) in all.iter_mut().zip(words) {
        *place = u64::from_le_bytes(*word);
    }
    let [a, b, c, d, e, f, value, x, y] = all;
    let call = Call {
        args: [a, b, c, d, e, f],
        answer: Answer {
            value: value.cast_signed(),
            extra: [x, y],
        },
    };
    let Some(code) = CallCode::from_raw(code.into()) else {
        return;
    };
    let within = |len: usize| len <= STAGING_SIZE;
    match code {
        CallCode::Exit => call.check::<Exit>(|_, ()| false),
        CallCode::Spawn => call.check::<Spawn>(|_, ()| true),
        CallCode::Park => call.check::<Park>(|_, _| true),
        CallCode::Unpark => call.check::<Unpark>(|_, ()| true),
        CallCode::Interrupt => call.check::<Interrupt>(|_, ()| true),
        CallCode::Message => call.check::<Message>(|call, ()| within(call.len)),
        CallCode::ClockRead => call.check::<ClockRead>(|_, clocks| {
            clocks.monotonic <= HostClocks::MAX_MONOTONIC && clocks.realtime <= HostClocks::MAX_REALTIME
        }),
        CallCode::Commit => call.check::<Commit>(|call, ()| is_range(call.range)),
        CallCode::Protect => call.check::<Protect>(|call, ()| is_range(call.range)),
        CallCode::Trim => call.check::<Trim>(|call, ()| is_range(call.range)),
        CallCode::Remove => call.check::<Remove>(|call, ()| is_range(call.range)),
        CallCode::StreamRead => {
            call.check::<StreamRead>(|call, &count| count <= call.len && within(call.len))
        }
        CallCode::StreamWrite => {
            call.check::<StreamWrite>(|call, &count| count <= call.len && within(call.len))
        }
        CallCode::StreamStat => call.check::<StreamStat>(|_, _| true),
        CallCode::TerminalGet => call.check::<TerminalGet>(|_, ()| true),
        CallCode::TerminalSet => call.check::<TerminalSet>(|_, ()| true),
        CallCode::WindowSize => call.check::<WindowSize>(|_, _| true),
        CallCode::Socket => call.check::<Socket>(|_, &fd| is_new(fd)),
        CallCode::Bind => call.check::<Bind>(|call, ()| call.address_len <= MAX_SOCKADDR),
        CallCode::Listen => call.check::<Listen>(|_, ()| true),
        CallCode::Accept => call.check::<Accept>(|_, new| is_new(new.fd) && new.address_len <= MAX_SOCKADDR),
        CallCode::Connect => call.check::<Connect>(|call, ()| call.address_len <= MAX_SOCKADDR),
        CallCode::Send => {
            call.check::<Send>(|call, &count| count <= call.len && within(MAX_SOCKADDR + call.len))
        }
        CallCode::Recv => call.check::<Recv>(|call, got| {
            let is_cut = got.full_len > got.len;
            got.len <= call.len
                && within(MAX_SOCKADDR + call.len)
                && got.address_len <= MAX_SOCKADDR
                && got.full_len <= STAGING_SIZE
                // MSG_TRUNC.
                && (!is_cut || call.flags & 0x20 != 0)
        }),
        CallCode::Shutdown => call.check::<Shutdown>(|_, ()| true),
        CallCode::GetSockName => call.check::<GetSockName>(|_, &len| len <= MAX_SOCKADDR),
        CallCode::GetPeerName => call.check::<GetPeerName>(|_, &len| len <= MAX_SOCKADDR),
        CallCode::GetSockOpt => call.check::<GetSockOpt>(|call, &len| len <= call.len && within(call.len)),
        CallCode::SetSockOpt => call.check::<SetSockOpt>(|call, ()| within(call.len)),
        CallCode::Queued => call.check::<Queued>(|_, &count| i32::try_from(count).is_ok()),
        CallCode::Close => call.check::<Close>(|_, ()| true),
        CallCode::Poll => {
            call.check::<Poll>(|call, &count| count <= call.count && within(call.count * PollEntry::SIZE));
            poll_entries(staging);
        }
        CallCode::EpollCreate => call.check::<EpollCreate>(|_, &fd| is_new(fd)),
        CallCode::EpollControl => call.check::<EpollControl>(|_, ()| true),
        CallCode::EpollWait => {
            call.check::<EpollWait>(|call, &count| {
                count <= call.most
                    && within(call.most * ReadyEvent::SIZE)
                    && within(AHEAD_OFFSET + call.ahead)
                    && within(call.held * 8)
            });
            epoll_events(staging);
        }
        CallCode::Flush => call.check::<Flush>(|_, ()| true),
        CallCode::StopAhead => call.check::<StopAhead>(|_, &count| i32::try_from(count).is_ok()),
        CallCode::TakeRequest => call.check::<TakeRequest>(|_, &len| len <= STAGING_SIZE),
        CallCode::AnswerRequest => call.check::<AnswerRequest>(|_, ()| true),
        CallCode::QuoteTarget => call.check::<QuoteTarget>(|_, ()| true),
        CallCode::Quote => call.check::<Quote>(|_, &len| len > 0 && within(len)),
    }
}

struct Call {
    args: [u64; 6],
    answer: Answer,
}

impl Call {
    fn check<C: HostCall + PartialEq + Debug>(&self, holds: impl Fn(&C, &C::Answer) -> bool) {
        let Some(call) = C::from_args(self.args) else {
            return;
        };
        assert_eq!(C::from_args(call.to_args()).as_ref(), Some(&call));
        match call.check(self.answer) {
            Ok(answer) => assert!(holds(&call, &answer), "{call:?} believes {:?}", self.answer),
            Err(error) => {
                let errno = Errno::from(error);
                assert!((1..=Errno::MAX).contains(&errno.raw()));
                if let CallError::Errno(errno) = error {
                    assert_eq!(errno.as_return(), self.answer.value);
                }
            }
        }
    }
}

fn is_range(range: host_abi::PageRange) -> bool {
    range.len() > 0 && range.start().checked_add(range.len()) == Some(range.end())
}

fn is_new(fd: HostFd) -> bool {
    (3..1 << 30).contains(&fd.raw())
}

/// Pairs of words: what was asked, and what the host made of it.
fn poll_entries(staging: &[[u8; 8]]) {
    for [asked, answered] in staging.as_chunks().0 {
        let Some(entry) = PollEntry::from_bytes(*asked) else {
            continue;
        };
        assert_eq!(entry.to_bytes(), *asked);
        if let Ok(happened) = entry.check(*answered) {
            assert_eq!(happened & !(entry.events | PollEntry::UNASKED), 0);
        }
    }
}

fn epoll_events(staging: &[[u8; 8]]) {
    for bytes in staging.as_flattened().as_chunks().0 {
        let event = ReadyEvent::from_bytes(*bytes);
        assert_eq!(ReadyEvent::from_bytes(event.to_bytes()), event);
        assert!(event.ahead().is_ok_and(|len| len <= ReadyEvent::MAX_LEN) || event.ahead().is_err());
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let seed = |&code: &CallCode| {
        let words: [u64; WORDS] = match code {
            CallCode::Commit | CallCode::Protect | CallCode::Trim | CallCode::Remove => {
                [0x10000, 0x2000, 1, 0, 0, 0, 0, 0, 0]
            }
            CallCode::Recv => [5, 1000, 0x20, u64::MAX, 0, 0, 1500, 16, 0x20],
            CallCode::Accept => [5, 0, 0, 0, 0, 0, 6, 16, 0],
            CallCode::Poll | CallCode::EpollWait => [3, 3, 100, 0, 0, 0, 2, 0, 0],
            _ => [3, 2, 1, 1, 1, 0, 0, 0, 0],
        };
        let head = std::iter::once(code as u8).chain(words.into_iter().flat_map(u64::to_le_bytes));
        head.chain([3, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 1, 0, 1, 0].repeat(3))
            .collect()
    };
    CallCode::ALL.iter().map(seed).collect()
}
