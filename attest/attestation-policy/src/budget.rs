//! The budget of an evaluation: how many steps and bytes it may still use.

use crate::failure::EvaluationProblem;
use crate::limits::{MAX_CLAIMS, MAX_CREATED, MAX_STEPS, MAX_VALUE};

/// Bytes that count as one step when they are compared, copied, read or written.
const BYTES_PER_STEP: usize = 64;

/// Counts down; whoever asks for more than is left gets an error, and the evaluation ends.
#[derive(Debug)]
pub(crate) struct Budget {
    steps: u64,
    made: usize,
    claims: usize,
}

impl Budget {
    /// For an evaluation that begins with so many claims.
    pub(crate) fn new(incoming: usize) -> Result<Self, EvaluationProblem> {
        Ok(Self {
            steps: MAX_STEPS,
            made: MAX_CREATED,
            claims: MAX_CLAIMS
                .checked_sub(incoming)
                .ok_or(EvaluationProblem::TooManyClaims)?,
        })
    }

    /// Before something of one step.
    pub(crate) fn step(&mut self) -> Result<(), EvaluationProblem> {
        self.work_on(0)
    }

    /// Before going through so many bytes.
    pub(crate) fn work_on(&mut self, bytes: usize) -> Result<(), EvaluationProblem> {
        let steps = (bytes / BYTES_PER_STEP).saturating_add(1) as u64;
        self.steps = self
            .steps
            .checked_sub(steps)
            .ok_or(EvaluationProblem::TooMuchWork)?;
        Ok(())
    }

    /// Before a claim is added whose type and value have so many bytes.
    pub(crate) fn claim(&mut self, claim_type: usize, value: usize) -> Result<(), EvaluationProblem> {
        Self::value(claim_type)?;
        Self::value(value)?;
        let size = claim_type.saturating_add(value);
        self.work_on(size)?;
        self.claims = self
            .claims
            .checked_sub(1)
            .ok_or(EvaluationProblem::TooManyClaims)?;
        self.made = self
            .made
            .checked_sub(size)
            .ok_or(EvaluationProblem::TooManyBytes)?;
        Ok(())
    }

    /// Before a value of so many bytes is made.
    pub(crate) const fn value(bytes: usize) -> Result<(), EvaluationProblem> {
        if bytes > MAX_VALUE {
            return Err(EvaluationProblem::ValueTooLong);
        }
        Ok(())
    }
}
