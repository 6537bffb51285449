//! `nacre run -t`: terminals in the enclave, used through a terminal of the host as a person uses them.

use std::process::Command;

use harness::{Outcome, Pty, images, nacre};
use rustix::termios::LocalModes;

/// `nacre run OPTIONS IMAGE ARGS`, of the image with shells and tools.
fn nacre_run(options: &[&str], args: &[&str]) -> Command {
    let archive = images::provide(&images::recipe("terminal").unwrap()).unwrap();
    let mut command = Command::new(nacre().unwrap());
    command
        .arg("run")
        .args(options)
        .arg(format!("docker-archive:{}", archive.display()))
        .args(args);
    command
}

fn start(args: &[&str]) -> Pty {
    Pty::start(&nacre_run(&["-it"], args), 24, 80).unwrap()
}

fn say(pty: &mut Pty, keys: &str, answer: &str) {
    pty.press(keys).unwrap();
    if !answer.is_empty() {
        pty.expect(answer).unwrap();
    }
}

/// Runs until it is interrupted, and says when it is continued.
const JOB: &str = "sh -c 'trap \"echo back\" CONT; echo on; while :; do sleep 0.1; done'\r";

#[test]
fn bash_edits_lines_and_controls_jobs() {
    let mut pty = start(&["bash", "--norc"]);
    pty.expect("$ ").unwrap();
    let settings = pty.settings().unwrap();
    assert!(
        !settings
            .local_modes
            .intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG),
        "the host's terminal is raw"
    );
    say(&mut pty, "tty; stty size\r", "/dev/pts/0\r\n24 80\r\n");
    // Readline: a letter is put in before the last one.
    say(&mut pty, "echo oyser\x1b[D\x1b[Dt\r", "\r\noyster\r\n");
    // What was typed comes back by a key, and a name is completed.
    say(&mut pty, "\x1b[A\r", "\r\noyster\r\n");
    say(&mut pty, "cat /etc/pass\t", "passwd ");
    say(&mut pty, "\x15", "");
    say(&mut pty, "\r", "$ ");
    say(&mut pty, JOB, "\r\non\r\n");
    say(&mut pty, "\x1a", "Stopped");
    say(&mut pty, "jobs; echo $?\r", "done'\r\n0\r\n");
    say(&mut pty, "fg\r", "\r\nback\r\n");
    say(&mut pty, "\x03", "^C");
    say(&mut pty, "echo $?\r", "\r\n130\r\n");
    // Once the shell runs a command, the terminal collects lines again; until then ^D would be a letter.
    say(&mut pty, "echo ready; cat | tr a-z A-Z\r", "\r\nready\r\n");
    say(&mut pty, "pearl\r\x04", "PEARL\r\n");
    say(&mut pty, "ps -o tty,comm -p $$\r", "pts/0    bash\r\n");
    say(
        &mut pty,
        "sh -c 'trap \"stty size\" WINCH; echo set; while :; do sleep 0.1; done'\r",
        "\r\nset\r\n",
    );
    pty.resize(30, 100).unwrap();
    pty.expect("30 100\r\n").unwrap();
    pty.press("\x03").unwrap();
    pty.expect("$ ").unwrap();
    pty.press("exit 7\r").unwrap();
    let (status, shown) = pty.end().unwrap();
    assert_eq!(status.code(), Some(7), "{shown}");
}

#[test]
fn the_terminal_is_as_before_afterwards() {
    let mut pty = start(&["bash", "-c", "echo here; read line; kill -9 $$"]);
    let before = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
    pty.expect("here\r\n").unwrap();
    assert!(!pty.settings().unwrap().local_modes.intersects(before));
    pty.press("\r").unwrap();
    // The terminal outlives the command: its settings are asked for when it has ended.
    let settings = pty.settings_at_end().unwrap();
    assert!(settings.local_modes.contains(before));
}

#[test]
fn python_has_a_prompt_and_terminals_of_its_own() {
    let mut pty = start(&["python3", "-q"]);
    pty.expect(">>> ").unwrap();
    say(&mut pty, "6 * 7\r", "42\r\n");
    say(&mut pty, "while True: pass\r\r", "... ");
    say(&mut pty, "\x03", "KeyboardInterrupt\r\n");
    say(
        &mut pty,
        "import os; os.get_terminal_size()\r",
        "columns=80, lines=24)",
    );
    say(
        &mut pty,
        "import pty; pty.spawn(['bash', '-c', 'tty; read x; echo got $x'])\r",
        "/dev/pts/1\r\n",
    );
    say(&mut pty, "word\r", "got word\r\n");
    pty.expect(">>> ").unwrap();
    say(&mut pty, "\x04", "");
    let (status, shown) = pty.end().unwrap();
    assert_eq!(status.code(), Some(0), "{shown}");
}

#[test]
fn script_records_a_shell() {
    let mut pty = start(&["script", "-q", "-c", "bash --norc", "/tmp/record"]);
    pty.expect("$ ").unwrap();
    say(&mut pty, "tty\r", "/dev/pts/1\r\n");
    pty.press("exit\r").unwrap();
    let (status, shown) = pty.end().unwrap();
    assert_eq!(status.code(), Some(0), "{shown}");
}

#[test]
fn a_terminal_without_input_ends_with_its_program() {
    // Standard input is no terminal, and is not asked for.
    let outcome = Outcome::of(
        nacre_run(&["-t"], &["bash", "-c", "tty; test -t 1; echo $?"]),
        b"",
    )
    .unwrap();
    assert_eq!(
        (outcome.stdout.as_str(), outcome.status),
        ("/dev/pts/0\r\n0\r\n", 0),
        "{outcome}"
    );
}

#[test]
fn input_that_is_no_terminal_is_refused() {
    let outcome = Outcome::of(nacre_run(&["-it"], &["true"]), b"x").unwrap();
    assert_eq!(outcome.status, 125, "{outcome}");
    assert!(
        outcome.stderr.contains("the input device is not a TTY"),
        "{outcome}"
    );
}

#[test]
fn who_writes_without_end_holds_nothing_up() {
    let pty = start(&["bash", "-c", "yes & exit 3"]);
    assert_eq!(pty.end().unwrap().0.code(), Some(3));
}

#[test]
fn all_output_is_shown_before_the_end() {
    let mut pty = start(&["bash", "-c", "seq 1 20000; printf end"]);
    let shown = pty.expect("20000\r\nend").unwrap();
    assert!(shown.contains("\r\n19999\r\n"));
    assert_eq!(pty.end().unwrap().0.code(), Some(0));
}
