//! What TCP_INFO says of a connection inside (`struct tcp_info` of linux/tcp.h): its state, and for the rest what a loopback
//! interface would have.

use linux_abi::PollEvents;

use super::stream::{Progress, Stream};

/// States of TCP (net/tcp_states.h).
const ESTABLISHED: u8 = 1;
const SYN_SENT: u8 = 2;
const CLOSE: u8 = 7;
const CLOSE_WAIT: u8 = 8;
const FIN_WAIT_2: u8 = 5;
const LISTEN: u8 = 10;

/// Bytes up to `tcpi_total_retrans`.
const SIZE: usize = 104;

/// Where its words begin; the state is the first byte.
const WORDS: usize = 8;

/// Microseconds: the time-out for sending again, and the time of a round trip.
const RTO: u32 = 201_000;
const RTT: u32 = 20;
/// Bytes of segments: the MTU of the loopback interface less headers, and what is assumed of the other side.
const SEND_MSS: u32 = 32_741;
const RECEIVE_MSS: u32 = 536;
const PATH_MTU: u32 = 65_535;
/// Segments.
const SEND_WINDOW: u32 = 10;
const NO_THRESHOLD: u32 = 0x7fff_ffff;

/// Words that say something, by their places: rto, ato, snd_mss, rcv_mss, pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd,
/// advmss, reordering, rcv_space.
const AS_ON_LOOPBACK: [(usize, u32); 13] = [
    (0, RTO),
    (1, 40_000),
    (2, SEND_MSS),
    (3, RECEIVE_MSS),
    (13, PATH_MTU),
    (14, 65_483),
    (15, RTT),
    (16, RTT / 2),
    (17, NO_THRESHOLD),
    (18, SEND_WINDOW),
    (19, 65_483),
    (20, 3),
    (22, 65_495),
];

fn state(stream: &Stream) -> u8 {
    if stream.is_listening() {
        return LISTEN;
    }
    let Some(connection) = stream.connection() else {
        return match stream.progress() {
            Progress::UnderWay => SYN_SENT,
            _ => CLOSE,
        };
    };
    if connection.is_over() {
        return CLOSE;
    }
    let events = connection.poll(1, stream.send_buffer());
    match (events.contains(PollEvents::POLLRDHUP), connection.has_finished()) {
        (true, _) => CLOSE_WAIT,
        (false, true) => FIN_WAIT_2,
        (false, false) => ESTABLISHED,
    }
}

/// Bytes of a segment at most (TCP_MAXSEG).
pub(super) fn segment(stream: &Stream) -> u32 {
    match stream.connection() {
        Some(_) => SEND_MSS,
        None => RECEIVE_MSS,
    }
}

/// The whole of it.
pub(super) fn bytes(stream: &Stream) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    let (head, words) = bytes.split_at_mut(WORDS);
    if let Some(first) = head.first_mut() {
        *first = state(stream);
    }
    let (words, _) = words.as_chunks_mut::<4>();
    for (place, value) in AS_ON_LOOPBACK {
        if let Some(word) = words.get_mut(place) {
            *word = value.to_ne_bytes();
        }
    }
    bytes
}
