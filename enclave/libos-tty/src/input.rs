//! What a program can read: bytes, and where lines end among them.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Bytes that are kept (N_TTY_BUF_SIZE of the kernel). The last place is for the end of a line that is too long.
pub(crate) const MOST: usize = 4096;

/// A byte that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Received {
    byte: u8,
    /// A line ends with it.
    ends_line: bool,
}

/// The end of a file is kept as this byte, which ends a line and is not read.
pub(crate) const END_OF_FILE: u8 = 0;

/// Bytes that were received and not yet read.
#[derive(Debug, Default)]
pub(crate) struct Input {
    queue: VecDeque<Received>,
    /// How many of them belong to complete lines.
    complete: usize,
}

impl Input {
    /// Bytes that are there, complete lines or not.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing more can be kept, but for the end of a line.
    pub(crate) fn is_full(&self) -> bool {
        self.queue.len() + 1 >= MOST
    }

    /// Whether there is a complete line.
    pub(crate) fn has_line(&self) -> bool {
        self.complete > 0
    }

    /// Bytes that reads of lines give now; ends of files do not count (inq_canon of the kernel).
    pub(crate) fn in_lines(&self) -> usize {
        let lines = self.queue.iter().take(self.complete);
        lines
            .filter(|received| !(received.ends_line && received.byte == END_OF_FILE))
            .count()
    }

    /// Bytes of the line that is being edited.
    pub(crate) fn edited(&self) -> impl DoubleEndedIterator<Item = u8> {
        self.queue
            .iter()
            .skip(self.complete)
            .map(|received| received.byte)
    }

    /// Whether nothing of a new line was received yet.
    pub(crate) fn is_at_line_start(&self) -> bool {
        self.queue.len() == self.complete
    }

    /// Adds a byte. One that finds no room replaces the last byte of an incomplete line, so that a line can always be ended.
    pub(crate) fn put(&mut self, byte: u8) {
        if self.queue.len() >= MOST && !self.is_at_line_start() {
            self.queue.pop_back();
        }
        // Callers look for room first; this keeps the bound whatever they do.
        if self.queue.len() < MOST {
            self.queue.push_back(Received {
                byte,
                ends_line: false,
            });
        }
    }

    /// Adds the byte that ends a line.
    pub(crate) fn end_line(&mut self, byte: u8) {
        self.put(byte);
        if let Some(last) = self.queue.back_mut() {
            last.ends_line = true;
        }
        self.complete = self.queue.len();
    }

    /// Takes the last byte of the line that is being edited back.
    pub(crate) fn take_back(&mut self) -> Option<u8> {
        match self.is_at_line_start() {
            true => None,
            false => self.queue.pop_back().map(|received| received.byte),
        }
    }

    /// Forgets the line that is being edited.
    pub(crate) fn forget_line(&mut self) {
        self.queue.truncate(self.complete);
    }

    /// Forgets everything.
    pub(crate) fn flush(&mut self) {
        self.queue.clear();
        self.complete = 0;
    }

    /// Lines begin to count: what is there is one that is complete.
    pub(crate) fn begin_lines(&mut self) {
        self.queue
            .iter_mut()
            .for_each(|received| received.ends_line = false);
        if let Some(last) = self.queue.back_mut() {
            last.ends_line = true;
        }
        self.complete = self.queue.len();
    }

    /// Lines do not count any more.
    pub(crate) fn end_lines(&mut self) {
        self.complete = 0;
    }

    /// Reads at most `most` bytes of one line. An end of file ends it and is not given: so it gives nothing for one at its start.
    pub(crate) fn read_line(&mut self, most: usize) -> Vec<u8> {
        let mut line = Vec::new();
        while let Some(&received) = self.queue.front().filter(|_| self.complete > 0) {
            let is_end_of_file = received.ends_line && received.byte == END_OF_FILE;
            if line.len() == most && !is_end_of_file {
                break;
            }
            self.queue.pop_front();
            self.complete -= 1;
            if !is_end_of_file {
                line.push(received.byte);
            }
            if received.ends_line {
                break;
            }
        }
        line
    }

    /// Reads at most `most` bytes.
    pub(crate) fn read_bytes(&mut self, most: usize) -> Vec<u8> {
        let count = most.min(self.queue.len());
        let bytes = self.queue.drain(..count).map(|received| received.byte);
        bytes.collect()
    }
}
