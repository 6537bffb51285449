//! The files by which programs look names up: /etc/hosts, /etc/hostname and /etc/resolv.conf, made where the image has none.
//!
//! Container engines mount theirs over the image's, which is why most images have none, or empty ones. Here they come from the enclave:
//! who `localhost` is must not be the host's choice, and who resolves other names only where the measured configuration lets it choose.
//! A file that the image does fill is left alone.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use enclave_config::Resolver;
use kobject::{Errno, KernelSource, Result};
use libos_fs::{At, Context, OpenHow, Vfs};
use linux_abi::{AtFlags, OpenFlags};

/// Makes what is missing or empty, for a container of this name with this resolver.
///
/// # Errors
/// As opening and writing files; what was made stays.
pub(crate) fn make(vfs: &Vfs, root: &Context, name: &[u8], resolver: &str) -> Result<()> {
    match vfs.make_directory(root, At::Cwd, b"/etc", 0o755) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno),
    }
    let shown = name.escape_ascii();
    let mut hosts = String::from("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    if !name.is_empty() {
        hosts += &format!("127.0.0.1\t{shown}\n");
        fill(vfs, root, b"/etc/hostname", format!("{shown}\n").as_bytes())?;
    }
    if !resolver.is_empty() {
        fill(vfs, root, b"/etc/resolv.conf", resolver.as_bytes())?;
    }
    fill(vfs, root, b"/etc/hosts", hosts.as_bytes())
}

/// Most bytes of the host's file that are looked at, and most words of one of its lines (MAXDNSRCH of resolv.h).
const MAX_RESOLV_CONF: usize = 4096;
const MAX_WORDS: usize = 6;

/// What /etc/resolv.conf says; empty if nobody has been named.
pub(crate) fn resolver(measured: &Resolver, of_host: &[u8]) -> String {
    let mut text = String::new();
    match measured {
        Resolver::Servers(servers) => {
            for server in servers {
                text += &format!("nameserver {}\n", server.escape_ascii());
            }
        }
        Resolver::OfHost => {
            let of_host = of_host
                .get(..of_host.len().min(MAX_RESOLV_CONF))
                .unwrap_or_default();
            for line in of_host.split(|&byte| byte == b'\n') {
                text += &line_of_host(line).unwrap_or_default();
            }
        }
    }
    text
}

/// A line of the host's resolv.conf(5), if it is one of those that programs need and well-formed.
fn line_of_host(line: &[u8]) -> Option<String> {
    let mut words = str::from_utf8(line).ok()?.split_ascii_whitespace();
    let keyword = words.next()?;
    let is_plain = |word: &&str| {
        word.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte))
    };
    match keyword {
        "nameserver" => {
            let server: IpAddr = words.next()?.parse().ok()?;
            Some(format!("nameserver {server}\n"))
        }
        "search" | "domain" | "options" => {
            let words: Vec<&str> = words.filter(is_plain).take(MAX_WORDS).collect();
            (!words.is_empty()).then(|| format!("{keyword} {}\n", words.join(" ")))
        }
        _ => None,
    }
}

/// Gives a file these contents, unless it has some. What is no regular file is left alone.
fn fill(vfs: &Vfs, root: &Context, path: &[u8], contents: &[u8]) -> Result<()> {
    match vfs.stat(root, At::Cwd, path, AtFlags::empty()) {
        Ok(stat) if stat.size > 0 || stat.kind != kobject::FileKind::Regular => return Ok(()),
        Ok(_) | Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno),
    }
    let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT;
    let file = vfs.open(root, At::Cwd, path, OpenHow::open(flags.bits(), 0o644)?)?;
    file.write(&mut KernelSource(contents)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_hosts_file_only_what_is_needed_is_taken() {
        let text = b"# generated\nnameserver 192.0.2.1\nnameserver evil; x\n\xff\nsearch a.example ../b c\noptions edns0\nsortlist x\n";
        let expected = "nameserver 192.0.2.1\nsearch a.example ../b c\noptions edns0\n";
        let expected = expected.replace(" ../b", "");
        assert_eq!(resolver(&Resolver::OfHost, text), expected);
        let servers = Resolver::Servers(vec![b"2001:db8::1".to_vec()]);
        assert_eq!(resolver(&servers, text), "nameserver 2001:db8::1\n");
        assert_eq!(resolver(&Resolver::Servers(vec![]), text), "");
    }
}
