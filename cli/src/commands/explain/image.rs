//! `nacre explain IMAGE`: says before a run what an image will meet in an enclave.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::{Context, Result};
use enclave_config::Config;
use image_convert::{ConvertError, Coverage, Package, PackageError, Part, label};
use oci_image::{ImageRef, ImageSource, InodeId, Limits, Tree};
use printable_text::printable;

use super::elf::Read;
use super::entry_point::{self, EntryPoint};
use super::finding::{Finding, Severity};
use super::image_files::{ImageFile, ImageFiles};
use super::report::{File, Format, Report};
use super::resources::Resources;
use super::{programs, settings, unsupported};
use crate::confidential_image;
use crate::flags::conversion::{ConversionSettings, EnclaveFlags, SignatureFlags};
use crate::flags::notices::Notices;
use crate::output::progress::ProgressLine;

/// The status when the container would not start.
const CANNOT_START: u8 = 1;

/// Prints the report. Flags say how a plain image would be converted.
pub(super) fn explain(place: &ImageRef, flags: &EnclaveFlags, format: Format) -> Result<ExitCode> {
    let source = ImageSource::open(place)?;
    let mut report = match confidential_image::find(&source) {
        Err(PackageError::Plain(_)) => {
            let settings = ConversionSettings::new(flags, &SignatureFlags::default(), Notices::default())?;
            of_plain(&source, &settings)?
        }
        found => of_confidential(place, &found?)?,
    };
    // Those that are alike come together.
    report.findings.sort_by(|a, b| {
        let key = |finding: &Finding| (finding.severity, finding.problem.clone(), finding.advice.clone());
        (key(a), &a.subject).cmp(&(key(b), &b.subject))
    });
    report.print(format)?;
    Ok(if report.can_start() {
        ExitCode::SUCCESS
    } else {
        CANNOT_START.into()
    })
}

fn of_plain(source: &ImageSource, settings: &ConversionSettings) -> Result<Report> {
    use image_convert::{Progress as _, Stage};
    let mut bar = ProgressLine::new();
    bar.begin(Stage::Layers, source.layers_len());
    let tree = Tree::build(source, &std::env::temp_dir(), &Limits::default(), &mut |at| {
        bar.at(at)
    })?;
    drop(bar);
    let files = ImageFiles::read(&tree)?;

    let mut findings = settings::of_image(&source.config().config);
    let config = match image_convert::configuration(source, &tree, &settings.options) {
        Ok(config) => Some(config),
        Err(error @ (ConvertError::Container(_) | ConvertError::Accounts(..))) => {
            let advice = "build the image with a USER, STOPSIGNAL and WORKDIR that exist; it cannot be converted as it is";
            findings.push(Finding::new(
                Severity::CannotStart,
                "configuration",
                error.to_string(),
                advice,
            ));
            None
        }
        Err(error) => return Err(error.into()),
    };
    let entry = config
        .as_ref()
        .map_or_else(EntryPoint::default, |config| entry_point::follow(&tree, config));
    let started: BTreeSet<InodeId> = entry
        .files
        .iter()
        .flat_map(|id| files.linked_with(&tree, *id))
        .collect();
    let resources = config
        .as_ref()
        .map(|config| Resources::new(config, &files, &started));
    let unsupported = unsupported::find(&files);

    findings.extend(entry.findings);
    findings.extend(programs::findings(&tree, &files, &started));
    findings.extend(unsupported.iter().map(unsupported::Unsupported::finding));
    findings.extend(config.iter().flat_map(settings::of_configuration));
    findings.extend(resources.iter().flat_map(|resources| resources.findings(&files)));
    Ok(Report {
        image: source.place().to_string(),
        is_confidential: false,
        args: config.map(|config| texts(&config.args)).unwrap_or_default(),
        starts: entry.paths,
        resources,
        call_sites: coverage(&files).to_string(),
        files: files
            .files
            .iter()
            .map(|(id, file)| row(file, started.contains(id)))
            .collect(),
        unsupported,
        findings,
    })
}

/// Of a confidential image, the configuration says what it says; its files are in a root file system that only the
/// enclave reads.
fn of_confidential(place: &ImageRef, package: &Package) -> Result<Report> {
    let config = Config::decode(&package.read(Part::Config)?)
        .map_err(anyhow::Error::new)
        .with_context(|| format!("{place}: /{} is damaged", Part::Config.path()))?;
    let mut findings = settings::of_configuration(&config);
    findings.push(Finding::new(
        Severity::Note,
        "files",
        "the programs of a confidential image are not looked at",
        "explain the image that it was made from",
    ));
    let nothing = ImageFiles::default();
    let resources = Resources::new(&config, &nothing, &BTreeSet::new());
    let call_sites = package.image().config.labels.get(label::CALL_SITES);
    Ok(Report {
        image: place.to_string(),
        is_confidential: true,
        args: texts(&config.args),
        starts: Vec::new(),
        resources: Some(resources),
        call_sites: call_sites.map_or("(unknown)".into(), |sites| format!("{sites} replaced")),
        files: Vec::new(),
        unsupported: Vec::new(),
        findings,
    })
}

fn coverage(files: &ImageFiles) -> Coverage {
    let mut coverage = Coverage::default();
    for file in files.files.values() {
        coverage.counts += file.counts;
        coverage.files += u64::from(file.counts.sites() + file.counts.unproven > 0);
    }
    coverage
}

fn row(file: &ImageFile, is_started: bool) -> File {
    let (linkage, interpreter) = match &file.read {
        Read::Elf(elf) => {
            let interpreter = elf.interpreter.as_deref();
            let interpreter = interpreter.filter(|_| elf.linkage.is_program());
            (elf.linkage.words().to_owned(), interpreter.map(text))
        }
        Read::Foreign(machine) => (machine.clone(), None),
        Read::Other => (String::new(), None),
    };
    File {
        path: file.path.clone(),
        linkage,
        interpreter,
        is_started,
        patched: file.counts.patched(),
        trapping: file.counts.trapping,
        unproven: file.counts.unproven,
    }
}

fn text(bytes: &[u8]) -> String {
    printable(&String::from_utf8_lossy(bytes))
}

fn texts(list: &[Vec<u8>]) -> Vec<String> {
    list.iter().map(|bytes| text(bytes)).collect()
}
