//! EREPORT and EGETKEY, as an enclave executes them.

mod tiny_enclave;

use enclave_layout::{Acceptance, PageRange};
use sgx_arch::{
    Attributes, ErrorCode, KeyName, KeyPolicy, KeyRequest, MiscSelect, Report, SigStruct, TargetInfo,
};
use sgx_platform::emulator::{Emulated, EmulatedThread, EncluSites};
use sgx_platform::{AsyncExit, Enclave, Exit};
use tiny_enclave::*;

const EREPORT: u64 = 0;
const EGETKEY: u64 = 1;
/// TARGETINFO or KEYREQUEST.
const INPUT: u64 = DATA + 1024;
const REPORT_DATA: u64 = DATA + 512;
const OUTPUT: u64 = DATA + 2048;
const UNTOUCHED: [u8; Report::SIZE] = [0xee; Report::SIZE];

/// How the enclave executes its leaves.
#[derive(Clone, Copy)]
struct Way(EncluSites, fn() -> u64);

const WAYS: [Way; 3] = [
    Way(EncluSites::Patched, tiny_leaf::address),
    Way(EncluSites::Patched, tiny_raw_leaf::address),
    Way(EncluSites::Trapped, tiny_leaf::address),
];

struct Inside<'a> {
    thread: EmulatedThread<'a>,
    way: Way,
}

impl<'a> Inside<'a> {
    fn new(enclave: &'a Emulated, way: Way) -> Self {
        Self {
            thread: thread(enclave, 0),
            way,
        }
    }

    fn start(&mut self, operands: [u64; 4]) -> Exit {
        set_bytes(OUTPUT, UNTOUCHED);
        for (at, value) in (0..).zip(operands) {
            set_word(DATA + at * 8, value);
        }
        enter(&mut self.thread, self.way.1())
    }

    /// RAX and ZF after a leaf that returns.
    fn leaf(&mut self, operands: [u64; 4]) -> (u64, bool) {
        assert_eq!(self.start(operands), Exit::Left(DONE));
        assert_eq!(
            (word(DATA + 48), word(DATA + 56)),
            (operands[3], 0x51),
            "RDX and RSI"
        );
        (word(DATA + 32), word(DATA + 40) & 0x40 != 0)
    }

    /// Vector and address of a leaf that faults; nothing is written.
    fn fault(&mut self, operands: [u64; 4]) -> (u8, u64) {
        let Exit::Async(AsyncExit::Exception(vector)) = self.start(operands) else {
            panic!("{operands:x?} does not fault")
        };
        let (at, (address, _)) = (ssa(0).rip, exinfo(0));
        assert_eq!(ssa(0).rax, operands[0], "RAX");
        let size = if word(at) & 0xff == 0x0f && self.way.1() == tiny_raw_leaf::address() {
            4
        } else {
            5
        };
        assert_eq!(handle(&mut self.thread, 0, |_| at + size), Exit::Left(DONE));
        assert_eq!(bytes(OUTPUT), UNTOUCHED);
        (vector, address)
    }

    fn report(&mut self, target: &TargetInfo, data: [u8; 64]) -> Report {
        set_bytes(INPUT, target.to_bytes());
        set_bytes(REPORT_DATA, data);
        let (rax, _) = self.leaf([EREPORT, INPUT, REPORT_DATA, OUTPUT]);
        assert_eq!(rax, EREPORT, "RAX is as it was");
        Report::from_bytes(&bytes(OUTPUT)).expect("a REPORT")
    }

    fn key(&mut self, request: &KeyRequest) -> Result<[u8; 16], u64> {
        set_bytes(INPUT, request.to_bytes());
        let (rax, zf) = self.leaf([EGETKEY, INPUT, OUTPUT, 7]);
        assert_eq!(zf, rax != 0, "ZF");
        let status_flags = word(DATA + 40) & (0x8d5 & !0x40);
        assert_eq!(status_flags, 0, "CF, PF, AF, SF, OF");
        let key = bytes(OUTPUT);
        if rax == 0 {
            return Ok(key);
        }
        assert_eq!(bytes(OUTPUT), UNTOUCHED);
        Err(rax)
    }
}

fn seal(policy: KeyPolicy) -> KeyRequest {
    KeyRequest {
        name: KeyName::SEAL,
        policy,
        isv_svn: 4,
        cpu_svn: CPU_SVN,
        attributes_mask: Attributes::default(),
        key_id: [0; 32],
        misc_mask: 0,
        config_svn: 0,
    }
}

fn target() -> TargetInfo {
    TargetInfo {
        mr_enclave: [0x77; 32],
        attributes: Attributes::from_bytes([3; 16]),
        cet_attributes: 0,
        config_svn: 0,
        misc_select: MiscSelect(0),
        config_id: [0; 64],
    }
}

#[test]
fn a_report_says_what_the_enclave_is() {
    let _alone = alone();
    for way in WAYS {
        let enclave = enclave(1, way.0);
        let mut inside = Inside::new(&enclave, way);
        let data = std::array::from_fn(|at| at as u8);
        let report = inside.report(&target(), data);
        let (secs, body) = (enclave.secs(), report.body);
        assert_eq!(body.mr_enclave, secs.mr_enclave);
        assert_eq!(body.mr_signer, secs.mr_signer);
        assert_eq!((body.isv_prod_id, body.isv_svn), (3, 4));
        assert_eq!(body.attributes, secs.attributes);
        assert_ne!(body.attributes.flags & Attributes::INIT, 0);
        assert_eq!(body.misc_select, MiscSelect::EXINFO);
        assert_eq!(body.cpu_svn, CPU_SVN);
        assert_eq!(body.report_data, data);
        assert!(simulated_processor().is_report_for(&report, &target()));
        assert!(!simulated_processor().is_report_for(&report, &body.target_info()));
    }
}

#[test]
fn the_target_gets_the_key_that_checks_reports() {
    let _alone = alone();
    for way in WAYS {
        let enclave = enclave(1, way.0);
        let mut inside = Inside::new(&enclave, way);
        let own = inside.report(&target(), [0; 64]).body.target_info();
        let report = inside.report(&own, [1; 64]);
        let request = KeyRequest {
            name: KeyName::REPORT,
            key_id: report.key_id,
            ..seal(KeyPolicy::default())
        };
        let key = inside.key(&request).expect("every enclave has a report key");
        assert_eq!(key, *enclave.processor().report_key(&own, &report.key_id));
        assert!(enclave.processor().is_report_for(&report, &own));
    }
}

#[test]
fn sealing_keys_come_back_in_the_next_run() {
    let _alone = alone();
    let run = |threads, isv_svn, way: Way| {
        let enclave = signed_enclave(
            threads,
            way.0,
            SigStruct {
                isv_svn,
                ..unsigned()
            },
        );
        let mut inside = Inside::new(&enclave, way);
        [KeyPolicy::MRENCLAVE, KeyPolicy::MRSIGNER].map(|policy| inside.key(&seal(policy)).unwrap())
    };
    let first = run(1, 4, WAYS[0]);
    assert_ne!(first[0], first[1]);
    for way in WAYS {
        assert_eq!(run(1, 4, way), first);
    }
    // A later version still has the keys of this one.
    assert_eq!(run(1, 5, WAYS[0]), first);
    // With a thread more it is another enclave, of the same signer.
    let other = run(2, 4, WAYS[0]);
    assert_ne!(other[0], first[0]);
    assert_eq!(other[1], first[1]);
}

#[test]
fn keys_that_the_enclave_may_not_have_are_refused() {
    let _alone = alone();
    for way in WAYS {
        let enclave = enclave(1, way.0);
        let mut inside = Inside::new(&enclave, way);
        let good = seal(KeyPolicy::MRENCLAVE);
        let mut refused = |request| inside.key(&request).unwrap_err();
        for name in [KeyName::PROVISION, KeyName::PROVISION_SEAL, KeyName::EINITTOKEN] {
            assert_eq!(
                refused(KeyRequest { name, ..good }),
                ErrorCode::InvalidAttribute as u64
            );
        }
        let name = KeyName(5);
        assert_eq!(
            refused(KeyRequest { name, ..good }),
            ErrorCode::InvalidKeyName as u64
        );
        let isv_svn = 5;
        assert_eq!(
            refused(KeyRequest { isv_svn, ..good }),
            ErrorCode::InvalidIsvSvn as u64
        );
        let mut cpu_svn = CPU_SVN;
        cpu_svn[3] += 1;
        assert_eq!(
            refused(KeyRequest { cpu_svn, ..good }),
            ErrorCode::InvalidCpuSvn as u64
        );
        let lower = KeyRequest {
            isv_svn: 3,
            cpu_svn: [0; 16],
            ..good
        };
        assert_ne!(inside.key(&lower), inside.key(&good));
    }
}

#[test]
fn malformed_operands_fault() {
    let _alone = alone();
    for way in WAYS {
        let enclave = enclave(1, way.0);
        let mut inside = Inside::new(&enclave, way);
        const GP: (u8, u64) = (13, 0);
        const OUTSIDE: u64 = enclave_layout::ELRANGE_SIZE;
        for (leaf, alignments) in [(EREPORT, [512, 128, 512]), (EGETKEY, [512, 16, 0])] {
            let good = [
                leaf,
                INPUT,
                if leaf == EREPORT { REPORT_DATA } else { OUTPUT },
                OUTPUT,
            ];
            let input = match leaf {
                EREPORT => target().to_bytes(),
                _ => seal(KeyPolicy::MRENCLAVE).to_bytes(),
            };
            set_bytes(INPUT, input);
            inside.leaf(good);
            for (operand, alignment) in (1..).zip(alignments).filter(|(_, alignment)| *alignment != 0) {
                let with = |value| {
                    let mut operands = good;
                    operands[operand] = value;
                    operands
                };
                assert_eq!(inside.fault(with(good[operand] + alignment / 2)), GP);
                assert_eq!(inside.fault(with(OUTSIDE)), GP);
                assert_eq!(inside.fault(with(1 << 47)), GP);
                assert_eq!(inside.fault(with(DYNAMIC)), (14, DYNAMIC), "no page");
                let tcs = enclave_layout::Slot::new(0).unwrap().tcs();
                assert_eq!(inside.fault(with(tcs)), (14, tcs), "a TCS");
            }
            // What is written must be writable; what is read need not.
            let output = if leaf == EREPORT { 3 } else { 2 };
            let mut operands = good;
            operands[output] = READ_ONLY;
            assert_eq!(inside.fault(operands), (14, READ_ONLY));
            // Bytes that are reserved, each of them.
            let reserved: Vec<usize> = match leaf {
                EREPORT => (49..50).chain(56..64).chain(128..512).collect(),
                _ => (6..8).chain(78..512).collect(),
            };
            for at in reserved {
                let mut changed = input;
                changed[at] = 1;
                set_bytes(INPUT, changed);
                assert_eq!(inside.fault(good), GP, "byte {at}");
            }
        }
        // What needs key separation and sharing, in an enclave without.
        for bit in 2..16 {
            let mut request = seal(KeyPolicy::MRENCLAVE).to_bytes();
            request[2 + bit / 8] |= 1 << (bit % 8);
            set_bytes(INPUT, request);
            assert_eq!(inside.fault([EGETKEY, INPUT, OUTPUT, 0]), GP, "policy bit {bit}");
        }
        let request = KeyRequest {
            config_svn: 1,
            ..seal(KeyPolicy::MRENCLAVE)
        };
        set_bytes(INPUT, request.to_bytes());
        assert_eq!(inside.fault([EGETKEY, INPUT, OUTPUT, 0]), GP);
    }
}

#[test]
fn a_page_that_is_not_accepted_is_no_operand() {
    let _alone = alone();
    for way in WAYS {
        let enclave = enclave(1, way.0);
        let mut inside = Inside::new(&enclave, way);
        let pending = PageRange::new(DYNAMIC, 4096).unwrap();
        enclave.commit(pending, Acceptance::Zeros).unwrap();
        set_bytes(INPUT, target().to_bytes());
        for operands in [
            [EREPORT, DYNAMIC, REPORT_DATA, OUTPUT],
            [EREPORT, INPUT, DYNAMIC, OUTPUT],
            [EREPORT, INPUT, REPORT_DATA, DYNAMIC],
            [EGETKEY, DYNAMIC, OUTPUT, 0],
            [EGETKEY, INPUT, DYNAMIC, 0],
        ] {
            assert_eq!(inside.fault(operands), (14, DYNAMIC));
        }
    }
}
