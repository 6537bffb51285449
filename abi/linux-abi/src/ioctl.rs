//! What ioctl(2) does: ioctl_tty(2), ioctl_pipe(2), netdevice(7), unix(7).

numbers! {
    /// An operation.
    pub struct Ioctl(u32) {
        TCGETS = 0x5401,
        TCSETS = 0x5402,
        TCSETSW = 0x5403,
        TCSETSF = 0x5404,
        TIOCGPGRP = 0x540f,
        TIOCSPGRP = 0x5410,
        /// For sockets also `SIOCOUTQ`.
        TIOCOUTQ = 0x5411,
        TIOCGWINSZ = 0x5413,
        /// For sockets also `SIOCINQ`.
        FIONREAD = 0x541b,
        FIONBIO = 0x5421,
        TIOCGSID = 0x5429,
        FIONCLEX = 0x5450,
        FIOCLEX = 0x5451,
        FIOASYNC = 0x5452,
        SIOCGIFNAME = 0x8910,
        SIOCGIFCONF = 0x8912,
        SIOCGIFFLAGS = 0x8913,
        SIOCGIFADDR = 0x8915,
        SIOCGIFBRDADDR = 0x8919,
        SIOCGIFNETMASK = 0x891b,
        SIOCGIFMETRIC = 0x891d,
        SIOCGIFMTU = 0x8921,
        SIOCGIFHWADDR = 0x8927,
        SIOCGIFINDEX = 0x8933,
    }
}
