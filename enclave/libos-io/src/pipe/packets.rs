//! Where the packets of a pipe in packet mode (O_DIRECT) begin and end.

use alloc::collections::VecDeque;

/// The packets that a pipe holds. Between them, and all of a pipe without O_DIRECT, is plain data.
#[derive(Default)]
pub(super) struct Packets {
    /// Bytes consumed since the pipe was made.
    position: u64,
    /// Start and end, on the same scale as `position`.
    packets: VecDeque<(u64, u64)>,
}

impl Packets {
    /// A packet of `count` bytes has been written behind `before` bytes that the pipe held.
    pub fn append(&mut self, before: usize, count: usize) {
        let start = self.position + before as u64;
        self.packets.push_back((start, start + count as u64));
    }

    /// Of a pipe that holds `len` bytes: how many a read with `room` gives, and how many it consumes. A read
    /// ends with a packet, and what does not fit of the packet is lost; plain data in front of a packet goes
    /// along.
    pub fn readable(&self, len: usize, room: usize) -> (usize, usize) {
        match self.packets.front() {
            Some(&(start, end)) if start.saturating_sub(self.position) < room as u64 => {
                let packet_end = (end - self.position) as usize;
                (packet_end.min(room), packet_end)
            }
            _ => (len.min(room), len.min(room)),
        }
    }

    /// So many bytes have been read (or lost).
    pub fn consume(&mut self, count: usize) {
        self.position += count as u64;
        while self.packets.front().is_some_and(|&(_, end)| end <= self.position) {
            self.packets.pop_front();
        }
    }
}
