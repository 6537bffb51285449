//! Real programs from real packages, unmodified, in the enclave: they print what they print on Linux, serve real
//! clients, and end as a user expects.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::{Outcome, images, nacre};

/// `nacre run IMAGE ARGS`.
fn nacre_run(image: &str, args: &[&str]) -> Command {
    let archive = images::provide(&images::recipe(image).unwrap()).unwrap();
    let mut command = Command::new(nacre().unwrap());
    command
        .arg("run")
        .arg(format!("docker-archive:{}", archive.display()))
        .args(args);
    command
}

/// What servers of files serve.
const PAGE: &str = "An oyster lays nacre around what it encloses.\n";

/// `nacre run -e NAME=VALUE… IMAGE`.
fn nacre_run_with(image: &str, variables: &[(&str, &str)]) -> Command {
    let archive = images::provide(&images::recipe(image).unwrap()).unwrap();
    let mut command = Command::new(nacre().unwrap());
    command.arg("run");
    for (name, value) in variables {
        command.args(["-e", &format!("{name}={value}")]);
    }
    command.arg(format!("docker-archive:{}", archive.display()));
    command
}

/// Runs an image to its end and compares what it prints.
fn prints(image: &str, args: &[&str], expected: &str) {
    let outcome = Outcome::of(nacre_run(image, args), b"").unwrap();
    assert_eq!(
        (outcome.stdout.as_str(), outcome.status),
        (expected, 0),
        "{image}: {outcome}"
    );
}

#[test]
fn python_script() {
    prints("python", &[], include_str!("../../images/main.py.out"));
}

#[test]
fn python_arguments() {
    prints(
        "python",
        &["-c", "import sys; print(sys.argv[1:], sys.maxsize)", "a b"],
        "['a b'] 9223372036854775807\n",
    );
}

#[test]
fn go_program() {
    prints("go", &[], include_str!("../../images/main.go.out"));
}

#[test]
fn busybox() {
    prints("busybox", &[], PAGE);
    prints(
        "busybox",
        &["sh", "-c", "x=6; echo $((x * 7)) $0; cd /etc; pwd"],
        "42 sh\n/etc\n",
    );
}

#[test]
fn musl_static_threads() {
    let outcome = Outcome::of(nacre_run("musl-static", &[]), b"").unwrap();
    assert!(
        outcome.status == 0 && outcome.stdout.contains("1..11"),
        "{outcome}"
    );
}

#[test]
fn non_pie_threads() {
    let outcome = Outcome::of(nacre_run("non-pie", &[]), b"").unwrap();
    assert!(
        outcome.status == 0 && outcome.stdout.contains("1..11"),
        "{outcome}"
    );
}

#[test]
fn redis_serves_its_own_client() {
    let port = free_port();
    let mut server = Server::start(
        "redis",
        &["--port", &port, "--save", "", "--protected-mode", "no"],
        &port,
    );
    let client = |args: &[&str]| {
        let mut command = Command::new("redis-cli");
        Outcome::of(
            {
                command.args(["-p", &port]).args(args);
                command
            },
            b"",
        )
        .expect("install the package redis-tools")
        .stdout
    };
    assert_eq!(client(&["set", "oyster", "pearl"]), "OK\n");
    assert_eq!(client(&["get", "oyster"]), "pearl\n");
    assert_eq!(client(&["eval", "return #redis.call('keys', '*')", "0"]), "1\n");
    let mut benchmark = Command::new("redis-benchmark");
    benchmark.args([
        "-p",
        &port,
        "-n",
        "20000",
        "-c",
        "50",
        "-q",
        "-t",
        "set,get,lpush,zadd",
    ]);
    let benchmark = Outcome::of(benchmark, b"").unwrap();
    assert_eq!(benchmark.status, 0, "{benchmark}");
    assert_eq!(
        benchmark.stdout.matches("requests per second").count(),
        4,
        "{benchmark}"
    );
    assert_eq!(server.terminate(), 0, "redis ends well on SIGTERM");
}

/// Redis forks to write its data to disk, while it goes on serving.
#[test]
fn redis_saves_in_the_background() {
    let port = free_port();
    let mut server = Server::start(
        "redis",
        &["--port", &port, "--save", "", "--protected-mode", "no"],
        &port,
    );
    let client = |args: &[&str]| {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &port]).args(args);
        Outcome::of(command, b"").unwrap().stdout
    };
    let is_over = |field: &str| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while client(&["info", "persistence"]).contains(&format!("{field}:1")) {
            assert!(
                Instant::now() < deadline,
                "{field} for a minute: {}",
                server.text()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let load = |test: &str, requests: &str| {
        let mut command = Command::new("redis-benchmark");
        command.args([
            "-p", &port, "-q", "-r", "20000", "-d", "100", "-t", test, "-n", requests,
        ]);
        Outcome::of(command, b"").unwrap()
    };
    assert_eq!(load("set", "40000").status, 0);
    let keys = client(&["dbsize"]);
    assert_eq!(client(&["set", "oyster", "pearl"]), "OK\n");
    assert!(client(&["bgsave"]).starts_with("Background saving started"));
    // What is written now must not be in the snapshot, nor may it be lost.
    assert_eq!(client(&["set", "oyster", "grit"]), "OK\n");
    assert_eq!(load("set,get", "20000").status, 0);
    is_over("rdb_bgsave_in_progress");
    assert_eq!(client(&["config", "set", "appendonly", "yes"]), "OK\n");
    is_over("aof_rewrite_in_progress");
    assert_eq!(load("lpush", "5000").status, 0);
    client(&["bgrewriteaof"]);
    is_over("aof_rewrite_in_progress");
    let info = client(&["info", "persistence"]);
    for field in [
        "rdb_last_bgsave_status:ok",
        "aof_last_bgrewrite_status:ok",
        "aof_last_write_status:ok",
    ] {
        assert!(info.contains(field), "{field}: {info}\n{}", server.text());
    }
    assert_eq!(client(&["get", "oyster"]), "grit\n");
    assert!(client(&["dbsize"]).trim().parse::<u64>().unwrap() >= keys.trim().parse::<u64>().unwrap());
    assert_eq!(server.terminate(), 0, "redis ends well on SIGTERM");
}

/// NGINX as its official image starts it, with a master and two workers, and a reload.
#[test]
fn nginx_serves_with_two_workers() {
    let port = free_port();
    let mut server = Server::of("nginx", nacre_run_with("nginx", &[("PORT", &port)]), &port);
    let serves = |count: usize| {
        for _ in 0..count {
            let (head, body) = get(&port, "/");
            assert_eq!(body, PAGE, "{head}");
            assert!(head.contains("X-Worker: "), "{head}");
        }
    };
    serves(40);
    let (_, proxied) = get(&port, "/proxy/");
    assert_eq!(proxied, PAGE);
    signal(server.process.id(), "HUP");
    let deadline = Instant::now() + Duration::from_secs(20);
    // Two new workers serve, and the two old ones end once they have nothing left to do.
    while server.text().matches("exited with code 0").count() < 2 {
        assert!(
            Instant::now() < deadline,
            "the reload takes for ever\n{}",
            server.text()
        );
        serves(1);
    }
    let text = server.text();
    assert!(
        text.contains("greetings from /docker-entrypoint.d/10-greet.sh"),
        "{text}"
    );
    assert_eq!(text.matches("start worker process ").count(), 4, "{text}");
    signal(server.process.id(), "QUIT");
    assert_eq!(server.wait(), 0, "nginx ends well on SIGQUIT");
}

/// PostgreSQL as its official image starts it: initdb, a server for the scripts, then the server.
#[test]
fn postgres_serves() {
    let mut database = Database::start(&[]);
    assert_eq!(database.ask("SELECT sum(size) FROM pearls"), "500500\n");
    database.bench(&["-i", "-s", "1"]);
    let report = database.bench(&["-c", "4", "-j", "2", "-t", "100"]);
    assert!(report.contains("processed: 400/400"), "{report}");
    assert_eq!(database.ask("SELECT count(*) FROM pgbench_history"), "400\n");
    // Its workers map memory that the asking backend has made.
    let plan = database.ask(
        "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; \
         EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT sum(abalance) FROM pgbench_accounts",
    );
    assert!(plan.contains("Workers Launched: 2"), "{plan}");
    assert_eq!(database.interrupt(), 0, "PostgreSQL ends well on SIGINT");
}

/// All that PostgreSQL's processes share in System V segments, and the death of one of them.
#[test]
fn postgres_recovers_with_system_v_memory() {
    let mut database = Database::start(&[
        "-c",
        "shared_memory_type=sysv",
        "-c",
        "dynamic_shared_memory_type=sysv",
    ]);
    database.bench(&["-i", "-s", "1"]);
    database.bench(&["-c", "2", "-t", "50"]);
    // The backend dies, so the others end, and the server makes its memory anew.
    database.psql("COPY pearls FROM PROGRAM 'kill -9 $PPID'");
    let deadline = Instant::now() + Duration::from_secs(60);
    while database.psql("SELECT count(*) FROM pgbench_history").stdout != "100\n" {
        assert!(Instant::now() < deadline, "{}", database.server.text());
        std::thread::sleep(Duration::from_millis(100));
    }
    let text = database.server.text();
    assert!(text.contains("was terminated by signal 9: Killed"), "{text}");
    assert!(
        text.contains("database system was not properly shut down"),
        "{text}"
    );
    assert_eq!(database.interrupt(), 0, "PostgreSQL ends well on SIGINT");
}

/// A PostgreSQL server, and its clients.
struct Database {
    server: Server,
    port: String,
}

impl Database {
    fn start(options: &[&str]) -> Self {
        let port = free_port();
        let server = Server::start("postgres", &[&["postgres", "-p", &port], options].concat(), &port);
        // The server for the scripts has said so, too.
        server.says("database system is ready to accept connections", 2);
        Self { server, port }
    }

    /// A client of the newest version that is installed.
    fn client(&self, name: &str) -> Command {
        let mut versions: Vec<_> = fs::read_dir("/usr/lib/postgresql")
            .expect("install the package postgresql")
            .map(|version| version.unwrap().path())
            .collect();
        versions.sort();
        let mut command = Command::new(versions.last().unwrap().join("bin").join(name));
        command
            .args(["-h", "127.0.0.1", "-p", &self.port, "-U", "postgres"])
            .env("PGPASSWORD", "nacre");
        command
    }

    fn psql(&self, statements: &str) -> Outcome {
        let mut client = self.client("psql");
        client.args(["-X", "-q", "-A", "-t", "-c", statements, "oyster"]);
        Outcome::of(client, b"").unwrap()
    }

    fn ask(&self, statements: &str) -> String {
        let outcome = self.psql(statements);
        assert_eq!(outcome.status, 0, "{outcome}\n{}", self.server.text());
        outcome.stdout
    }

    fn bench(&self, args: &[&str]) -> String {
        let mut client = self.client("pgbench");
        client.args(args).arg("oyster");
        let outcome = Outcome::of(client, b"").unwrap();
        assert_eq!(outcome.status, 0, "{outcome}\n{}", self.server.text());
        outcome.stdout
    }

    /// Sends SIGINT, which is the official image's signal to stop, and gives the exit status.
    fn interrupt(&mut self) -> i32 {
        signal(self.server.process.id(), "INT");
        self.server.wait()
    }
}

/// MariaDB as its official image starts it: the system tables, then the server.
#[test]
fn mariadb_serves() {
    let port = free_port();
    let options = ["mariadbd", &format!("--port={port}"), "--bind-address=127.0.0.1"];
    let mut server = Server::start("mariadb", &options, &port);
    server.says("ready for connections", 1);
    let ask = |statements: &str| {
        let mut client = Command::new("mariadb");
        client
            .args(["--no-defaults", "--host=127.0.0.1", &format!("--port={port}")])
            .args(["--user=pearl", "--password=nacre", "--skip-ssl", "-N", "-B"])
            .args(["-e", statements, "oyster"]);
        let outcome = Outcome::of(client, b"").expect("install the package mariadb-client-core");
        assert_eq!(outcome.status, 0, "{outcome}");
        outcome.stdout
    };
    ask("CREATE TABLE pearls (size INT PRIMARY KEY) ENGINE=InnoDB; \
         INSERT INTO pearls SELECT seq FROM seq_1_to_10000; CREATE INDEX sizes ON pearls (size)");
    assert_eq!(ask("SELECT SUM(size) FROM pearls"), "50005000\n");
    assert_eq!(
        ask("BEGIN; DELETE FROM pearls; ROLLBACK; SELECT COUNT(*) FROM pearls"),
        "10000\n"
    );
    std::thread::scope(|clients| {
        for client in 0..4 {
            let first = 20_000 + client * 1000;
            let insert = format!(
                "INSERT INTO pearls SELECT seq FROM seq_{first}_to_{}",
                first + 499
            );
            let ask = &ask;
            clients.spawn(move || ask(&insert));
        }
    });
    assert_eq!(ask("SELECT COUNT(*) FROM pearls"), "12000\n");
    assert_eq!(server.terminate(), 0, "MariaDB ends well on SIGTERM");
}

/// PHP's FastCGI server with two workers, which share the cache of compiled scripts.
#[test]
fn php_answers_over_fastcgi() {
    let port = free_port();
    let mut server = Server::of("php-fpm", nacre_run_with("php-fpm", &[("PORT", &port)]), &port);
    let ask = || {
        let mut client = Command::new("cgi-fcgi");
        client
            .args(["-bind", "-connect", &format!("127.0.0.1:{port}")])
            .envs([
                ("SCRIPT_FILENAME", "/srv/index.php"),
                ("REQUEST_METHOD", "POST"),
                ("CONTENT_TYPE", "text/plain"),
                ("CONTENT_LENGTH", "5"),
            ]);
        let outcome = Outcome::of(client, b"pearl").expect("install the package libfcgi-bin");
        outcome.stdout.replace('\r', "")
    };
    // One answer compiles the script, the others find it compiled.
    ask();
    for _ in 0..20 {
        let answer = ask();
        let (head, body) = answer.split_once("\n\n").unwrap_or_else(|| panic!("{answer}"));
        assert!(head.contains("Content-type: text/plain"), "{answer}");
        let lines: Vec<&str> = body.lines().collect();
        let [worker, user, method, text, child, cached] = lines[..] else {
            panic!("{answer}")
        };
        let number = |line: &str, word: &str| line.strip_prefix(word).unwrap().parse::<u32>().unwrap();
        assert_eq!(
            number(worker, "worker "),
            number(child, "child "),
            "a shell is the worker's child"
        );
        assert_eq!(
            [user, method, text, cached],
            ["user 33", "method POST", "body PEARL", "cached yes"]
        );
    }
    signal(server.process.id(), "QUIT");
    assert_eq!(server.wait(), 0, "PHP ends well on SIGQUIT\n{}", server.text());
}

/// Two services under supervisord: one serves, one dies and is started again.
#[test]
fn supervisord_keeps_services() {
    let (port, control) = (free_port(), free_port());
    let command = nacre_run_with("supervisor", &[("PORT", &port), ("CONTROL_PORT", &control)]);
    let mut server = Server::of("supervisor", command, &port);
    assert_eq!(get(&port, "/").1, PAGE);
    server.says("spawned: 'mortal'", 2);
    let text = server.text();
    assert!(
        text.contains("exited: mortal (exit status 3; not expected)"),
        "{text}"
    );
    assert!(text.contains("mortal lives as root"), "{text}");
    assert_eq!(get(&port, "/").1, PAGE);
    assert_eq!(server.terminate(), 0, "supervisord ends well on SIGTERM");
    server.says("stopped: web (terminated by SIGTERM)", 1);
}

/// Two services under runit: one serves, one dies and is started again.
#[test]
fn runit_keeps_services() {
    let port = free_port();
    let mut server = Server::of("runit", nacre_run_with("runit", &[("PORT", &port)]), &port);
    assert_eq!(get(&port, "/").1, PAGE);
    server.says("mortal ended with 3", 2);
    server.says("mortal lives", 3);
    assert_eq!(get(&port, "/").1, PAGE);
    // It tells its services to end, and says so by its status (runsvdir(8)).
    signal(server.process.id(), "HUP");
    assert_eq!(server.wait(), 111);
}

/// Gunicorn with two workers that it has forked; each also starts a child.
#[test]
fn flask_serves_with_two_workers() {
    let port = free_port();
    let bind = format!("127.0.0.1:{port}");
    let mut server = Server::start(
        "flask",
        &[
            "--workers",
            "2",
            "--worker-tmp-dir",
            "/dev/shm",
            "--bind",
            &bind,
            "flask_app:app",
        ],
        &port,
    );
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let (_, body) = get(&port, "/");
        assert!(body.starts_with("worker "), "{body}");
        seen.insert(body);
    }
    assert!((1..=2).contains(&seen.len()), "{seen:?}");
    let (_, body) = get(&port, "/child");
    let (worker, child) = body.trim().split_once(' ').unwrap();
    assert_eq!(worker, child, "a child knows its parent");
    assert_eq!(server.terminate(), 0, "gunicorn ends well on SIGTERM");
}

/// Java behind tini: null references that are found by faults, a child, and a heap under pressure.
#[test]
fn java_serves() {
    let port = free_port();
    let arguments = ["-XX:+UseG1GC", "-Xmx768m", "/app/Server.java", &port];
    let mut server = Server::start("java", &arguments, &port);
    let (_, body) = get(&port, "/");
    assert_eq!(body, "An oyster lays nacre around what it encloses.\n");
    assert_eq!(get(&port, "/exceptions").1, "caught 100000\n");
    assert_eq!(get(&port, "/child").1, "true 3\n");
    assert_eq!(get(&port, "/interfaces").1, "lo true true\n");
    assert_eq!(get(&port, "/heap").1, "kept 1536 of 3072 blocks\n");
    assert_eq!(get(&port, "/exceptions").1, "caught 100000\n");
    // Java ends like this on SIGTERM, after its shutdown hooks; tini tells it.
    assert_eq!(server.terminate(), 143);
    assert!(server.text().contains("the end\n"), "{}", server.text());
}

/// A program that reserves great ranges with great alignments; its child reserves as much again.
#[test]
fn deno_runs() {
    let numbers: Vec<_> = (0..20).map(|number: u32| number.to_string()).collect();
    prints("deno", &[], &format!("{}\nNACRE\n0 42\n", numbers.join(" ")));
}

/// V8 with Google's allocator, which chooses its addresses itself; each connection is watched by two descriptors.
#[test]
fn workerd_serves() {
    let port = free_port();
    let address = format!("--socket-addr=http=127.0.0.1:{port}");
    let mut server = Server::start("workerd", &["serve", "/app/workerd.capnp", &address], &port);
    for _ in 0..20 {
        assert_eq!(get(&port, "/").1, "nacre nacre ");
    }
    assert_eq!(server.terminate(), 0);
}

/// Node's children, messages, worker threads and a cluster; `localhost` is known without a server of names.
#[test]
fn node_has_children() {
    prints(
        "node",
        &[],
        "spawn: through a pipe 3\nexec: 42\nfork: 42\nfork ended: 0\nfrom a worker thread\nworker 1, worker 2\n",
    );
}

/// Node's `fs.watch` by inotify: a file is made, changed and removed in a watched directory.
#[test]
fn node_watches_files() {
    let script = "const fs = require('fs'); const seen = []; \
         fs.mkdirSync('/tmp/watched', { recursive: true }); \
         const watcher = fs.watch('/tmp/watched', (event, name) => { \
           seen.push(event + ' ' + name); \
           if (seen.includes('change a')) { console.log(seen[0], seen.includes('change a')); watcher.close(); } \
         }); \
         fs.writeFileSync('/tmp/watched/a', 'text');";
    prints("node", &["-e", script], "rename a true\n");
}

/// GNU's `tail -f` waits by inotify, and is woken by the line that is added.
#[test]
fn tail_follows_a_file() {
    let script = "const fs = require('fs'); const { spawn } = require('child_process'); \
         fs.writeFileSync('/tmp/log', 'one\\n'); \
         const tail = spawn('tail', ['-n', '+1', '-f', '/tmp/log']); let seen = ''; \
         tail.stdout.on('data', (data) => { \
           seen += data; \
           if (seen === 'one\\n') fs.appendFileSync('/tmp/log', 'two\\n'); \
           if (seen === 'one\\ntwo\\n') tail.kill(); \
         }); \
         tail.on('close', (code, signal) => console.log(seen + signal));";
    prints("node", &["-e", script], "one\ntwo\nSIGTERM\n");
}

#[test]
fn python_has_children() {
    prints(
        "python",
        &["/app/children.py"],
        include_str!("../../images/children.py.out"),
    );
}

#[test]
fn names_are_known_without_a_server() {
    prints(
        "busybox",
        &["cat", "/etc/hosts", "/etc/hostname"],
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\tnacre\nnacre\n",
    );
}

#[test]
fn name_servers_are_those_that_were_measured() {
    let dir = tempfile::tempdir().unwrap();
    let target = format!("oci-archive:{}", dir.path().join("named.tar").display());
    let mut convert = Command::new(nacre().unwrap());
    let archive = images::provide(&images::recipe("busybox").unwrap()).unwrap();
    convert
        .arg("convert")
        .arg(format!("docker-archive:{}", archive.display()))
        .arg(&target)
        .args([
            "--allow-args",
            "--name-server",
            "192.0.2.53",
            "--name-server",
            "2001:db8::53",
        ]);
    let outcome = Outcome::of(convert, b"").unwrap();
    assert_eq!(outcome.status, 0, "{outcome}");
    let mut run = Command::new(nacre().unwrap());
    run.args(["run", &target, "cat", "/etc/resolv.conf"]);
    let outcome = Outcome::of(run, b"").unwrap();
    let expected = "nameserver 192.0.2.53\nnameserver 2001:db8::53\n";
    assert_eq!(
        (outcome.stdout.as_str(), outcome.status),
        (expected, 0),
        "{outcome}"
    );
}

/// One request with HTTP/1.0: the head and the body of the answer.
fn get(port: &str, path: &str) -> (String, String) {
    let mut connection = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    connection
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    write!(connection, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.to_owned(), body.to_owned())
}

fn signal(process: u32, signal: &str) {
    let sent = Command::new("kill")
        .args(["-s", signal, &process.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn memcached_serves() {
    let port = free_port();
    let mut server = Server::start("memcached", &["-p", &port, "-U", "0", "-t", "2"], &port);
    let mut connection = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
    let value = "x".repeat(100_000);
    for i in 0..50 {
        write!(connection, "set key{i} 0 0 {}\r\n{value}\r\n", value.len()).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "STORED");
    }
    for i in 0..50 {
        write!(connection, "get key{i}\r\n").unwrap();
        assert_eq!(
            lines.next().unwrap().unwrap(),
            format!("VALUE key{i} 0 {}", value.len())
        );
        assert_eq!(lines.next().unwrap().unwrap(), value);
        assert_eq!(lines.next().unwrap().unwrap(), "END");
    }
    assert_eq!(server.terminate(), 0, "memcached ends well on SIGTERM");
}

/// A server in the enclave, killed when the test is over.
struct Server {
    process: Child,
    output: tempfile::NamedTempFile,
}

impl Server {
    /// Starts it and waits until it accepts connections.
    fn start(image: &str, args: &[&str], port: &str) -> Self {
        Self::of(image, nacre_run(image, args), port)
    }

    /// As [`Self::start`], by another command.
    fn of(image: &str, mut command: Command, port: &str) -> Self {
        let output = tempfile::NamedTempFile::new().unwrap();
        let both = output.reopen().unwrap();
        command
            .stdin(Stdio::null())
            // One place to write at, for both.
            .stdout(both.try_clone().unwrap())
            .stderr(both);
        let mut server = Self {
            process: command.spawn().unwrap(),
            output,
        };
        let deadline = Instant::now() + Duration::from_secs(120);
        while TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
            let status = server.process.try_wait().unwrap();
            assert!(
                status.is_none() && Instant::now() < deadline,
                "{image} does not serve: {status:?}\n{}",
                server.text()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Sends SIGTERM and returns the exit status.
    fn terminate(&mut self) -> i32 {
        signal(self.process.id(), "TERM");
        self.wait()
    }

    /// Waits for its end and returns the exit status.
    fn wait(&mut self) -> i32 {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status
                    .code()
                    .unwrap_or_else(|| panic!("{status}\n{}", self.text()));
            }
            assert!(
                Instant::now() < deadline,
                "still runs after SIGTERM\n{}",
                self.text()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it has said so, so many times.
    fn says(&self, text: &str, times: usize) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.text().matches(text).count() < times {
            assert!(
                Instant::now() < deadline,
                "it does not say {text:?}\n{}",
                self.text()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn text(&self) -> String {
        fs::read_to_string(self.output.path()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .to_string()
}
