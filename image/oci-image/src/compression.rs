//! Detects the compression of a layer or an archive by its first bytes, as containerd does. Media types are often wrong,
//! and the decompressed content is checked against the layer's digest anyway.

use std::io::{self, BufRead, Read};

/// A compression that we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// A plain tar archive.
    None,
    /// RFC 1952, one or several members.
    Gzip,
    /// RFC 8878, one or several frames.
    Zstd,
    /// bzip2, one or several streams. No specification of images has it, but Docker reads it.
    Bzip2,
    /// The .xz file format, one or several streams. As bzip2.
    Xz,
}

/// KiB that decoding xz may take: four times what `xz -9` asks for. The header of a block says how much it needs.
const XZ_MEMORY: u32 = 256 << 10;

/// The name of a compression that we do not read.
#[derive(Debug, thiserror::Error)]
#[error("compressed with {0}, which is not supported: use gzip, zstd or no compression")]
pub struct UnknownCompression(&'static str);

impl Compression {
    /// What it is called, `None` for no compression.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
            Self::Bzip2 => Some("bzip2"),
            Self::Xz => Some("xz"),
        }
    }

    /// How many bytes `detect` looks at.
    pub(crate) const MAGIC_LEN: usize = 6;

    pub(crate) fn detect(first: &[u8; Self::MAGIC_LEN]) -> Result<Self, UnknownCompression> {
        match first {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Self::Zstd),
            // A skippable frame may come first.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Self::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41] => Ok(Self::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0] => Ok(Self::Xz),
            [0x04, 0x22, 0x4d, 0x18, ..] => Err(UnknownCompression("lz4")),
            _ => Ok(Self::None),
        }
    }
}

/// Decompresses a stream.
pub(crate) enum Decoder<R: BufRead> {
    None(R),
    Gzip(Box<flate2::bufread::MultiGzDecoder<R>>),
    Zstd(zstd::Decoder<'static, R>),
    Bzip2(Box<bzip2::bufread::MultiBzDecoder<R>>),
    Xz(Box<lzma_rust2::XzReader<R>>),
}

impl<R: BufRead> Decoder<R> {
    pub(crate) fn new(compression: Compression, input: R) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::None(input),
            Compression::Gzip => Self::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(input))),
            Compression::Zstd => Self::Zstd(zstd::Decoder::with_buffer(input)?),
            Compression::Bzip2 => Self::Bzip2(Box::new(bzip2::bufread::MultiBzDecoder::new(input))),
            Compression::Xz => {
                let decoder = lzma_rust2::XzReader::new_mem_limit(input, true, XZ_MEMORY);
                Self::Xz(Box::new(decoder))
            }
        })
    }

    pub(crate) fn input_mut(&mut self) -> &mut R {
        match self {
            Self::None(input) => input,
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zstd(decoder) => decoder.get_mut(),
            Self::Bzip2(decoder) => decoder.get_mut(),
            Self::Xz(decoder) => decoder.inner_mut(),
        }
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::None(input) => input.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
            Self::Bzip2(decoder) => decoder.read(buffer),
            Self::Xz(decoder) => decoder.read(buffer),
        }
    }
}
