//! A client of AESM, the service of Intel's platform software that runs the quoting enclave: a message a connection, in
//! Protocol Buffers behind a length of four bytes.
//!
//! Source: `messages.proto` and `SocketTransporter` of Intel's linux-sgx, and its `sgx_quote.h` for what lies inside.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use host_abi::{Quote, QuoteTarget};
use prost::Message;

use super::messages::{
    GetQuoteEx, GetQuoteSizeEx, GetSupportedAttKeyIdNum, GetSupportedAttKeyIds, InitQuoteEx, Request,
    Response,
};
use super::{QuoteError, QuotingEnclave};

/// How long the service may take for an answer. Its first quote may fetch certificates from a provisioning service.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of the longest answer that is read; a quote has about 5 KB.
const MAX_ANSWER: u32 = 1 << 20;
/// Attestation keys to look at; real services have one to three.
const MAX_KEYS: u32 = 64;

/// Bytes of `sgx_att_key_id_ext_t`.
const KEY_ID_SIZE: usize = 256;
/// Where `algorithm_id` lies in it.
const KEY_ID_ALGORITHM: usize = 154;
/// `SGX_QL_ALG_ECDSA_P256`.
const ECDSA_P256: u32 = 2;

/// Bytes of a quote before its signature, whose length lies in the last four.
const QUOTE_HEAD: usize = 436;
/// Bytes of a public key's hash, which `InitQuoteEx` returns along.
const KEY_HASH_SIZE: u64 = 32;

/// The service at a socket.
#[derive(Clone, Debug)]
pub struct Aesm {
    socket: PathBuf,
}

impl Aesm {
    /// Where the service listens.
    pub const SOCKET: &str = "/var/run/aesmd/aesm.socket";

    /// The service that listens at this path; it is not asked anything yet.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
        }
    }

    /// Identity of the service's attestation key for ECDSA with P-256.
    fn key_id(&self) -> Result<Vec<u8>, QuoteError> {
        let request = Request {
            get_supported_att_key_id_num: Some(GetSupportedAttKeyIdNum {}),
            ..Request::default()
        };
        let answer = self.ask(&request)?.get_supported_att_key_id_num;
        let answer = answer.ok_or_else(another_answer)?;
        check(answer.error_code)?;
        let count = answer.att_key_id_num.filter(|&count| count <= MAX_KEYS);
        let size = count.ok_or_else(another_answer)? * KEY_ID_SIZE as u32;

        let request = Request {
            get_supported_att_key_ids: Some(GetSupportedAttKeyIds { buf_size: size }),
            ..Request::default()
        };
        let answer = self.ask(&request)?.get_supported_att_key_ids;
        let answer = answer.ok_or_else(another_answer)?;
        check(answer.error_code)?;
        let ids = answer.att_key_ids.unwrap_or_default();
        let (ids, _) = ids.as_chunks::<KEY_ID_SIZE>();
        let found = ids.iter().find(|id| {
            let algorithm = id.get(KEY_ID_ALGORITHM..).and_then(<[u8]>::first_chunk);
            algorithm.map(|bytes| u32::from_le_bytes(*bytes)) == Some(ECDSA_P256)
        });
        let none =
            "it has no attestation key for ECDSA; install the DCAP quote provider (libsgx-dcap-default-qpl)";
        found
            .map(|id| id.to_vec())
            .ok_or_else(|| QuoteError::Unavailable(none.to_owned()))
    }

    fn ask(&self, request: &Request) -> Result<Response, QuoteError> {
        let connected = UnixStream::connect(&self.socket);
        let stream = connected.map_err(|error| {
            QuoteError::Unavailable(format!(
                "cannot connect to AESM at {}: {error}; is aesmd running, and its socket given to this container?",
                self.socket.display()
            ))
        })?;
        let bytes = exchange(stream, &request.encode_to_vec())
            .map_err(|error| QuoteError::Failed(format!("AESM does not answer: {error}")))?;
        Response::decode(bytes.as_slice()).map_err(|_| another_answer())
    }
}

impl QuotingEnclave for Aesm {
    fn target_info(&self) -> Result<[u8; QuoteTarget::SIZE], QuoteError> {
        let request = Request {
            init_quote_ex: Some(InitQuoteEx {
                att_key_id: Some(self.key_id()?),
                b_pub_key_id: true,
                buf_size: Some(KEY_HASH_SIZE),
            }),
            ..Request::default()
        };
        let answer = self.ask(&request)?.init_quote_ex.ok_or_else(another_answer)?;
        check(answer.error_code)?;
        let target_info = answer.target_info.unwrap_or_default();
        target_info.try_into().map_err(|_| another_answer())
    }

    fn quote(&self, report: &[u8; Quote::REPORT_SIZE]) -> Result<Vec<u8>, QuoteError> {
        let key_id = self.key_id()?;
        let request = Request {
            get_quote_size_ex: Some(GetQuoteSizeEx {
                att_key_id: Some(key_id.clone()),
            }),
            ..Request::default()
        };
        let answer = self.ask(&request)?.get_quote_size_ex.ok_or_else(another_answer)?;
        check(answer.error_code)?;

        let request = Request {
            get_quote_ex: Some(GetQuoteEx {
                report: report.to_vec(),
                att_key_id: Some(key_id),
                buf_size: answer.quote_size.unwrap_or_default(),
            }),
            ..Request::default()
        };
        let answer = self.ask(&request)?.get_quote_ex.ok_or_else(another_answer)?;
        check(answer.error_code)?;
        let mut quote = answer.quote.unwrap_or_default();
        quote.truncate(quote_size(&quote).ok_or_else(another_answer)?);
        Ok(quote)
    }
}

/// Sends a message and receives one.
fn exchange(mut stream: UnixStream, request: &[u8]) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let len = u32::try_from(request.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    stream.write_all(&len.to_le_bytes())?;
    stream.write_all(request)?;
    let mut len = [0; 4];
    stream.read_exact(&mut len)?;
    let len = u32::from_le_bytes(len);
    if len > MAX_ANSWER {
        return Err(io::Error::other(format!("it announces {len} bytes")));
    }
    let mut answer = vec![0; len as usize];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// The service gives back its whole buffer; the quote may be shorter.
fn quote_size(quote: &[u8]) -> Option<usize> {
    let head = quote.get(..QUOTE_HEAD)?;
    let signature = u32::from_le_bytes(*head.last_chunk()?);
    let size = QUOTE_HEAD.checked_add(usize::try_from(signature).ok()?)?;
    (size <= quote.len()).then_some(size)
}

fn another_answer() -> QuoteError {
    QuoteError::Failed("AESM answers something else than was asked".to_owned())
}

/// The service's error numbers (`aesm_error.h`), those that tell somebody what to do.
fn check(code: u32) -> Result<(), QuoteError> {
    let failed = |what: &str| Err(QuoteError::Failed(format!("AESM says {code}, {what}")));
    match code {
        0 => Ok(()),
        42 => Err(QuoteError::NotReady),
        45 | 47 => Err(QuoteError::Refused),
        2 | 24 => failed("no SGX device: start aesmd where /dev/sgx_enclave and /dev/sgx_provision are"),
        12 | 13 => failed("a network error: check the provisioning service in /etc/sgx_default_qcnl.conf"),
        17 | 30 | 40 => {
            failed("its quoting service is not there: install libsgx-quote-ex and libsgx-aesm-ecdsa-plugin")
        }
        18 | 19 => failed("it is busy: try again"),
        29 => failed("out of EPC memory"),
        31 => failed("it does not know this platform: it is not registered with Intel"),
        38 => failed("the attestation key is not supported"),
        41 => failed("no platform library: install libsgx-dcap-default-qpl"),
        43 | 44 => failed(
            "no certificate of this platform: register it, and check the provisioning service in /etc/sgx_default_qcnl.conf",
        ),
        _ => failed("see aesm_error.h, and the log of aesmd"),
    }
}
