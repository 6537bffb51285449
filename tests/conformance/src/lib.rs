//! Runs the guest programs natively and in the enclave, and compares.
