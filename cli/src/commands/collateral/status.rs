//! `nacre collateral status`: shows what expires when, and which TCB recoveries are coming.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use collateral_cache::{Entry, Outlook, Shelf, State, Status};
use dcap_quote::{UnixTime, ends_servicing};
use serde::Serialize;

use crate::flags::collateral_dir::CollateralCacheFlags;
use crate::{clock, output};

/// Show what the directory has, when it expires, and which platforms a TCB recovery will affect
///
/// Ends with status 0 if all collateral stays valid for --within days, 1 if not, and 125 if the directory does not exist.
#[derive(Args, Debug)]
pub struct ShowStatus {
    /// Warn of collateral that expires within DAYS days
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    within: u32,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    directory: CollateralCacheFlags,
}

#[derive(Serialize)]
struct Report<'a> {
    /// Whether all collateral stays valid that long.
    good: bool,
    within_days: u32,
    #[serde(flatten)]
    status: &'a Status,
}

impl ShowStatus {
    pub fn run(self) -> Result<ExitCode> {
        let cache = self.directory.open()?;
        let status = cache.status(clock::now()?)?;
        let good = status.is_good(Duration::from_secs(u64::from(self.within) * 24 * 60 * 60));
        if self.json {
            let report = Report {
                good,
                within_days: self.within,
                status: &status,
            };
            output::line(serde_json::to_string_pretty(&report)?)?;
        } else if status.entries.is_empty() {
            output::line(format!("{} is empty", cache.path().display()))?;
        } else {
            output::line(text(&status).trim_end())?;
        }
        Ok(if good {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

/// A line for each piece, then a paragraph for each recovery. Writing to a string cannot fail.
fn text(status: &Status) -> String {
    let width = status.entries.iter().map(|entry| entry.name.len()).max();
    let mut text = String::new();
    if status.edition != Shelf::Standard {
        let _ = writeln!(text, "quotes are verified by the edition: {}", status.edition);
    }
    for entry in &status.entries {
        let _ = writeln!(
            text,
            "{:<width$}  {}",
            entry.name,
            line(entry),
            width = width.unwrap_or_default()
        );
    }
    for outlook in &status.recoveries {
        let _ = write!(text, "\n{}", paragraph(outlook, status.at));
    }
    text
}

fn line(entry: &Entry) -> String {
    let dates = match &entry.state {
        State::Useless { problem } => return format!("USELESS: {problem}"),
        State::Genuine(dates) => dates,
    };
    let number = dates.evaluation_data_number;
    let number = number
        .map(|number| format!(", number {number}"))
        .unwrap_or_default();
    let left = match dates.days_left {
        ..0 => "EXPIRED".to_owned(),
        0 => "expires within a day".to_owned(),
        1 => "1 day left".to_owned(),
        days => format!("{days} days left"),
    };
    let note = match entry.edition {
        Some(edition) if !entry.in_use && edition != Shelf::Early => ", not in use",
        _ => "",
    };
    format!(
        "{left}: issued {}, until {}{number}{note}",
        dates.issued, dates.expires
    )
}

fn paragraph(outlook: &Outlook, now: UnixTime) -> String {
    let forecast = &outlook.forecast;
    // Some services' baseline is older than Intel's standard edition.
    let when = if outlook.expected > now {
        "about"
    } else {
        "with the next TCB info, which is due since"
    };
    let mut text = format!(
        "TCB RECOVERY of {}: {when} {}, the {} at the level of {} on FMSPC {} ({}) becomes {}, where it is {} now",
        day(&forecast.recovery.to_string()),
        day(&outlook.expected.to_string()),
        forecast.concerned,
        day(&forecast.level.to_string()),
        outlook.fmspc,
        outlook.tee,
        forecast.later,
        forecast.status,
    );
    if !forecast.advisories.is_empty() {
        let _ = write!(text, " ({})", forecast.advisories.join(", "));
    }
    if forecast
        .advisories
        .iter()
        .any(|advisory| ends_servicing(advisory))
    {
        text.push_str("; Intel ends the servicing of this platform: no update will help");
    }
    text.push('\n');
    for short in forecast.gap.iter().flat_map(|gap| &gap.shortfalls) {
        let description = short.description.as_ref();
        let description = description.map(|text| format!(" ({text})")).unwrap_or_default();
        let _ = writeln!(
            text,
            "  {}{description} is {}, needs {}",
            short.component, short.have, short.need
        );
    }
    text
}

/// The date of an RFC 3339 time.
fn day(time: &str) -> &str {
    time.split('T').next().unwrap_or(time)
}
