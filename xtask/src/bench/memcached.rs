//! Memcached, loaded by a client that costs little: one thread which sends a request on each of its connections and
//! then reads the answers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::server::{Server, free_port};
use super::side::{Bench, Side};
use super::table::Results;

const CONNECTIONS: u64 = 32;
const VALUE: &str = "0123456789abcdef0123456789abcdef";

pub fn measure(bench: &mut Bench, results: &mut Results) -> Result<()> {
    let image = bench.packages("memcached", "usr/bin/memcached")?;
    let mut servers = Vec::new();
    for side in Side::BOTH {
        let port = free_port()?;
        let mut command = image.command(bench, side);
        // It refuses to be root, which it is natively in a build container; in the image it is another user anyway.
        if side == Side::Native {
            command.args(["-u", "nobody"]);
        }
        command.args(["-l", "0.0.0.0", "-U", "0", "-p", &port.to_string()]);
        servers.push((side, Server::start(&mut command, port)?));
    }
    let set = format!("set key 0 0 {}\r\n{VALUE}\r\n", VALUE.len());
    let found = format!("VALUE key 0 {}\r\n{VALUE}\r\nEND\r\n", VALUE.len());
    let count = bench.amount(200_000);
    for _ in 0..bench.rounds(3) {
        for (name, request, answer) in [
            ("set", set.as_str(), "STORED\r\n"),
            ("get", "get key\r\n", &found),
        ] {
            for (side, server) in &servers {
                let (cost, rate) = server.cost(count, || load(server, request, answer, count))?;
                results.add(&format!("memcached-{name}"), *side, rate);
                results.add(&format!("memcached-{name}-cpu"), *side, cost);
            }
        }
    }
    Ok(())
}

/// Requests per second.
fn load(server: &Server, request: &str, answer: &str, count: u64) -> Result<f64> {
    let connect = |_| -> Result<TcpStream> {
        let connection = TcpStream::connect(server.address())?;
        connection.set_nodelay(true)?;
        Ok(connection)
    };
    let mut connections: Vec<TcpStream> = (0..CONNECTIONS).map(connect).collect::<Result<_>>()?;
    let mut buffer = vec![0; answer.len()];
    let start = Instant::now();
    for _ in 0..count / CONNECTIONS {
        for connection in &mut connections {
            connection.write_all(request.as_bytes())?;
        }
        for connection in &mut connections {
            connection.read_exact(&mut buffer)?;
            ensure!(buffer == answer.as_bytes(), "a wrong answer");
        }
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}
