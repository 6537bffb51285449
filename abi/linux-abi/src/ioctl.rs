//! What ioctl(2) does: ioctl_tty(2), ioctl_pipe(2), netdevice(7), unix(7).

numbers! {
    /// An operation.
    pub struct Ioctl(u32) {
        TCGETS = 0x5401,
        TCSETS = 0x5402,
        TCSETSW = 0x5403,
        TCSETSF = 0x5404,
        TCSBRK = 0x5409,
        TCXONC = 0x540a,
        TCFLSH = 0x540b,
        TIOCEXCL = 0x540c,
        TIOCNXCL = 0x540d,
        TIOCSCTTY = 0x540e,
        TIOCGPGRP = 0x540f,
        TIOCSPGRP = 0x5410,
        /// For sockets also `SIOCOUTQ`.
        TIOCOUTQ = 0x5411,
        TIOCSTI = 0x5412,
        TIOCGWINSZ = 0x5413,
        TIOCSWINSZ = 0x5414,
        /// For sockets also `SIOCINQ`.
        FIONREAD = 0x541b,
        TIOCPKT = 0x5420,
        FIONBIO = 0x5421,
        TIOCNOTTY = 0x5422,
        TIOCSETD = 0x5423,
        TIOCGETD = 0x5424,
        TCSBRKP = 0x5425,
        TIOCSBRK = 0x5427,
        TIOCCBRK = 0x5428,
        TIOCGSID = 0x5429,
        TCGETS2 = 0x802c_542a,
        TCSETS2 = 0x402c_542b,
        TCSETSW2 = 0x402c_542c,
        TCSETSF2 = 0x402c_542d,
        /// The number of a pseudo-terminal, asked of its master.
        TIOCGPTN = 0x8004_5430,
        /// Locks the slave of a pseudo-terminal, or unlocks it.
        TIOCSPTLCK = 0x4004_5431,
        TIOCGDEV = 0x8004_5432,
        TIOCVHANGUP = 0x5437,
        TIOCGPKT = 0x8004_5438,
        TIOCGPTLCK = 0x8004_5439,
        TIOCGEXCL = 0x8004_5440,
        /// Opens the slave of a master.
        TIOCGPTPEER = 0x5441,
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
