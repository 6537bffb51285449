//! One request of HTTP/1.1 on one connection, which then ends.

use std::io::{self, Read, Write};

use zeroize::Zeroizing;

/// Most bytes of a head, and most fields in it.
const MAX_HEAD: usize = 16 << 10;
const MAX_FIELDS: usize = 64;

/// What came back.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// Posts `body`, which is JSON, and reads the answer: all of its `content-length` bytes, of which there may be `most`.
///
/// # Errors
/// Those of the connection; InvalidData for an answer that is not HTTP, has no length or is too long, UnexpectedEof for one that is cut off.
pub(crate) fn post(
    stream: &mut (impl Read + Write),
    host: &str,
    path: &str,
    body: &[u8],
    most: usize,
) -> io::Result<Response> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        provisioning::CONTENT_TYPE,
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    stream.flush()?;
    read(stream, most)
}

fn read(stream: &mut impl Read, most: usize) -> io::Result<Response> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_HEAD));
    let mut chunk = Zeroizing::new([0; 4096]);
    let (status, start, len) = loop {
        match stream.read(&mut *chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(chunk.get(..count).unwrap_or_default()),
        }
        match head(&bytes)? {
            Some(head) => break head,
            None if bytes.len() >= MAX_HEAD => return Err(invalid("the head of the answer is too long")),
            None => {}
        }
    };
    if len > most {
        return Err(invalid("the answer is too long"));
    }
    // All at once: a vector that grows leaves copies of secrets behind.
    let mut body = Zeroizing::new(Vec::with_capacity(len));
    let begun = bytes.get(start..).unwrap_or_default();
    body.extend_from_slice(begun.get(..len).unwrap_or(begun));
    let left = len - body.len();
    match stream.take(left as u64).read_to_end(&mut body)? {
        count if count == left => Ok(Response { status, body }),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// The status, where the body begins and how long it is; `None` while the head is not complete.
fn head(bytes: &[u8]) -> io::Result<Option<(u16, usize, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let parsed = response
        .parse(bytes)
        .map_err(|_| invalid("the answer is not HTTP/1.1"))?;
    let httparse::Status::Complete(start) = parsed else {
        return Ok(None);
    };
    let mut lengths = response
        .headers
        .iter()
        .filter(|field| field.name.eq_ignore_ascii_case("content-length"));
    let (Some(length), None) = (lengths.next(), lengths.next()) else {
        return Err(invalid("the answer does not say how long it is"));
    };
    let length = str::from_utf8(length.value)
        .ok()
        .and_then(|value| value.trim().parse().ok());
    let length = length.ok_or_else(|| invalid("the answer does not say how long it is"))?;
    Ok(Some((response.code.unwrap_or(0), start, length)))
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Gives bytes piece by piece, and keeps what is written.
    struct Peer {
        answer: VecDeque<Vec<u8>>,
        request: Vec<u8>,
    }

    impl Read for Peer {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(mut piece) = self.answer.pop_front() else {
                return Ok(0);
            };
            let count = piece.len().min(buffer.len());
            buffer[..count].copy_from_slice(&piece[..count]);
            if count < piece.len() {
                self.answer.push_front(piece.split_off(count));
            }
            Ok(count)
        }
    }

    impl Write for Peer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.request.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn asked(pieces: &[&str], most: usize) -> (io::Result<Response>, Vec<u8>) {
        let answer = pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect();
        let mut peer = Peer {
            answer,
            request: Vec::new(),
        };
        let response = post(&mut peer, "broker:1", "/v1/x", b"{}", most);
        (response, peer.request)
    }

    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

    #[test]
    fn a_request_says_what_it_is() {
        let (response, request) = asked(&[OK, "hello"], 100);
        let response = response.unwrap();
        assert_eq!((response.status, response.body.as_slice()), (200, &b"hello"[..]));
        let expected = "POST /v1/x HTTP/1.1\r\nhost: broker:1\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        assert_eq!(String::from_utf8(request).unwrap(), expected);
    }

    #[test]
    fn pieces_come_as_they_like() {
        let whole = [OK, "hello, and more"].concat();
        for cut in 1..whole.len() {
            let (head, tail) = whole.split_at(cut);
            let response = asked(&[head, tail], 100).0.unwrap();
            assert_eq!(response.body.as_slice(), b"hello", "cut at {cut}");
        }
    }

    #[test]
    fn what_is_cut_off_too_long_or_no_answer_is_refused() {
        let kind = |pieces: &[&str], most| asked(pieces, most).0.err().map(|error| error.kind());
        use io::ErrorKind::{InvalidData, UnexpectedEof};
        assert_eq!(kind(&[OK, "hell"], 100), Some(UnexpectedEof));
        assert_eq!(kind(&["HTTP/1.1 20"], 100), Some(UnexpectedEof));
        assert_eq!(kind(&[OK, "hello"], 4), Some(InvalidData));
        assert_eq!(kind(&["SSH-2.0-x\r\n\r\n"], 100), Some(InvalidData));
        assert_eq!(kind(&["HTTP/1.1 200 OK\r\n\r\nhello"], 100), Some(InvalidData));
        let twice = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab";
        assert_eq!(kind(&[twice], 100), Some(InvalidData));
        let endless = "x: y\r\n".repeat(MAX_HEAD);
        assert_eq!(kind(&["HTTP/1.1 200 OK\r\n", &endless], 100), Some(InvalidData));
    }
}
