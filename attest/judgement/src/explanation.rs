//! Explanations: what is wrong with a quote, and what would fix it.

use std::fmt::Write as _;

use dcap_quote::{Gap, TcbStatus, Trust, Verdict};

use crate::{Judgement, advice};

/// Paragraphs: one for each thing that is wrong, with what to do about it.
#[must_use]
pub fn explanation(judgement: &Judgement) -> String {
    let mut paragraphs = Vec::new();
    match judgement {
        Judgement::Refused(reason) => {
            paragraphs.push(format!(
                "The quote proves nothing: {}.",
                printable_text::printable(&reason.to_string())
            ));
            paragraphs.push(advice::for_refusal(reason).to_owned());
        }
        Judgement::Authentic { verdict, objections } => {
            if verdict.trust == Trust::Simulated {
                paragraphs.push(
                    "The quote comes from a simulated platform, which was trusted because its root was named. It protects \
                     nothing and proves nothing to anybody else."
                        .to_owned(),
                );
            }
            if objections.is_empty() {
                paragraphs.push(format!(
                    "The quote is authentic and acceptable: the TCB status is {}. {}",
                    verdict.status,
                    expiry(verdict)
                ));
            } else {
                paragraphs.push("The quote is authentic, but not acceptable.".to_owned());
            }
            for objection in objections {
                paragraphs.push(format!(
                    "{}. {}",
                    sentence(&objection.to_string()),
                    advice::for_objection(objection)
                ));
            }
            paragraphs.extend(shortfalls(verdict));
            if !verdict.advisories.is_empty() {
                paragraphs.push(format!(
                    "Known weaknesses at this level: {}. Intel describes each at \
                     https://www.intel.com/content/www/us/en/security-center/default.html.",
                    verdict.advisories.join(", ")
                ));
            }
            if !objections.is_empty() {
                paragraphs.push(expiry(verdict));
            }
        }
    }
    paragraphs.join("\n\n") + "\n"
}

/// When this judgement ends, whatever it is.
fn expiry(verdict: &Verdict) -> String {
    match verdict.validity.first() {
        Some(first) => format!(
            "It can be verified like this until {}, when the {} expires.",
            first.validity.until, first.what
        ),
        None => String::new(),
    }
}

/// Which versions are too low, and who can raise them.
fn shortfalls(verdict: &Verdict) -> Vec<String> {
    let platform = &verdict.platform_tcb;
    let now = verdict.current_tcb.as_ref();
    let module = platform
        .tdx_module
        .as_ref()
        .and_then(|module| module.tcb.gap.as_ref());
    let module_now = now
        .and_then(|now| now.tdx_module.as_ref())
        .and_then(|module| module.tcb.gap.as_ref());
    let gaps = [
        platform.tcb.gap.as_ref(),
        module,
        now.and_then(|now| now.tcb.gap.as_ref()),
        module_now,
        verdict.quoting_enclave.gap.as_ref(),
    ];
    let mut paragraphs: Vec<String> = Vec::new();
    for gap in gaps.into_iter().flatten() {
        let paragraph = shortfall(gap, verdict.status);
        if !paragraphs.contains(&paragraph) {
            paragraphs.push(paragraph);
        }
    }
    paragraphs
}

fn shortfall(gap: &Gap, status: TcbStatus) -> String {
    let mut text = format!(
        "To reach the level {} of {} (now {status}):",
        gap.status, gap.date
    );
    for short in &gap.shortfalls {
        let description = short
            .description
            .as_ref()
            .map(|text| format!(" ({text})"))
            .unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n  - {}{description} has security version {} and needs {}: {}",
            short.component,
            short.have,
            short.need,
            advice::for_component(short)
        );
    }
    text
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map(|first| first.to_uppercase().chain(characters).collect())
        .unwrap_or_default()
}
