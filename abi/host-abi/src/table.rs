//! The table of host calls: a row per call, from which its type and `docs/host-calls.md` are made.
//!
//! This is all that leaves the enclave on purpose and all that it takes from the host, so it stands in one file, longer than
//! others: a reviewer reads it from end to end. The page is generated (`cargo xtask host-calls`). `docs/howto/add-a-host-call.md`
//! says how a row is added.

use crate::argument::{ARGUMENT_WORDS, Argument};
use crate::row::{Field, Input, Row, host_calls};
use crate::{
    Acceptance, Accepted, Answer, BootInfo, CallError, EpollOperation, HostCall, HostClocks, HostFd,
    MAX_CONTROL, MAX_SOCKADDR, MessageKind, PageRange, ParkEnd, PollEntry, Protection, Queue, ReadyEvent,
    Received, STAGING_SIZE, StreamKind, Wait, Wanted, process, quote, socket, stream, time,
};

/// Most bytes of a socket option.
pub const MAX_OPTION: usize = 4096;
/// Most data of one [`Send`] or [`Recv`].
pub const MAX_DATA: usize = STAGING_SIZE - MAX_SOCKADDR - MAX_CONTROL;
/// Most entries of one [`Poll`].
pub const MAX_POLL: usize = STAGING_SIZE / PollEntry::SIZE;
/// Most events of one [`EpollWait`].
pub const MAX_EVENTS: usize = 4096;
/// Where the data begins that an [`EpollWait`] receives ahead: behind the events.
pub const AHEAD_OFFSET: usize = MAX_EVENTS * ReadyEvent::SIZE;
/// Most data that one [`EpollWait`] receives ahead.
pub const MAX_AHEAD: usize = STAGING_SIZE - AHEAD_OFFSET;
/// Most members of which an [`EpollWait`] says that nothing is to be received ahead.
pub const MAX_HELD: usize = 1024;

host_calls! {
    /// Ends the container. Does not return.
    Exit = 0 {
        /// As `wait` gives it: exit code in bits 8 to 15, or the signal that killed it in bits 0 to 6.
        status: u16,
    }
    staged "", returned "",
    answer () as "none: the call does not return", checked "any answer is a lie, and the call is made again"
        by |_, _| Err(CallError::Lie("came back from the end")),
    lie "The host reports another status, or lets other threads of the program go on. The thread that asked never returns to it.";

    /// Asks for one more host thread to enter the enclave. ENOSPC when every TCS is in use.
    Spawn = 1
    staged "", returned "",
    answer () as "a thread will enter", checked "an error counts only while no thread has taken up the work"
        by |_, answer| answer.unit(),
    lie "A new thread does not start, or starts late. What it runs is chosen in the enclave.";

    /// Blocks the calling thread until its wake token is set, which this consumes. Spurious returns are allowed (the
    /// enclave looks for itself what woke it).
    Park = 2 {
        /// For how long at most.
        wait: Wait,
    }
    staged "", returned "",
    answer ParkEnd as "how the wait ended", checked "a time-out only where a limit was given"
        by process::park_end,
    lie "A thread wakes too early, upon which it looks for itself and waits again; or too late, or never.";

    /// Sets a thread's wake token; a thread that blocks in any call returns (EINTR, or from [`Park`]).
    Unpark = 3 {
        /// The number of the thread's slot.
        slot: u32,
    }
    staged "", returned "",
    answer () as "done", checked "nothing depends on it" by |_, answer| answer.unit(),
    lie "A thread that waits is not woken.";

    /// Interrupts a thread that runs inside the enclave (an asynchronous exit, then an entry with
    /// `EntryReason::Exception`), so that it looks for signals.
    Interrupt = 4 {
        /// The number of the thread's slot.
        slot: u32,
    }
    staged "", returned "",
    answer () as "done", checked "nothing depends on it: who is interrupted says so itself"
        by |_, answer| answer.unit(),
    lie "A signal is delivered only when the program next makes a system call; a memory barrier on other threads waits.";

    /// Text for the user's terminal. Traces, statistics and reports of crashes are sent only where the measured
    /// configuration allows debugging; other text holds nothing of the programs' data.
    Message = 5 {
        /// What the text is about.
        kind: MessageKind,
        /// Bytes in the staging buffer, UTF-8.
        len: usize where ..=STAGING_SIZE,
    }
    staged "the text, `len` bytes", returned "",
    answer () as "shown", checked "nothing depends on it" by |_, answer| answer.unit(),
    lie "The user sees nothing, or another text: the terminal is the host's.";

    /// Reads the host's clocks.
    ClockRead = 6
    staged "", returned "",
    answer HostClocks as "CLOCK_MONOTONIC and CLOCK_REALTIME, nanoseconds",
    checked "no more than 30 years of uptime, no date that Linux could not set; the monotonic clock never goes back"
        by |_, answer| time::clocks(answer),
    lie "The date is wrong, and time passes faster or slower.";

    /// Adds zeroed pages, readable and writable in the EPCM, pending until the enclave accepts them (EAUG).
    Commit = 8 {
        /// The pages.
        range: PageRange,
        /// How they will be accepted.
        acceptance: Acceptance,
    }
    staged "", returned "",
    answer () as "added", checked "each page by EACCEPT or EACCEPTCOPY: the processor confirms that it is new and the enclave's own"
        by |_, answer| answer.unit(),
    lie "An allocation fails (ENOMEM), or the enclave ends because a page cannot be accepted.";

    /// Sets what the pages allow: the host's page tables, and the EPCM where this restricts (EMODPR). The enclave has
    /// extended the EPCM before (EMODPE) where this extends, and accepts each page afterwards.
    Protect = 9 {
        /// The pages.
        range: PageRange,
        /// What they allow from now on.
        protection: Protection,
    }
    staged "", returned "",
    answer () as "set", checked "each page by EACCEPT: the processor confirms the permissions"
        by |_, answer| answer.unit(),
    lie "A change of protection fails (ENOMEM), or the enclave ends because a page cannot be accepted.";

    /// Changes pages to type TRIM; the enclave accepts each, then asks for [`Remove`] (EMODT).
    Trim = 10 {
        /// The pages.
        range: PageRange,
    }
    staged "", returned "",
    answer () as "changed", checked "each page by EACCEPT: the processor confirms the type; an error ends the enclave"
        by |_, answer| answer.unit(),
    lie "The enclave ends.";

    /// Takes back trimmed pages: they are no longer mapped and cost no memory (EREMOVE).
    Remove = 11 {
        /// The pages.
        range: PageRange,
    }
    staged "", returned "",
    answer () as "removed", checked "an error ends the enclave; a page that is still there cannot be accepted as new later"
        by |_, answer| answer.unit(),
    lie "The enclave ends, at once or when the pages are next used.";

    /// Reads a standard stream, of the container or of a program that `nacre exec` runs in it, into the staging buffer; 0 is the end of the stream.
    StreamRead = 16 {
        /// 0, 1 or 2.
        fd: HostFd,
        /// Room in bytes.
        len: usize where ..=STAGING_SIZE,
        /// How long it may block.
        wait: Wait,
    }
    staged "", returned "what was read",
    answer usize as "bytes read", checked "at most `len`" by |call, answer| answer.count(call.len),
    lie "The program reads what the host likes: standard input is the host's.";

    /// Writes to a standard stream from the staging buffer.
    StreamWrite = 17 {
        /// 0, 1 or 2.
        fd: HostFd,
        /// Bytes to write.
        len: usize where ..=STAGING_SIZE,
        /// How long it may block.
        wait: Wait,
    }
    staged "what is written, `len` bytes: **the host reads it**", returned "",
    answer usize as "bytes written", checked "at most `len`; 0 of more than 0 is EIO" by |call, answer| answer.count(call.len),
    lie "Output is lost or changed while the program believes it written.";

    /// Asks what a standard stream is.
    StreamStat = 18 {
        /// 0, 1 or 2.
        fd: HostFd,
    }
    staged "", returned "",
    answer StreamKind as "terminal, pipe, file, device or closed", checked "one of the kinds" by |_, answer| stream::kind(answer),
    lie "The program takes a stream for another kind, such as a file for a terminal.";

    /// Reads a terminal's settings: the kernel's `struct termios`.
    TerminalGet = 19 {
        /// 0, 1 or 2.
        fd: HostFd,
    }
    staged "", returned "the settings, 36 bytes",
    answer () as "read", checked "their number of bytes is fixed; they go to the program as they are" by |_, answer| answer.unit(),
    lie "The program sees other settings than the terminal has.";

    /// Changes a terminal's settings to those in the staging buffer.
    TerminalSet = 20 {
        /// 0, 1 or 2.
        fd: HostFd,
        /// 0: now, 1: once output is written, 2: that, and input is discarded (TCSETS, TCSETSW, TCSETSF).
        when: u8 where ..=2,
    }
    staged "the settings, 36 bytes", returned "",
    answer () as "changed", checked "nothing more: an error is passed on" by |_, answer| answer.unit(),
    lie "The settings stay as they are: a password is echoed.";

    /// Asks for a terminal's size: rows and columns.
    WindowSize = 21 {
        /// 0, 1 or 2.
        fd: HostFd,
    }
    staged "", returned "",
    answer (u16, u16) as "rows and columns", checked "each below 65,536" by |_, answer| stream::window_size(answer),
    lie "The program formats for another size.";

    /// Makes a socket; it is non-blocking on the host.
    Socket = 32 {
        /// AF_INET, AF_INET6 or AF_NETLINK.
        domain: u16,
        /// SOCK_ type without flags.
        kind: u16,
        /// An IPPROTO_ number.
        protocol: u16,
    }
    staged "", returned "",
    answer HostFd as "the new socket", checked "a descriptor below 2^30 that is no standard stream" by |_, answer| HostFd::check(answer),
    lie "The socket is of another kind, or the same as an earlier one: connections are mixed up, as any network can do.";

    /// Binds to the address in the staging buffer.
    Bind = 33 {
        /// The socket.
        fd: HostFd,
        /// Bytes of the address.
        address_len: usize where ..=MAX_SOCKADDR,
    }
    staged "the address, `address_len` bytes", returned "",
    answer () as "bound", checked "nothing more: an error is passed on" by |_, answer| answer.unit(),
    lie "The socket is bound elsewhere, or nowhere: nobody reaches the program, or others do.";

    /// Lets a socket accept connections.
    Listen = 34 {
        /// The socket.
        fd: HostFd,
        /// How many connections may wait.
        backlog: u32,
    }
    staged "", returned "",
    answer () as "listening", checked "nothing more: an error is passed on" by |_, answer| answer.unit(),
    lie "Nobody reaches the program.";

    /// Accepts a connection; the peer's address comes in the staging buffer.
    Accept = 35 {
        /// The listening socket.
        fd: HostFd,
        /// How long it may block.
        wait: Wait,
    }
    staged "", returned "the peer's address",
    answer Accepted as "the new socket, and bytes of the address",
    checked "a descriptor as for `Socket`; an address of the socket's family, exactly as long as one. Where the loopback addresses are the \
        container's own, the program is shown another one in their place"
        by |_, answer| socket::accepted(answer),
    lie "A connection from nobody, or from another peer than the address says. Who the peer is, TLS must tell.";

    /// Connects to the address in the staging buffer. With no wait, EINPROGRESS while it is under way.
    Connect = 36 {
        /// The socket.
        fd: HostFd,
        /// Bytes of the address.
        address_len: usize where ..=MAX_SOCKADDR,
        /// How long it may block.
        wait: Wait,
    }
    staged "the address, `address_len` bytes", returned "",
    answer () as "connected", checked "nothing more: an error is passed on" by |_, answer| answer.unit(),
    lie "The socket is connected to somebody else, or to nobody. Who the peer is, TLS must tell.";

    /// Sends from the staging buffer: the address (if any) at 0, the data at [`MAX_SOCKADDR`], the control data (if any) at
    /// [`CONTROL_OFFSET`](crate::CONTROL_OFFSET).
    Send = 37 {
        /// The socket.
        fd: HostFd,
        /// Bytes of data.
        len: usize where ..=MAX_DATA,
        /// MSG_ flags; MSG_NOSIGNAL is always added.
        flags: u32,
        /// Bytes of the destination's address; 0 for none.
        address_len: usize where ..=MAX_SOCKADDR,
        /// Bytes of control data, `struct cmsghdr`s; 0 for none.
        control_len: usize where ..=MAX_CONTROL,
        /// How long it may block.
        wait: Wait,
    }
    staged "the address, the control data, and the data, `len` bytes: **the host reads it**", returned "",
    answer usize as "bytes sent", checked "at most `len`; a datagram whole; 0 of more than 0 is EIO"
        by |call, answer| answer.count(call.len),
    lie "Data is lost, changed, repeated or sent elsewhere, as in any network.";

    /// Receives into the staging buffer: the sender's address at 0, the data at [`MAX_SOCKADDR`], control data at
    /// [`CONTROL_OFFSET`](crate::CONTROL_OFFSET).
    Recv = 38 {
        /// The socket.
        fd: HostFd,
        /// Room for data, in bytes.
        len: usize where ..=MAX_DATA,
        /// MSG_ flags. With MSG_TRUNC on a datagram socket the answer may exceed the room.
        flags: u32,
        /// How long it may block.
        wait: Wait,
        /// What is told of it.
        wanted: Wanted,
        /// Of a stream: waits until so many bytes are there, or no more can come.
        least: usize where ..=MAX_DATA,
    }
    staged "", returned "the sender's address, the data, and control data",
    answer Received as "bytes of data, of the whole message, of the address and of the control data, and flags",
    checked "data at most `len`; a longer message only with MSG_TRUNC on a datagram socket, 64 KiB at most; an address as for \
        `Accept`; only the flags OOB, TRUNC, CTRUNC, EOR and ERRQUEUE reach the program; control data is well-formed, of a kind that the \
        program has asked for, and of that kind's size"
        by socket::received,
    lie "Data from anybody, changed, repeated or withheld, as in any network.";

    /// Shuts down one or both directions.
    Shutdown = 39 {
        /// The socket.
        fd: HostFd,
        /// SHUT_RD, SHUT_WR or SHUT_RDWR.
        how: u8 where ..=2,
    }
    staged "", returned "",
    answer () as "shut down", checked "nothing more: an error is passed on" by |_, answer| answer.unit(),
    lie "The peer does not learn of it.";

    /// The socket's own address, in the staging buffer; the answer is its length.
    GetSockName = 40 {
        /// The socket.
        fd: HostFd,
    }
    staged "", returned "the address",
    answer usize as "bytes of the address", checked "an address of the socket's family, exactly as long as one"
        by |_, answer| answer.count(MAX_SOCKADDR),
    lie "The program believes in another address.";

    /// The peer's address, in the staging buffer; the answer is its length.
    GetPeerName = 41 {
        /// The socket.
        fd: HostFd,
    }
    staged "", returned "the address",
    answer usize as "bytes of the address", checked "an address of the socket's family, exactly as long as one"
        by |_, answer| answer.count(MAX_SOCKADDR),
    lie "The program believes in another peer. Who the peer is, TLS must tell.";

    /// Reads an option into the staging buffer; the answer is its length.
    GetSockOpt = 42 {
        /// The socket.
        fd: HostFd,
        /// A SOL_ number.
        level: u32,
        /// An SO_ number, or one of another level.
        name: u32,
        /// Room in bytes.
        len: usize where ..=MAX_OPTION,
    }
    staged "", returned "the option",
    answer usize as "bytes of the option", checked "at most `len`; SO_ERROR is 0 or an error that Linux has. Type, domain, protocol, \
        credentials and time-outs are not asked for: the enclave knows them"
        by |call, answer| answer.count(call.len),
    lie "The program sees another value of an option of the network's.";

    /// Sets an option from the staging buffer.
    SetSockOpt = 43 {
        /// The socket.
        fd: HostFd,
        /// A SOL_ number.
        level: u32,
        /// An SO_ number, or one of another level.
        name: u32,
        /// Bytes of the option.
        len: usize where ..=MAX_OPTION,
    }
    staged "the option, `len` bytes", returned "",
    answer () as "set", checked "nothing more: an error is passed on" by |_, answer| answer.unit(),
    lie "The option is not set.";

    /// How many bytes a descriptor's queue holds (FIONREAD, SIOCOUTQ), or whether urgent data comes next (SIOCATMARK).
    Queued = 44 {
        /// The socket or stream.
        fd: HostFd,
        /// What is asked.
        queue: Queue,
    }
    staged "", returned "",
    answer usize as "bytes", checked "at most 2^31 - 1" by |_, answer| answer.count(i32::MAX as usize),
    lie "The program expects more or less than there is to read.";

    /// Closes a descriptor that an earlier call returned.
    Close = 45 {
        /// The descriptor.
        fd: HostFd,
        /// Whether the peer's connection is reset instead of ended: the program has not read all that came (RFC 1122, 4.2.2.13).
        reset: bool,
    }
    staged "", returned "",
    answer () as "closed", checked "nothing depends on it" by |_, answer| answer.unit(),
    lie "The connection stays open; the enclave does not use it again.";

    /// Sends what another thread has posted ([`Posted`](crate::Posted)), since the caller is going to use the same stream.
    Flush = 46 {
        /// The number of the thread's slot.
        slot: u32,
    }
    staged "", returned "",
    answer () as "sent", checked "nothing depends on it" by |_, answer| answer.unit(),
    lie "Data of two threads is sent in another order.";

    /// Waits for events of the descriptors in the staging buffer (`ppoll`), see [`PollEntry`]; the answer is how many of them
    /// have events.
    Poll = 48 {
        /// How many entries.
        count: usize where ..=MAX_POLL,
        /// How long it may block.
        wait: Wait,
    }
    staged "`count` entries: descriptor and events asked for, 8 bytes each", returned "the entries, with the events that happened",
    answer usize as "entries with events", checked "at most `count`; each event was asked for, or is one of ERR, HUP and NVAL"
        by |call, answer| answer.count(call.count),
    lie "The program reads or writes too early, and waits or gets EAGAIN; or it waits for ever.";

    /// Makes an epoll instance on the host.
    EpollCreate = 49
    staged "", returned "",
    answer HostFd as "the new instance", checked "a descriptor as for `Socket`" by |_, answer| HostFd::check(answer),
    lie "As for `EpollWait`.";

    /// Adds a descriptor to an epoll instance, changes or removes it (`epoll_ctl`).
    EpollControl = 50 {
        /// The instance.
        epoll: HostFd,
        /// What to do.
        operation: EpollOperation,
        /// With which descriptor.
        fd: HostFd,
        /// Linux's EPOLL bits.
        events: u32,
        /// Comes back with each event.
        data: u64,
        /// Whether it is a stream of which [`EpollWait`] may receive ahead. Then the host adds EPOLLRDHUP to EPOLLIN.
        ahead: bool,
    }
    staged "", returned "",
    answer () as "done", checked "nothing more: an error is passed on" by |_, answer| answer.unit(),
    lie "As for `EpollWait`.";

    /// Waits for events of an epoll instance (`epoll_wait`). They come in the staging buffer, see [`ReadyEvent`]; the answer
    /// is how many. Of members that are readable and of which it may, the host receives at once what is there: one exit brings
    /// the events and the data.
    EpollWait = 51 {
        /// The instance.
        epoll: HostFd,
        /// Most events to return.
        most: usize where 1..=MAX_EVENTS,
        /// How long it may block.
        wait: Wait,
        /// Most bytes to receive ahead, all members together; 0 for none.
        ahead: usize where ..=MAX_AHEAD,
        /// Of how many members nothing is to be received ahead now, since the program has not read what came before.
        held: usize where ..=MAX_HELD,
    }
    staged "the data words of `held` members, 8 bytes each",
    returned "the events, 16 bytes each; from AHEAD_OFFSET on what was received ahead, in the order of the events, each \
        from a multiple of 16 on",
    answer usize as "events", checked "at most `most`; each is of a member that is there now, once per answer, and asked for; \
        the program's own data does not leave the enclave, but a number for it. What was received ahead: at most `ahead` bytes together, \
        of members that allow it; an error is one of Linux's"
        by |call, answer| answer.count(call.most),
    lie "The program reads or writes too early, and waits or gets EAGAIN; or it waits for ever. Data as for `Recv`.";

    /// Stops receiving ahead of a stream ([`EpollControl::ahead`]), since another thread is going to read it. The answer is how often it was
    /// done since it was allowed: who reads waits until all of that has come.
    StopAhead = 52 {
        /// The socket.
        fd: HostFd,
    }
    staged "", returned "",
    answer usize as "how often", checked "at most 2^31 - 1" by |_, answer| answer.count(i32::MAX as usize),
    lie "Data comes out of order, as with `Recv`; or who reads waits for ever.";

    /// Asks who is to check the reports that are to become quotes: the TARGETINFO of the quoting enclave in the
    /// staging buffer. ENODEV when there is none.
    ///
    /// A host that names another target only gets a report that its quoting enclave refuses.
    QuoteTarget = 56
    staged "", returned "the TARGETINFO, 512 bytes",
    answer () as "there is one", checked "a TARGETINFO that the processor refuses is EIO" by |_, answer| answer.unit(),
    lie "There is no quote. The report says no more than the quote would.";

    /// Makes a quote of the REPORT in the staging buffer, where the quote is put: the answer is its length. ENODEV when
    /// there is no quoting enclave, EACCES when it refuses the report, EAGAIN when it is not ready.
    ///
    /// The quote is for others to verify: to the enclave, it is bytes.
    Quote = 57
    staged "the REPORT, 432 bytes", returned "the quote",
    answer usize as "bytes of the quote", checked "neither empty nor longer than the staging buffer; its body is the report's. Its signature \
        is for the relying party to verify"
        by |_, answer| quote::length(answer),
    lie "There is no quote, or one that no relying party accepts.";

    /// Takes a request of `nacre exec` or `nacre top`, see `Request`. EAGAIN when there is none. **Only enclaves that may be debugged make
    /// this call**, when the host passes the signal that announces a request; in all others that signal means nothing.
    TakeRequest = 58
    staged "", returned "the request",
    answer usize as "bytes of the request", checked "at most the staging buffer; what cannot be read is dropped"
        by |_, answer| answer.count(STAGING_SIZE),
    lie "None beyond what debugging allows: the host runs programs in the enclave, and sees its processes.";

    /// Answers a request: the program has ended, or the text that was asked for.
    AnswerRequest = 59 {
        /// The number that the host gave it.
        number: u64,
        /// How the program ended, as `wait` gives it.
        status: u16,
        /// Bytes of text.
        len: usize where ..=STAGING_SIZE,
    }
    staged "text, `len` bytes", returned "",
    answer () as "passed on", checked "nothing depends on it" by |_, answer| answer.unit(),
    lie "Whoever asked is told something else, or nothing.";
}

impl Poll {
    /// Most entries of one call.
    pub const MAX_ENTRIES: usize = MAX_POLL;
}

impl EpollWait {
    /// Most events of one call.
    pub const MAX_EVENTS: usize = self::MAX_EVENTS;
    /// Where the data begins that is received ahead.
    pub const AHEAD_OFFSET: usize = self::AHEAD_OFFSET;
    /// Most data that is received ahead.
    pub const MAX_AHEAD: usize = self::MAX_AHEAD;
    /// Most members of which nothing is received ahead.
    pub const MAX_HELD: usize = self::MAX_HELD;
}

impl Send {
    /// Most data of one call.
    pub const MAX_LEN: usize = MAX_DATA;
}

impl Recv {
    /// Most data of one call.
    pub const MAX_LEN: usize = MAX_DATA;
}

/// What else comes from the host: all that is no answer to a call.
pub const INPUTS: &[Input] = &[
    Input {
        name: "Entries: which TCS, when, with which reason and call area",
        checked: "the call area lies outside the enclave; CSSA, which the processor gives, and not the reason decides what an entry is",
        lie: "Threads run when the host likes, or not at all; a call area where nothing is mapped ends the enclave.",
    },
    Input {
        name: "Registers at an entry, and what it finds in them after an exit",
        checked: "the enclave sets the flags, MXCSR and the x87 state itself, and clears all that it leaves behind",
        lie: "None.",
    },
    Input {
        name: "Page tables: a page withheld, at any time",
        checked: "a page fault is judged by what the enclave has agreed with the processor: where the page is there and allows the access, the thread tries again",
        lie: "The thread is delayed. The enclave ends when a page is withheld for good.",
    },
    Input {
        name: "Interruptions: exceptions at any instruction",
        checked: "the processor writes the saved state and its cause; an interruption without a cause changes nothing but when signals are looked for",
        lie: "The host sees how far a thread gets, page by page (side channels are out of scope, see SECURITY.md), and slows it down.",
    },
    Input {
        name: "Signals to the container, a word in each record",
        checked: "only HUP, INT, QUIT, USR1, USR2, TERM, CONT and WINCH are taken, for the first process",
        lie: "The container is asked to end, or is not. `docker stop` is the host's in any case.",
    },
    Input {
        name: "What became of posted data, a word for each piece; whether outboxes are watched",
        checked: "sent, kept, or one of Linux's errors, which the stream's next operation gives; anything else is EIO",
        lie: "As for `Send`. Where the host says that it watches and does not, data waits until its thread makes a call.",
    },
    Input {
        name: "The memory of the root file system's image",
        checked: "each block is copied in, then compared with the measured hash tree, then used",
        lie: "Reading a file fails (EIO, or SIGBUS for a mapping).",
    },
];

/// Makes the rows of what the host tells the enclave at its start. A field of [`BootInfo`] without a row does not compile.
macro_rules! boot_inputs {
    ($($field:ident: $name:literal, checked $checked:literal, lie $lie:literal;)*) => {
        /// What the host tells the enclave at its start: the fields of [`BootInfo`], in its staging buffer.
        pub const BOOT_INPUTS: &[Input] = &[$(Input { name: $name, checked: $checked, lie: $lie },)*];

        const _: fn(BootInfo) = |BootInfo { $($field: _),* }| ();
    };
}

boot_inputs! {
    flags: "`--trace`, `--stats` and `-t`", checked "the first two are refused unless the measured configuration allows debugging",
        lie "None beyond what that configuration allows; the first program has a terminal in the enclave where it expects a file, or none.";
    rootfs_address: "The image's address", checked "all of it lies outside the enclave",
        lie "Reading a file fails; where nothing is mapped, the enclave ends.";
    rootfs_len: "The image's length", checked "not below the measured length, which counts", lie "The container does not start.";
    tsc_hz: "The time-stamp counter's frequency", checked "between 100 MHz and 10 GHz, else 2 GHz are assumed",
        lie "Time passes faster or slower between two readings of the clocks.";
    processors: "The number of processors", checked "between 1 and 4096, else the nearer one",
        lie "Programs start too many threads, or too few.";
    cpuid: "CPUID's answers", checked "the state components, their sizes and places are those of the processor; features whose state the enclave does not have, and all of XSAVE's leaf, are answered by the enclave",
        lie "A program uses instructions that trap, or does without some: no instruction computes wrongly.";
    args: "Arguments", checked "refused unless the measured configuration lets the host choose them",
        lie "None beyond what that configuration allows.";
    env: "Environment", checked "each name is one that the measured configuration lets the host set, else refused",
        lie "None beyond what that configuration allows.";
    resolv_conf: "The host's `resolv.conf`", checked "only where the measured configuration lets the host choose; well-formed lines only",
        lie "Programs ask other name servers; who answers, TLS must tell.";
    hostname: "The host name", checked "letters, digits, `-` and `.`, 63 at most, and only where none is measured",
        lie "The container has another name.";
    image_key: "The image's key", checked "its name (a digest) is the measured one, else the container does not start",
        lie "The container does not start. A host that has the key can read the image.";
    broker: "The broker's address", checked "whoever answers there has to prove that the measured authority vouches for it",
        lie "The container does not start.";
    init_address: "The address of the program that asks the broker", checked "all of it lies outside the enclave, and it has the measured digest",
        lie "The container does not start.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_by_their_numbers() {
        for &code in CallCode::ALL {
            assert_eq!(CallCode::from_raw(code as u64), Some(code));
        }
        assert_eq!(CallCode::from_raw(7), None);
    }

    #[test]
    fn rows_are_in_the_order_of_their_numbers() {
        assert!(ROWS.is_sorted_by(|a, b| a.code < b.code));
        assert_eq!(ROWS.len(), CallCode::ALL.len());
    }

    #[test]
    fn words_beyond_an_arguments_bounds_mean_nothing() {
        assert!(EpollWait::from_args([3, 0, 0, 0, 0, 0]).is_none());
        assert!(EpollWait::from_args([3, 1, 0, 0, 0, 0]).is_some());
        assert!(EpollWait::from_args([3, MAX_EVENTS as u64 + 1, 0, 0, 0, 0]).is_none());
        assert!(Shutdown::from_args([3, 3, 0, 0, 0, 0]).is_none());
        assert!(Commit::from_args([4096, 1, 0, 0, 0, 0]).is_none());
        assert!(Commit::from_args([4096, 4096, 2, 0, 0, 0]).is_none());
        let commit = Commit {
            range: PageRange::new(4096, 8192).unwrap(),
            acceptance: Acceptance::Copies,
        };
        assert_eq!(commit.to_args(), [4096, 8192, 1, 0, 0, 0]);
        assert_eq!(Commit::from_args(commit.to_args()), Some(commit));
    }
}
