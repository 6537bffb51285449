//! The names of Unix sockets (unix(7)): paths, which `fs` keeps, and abstract names, which are kept here.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::{Arc, Weak};

use kobject::{Errno, Mutex, Result};
use linux_abi::AddressFamily;

use super::UnixSocket;
use crate::socket::address::family;
use crate::socket::{BoundSocket, Caller, SocketAddress};

/// Bytes of `struct sockaddr_un`.
const SOCKADDR_UN: usize = 110;

/// A name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::socket) enum Name {
    /// In the file system.
    Path(Box<[u8]>),
    /// In a name space of its own; the bytes behind the leading zero.
    Abstract(Box<[u8]>),
}

impl Name {
    /// The name in an address; `None` for one that has only a family, which asks `bind` for a name. EINVAL
    /// for what is no address of a Unix socket.
    pub fn parse(address: &[u8]) -> Result<Option<Self>> {
        if address.len() > SOCKADDR_UN || family(address)? != AddressFamily::AF_UNIX {
            return Err(Errno::EINVAL);
        }
        Ok(match address.get(2..).unwrap_or_default() {
            [] => None,
            [0, rest @ ..] => Some(Self::Abstract(rest.into())),
            path => {
                let path = path.split(|&byte| byte == 0).next().unwrap_or_default();
                Some(Self::Path(path.into()))
            }
        })
    }

    /// The address of a socket of this name, or of one without.
    #[expect(
        clippy::expect_used,
        reason = "a name comes from an address of 110 bytes at most, and 128 fit"
    )]
    pub fn address(name: Option<&Self>) -> SocketAddress {
        let mut address = AddressFamily::AF_UNIX.0.to_ne_bytes().to_vec();
        match name {
            None => {}
            // A path is followed by a zero, even where that is beyond `sockaddr_un`.
            Some(Self::Path(path)) => address.extend(path.iter().copied().chain([0])),
            Some(Self::Abstract(name)) => address.extend([0].into_iter().chain(name.iter().copied())),
        }
        SocketAddress::new(&address).expect("a name comes from an address, so it fits into one")
    }

    /// Gives the name to a socket; a path gets these permissions, without the umask. EADDRINUSE.
    pub fn bind(&self, socket: Weak<UnixSocket>, permissions: u32, caller: Caller<'_>) -> Result<()> {
        match self {
            Self::Path(path) => {
                let bound: BoundSocket = Arc::new(socket);
                match caller.names.bind(path, bound, permissions) {
                    Err(Errno::EEXIST) => Err(Errno::EADDRINUSE),
                    done => done,
                }
            }
            Self::Abstract(name) => {
                let mut names = ABSTRACT.lock();
                if names.get(name).is_some_and(|taken| taken.strong_count() > 0) {
                    return Err(Errno::EADDRINUSE);
                }
                names.insert(name.clone(), socket);
                Ok(())
            }
        }
    }

    /// Gives a fresh abstract name of five hexadecimal digits to a socket.
    pub fn bind_fresh(socket: &Weak<UnixSocket>) -> Result<Self> {
        let mut names = ABSTRACT.lock();
        for number in 0..0x10_0000 {
            let name: Box<[u8]> = format!("{number:05x}").into_bytes().into();
            if names.get(&name).is_none_or(|taken| taken.strong_count() == 0) {
                names.insert(name.clone(), socket.clone());
                return Ok(Self::Abstract(name));
            }
        }
        Err(Errno::ENOSPC)
    }

    /// The socket of this name; ECONNREFUSED if there is none any more, for a path ENOENT if there never was.
    pub fn find(&self, caller: Caller<'_>) -> Result<Arc<UnixSocket>> {
        let bound = match self {
            Self::Path(path) => {
                let bound = caller.names.find(path)?;
                bound.downcast_ref::<Weak<UnixSocket>>().and_then(Weak::upgrade)
            }
            Self::Abstract(name) => ABSTRACT.lock().get(name).and_then(Weak::upgrade),
        };
        bound
            .filter(|socket| !socket.is_closed())
            .ok_or(Errno::ECONNREFUSED)
    }

    /// The socket is closed: an abstract name is free again, a path stays until it is removed.
    pub fn release(&self) {
        if let Self::Abstract(name) = self {
            ABSTRACT.lock().remove(name);
        }
    }
}

static ABSTRACT: Mutex<BTreeMap<Box<[u8]>, Weak<UnixSocket>>> = Mutex::new(BTreeMap::new());
