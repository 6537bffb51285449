//! Copies between descriptors: splice, tee, vmsplice, sendfile, copy_file_range.

use alloc::vec::Vec;

use kobject::{
    Description, Errno, File, FileKind, How, IoVec, KernelSink, KernelSource, Result, UserSink, UserSource,
};
use libos_io::pipe::PipeEnd;
use linux_abi::read_write::MAX_RW_COUNT;
use linux_abi::{OpenFlags, SpliceFlags, Whence};

use super::Call;
use super::iovec::pieces;
use super::table::{Restart, Row};
use super::write_effects::{modified, raise_pipe, room_in_file};
use crate::user::{self, Address};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(40, "sendfile", sys_sendfile, "ddxl").restarts(Restart::WithFlag),
    Row::full(326, "copy_file_range", sys_copy_file_range, "dxdxlx"),
    Row::partial(
        275,
        "splice",
        sys_splice,
        "dxdxlx",
        "copies instead of moving pages",
    )
    .restarts(Restart::WithFlag),
    Row::partial(276, "tee", sys_tee, "ddlx", "copies instead of moving pages").restarts(Restart::WithFlag),
    Row::partial(
        278,
        "vmsplice",
        sys_vmsplice,
        "dxdx",
        "copies instead of moving pages",
    )
    .restarts(Restart::WithFlag),
];

fn sys_sendfile(call: &mut Call<'_>) -> Result<u64> {
    let (to, from, at, len) = (call.fd(0), call.fd(1), call.pointer(2), call.len(3));
    let (from, to) = (call.file(from)?, call.file(to)?);
    if !from.object().is_seekable() || (len as isize) < 0 {
        return Err(Errno::EINVAL);
    }
    let mut source = End {
        file: &from,
        offset: offset_at(at)?,
    };
    let mut target = End {
        file: &to,
        offset: None,
    };
    check_target(&source, &target)?;
    let result = copy(call, &mut source, &mut target, len, Waits::AsOpened);
    put_offset(at, &source)?;
    if result.is_ok_and(|count| count > 0) {
        modified(call, &to);
    }
    raise_pipe(call, result)
}

fn sys_copy_file_range(call: &mut Call<'_>) -> Result<u64> {
    let (from, from_at, to, to_at, len, flags) = (
        call.fd(0),
        call.pointer(1),
        call.fd(2),
        call.pointer(3),
        call.len(4),
        call.uint(5),
    );
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let (from, to) = (call.file(from)?, call.file(to)?);
    let kinds = [from.object().stat()?.kind, to.object().stat()?.kind];
    if kinds.contains(&FileKind::Directory) {
        return Err(Errno::EISDIR);
    }
    if kinds != [FileKind::Regular; 2] {
        return Err(Errno::EINVAL);
    }
    if to.flags().contains(OpenFlags::O_APPEND) {
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
    // Ranges are cut at the end of what is read before they are compared.
    let size = from.object().stat()?.size;
    let len = (len as u64).min(size.saturating_sub(source.start())) as usize;
    if source.is_same_file(&target)? && source.start().abs_diff(target.start()) < len as u64 {
        return Err(Errno::EINVAL);
    }
    check_target(&source, &target)?;
    let room = room_in_file(call, &to, || Ok(target.start()))?;
    let len = len.min(room.unwrap_or(len));
    let done = copy(call, &mut source, &mut target, len, Waits::AsOpened)?;
    put_offset(from_at, &source)?;
    put_offset(to_at, &target)?;
    if done > 0 {
        modified(call, &to);
    }
    Ok(done as u64)
}

fn sys_splice(call: &mut Call<'_>) -> Result<u64> {
    let (from, from_at, to, to_at, len) = (
        call.fd(0),
        call.pointer(1),
        call.fd(2),
        call.pointer(3),
        call.len(4),
    );
    // Before anything else is looked at.
    if len == 0 {
        return Ok(0);
    }
    let flags = call.flags(5)?;
    let (from, to) = (call.file(from)?, call.file(to)?);
    if !is_pipe(&from) && !is_pipe(&to) {
        return Err(Errno::EINVAL);
    }
    if let (Some(source), Some(target)) = (from.object_as::<PipeEnd>(), to.object_as::<PipeEnd>())
        && source.is_same_pipe(target)
    {
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
    check_target(&source, &target)?;
    let result = copy(call, &mut source, &mut target, len, waits(flags));
    put_offset(from_at, &source)?;
    put_offset(to_at, &target)?;
    if result.is_ok_and(|count| count > 0) {
        modified(call, &to);
    }
    raise_pipe(call, result)
}

fn sys_tee(call: &mut Call<'_>) -> Result<u64> {
    let (from, to, len) = (call.fd(0), call.fd(1), call.len(2));
    let flags = call.flags(3)?;
    if len == 0 {
        return Ok(0);
    }
    let (from, to) = (call.file(from)?, call.file(to)?);
    let (Some(source), Some(target)) = (from.object_as::<PipeEnd>(), to.object_as::<PipeEnd>()) else {
        return Err(Errno::EINVAL);
    };
    if !from.flags().readable() || !to.flags().writable() {
        return Err(Errno::EBADF);
    }
    if source.is_same_pipe(target) {
        return Err(Errno::EINVAL);
    }
    let (source_end, mut target_end) = (
        End {
            file: &from,
            offset: None,
        },
        End {
            file: &to,
            offset: None,
        },
    );
    let waits = waits(flags);
    let room = target_end.room(waits)?;
    let mut sink = KernelSink::new(len.min(room));
    source.peek(&mut sink, source_end.how(waits))?;
    let result = target_end.write(call, &sink.into_bytes());
    raise_pipe(call, result)
}

/// Into a pipe that is open for writing as much as fits; waits only for a full one, as Linux does. Otherwise out of one.
fn sys_vmsplice(call: &mut Call<'_>) -> Result<u64> {
    let (fd, at, count, flags) = (call.fd(0), call.pointer(1), call.ulong(2), call.flags(3)?);
    let file = call.file(fd)?;
    let (reads, writes) = (file.flags().readable(), file.flags().writable());
    if !reads && !writes {
        return Err(Errno::EBADF);
    }
    let pieces = pieces(at, count)?;
    let pipe = End {
        file: &file,
        offset: None,
    };
    if pieces.is_empty() {
        return Ok(0);
    }
    let end = pipe.pipe().ok_or(Errno::EBADF)?;
    let waits = waits(flags);
    if writes {
        let fitting = first(&pieces, pipe.room(waits)?);
        let (count, _) = end.write(0, &mut UserSource::new(&fitting), pipe.how(waits))?;
        return Ok(count as u64);
    }
    Ok(end.read(0, &mut UserSink::new(&pieces), pipe.how(waits))? as u64)
}

/// The first bytes of memory, `most` of them.
fn first(pieces: &[IoVec], most: usize) -> Vec<IoVec> {
    let mut room = most;
    let mut first = Vec::new();
    for piece in pieces {
        let len = piece.len.min(room);
        room -= len;
        first.push(IoVec { len, ..*piece });
    }
    first
}

/// Bytes that are copied at a time.
const CHUNK: usize = 64 * 1024;

/// Whether a copy may wait.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// As the open files' flags say.
    AsOpened,
    /// SPLICE_F_NONBLOCK: never for a pipe.
    Never,
}

fn waits(flags: SpliceFlags) -> Waits {
    match flags.contains(SpliceFlags::SPLICE_F_NONBLOCK) {
        true => Waits::Never,
        false => Waits::AsOpened,
    }
}

fn is_pipe(file: &Description) -> bool {
    file.object_as::<PipeEnd>().is_some()
}

/// One end of a copy: an open file at its own position or at an offset that the program keeps.
struct End<'a> {
    file: &'a Description,
    offset: Option<u64>,
}

impl End<'_> {
    fn is_same_file(&self, other: &Self) -> Result<bool> {
        let identity = |end: &Self| end.file.object().stat().map(|stat| (stat.device, stat.inode));
        Ok(identity(self)? == identity(other)?)
    }

    /// Where a copy begins.
    fn start(&self) -> u64 {
        self.offset.unwrap_or_else(|| self.file.position())
    }

    fn pipe(&self) -> Option<&PipeEnd> {
        self.file.object_as()
    }

    /// How a pipe is used.
    fn how(&self, waits: Waits) -> How {
        let nonblocking = waits == Waits::Never || self.file.flags().contains(OpenFlags::O_NONBLOCK);
        How {
            nonblocking,
            append: false,
        }
    }

    /// Reads; [`End::took`] then tells how much of it went on. From a pipe nothing is taken until then.
    fn read(&mut self, most: usize, waits: Waits) -> Result<Vec<u8>> {
        let mut sink = KernelSink::new(most);
        match (&mut self.offset, self.file.object_as::<PipeEnd>()) {
            (_, Some(pipe)) => {
                pipe.peek(&mut sink, self.how(waits))?;
            }
            (None, None) => {
                self.file.read(&mut sink)?;
            }
            (Some(offset), None) => *offset += self.file.read_at(*offset, &mut sink)? as u64,
        }
        Ok(sink.into_bytes())
    }

    /// Of `read` bytes, `used` were copied.
    fn took(&mut self, read: usize, used: usize) {
        let left = read - used;
        match (&mut self.offset, self.file.object_as::<PipeEnd>()) {
            (_, Some(pipe)) => drop(pipe.read(0, &mut KernelSink::new(used), self.how(Waits::Never))),
            (Some(offset), None) => *offset -= left as u64,
            // A socket cannot take back what a full pipe did not take.
            (None, None) if left > 0 => drop(self.file.seek(-(left as i64), Whence::SEEK_CUR)),
            (None, None) => {}
        }
    }

    fn write(&mut self, call: &Call<'_>, bytes: &[u8]) -> Result<usize> {
        let room = match bytes.is_empty() {
            true => None,
            false => room_in_file(call, self.file, || Ok(self.start()))?,
        };
        let bytes = bytes.get(..room.unwrap_or(bytes.len())).unwrap_or(bytes);
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

    /// How much can be written at once, so that a copy into a pipe ends when it is full. EAGAIN if it is and must not be waited for.
    fn room(&self, waits: Waits) -> Result<usize> {
        match self.pipe().map(PipeEnd::room) {
            None => Ok(CHUNK),
            Some(0) if self.how(waits).nonblocking => Err(Errno::EAGAIN),
            // The write waits until this much fits.
            Some(0) => Ok(libos_io::pipe::ATOMIC),
            Some(room) => Ok(room),
        }
    }
}

/// What may be copied to: EBADF unless the ends are open for it; EINVAL for a file that would append, as the place is the copy's, and
/// for objects that cannot be spliced (eventfd, epoll and their like, and directories), before anything is waited for.
fn check_target(from: &End<'_>, to: &End<'_>) -> Result<()> {
    if !from.file.flags().readable() || !to.file.flags().writable() {
        return Err(Errno::EBADF);
    }
    let appends = to.file.flags().contains(OpenFlags::O_APPEND) && to.pipe().is_none();
    match appends || !can_be_spliced(from.file)? || !can_be_spliced(to.file)? {
        true => Err(Errno::EINVAL),
        false => Ok(()),
    }
}

fn can_be_spliced(file: &Description) -> Result<bool> {
    let kind = file.object().stat()?.kind;
    Ok(!matches!(kind, FileKind::Anonymous | FileKind::Directory))
}

fn copy(call: &Call<'_>, from: &mut End<'_>, to: &mut End<'_>, len: usize, waits: Waits) -> Result<usize> {
    let len = len.min(MAX_RW_COUNT);
    let mut done = 0;
    while done < len {
        if done > 0 && to.pipe().is_some_and(|pipe| pipe.room() == 0) {
            break;
        }
        let step = to.room(waits).and_then(|room| {
            let bytes = from.read((len - done).min(CHUNK).min(room), waits)?;
            let written = to.write(call, &bytes);
            from.took(bytes.len(), *written.as_ref().unwrap_or(&0));
            Ok((bytes.len(), written?))
        });
        match step {
            Ok((0, _)) => break,
            Ok((read, written)) => {
                done += written;
                if written < read {
                    // A file says why it does not take the rest (SIGXFSZ); what else is full is asked later.
                    if written > 0 && to.file.object().is_seekable() {
                        continue;
                    }
                    break;
                }
            }
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
        // A pipe or socket gave what it had: whoever asks for more asks again.
        if !from.file.object().is_seekable() {
            break;
        }
    }
    Ok(done)
}

fn offset_at(at: Address) -> Result<Option<u64>> {
    let offset = user::get_if::<u64>(at)?;
    if offset.is_some_and(|offset| (offset as i64) < 0) {
        Err(Errno::EINVAL)
    } else {
        Ok(offset)
    }
}

fn put_offset(at: Address, end: &End<'_>) -> Result<()> {
    end.offset.map_or(Ok(()), |offset| user::put(at, &offset))
}
