//! Random noise in the answers to any host call.

use host_abi::CallCode::{self, *};

use super::Answer::{Random, Stale};
use super::When::Every;
use super::{End, Lie, answer};

/// All calls but those of pages, which end most runs at once, and the end itself.
const CALLS: &[CallCode] = &[
    Spawn,
    Park,
    Unpark,
    Interrupt,
    ClockRead,
    StreamRead,
    StreamWrite,
    StreamStat,
    TerminalGet,
    TerminalSet,
    WindowSize,
    Socket,
    Bind,
    Listen,
    Accept,
    Connect,
    Send,
    Recv,
    Shutdown,
    GetSockName,
    GetPeerName,
    GetSockOpt,
    SetSockOpt,
    Queued,
    Close,
    Poll,
    EpollCreate,
    EpollControl,
    EpollWait,
    StopAhead,
    Flush,
];
const PAGES: &[CallCode] = &[Commit, Protect, Trim, Remove];

/// A call that is taken for another may be waited for in vain.
const ANY: &[End] = &[End::Right, End::Refused, End::Starved];
/// Pages that are not what they should be end everything.
const ANY_END: &[End] = &[End::Right, End::Refused, End::Killed, End::Stopped, End::Starved];

pub(super) const LIES: &[Lie] = table! {
    answer("chaos/streams-3", "streams", CALLS, Every(3), Random, ANY),
    answer("chaos/streams-7", "streams", CALLS, Every(7), Random, ANY),
    answer("chaos/streams-stale", "streams", CALLS, Every(4), Stale, ANY),
    answer("chaos/sockets-5", "sockets", CALLS, Every(5), Random, ANY),
    answer("chaos/sockets-13", "sockets", CALLS, Every(13), Random, ANY),
    answer("chaos/sockets-29", "sockets", CALLS, Every(29), Random, ANY),
    answer("chaos/sockets-stale", "sockets", CALLS, Every(7), Stale, ANY),
    answer("chaos/poll-5", "poll", CALLS, Every(5), Random, ANY),
    answer("chaos/poll-11", "poll", CALLS, Every(11), Random, ANY),
    answer("chaos/poll-31", "poll", CALLS, Every(31), Random, ANY),
    answer("chaos/poll-stale", "poll", CALLS, Every(7), Stale, ANY),
    answer("chaos/clocks-3", "clocks", CALLS, Every(3), Random, ANY),
    answer("chaos/clocks-stale", "clocks", CALLS, Every(3), Stale, ANY),
    answer("chaos/threads-9", "threads", CALLS, Every(9), Random, ANY),
    answer("chaos/threads-stale", "threads", CALLS, Every(5), Stale, ANY),
    answer("chaos/pages-10", "threads", PAGES, Every(10), Random, ANY_END),
    answer("chaos/pages-60", "threads", PAGES, Every(60), Random, ANY_END),
    answer("chaos/pages-stale", "threads", PAGES, Every(30), Stale, ANY_END),
};
