use sgx_arch::Xfrm;

use super::*;

const CPU_SVN: [u8; 16] = [5; 16];

fn processor() -> SimulatedProcessor {
    SimulatedProcessor::new(Zeroizing::new([7; 16]), CPU_SVN)
}

fn enclave() -> Secs {
    Secs {
        mr_enclave: [1; 32],
        mr_signer: [2; 32],
        isv_prod_id: 3,
        isv_svn: 4,
        ..Secs::new(
            0,
            1 << 36,
            1,
            MiscSelect::EXINFO,
            Attributes {
                flags: Attributes::INIT
                    | Attributes::MODE64BIT
                    | Attributes::PROVISIONKEY
                    | Attributes::EINITTOKEN_KEY,
                xfrm: Xfrm(7),
            },
        )
    }
}

fn request(name: KeyName) -> KeyRequest {
    KeyRequest {
        name,
        policy: KeyPolicy::default(),
        isv_svn: 2,
        cpu_svn: CPU_SVN,
        attributes_mask: Attributes {
            flags: Attributes::MODE64BIT,
            xfrm: Xfrm(0),
        },
        key_id: [9; 32],
        misc_mask: 0,
        config_svn: 0,
    }
}

fn key(secs: &Secs, request: &KeyRequest) -> [u8; 16] {
    *processor()
        .key(secs, request)
        .expect("well-formed")
        .expect("allowed")
}

const KINDS: [KeyName; 5] = [
    KeyName::EINITTOKEN,
    KeyName::PROVISION,
    KeyName::PROVISION_SEAL,
    KeyName::REPORT,
    KeyName::SEAL,
];

/// For each kind in the order of [`KINDS`], `1` or `0`: whether its key changes.
fn changes(enclave_change: impl Fn(&mut Secs), request_change: impl Fn(&mut KeyRequest)) -> String {
    let change = |name| {
        let (mut secs, mut asked) = (enclave(), request(name));
        let before = key(&secs, &asked);
        enclave_change(&mut secs);
        request_change(&mut asked);
        if key(&secs, &asked) == before { '0' } else { '1' }
    };
    KINDS.into_iter().map(change).collect()
}

/// The table "Key Derivation" of EGETKEY's page in the SDM, row by row of what may change.
#[test]
fn keys_depend_on_what_the_table_says() {
    let no = |_: &mut KeyRequest| {};
    let same = |_: &mut Secs| {};
    // EINITTOKEN, PROVISION, PROVISION_SEAL, REPORT, SEAL.
    assert_eq!(changes(same, no), "00000");
    assert_eq!(changes(|secs| secs.mr_enclave[31] ^= 1, no), "00010");
    assert_eq!(changes(|secs| secs.mr_signer[31] ^= 1, no), "11100");
    assert_eq!(changes(|secs| secs.isv_prod_id += 1, no), "11101");
    assert_eq!(changes(|secs| secs.isv_svn += 1, no), "00000");
    assert_eq!(changes(same, |asked| asked.isv_svn -= 1), "11101");
    assert_eq!(changes(same, |asked| asked.cpu_svn[7] -= 1), "11101");
    assert_eq!(changes(same, |asked| asked.key_id[0] ^= 1), "10011");
    // INIT and DEBUG always count, what the mask selects does, the rest does not.
    assert_eq!(
        changes(|secs| secs.attributes.flags ^= Attributes::DEBUG, no),
        "11111"
    );
    assert_eq!(
        changes(|secs| secs.attributes.flags ^= Attributes::INIT, no),
        "11111"
    );
    assert_eq!(
        changes(|secs| secs.attributes.flags ^= Attributes::MODE64BIT, no),
        "11111"
    );
    assert_eq!(changes(|secs| secs.attributes.xfrm = Xfrm(3), no), "00010");
    assert_eq!(changes(|secs| secs.misc_select = MiscSelect(0), no), "00010");
    // Another mask of what the enclave has not is another key, where the mask itself counts.
    assert_eq!(
        changes(same, |asked| asked.attributes_mask.xfrm = Xfrm(1 << 9)),
        "01101"
    );
    assert_eq!(changes(same, |asked| asked.misc_mask = 2), "01101");
    assert_eq!(changes(same, |asked| asked.misc_mask = 1), "11101");
    assert_eq!(
        changes(same, |asked| asked.policy = KeyPolicy::MRENCLAVE),
        "00101"
    );
}

#[test]
fn a_sealing_key_is_bound_to_what_its_policy_says() {
    let asked = |policy| KeyRequest {
        policy,
        ..request(KeyName::SEAL)
    };
    let [other_enclave, other_signer] = [
        Secs {
            mr_enclave: [8; 32],
            ..enclave()
        },
        Secs {
            mr_signer: [8; 32],
            ..enclave()
        },
    ];
    let (enclave_policy, signer_policy) = (KeyPolicy::MRENCLAVE, KeyPolicy::MRSIGNER);
    let both = enclave_policy.and(signer_policy);
    for (policy, differs_by_enclave, differs_by_signer) in [
        (KeyPolicy::default(), false, false),
        (enclave_policy, true, false),
        (signer_policy, false, true),
        (both, true, true),
    ] {
        let own = key(&enclave(), &asked(policy));
        assert_eq!(
            own != key(&other_enclave, &asked(policy)),
            differs_by_enclave,
            "{policy:?}"
        );
        assert_eq!(
            own != key(&other_signer, &asked(policy)),
            differs_by_signer,
            "{policy:?}"
        );
    }
}

#[test]
fn kinds_and_platforms_have_keys_of_their_own() {
    let mut keys: Vec<[u8; 16]> = KINDS
        .iter()
        .map(|&name| key(&enclave(), &request(name)))
        .collect();
    for root in [[0; 16], [8; 16]] {
        let other = SimulatedProcessor::new(Zeroizing::new(root), CPU_SVN);
        keys.extend(
            KINDS
                .iter()
                .map(|&name| *other.key(&enclave(), &request(name)).unwrap().unwrap()),
        );
    }
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 3 * KINDS.len());
}

#[test]
fn who_may_not_have_a_key_gets_an_error_code() {
    let refusal =
        |secs: &Secs, asked: &KeyRequest| processor().key(secs, asked).unwrap().map(|_| ()).unwrap_err();
    let plain = Secs {
        attributes: Attributes {
            flags: Attributes::INIT | Attributes::MODE64BIT,
            xfrm: Xfrm(7),
        },
        ..enclave()
    };
    for name in [KeyName::EINITTOKEN, KeyName::PROVISION, KeyName::PROVISION_SEAL] {
        assert_eq!(refusal(&plain, &request(name)), ErrorCode::InvalidAttribute);
    }
    for name in [5, 6, u16::MAX] {
        assert_eq!(
            refusal(&enclave(), &request(KeyName(name))),
            ErrorCode::InvalidKeyName
        );
    }
    for name in KINDS.into_iter().filter(|&name| name != KeyName::REPORT) {
        for component in 0..16 {
            let mut asked = request(name);
            asked.cpu_svn[component] += 1;
            assert_eq!(refusal(&enclave(), &asked), ErrorCode::InvalidCpuSvn);
        }
        let asked = KeyRequest {
            isv_svn: 5,
            ..request(name)
        };
        assert_eq!(refusal(&enclave(), &asked), ErrorCode::InvalidIsvSvn);
        key(
            &enclave(),
            &KeyRequest {
                isv_svn: 4,
                ..request(name)
            },
        );
    }
    // A report key has no versions to choose.
    key(
        &enclave(),
        &KeyRequest {
            isv_svn: u16::MAX,
            cpu_svn: [0xff; 16],
            ..request(KeyName::REPORT)
        },
    );
}

#[test]
fn what_needs_kss_is_malformed_without_it() {
    let policies = [
        KeyPolicy::NOISVPRODID,
        KeyPolicy::CONFIGID,
        KeyPolicy::ISVFAMILYID,
        KeyPolicy::ISVEXTPRODID,
    ];
    let mut kss = enclave();
    kss.attributes.flags |= Attributes::KSS;
    for policy in policies {
        let asked = KeyRequest {
            policy,
            ..request(KeyName::SEAL)
        };
        assert!(processor().key(&enclave(), &asked).is_err());
        assert!(processor().key(&kss, &asked).is_ok());
    }
    let asked = KeyRequest {
        config_svn: 1,
        ..request(KeyName::SEAL)
    };
    assert!(processor().key(&enclave(), &asked).is_err());
    let refusal = processor().key(&kss, &asked).unwrap().map(|_| ());
    assert_eq!(refusal, Err(ErrorCode::InvalidIsvSvn));
    // Without the number of the product, all products of a signer share a key.
    let asked = KeyRequest {
        policy: KeyPolicy::NOISVPRODID,
        ..request(KeyName::SEAL)
    };
    let other = Secs {
        isv_prod_id: 9,
        ..kss
    };
    assert_eq!(key(&kss, &asked), key(&other, &asked));
}

#[test]
fn a_report_is_good_for_its_target_alone() {
    let target = TargetInfo {
        mr_enclave: [3; 32],
        attributes: enclave().attributes,
        cet_attributes: 0,
        config_svn: 0,
        misc_select: MiscSelect::EXINFO,
        config_id: [0; 64],
    };
    let report = processor().report(&enclave(), &target, [6; 64]);
    assert!(processor().is_report_for(&report, &target));

    // The target's own key is what EGETKEY gives it.
    let target_secs = Secs {
        mr_enclave: [3; 32],
        ..enclave()
    };
    let asked = KeyRequest {
        key_id: report.key_id,
        ..request(KeyName::REPORT)
    };
    assert_eq!(
        key(&target_secs, &asked),
        *processor().report_key(&target, &report.key_id)
    );

    // Every byte of the target that is not reserved counts.
    for at in (0..49).chain(50..56).chain(64..128) {
        let mut bytes = target.to_bytes();
        bytes[at] ^= 0x10;
        let other = TargetInfo::from_bytes(&bytes).unwrap();
        assert!(
            !processor().is_report_for(&report, &other),
            "byte {at} of TARGETINFO"
        );
    }
    // So does every byte of the report.
    for at in 0..Report::SIZE {
        let mut bytes = report.to_bytes();
        bytes[at] ^= 1;
        let is_good =
            Report::from_bytes(&bytes).is_ok_and(|changed| processor().is_report_for(&changed, &target));
        assert!(!is_good, "byte {at} of REPORT");
    }
    // And the processor, and its versions.
    let updated = SimulatedProcessor::new(Zeroizing::new([7; 16]), [6; 16]);
    assert!(!updated.is_report_for(&report, &target));
    let other = SimulatedProcessor::new(Zeroizing::new([8; 16]), CPU_SVN);
    assert!(!other.is_report_for(&report, &target));
}

/// RFC 4493's second example: the MAC is AES-CMAC.
#[test]
fn the_mac_is_aes_cmac() {
    const KEY: [u8; 16] = *b"\x2b\x7e\x15\x16\x28\xae\xd2\xa6\xab\xf7\x15\x88\x09\xcf\x4f\x3c";
    const MESSAGE: [u8; 16] = *b"\x6b\xc1\xbe\xe2\x2e\x40\x9f\x96\xe9\x3d\x7e\x11\x73\x93\x17\x2a";
    const MAC: [u8; 16] = *b"\x07\x0a\x16\xb4\x6b\x4d\x41\x44\xf7\x9b\xdd\x9d\xd0\x4a\x28\x7c";
    let computed: [u8; 16] = mac(&KEY, &MESSAGE).finalize().into_bytes().into();
    assert_eq!(computed, MAC);
}

#[test]
fn secrets_are_not_shown() {
    assert_eq!(
        format!("{:?}", processor()),
        format!("SimulatedProcessor {{ cpu_svn: {CPU_SVN:?}, .. }}")
    );
}
