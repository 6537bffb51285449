//! Follows the entry point of an image from its first word to the program that starts: `PATH`, links, scripts.

use enclave_config::{Config, User};
use oci_image::{Inode, InodeId, Kind, Tree};
use printable_text::printable;

use super::finding::{Finding, Severity};

/// How deep scripts may name scripts as their interpreters (execve(2)).
const SCRIPT_DEPTH: usize = 5;
/// What Linux reads of a script's first line, in bytes (BINPRM_BUF_SIZE).
const HEAD_LEN: usize = 256;
/// What execve(2) finds in a program without a slash if there is no PATH.
const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the entry point leads to.
#[derive(Default)]
pub(super) struct EntryPoint {
    /// The paths that are executed, one after the other: scripts, then a program.
    pub(super) paths: Vec<String>,
    /// The files at these paths.
    pub(super) files: Vec<InodeId>,
    /// Why it does not start.
    pub(super) findings: Vec<Finding>,
}

/// Follows the entry point of a configuration through the image's files.
pub(super) fn follow(tree: &Tree, config: &Config) -> EntryPoint {
    let mut entry = EntryPoint::default();
    if let Err(finding) = entry.advance(tree, config) {
        entry.findings.push(finding);
    }
    entry
}

impl EntryPoint {
    fn advance(&mut self, tree: &Tree, config: &Config) -> Result<(), Finding> {
        let Some(program) = config.args.first() else {
            return Err(refusal(
                "entry point",
                "the image names no program",
                "build it with ENTRYPOINT or CMD, or convert it with --allow-args and name a program to nacre run",
            ));
        };
        let mut path = search(tree, config, program, "entry point")?;
        for _ in 0..=SCRIPT_DEPTH {
            let shown = shown(&path);
            let (id, head) = open(tree, config, &path, &shown, self.paths.last())?;
            self.paths.push(shown.clone());
            self.files.push(id);
            let Some(line) = head.strip_prefix(b"#!") else {
                return if head.starts_with(b"\x7fELF") {
                    Ok(())
                } else {
                    Err(refusal(
                        &shown,
                        "it is neither an ELF program nor a script that begins with `#!` (exec format error)",
                        "give a script a first line such as `#!/bin/sh`",
                    ))
                };
            };
            let (interpreter, argument) = words(line, &shown)?;
            path = match argument.filter(|_| interpreter.ends_with(b"/env")) {
                // What env(1) starts is the interpreter that is meant.
                Some(name) if !name.starts_with(b"-") && !name.contains(&b'=') => {
                    let (id, _) = open(
                        tree,
                        config,
                        &interpreter,
                        &self::shown(&interpreter),
                        Some(&shown),
                    )?;
                    self.paths.push(self::shown(&interpreter));
                    self.files.push(id);
                    search(tree, config, name, &shown)?
                }
                _ => interpreter,
            };
        }
        Err(refusal(
            self.paths.first().map_or("entry point", String::as_str),
            "scripts name each other as interpreters, too many times",
            "name a program in the first line of the script",
        ))
    }
}

/// The path of a program, which without a slash is looked for in PATH.
fn search(tree: &Tree, config: &Config, program: &[u8], subject: &str) -> Result<Vec<u8>, Finding> {
    if program.contains(&b'/') {
        return Ok(from(&config.cwd, program));
    }
    let path = config.env.iter().find_map(|entry| entry.strip_prefix(b"PATH="));
    let path = path.unwrap_or(DEFAULT_PATH);
    let candidates = path
        .split(|&byte| byte == b':')
        .map(|directory| from(&config.cwd, &[directory, b"/", program].concat()));
    let mut found = candidates.filter(|candidate| {
        let id = tree.follow(candidate).ok().flatten();
        id.is_some_and(|id| matches!(tree.inode(id).kind, Kind::File(_)))
    });
    let first = found.next();
    let executable = first.iter().cloned().chain(found).find(|candidate| {
        let id = tree.follow(candidate).ok().flatten();
        id.is_some_and(|id| may_execute(tree.inode(id), &config.user))
    });
    executable.or(first).ok_or_else(|| {
        refusal(
            subject,
            format!("there is no program {} in PATH ({})", shown(program), shown(path)),
            "install the program, or name it with its whole path",
        )
    })
}

/// The file at a path, and its beginning. `script` is the script that names it as its interpreter.
fn open(
    tree: &Tree,
    config: &Config,
    path: &[u8],
    shown: &str,
    script: Option<&String>,
) -> Result<(InodeId, Vec<u8>), Finding> {
    let refused = |problem: String, advice: &str| match script {
        Some(script) => refusal(script, format!("its interpreter {shown}: {problem}"), advice),
        None => refusal(shown, problem, advice),
    };
    let found = tree
        .follow(path)
        .map_err(|limit| refused(limit.to_string(), "mend the links"))?;
    let Some(id) = found else {
        return Err(refused(
            "it is not in the image".into(),
            "install it, or name what is there; an image from scratch or distroless has no shell",
        ));
    };
    let inode = tree.inode(id);
    let Kind::File(content) = &inode.kind else {
        return Err(refused("it is not a regular file".into(), "name a program"));
    };
    if !may_execute(inode, &config.user) {
        return Err(refused(
            format!(
                "user {} may not execute it (mode {:04o}, owner {}:{})",
                config.user.uid, inode.mode, inode.uid, inode.gid
            ),
            "chmod +x it when the image is built",
        ));
    }
    let mut head = vec![0; HEAD_LEN];
    let read = tree
        .read_at(content, 0, &mut head)
        .map_err(|error| refused(error.to_string(), "see TMPDIR"))?;
    head.truncate(read);
    Ok((id, head))
}

/// The interpreter in the first line of a script, and its argument.
fn words<'a>(line: &'a [u8], script: &str) -> Result<(Vec<u8>, Option<&'a [u8]>), Finding> {
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    if line.ends_with(b"\r") {
        return Err(refusal(
            script,
            "its first line ends with a carriage return, so the name of its interpreter does, too",
            "save it with Unix line ends (sed -i 's/\\r$//')",
        ));
    }
    let line = line.trim_ascii();
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t'));
    let (interpreter, argument) = line.split_at(end.unwrap_or(line.len()));
    if interpreter.is_empty() {
        return Err(refusal(
            script,
            "its first line names no interpreter",
            "give it a first line such as `#!/bin/sh`",
        ));
    }
    let argument = argument.trim_ascii();
    Ok((interpreter.to_vec(), (!argument.is_empty()).then_some(argument)))
}

fn may_execute(inode: &Inode, user: &User) -> bool {
    let bits = if user.uid == 0 {
        0o111
    } else if user.uid == inode.uid {
        0o100
    } else if user.gid == inode.gid || user.groups.contains(&inode.gid) {
        0o010
    } else {
        0o001
    };
    inode.mode & bits != 0
}

fn from(directory: &[u8], path: &[u8]) -> Vec<u8> {
    if path.starts_with(b"/") {
        path.to_vec()
    } else {
        [directory, b"/", path].concat()
    }
}

fn shown(path: &[u8]) -> String {
    printable(&String::from_utf8_lossy(path))
}

fn refusal(subject: &str, problem: impl Into<String>, advice: &str) -> Finding {
    Finding::new(Severity::CannotStart, subject, problem, advice)
}
