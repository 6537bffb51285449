//! The measured configuration of an enclave: its schema and its canonical bytes.
