//! Terminals: the settings of termios(3), ioctl_tty(2).

flags! {
    /// `c_iflag`.
    pub struct InputModes(u32) {
        IGNBRK = 0o1,
        BRKINT = 0o2,
        IGNPAR = 0o4,
        PARMRK = 0o10,
        INPCK = 0o20,
        ISTRIP = 0o40,
        INLCR = 0o100,
        IGNCR = 0o200,
        ICRNL = 0o400,
        IUCLC = 0o1000,
        IXON = 0o2000,
        IXANY = 0o4000,
        IXOFF = 0o10000,
        IMAXBEL = 0o20000,
        IUTF8 = 0o40000,
    }
}

flags! {
    /// `c_oflag`. What would delay output has no effect.
    pub struct OutputModes(u32) {
        OPOST = 0o1,
        OLCUC = 0o2,
        ONLCR = 0o4,
        OCRNL = 0o10,
        ONOCR = 0o20,
        ONLRET = 0o40,
        OFILL = 0o100,
        OFDEL = 0o200,
        /// Of TABDLY: tabs become spaces.
        XTABS = 0o14000,
    }
}

flags! {
    /// `c_lflag`.
    pub struct LocalModes(u32) {
        ISIG = 0o1,
        ICANON = 0o2,
        XCASE = 0o4,
        ECHO = 0o10,
        ECHOE = 0o20,
        ECHOK = 0o40,
        ECHONL = 0o100,
        NOFLSH = 0o200,
        TOSTOP = 0o400,
        ECHOCTL = 0o1000,
        ECHOPRT = 0o2000,
        ECHOKE = 0o4000,
        FLUSHO = 0o10000,
        PENDIN = 0o40000,
        IEXTEN = 0o100000,
        EXTPROC = 0o200000,
    }
}

flags! {
    /// What a master in packet mode is told of.
    pub struct PacketStatus(u8) {
        TIOCPKT_FLUSHREAD = 1,
        TIOCPKT_FLUSHWRITE = 2,
        TIOCPKT_STOP = 4,
        TIOCPKT_START = 8,
        TIOCPKT_NOSTOP = 16,
        TIOCPKT_DOSTOP = 32,
        TIOCPKT_IOCTL = 64,
    }
}

numbers! {
    /// What TCFLSH throws away.
    pub struct FlushQueue(u32) {
        TCIFLUSH = 0,
        TCOFLUSH = 1,
        TCIOFLUSH = 2,
    }
}

numbers! {
    /// What TCXONC does.
    pub struct FlowAction(u32) {
        TCOOFF = 0,
        TCOON = 1,
        TCIOFF = 2,
        TCION = 3,
    }
}

constants! {
    /// Places in `c_cc`.
    VINTR: usize = 0;
    VQUIT: usize = 1;
    VERASE: usize = 2;
    VKILL: usize = 3;
    VEOF: usize = 4;
    VTIME: usize = 5;
    VMIN: usize = 6;
    VSWTC: usize = 7;
    VSTART: usize = 8;
    VSTOP: usize = 9;
    VSUSP: usize = 10;
    VEOL: usize = 11;
    VREPRINT: usize = 12;
    VDISCARD: usize = 13;
    VWERASE: usize = 14;
    VLNEXT: usize = 15;
    VEOL2: usize = 16;
    /// How many there are.
    NCCS: usize = 19;
    /// Bits of `c_cflag`.
    CBAUD: u32 = 0o10017;
    CBAUDEX: u32 = 0o10000;
    B38400: u32 = 0o17;
    BOTHER: u32 = 0o10000;
    CSIZE: u32 = 0o60;
    CS8: u32 = 0o60;
    CREAD: u32 = 0o200;
    PARENB: u32 = 0o400;
    /// Bits of `c_oflag`.
    TABDLY: u32 = 0o14000;
    /// The byte before data in packet mode.
    TIOCPKT_DATA: u8 = 0;
    /// The only line discipline.
    N_TTY: u32 = 0;
}
