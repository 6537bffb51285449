//! The flags that choose an edition of TCB info and QE identity.

use clap::{Args, ValueEnum};
use collateral_cache::Shelf;

#[derive(Args, Debug)]
pub struct EditionFlags {
    /// The edition of TCB info by which the directory verifies quotes from now on: with early, a TCB recovery takes effect at
    /// once, with standard after a year [default: the directory's; at first standard]
    #[arg(long, value_name = "EDITION")]
    update: Option<Update>,

    /// Verify quotes by the TCB info and QE identity of this TCB recovery from now on (tcbEvaluationDataNumber)
    #[arg(long, value_name = "NUMBER", conflicts_with = "update")]
    evaluation_number: Option<u32>,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum Update {
    Early,
    Standard,
}

impl EditionFlags {
    /// The edition that was named, if any.
    pub fn shelf(&self) -> Option<Shelf> {
        let by_name = self.update.map(|update| match update {
            Update::Early => Shelf::Early,
            Update::Standard => Shelf::Standard,
        });
        self.evaluation_number.map(Shelf::Number).or(by_name)
    }
}
