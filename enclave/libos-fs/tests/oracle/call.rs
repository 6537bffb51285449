//! The calls that are made, and what both worlds must agree on about their results.

pub const USER: u32 = 1000;

/// What a call gave: its result as text, or the number of its error.
pub type Outcome = Result<String, i32>;

#[derive(Clone, Debug)]
pub enum Call {
    Open {
        path: String,
        flags: i32,
        mode: u32,
        then: Vec<FileCall>,
    },
    MakeDirectory {
        path: String,
        mode: u32,
    },
    MakeNode {
        path: String,
        kind: u32,
    },
    Unlink(String),
    RemoveDirectory(String),
    Rename {
        old: String,
        new: String,
        flags: u32,
    },
    Link {
        old: String,
        new: String,
        flags: i32,
    },
    Symlink {
        target: String,
        path: String,
    },
    ReadLink(String),
    ChangeMode {
        path: String,
        mode: u32,
    },
    ChangeOwner {
        path: String,
        uid: Option<u32>,
        gid: Option<u32>,
        flags: i32,
    },
    Truncate {
        path: String,
        len: i64,
    },
    Stat {
        path: String,
        flags: i32,
    },
    Access {
        path: String,
        mode: u32,
        flags: i32,
    },
    List(String),
    SetXattr {
        path: String,
        name: String,
        value: String,
        flags: i32,
    },
    GetXattr {
        path: String,
        name: String,
    },
    ListXattr(String),
    RemoveXattr {
        path: String,
        name: String,
    },
    ChangeDirectory(String),
    OpenWithin {
        directory: String,
        path: String,
        flags: i32,
        mode: u32,
        resolve: u64,
    },
    SetTimes {
        path: String,
        times: [i64; 2],
        flags: i32,
    },
}

#[derive(Clone, Debug)]
pub enum FileCall {
    Write { offset: u16, len: u16, byte: u8 },
    Read { offset: u16, len: u16 },
    WriteOn { len: u16, byte: u8 },
    Truncate(u16),
    Punch { offset: u16, len: u16 },
    SeekData(u16),
    SeekHole(u16),
    Stat,
}

/// Somewhere calls are made.
pub trait World {
    fn call(&mut self, user: bool, call: &Call) -> Outcome;
    /// All that is there, as text.
    fn survey(&mut self) -> Vec<String>;
}

/// What a file is, as far as both must agree.
pub fn describe(mode: u32, links: u64, uid: u32, gid: u32, size: u64) -> String {
    let size = if mode & libc::S_IFMT == libc::S_IFDIR {
        0
    } else {
        size
    };
    format!("{mode:o} links {links} owner {uid}:{gid} size {size}")
}

pub fn bytes_text(bytes: &[u8]) -> String {
    // Runs, so that a difference can be read.
    let mut runs: Vec<(u8, usize)> = Vec::new();
    for &byte in bytes {
        match runs.last_mut() {
            Some((last, count)) if *last == byte => *count += 1,
            _ => runs.push((byte, 1)),
        }
    }
    format!("{runs:?}")
}

pub fn sorted_names(names: &[u8]) -> String {
    let mut names: Vec<_> = names
        .split(|&byte| byte == 0)
        .map(String::from_utf8_lossy)
        .collect();
    names.sort();
    names.join(" ")
}

/// All that is there: the same calls for both worlds.
pub fn survey(world: &mut dyn World) -> Vec<String> {
    let mut all = Vec::new();
    let mut todo = vec![String::from("/")];
    while let Some(path) = todo.pop() {
        let stat = world
            .call(
                false,
                &Call::Stat {
                    path: path.clone(),
                    flags: libc::AT_SYMLINK_NOFOLLOW,
                },
            )
            .unwrap();
        let xattrs = world.call(false, &Call::ListXattr(path.clone()));
        let mut line = format!("{path} {stat} {xattrs:?}");
        match &stat[..2] {
            "40" => {
                for name in world.call(false, &Call::List(path.clone())).unwrap().split(' ') {
                    let own = path == "/" && ["dev", "proc", "sys"].contains(&name);
                    if !own && name != "." && name != ".." {
                        todo.push(format!("{}/{name}", path.trim_end_matches('/')));
                    }
                }
            }
            "12" => line += &world.call(false, &Call::ReadLink(path.clone())).unwrap(),
            "10" if stat.starts_with("10")
                && stat.len() > 6
                && stat.split(' ').next().unwrap().len() == 6 =>
            {
                let then = vec![FileCall::Read {
                    offset: 0,
                    len: u16::MAX,
                }];
                let read = Call::Open {
                    path: path.clone(),
                    flags: 0,
                    mode: 0,
                    then,
                };
                line += &world.call(false, &read).unwrap();
            }
            _ => {}
        }
        all.push(line);
    }
    all.sort();
    all
}
