use kobject::{How, KernelSink, KernelSource};
use linux_abi::{EpollFlags, OpenFlags, PollEvents};

use super::*;
use crate::pipe::{PipeEnd, pipe};

const NONBLOCKING: How = How {
    nonblocking: true,
    append: false,
};

const LEVEL: u32 = PollEvents::POLLIN.bits();
const EDGE: u32 = LEVEL | EpollFlags::EPOLLET.bits();
const ONE_SHOT: u32 = LEVEL | EpollFlags::EPOLLONESHOT.bits();

fn open(object: Arc<dyn File>) -> Arc<Description> {
    Description::new(object, OpenFlags::O_RDWR, b"")
}

fn event(events: u32, data: u64) -> EpollEvent {
    EpollEvent { events, data }
}

/// An instance that watches a pipe's end for reading, and the end for writing.
fn watched(events: u32) -> (Arc<Epoll>, Arc<Description>, Arc<PipeEnd>) {
    let (reader, writer) = pipe();
    let (epoll, reader) = (Epoll::new(), open(reader));
    epoll
        .control(EpollOperation::Add, 5, &reader, event(events, 50))
        .unwrap();
    (epoll, reader, writer)
}

fn wait(epoll: &Epoll) -> Vec<EpollEvent> {
    let mut out = [event(0, 0); 8];
    let count = epoll.wait(&mut out, NOW).unwrap();
    out[..count].to_vec()
}

fn write(writer: &PipeEnd) {
    writer.write(0, &mut KernelSource(b"x"), NONBLOCKING).unwrap();
}

fn read(reader: &Description) {
    reader
        .object()
        .read(0, &mut KernelSink::new(1), NONBLOCKING)
        .unwrap();
}

const READY: EpollEvent = EpollEvent {
    events: LEVEL,
    data: 50,
};

#[test]
fn level_is_told_while_it_lasts() {
    let (epoll, reader, writer) = watched(LEVEL);
    assert_eq!(wait(&epoll), []);
    write(&writer);
    assert_eq!(wait(&epoll), [READY]);
    assert_eq!(wait(&epoll), [READY]);
    read(&reader);
    assert_eq!(wait(&epoll), []);
    drop(writer);
    assert_eq!(wait(&epoll), [event(PollEvents::POLLHUP.bits(), 50)]);
}

#[test]
fn an_edge_is_told_once_each_time() {
    let (epoll, _reader, writer) = watched(EDGE);
    write(&writer);
    assert_eq!(wait(&epoll), [READY]);
    assert_eq!(wait(&epoll), []);
    write(&writer);
    assert_eq!(wait(&epoll), [READY]);
    assert_eq!(wait(&epoll), []);
}

#[test]
fn one_shot_is_told_once_until_it_is_modified() {
    let (epoll, reader, writer) = watched(ONE_SHOT);
    write(&writer);
    assert_eq!(wait(&epoll), [READY]);
    write(&writer);
    assert_eq!(wait(&epoll), []);
    epoll
        .control(EpollOperation::Modify, 5, &reader, event(ONE_SHOT, 51))
        .unwrap();
    assert_eq!(wait(&epoll), [event(LEVEL, 51)]);
    assert_eq!(wait(&epoll), []);
}

#[test]
fn what_is_ready_when_it_is_added_is_told() {
    let (reader, writer) = pipe();
    write(&writer);
    let (epoll, reader) = (Epoll::new(), open(reader));
    epoll
        .control(EpollOperation::Add, 5, &reader, event(EDGE, 50))
        .unwrap();
    assert_eq!(wait(&epoll), [READY]);
}

#[test]
fn members_are_known_by_file_and_number() {
    let (epoll, reader, writer) = watched(LEVEL);
    write(&writer);
    let control = |operation, fd| epoll.control(operation, fd, &reader, event(LEVEL, 60));
    assert_eq!(control(EpollOperation::Add, 5), Err(Errno::EEXIST));
    assert_eq!(control(EpollOperation::Modify, 6), Err(Errno::ENOENT));
    assert_eq!(control(EpollOperation::Delete, 6), Err(Errno::ENOENT));
    assert_eq!(control(EpollOperation::Add, 6), Ok(()));
    assert_eq!(wait(&epoll).len(), 2);
    assert_eq!(control(EpollOperation::Delete, 5), Ok(()));
    assert_eq!(wait(&epoll), [event(LEVEL, 60)]);
    drop(reader);
    assert_eq!(wait(&epoll), []);
}

#[test]
fn a_full_answer_goes_round() {
    let epoll = Epoll::new();
    let members: Vec<_> = (0..3)
        .map(|number| {
            let (reader, writer) = pipe();
            write(&writer);
            let reader = open(reader);
            epoll
                .control(EpollOperation::Add, number, &reader, event(LEVEL, number.into()))
                .unwrap();
            (reader, writer)
        })
        .collect();
    let mut seen = [0; 3];
    for _ in 0..6 {
        let mut out = [event(0, 0)];
        assert_eq!(epoll.wait(&mut out, NOW), Ok(1));
        seen[out[0].data as usize] += 1;
    }
    assert_eq!(seen, [2; 3]);
    drop(members);
}

#[test]
fn what_cannot_be_watched_is_refused() {
    struct Always;
    impl File for Always {
        fn as_any(&self) -> &dyn Any {
            self
        }
        fn stat(&self) -> Result<Stat> {
            anonymous::stat(FileKind::Regular, 0o600, 0)
        }
    }
    let epoll = Epoll::new();
    let itself = open(epoll.clone());
    let add = |file: &Arc<Description>, events| epoll.control(EpollOperation::Add, 5, file, event(events, 0));
    assert_eq!(add(&open(Arc::new(Always)), LEVEL), Err(Errno::EPERM));
    assert_eq!(add(&itself, LEVEL), Err(Errno::EINVAL));
    let (reader, writer) = pipe();
    let reader = open(reader);
    let exclusive = EpollFlags::EPOLLEXCLUSIVE.bits();
    assert_eq!(add(&reader, ONE_SHOT | exclusive), Err(Errno::EINVAL));
    assert_eq!(add(&reader, EDGE | exclusive), Ok(()));
    let modify = epoll.control(EpollOperation::Modify, 5, &reader, event(LEVEL, 0));
    assert_eq!(modify, Err(Errno::EINVAL));
    write(&writer);
    assert_eq!(wait(&epoll), [event(LEVEL, 0)], "and stays as it was");
    assert_eq!(epoll.wait(&mut [], NOW), Err(Errno::EINVAL));
}

#[test]
fn it_can_be_polled_itself() {
    let (epoll, reader, writer) = watched(LEVEL);
    assert_eq!(epoll.poll(PollEvents::POLLIN), PollEvents::empty());
    write(&writer);
    assert_eq!(epoll.poll(PollEvents::POLLIN), PollEvents::POLLIN);
    assert_eq!(wait(&epoll), [READY], "looking has taken nothing");
    read(&reader);
    assert_eq!(epoll.poll(PollEvents::POLLIN), PollEvents::empty());
}
