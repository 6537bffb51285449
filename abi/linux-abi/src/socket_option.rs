//! Options of sockets: socket(7), ip(7), ipv6(7), tcp(7), udp(7).

numbers! {
    /// What an option is about: the socket itself, or a protocol.
    pub struct OptionLevel(u32) {
        SOL_IP = 0,
        SOL_SOCKET = 1,
        SOL_TCP = 6,
        SOL_UDP = 17,
        SOL_IPV6 = 41,
    }
}

numbers! {
    /// An option of `SOL_SOCKET`.
    pub struct SocketOption(u32) {
        SO_DEBUG = 1,
        SO_REUSEADDR = 2,
        SO_TYPE = 3,
        SO_ERROR = 4,
        SO_DONTROUTE = 5,
        SO_BROADCAST = 6,
        SO_SNDBUF = 7,
        SO_RCVBUF = 8,
        SO_KEEPALIVE = 9,
        SO_OOBINLINE = 10,
        SO_NO_CHECK = 11,
        SO_PRIORITY = 12,
        SO_LINGER = 13,
        SO_REUSEPORT = 15,
        SO_PASSCRED = 16,
        SO_PEERCRED = 17,
        SO_RCVLOWAT = 18,
        SO_RCVTIMEO = 20,
        SO_SNDTIMEO = 21,
        SO_BINDTODEVICE = 25,
        SO_ATTACH_FILTER = 26,
        SO_DETACH_FILTER = 27,
        SO_TIMESTAMP_OLD = 29,
        SO_ACCEPTCONN = 30,
        SO_SNDBUFFORCE = 32,
        SO_RCVBUFFORCE = 33,
        SO_TIMESTAMPNS_OLD = 35,
        SO_MARK = 36,
        SO_TIMESTAMPING_OLD = 37,
        SO_PROTOCOL = 38,
        SO_DOMAIN = 39,
        SO_RXQ_OVFL = 40,
        SO_BUSY_POLL = 46,
        SO_MAX_PACING_RATE = 47,
        SO_INCOMING_CPU = 49,
        SO_COOKIE = 57,
        SO_TIMESTAMP_NEW = 63,
        SO_TIMESTAMPNS_NEW = 64,
        SO_TIMESTAMPING_NEW = 65,
    }
}

numbers! {
    /// An option of `SOL_IP`.
    pub struct Ipv4Option(u32) {
        IP_TOS = 1,
        IP_TTL = 2,
        IP_PKTINFO = 8,
        IP_MTU_DISCOVER = 10,
        IP_RECVERR = 11,
        IP_RECVTTL = 12,
        IP_RECVTOS = 13,
        IP_MTU = 14,
        IP_FREEBIND = 15,
        IP_TRANSPARENT = 19,
        IP_RECVORIGDSTADDR = 20,
        IP_BIND_ADDRESS_NO_PORT = 24,
        IP_MULTICAST_IF = 32,
        IP_MULTICAST_TTL = 33,
        IP_MULTICAST_LOOP = 34,
        IP_ADD_MEMBERSHIP = 35,
        IP_DROP_MEMBERSHIP = 36,
        IP_MULTICAST_ALL = 49,
        IP_LOCAL_PORT_RANGE = 51,
    }
}

numbers! {
    /// An option of `SOL_IPV6`.
    pub struct Ipv6Option(u32) {
        IPV6_UNICAST_HOPS = 16,
        IPV6_MULTICAST_IF = 17,
        IPV6_MULTICAST_HOPS = 18,
        IPV6_MULTICAST_LOOP = 19,
        IPV6_ADD_MEMBERSHIP = 20,
        IPV6_DROP_MEMBERSHIP = 21,
        IPV6_MTU_DISCOVER = 23,
        IPV6_MTU = 24,
        IPV6_RECVERR = 25,
        IPV6_V6ONLY = 26,
        IPV6_RECVPKTINFO = 49,
        IPV6_PKTINFO = 50,
        IPV6_RECVHOPLIMIT = 51,
        IPV6_HOPLIMIT = 52,
        IPV6_DONTFRAG = 62,
        IPV6_RECVTCLASS = 66,
        IPV6_TCLASS = 67,
        IPV6_ADDR_PREFERENCES = 72,
        IPV6_TRANSPARENT = 75,
    }
}

numbers! {
    /// An option of `SOL_TCP`.
    pub struct TcpOption(u32) {
        TCP_NODELAY = 1,
        TCP_MAXSEG = 2,
        TCP_CORK = 3,
        TCP_KEEPIDLE = 4,
        TCP_KEEPINTVL = 5,
        TCP_KEEPCNT = 6,
        TCP_SYNCNT = 7,
        TCP_LINGER2 = 8,
        TCP_DEFER_ACCEPT = 9,
        TCP_WINDOW_CLAMP = 10,
        TCP_INFO = 11,
        TCP_QUICKACK = 12,
        TCP_CONGESTION = 13,
        TCP_USER_TIMEOUT = 18,
        TCP_FASTOPEN = 23,
        TCP_NOTSENT_LOWAT = 25,
        TCP_FASTOPEN_CONNECT = 30,
        TCP_INQ = 36,
    }
}

numbers! {
    /// An option of `SOL_UDP`.
    pub struct UdpOption(u32) {
        UDP_CORK = 1,
        UDP_SEGMENT = 103,
        UDP_GRO = 104,
    }
}

flags! {
    /// What SO_TIMESTAMPING is told (Documentation/networking/timestamping.rst).
    pub struct TimestampingFlags(u32) {
        SOF_TIMESTAMPING_TX_HARDWARE = 1 << 0,
        SOF_TIMESTAMPING_TX_SOFTWARE = 1 << 1,
        SOF_TIMESTAMPING_RX_HARDWARE = 1 << 2,
        SOF_TIMESTAMPING_RX_SOFTWARE = 1 << 3,
        SOF_TIMESTAMPING_SOFTWARE = 1 << 4,
        SOF_TIMESTAMPING_SYS_HARDWARE = 1 << 5,
        SOF_TIMESTAMPING_RAW_HARDWARE = 1 << 6,
        SOF_TIMESTAMPING_OPT_ID = 1 << 7,
        SOF_TIMESTAMPING_TX_SCHED = 1 << 8,
        SOF_TIMESTAMPING_TX_ACK = 1 << 9,
        SOF_TIMESTAMPING_OPT_CMSG = 1 << 10,
        SOF_TIMESTAMPING_OPT_TSONLY = 1 << 11,
    }
}
