//! A server that proves to its clients which enclave it runs in: `attested-server ADDRESS
//! [DIRECTORY [NAME…]]`.
//!
//! Clients that verify the quote need no names in the certificate. Those that look at names, too, find the DNS names and IP
//! addresses there that are given as NAME.
//!
//! Inside of an enclave, DIRECTORY is `/dev/attestation`, as under Gramine: what is written to `user_report_data` there is
//! vouched for by the `quote` that is read next. Each client is sent one line.
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, io};

use dcap_quote::Validity;
use ra_tls::{Request, UnixTime, server_config};
use rustls::{ServerConfig, ServerConnection, Stream};

/// Days for which the certificate is valid.
const VALIDITY_DAYS: u64 = 30;
/// How long a client may keep the others waiting.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments
        .next()
        .ok_or("usage: attested-server ADDRESS [DIRECTORY [NAME…]]")?;
    let directory = PathBuf::from(arguments.next().unwrap_or_else(|| "/dev/attestation".to_owned()));

    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let validity = Validity {
        from: UnixTime(now.saturating_sub(3600)),
        until: UnixTime(now + VALIDITY_DAYS * 86400),
    };
    let request = Request::new(validity)?.names(arguments);
    let attested = request.certificate(|report_data| quote(&directory, report_data))?;
    let config = Arc::new(server_config(attested, None)?);

    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    for socket in listener.incoming() {
        if let Err(error) = answer(socket?, &config) {
            eprintln!("a client is gone: {error}");
        }
    }
    Ok(())
}

/// The enclave's quote with this report data.
fn quote(directory: &Path, report_data: &[u8; 64]) -> io::Result<Vec<u8>> {
    fs::write(directory.join("user_report_data"), report_data)?;
    fs::read(directory.join("quote"))
}

fn answer(mut socket: TcpStream, config: &Arc<ServerConfig>) -> Result<(), Box<dyn Error>> {
    socket.set_read_timeout(Some(CLIENT_TIMEOUT))?;
    socket.set_write_timeout(Some(CLIENT_TIMEOUT))?;
    let mut connection = ServerConnection::new(Arc::clone(config))?;
    let mut stream = Stream::new(&mut connection, &mut socket);
    stream.write_all(b"This line was written inside of an enclave.\n")?;
    stream.conn.send_close_notify();
    stream.flush()?;
    Ok(())
}
