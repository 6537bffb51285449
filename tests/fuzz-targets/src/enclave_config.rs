//! The measured configuration: each configuration has exactly one encoding.

use enclave_config::{
    Broker, Config, Extent, HostEnv, HostPorts, HostSignals, Init, Loopback, Port, Resolver, Rootfs,
    Transport, User,
};

pub(crate) fn run(input: &[u8]) {
    if let Ok(config) = Config::decode(input) {
        assert_eq!(config.encode().as_deref(), Ok(input));
        let args = [b"x".to_vec()];
        assert_eq!(config.args_with(&args).is_some(), config.allow_args);
        config.host_env.allows(b"PATH");
    }
}

pub(crate) fn sample() -> Config {
    Config {
        args: vec![b"/bin/sh".to_vec(), b"-c".to_vec(), Vec::new()],
        entrypoint_len: 1,
        allow_args: true,
        env: vec![b"PATH=/bin".to_vec(), b"ODD=\xff".to_vec()],
        host_env: HostEnv::Names(vec![b"LANG".to_vec(), b"TZ".to_vec()]),
        cwd: b"/data".to_vec(),
        user: User {
            uid: 999,
            gid: 1000,
            groups: vec![4, 1000],
        },
        hostname: b"pearl".to_vec(),
        resolver: Resolver::OfHost,
        loopback: Loopback::OfContainer(HostPorts {
            published: vec![Port {
                protocol: Transport::Udp,
                number: 53,
            }],
            reached: Vec::new(),
        }),
        stop_signal: 15,
        host_signals: HostSignals::USUAL,
        debug: false,
        memory: 1 << 28,
        threads: 3,
        volumes: vec![b"/data".to_vec()],
        rootfs: Rootfs {
            root_hash: [0xa5; 32],
            data_blocks: 8,
            hash_offset: 8 * 4096,
            salt: vec![1, 2, 3],
            total_len: 10 * 4096,
            callsites: Extent {
                offset: 7 * 4096,
                len: 123,
            },
            key_id: None,
        },
        source_digest: Some([7; 32]),
        broker: Some(Broker {
            authority: b"certificate".to_vec(),
            init: Init {
                digest: [0x11; 32],
                len: 6_000_000,
            },
        }),
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let small = Config {
        args: vec![b"/a".to_vec()],
        env: Vec::new(),
        host_env: HostEnv::Any,
        cwd: b"/".to_vec(),
        user: User::default(),
        volumes: Vec::new(),
        source_digest: None,
        loopback: Loopback::OfHost,
        broker: None,
        ..sample()
    };
    [sample(), small]
        .iter()
        .map(|config| config.encode().expect("valid"))
        .collect()
}
