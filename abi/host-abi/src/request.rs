//! What somebody on the host asks of a running container that may be debugged: `nacre exec`, `nacre top`.

use alloc::vec::Vec;

use crate::HostFd;
use crate::boot::{BootError, Reader, put_bytes};

/// Among the signals that a host passes at an entry: there is a request. Signal 64 has this number, too: a container whose
/// StopSignal it is takes no requests.
pub const REQUEST_SIGNAL: u64 = 1 << 63;

/// A request, and the number by which it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number, of the host's choice.
    pub number: u64,
    /// What is asked for.
    pub wish: Wish,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Runs a program in the container.
    Execute {
        /// The program and its arguments.
        args: Vec<Vec<u8>>,
        /// `NAME=VALUE` to add to the container's environment.
        env: Vec<Vec<u8>>,
        /// Whether it gets a terminal in the enclave.
        terminal: bool,
        /// Its standard streams: descriptors that the host lends for it, until the enclave closes them.
        streams: [HostFd; 3],
    },
    /// Tells which processes there are, as text.
    ListProcesses,
    /// The terminal of the program with this request's number has another size.
    Resize,
}

impl Request {
    /// "NACREQ", and the version.
    const MAGIC: u64 = u64::from_le_bytes(*b"NACREQ\0\x01");

    const EXECUTE: u64 = 1;
    const LIST: u64 = 2;
    const RESIZE: u64 = 3;

    /// The bytes for the staging buffer.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut word = |value: u64| out.extend_from_slice(&value.to_le_bytes());
        word(Self::MAGIC);
        word(self.number);
        match &self.wish {
            Wish::ListProcesses => word(Self::LIST),
            Wish::Resize => word(Self::RESIZE),
            Wish::Execute {
                args,
                env,
                terminal,
                streams,
            } => {
                word(Self::EXECUTE);
                word((*terminal).into());
                streams.iter().for_each(|fd| word(fd.raw().into()));
                for list in [args, env] {
                    out.extend_from_slice(&(list.len() as u64).to_le_bytes());
                    list.iter().for_each(|item| put_bytes(&mut out, item));
                }
            }
        }
        out
    }

    /// Reads what [`Self::encode`] wrote; `bytes` may go on behind it.
    ///
    /// # Errors
    /// When it means nothing.
    pub fn decode(bytes: &[u8]) -> Result<Self, BootError> {
        let mut reader = Reader { rest: bytes };
        if reader.word()? != Self::MAGIC {
            return Err(BootError::Version);
        }
        let number = reader.word()?;
        let wish = match reader.word()? {
            Self::EXECUTE => {
                let terminal = reader.word()? != 0;
                let mut stream = || HostFd::from_raw(reader.word()?).ok_or(BootError::Truncated);
                let streams = [stream()?, stream()?, stream()?];
                Wish::Execute {
                    args: reader.list()?,
                    env: reader.list()?,
                    terminal,
                    streams,
                }
            }
            Self::LIST => Wish::ListProcesses,
            Self::RESIZE => Wish::Resize,
            _ => return Err(BootError::Version),
        };
        Ok(Self { number, wish })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Request {
        Request {
            number: 7,
            wish: Wish::Execute {
                args: alloc::vec![b"ps".to_vec(), b"aux".to_vec()],
                env: alloc::vec![b"A=1".to_vec()],
                terminal: true,
                streams: [5, 6, 7].map(|raw| HostFd::from_raw(raw).unwrap()),
            },
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for wish in [sample().wish, Wish::ListProcesses, Wish::Resize] {
            let request = Request { number: 9, wish };
            assert_eq!(Request::decode(&request.encode()), Ok(request));
        }
    }

    #[test]
    fn prefixes_are_refused_and_changes_never_panic() {
        let bytes = sample().encode();
        for len in 0..bytes.len() {
            assert!(Request::decode(&bytes[..len]).is_err(), "prefix of {len}");
        }
        for at in 0..bytes.len() {
            for value in [0, 0x7f, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = value;
                let _ = Request::decode(&changed);
            }
        }
    }
}
