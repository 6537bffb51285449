use kobject::{KernelSink, KernelSource};
use linux_abi::{OpenFlags, PollEvents};

use super::*;

const NONBLOCKING: How = How {
    nonblocking: true,
    append: false,
};

fn write(end: &PipeEnd, bytes: &[u8]) -> Result<usize> {
    end.write(0, &mut KernelSource(bytes), NONBLOCKING)
        .map(|(count, _)| count)
}

fn read(end: &PipeEnd, most: usize) -> Result<Vec<u8>> {
    let mut sink = KernelSink::new(most);
    let count = end.read(0, &mut sink, NONBLOCKING)?;
    let bytes = sink.into_bytes();
    assert_eq!(bytes.len(), count);
    Ok(bytes)
}

fn poll(end: &PipeEnd) -> PollEvents {
    end.poll(PollEvents::POLLIN | PollEvents::POLLOUT)
}

#[test]
fn bytes_come_out_in_order_and_then_the_end() {
    let (reader, writer) = pipe();
    assert_eq!(read(&reader, 10), Err(Errno::EAGAIN));
    assert_eq!(write(&writer, b"pearl"), Ok(5));
    assert_eq!(reader.unread(), 5);
    assert_eq!(poll(&reader), PollEvents::POLLIN);
    assert_eq!(read(&reader, 2), Ok(b"pe".to_vec()));
    drop(writer);
    assert_eq!(poll(&reader), PollEvents::POLLIN | PollEvents::POLLHUP);
    assert_eq!(read(&reader, 10), Ok(b"arl".to_vec()));
    assert_eq!(read(&reader, 10), Ok(Vec::new()));
    assert_eq!(poll(&reader), PollEvents::POLLHUP);
}

#[test]
fn without_readers_a_write_breaks() {
    let (reader, writer) = pipe();
    assert_eq!(poll(&writer), PollEvents::POLLOUT);
    drop(reader);
    assert_eq!(write(&writer, b"x"), Err(Errno::EPIPE));
    assert!(poll(&writer).contains(PollEvents::POLLERR));
}

#[test]
fn small_writes_are_not_split_and_large_ones_are() {
    let (reader, writer) = pipe();
    assert_eq!(write(&writer, &[1; 65536 - 100]), Ok(65536 - 100));
    assert_eq!(poll(&writer), PollEvents::empty());
    assert_eq!(write(&writer, &[2; 101]), Err(Errno::EAGAIN));
    assert_eq!(write(&writer, &[2; 100]), Ok(100));
    assert_eq!(write(&writer, &[2; 1]), Err(Errno::EAGAIN));
    assert_eq!(read(&reader, 5000).unwrap().len(), 5000);
    assert_eq!(write(&writer, &[3; 10000]), Ok(5000));
}

#[test]
fn the_capacity_can_be_changed() {
    let (_reader, writer) = pipe();
    assert_eq!(writer.capacity(), 65536);
    assert_eq!(writer.set_capacity(0, true), Ok(4096), "as Linux has it");
    assert_eq!(writer.set_capacity(5000, false), Ok(8192));
    assert_eq!(write(&writer, &[0; 9000]), Ok(8192));
    assert_eq!(writer.set_capacity(4096, false), Err(Errno::EBUSY));
    assert_eq!(writer.set_capacity(2 << 20, false), Err(Errno::EPERM));
    assert_eq!(writer.set_capacity(2 << 20, true), Ok(2 << 20));
}

#[test]
fn packets_stay_apart_and_what_does_not_fit_is_lost() {
    let (reader, writer) = pipe();
    write(&writer, b"plain").unwrap();
    writer.set_packets(true);
    write(&writer, b"first").unwrap();
    write(&writer, b"second").unwrap();
    write(&writer, &[7; 5000]).unwrap();
    assert_eq!(read(&reader, 3), Ok(b"pla".to_vec()));
    assert_eq!(read(&reader, 4), Ok(b"infi".to_vec()));
    assert_eq!(read(&reader, 100), Ok(b"second".to_vec()));
    assert_eq!(read(&reader, 9000).unwrap().len(), 4096);
    assert_eq!(read(&reader, 9000).unwrap().len(), 904);
}

#[test]
fn a_fifo_opens_as_its_manual_says() {
    let fifo = Fifo::new();
    let inode: Arc<dyn File> = pipe().0;
    let open = |flags| fifo.open(flags, inode.clone());
    let nonblock = OpenFlags::O_NONBLOCK;
    assert_eq!(open(nonblock | OpenFlags::O_WRONLY).err(), Some(Errno::ENXIO));
    let reader = open(nonblock).unwrap();
    assert_eq!(
        poll(&reader),
        PollEvents::empty(),
        "no hang-up before the first writer"
    );
    assert_eq!(read(&reader, 1), Ok(Vec::new()));
    let writer = open(OpenFlags::O_WRONLY).unwrap();
    write(&writer, b"kept").unwrap();
    drop(writer);
    assert_eq!(poll(&reader), PollEvents::POLLIN | PollEvents::POLLHUP);
    drop(reader);
    let both = open(OpenFlags::O_RDWR).unwrap();
    assert_eq!(read(&both, 10), Err(Errno::EAGAIN), "what was left is gone");
    write(&both, b"x").unwrap();
    assert_eq!(read(&both, 10), Ok(b"x".to_vec()));
}

#[test]
fn observers_are_told() {
    use core::sync::atomic::AtomicU32;
    struct Seen(AtomicU32);
    impl Observer for Seen {
        fn notify(&self, events: PollEvents) {
            self.0.fetch_or(events.bits(), Ordering::Relaxed);
        }
    }
    let (reader, writer) = pipe();
    let seen = Arc::new(Seen(AtomicU32::new(0)));
    let observer: Arc<dyn Observer> = seen.clone();
    let subscription = reader.subscribe(PollEvents::POLLIN, Arc::downgrade(&observer));
    let take = || PollEvents::from_bits_retain(seen.0.swap(0, Ordering::Relaxed));
    write(&writer, b"x").unwrap();
    assert!(take().contains(PollEvents::POLLIN));
    read(&reader, 1).unwrap();
    assert_eq!(take(), PollEvents::empty());
    drop(writer);
    assert!(take().contains(PollEvents::POLLHUP));
    drop(subscription);
}
