//! One layer of an image, and the reader of its tar archive.

use std::io::{self, BufReader, Read};

use crate::blob::{Blob, BlobReader};
use crate::compression::{Compression, Decoder, UnknownCompression};
use crate::digest::{Digest, VerifyingReader};

/// Size of the buffers between file, decompression and tar reader, in bytes.
const BUFFER_LEN: usize = 256 << 10;

/// A layer: a tar archive of changes to the layers below it.
#[derive(Clone, Debug)]
pub struct Layer {
    pub(crate) blob: Blob,
    /// Of the blob; `None` in a docker-archive, which has only the uncompressed digest.
    pub(crate) digest: Option<Digest>,
    pub(crate) diff_id: Digest,
    pub(crate) compression: Compression,
}

impl Layer {
    pub(crate) fn new(blob: Blob, digest: Option<Digest>, diff_id: Digest) -> Result<Self, LayerError> {
        let compression = Compression::detect(&blob.first()?)?;
        Ok(Self {
            blob,
            digest,
            diff_id,
            compression,
        })
    }

    /// The blob's size in bytes, as stored (compressed).
    pub fn size(&self) -> u64 {
        self.blob.len()
    }

    /// The digest of the uncompressed archive.
    pub fn diff_id(&self) -> Digest {
        self.diff_id
    }

    /// How the blob is compressed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// Reads the uncompressed archive, and fails at its end unless all digests agree, or if it is longer than
    /// `max_len` bytes (a small blob can decompress to a thousand times its size).
    pub(crate) fn open(&self, max_len: u64) -> Result<LayerReader, LayerError> {
        // An uncompressed blob's digest is its diff_id: hash it once.
        let digest = self.digest.filter(|_| self.compression != Compression::None);
        let blob = match digest {
            Some(digest) => BlobInput::Verified(VerifyingReader::new("a layer", self.blob.reader(), digest)),
            None => BlobInput::Plain(self.blob.reader()),
        };
        let decoder = Decoder::new(self.compression, BufReader::with_capacity(BUFFER_LEN, blob))?;
        let archive = VerifyingReader::new("a layer's archive", decoder, self.diff_id);
        Ok(LayerReader {
            archive: BufReader::with_capacity(BUFFER_LEN, archive),
            left: max_len,
        })
    }
}

/// A layer that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// Reading or decompressing failed, or the digest is wrong.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The layer is compressed in a way that we do not read.
    #[error(transparent)]
    Compression(#[from] UnknownCompression),
}

enum BlobInput {
    Plain(BlobReader),
    Verified(VerifyingReader<BlobReader>),
}

impl BlobInput {
    fn blob(&mut self) -> &mut BlobReader {
        match self {
            Self::Plain(reader) => reader,
            Self::Verified(reader) => reader.inner_mut(),
        }
    }
}

impl Read for BlobInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Verified(reader) => reader.read(buffer),
        }
    }
}

/// The uncompressed bytes of a layer.
pub(crate) struct LayerReader {
    archive: BufReader<VerifyingReader<Decoder<BufReader<BlobInput>>>>,
    /// How many bytes there may still be.
    left: u64,
}

impl LayerReader {
    /// Bytes of the stored blob that were consumed so far.
    pub(crate) fn blob_position(&mut self) -> u64 {
        self.archive
            .get_mut()
            .inner_mut()
            .input_mut()
            .get_mut()
            .blob()
            .position()
    }

    /// Reads what is left of the layer, so that both digests are checked.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        io::copy(&mut self, &mut io::sink())?;
        match self.archive.get_mut().inner_mut().input_mut().get_mut() {
            BlobInput::Plain(_) => Ok(()),
            BlobInput::Verified(blob) => blob.drain(),
        }
    }
}

impl Read for LayerReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.archive.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::other(TooLong))?;
        Ok(count)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the layer decompresses to more than an image may hold (nacre convert --max-size allows more)")]
struct TooLong;
