//! The CBOR encoding of a configuration: the keys in one list, written and read in the same order.

use alloc::vec::Vec;
use core::convert::Infallible;

use minicbor::data::Type;
use minicbor::decode::Error as ReadError;
use minicbor::encode::Error as WriteError;
use minicbor::{Decoder, Encoder};

use crate::{
    Broker, Config, ConfigError, Extent, HostEnv, HostPorts, HostSignals, Init, KeyId, Loopback, Port,
    Resolver, Rootfs, User,
};

/// Version of the schema, the value of the first key. A change of the schema is a new version.
pub const VERSION: u8 = 6;

/// The keys of the outer map, in their order.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Key {
    Version,
    Args,
    EntrypointLen,
    AllowArgs,
    Env,
    HostEnv,
    Cwd,
    User,
    Hostname,
    StopSignal,
    Debug,
    Memory,
    Threads,
    Volumes,
    Rootfs,
    SourceDigest,
    Resolver,
    HostSignals,
    Loopback,
    Broker,
}

const KEYS: u64 = Key::Broker as u64 + 1;

pub(crate) fn encode(config: &Config) -> Result<Vec<u8>, ConfigError> {
    let mut bytes = Vec::new();
    // A Vec takes whatever fits into memory.
    write(&mut Encoder::new(&mut bytes), config).map_err(|_| ConfigError::TooLong)?;
    Ok(bytes)
}

type Out<'a> = Encoder<&'a mut Vec<u8>>;
type Written = Result<(), WriteError<Infallible>>;

fn write(out: &mut Out, config: &Config) -> Written {
    out.map(KEYS)?;
    out.u8(Key::Version as u8)?.u8(VERSION)?;
    out.u8(Key::Args as u8)?;
    write_list(out, &config.args)?;
    out.u8(Key::EntrypointLen as u8)?.u32(config.entrypoint_len)?;
    out.u8(Key::AllowArgs as u8)?.bool(config.allow_args)?;
    out.u8(Key::Env as u8)?;
    write_list(out, &config.env)?;
    out.u8(Key::HostEnv as u8)?;
    match &config.host_env {
        HostEnv::Names(names) => write_list(out, names)?,
        HostEnv::Any => out.bool(true).map(drop)?,
    }
    out.u8(Key::Cwd as u8)?.bytes(&config.cwd)?;
    out.u8(Key::User as u8)?;
    write_user(out, &config.user)?;
    out.u8(Key::Hostname as u8)?.bytes(&config.hostname)?;
    out.u8(Key::StopSignal as u8)?.u8(config.stop_signal)?;
    out.u8(Key::Debug as u8)?.bool(config.debug)?;
    out.u8(Key::Memory as u8)?.u64(config.memory)?;
    out.u8(Key::Threads as u8)?.u32(config.threads)?;
    out.u8(Key::Volumes as u8)?;
    write_list(out, &config.volumes)?;
    out.u8(Key::Rootfs as u8)?;
    write_rootfs(out, &config.rootfs)?;
    out.u8(Key::SourceDigest as u8)?;
    match &config.source_digest {
        Some(digest) => out.bytes(digest)?,
        None => out.null()?,
    };
    out.u8(Key::Resolver as u8)?;
    match &config.resolver {
        Resolver::Servers(servers) => write_list(out, servers)?,
        Resolver::OfHost => out.bool(true).map(drop)?,
    }
    out.u8(Key::HostSignals as u8)?.u64(config.host_signals.bits())?;
    out.u8(Key::Loopback as u8)?;
    match &config.loopback {
        Loopback::OfContainer(ports) => write_ports(out, ports)?,
        Loopback::OfHost => out.bool(true).map(drop)?,
    }
    out.u8(Key::Broker as u8)?;
    match &config.broker {
        Some(broker) => {
            out.array(3)?.bytes(&broker.authority)?;
            out.bytes(&broker.init.digest)?.u64(broker.init.len)?;
        }
        None => out.null().map(drop)?,
    }
    Ok(())
}

fn write_list(out: &mut Out, items: &[Vec<u8>]) -> Written {
    out.array(items.len() as u64)?;
    items.iter().try_for_each(|item| out.bytes(item).map(drop))
}

fn write_user(out: &mut Out, user: &User) -> Written {
    out.array(3)?
        .u32(user.uid)?
        .u32(user.gid)?
        .array(user.groups.len() as u64)?;
    user.groups.iter().try_for_each(|group| out.u32(*group).map(drop))
}

fn write_ports(out: &mut Out, ports: &HostPorts) -> Written {
    out.array(2)?;
    for list in [&ports.published, &ports.reached] {
        out.array(list.len() as u64)?;
        list.iter()
            .try_for_each(|port| out.u32(port.to_raw()).map(drop))?;
    }
    Ok(())
}

fn write_rootfs(out: &mut Out, rootfs: &Rootfs) -> Written {
    out.array(8)?
        .bytes(&rootfs.root_hash)?
        .u64(rootfs.data_blocks)?
        .u64(rootfs.hash_offset)?;
    out.bytes(&rootfs.salt)?.u64(rootfs.total_len)?;
    out.u64(rootfs.callsites.offset)?.u64(rootfs.callsites.len)?;
    match &rootfs.key_id {
        Some(KeyId(id)) => out.bytes(id).map(drop),
        None => out.null().map(drop),
    }
}

/// Reads the schema. Leniences of the decoder (longer integers than needed, bytes behind the end) are the caller's
/// to refuse, by encoding again.
pub(crate) fn decode(bytes: &[u8]) -> Result<Config, ConfigError> {
    let mut input = Decoder::new(bytes);
    count(&mut input, Decoder::map, KEYS)?;
    key(&mut input, Key::Version)?;
    if input.u8()? != VERSION {
        return Err(ConfigError::Version);
    }
    // Fields of a struct expression are evaluated in the order in which they are written: that of the keys.
    Ok(Config {
        args: field(&mut input, Key::Args, read_list)?,
        entrypoint_len: field(&mut input, Key::EntrypointLen, Decoder::u32)?,
        allow_args: field(&mut input, Key::AllowArgs, Decoder::bool)?,
        env: field(&mut input, Key::Env, read_list)?,
        host_env: field(&mut input, Key::HostEnv, read_host_env)?,
        cwd: field(&mut input, Key::Cwd, read_bytes)?,
        user: field(&mut input, Key::User, read_user)?,
        hostname: field(&mut input, Key::Hostname, read_bytes)?,
        stop_signal: field(&mut input, Key::StopSignal, Decoder::u8)?,
        debug: field(&mut input, Key::Debug, Decoder::bool)?,
        memory: field(&mut input, Key::Memory, Decoder::u64)?,
        threads: field(&mut input, Key::Threads, Decoder::u32)?,
        volumes: field(&mut input, Key::Volumes, read_list)?,
        rootfs: field(&mut input, Key::Rootfs, read_rootfs)?,
        source_digest: field(&mut input, Key::SourceDigest, read_digest)?,
        resolver: field(&mut input, Key::Resolver, read_resolver)?,
        host_signals: field(&mut input, Key::HostSignals, Decoder::u64).map(HostSignals::from_bits)?,
        loopback: field(&mut input, Key::Loopback, read_loopback)?,
        broker: field(&mut input, Key::Broker, read_broker)?,
    })
}

type Read<T> = Result<T, ReadError>;

fn field<'b, T>(
    input: &mut Decoder<'b>,
    name: Key,
    read: impl FnOnce(&mut Decoder<'b>) -> Read<T>,
) -> Result<T, ConfigError> {
    key(input, name)?;
    Ok(read(input)?)
}

fn key(input: &mut Decoder, name: Key) -> Result<(), ConfigError> {
    if input.u8()? == name as u8 {
        Ok(())
    } else {
        Err(ConfigError::Malformed)
    }
}

/// The head of a map or an array of a known number of items.
fn count<'b>(
    input: &mut Decoder<'b>,
    head: impl FnOnce(&mut Decoder<'b>) -> Read<Option<u64>>,
    expected: u64,
) -> Read<()> {
    match head(input)? {
        Some(items) if items == expected => Ok(()),
        _ => Err(ReadError::message("unexpected number of items")),
    }
}

/// The length of an array of any number of items. A lie about it ends the loop over them at the input's end.
fn length(input: &mut Decoder) -> Read<u64> {
    input
        .array()?
        .ok_or_else(|| ReadError::message("indefinite length"))
}

fn read_bytes(input: &mut Decoder) -> Read<Vec<u8>> {
    input.bytes().map(<[u8]>::to_vec)
}

fn read_list(input: &mut Decoder) -> Read<Vec<Vec<u8>>> {
    let mut items = Vec::new();
    for _ in 0..length(input)? {
        items.push(read_bytes(input)?);
    }
    Ok(items)
}

fn read_host_env(input: &mut Decoder) -> Read<HostEnv> {
    if input.datatype()? == Type::Bool {
        return match input.bool()? {
            true => Ok(HostEnv::Any),
            false => Err(ReadError::message("not a list of names")),
        };
    }
    read_list(input).map(HostEnv::Names)
}

fn read_resolver(input: &mut Decoder) -> Read<Resolver> {
    if input.datatype()? == Type::Bool {
        return match input.bool()? {
            true => Ok(Resolver::OfHost),
            false => Err(ReadError::message("not a list of servers")),
        };
    }
    read_list(input).map(Resolver::Servers)
}

fn read_loopback(input: &mut Decoder) -> Read<Loopback> {
    if input.datatype()? == Type::Bool {
        return match input.bool()? {
            true => Ok(Loopback::OfHost),
            false => Err(ReadError::message("not lists of ports")),
        };
    }
    count(input, Decoder::array, 2)?;
    Ok(Loopback::OfContainer(HostPorts {
        published: read_ports(input)?,
        reached: read_ports(input)?,
    }))
}

fn read_broker(input: &mut Decoder) -> Read<Option<Broker>> {
    if input.datatype()? == Type::Null {
        return input.null().map(|()| None);
    }
    count(input, Decoder::array, 3)?;
    Ok(Some(Broker {
        authority: read_bytes(input)?,
        init: Init {
            digest: read_hash(input)?,
            len: input.u64()?,
        },
    }))
}

fn read_ports(input: &mut Decoder) -> Read<Vec<Port>> {
    let mut ports = Vec::new();
    for _ in 0..length(input)? {
        let port = Port::from_raw(input.u32()?);
        ports.push(port.ok_or_else(|| ReadError::message("neither TCP nor UDP"))?);
    }
    Ok(ports)
}

fn read_user(input: &mut Decoder) -> Read<User> {
    count(input, Decoder::array, 3)?;
    let (uid, gid) = (input.u32()?, input.u32()?);
    let mut groups = Vec::new();
    for _ in 0..length(input)? {
        groups.push(input.u32()?);
    }
    Ok(User { uid, gid, groups })
}

fn read_rootfs(input: &mut Decoder) -> Read<Rootfs> {
    count(input, Decoder::array, 8)?;
    Ok(Rootfs {
        root_hash: read_hash(input)?,
        data_blocks: input.u64()?,
        hash_offset: input.u64()?,
        salt: read_bytes(input)?,
        total_len: input.u64()?,
        callsites: Extent {
            offset: input.u64()?,
            len: input.u64()?,
        },
        key_id: read_digest(input)?.map(KeyId),
    })
}

fn read_hash(input: &mut Decoder) -> Read<[u8; 32]> {
    input
        .bytes()?
        .try_into()
        .map_err(|_| ReadError::message("a SHA-256 digest has 32 bytes"))
}

fn read_digest(input: &mut Decoder) -> Read<Option<[u8; 32]>> {
    if input.datatype()? == Type::Null {
        return input.null().map(|()| None);
    }
    read_hash(input).map(Some)
}

impl From<ReadError> for ConfigError {
    fn from(_: ReadError) -> Self {
        Self::Malformed
    }
}
