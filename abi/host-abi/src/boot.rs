//! Boot information: what the host puts into the first thread's staging buffer before any call.
//!
//! All of it is a claim. The root file system is verified against the measured root hash, arguments and
//! environment are taken only where the measured configuration allows it, flags only where it allows debugging.

use alloc::vec::Vec;

use sector_cipher::ImageKey;

/// An answer of CPUID that the host claims the processor gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuidEntry {
    /// EAX before.
    pub leaf: u32,
    /// ECX before.
    pub subleaf: u32,
    /// EAX, EBX, ECX and EDX after.
    pub registers: [u32; 4],
}

/// What a developer asked for on the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BootFlags {
    /// `--trace`: a line per system call.
    pub trace: bool,
    /// `--stats`: counts at the end.
    pub stats: bool,
    /// `-t`: the first process gets a terminal in the enclave, which standard input and output show.
    pub terminal: bool,
}

/// The host's part of a start.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct BootInfo {
    /// What is asked for.
    pub flags: BootFlags,
    /// Host address of the root file system's image, mapped read-only for as long as the enclave lives.
    pub rootfs_address: u64,
    /// Its length in bytes.
    pub rootfs_len: u64,
    /// Frequency of the time-stamp counter in Hz, 0 if unknown.
    pub tsc_hz: u64,
    /// Processors that the host lets the container use.
    pub processors: u32,
    /// CPUID as the host claims it.
    pub cpuid: Vec<CpuidEntry>,
    /// Arguments that replace the image's (empty: none given).
    pub args: Vec<Vec<u8>>,
    /// `NAME=VALUE` to add to the image's environment.
    pub env: Vec<Vec<u8>>,
    /// Contents of the host's resolv.conf, empty if there is none.
    pub resolv_conf: Vec<u8>,
    /// The container's host name, empty for the default.
    pub hostname: Vec<u8>,
    /// The key of the root file system's image, if the host has it.
    pub image_key: Option<ImageKey>,
    /// Where the broker is that is to provision the container, as a URL; empty if nobody is.
    pub broker: Vec<u8>,
    /// Host address of the program that asks the broker, mapped for as long as the enclave lives; 0 if there is none.
    pub init_address: u64,
}

/// Why boot information cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootError {
    /// It ends too early, or a count is beyond the buffer.
    Truncated,
    /// It does not begin with the magic number of this version.
    Version,
    /// The key of the image is none.
    Key,
    /// It does not fit into the staging buffer (most likely the arguments and environment are too long).
    TooLong,
}

impl BootInfo {
    /// "NACREBT" and the version.
    const MAGIC: u64 = u64::from_le_bytes(*b"NACREBT\x02");

    /// The bytes for the staging buffer, of at most `most` bytes.
    pub fn encode(&self, most: usize) -> Result<Vec<u8>, BootError> {
        let mut out = Vec::new();
        let mut word = |value: u64| out.extend_from_slice(&value.to_le_bytes());
        word(Self::MAGIC);
        let BootFlags {
            trace,
            stats,
            terminal,
        } = self.flags;
        word(u64::from(trace) | u64::from(stats) << 1 | u64::from(terminal) << 2);
        word(self.rootfs_address);
        word(self.rootfs_len);
        word(self.tsc_hz);
        word(self.processors.into());
        word(self.cpuid.len() as u64);
        for entry in &self.cpuid {
            for value in [entry.leaf, entry.subleaf].into_iter().chain(entry.registers) {
                word(value.into());
            }
        }
        for list in [&self.args, &self.env] {
            out.extend_from_slice(&(list.len() as u64).to_le_bytes());
            list.iter().for_each(|item| put_bytes(&mut out, item));
        }
        put_bytes(&mut out, &self.resolv_conf);
        put_bytes(&mut out, &self.hostname);
        put_bytes(
            &mut out,
            self.image_key.as_ref().map_or(&[], |key| key.as_bytes()),
        );
        put_bytes(&mut out, &self.broker);
        out.extend_from_slice(&self.init_address.to_le_bytes());
        if out.len() > most {
            Err(BootError::TooLong)
        } else {
            Ok(out)
        }
    }

    /// Reads what [`BootInfo::encode`] wrote; `bytes` may go on behind it.
    pub fn decode(bytes: &[u8]) -> Result<Self, BootError> {
        let mut reader = Reader { rest: bytes };
        if reader.word()? != Self::MAGIC {
            return Err(BootError::Version);
        }
        let flags = reader.word()?;
        let mut info = Self {
            flags: BootFlags {
                trace: flags & 1 != 0,
                stats: flags & 2 != 0,
                terminal: flags & 4 != 0,
            },
            rootfs_address: reader.word()?,
            rootfs_len: reader.word()?,
            tsc_hz: reader.word()?,
            processors: reader.narrow()?,
            ..Self::default()
        };
        for _ in 0..reader.count()? {
            info.cpuid.push(CpuidEntry {
                leaf: reader.narrow()?,
                subleaf: reader.narrow()?,
                registers: [
                    reader.narrow()?,
                    reader.narrow()?,
                    reader.narrow()?,
                    reader.narrow()?,
                ],
            });
        }
        info.args = reader.list()?;
        info.env = reader.list()?;
        info.resolv_conf = reader.bytes()?.to_vec();
        info.hostname = reader.bytes()?.to_vec();
        info.image_key = reader.key()?;
        info.broker = reader.bytes()?.to_vec();
        info.init_address = reader.word()?;
        Ok(info)
    }
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

pub(crate) struct Reader<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], BootError> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(BootError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn word(&mut self) -> Result<u64, BootError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(BootError::Truncated)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*head))
    }

    fn narrow(&mut self) -> Result<u32, BootError> {
        u32::try_from(self.word()?).map_err(|_| BootError::Truncated)
    }

    /// A count of items, each of which takes at least a word: bounded by what is left.
    fn count(&mut self) -> Result<usize, BootError> {
        let count = self.word()?;
        let most = self.rest.len() / 8;
        usize::try_from(count)
            .ok()
            .filter(|&count| count <= most)
            .ok_or(BootError::Truncated)
    }

    fn bytes(&mut self) -> Result<&'a [u8], BootError> {
        let len = usize::try_from(self.word()?).map_err(|_| BootError::Truncated)?;
        self.take(len)
    }

    /// A key, or nothing.
    fn key(&mut self) -> Result<Option<ImageKey>, BootError> {
        let bytes = self.bytes()?;
        if bytes.is_empty() {
            return Ok(None);
        }
        ImageKey::new(bytes).map(Some).map_err(|_| BootError::Key)
    }

    pub(crate) fn list(&mut self) -> Result<Vec<Vec<u8>>, BootError> {
        let count = self.count()?;
        (0..count).map(|_| self.bytes().map(<[u8]>::to_vec)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> BootInfo {
        BootInfo {
            flags: BootFlags {
                trace: true,
                stats: false,
                terminal: true,
            },
            rootfs_address: 0x7f00_0000_0000,
            rootfs_len: 4096,
            tsc_hz: 2_450_000_000,
            processors: 2,
            cpuid: alloc::vec![CpuidEntry {
                leaf: 7,
                subleaf: 0,
                registers: [1, 2, 3, 4]
            }],
            args: alloc::vec![b"sh".to_vec(), b"-c".to_vec()],
            env: alloc::vec![b"A=1".to_vec()],
            resolv_conf: b"nameserver 127.0.0.1\n".to_vec(),
            hostname: b"pearl".to_vec(),
            image_key: ImageKey::new(&core::array::from_fn::<u8, 64, _>(|at| at as u8)).ok(),
            broker: b"https://broker.example".to_vec(),
            init_address: 0x7000_0000,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = sample().encode(4096).unwrap();
        assert_eq!(BootInfo::decode(&bytes), Ok(sample()));
        bytes.extend_from_slice(&[0xff; 100]);
        assert_eq!(BootInfo::decode(&bytes), Ok(sample()));
        assert_eq!(sample().encode(64), Err(BootError::TooLong));
    }

    #[test]
    fn without_a_key_there_is_none() {
        let info = BootInfo {
            image_key: None,
            ..sample()
        };
        assert_eq!(BootInfo::decode(&info.encode(4096).unwrap()), Ok(info));
    }

    #[test]
    fn every_prefix_is_refused() {
        let bytes = sample().encode(4096).unwrap();
        for len in 0..bytes.len() {
            assert!(BootInfo::decode(&bytes[..len]).is_err(), "prefix of {len}");
        }
    }

    #[test]
    fn a_changed_byte_never_panics() {
        let bytes = sample().encode(4096).unwrap();
        for at in 0..bytes.len() {
            for value in [0, 0x7f, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = value;
                let _ = BootInfo::decode(&changed);
            }
        }
    }
}
