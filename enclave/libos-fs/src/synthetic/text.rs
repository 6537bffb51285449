//! Open files of these file systems: a text, and when it is made.

use alloc::sync::Arc;

use enclave_rt::attestation;
use kobject::{Errno, Mutex, Result, Sink, Source};

use crate::attester::Secret;

use super::{MakeSecret, MakeText, Subject, Synthetic, TakeText};

/// Longest text that a file takes in one write.
const MAX_WRITE: usize = 4096;

/// Where a text comes from.
pub(super) enum Make {
    /// It is always this.
    Fixed(&'static str),
    /// When it is read from the beginning; it stays the same until it is read from there again.
    Anew(MakeText),
    /// When it is opened, or written to.
    Once(MakeText),
    /// At each read.
    Secret(MakeSecret),
}

/// An open file whose text is made when it is asked for.
pub(crate) struct Text {
    fs: Arc<Synthetic>,
    subject: Subject,
    make: Make,
    take: Option<TakeText>,
    made: Mutex<Option<Arc<[u8]>>>,
}

impl Text {
    pub(super) fn open(
        fs: &Arc<Synthetic>,
        subject: Subject,
        make: Make,
        take: Option<TakeText>,
    ) -> Result<Self> {
        let made = match make {
            Make::Once(make) => Some(make(fs, subject)?.into()),
            _ => None,
        };
        Ok(Self {
            fs: fs.clone(),
            subject,
            make,
            take,
            made: Mutex::new(made),
        })
    }

    pub(crate) fn read(&self, offset: u64, to: &mut dyn Sink) -> Result<usize> {
        let (make, keeps) = match self.make {
            Make::Fixed(text) => return read_part(text.as_bytes(), offset, to),
            Make::Secret(make) => {
                let secret = make(&self.fs, self.subject)?;
                return read_part(secret.as_ref().map_or(&[], Secret::bytes), offset, to);
            }
            Make::Anew(make) => (make, offset != 0),
            Make::Once(make) => (make, true),
        };
        let known = if keeps { self.made.lock().clone() } else { None };
        let text = match known {
            Some(text) => text,
            None => {
                let text: Arc<[u8]> = make(&self.fs, self.subject)?.into();
                *self.made.lock() = Some(text.clone());
                text
            }
        };
        read_part(&text, offset, to)
    }

    pub(crate) fn write(&self, offset: u64, from: &mut dyn Source) -> Result<(usize, u64)> {
        // Only root comes here with a file that nobody may write.
        let refusal = match self.make {
            Make::Fixed(_) | Make::Anew(_) => Errno::EIO,
            Make::Once(_) | Make::Secret(_) => Errno::EACCES,
        };
        let take = self.take.ok_or(refusal)?;
        let mut bytes = alloc::vec![0; from.left().min(MAX_WRITE)];
        from.take(&mut bytes)?;
        let taken = take(&self.fs, self.subject, &bytes);
        if let Make::Secret(_) = self.make {
            attestation::wipe(&mut bytes);
        }
        taken?;
        if let Make::Once(make) = self.make {
            let text = make(&self.fs, self.subject)?.into();
            *self.made.lock() = Some(text);
        }
        Ok((bytes.len(), offset + bytes.len() as u64))
    }

    /// Bytes, as far as they are known: 0 for a text that is made anew with each reading.
    pub(crate) fn len(&self) -> Result<u64> {
        Ok(match self.make {
            Make::Fixed(_) | Make::Anew(_) => 0,
            Make::Once(_) => self.made.lock().as_ref().map_or(0, |text| text.len() as u64),
            Make::Secret(make) => secret_size(make(&self.fs, self.subject)?.as_ref()),
        })
    }
}

pub(super) fn secret_size(secret: Option<&Secret>) -> u64 {
    secret.map_or(0, |secret| secret.bytes().len() as u64)
}

fn read_part(text: &[u8], offset: u64, to: &mut dyn Sink) -> Result<usize> {
    let rest = usize::try_from(offset).ok().and_then(|offset| text.get(offset..));
    let rest = rest.unwrap_or_default();
    let rest = rest.get(..to.room()).unwrap_or(rest);
    to.put(rest)?;
    Ok(rest.len())
}
