//! TCB info and QE identity of a simulated platform, as Intel writes them.

use dcap_quote::{TcbStatus, Tee, UnixTime};
use serde::Serialize;

use crate::profile::{IsvLevel, Level, Profile, TCB_DATE};
use crate::quoting;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TcbInfo {
    id: &'static str,
    version: u32,
    issue_date: UnixTime,
    next_update: UnixTime,
    fmspc: String,
    pce_id: String,
    tcb_type: u32,
    tcb_evaluation_data_number: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    tdx_module: Option<Module>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tdx_module_identities: Option<[ModuleIdentity; 1]>,
    tcb_levels: Vec<LevelMembers<Tcb>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Module {
    mrsigner: String,
    attributes: String,
    attributes_mask: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ModuleIdentity {
    id: &'static str,
    #[serde(flatten)]
    module: Module,
    tcb_levels: Vec<LevelMembers<IsvTcb>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LevelMembers<T> {
    tcb: T,
    tcb_date: UnixTime,
    tcb_status: TcbStatus,
    #[serde(rename = "advisoryIDs", skip_serializing_if = "Vec::is_empty")]
    advisories: Vec<String>,
}

#[derive(Serialize)]
struct Tcb {
    sgxtcbcomponents: [Svn; 16],
    pcesvn: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    tdxtcbcomponents: Option<[Svn; 16]>,
}

#[derive(Serialize)]
struct Svn {
    svn: u8,
}

#[derive(Serialize)]
struct IsvTcb {
    isvsvn: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QeIdentity {
    id: &'static str,
    version: u32,
    issue_date: UnixTime,
    next_update: UnixTime,
    tcb_evaluation_data_number: u32,
    miscselect: &'static str,
    miscselect_mask: &'static str,
    attributes: &'static str,
    attributes_mask: &'static str,
    mrsigner: String,
    isvprodid: u16,
    tcb_levels: Vec<LevelMembers<IsvTcb>>,
}

pub(crate) fn tcb_info(profile: &Profile, tee: Tee) -> String {
    let is_tdx = tee == Tee::Tdx;
    let validity = profile.dates.tcb_info;
    json(&TcbInfo {
        id: if is_tdx { "TDX" } else { "SGX" },
        version: 3,
        issue_date: validity.from,
        next_update: validity.until,
        fmspc: base16ct::upper::encode_string(&profile.fmspc),
        pce_id: base16ct::upper::encode_string(&profile.pce_id),
        tcb_type: 0,
        tcb_evaluation_data_number: profile.evaluation_data_number,
        tdx_module: is_tdx.then(module),
        tdx_module_identities: is_tdx.then(|| {
            [ModuleIdentity {
                id: "TDX_01",
                module: module(),
                tcb_levels: isv_levels(profile, &profile.module_levels),
            }]
        }),
        tcb_levels: profile
            .levels
            .iter()
            .zip(dates(profile))
            .map(|(members, date)| level(members, date, is_tdx))
            .collect(),
    })
}

pub(crate) fn qe_identity(profile: &Profile, tee: Tee) -> String {
    let validity = profile.dates.qe_identity;
    json(&QeIdentity {
        id: if tee == Tee::Tdx { "TD_QE" } else { "QE" },
        version: 2,
        issue_date: validity.from,
        next_update: validity.until,
        tcb_evaluation_data_number: profile
            .qe_evaluation_data_number
            .unwrap_or(profile.evaluation_data_number),
        miscselect: "00000000",
        miscselect_mask: "FFFFFFFF",
        attributes: "11000000000000000000000000000000",
        attributes_mask: "FBFFFFFFFFFFFFFF0000000000000000",
        mrsigner: base16ct::upper::encode_string(&quoting::qe_mr_signer()),
        isvprodid: quoting::qe_isv_prod_id(tee),
        tcb_levels: isv_levels(profile, &profile.qe_levels),
    })
}

/// Signed by "Intel", whose own modules have a signer of zeroes.
fn module() -> Module {
    Module {
        mrsigner: "0".repeat(96),
        attributes: "0".repeat(16),
        attributes_mask: "F".repeat(16),
    }
}

/// Of levels, the first of them first.
fn dates(profile: &Profile) -> impl Iterator<Item = UnixTime> {
    std::iter::once(profile.tcb_date).chain(std::iter::repeat(TCB_DATE))
}

fn level(level: &Level, tcb_date: UnixTime, is_tdx: bool) -> LevelMembers<Tcb> {
    let svns = |svns: [u8; 16]| svns.map(|svn| Svn { svn });
    LevelMembers {
        tcb: Tcb {
            sgxtcbcomponents: svns(level.svns),
            pcesvn: level.pce_svn,
            tdxtcbcomponents: is_tdx.then(|| svns(level.tdx_svns)),
        },
        tcb_date,
        tcb_status: level.status,
        advisories: level.advisories.clone(),
    }
}

fn isv_levels(profile: &Profile, levels: &[IsvLevel]) -> Vec<LevelMembers<IsvTcb>> {
    let level = |(level, tcb_date): (&IsvLevel, UnixTime)| LevelMembers {
        tcb: IsvTcb {
            isvsvn: level.isv_svn,
        },
        tcb_date,
        tcb_status: level.status,
        advisories: level.advisories.clone(),
    };
    levels.iter().zip(dates(profile)).map(level).collect()
}

fn json(document: &impl Serialize) -> String {
    serde_json::to_string(document).expect("strings, numbers and arrays")
}
