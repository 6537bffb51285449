//! An independent implementation of the architecture's structures reads what this crate writes.

use sgx_arch::{
    Attributes, Enclu, ErrorCode, KeyName, KeyPolicy, KeyRequest, MiscSelect, Report, ReportBody, TargetInfo,
    Xfrm,
};

const ATTRIBUTES: Attributes = Attributes {
    flags: Attributes::INIT | Attributes::MODE64BIT,
    xfrm: Xfrm(0xe7),
};

#[test]
fn a_report_is_read_alike() {
    let ours = Report {
        body: ReportBody {
            cpu_svn: [1; 16],
            misc_select: MiscSelect::EXINFO,
            cet_attributes: 2,
            isv_ext_prod_id: [3; 16],
            attributes: ATTRIBUTES,
            mr_enclave: [4; 32],
            mr_signer: [5; 32],
            config_id: [6; 64],
            isv_prod_id: 7,
            isv_svn: 8,
            config_svn: 9,
            isv_family_id: [10; 16],
            report_data: [11; 64],
        },
        key_id: [12; 32],
        mac: [13; 16],
    };
    let theirs = sgx_isa::Report::try_copy_from(&ours.to_bytes()).unwrap();
    assert_eq!(theirs.cpusvn, [1; 16]);
    assert_eq!(theirs.miscselect.bits(), 1);
    assert_eq!(theirs.cet_attributes, 2);
    assert_eq!(theirs.isvextnprodid, [3; 16]);
    assert_eq!(theirs.attributes.flags.bits(), ATTRIBUTES.flags);
    assert_eq!(theirs.attributes.xfrm, 0xe7);
    assert_eq!(theirs.mrenclave, [4; 32]);
    assert_eq!(theirs.mrsigner, [5; 32]);
    assert_eq!(theirs.configid, [6; 64]);
    assert_eq!((theirs.isvprodid, theirs.isvsvn, theirs.configsvn), (7, 8, 9));
    assert_eq!(theirs.isvfamilyid, [10; 16]);
    assert_eq!(theirs.reportdata, [11; 64]);
    assert_eq!(theirs.keyid, [12; 32]);
    assert_eq!(theirs.mac, [13; 16]);
    assert_eq!(theirs.mac_data(), &ours.body.to_bytes());

    // As far as that crate knows the structure, which ends before KSS and CET.
    let ours = ReportBody {
        cet_attributes: 0,
        config_id: [0; 64],
        config_svn: 0,
        ..ours.body
    }
    .target_info();
    let theirs = sgx_isa::Targetinfo::from(theirs);
    let theirs: &[u8] = theirs.as_ref();
    assert_eq!(ours.to_bytes(), theirs);
    assert_eq!(TargetInfo::from_bytes(theirs.try_into().unwrap()), Ok(ours));
}

#[test]
fn a_key_request_is_read_alike() {
    let ours = KeyRequest {
        name: KeyName::SEAL,
        policy: KeyPolicy::MRENCLAVE.and(KeyPolicy::MRSIGNER),
        isv_svn: 1,
        cpu_svn: [2; 16],
        attributes_mask: ATTRIBUTES,
        key_id: [3; 32],
        misc_mask: 4,
        config_svn: 0,
    };
    let theirs = sgx_isa::Keyrequest::try_copy_from(&ours.to_bytes()).unwrap();
    assert_eq!(theirs.keyname, sgx_isa::Keyname::Seal as u16);
    assert_eq!(theirs.keypolicy, sgx_isa::Keypolicy::all());
    assert_eq!(theirs.isvsvn, 1);
    assert_eq!(theirs.cpusvn, [2; 16]);
    assert_eq!(theirs.attributemask, [ATTRIBUTES.flags, ATTRIBUTES.xfrm.0]);
    assert_eq!(theirs.keyid, [3; 32]);
    assert_eq!(theirs.miscmask, 4);
}

#[test]
fn numbers_are_alike() {
    use sgx_isa::Keyname as Theirs;
    for (ours, theirs) in [
        (KeyName::EINITTOKEN, Theirs::Einittoken),
        (KeyName::PROVISION, Theirs::Provision),
        (KeyName::PROVISION_SEAL, Theirs::ProvisionSeal),
        (KeyName::REPORT, Theirs::Report),
        (KeyName::SEAL, Theirs::Seal),
    ] {
        assert_eq!(ours.0, theirs as u16);
    }
    use sgx_isa::ErrorCode as Code;
    for (ours, theirs) in [
        (ErrorCode::InvalidAttribute, Code::InvalidAttribute),
        (ErrorCode::InvalidCpuSvn, Code::InvalidCpusvn),
        (ErrorCode::InvalidIsvSvn, Code::InvalidIsvsvn),
        (ErrorCode::InvalidKeyName, Code::InvalidKeyname),
    ] {
        assert_eq!(ours as u32, theirs as u32);
    }
    assert_eq!(Enclu::EReport as u32, sgx_isa::Enclu::EReport as u32);
    assert_eq!(Enclu::EGetKey as u32, sgx_isa::Enclu::EGetkey as u32);
}
