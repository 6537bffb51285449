//! epoll over pipes and event counters.

use std::collections::BTreeSet;
use std::sync::Arc;

use host_abi::{EpollEvent, EpollOperation};
use kobject::{Description, File, KernelSink, KernelSource};
use libos_io::{Epoll, EventFd, EventMode, NOW};
use linux_abi::OpenFlags;
use proptest::prelude::*;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::fd::OwnedFd;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::{NONBLOCKING, Outcome, ours, theirs};

const EDGE: u32 = 1 << 31;
const ONE_SHOT: u32 = 1 << 30;

#[derive(Clone, Debug)]
enum Step {
    Add(usize, u32),
    Modify(usize, u32),
    Delete(usize),
    Read(usize),
    Write(usize),
    Close(usize),
    Wait,
}

fn events() -> impl Strategy<Value = u32> {
    let flags = prop_oneof![3 => Just(0), 2 => Just(EDGE), 2 => Just(ONE_SHOT), 1 => Just(EDGE | ONE_SHOT)];
    let interest = prop_oneof![Just(0x1u32), Just(0x4), Just(0x5), Just(0), Just(0x2001)];
    (flags, interest).prop_map(|(flags, interest)| flags | interest)
}

fn step() -> impl Strategy<Value = Step> {
    let member = 0usize..6;
    prop_oneof![
        3 => (member.clone(), events()).prop_map(|(member, events)| Step::Add(member, events)),
        2 => (member.clone(), events()).prop_map(|(member, events)| Step::Modify(member, events)),
        1 => member.clone().prop_map(Step::Delete),
        4 => member.clone().prop_map(Step::Read),
        4 => member.clone().prop_map(Step::Write),
        1 => member.prop_map(Step::Close),
        6 => Just(Step::Wait),
    ]
}

type Member = Option<(Arc<Description>, OwnedFd)>;

fn open(object: Arc<dyn File>, native: OwnedFd) -> Member {
    let description = Description::new(object, OpenFlags::O_RDWR | OpenFlags::O_NONBLOCK, b"");
    Some((description, native))
}

/// Two pipes, and two event counters: six members.
fn members() -> Vec<Member> {
    let mut members = Vec::new();
    for _ in 0..2 {
        let (reader, writer) = libos_io::pipe::pipe();
        let (native_reader, native_writer) = pipe_with(PipeFlags::NONBLOCK).unwrap();
        members.push(open(reader, native_reader));
        members.push(open(writer, native_writer));
        let counter = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
        members.push(open(EventFd::new(0, EventMode::Counter), counter));
    }
    members
}

fn read((description, native): &(Arc<Description>, OwnedFd)) -> [Outcome<usize>; 2] {
    let mut sink = KernelSink::new(8);
    let count = description.object().read(0, &mut sink, NONBLOCKING);
    [ours(count), theirs(rustix::io::read(native, &mut [0; 8]))]
}

fn write((description, native): &(Arc<Description>, OwnedFd)) -> [Outcome<usize>; 2] {
    let bytes = 1u64.to_ne_bytes();
    let count = description
        .object()
        .write(0, &mut KernelSource(&bytes), NONBLOCKING);
    [
        ours(count.map(|(count, _)| count)),
        theirs(rustix::io::write(native, &bytes)),
    ]
}

fn control(
    (epoll, native): (&Epoll, &OwnedFd),
    operation: EpollOperation,
    number: usize,
    (description, fd): &(Arc<Description>, OwnedFd),
    events: u32,
) -> [Outcome<()>; 2] {
    let event = EpollEvent {
        events,
        data: number as u64,
    };
    let flags = epoll::EventFlags::from_bits_retain(events);
    let data = epoll::EventData::new_u64(number as u64);
    let done = match operation {
        EpollOperation::Add => epoll::add(native, fd, data, flags),
        EpollOperation::Modify => epoll::modify(native, fd, data, flags),
        EpollOperation::Delete => epoll::delete(native, fd),
    };
    [
        ours(epoll.control(operation, number as u32, description, event)),
        theirs(done),
    ]
}

/// The events that a wait gives, ours and theirs. In which order they come is up to each; no member comes
/// twice.
fn wait(epoll: &Epoll, native: &OwnedFd) -> [BTreeSet<(u32, u64)>; 2] {
    let mut out = [EpollEvent { events: 0, data: 0 }; 16];
    let count = epoll.wait(&mut out, NOW).unwrap();
    let ours: BTreeSet<_> = out[..count]
        .iter()
        .map(|event| (event.events, event.data))
        .collect();
    assert_eq!(ours.len(), count);
    let mut theirs = Vec::with_capacity(16);
    let spare = rustix::buffer::spare_capacity(&mut theirs);
    epoll::wait(native, spare, Some(&Timespec::default())).unwrap();
    let theirs = theirs
        .iter()
        .map(|event| ({ event.flags }.bits(), { event.data }.u64()));
    [ours, theirs.collect()]
}

proptest! {
    #[test]
    fn epoll_behaves_as_the_kernels(steps in prop::collection::vec(step(), 1..120)) {
        let (epoll, native) = (Epoll::new(), epoll::create(epoll::CreateFlags::CLOEXEC).unwrap());
        let both = (&*epoll, &native);
        let mut members = members();
        for step in steps {
            let number = match step {
                Step::Add(number, _) | Step::Modify(number, _) | Step::Delete(number) => number,
                Step::Read(number) | Step::Write(number) | Step::Close(number) => number,
                Step::Wait => {
                    let [ours, theirs] = wait(&epoll, &native);
                    prop_assert_eq!(ours, theirs);
                    continue;
                }
            };
            if let Step::Close(_) = step {
                members[number] = None;
                continue;
            }
            let Some(member) = &members[number] else {
                continue;
            };
            match step {
                Step::Add(_, events) => {
                    let [ours, theirs] = control(both, EpollOperation::Add, number, member, events);
                    prop_assert_eq!(ours, theirs);
                }
                Step::Modify(_, events) => {
                    let [ours, theirs] = control(both, EpollOperation::Modify, number, member, events);
                    prop_assert_eq!(ours, theirs);
                }
                Step::Delete(_) => {
                    let [ours, theirs] = control(both, EpollOperation::Delete, number, member, 0);
                    prop_assert_eq!(ours, theirs);
                }
                Step::Read(_) => {
                    let [ours, theirs] = read(member);
                    prop_assert_eq!(ours, theirs);
                }
                Step::Write(_) => {
                    let [ours, theirs] = write(member);
                    prop_assert_eq!(ours, theirs);
                }
                Step::Close(_) | Step::Wait => {}
            }
        }
    }
}
