//! The certificates and revocation lists of a simulated platform, in the profile of Intel's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dcap_quote::Validity;

use crate::der::{
    bit_string, boolean, enumerated, explicit, implicit, integer, object_identifier, octet_string,
    printable_string, sequence, set, time, utf8_string,
};
use crate::key::{Key, derive};
use crate::profile::{Authority, Certificate, Fault, Profile};

const ECDSA_WITH_SHA256: &str = "1.2.840.10045.4.3.2";
const SGX_EXTENSION: &str = "1.2.840.113741.1.13.1";

/// All certificates and lists, in DER.
pub(crate) struct Pki {
    pub root: Vec<u8>,
    pub authority: Vec<u8>,
    pub pck: Vec<u8>,
    pub tcb_signer: Vec<u8>,
    pub root_list: Vec<u8>,
    pub pck_list: Vec<u8>,
}

/// The keys that the certificates are about.
pub(crate) struct Keys {
    pub root: Key,
    pub authority: Key,
    pub pck: Key,
    pub tcb_signer: Key,
}

impl Keys {
    pub(crate) fn derive(profile: &Profile) -> Self {
        let seed = &profile.seed;
        Self {
            root: Key::derive(seed, "root"),
            authority: Key::derive(seed, common_name(profile, Certificate::Authority)),
            pck: Key::derive(seed, "PCK"),
            tcb_signer: Key::derive(seed, "TCB signer"),
        }
    }
}

impl Pki {
    pub(crate) fn new(profile: &Profile, keys: &Keys) -> Self {
        let dates = &profile.dates;
        let has = |fault| profile.fault == Some(fault);
        let name = |fault, good: &'static str| {
            if has(fault) {
                "Simulated Something Else"
            } else {
                good
            }
        };
        let authority_usage = match profile.fault {
            Some(Fault::AuthorityIsEndEntity) => Usage::EndEntity,
            Some(Fault::AuthorityHasPathLength1) => Usage::Authority(1),
            _ => Usage::Authority(0),
        };
        let root = Issuer {
            subject: Certificate::Root,
            key: &keys.root,
        };
        let authority = Issuer {
            subject: Certificate::Authority,
            key: &keys.authority,
        };
        let certify = |issuer: &Issuer<'_>, certificate: &Content<'_>| certificate.sign(profile, issuer);
        Self {
            root: certify(
                &root,
                &Content::new(
                    profile,
                    Certificate::Root,
                    &keys.root,
                    dates.root,
                    Usage::Authority(1),
                ),
            ),
            authority: certify(
                &root,
                &Content::new(
                    profile,
                    Certificate::Authority,
                    &keys.authority,
                    dates.authority,
                    authority_usage,
                ),
            ),
            pck: certify(
                &authority,
                &pck(profile, keys, name(Fault::PckIsCalledOtherwise, PCK_NAME)),
            ),
            tcb_signer: certify(
                &root,
                &Content {
                    name: name(
                        Fault::TcbSignerIsCalledOtherwise,
                        common_name(profile, Certificate::TcbSigner),
                    ),
                    ..Content::new(
                        profile,
                        Certificate::TcbSigner,
                        &keys.tcb_signer,
                        dates.tcb_signer,
                        Usage::EndEntity,
                    )
                },
            ),
            root_list: revocation_list(
                profile,
                &root,
                dates.root_list,
                &[Certificate::Root, Certificate::Authority, Certificate::TcbSigner],
                &[],
            ),
            pck_list: revocation_list(
                profile,
                &authority,
                dates.pck_list,
                &[Certificate::Pck],
                // Issuing distribution point: only user certificates.
                &if has(Fault::PckListIsPartial) {
                    extension("2.5.29.28", true, &sequence(&[&implicit(1, &[0xff])]))
                } else {
                    Vec::new()
                },
            ),
        }
    }
}

/// PEM of one certificate.
pub(crate) fn pem(der: &[u8]) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let base64 = STANDARD.encode(der);
    for line in base64.as_bytes().chunks(64) {
        text.extend(line.iter().copied().map(char::from));
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

struct Issuer<'a> {
    subject: Certificate,
    key: &'a Key,
}

#[derive(Clone, Copy)]
enum Usage {
    /// With the length of the path below.
    Authority(u8),
    EndEntity,
}

/// What a certificate says.
struct Content<'a> {
    subject: Certificate,
    name: &'a str,
    key: &'a Key,
    validity: Validity,
    usage: Usage,
    extensions: Vec<u8>,
}

const PCK_NAME: &str = "Simulated SGX PCK Certificate";

fn common_name(profile: &Profile, certificate: Certificate) -> &'static str {
    match certificate {
        Certificate::Root => "Simulated SGX Root CA",
        Certificate::Authority => match profile.authority {
            Authority::Processor => "Simulated SGX PCK Processor CA",
            Authority::Platform => "Simulated SGX PCK Platform CA",
        },
        Certificate::Pck => PCK_NAME,
        Certificate::TcbSigner => "Simulated SGX TCB Signing",
    }
}

impl<'a> Content<'a> {
    fn new(profile: &Profile, subject: Certificate, key: &'a Key, validity: Validity, usage: Usage) -> Self {
        Self {
            subject,
            name: common_name(profile, subject),
            key,
            validity,
            usage,
            extensions: Vec::new(),
        }
    }

    fn sign(&self, profile: &Profile, issuer: &Issuer<'_>) -> Vec<u8> {
        let (key_usage, constraints) = match self.usage {
            // keyCertSign and cRLSign.
            Usage::Authority(path_length) => (
                bit_string(1, &[0x06]),
                sequence(&[&boolean(true), &integer(&[path_length])]),
            ),
            // digitalSignature and nonRepudiation.
            Usage::EndEntity => (bit_string(6, &[0xc0]), sequence(&[])),
        };
        let extensions = sequence(&[
            &extension(
                "2.5.29.35",
                false,
                &sequence(&[&implicit(0, &key_id(issuer.key))]),
            ),
            &extension("2.5.29.14", false, &octet_string(&key_id(self.key))),
            &extension("2.5.29.15", true, &key_usage),
            &extension("2.5.29.19", true, &constraints),
            &self.extensions,
        ]);
        let content = sequence(&[
            &explicit(0, &integer(&[2])),
            &integer(&serial_number(profile, self.subject)),
            &sequence(&[&object_identifier(ECDSA_WITH_SHA256)]),
            &name(common_name(profile, issuer.subject)),
            &sequence(&[&time(self.validity.from), &time(self.validity.until)]),
            &name(self.name),
            &public_key_info(self.key),
            &explicit(3, &extensions),
        ]);
        signed(&content, issuer.key)
    }
}

fn pck<'a>(profile: &Profile, keys: &'a Keys, name: &'a str) -> Content<'a> {
    let usage = match profile.fault {
        Some(Fault::PckIsAuthority) => Usage::Authority(0),
        _ => Usage::EndEntity,
    };
    let sgx = extension(SGX_EXTENSION, false, &sgx_extension(profile));
    let unknown = |critical| extension("1.3.6.1.4.1.99999.1", critical, &sequence(&[]));
    let extensions = match profile.fault {
        Some(Fault::PckWithoutSgxExtension) => unknown(false),
        Some(Fault::PckHasUnknownCriticalExtension) => [sgx, unknown(true)].concat(),
        Some(Fault::PckHasExtensionTwice) => [sgx.clone(), sgx].concat(),
        _ => [sgx, unknown(false)].concat(),
    };
    Content {
        name,
        extensions,
        ..Content::new(profile, Certificate::Pck, &keys.pck, profile.dates.pck, usage)
    }
}

/// PPID, TCB, PCEID, FMSPC and type of the platform.
fn sgx_extension(profile: &Profile) -> Vec<u8> {
    let field = |parent: &str, number: u8, value: &[u8]| {
        sequence(&[&object_identifier(&format!("{parent}.{number}")), value])
    };
    let tcb = format!("{SGX_EXTENSION}.2");
    let mut tcb_fields: Vec<Vec<u8>> = (1..)
        .zip(profile.svns)
        .map(|(number, svn)| field(&tcb, number, &integer(&[svn])))
        .collect();
    tcb_fields.push(field(&tcb, 17, &integer(&profile.pce_svn.to_be_bytes())));
    tcb_fields.push(field(&tcb, 18, &octet_string(&profile.svns)));
    let tcb_fields = sequence(&tcb_fields.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let ppid = derive(&profile.seed, "PPID", 0);
    let mut fields = vec![
        field(SGX_EXTENSION, 1, &octet_string(&ppid[..16])),
        field(SGX_EXTENSION, 2, &tcb_fields),
        field(SGX_EXTENSION, 3, &octet_string(&profile.pce_id)),
        field(SGX_EXTENSION, 4, &octet_string(&profile.fmspc)),
        // Scalable, as servers are.
        field(SGX_EXTENSION, 5, &enumerated(1)),
    ];
    if profile.authority == Authority::Platform {
        let instance = derive(&profile.seed, "platform instance", 0);
        fields.push(field(SGX_EXTENSION, 6, &octet_string(&instance[..16])));
        let configuration = format!("{SGX_EXTENSION}.7");
        // Neither dynamic nor with cached keys, but with hyperthreading.
        let flags = [(1, false), (2, false), (3, true)]
            .map(|(number, flag)| field(&configuration, number, &boolean(flag)));
        fields.push(field(
            SGX_EXTENSION,
            7,
            &sequence(&flags.each_ref().map(Vec::as_slice)),
        ));
    }
    sequence(&fields.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn revocation_list(
    profile: &Profile,
    issuer: &Issuer<'_>,
    validity: Validity,
    issued: &[Certificate],
    more_extensions: &[u8],
) -> Vec<u8> {
    let revoked = issued
        .iter()
        .filter(|certificate| profile.revoked.contains(certificate));
    let entries: Vec<Vec<u8>> = revoked
        .map(|certificate| {
            // Reason: key compromise.
            let reason = sequence(&[&extension("2.5.29.21", false, &enumerated(1))]);
            sequence(&[
                &integer(&serial_number(profile, *certificate)),
                &time(validity.from),
                &reason,
            ])
        })
        .collect();
    let entries = match entries.as_slice() {
        // An empty list of entries is left out.
        [] => Vec::new(),
        entries => sequence(&entries.iter().map(Vec::as_slice).collect::<Vec<_>>()),
    };
    let extensions = sequence(&[
        &extension("2.5.29.20", false, &integer(&[1])),
        &extension(
            "2.5.29.35",
            false,
            &sequence(&[&implicit(0, &key_id(issuer.key))]),
        ),
        more_extensions,
    ]);
    let content = sequence(&[
        &integer(&[1]),
        &sequence(&[&object_identifier(ECDSA_WITH_SHA256)]),
        &name(common_name(profile, issuer.subject)),
        &time(validity.from),
        &time(validity.until),
        &entries,
        &explicit(0, &extensions),
    ]);
    signed(&content, issuer.key)
}

fn signed(content: &[u8], key: &Key) -> Vec<u8> {
    let signature = bit_string(0, &key.sign_der(content));
    sequence(&[
        content,
        &sequence(&[&object_identifier(ECDSA_WITH_SHA256)]),
        &signature,
    ])
}

fn name(common_name: &str) -> Vec<u8> {
    let attribute = |id, value: Vec<u8>| set(&[&sequence(&[&object_identifier(id), &value])]);
    sequence(&[
        &attribute("2.5.4.3", utf8_string(common_name)),
        &attribute("2.5.4.10", utf8_string("Nacre, simulated: protects nothing")),
        &attribute("2.5.4.6", printable_string("ZZ")),
    ])
}

fn public_key_info(key: &Key) -> Vec<u8> {
    let algorithm = sequence(&[
        &object_identifier("1.2.840.10045.2.1"),
        &object_identifier("1.2.840.10045.3.1.7"),
    ]);
    let point = [&[4], key.coordinates().as_slice()].concat();
    sequence(&[&algorithm, &bit_string(0, &point)])
}

fn extension(id: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { boolean(true) } else { Vec::new() };
    sequence(&[&object_identifier(id), &critical, &octet_string(value)])
}

/// Twenty bytes, and not zero.
fn serial_number(profile: &Profile, certificate: Certificate) -> [u8; 20] {
    let mut serial_number = [0; 20];
    let hash = derive(&profile.seed, common_name(profile, certificate), 0);
    serial_number.copy_from_slice(&hash[..20]);
    serial_number[0] = serial_number[0] & 0x7f | 0x40;
    serial_number
}

fn key_id(key: &Key) -> [u8; 20] {
    let mut id = [0; 20];
    id.copy_from_slice(&derive(&[0; 32], "key id", 0)[..20]);
    for (index, byte) in key.coordinates().iter().enumerate() {
        id[index % 20] ^= byte;
    }
    id
}
