//! Summaries: a whole judgement on one page.

use std::fmt::{self, Write};

use dcap_quote::{
    EvaluationDataNumbers, Gap, PartTcb, PlatformTcb, Rating, Report, SgxReport, TcbStatus, TdReport, Trust,
    Verdict,
};

use crate::Judgement;

/// Lines for a terminal: the answer first, then what it stands on.
#[must_use]
pub fn summary(judgement: &Judgement) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text, judgement);
    text
}

fn write(out: &mut String, judgement: &Judgement) -> fmt::Result {
    let objections = judgement.objections();
    let verdict = match judgement {
        Judgement::Refused(_) => {
            writeln!(out, "REFUSED: the quote proves nothing")?;
            return objections
                .iter()
                .try_for_each(|objection| writeln!(out, "  {objection}"));
        }
        Judgement::Authentic { verdict, .. } => verdict,
    };
    if objections.is_empty() {
        writeln!(out, "ACCEPTABLE: {}", verdict.status)?;
    } else {
        // A status that is in order is not the reason.
        match verdict.status {
            TcbStatus::UpToDate => writeln!(out, "NOT ACCEPTABLE, although the platform is UpToDate")?,
            status => writeln!(out, "NOT ACCEPTABLE: {status}")?,
        }
        objections
            .iter()
            .try_for_each(|objection| writeln!(out, "  {objection}"))?;
    }
    if verdict.trust == Trust::Simulated {
        writeln!(
            out,
            "SIMULATED: this platform protects nothing; the quote proves nothing to anybody"
        )?;
    }
    writeln!(out)?;
    row(
        out,
        "quote",
        &format!(
            "version {}, {}, verified for {}",
            verdict.quote_version, verdict.tee, verdict.at
        ),
    )?;
    match &verdict.report {
        Report::Sgx(report) => sgx(out, report)?,
        Report::Td(report) => td(out, report)?,
    }
    writeln!(out)?;
    platform(out, verdict)?;
    let advisories = if verdict.advisories.is_empty() {
        "none".to_owned()
    } else {
        verdict.advisories.join(" ")
    };
    row(out, "advisories", &advisories)?;
    row(out, "TCB recovery", &recovery(verdict.evaluation_data_numbers))?;
    writeln!(out, "\nrelied upon, the first to expire first:")?;
    for dated in &verdict.validity {
        writeln!(
            out,
            "  {} to {}  {}",
            dated.validity.from, dated.validity.until, dated.what
        )?;
    }
    Ok(())
}

/// The number that baselines are compared with, and where it comes from if that is in question.
fn recovery(numbers: EvaluationDataNumbers) -> String {
    let EvaluationDataNumbers {
        tcb_info,
        qe_identity,
    } = numbers;
    if tcb_info == qe_identity {
        format!("evaluation data number {tcb_info}")
    } else {
        format!(
            "evaluation data number {} (TCB info {tcb_info}, QE identity {qe_identity})",
            numbers.lower()
        )
    }
}

fn row(out: &mut String, name: &str, value: &str) -> fmt::Result {
    writeln!(out, "{name:<16} {value}")
}

fn sgx(out: &mut String, report: &SgxReport) -> fmt::Result {
    row(out, "MRENCLAVE", &report.mr_enclave.to_string())?;
    row(out, "MRSIGNER", &report.mr_signer.to_string())?;
    row(
        out,
        "product",
        &format!("ISVPRODID {}, ISVSVN {}", report.isv_prod_id, report.isv_svn),
    )?;
    row(
        out,
        "attributes",
        &format!(
            "{}{}",
            report.attributes,
            if report.is_debug() { " (DEBUG)" } else { "" }
        ),
    )?;
    if report.config_id.0 != [0; 64] || report.config_svn != 0 {
        row(
            out,
            "CONFIGID",
            &format!("{}, CONFIGSVN {}", report.config_id, report.config_svn),
        )?;
    }
    row(out, "report data", &report.report_data.to_string())
}

fn td(out: &mut String, report: &TdReport) -> fmt::Result {
    row(out, "MRTD", &report.mr_td.to_string())?;
    for (number, register) in report.rt_mr.iter().enumerate() {
        row(out, &format!("RTMR{number}"), &register.to_string())?;
    }
    row(out, "MRCONFIGID", &report.mr_config_id.to_string())?;
    row(out, "MROWNER", &report.mr_owner.to_string())?;
    row(out, "MROWNERCONFIG", &report.mr_owner_config.to_string())?;
    let debug = if report.td_attributes.is_debug() {
        " (DEBUG)"
    } else {
        ""
    };
    row(out, "attributes", &format!("{}{debug}", report.td_attributes))?;
    let service_td = report.v1_5.as_ref().map(|report| report.mr_service_td);
    if let Some(service_td) = service_td.filter(|service_td| service_td.0 != [0; 48]) {
        row(out, "MRSERVICETD", &service_td.to_string())?;
    }
    if let Some(ex) = &report.v1_5_ex {
        row(
            out,
            "TD ID",
            &format!("{}, virtual machine {}", ex.td_id, ex.vm_id),
        )?;
    }
    row(out, "report data", &report.report_data.to_string())
}

fn platform(out: &mut String, verdict: &Verdict) -> fmt::Result {
    let platform = &verdict.platform;
    row(
        out,
        "platform",
        &format!(
            "FMSPC {}, PCE {}, PPID {}, {}",
            platform.fmspc,
            platform.pce_id,
            platform.ppid,
            platform.sgx_type.name()
        ),
    )?;
    let versions: Vec<String> = platform.svns.iter().map(ToString::to_string).collect();
    row(
        out,
        "versions",
        &format!("{}; PCE {}", versions.join(" "), platform.pce_svn),
    )?;
    if let Some(instance) = &platform.platform_instance_id {
        row(out, "instance", &instance.to_string())?;
    }
    if let Some(configuration) = &platform.configuration {
        let on = |flag| if flag { "yes" } else { "no" };
        let flags = format!(
            "SMT {}, dynamic {}, keys cached by Intel {}",
            on(configuration.smt_enabled),
            on(configuration.dynamic_platform),
            on(configuration.cached_keys)
        );
        row(out, "configuration", &flags)?;
    }
    tcb(out, "TCB", &verdict.platform_tcb)?;
    if let Some(current) = &verdict.current_tcb {
        tcb(out, "TCB now", current)?;
    }
    part(out, "quoting enclave", &verdict.quoting_enclave)
}

fn tcb(out: &mut String, name: &str, tcb: &PlatformTcb) -> fmt::Result {
    level(out, name, tcb.tcb.level.as_ref())?;
    gap(out, tcb.tcb.gap.as_ref())?;
    match &tcb.tdx_module {
        Some(module) => part(out, &format!("module {}", module.id), &module.tcb),
        None => Ok(()),
    }
}

fn part(out: &mut String, name: &str, part: &PartTcb) -> fmt::Result {
    level(out, name, part.level.as_ref())?;
    gap(out, part.gap.as_ref())
}

fn level(out: &mut String, name: &str, level: Option<&Rating>) -> fmt::Result {
    match level {
        Some(rating) => row(out, name, &format!("{}, level of {}", rating.status, rating.date)),
        None => row(out, name, "below all levels"),
    }
}

fn gap(out: &mut String, gap: Option<&Gap>) -> fmt::Result {
    let Some(gap) = gap else { return Ok(()) };
    row(
        out,
        "",
        &format!("short of {}, level of {}:", gap.status, gap.date),
    )?;
    for short in &gap.shortfalls {
        let description = short
            .description
            .as_ref()
            .map(|text| format!(" ({text})"))
            .unwrap_or_default();
        row(
            out,
            "",
            &format!(
                "  {}{description} is {}, needs {}",
                short.component, short.have, short.need
            ),
        )?;
    }
    Ok(())
}
