//! `/proc` and `/sys` have the form that Linux's have: this machine's are the oracle.

mod common;

use std::fs;

use common::{Container, Tree, read_all};
use linux_abi::Whence;

fn container() -> Container {
    Container::new(&Tree::new())
}

fn ours(container: &Container, path: &str) -> String {
    String::from_utf8(
        container
            .read(path)
            .unwrap_or_else(|error| panic!("{path}: {error}")),
    )
    .unwrap()
}

fn linux(path: &str) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// A text's form: numbers become one sign each, so only what stands around them counts.
fn form(line: &str) -> String {
    let mut form = String::new();
    for sign in line.chars() {
        let sign = if sign.is_ascii_digit() { '0' } else { sign };
        // Numbers are padded with spaces.
        if !matches!((form.chars().last(), sign), (Some('0'), '0') | (Some(' '), ' ')) {
            form.push(sign);
        }
    }
    form
}

#[test]
fn status_has_linux_lines() {
    let container = container();
    let keys = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| line.split_once(':').unwrap().0.to_owned())
            .collect()
    };
    let (ours, linux) = (ours(&container, "/proc/self/status"), linux("/proc/self/status"));
    let known = keys(&linux);
    let missing: Vec<String> = keys(&ours)
        .into_iter()
        .filter(|key| !known.contains(key))
        .collect();
    // Later kernels have more lines; those that we have are theirs, in their order.
    assert!(
        missing
            .iter()
            .all(|key| ["Kthread", "untag_mask"].contains(&key.as_str())),
        "{missing:?}"
    );
    let order: Vec<String> = known
        .into_iter()
        .filter(|key| keys(&ours).contains(key))
        .collect();
    assert_eq!(
        keys(&ours)
            .into_iter()
            .filter(|key| order.contains(key))
            .collect::<Vec<_>>(),
        order
    );
    for key in ["Umask", "Tgid", "VmRSS", "SigBlk", "CapEff", "Threads"] {
        let line = |text: &str| {
            text.lines()
                .find(|line| line.starts_with(key))
                .unwrap()
                .to_owned()
        };
        let masked = |line: String| {
            let width = line.len();
            (
                form(&line.replace(
                    |sign: char| sign.is_ascii_hexdigit() && !line.starts_with(sign),
                    "0",
                )),
                width,
            )
        };
        assert_eq!(masked(line(&ours)).0, masked(line(&linux)).0, "{key}");
        if key.starts_with("Vm") || key.starts_with("Sig") {
            assert_eq!(masked(line(&ours)).1, masked(line(&linux)).1, "{key}");
        }
    }
}

#[test]
fn stat_has_linux_fields() {
    let container = container();
    container.write("/proc/self/comm", b"a b) c\n").unwrap();
    let ours = ours(&container, "/proc/self/stat");
    let fields = |text: &str| text.rsplit_once(')').unwrap().1.split_whitespace().count();
    assert_eq!(fields(&ours), fields(&linux("/proc/self/stat")));
    assert!(ours.starts_with("7 (a b) c) R 1 7 7 0 -1 "), "{ours}");
    assert_eq!(self::ours(&container, "/proc/self/statm").split(' ').count(), 7);
}

#[test]
fn limits_are_linux_byte_for_byte() {
    let container = container();
    let mut limits = [(0, 0); 16];
    for (number, limit) in limits.iter_mut().enumerate() {
        let mut linux = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: fills a structure of ours.
        assert_eq!(unsafe { libc::getrlimit(number as _, &mut linux) }, 0);
        *limit = (linux.rlim_cur, linux.rlim_max);
    }
    *container.process.limits.lock().unwrap() = limits;
    assert_eq!(ours(&container, "/proc/self/limits"), linux("/proc/self/limits"));
}

#[test]
fn whole_files_have_linux_form() {
    let container = container();
    for path in ["/proc/uptime", "/proc/loadavg", "/proc/sys/kernel/random/boot_id"] {
        let hex = |text: String| {
            if path.ends_with("id") {
                text.len().to_string()
            } else {
                form(&text)
            }
        };
        assert_eq!(hex(ours(&container, path)), hex(linux(path)), "{path}");
    }
    let linux_lines: Vec<String> = linux("/proc/meminfo").lines().map(form).collect();
    for line in ours(&container, "/proc/meminfo").lines() {
        let newer = linux_lines.contains(&form(line));
        assert!(newer, "{line}");
    }
    let widths = |text: &str, key: &str| text.lines().find(|line| line.starts_with(key)).unwrap().len();
    for key in [
        "MemTotal:",
        "SwapTotal:",
        "HugePages_Total:",
        "HugePages_Rsvd:",
        "Hugepagesize:",
    ] {
        assert_eq!(
            widths(&ours(&container, "/proc/meminfo"), key),
            widths(&linux("/proc/meminfo"), key),
            "{key}"
        );
    }
    for key in ["cpu ", "btime", "ctxt", "processes", "procs_running"] {
        let find = |text: String| text.lines().find(|line| line.starts_with(key)).map(form).unwrap();
        assert_eq!(
            find(ours(&container, "/proc/stat")),
            find(linux("/proc/stat")),
            "{key}"
        );
    }
}

#[test]
fn tables_have_linux_headers() {
    let container = container();
    let names = [
        "arp", "dev", "raw", "raw6", "route", "tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "unix",
    ];
    for name in names {
        let path = format!("/proc/net/{name}");
        let Ok(linux) = std::fs::read_to_string(&path) else {
            continue;
        };
        let lines = if name == "dev" { 2 } else { 1 };
        let head = |text: &str| text.lines().take(lines).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(head(&ours(&container, &path)), head(&linux), "{path}");
    }
}

#[test]
fn descriptors_tell_of_themselves() {
    let container = container();
    container.write("/file", b"0123456789").unwrap();
    let file = container.open("/file", libc::O_RDWR | libc::O_APPEND, 0).unwrap();
    file.seek(4, Whence::SEEK_SET).unwrap();
    let inode = file.object().stat().unwrap().inode;
    container.process.descriptors.lock().unwrap().insert(5, file);
    assert_eq!(
        ours(&container, "/proc/self/fdinfo/5"),
        format!("pos:\t4\nflags:\t0102002\nmnt_id:\t21\nino:\t{inode}\n")
    );
    assert_eq!(container.stat("/proc/self/fd/5").unwrap().permissions, 0o700);
}

#[test]
fn smaps_follow_maps() {
    let ours = ours(&container(), "/proc/self/smaps");
    let linux = linux("/proc/self/smaps");
    let lines = |text: &str| {
        text.lines()
            .skip(1)
            .take(2)
            .map(|line| (form(line), line.len()))
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(&ours), lines(&linux));
    assert!(ours.contains("\nRss:                   4 kB\n"), "{ours}");
}

#[test]
fn everything_can_be_read_and_listed() {
    let container = container();
    let exe = container.vfs.root().clone();
    *container.process.executable.lock().unwrap() = Some(exe);
    let mut todo = vec!["/proc".to_owned(), "/sys".to_owned()];
    let mut files = 0;
    while let Some(path) = todo.pop() {
        for name in container.list(&path).unwrap() {
            let path = format!("{path}/{name}");
            let stat = container.stat(&path).unwrap();
            match stat.kind {
                kobject::FileKind::Directory => todo.push(path),
                kobject::FileKind::Symlink => drop(container.readlink(&path).unwrap()),
                _ => {
                    let file = container.open(&path, 0, 0).unwrap();
                    let first = read_all(&file).unwrap();
                    // No disks, no locks that are told of, no keys and modules, no security module, no child.
                    let may_be_empty = [
                        "maps",
                        "/diskstats",
                        "/locks",
                        "/consoles",
                        "/keys",
                        "/key-users",
                        "/misc",
                        "/modules",
                        "/attr/current",
                        "/children",
                        "/ifalias",
                    ];
                    let is_empty = first.is_empty();
                    assert!(
                        !is_empty || may_be_empty.iter().any(|end| path.ends_with(end)),
                        "{path}"
                    );
                    files += 1;
                }
            }
        }
    }
    assert!(files > 100, "{files}");
    assert_eq!(ours(&container, "/sys/devices/system/cpu/online"), "0-1\n");
    assert_eq!(
        ours(&container, "/sys/devices/system/cpu/cpu1/topology/core_id"),
        "1\n"
    );
}

/// What more than two hundred programs of Debian open below `/proc` and `/sys` (`strace -e trace=file`), but for what
/// `docs/processes.md` says is left out.
#[test]
fn what_programs_of_debian_open_is_there() {
    let container = container();
    *container.process.executable.lock().unwrap() = Some(container.vfs.root().clone());
    let opened = include_str!("opened_by_programs.txt");
    let missing: Vec<&str> = opened
        .lines()
        .filter(|path| container.stat(path).is_err())
        .collect();
    assert!(opened.lines().count() > 100);
    assert_eq!(missing, [""; 0]);
    assert_eq!(
        container.readlink("/sys/devices/system/node/node0/cpu1").unwrap(),
        "../../cpu/cpu1"
    );
}

/// Each file of a processor of this machine's is there, and the masks mean the lists.
#[test]
fn processors_have_their_masks_and_caches() {
    let container = container();
    let cpu = |file: &str| ours(&container, &format!("/sys/devices/system/cpu/cpu1/{file}"));
    for folder in ["topology", "cache/index0"] {
        let of_linux = fs::read_dir(format!("/sys/devices/system/cpu/cpu0/{folder}"));
        for file in of_linux.into_iter().flatten() {
            let name = file.unwrap().file_name().into_string().unwrap();
            // Events of devices, and the serial number of the processor.
            if name != "uevent" && name != "ppin" {
                assert!(
                    cpu(&format!("{folder}/{name}")).ends_with('\n'),
                    "{folder}/{name}"
                );
            }
        }
    }
    assert_eq!(cpu("topology/thread_siblings"), "2\n");
    assert_eq!(cpu("topology/package_cpus"), "3\n");
    assert_eq!(cpu("cache/index0/shared_cpu_map"), "2\n");
    assert_eq!(cpu("cache/index0/size"), "32K\n");
    assert_eq!(cpu("cache/index1/shared_cpu_list"), "0-1\n");
    assert_eq!(cpu("cache/index1/type"), "Unified\n");
    assert_eq!(
        container.list("/sys/devices/system/cpu/cpu1/cache").unwrap(),
        ["index0", "index1"]
    );
}

/// By these lines managed runtimes size their heaps.
#[test]
fn the_limits_of_the_container_are_a_control_group_of_their_own() {
    let container = container();
    let mounts = ours(&container, "/proc/self/mountinfo");
    let line = mounts
        .lines()
        .find(|line| line.contains(" - cgroup2 cgroup2 "))
        .unwrap();
    assert_eq!(line.split(' ').nth(4), Some("/sys/fs/cgroup"), "{line}");
    let most: u64 = ours(&container, "/sys/fs/cgroup/memory.max")
        .trim()
        .parse()
        .unwrap();
    let shown = ours(&container, "/proc/meminfo");
    let total = shown.lines().next().unwrap().split_whitespace().nth(1).unwrap();
    assert_eq!(total.parse::<u64>().unwrap(), most / 1024);
    assert_eq!(ours(&container, "/sys/fs/cgroup/cpu.max"), "max 100000\n");
}

/// Also for root: it is a mount that nothing can be written to, as that of `/sys` is.
#[test]
fn nothing_is_written_to_the_settings_of_the_kernel() {
    let container = container();
    for path in [
        "/proc/sys/kernel/hostname",
        "/proc/sys/vm/swappiness",
        "/sys/class/net/lo/mtu",
    ] {
        let refused = container.open(path, libc::O_WRONLY, 0).map(drop);
        assert_eq!(refused, Err(kobject::Errno::EROFS), "{path}");
    }
    assert!(ours(&container, "/proc/mounts").contains("\nproc /proc/sys proc ro,"));
}
