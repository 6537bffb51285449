//! One configuration, one sequence of bytes; and no input whatever makes the decoder panic.

use enclave_config::{
    Broker, Config, ConfigError, Extent, HostChoices, HostEnv, HostPorts, HostSignals, Init, KeyId, Loopback,
    NotAllowed, Port, Resolver, Rootfs, Transport, User,
};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

fn port(protocol: Transport, number: u16) -> Port {
    Port { protocol, number }
}

fn broker(config: &mut Config) -> &mut Broker {
    config.broker.as_mut().unwrap()
}

fn published(numbers: [u16; 2]) -> Loopback {
    Loopback::OfContainer(HostPorts {
        published: numbers.map(|number| port(Transport::Tcp, number)).to_vec(),
        reached: vec![],
    })
}

fn sample() -> Config {
    Config {
        args: vec![b"/usr/bin/redis-server".to_vec(), b"--save".to_vec(), vec![]],
        entrypoint_len: 1,
        allow_args: true,
        env: vec![
            b"PATH=/usr/bin:/bin".to_vec(),
            b"HOME=/".to_vec(),
            b"ODD=\xff=".to_vec(),
        ],
        host_env: HostEnv::Names(vec![b"LOG_LEVEL".to_vec(), b"TZ".to_vec()]),
        cwd: b"/data".to_vec(),
        user: User {
            uid: 999,
            gid: 1000,
            groups: vec![4, 1000],
        },
        hostname: b"pearl".to_vec(),
        stop_signal: 15,
        host_signals: HostSignals::USUAL,
        debug: false,
        memory: 1 << 30,
        threads: 64,
        volumes: vec![b"/data".to_vec()],
        rootfs: Rootfs {
            root_hash: [0xa5; 32],
            data_blocks: 1000,
            hash_offset: 1000 * 4096,
            salt: vec![1, 2, 3],
            total_len: 1010 * 4096,
            callsites: Extent {
                offset: 990 * 4096,
                len: 12345,
            },
            key_id: Some(KeyId([0x5a; 32])),
        },
        source_digest: Some([7; 32]),
        resolver: Resolver::Servers(vec![b"192.0.2.1".to_vec(), b"2001:db8::1".to_vec()]),
        loopback: Loopback::OfContainer(HostPorts {
            published: vec![port(Transport::Tcp, 80), port(Transport::Udp, 53)],
            reached: vec![port(Transport::Tcp, 5432)],
        }),
        broker: Some(Broker {
            authority: b"a certificate".to_vec(),
            init: Init {
                digest: [0xa5; 32],
                len: 4_000_000,
            },
        }),
    }
}

#[test]
fn what_is_written_is_read() {
    let bytes = sample().encode().unwrap();
    assert_eq!(Config::decode(&bytes), Ok(sample()));

    let any = Config {
        host_env: HostEnv::Any,
        source_digest: None,
        loopback: Loopback::OfHost,
        broker: None,
        ..sample()
    };
    assert_eq!(Config::decode(&any.encode().unwrap()), Ok(any));
}

#[test]
fn nul_bytes_of_the_host_are_refused() {
    let config = Config {
        host_env: HostEnv::Any,
        ..sample()
    };
    let given = [b"A=b\0c".to_vec()];
    let args = HostChoices {
        args: &given,
        ..HostChoices::default()
    };
    let env = HostChoices {
        env: &given,
        ..HostChoices::default()
    };
    assert_eq!(config.check_host_choices(&args), Err(NotAllowed::Nul));
    assert_eq!(config.check_host_choices(&env), Err(NotAllowed::Nul));
}

#[test]
fn every_prefix_and_every_trailing_byte_is_refused() {
    let bytes = sample().encode().unwrap();
    for len in 0..bytes.len() {
        assert!(Config::decode(&bytes[..len]).is_err(), "prefix of {len}");
    }
    for extra in 0..=255 {
        let longer = [&bytes[..], &[extra]].concat();
        assert_eq!(Config::decode(&longer), Err(ConfigError::NotCanonical));
    }
}

#[test]
fn every_flipped_bit_is_refused_or_means_something_else() {
    let bytes = sample().encode().unwrap();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            if let Ok(config) = Config::decode(&flipped) {
                assert_ne!(config, sample(), "byte {at} bit {bit}");
                assert_eq!(config.encode().unwrap(), flipped, "byte {at} bit {bit}");
            }
        }
    }
}

#[test]
fn longer_forms_of_the_same_value_are_refused() {
    let bytes = sample().encode().unwrap();
    // The head of the map: 20 entries as one byte more (0xb4), or of indefinite length (0xbf … 0xff).
    assert_eq!(bytes[0], 0xb4);
    let long = [&[0xb8, 0x14], &bytes[1..]].concat();
    assert_eq!(Config::decode(&long), Err(ConfigError::NotCanonical));
    let indefinite = [&[0xbf], &bytes[1..], &[0xff]].concat();
    assert_eq!(Config::decode(&indefinite), Err(ConfigError::Malformed));
    // The version as a two-byte integer.
    let long = [&bytes[..2], &[0x18, 0x06], &bytes[3..]].concat();
    assert_eq!(Config::decode(&long), Err(ConfigError::NotCanonical));
}

#[test]
fn another_version_says_so() {
    let mut bytes = sample().encode().unwrap();
    bytes[2] = 1;
    assert_eq!(Config::decode(&bytes), Err(ConfigError::Version));
}

#[test]
fn a_lie_about_a_length_allocates_nothing() {
    // A map whose list of arguments claims 2^64 - 1 items.
    let bytes = [&[0xb4, 0x00, 0x06, 0x01, 0x9b][..], &[0xff; 8]].concat();
    assert_eq!(Config::decode(&bytes), Err(ConfigError::Malformed));
}

#[test]
fn rules_are_checked_in_both_directions() {
    type Damage = fn(&mut Config);
    let broken: [(Damage, &str); 18] = [
        (|c| c.args.clear(), "no program"),
        (|c| c.args.push(b"a\0b".to_vec()), "NUL"),
        (|c| c.entrypoint_len = 9, "entry point"),
        (|c| c.env.push(b"HOME=/root".to_vec()), "twice"),
        (|c| c.env.push(b"NAME".to_vec()), "NAME=VALUE"),
        (|c| c.cwd = b"data".to_vec(), "absolute"),
        (|c| c.memory += 1, "multiple"),
        (|c| c.memory = 1 << 40, "55 GiB"),
        (|c| c.threads = 0, "no threads"),
        (|c| c.threads = 2048, "2047"),
        (|c| c.rootfs.callsites.len = 1 << 40, "call-site"),
        (|c| c.host_signals = HostSignals::NONE, "among those"),
        (|c| c.loopback = published([80, 80]), "distinct"),
        (|c| c.loopback = published([0, 1]), "is 0"),
        (|c| broker(c).authority.clear(), "authority"),
        (|c| broker(c).authority = vec![0; 8193], "authority"),
        (|c| broker(c).init.len = 0, "size"),
        (|c| broker(c).init.len = (32 << 20) + 1, "size"),
    ];
    for (damage, words) in broken {
        let mut config = sample();
        damage(&mut config);
        match config.encode() {
            Err(ConfigError::Invalid(rule)) => assert!(rule.contains(words), "{rule}: {words}"),
            other => panic!("{words}: {other:?}"),
        }
    }
}

#[test]
fn too_much_environment_is_refused() {
    let mut config = sample();
    config.env.push([b"BIG=".to_vec(), vec![b'x'; 1 << 20]].concat());
    assert_eq!(config.encode(), Err(ConfigError::TooLong));
}

#[test]
fn arguments_of_the_host_replace_the_command_only() {
    let config = sample();
    let given = vec![b"--version".to_vec()];
    assert_eq!(config.args_with(&[]).unwrap(), config.args);
    assert_eq!(
        config.args_with(&given).unwrap(),
        [&b"/usr/bin/redis-server"[..], b"--version"]
    );
    let measured = Config {
        allow_args: false,
        ..config
    };
    assert_eq!(measured.args_with(&given), None);
}

#[test]
fn the_host_sets_what_was_allowed() {
    let config = sample();
    assert!(config.host_env.allows(b"TZ") && !config.host_env.allows(b"LD_PRELOAD"));
    assert!(HostEnv::Any.allows(b"LD_PRELOAD"));
}

#[test]
fn a_start_may_change_what_was_allowed_and_no_more() {
    let allowed = sample();
    let closed = Config {
        allow_args: false,
        host_env: HostEnv::Names(vec![]),
        ..sample()
    };
    let open = Config {
        host_env: HostEnv::Any,
        debug: true,
        ..sample()
    };
    let args = [b"--help".to_vec()];
    let (zone, path) = (
        [b"TZ=UTC".to_vec()],
        [b"TZ=UTC".to_vec(), b"PATH=/\xff=".to_vec()],
    );
    let nothing = HostChoices::default();
    let with_args = HostChoices {
        args: &args,
        ..nothing
    };
    let with_zone = HostChoices {
        env: &zone,
        ..nothing
    };
    let with_path = HostChoices {
        env: &path,
        ..nothing
    };
    let debugging = HostChoices {
        debugging: true,
        ..nothing
    };
    for (choices, by_allowed, by_closed) in [
        (nothing, Ok(()), Ok(())),
        (with_args, Ok(()), Err(NotAllowed::Args)),
        (with_zone, Ok(()), Err(NotAllowed::Variable(b"TZ"))),
        (
            with_path,
            Err(NotAllowed::Variable(b"PATH")),
            Err(NotAllowed::Variable(b"TZ")),
        ),
        (debugging, Err(NotAllowed::Debugging), Err(NotAllowed::Debugging)),
    ] {
        assert_eq!(allowed.check_host_choices(&choices), by_allowed);
        assert_eq!(closed.check_host_choices(&choices), by_closed);
        assert_eq!(open.check_host_choices(&choices), Ok(()));
    }
    let words = NotAllowed::Variable(b"A\x1b").to_string();
    assert!(words.contains("--allow-env A\\x1b,"), "{words}");
}

fn string() -> impl Strategy<Value = Vec<u8>> {
    vec(1..=255u8, 0..40)
}

prop_compose! {
    fn config()(
        args in vec(string(), 1..6),
        allow_args: bool,
        debug: bool,
        env in btree_set("[A-Z_]{1,8}", 0..6),
        value in string(),
        names in prop::option::of(btree_set("[A-Z_]{1,8}", 0..6)),
        cwd in string(),
        (uid, gid, groups) in (any::<u32>(), any::<u32>(), btree_set(any::<u32>(), 0..5)),
        hostname in vec(1..=255u8, 0..64),
        stop_signal in 1..=64u8,
        signals: u64,
        pages in 1..14_417_920u64,
        threads in 1..1000u32,
        blocks in 1..1u64 << 50,
        salt in vec(any::<u8>(), 0..257),
        source_digest: Option<[u8; 32]>,
        servers in prop::option::of(vec(any::<std::net::IpAddr>(), 0..4)),
        ports in prop::option::of([btree_set((any::<bool>(), 1..=u16::MAX), 0..4), btree_set((any::<bool>(), 1..=u16::MAX), 0..4)]),
        authority in prop::option::of(vec(any::<u8>(), 1..100)),
    ) -> Config {
        Config {
            entrypoint_len: args.len() as u32 / 2,
            args,
            allow_args,
            debug,
            env: env.iter().map(|name| [name.as_bytes(), b"=", &value].concat()).collect(),
            host_env: names.map_or(HostEnv::Any, |names| {
                HostEnv::Names(names.into_iter().map(String::into_bytes).collect())
            }),
            cwd: [b"/", &cwd[..]].concat(),
            user: User { uid, gid, groups: groups.into_iter().collect() },
            hostname,
            stop_signal,
            host_signals: HostSignals::from_bits(signals).with(stop_signal),
            memory: pages * 4096,
            threads,
            volumes: vec![],
            rootfs: Rootfs {
                root_hash: [1; 32],
                data_blocks: blocks,
                hash_offset: blocks * 4096,
                salt,
                total_len: blocks * 4096 + 8192,
                callsites: Extent { offset: blocks, len: blocks },
                key_id: source_digest.map(KeyId),
            },
            source_digest,
            resolver: servers.map_or(Resolver::OfHost, |servers| {
                Resolver::Servers(servers.iter().map(|server| server.to_string().into_bytes()).collect())
            }),
            loopback: ports.map_or(Loopback::OfHost, |lists| {
                let [published, reached] = lists.map(|list| {
                    let protocol = |is_udp| if is_udp { Transport::Udp } else { Transport::Tcp };
                    list.into_iter().map(|(is_udp, number)| port(protocol(is_udp), number)).collect()
                });
                Loopback::OfContainer(HostPorts { published, reached })
            }),
            broker: authority.map(|authority| Broker {
                authority,
                init: Init { digest: [2; 32], len: blocks.clamp(1, 1 << 20) },
            }),
        }
    }
}

proptest! {
    #[test]
    fn any_configuration_comes_back(config in config()) {
        let bytes = config.encode().unwrap();
        prop_assert_eq!(Config::decode(&bytes), Ok(config));
    }

    #[test]
    fn any_bytes_are_refused_or_canonical(bytes in vec(any::<u8>(), 0..300)) {
        if let Ok(config) = Config::decode(&bytes) {
            prop_assert_eq!(config.encode().unwrap(), bytes);
        }
    }
}
