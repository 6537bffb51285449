//! The bodies of the fuzz targets, and their seeds.
//!
//! A [`Target`] is a reader of what the host, the maker of an image or whoever wants to be believed controls. Its function panics if the reader does, and if
//! what the reader accepts breaks the reader's own promise (a canonical format has one encoding, a count is within what was
//! asked for). Two things run them: the fuzzers in `fuzz/`, and the tests on stable, over the seeds and mutations of them.
#![forbid(unsafe_code)]

mod attest_call;
mod attestation_policy;
mod audit_log;
mod boot_info;
mod callsite_map;
mod collateral;
mod deployment_policy;
mod elf;
mod enclave_config;
mod erofs;
mod host_answers;
mod layer;
mod mutation;
mod oci_image;
mod package_databases;
mod pcs_messages;
mod quote;
mod ra_tls_evidence;
mod request;
mod sgxs;
mod sigstruct;
mod token;

pub use mutation::Mutations;

/// A reader, under attack.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// As the fuzzer is called.
    pub name: &'static str,
    /// Reads the bytes; panics if a promise is broken.
    pub run: fn(&[u8]),
    /// Small inputs that are accepted, to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

macro_rules! targets {
    ($($(#[$doc:meta])* $constant:ident = $module:ident;)*) => {
        $(
            $(#[$doc])*
            pub const $constant: Target = Target {
                name: stringify!($module),
                run: $module::run,
                seeds: $module::seeds,
            };
        )*

        /// All of them.
        pub const TARGETS: &[Target] = &[$($constant),*];
    };
}

targets! {
    /// The answers of the host to every call (`host-abi`).
    HOST_ANSWERS = host_answers;
    /// What the host tells at boot (`host-abi`).
    BOOT_INFO = boot_info;
    /// What somebody on the host asks of a running container (`host-abi`).
    REQUEST = request;
    /// The measured configuration (`enclave-config`).
    ENCLAVE_CONFIG = enclave_config;
    /// Maps of call sites (`callsite-map`).
    CALLSITE_MAP = callsite_map;
    /// The root file system, as if its hash tree vouched for anything (`rootfs`).
    EROFS = erofs;
    /// The enclave's file, as both of its readers see it (`sign`, `sgx-platform`).
    SGXS = sgxs;
    /// The enclave's signature (`sgx-arch`, `sign`).
    SIGSTRUCT = sigstruct;
    /// A layer of an image (`oci`).
    LAYER = layer;
    /// An image around its layers (`oci`).
    OCI_IMAGE = oci_image;
    /// The package databases of an image (`image-provenance`).
    PACKAGE_DATABASES = package_databases;
    /// Programs, which are searched for system calls (`callsites`).
    ELF = elf;
    /// The policies of an attestation service (`attestation-policy`).
    ATTESTATION_POLICY = attestation_policy;
    /// The policies of deployments, and their templates (`deployment-policy`).
    DEPLOYMENT_POLICY = deployment_policy;
    /// The audit logs of key brokers, and what is kept to check them (`key-broker`, `broker-store`).
    AUDIT_LOG = audit_log;
    /// Attestation tokens, their claims, and key sets (`token`).
    TOKEN = token;
    /// Certificates with quotes, and the extensions that carry them (`ra-tls`).
    RA_TLS_EVIDENCE = ra_tls_evidence;
    /// Bodies of attest calls (`attestation-service`).
    ATTEST_CALL = attest_call;
    /// Quotes (`dcap-quote`).
    QUOTE = quote;
    /// Collateral, and what is behind its signatures (`dcap-quote`).
    COLLATERAL = collateral;
    /// URLs and answers of provisioning certification services (`pcs`).
    PCS_MESSAGES = pcs_messages;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Enough to find what is near the surface, and no more than a few seconds in a debug build; the fuzzers do the rest.
    const MUTATIONS: usize = 10_000;

    fn attack(target: Target) {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty());
        seeds.iter().for_each(|seed| (target.run)(seed));
        (target.run)(&[]);
        for mutant in Mutations::new(&seeds).take(MUTATIONS) {
            (target.run)(&mutant);
        }
    }

    macro_rules! attacks {
        ($($test:ident = $constant:ident;)*) => {
            $(
                #[test]
                fn $test() {
                    attack($constant);
                }
            )*

            #[test]
            fn every_target_is_attacked() {
                let attacked = [$($constant.name),*];
                assert!(TARGETS.iter().all(|target| attacked.contains(&target.name)));
            }
        };
    }

    attacks! {
        host_answers = HOST_ANSWERS;
        boot_info = BOOT_INFO;
        request = REQUEST;
        enclave_config = ENCLAVE_CONFIG;
        callsite_map = CALLSITE_MAP;
        erofs = EROFS;
        sgxs = SGXS;
        sigstruct = SIGSTRUCT;
        layer = LAYER;
        oci_image = OCI_IMAGE;
        package_databases = PACKAGE_DATABASES;
        elf = ELF;
        attestation_policy = ATTESTATION_POLICY;
        deployment_policy = DEPLOYMENT_POLICY;
        audit_log = AUDIT_LOG;
        token = TOKEN;
        ra_tls_evidence = RA_TLS_EVIDENCE;
        attest_call = ATTEST_CALL;
        quote = QUOTE;
        collateral = COLLATERAL;
        pcs_messages = PCS_MESSAGES;
    }
}
