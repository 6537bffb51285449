//! What every kernel object shares: errors, open files, readiness and waiting.
