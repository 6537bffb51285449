//! Messages about network interfaces: netlink(7), rtnetlink(7).

numbers! {
    /// The type of a message (nlmsg_type).
    pub struct MessageType(u16) {
        NLMSG_ERROR = 2,
        NLMSG_DONE = 3,
        RTM_NEWLINK = 16,
        RTM_GETLINK = 18,
        RTM_NEWADDR = 20,
        RTM_GETADDR = 22,
    }
}

flags! {
    /// How a request is meant (nlmsg_flags).
    pub struct RequestFlags(u16) {
        NLM_F_REQUEST = 0x1,
        NLM_F_DUMP = 0x300,
    }
}

numbers! {
    /// An attribute of an interface.
    pub struct LinkAttribute(u16) {
        IFLA_ADDRESS = 1,
        IFLA_IFNAME = 3,
        IFLA_MTU = 4,
        IFLA_TXQLEN = 13,
    }
}

numbers! {
    /// An attribute of an address.
    pub struct AddressAttribute(u16) {
        IFA_ADDRESS = 1,
        IFA_LOCAL = 2,
        IFA_BROADCAST = 4,
    }
}

constants! {
    /// The bits of an attribute's type that are the type.
    NLA_TYPE_MASK: u16 = 0x3fff;
}
