//! What has happened to a file: poll(2). The bits of epoll's events are the same.

flags! {
    /// Events that are waited for and told.
    pub struct PollEvents(u32) {
        POLLIN = 0x0001,
        POLLPRI = 0x0002,
        POLLOUT = 0x0004,
        POLLERR = 0x0008,
        POLLHUP = 0x0010,
        POLLNVAL = 0x0020,
        POLLRDNORM = 0x0040,
        POLLRDBAND = 0x0080,
        POLLWRNORM = 0x0100,
        POLLWRBAND = 0x0200,
        POLLRDHUP = 0x2000,
    }
}

impl PollEvents {
    /// What is reported whether asked for or not.
    pub const UNASKED: Self = Self::POLLERR.union(Self::POLLHUP).union(Self::POLLNVAL);
    /// Readable (the part of the kernel's `POLLIN_SET` that can be asked for).
    pub const READABLE: Self = Self::POLLIN.union(Self::POLLRDNORM);
    /// Writable (the part of the kernel's `POLLOUT_SET` that can be asked for).
    pub const WRITABLE: Self = Self::POLLOUT.union(Self::POLLWRNORM);
}
