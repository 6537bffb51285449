//! Explanations: what is wrong with a quote, and what would fix it.

use dcap_quote::{Lack, Trust, Verdict, ends_servicing};

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
                    advice::for_objection(objection, verdict)
                ));
            }
            paragraphs.extend(shortfalls(verdict));
            paragraphs.extend(weaknesses(verdict));
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

/// Known weaknesses, and whether there will be updates at all.
fn weaknesses(verdict: &Verdict) -> Vec<String> {
    let (notices, advisories): (Vec<&String>, Vec<&String>) = verdict
        .advisories
        .iter()
        .partition(|advisory| ends_servicing(advisory));
    let join = |names: &[&String]| {
        names
            .iter()
            .map(|name| name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut paragraphs = Vec::new();
    if !notices.is_empty() {
        paragraphs.push(format!(
            "Intel has ended the servicing of this platform ({}): no security update will come any more. Move to a newer one.",
            join(&notices)
        ));
    }
    if !advisories.is_empty() {
        paragraphs.push(format!(
            "Known weaknesses at this level: {}. Intel describes each at \
             https://www.intel.com/content/www/us/en/security-center/default.html.",
            join(&advisories)
        ));
    }
    paragraphs
}

/// Which versions are too low, and who can raise them: a paragraph for each level that asks for them.
fn shortfalls(verdict: &Verdict) -> Vec<String> {
    let mut paragraphs: Vec<String> = Vec::new();
    for lack in verdict.lacks() {
        let Lack { status, date, .. } = lack;
        let title = format!("To reach the level {status} of {date} (now {}):", verdict.status);
        let line = format!("\n  - {lack}: {}", advice::for_lack(&lack));
        match paragraphs
            .iter_mut()
            .find(|paragraph| paragraph.starts_with(&title))
        {
            Some(paragraph) => paragraph.push_str(&line),
            None => paragraphs.push(title + &line),
        }
    }
    paragraphs
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map(|first| first.to_uppercase().chain(characters).collect())
        .unwrap_or_default()
}
