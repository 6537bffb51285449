//! Pipes, with and without packet mode.

use std::sync::Arc;

use kobject::{File, KernelSink, KernelSource};
use libos_io::pipe::PipeEnd;
use linux_abi::PollEvents;
use proptest::prelude::*;
use rustix::fd::OwnedFd;
use rustix::pipe::PipeFlags;

use crate::{NONBLOCKING, Outcome, ours, pattern, polled, theirs};

#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    Read(usize),
    CloseReader,
    CloseWriter,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1usize..5000).prop_map(Step::Write),
        8 => (1usize..7000).prop_map(Step::Read),
        1 => Just(Step::CloseReader),
        1 => Just(Step::CloseWriter),
    ]
}

/// A pipe of ours beside one of the kernel's.
struct Both {
    reader: Option<(Arc<PipeEnd>, OwnedFd)>,
    writer: Option<(Arc<PipeEnd>, OwnedFd)>,
    written: u64,
    /// Writes since the pipe was empty last: the kernel has 16 places.
    waiting: usize,
}

impl Both {
    fn new(packets: bool) -> Self {
        let (reader, writer) = libos_io::pipe::pipe();
        writer.set_packets(packets);
        let direct = if packets {
            PipeFlags::DIRECT
        } else {
            PipeFlags::empty()
        };
        let (native_reader, native_writer) = rustix::pipe::pipe_with(PipeFlags::NONBLOCK | direct).unwrap();
        Self {
            reader: Some((reader, native_reader)),
            writer: Some((writer, native_writer)),
            written: 0,
            waiting: 0,
        }
    }

    fn write(&mut self, len: usize) -> Option<[Outcome<usize>; 2]> {
        // A page and its rest may take two places.
        if self.waiting > 6 {
            return None;
        }
        let (writer, native) = self.writer.as_ref()?;
        let bytes = pattern(self.written, len);
        let written = writer.write(0, &mut KernelSource(&bytes), NONBLOCKING);
        self.waiting += 1;
        self.written += len as u64;
        Some([
            ours(written.map(|(count, _)| count)),
            theirs(rustix::io::write(native, &bytes)),
        ])
    }

    fn read(&mut self, room: usize) -> Option<[Outcome<Vec<u8>>; 2]> {
        let (reader, native) = self.reader.as_ref()?;
        let mut sink = KernelSink::new(room);
        let count = ours(reader.read(0, &mut sink, NONBLOCKING));
        let mut buffer = vec![0; room];
        let native = theirs(rustix::io::read(native, &mut buffer));
        if native.is_err() {
            self.waiting = 0;
        }
        Some([
            count.map(|_| sink.into_bytes()),
            native.map(|count| buffer[..count].to_vec()),
        ])
    }

    fn events(&self) -> [Vec<PollEvents>; 2] {
        let interest = PollEvents::POLLIN | PollEvents::POLLOUT;
        let ends = || [&self.reader, &self.writer].into_iter().flatten();
        [
            ends().map(|(end, _)| end.poll(interest)).collect(),
            ends().map(|(_, native)| polled(native, interest)).collect(),
        ]
    }
}

proptest! {
    #[test]
    fn pipes_behave_as_the_kernels(packets: bool, steps in prop::collection::vec(step(), 1..80)) {
        let mut both = Both::new(packets);
        for step in steps {
            match step {
                Step::Write(len) => {
                    if let Some([ours, theirs]) = both.write(len) {
                        prop_assert_eq!(ours, theirs);
                    }
                }
                Step::Read(room) => {
                    if let Some([ours, theirs]) = both.read(room) {
                        prop_assert_eq!(ours, theirs);
                    }
                }
                Step::CloseReader => both.reader = None,
                Step::CloseWriter => both.writer = None,
            }
            let [ours, theirs] = both.events();
            prop_assert_eq!(ours, theirs);
        }
    }
}
