//! The client of AESM against a stand-in for it: the real service needs SGX hardware. The stand-in reads and writes the wire
//! format by hand, by the numbers in Intel's `messages.proto`. **Not yet run against the real service.**

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread;

use host_runtime::{Aesm, QuoteError, QuotingEnclave};

const INIT_QUOTE: u8 = 15;
const QUOTE_SIZE: u8 = 16;
const GET_QUOTE: u8 = 17;
const KEY_COUNT: u8 = 21;
const KEY_IDS: u8 = 22;

/// Bytes of the buffer that the service says a quote needs; its quotes are shorter.
const BUFFER: usize = 4600;

/// Answers one question a connection, as the service does: the question's number and content in, its answer out.
struct StandIn {
    _dir: tempfile::TempDir,
    socket: PathBuf,
}

impl StandIn {
    fn new(answer: impl Fn(u8, &[u8]) -> Vec<u8> + Send + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("aesm.socket");
        let listener = UnixListener::bind(&socket).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut len = [0; 4];
                stream.read_exact(&mut len).unwrap();
                let mut request = vec![0; u32::from_le_bytes(len) as usize];
                stream.read_exact(&mut request).unwrap();
                let (number, content) = one_field(&request);
                let bytes = answer(number, content);
                // The client may have hung up on purpose.
                let _ = stream.write_all(&bytes);
            }
        });
        Self { _dir: dir, socket }
    }

    fn client(&self) -> Aesm {
        Aesm::new(&self.socket)
    }
}

/// Tag and content of a message's one member of type bytes.
fn one_field(message: &[u8]) -> (u8, &[u8]) {
    let (tag, rest) = varint(message);
    assert_eq!(tag & 7, 2, "a message");
    let (len, rest) = varint(rest);
    assert_eq!(rest.len(), len as usize, "one member");
    ((tag >> 3) as u8, rest)
}

fn varint(bytes: &[u8]) -> (u64, &[u8]) {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap();
    let value = bytes[..=end].iter().rev();
    let value = value.fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
    (value, &bytes[end + 1..])
}

fn to_varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn number(tag: u64, value: u64) -> Vec<u8> {
    [to_varint(tag << 3), to_varint(value)].concat()
}

fn bytes(tag: u64, value: &[u8]) -> Vec<u8> {
    [&to_varint(tag << 3 | 2), &to_varint(value.len() as u64), value].concat()
}

/// An answer on the wire: the length, then the answer's members in the member of its question.
fn framed(question: u8, members: &[Vec<u8>]) -> Vec<u8> {
    let message = bytes(question.into(), &members.concat());
    [&(message.len() as u32).to_le_bytes(), message.as_slice()].concat()
}

/// `sgx_att_key_id_ext_t` of a key for this algorithm.
fn key_id(algorithm: u8) -> [u8; 256] {
    let mut id = [algorithm; 256];
    id[154..158].copy_from_slice(&[algorithm, 0, 0, 0]);
    id
}

/// A buffer with a quote of `len` bytes.
fn quote_buffer(report: &[u8], len: usize) -> Vec<u8> {
    let mut quote = vec![0; BUFFER];
    quote[48..432].copy_from_slice(&report[..384]);
    quote[432..436].copy_from_slice(&((len - 436) as u32).to_le_bytes());
    quote[436..len].fill(0xaa);
    quote
}

fn healthy(question: u8, content: &[u8]) -> Vec<u8> {
    let ok = number(1, 0);
    match question {
        KEY_COUNT => framed(question, &[ok, number(2, 2)]),
        KEY_IDS => {
            assert_eq!(content, number(1, 512));
            // EPID's first, which is not wanted.
            framed(question, &[ok, bytes(2, &[key_id(1), key_id(2)].concat())])
        }
        INIT_QUOTE => {
            assert_eq!(
                content,
                [bytes(1, &key_id(2)), number(3, 1), number(4, 32)].concat()
            );
            let hash = bytes(4, &[7; 32]);
            framed(question, &[ok, bytes(2, &[0x55; 512]), number(3, 32), hash])
        }
        QUOTE_SIZE => {
            assert_eq!(content, bytes(1, &key_id(2)));
            framed(question, &[ok, number(2, BUFFER as u64)])
        }
        GET_QUOTE => {
            let rest = [bytes(2, &key_id(2)), number(4, BUFFER as u64)].concat();
            assert_eq!(content, [bytes(1, &report()), rest].concat());
            framed(question, &[ok, bytes(2, &quote_buffer(&report(), 4578))])
        }
        _ => panic!("question {question}"),
    }
}

fn report() -> [u8; 432] {
    std::array::from_fn(|index| index as u8)
}

#[test]
fn a_quote_is_made() {
    let service = StandIn::new(healthy);
    assert_eq!(service.client().target_info().unwrap(), [0x55; 512]);
    let quote = service.client().quote(&report()).unwrap();
    assert_eq!(quote.len(), 4578, "without what the buffer has too much");
    assert_eq!(quote[48..432], report()[..384]);
    assert_eq!(quote.last(), Some(&0xaa));
}

/// What the client makes of an answer to one question, when all others are answered well.
fn with_answer(question: u8, answer: impl Fn() -> Vec<u8> + Send + 'static) -> Result<Vec<u8>, QuoteError> {
    let service = StandIn::new(move |asked, content| match asked == question {
        true => answer(),
        false => healthy(asked, content),
    });
    service.client().target_info()?;
    service.client().quote(&report())
}

#[test]
fn each_of_the_services_errors_is_one() {
    for question in [KEY_COUNT, KEY_IDS, INIT_QUOTE, QUOTE_SIZE, GET_QUOTE] {
        let with_code = |code| with_answer(question, move || framed(question, &[number(1, code)]));
        assert!(matches!(with_code(42), Err(QuoteError::NotReady)));
        assert!(matches!(with_code(47), Err(QuoteError::Refused)));
        let message = with_code(44).unwrap_err().to_string();
        assert!(
            message.contains("AESM says 44") && message.contains("register it"),
            "{message}"
        );
        assert!(with_code(1234).unwrap_err().to_string().contains("1234"));
    }
}

#[test]
fn no_answer_is_taken_for_another() {
    for question in [KEY_COUNT, KEY_IDS, INIT_QUOTE, QUOTE_SIZE, GET_QUOTE] {
        let answers: [fn(u8) -> Vec<u8>; 6] = [
            |_| Vec::new(),
            |_| vec![4, 0, 0, 0, 1],
            |_| vec![0xff; 4],
            |_| vec![0; 4],
            // Without an error code, which the protocol takes for 1.
            |question| framed(question, &[]),
            |question| {
                framed(
                    if question == KEY_COUNT { KEY_IDS } else { KEY_COUNT },
                    &[number(1, 0)],
                )
            },
        ];
        for answer in answers {
            let failed = with_answer(question, move || answer(question));
            assert!(
                matches!(failed, Err(QuoteError::Failed(_))),
                "{question}: {failed:?}"
            );
        }
    }
}

#[test]
fn a_quote_that_is_not_whole_is_none() {
    let with_quote = |quote: Vec<u8>| {
        with_answer(GET_QUOTE, move || {
            framed(GET_QUOTE, &[number(1, 0), bytes(2, &quote)])
        })
    };
    let mut quote = quote_buffer(&report(), 4578);
    assert!(with_quote(quote.clone()).is_ok());
    assert!(matches!(
        with_quote(quote[..4577].to_vec()),
        Err(QuoteError::Failed(_))
    ));
    assert!(matches!(
        with_quote(quote[..435].to_vec()),
        Err(QuoteError::Failed(_))
    ));
    quote[432..436].fill(0xff);
    assert!(matches!(with_quote(quote), Err(QuoteError::Failed(_))));
}

#[test]
fn a_target_of_another_size_is_none() {
    for len in [0, 511, 513] {
        let failed = with_answer(INIT_QUOTE, move || {
            framed(INIT_QUOTE, &[number(1, 0), bytes(2, &vec![0; len])])
        });
        assert!(matches!(failed, Err(QuoteError::Failed(_))), "{len}");
    }
}

#[test]
fn a_service_without_ecdsa_or_without_a_socket_says_so() {
    let none = with_answer(KEY_IDS, || framed(KEY_IDS, &[number(1, 0), bytes(2, &key_id(0))]));
    assert!(matches!(none, Err(QuoteError::Unavailable(_))), "{none:?}");
    let many = with_answer(KEY_COUNT, || {
        framed(KEY_COUNT, &[number(1, 0), number(2, 1 << 31)])
    });
    assert!(matches!(many, Err(QuoteError::Failed(_))), "{many:?}");
    let nobody = Aesm::new("/nonexistent/aesm.socket").target_info();
    let message = nobody.unwrap_err().to_string();
    assert!(message.contains("/nonexistent/aesm.socket"), "{message}");
}
