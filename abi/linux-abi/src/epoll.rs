//! epoll(7), beyond the events, which are those of [`poll`](crate::poll).

flags! {
    /// How a member is watched: the bits of `struct epoll_event` that are no events.
    pub struct EpollFlags(u32) {
        EPOLLEXCLUSIVE = 1 << 28,
        EPOLLWAKEUP = 1 << 29,
        EPOLLONESHOT = 1 << 30,
        EPOLLET = 1 << 31,
    }
}

numbers! {
    /// What `epoll_ctl` does.
    pub struct EpollCommand(i32) {
        EPOLL_CTL_ADD = 1,
        EPOLL_CTL_DEL = 2,
        EPOLL_CTL_MOD = 3,
    }
}
