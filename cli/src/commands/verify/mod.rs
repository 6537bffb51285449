//! `nacre verify`: verifies quotes, tokens and TLS servers (RA-TLS), and what images were made of.

#[cfg(feature = "convert")]
mod image;
mod tls;
mod tls_peer;
mod token;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use judgement::Judgement;
use serde_json::Value;

#[cfg(feature = "convert")]
use self::image::VerifyImage;
use self::tls::VerifyTls;
#[cfg(feature = "key-broker")]
pub use self::tls::prove_peer;
#[cfg(feature = "key-broker")]
pub use self::tls_peer::peer_certificate;
use self::token::VerifyToken;
use crate::flags::quote::QuoteFlags;
use crate::flags::verification::NotChecked;

/// Verify quotes, tokens and TLS servers of enclaves and trust domains, and images
#[derive(Args, Debug)]
pub struct Verify {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Quote(VerifyQuote),
    Tls(VerifyTls),
    Token(VerifyToken),
    #[cfg(feature = "convert")]
    Image(VerifyImage),
}

/// Verify a quote of an SGX enclave or a TDX trust domain
///
/// Ends with status 0 if the quote is authentic and acceptable, 1 if it is not, and 125 if it could not be verified.
#[derive(Args, Debug)]
struct VerifyQuote {
    #[command(flatten)]
    quote: QuoteFlags,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub fn run(self) -> Result<ExitCode> {
        match self.what {
            What::Quote(verify) => verify.run(),
            What::Tls(verify) => verify.run(),
            What::Token(verify) => verify.run(),
            #[cfg(feature = "convert")]
            What::Image(verify) => verify.run(),
        }
    }
}

impl VerifyQuote {
    fn run(self) -> Result<ExitCode> {
        let judgement = self.quote.judge()?;
        let not_checked = self.quote.not_checked();
        if self.json {
            let mut json = serde_json::to_value(&judgement)?;
            if let Some(members) = json.as_object_mut() {
                members.insert("not_checked".to_owned(), names(&not_checked));
            }
            println!("{}", serde_json::to_string_pretty(&json)?);
        } else {
            print!(
                "{}",
                with_not_checked(&judgement::summary(&judgement), &judgement, &not_checked)
            );
        }
        Ok(status(&judgement))
    }
}

/// In JSON.
fn names(not_checked: &[NotChecked]) -> Value {
    not_checked.iter().map(|what| what.name()).collect()
}

/// The summary, with what an acceptable quote was not asked behind its first line.
fn with_not_checked(summary: &str, judgement: &Judgement, not_checked: &[NotChecked]) -> String {
    let (verdict, rest) = summary.split_once('\n').unwrap_or((summary, ""));
    let mut text = format!("{verdict}\n");
    for what in not_checked.iter().filter(|_| judgement.is_acceptable()) {
        text.push_str(&format!("NOT CHECKED: {what}\n"));
    }
    text + rest
}

/// Success if the quote is acceptable.
pub fn status(judgement: &Judgement) -> ExitCode {
    if judgement.is_acceptable() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
