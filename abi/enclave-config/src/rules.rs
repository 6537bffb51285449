//! The rules that a configuration obeys beyond its types. Both directions check them, so that a bad configuration
//! is neither written nor believed.

use core::net::IpAddr;

use alloc::vec::Vec;

use enclave_layout::{MAX_SLOTS, PAGE_SIZE, USER_END, USER_START};
use rootfs_format::BLOCK_SIZE;
use rootfs_format::verity::MAX_VERITY_SALT;

use crate::{Config, ConfigError, Extent, HostEnv, Loopback, Resolver, Rootfs, is_variable_name};

/// Most name servers that C libraries ask (MAXNS of resolv.h).
pub const MAX_NAME_SERVERS: usize = 3;

/// Most bytes of memory that programs may have.
pub const MAX_MEMORY: u64 = 55 << 30;
/// Most threads that an enclave may have.
pub const MAX_THREADS: u32 = 2047;
/// Most bytes of a broker's authority.
pub const MAX_AUTHORITY: usize = 8 << 10;
/// Most bytes of the program that asks a broker.
pub const MAX_INIT: u64 = 32 << 20;
/// Longest host name, in bytes.
pub const MAX_HOSTNAME: usize = 64;

// The words below say these numbers.
const _: () = assert!(MAX_MEMORY <= USER_END - USER_START && MAX_SLOTS == MAX_THREADS as u64);

const BLOCK: u64 = BLOCK_SIZE as u64;
const MAX_GROUPS: usize = 65536;

pub(crate) fn check(config: &Config) -> Result<(), ConfigError> {
    let rule = |holds: bool, words| {
        if holds {
            Ok(())
        } else {
            Err(ConfigError::Invalid(words))
        }
    };

    rule(
        !config.args.is_empty(),
        "there is no program to run (no Entrypoint and no Cmd)",
    )?;
    rule(
        config.args.iter().all(|arg| no_nul(arg)),
        "an argument holds a NUL byte",
    )?;
    let kept = usize::try_from(config.entrypoint_len).unwrap_or(usize::MAX);
    rule(
        kept <= config.args.len(),
        "the entry point is longer than the arguments",
    )?;

    rule(
        config.env.iter().all(|entry| no_nul(entry)),
        "an environment variable holds a NUL byte",
    )?;
    rule(
        config.env.iter().all(|entry| name(entry).is_some()),
        "an environment variable is not NAME=VALUE",
    )?;
    rule(
        env_names_distinct(&config.env),
        "an environment variable is set twice",
    )?;
    if let HostEnv::Names(names) = &config.host_env {
        rule(
            is_ascending(names),
            "the names that the host may set are not sorted and distinct",
        )?;
        rule(
            names.iter().all(|name| is_variable_name(name)),
            "a name that the host may set is empty or holds '=' or NUL",
        )?;
    }

    rule(
        is_path(&config.cwd),
        "the working directory is not an absolute path",
    )?;
    rule(
        config.volumes.iter().all(|path| is_path(path)),
        "a volume is not an absolute path",
    )?;
    rule(
        is_ascending(&config.volumes),
        "the volumes are not sorted and distinct",
    )?;
    rule(
        is_ascending(&config.user.groups),
        "the groups are not sorted and distinct",
    )?;
    rule(
        config.user.groups.len() <= MAX_GROUPS,
        "there are too many groups",
    )?;
    rule(
        config.hostname.len() <= MAX_HOSTNAME,
        "the host name is longer than 64 bytes",
    )?;
    rule(no_nul(&config.hostname), "the host name holds a NUL byte")?;
    if let Resolver::Servers(servers) = &config.resolver {
        let is_address =
            |server: &Vec<u8>| str::from_utf8(server).is_ok_and(|server| server.parse::<IpAddr>().is_ok());
        rule(
            servers.len() <= MAX_NAME_SERVERS,
            "there are more than 3 name servers",
        )?;
        rule(
            servers.iter().all(is_address),
            "a name server is not an IP address",
        )?;
    }
    if let Some(broker) = &config.broker {
        rule(
            (1..=MAX_AUTHORITY).contains(&broker.authority.len()),
            "the broker's authority is no certificate",
        )?;
        rule(
            (1..=MAX_INIT).contains(&broker.init.len),
            "the program that asks the broker has no size that a program has",
        )?;
    }
    if let Loopback::OfContainer(ports) = &config.loopback {
        let lists = [&ports.published, &ports.reached];
        rule(
            lists.iter().all(|list| is_ascending(list)),
            "the ports that lead to the host are not sorted and distinct",
        )?;
        rule(
            lists.iter().all(|list| list.iter().all(|port| port.number != 0)),
            "a port that leads to the host is 0",
        )?;
    }
    rule(
        (1..=64).contains(&config.stop_signal),
        "the stop signal is not between 1 and 64",
    )?;
    rule(
        config.host_signals.has(config.stop_signal),
        "the stop signal is not among those that the host may send",
    )?;

    rule(config.memory > 0, "the enclave has no memory")?;
    rule(
        config.memory.is_multiple_of(PAGE_SIZE),
        "the memory size is not a multiple of 4096",
    )?;
    rule(
        config.memory <= MAX_MEMORY,
        "there is more memory than the 55 GiB that an enclave has room for",
    )?;
    rule(config.threads > 0, "the enclave has no threads")?;
    rule(
        config.threads <= MAX_THREADS,
        "there are more threads than the 2047 that an enclave has room for",
    )?;
    check_rootfs(&config.rootfs)
}

fn check_rootfs(rootfs: &Rootfs) -> Result<(), ConfigError> {
    let rule = |holds: bool, words| {
        if holds {
            Ok(())
        } else {
            Err(ConfigError::Invalid(words))
        }
    };
    let data_len = rootfs.data_blocks.checked_mul(BLOCK);
    let data_len = data_len.ok_or(ConfigError::Invalid("the root file system's size is absurd"))?;
    rule(data_len > 0, "the root file system is empty")?;
    rule(
        rootfs.salt.len() <= MAX_VERITY_SALT,
        "the salt is longer than 256 bytes",
    )?;
    rule(
        rootfs.hash_offset.is_multiple_of(BLOCK),
        "the hash tree is not at a block boundary",
    )?;
    rule(
        rootfs.hash_offset >= data_len,
        "the hash tree overlaps the root file system",
    )?;
    rule(
        rootfs.total_len > rootfs.hash_offset,
        "the root file system ends before its hash tree",
    )?;
    let Extent { offset, len } = rootfs.callsites;
    let end = offset.checked_add(len);
    rule(
        end.is_some_and(|end| end <= data_len),
        "the call-site maps lie outside the verified data",
    )
}

fn no_nul(bytes: &[u8]) -> bool {
    !bytes.contains(&0)
}

/// The name of a `NAME=VALUE`.
fn name(entry: &[u8]) -> Option<&[u8]> {
    let end = entry.iter().position(|&byte| byte == b'=')?;
    entry.get(..end).filter(|name| !name.is_empty())
}

fn is_path(path: &[u8]) -> bool {
    path.first() == Some(&b'/') && no_nul(path)
}

fn is_ascending<T: Ord>(items: &[T]) -> bool {
    items.is_sorted_by(|a, b| a < b)
}

fn env_names_distinct(env: &[Vec<u8>]) -> bool {
    let mut names: Vec<_> = env.iter().filter_map(|entry| name(entry)).collect();
    names.sort_unstable();
    is_ascending(&names)
}
