//! A server of PostgreSQL, for one test, as Debian has it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use broker_store::{Backend, Postgresql};
use postgres::{Client, NoTls};
use tempfile::TempDir;

use crate::Place;

/// PostgreSQL refuses to run as root; Debian's package has made this user.
const USER: &str = "postgres";

pub struct PostgresqlPlace {
    directory: TempDir,
    server: Option<Child>,
}

impl PostgresqlPlace {
    /// Starts a server with an empty database. It listens at a socket in its folder only.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut place = Self {
            directory,
            server: None,
        };
        let path = place.directory.path();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
        let data = path.join("data");
        let made = place
            .program("initdb")
            .arg("--pgdata")
            .arg(&data)
            .args([
                "--auth=trust",
                "--username=broker",
                "--no-sync",
                "--no-instructions",
            ])
            .stdout(Stdio::null())
            .status();
        assert!(made.expect("Debian's package postgresql is installed").success());
        place.start();
        place
    }

    pub fn start(&mut self) {
        let path = self.directory.path().to_owned();
        let server = self
            .program("postgres")
            .arg("-D")
            .arg(path.join("data"))
            .arg("-k")
            .arg(&path)
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "max_connections=8",
                "-c",
                "shared_buffers=8MB",
            ])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(path.join("log")).unwrap())
            .spawn();
        self.server = Some(server.unwrap());
        for _ in 0..200 {
            if Client::connect(&self.url(), NoTls).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{}", std::fs::read_to_string(path.join("log")).unwrap());
    }

    /// As if the machine had lost its power, for all that the server knows.
    pub fn kill(&mut self) {
        let pid = std::fs::read_to_string(self.directory.path().join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        assert!(
            Command::new("kill")
                .args(["-KILL", &pid])
                .status()
                .unwrap()
                .success()
        );
        self.server.take().unwrap().wait().unwrap();
        // Its children see that it is gone.
        std::thread::sleep(Duration::from_millis(500));
        let _ = std::fs::remove_file(self.directory.path().join("data/postmaster.pid"));
    }

    pub fn sql(&self, sql: &str) {
        Client::connect(&self.url(), NoTls)
            .unwrap()
            .batch_execute(sql)
            .unwrap();
    }

    fn url(&self) -> String {
        let host = self.directory.path().display().to_string().replace('/', "%2F");
        format!("postgresql://broker@{host}/postgres")
    }

    fn program(&self, name: &str) -> Command {
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| {
            use std::os::unix::fs::MetadataExt as _;
            own.uid() == 0
        });
        let program = programs().join(name);
        let mut command = match is_root {
            true => {
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid", USER, "--regid", USER, "--clear-groups"])
                    .arg(program);
                command
            }
            false => Command::new(program),
        };
        command.current_dir(self.directory.path());
        command
    }
}

/// Debian keeps them by version.
fn programs() -> PathBuf {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").expect("Debian's package postgresql is installed");
    let mut versions: Vec<_> = versions.map(|version| version.unwrap().path()).collect();
    versions.sort();
    versions.pop().unwrap().join("bin")
}

impl Place for PostgresqlPlace {
    fn create(&self) -> Box<dyn Backend> {
        self.open()
    }

    fn open(&self) -> Box<dyn Backend> {
        Box::new(Postgresql::connect(&self.url(), None).unwrap())
    }
}

impl Drop for PostgresqlPlace {
    fn drop(&mut self) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        let pid = self.directory.path().join("data/postmaster.pid");
        stop(&pid);
        let _ = server.wait();
    }
}

/// At once: nobody needs the data any more.
fn stop(pid: &Path) {
    if let Ok(pid) = std::fs::read_to_string(pid) {
        let pid = pid.lines().next().unwrap_or_default().to_owned();
        let _ = Command::new("kill").args(["-QUIT", &pid]).status();
    }
}
