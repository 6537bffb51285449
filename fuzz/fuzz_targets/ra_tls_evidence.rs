#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (fuzz_targets::RA_TLS_EVIDENCE.run)(input));
