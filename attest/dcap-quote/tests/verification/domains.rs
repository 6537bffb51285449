//! Tests of what is asked of trust domains, and of reports with extensions.

use dcap_quote::{Bytes, Domain, Identity, Mismatch, Objection, Policy, Report, Verdict};
use simulated_platform::Body;

use crate::support::{NOW, domain, domain_1_5, enclave, profile, verify_on};

const TEE_TCB_SVN: [u8; 16] = [5, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const SERVICE_TD: [u8; 48] = [0x5e; 48];

/// With a value in each register.
fn verdict() -> Verdict {
    let Body::Td10(mut body) = domain(TEE_TCB_SVN) else {
        unreachable!()
    };
    body[184..232].fill(0xcf);
    for (number, register) in body[328..520].chunks_mut(48).enumerate() {
        register.fill(number as u8);
    }
    verify_on(profile(), 4, &Body::Td10(body), NOW).unwrap()
}

fn expected() -> Domain {
    Domain {
        mr_td: vec![[0; 48], [0x7d; 48]],
        rt_mr: [Some([0; 48]), Some([1; 48]), Some([2; 48]), Some([3; 48])],
        mr_config_id: Some([0xcf; 48]),
    }
}

#[test]
fn only_the_domain_that_is_meant_is_accepted() {
    let verdict = verdict();
    let objections = |change: fn(&mut Domain)| {
        let mut domain = expected();
        change(&mut domain);
        Policy::default()
            .identity(Identity::domain(domain))
            .objections(&verdict)
    };
    assert_eq!(objections(|_| {}), []);
    assert_eq!(
        objections(|domain| {
            domain.rt_mr = [None; 4];
            domain.mr_config_id = None;
        }),
        []
    );
    type Change = fn(&mut Domain);
    let changes: [(Change, &str, [u8; 48]); 7] = [
        (|domain| domain.mr_td.truncate(1), "MRTD", [0x7d; 48]),
        (|domain| domain.mr_td.clear(), "MRTD", [0x7d; 48]),
        (|domain| domain.rt_mr[0] = Some([9; 48]), "RTMR0", [0; 48]),
        (|domain| domain.rt_mr[1] = Some([9; 48]), "RTMR1", [1; 48]),
        (|domain| domain.rt_mr[2] = Some([9; 48]), "RTMR2", [2; 48]),
        (|domain| domain.rt_mr[3] = Some([9; 48]), "RTMR3", [3; 48]),
        (
            |domain| domain.mr_config_id = Some([9; 48]),
            "MRCONFIGID",
            [0xcf; 48],
        ),
    ];
    for (change, register, found) in changes {
        let found = Bytes(found);
        let mismatch = Mismatch::Register { register, found };
        assert_eq!(objections(change), [Objection::Identity(mismatch)]);
    }
    let enclave = verify_on(profile(), 3, &enclave(), NOW).unwrap();
    let policy = Policy::default().identity(Identity::domain(expected()));
    assert_eq!(
        policy.objections(&enclave),
        [Objection::Identity(Mismatch::NoDomain)]
    );
}

#[test]
fn what_the_report_must_say() {
    let verdict = verdict();
    let data = [0xda; 64];
    assert_eq!(Policy::default().report_data(data).objections(&verdict), []);
    let wrong = [Objection::ReportData(Bytes(data))];
    for other in [&[0xda; 32][..], &[0xdb; 64], &[], &[0xda; 65]] {
        assert_eq!(Policy::default().report_data(other).objections(&verdict), wrong);
    }
    // Shorter, and then zeroes.
    let Body::Sgx(mut body) = enclave() else {
        unreachable!()
    };
    body[352..].fill(0);
    let padded = verify_on(profile(), 3, &Body::Sgx(body), NOW).unwrap();
    assert_eq!(Policy::default().report_data([0xda; 32]).objections(&padded), []);
    assert_eq!(
        Policy::default()
            .report_data([0xda; 31])
            .objections(&padded)
            .len(),
        1
    );
    for (nonce, is_there) in [
        (vec![0xda; 8], true),
        (vec![0xda; 64], true),
        (vec![0xdb; 8], false),
    ] {
        let objections = Policy::default().nonce(nonce).objections(&verdict);
        assert_eq!(objections.is_empty(), is_there);
        assert_eq!(objections == [Objection::Nonce(Bytes(data))], !is_there);
    }
}

#[test]
fn a_missing_sept_ve_disable_is_accepted_by_name() {
    let Body::Td10(mut body) = domain(TEE_TCB_SVN) else {
        unreachable!()
    };
    body[120..128].fill(0);
    let verdict = verify_on(profile(), 4, &Body::Td10(body), NOW).unwrap();
    assert_eq!(Policy::default().objections(&verdict), [Objection::SeptVe]);
    let policy = Policy::default().dangerous_accept_missing_sept_ve_disable();
    assert_eq!(policy.objections(&verdict), []);
}

/// A report with extensions: the named offsets are those of Intel's `sgx_quote_5.h`.
fn extended(change: impl FnOnce(&mut [u8; 885])) -> Body {
    let Body::Td15(old) = domain_1_5(TEE_TCB_SVN, TEE_TCB_SVN) else {
        unreachable!()
    };
    let mut body = [0; 885];
    body[..648].copy_from_slice(&old);
    change(&mut body);
    Body::Td15Ex(Box::new(body))
}

#[test]
fn fields_lie_where_intel_draws_them() {
    let starts = [
        (648, 1),
        (649, 2),
        (681, 3),
        (729, 4),
        (777, 5),
        (785, 6),
        (801, 7),
        (817, 8),
        (829, 9),
        (877, 10),
    ];
    let body = extended(|body| {
        for (offset, value) in starts {
            body[offset] = value;
        }
    });
    let verdict = verify_on(profile(), 5, &body, NOW).unwrap();
    let Report::Td(report) = &verdict.report else {
        panic!("{:?}", verdict.report)
    };
    let report = report.v1_5_ex.as_ref().unwrap();
    let found = [
        report.vm_id,
        report.td_id.0[0],
        report.device_info.0[0],
        report.init_service_td.0[0],
        report.init_service_td_attributes.0[0],
        report.init_cpu_svn.0[0],
        report.init_tee_tcb_svn.0[0],
        report.init_fmspc.0[0],
        report.current_service_td.0[0],
        report.current_service_td_attributes.0[0],
    ];
    assert_eq!(found, starts.map(|(_, value)| value));
    let plain = verify_on(profile(), 5, &extended(|_| {}), NOW).unwrap();
    assert_eq!(Policy::default().objections(&plain), []);
}

/// Wherever a report tells of service domains.
#[test]
fn service_domains_are_accepted_by_their_measurement() {
    let accepting = |measurement| Policy::default().dangerous_accept_service_td(measurement);
    let migratable = |body: &mut [u8]| body[123] |= 0x20;
    let plain = |bound: bool| {
        let Body::Td15(mut body) = domain_1_5(TEE_TCB_SVN, TEE_TCB_SVN) else {
            unreachable!()
        };
        migratable(&mut body);
        if bound {
            body[600..648].copy_from_slice(&SERVICE_TD);
        }
        verify_on(profile(), 5, &Body::Td15(body), NOW).unwrap()
    };
    let both = [Objection::Migratable, Objection::ServiceDomain];
    assert_eq!(Policy::default().objections(&plain(true)), both);
    assert_eq!(accepting(SERVICE_TD).objections(&plain(true)), []);
    assert_eq!(accepting([1; 48]).objections(&plain(true)), both);
    // Nobody is bound who could be accepted.
    assert_eq!(
        accepting(SERVICE_TD).objections(&plain(false)),
        [Objection::Migratable]
    );

    for (offset, length) in [(600, 48), (729, 48), (777, 8), (829, 48), (877, 8)] {
        let body = extended(|body| body[offset..offset + length].fill(0x5e));
        let verdict = verify_on(profile(), 5, &body, NOW).unwrap();
        assert_eq!(
            Policy::default().objections(&verdict),
            [Objection::ServiceDomain],
            "{offset}"
        );
    }
    for (current, is_accepted) in [([0; 48], true), (SERVICE_TD, true), ([7; 48], false)] {
        let body = extended(|body| {
            body[600..648].copy_from_slice(&SERVICE_TD);
            body[729..777].copy_from_slice(&SERVICE_TD);
            body[829..877].copy_from_slice(&current);
        });
        let verdict = verify_on(profile(), 5, &body, NOW).unwrap();
        assert_eq!(accepting(SERVICE_TD).objections(&verdict).is_empty(), is_accepted);
    }
}
