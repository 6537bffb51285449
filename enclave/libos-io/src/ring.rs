//! A queue of bytes that grows as it fills.

use alloc::boxed::Box;

use kobject::{Errno, Result, Sink, Source};

/// What a ring begins with: an idle pipe holds no memory, a chatty one a page.
const FIRST_SIZE: usize = 4096;

/// Bytes, first in first out.
pub(crate) struct Ring {
    /// As many as a power of two, or none.
    bytes: Box<[u8]>,
    start: usize,
    len: usize,
}

impl Ring {
    /// Empty.
    pub fn new() -> Self {
        Self {
            bytes: Box::default(),
            start: 0,
            len: 0,
        }
    }

    /// How many bytes it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends `count` bytes, which `from` has. All or (on EFAULT) none of them.
    pub fn push(&mut self, from: &mut dyn Source, count: usize) -> Result<()> {
        self.reserve(count);
        let size = self.bytes.len();
        let end = (self.start + self.len) & size.wrapping_sub(1);
        let first = count.min(size - end);
        from.take(self.bytes.get_mut(end..end + first).ok_or(Errno::EIO)?)?;
        if first < count {
            from.take(self.bytes.get_mut(..count - first).ok_or(Errno::EIO)?)?;
        }
        self.len += count;
        Ok(())
    }

    /// Copies `count` bytes that begin `offset` bytes from the front; the ring must hold them.
    pub fn peek(&self, offset: usize, to: &mut dyn Sink, count: usize) -> Result<()> {
        let start = (self.start + offset) & self.bytes.len().wrapping_sub(1);
        let first = count.min(self.bytes.len() - start);
        to.put(self.bytes.get(start..start + first).ok_or(Errno::EIO)?)?;
        if first < count {
            to.put(self.bytes.get(..count - first).ok_or(Errno::EIO)?)?;
        }
        Ok(())
    }

    /// Removes `count` bytes, which it must hold, from the front.
    pub fn skip(&mut self, count: usize) {
        self.len -= count;
        // An empty ring begins anew, so that a ping-pong of small messages stays in few cache lines.
        self.start = match self.len {
            0 => 0,
            _ => (self.start + count) & self.bytes.len().wrapping_sub(1),
        };
    }

    fn reserve(&mut self, count: usize) {
        let needed = self.len + count;
        if needed <= self.bytes.len() {
            return;
        }
        // From the front to the end of the old memory, then from its beginning: only the first `len` bytes are in use.
        let mut larger = self.bytes.to_vec();
        larger.rotate_left(self.start);
        larger.resize(needed.next_power_of_two().max(FIRST_SIZE), 0);
        (self.bytes, self.start) = (larger.into_boxed_slice(), 0);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use kobject::{KernelSink, KernelSource};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_as_a_queue(steps in prop::collection::vec((any::<bool>(), 0usize..6000), 1..60)) {
            let mut ring = Ring::new();
            let mut model = VecDeque::new();
            let mut next = 0u8;
            for (push, count) in steps {
                if push {
                    let bytes: Vec<u8> = (0..count).map(|_| { next = next.wrapping_mul(5).wrapping_add(1); next }).collect();
                    ring.push(&mut KernelSource(&bytes), count).unwrap();
                    model.extend(bytes);
                } else {
                    let count = count.min(model.len());
                    let mut sink = KernelSink::new(count);
                    ring.peek(0, &mut sink, count).unwrap();
                    ring.skip(count);
                    prop_assert_eq!(sink.into_bytes(), model.drain(..count).collect::<Vec<u8>>());
                }
                prop_assert_eq!(ring.len(), model.len());
            }
        }
    }
}
