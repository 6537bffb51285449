//! Sockets: socket(2), sendmsg(2), unix(7).

numbers! {
    /// An address family.
    pub struct AddressFamily(u16) {
        AF_UNSPEC = 0,
        AF_UNIX = 1,
        AF_INET = 2,
        AF_INET6 = 10,
        AF_NETLINK = 16,
    }
}

numbers! {
    /// The type of a socket, without [`SocketFlags`].
    pub struct SocketType(u32) {
        SOCK_STREAM = 1,
        SOCK_DGRAM = 2,
        SOCK_RAW = 3,
        SOCK_SEQPACKET = 5,
    }
}

flags! {
    /// What stands beside the type in the same argument.
    pub struct SocketFlags(u32) {
        SOCK_NONBLOCK = 0o4000,
        SOCK_CLOEXEC = 0o2000000,
    }
}

numbers! {
    /// A protocol of an address family, as in socket(2).
    pub struct Protocol(u32) {
        /// The family's own choice for the type.
        IPPROTO_IP = 0,
        IPPROTO_ICMP = 1,
        IPPROTO_TCP = 6,
        IPPROTO_UDP = 17,
        IPPROTO_IPV6 = 41,
        IPPROTO_ICMPV6 = 58,
        NETLINK_ROUTE = 0,
    }
}

numbers! {
    /// Which directions `shutdown` shuts down.
    pub struct ShutdownDirection(u32) {
        SHUT_RD = 0,
        SHUT_WR = 1,
        SHUT_RDWR = 2,
    }
}

flags! {
    /// How a message is sent or received, and what became of it.
    pub struct MessageFlags(u32) {
        MSG_OOB = 0x1,
        MSG_PEEK = 0x2,
        MSG_DONTROUTE = 0x4,
        /// Of the result only: ancillary data was cut.
        MSG_CTRUNC = 0x8,
        MSG_TRUNC = 0x20,
        MSG_DONTWAIT = 0x40,
        MSG_EOR = 0x80,
        MSG_WAITALL = 0x100,
        MSG_CONFIRM = 0x800,
        MSG_ERRQUEUE = 0x2000,
        MSG_NOSIGNAL = 0x4000,
        MSG_MORE = 0x8000,
        MSG_WAITFORONE = 0x1_0000,
        MSG_CMSG_CLOEXEC = 0x4000_0000,
    }
}

numbers! {
    /// Ancillary data of Unix sockets.
    pub struct ControlMessage(u32) {
        SCM_RIGHTS = 1,
        SCM_CREDENTIALS = 2,
    }
}

constants! {
    /// Bytes of a network interface's name, with the NUL behind it.
    IFNAMSIZ: usize = 16;
    /// One more than the highest family (`include/linux/socket.h`), kind (`include/linux/net.h`) and protocol of IP.
    AF_MAX: u32 = 46;
    SOCK_MAX: u32 = 11;
    SOCK_TYPE_MASK: u32 = 0xf;
    IPPROTO_MAX: u32 = 263;
    /// What kind of hardware the loopback interface says that it is.
    ARPHRD_LOOPBACK: u16 = 772;
}
