//! Copies between descriptors: sendfile, copy_file_range, splice, tee, vmsplice.

use kobject::{Description, Errno, KernelSink, KernelSource, Result, UserSource};

use super::Call;
use super::sys_read::{pieces, raise_pipe};
use super::table::{Restart, Row};
use crate::user;

/// What the table says of these.
pub(super) const ROWS: &[Row] = &[
    Row::full(40, "sendfile", sys_sendfile, "ddxd").restarts(Restart::WithFlag),
    Row::full(326, "copy_file_range", sys_copy_file_range, "dxdxdx"),
    Row::partial(275, "splice", sys_splice, "dxdxdx", "copies").restarts(Restart::WithFlag),
    Row::partial(278, "vmsplice", sys_vmsplice, "dxdx", "copies; into a pipe only")
        .restarts(Restart::WithFlag),
];

/// Bytes that are copied at a time.
const CHUNK: usize = 64 * 1024;

/// One end of a copy: an open file at its own position or at an offset that the program keeps.
struct End<'a> {
    file: &'a Description,
    offset: Option<u64>,
}

impl End<'_> {
    fn read(&mut self, most: usize) -> Result<alloc::vec::Vec<u8>> {
        let mut sink = KernelSink::new(most);
        match &mut self.offset {
            None => self.file.read(&mut sink)?,
            Some(offset) => {
                let count = self.file.read_at(*offset, &mut sink)?;
                *offset += count as u64;
                count
            }
        };
        Ok(sink.into_bytes())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut source = KernelSource(bytes);
        match &mut self.offset {
            None => self.file.write(&mut source),
            Some(offset) => {
                let count = self.file.write_at(*offset, &mut source)?;
                *offset += count as u64;
                Ok(count)
            }
        }
    }

    /// Gives back what was read and could not be written, where that can be done: a position can go back, a pipe cannot.
    fn unread(&mut self, count: usize) {
        match &mut self.offset {
            Some(offset) => *offset -= count as u64,
            None => drop(self.file.seek(-(count as i64), 1)),
        }
    }
}

fn copy(from: &mut End<'_>, to: &mut End<'_>, len: u64) -> Result<usize> {
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(0x7fff_f000);
    let mut done = 0;
    while done < len {
        let bytes = match from.read((len - done).min(CHUNK)) {
            Ok(bytes) if bytes.is_empty() => break,
            Ok(bytes) => bytes,
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        };
        match to.write(&bytes) {
            Ok(count) => {
                done += count;
                if count < bytes.len() {
                    from.unread(bytes.len() - count);
                    break;
                }
            }
            Err(error) => {
                from.unread(bytes.len());
                if done > 0 {
                    break;
                }
                return Err(error);
            }
        }
        // A pipe or socket gave what it had: whoever asks for more asks again.
        if !from.file.object().is_seekable() {
            break;
        }
    }
    Ok(done)
}

fn offset_at(at: u64) -> Result<Option<u64>> {
    let offset = user::get_if::<u64>(at)?;
    if offset.is_some_and(|offset| (offset as i64) < 0) {
        Err(Errno::EINVAL)
    } else {
        Ok(offset)
    }
}

fn put_offset(at: u64, end: &End<'_>) -> Result<()> {
    end.offset.map_or(Ok(()), |offset| user::put(at, &offset))
}

fn sys_sendfile(call: &mut Call<'_>) -> Result<u64> {
    let [to, from, at, len, ..] = call.args;
    let (from, to) = (call.file(from)?, call.file(to)?);
    if !from.object().is_seekable() {
        return Err(Errno::EINVAL);
    }
    let mut source = End {
        file: &from,
        offset: offset_at(at)?,
    };
    let result = copy(
        &mut source,
        &mut End {
            file: &to,
            offset: None,
        },
        len,
    );
    put_offset(at, &source)?;
    raise_pipe(call, result)
}

fn sys_copy_file_range(call: &mut Call<'_>) -> Result<u64> {
    let [from, from_at, to, to_at, len, flags] = call.args;
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let (from, to) = (call.file(from)?, call.file(to)?);
    let kinds = [from.object().stat()?.kind, to.object().stat()?.kind];
    if kinds.contains(&kobject::FileKind::Directory) {
        return Err(Errno::EISDIR);
    }
    if kinds != [kobject::FileKind::Regular; 2] {
        return Err(Errno::EINVAL);
    }
    if to.flags().contains(kobject::StatusFlags::APPEND) {
        return Err(Errno::EBADF);
    }
    let mut source = End {
        file: &from,
        offset: offset_at(from_at)?,
    };
    let mut target = End {
        file: &to,
        offset: offset_at(to_at)?,
    };
    let done = copy(&mut source, &mut target, len)?;
    put_offset(from_at, &source)?;
    put_offset(to_at, &target)?;
    Ok(done as u64)
}

fn is_pipe(file: &Description) -> bool {
    file.object_as::<io::pipe::PipeEnd>().is_some()
}

fn sys_splice(call: &mut Call<'_>) -> Result<u64> {
    let [from, from_at, to, to_at, len, flags] = call.args;
    if flags & !0xf != 0 {
        return Err(Errno::EINVAL);
    }
    let (from, to) = (call.file(from)?, call.file(to)?);
    if !is_pipe(&from) && !is_pipe(&to) {
        return Err(Errno::EINVAL);
    }
    if (is_pipe(&from) && from_at != 0) || (is_pipe(&to) && to_at != 0) {
        return Err(Errno::ESPIPE);
    }
    let mut source = End {
        file: &from,
        offset: offset_at(from_at)?,
    };
    let mut target = End {
        file: &to,
        offset: offset_at(to_at)?,
    };
    let result = copy(&mut source, &mut target, len);
    put_offset(from_at, &source)?;
    put_offset(to_at, &target)?;
    raise_pipe(call, result)
}

fn sys_vmsplice(call: &mut Call<'_>) -> Result<u64> {
    let [fd, at, count, ..] = call.args;
    let file = call.file(fd)?;
    if !is_pipe(&file) || !file.flags().writable() {
        return Err(Errno::EBADF);
    }
    let pieces = pieces(at, count)?;
    let result = file.write(&mut UserSource::new(&pieces));
    raise_pipe(call, result)
}
