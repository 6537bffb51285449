//! `/dev/attestation`: how programs prove what they run in, and get keys. The files of Gramine are there, so that programs written for
//! it run unchanged, and some more.
//!
//! | file | bytes | |
//! | --- | --- | --- |
//! | `attestation_type` | | `dcap` |
//! | `user_report_data` | 64 | what reports and quotes are to say |
//! | `target_info` | 512 | who is to check reports |
//! | `my_target_info` | 512 | this enclave, for others' reports |
//! | `report` | 432 | by EREPORT, from the two files above |
//! | `quote` | | from `user_report_data`, by the host's quoting enclave |
//! | `keys/_sgx_mrenclave`, `keys/_sgx_mrsigner` | 16 | sealing keys |
//! | `keys/version` | | the security versions that they are of |
//! | `keys/versions/VERSION/…` | 16 | the same two of such versions, of now or of before |
//! | `keys/default` | 16 | what a program has put there; empty before |
//! | `tls/key.pem` | | a private key that the enclave has made, PKCS #8 |
//! | `tls/cert.pem` | | a certificate of it with a quote (RA-TLS), made anew at each opening |
//!
//! Contents are made when a file is opened, and stay as they are while it is open. One write gives a file its whole value: fewer
//! bytes are filled up with zeros, as Gramine does it; more are EINVAL, where Gramine drops them, since a report would
//! not say what its program believes. A key is 16 bytes, or else EACCES.
//!
//! What is written is the container's: all its processes are one trust domain. Two that attest at the same time have to agree.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use enclave_rt::attestation::Key;
use kobject::{Errno, Mutex, Result};

use crate::attester::{
    Attester, REPORT_DATA_SIZE, REPORT_SIZE, SealedTo, Secret, SecurityVersions, TARGET_INFO_SIZE,
};
use crate::inode::Inode;
use crate::synthetic::{
    Item, MakeSecret, MakeText, Named, Shape, Subject, Synthetic, TakeText, parse_number,
};

const ROOT: &[Item] = &[
    Item {
        name: "attestation_type",
        permissions: READ,
        shape: Shape::Fixed("dcap"),
    },
    Item::directory("keys", KEYS),
    made("my_target_info", TARGET_INFO_SIZE, |fs, _| {
        Ok(fs.attestation.attester.target_info()?.to_vec())
    }),
    made("quote", 0, |fs, _| {
        let data = fs.attestation.values.lock().report_data;
        fs.attestation.attester.quote(&data)
    }),
    made("report", REPORT_SIZE, |fs, _| {
        let Values {
            report_data,
            target_info,
        } = *fs.attestation.values.lock();
        Ok(fs
            .attestation
            .attester
            .report(&target_info, &report_data)?
            .to_vec())
    }),
    given(
        "target_info",
        TARGET_INFO_SIZE,
        |fs, _| Ok(fs.attestation.values.lock().target_info.to_vec()),
        |fs, _, bytes| {
            fs.attestation.values.lock().target_info = padded(bytes)?;
            Ok(())
        },
    ),
    Item::directory("tls", TLS),
    given(
        "user_report_data",
        REPORT_DATA_SIZE,
        |fs, _| Ok(fs.attestation.values.lock().report_data.to_vec()),
        |fs, _, bytes| {
            fs.attestation.values.lock().report_data = padded(bytes)?;
            Ok(())
        },
    ),
];

const TLS: &[Item] = &[
    made("cert.pem", 0, |fs, _| fs.attestation.attester.tls_certificate()),
    key("key.pem", |fs, _| fs.attestation.attester.tls_key().map(Some)),
];

const KEY_OF_ENCLAVE: Item = key("_sgx_mrenclave", |fs, subject| {
    sealing_key(fs, subject, SealedTo::Enclave)
});
const KEY_OF_SIGNER: Item = key("_sgx_mrsigner", |fs, subject| {
    sealing_key(fs, subject, SealedTo::Signer)
});

const KEYS: &[Item] = &[
    KEY_OF_ENCLAVE,
    KEY_OF_SIGNER,
    Item {
        name: "default",
        permissions: READ_WRITE,
        shape: Shape::Secret(default_key, Some(set_default_key)),
    },
    made("version", 0, |fs, _| own_version(fs)),
    Item {
        name: "versions",
        permissions: DIRECTORY,
        shape: Shape::Named(&VERSIONS),
    },
];

const VERSIONS: Named = Named {
    listed: own_version,
    subject: |fs, subject, name| {
        let versions = Some(versions(fs, name)?);
        Some(Subject { versions, ..subject })
    },
    items: &[KEY_OF_ENCLAVE, KEY_OF_SIGNER],
};

/// For everybody, as Gramine has it: the enclave is the boundary, and the image's user need not be root.
const READ: u32 = 0o444;
const READ_WRITE: u32 = 0o666;
const DIRECTORY: u32 = 0o555;

const fn made(name: &'static str, size: usize, make: MakeText) -> Item {
    Item {
        name,
        permissions: READ,
        shape: Shape::Opened {
            size: size as u64,
            make,
            take: None,
        },
    }
}

const fn given(name: &'static str, size: usize, make: MakeText, take: TakeText) -> Item {
    Item {
        name,
        permissions: READ_WRITE,
        shape: Shape::Opened {
            size: size as u64,
            make,
            take: Some(take),
        },
    }
}

const fn key(name: &'static str, make: MakeSecret) -> Item {
    Item {
        name,
        permissions: READ,
        shape: Shape::Secret(make, None),
    }
}

/// What `/dev/attestation` stands on: who answers, and what programs have written.
pub(crate) struct State {
    attester: Arc<dyn Attester>,
    /// Under one lock, so that a report is of one moment.
    values: Mutex<Values>,
    default_key: Mutex<Option<Key>>,
}

impl State {
    /// Nothing has been written.
    pub(crate) fn new(attester: Arc<dyn Attester>) -> Self {
        Self {
            attester,
            values: Mutex::new(Values::default()),
            default_key: Mutex::new(None),
        }
    }
}

struct Values {
    report_data: [u8; REPORT_DATA_SIZE],
    target_info: [u8; TARGET_INFO_SIZE],
}

impl Default for Values {
    fn default() -> Self {
        Self {
            report_data: [0; REPORT_DATA_SIZE],
            target_info: [0; TARGET_INFO_SIZE],
        }
    }
}

/// The bytes, filled up with zeros.
fn padded<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    let mut value = [0; N];
    value
        .get_mut(..bytes.len())
        .ok_or(Errno::EINVAL)?
        .copy_from_slice(bytes);
    Ok(value)
}

fn sealing_key(fs: &Synthetic, subject: Subject, bound_to: SealedTo) -> Result<Option<Secret>> {
    let attester = &fs.attestation.attester;
    let versions = match subject.versions {
        Some(versions) => versions,
        None => attester.security_versions()?,
    };
    let key = attester.sealing_key(bound_to, &versions)?;
    Ok(Some(key.into()))
}

/// The present versions as a name in `versions`: `ISVSVN-CPUSVN`, the first in decimal and the second in hexadecimal.
fn own_version(fs: &Synthetic) -> Result<Vec<u8>> {
    let SecurityVersions { isv_svn, cpu_svn } = fs.attestation.attester.security_versions()?;
    let mut name = format!("{isv_svn}-");
    for byte in cpu_svn {
        name.push_str(&format!("{byte:02x}"));
    }
    Ok(name.into_bytes())
}

/// What such a name means. Without `-CPUSVN`, the processor's versions are those of now. Whether the enclave may have the keys
/// is not looked at here: the processor knows.
fn versions(fs: &Synthetic, name: &[u8]) -> Option<SecurityVersions> {
    let mut parts = name.splitn(2, |&byte| byte == b'-');
    let isv_svn = u16::try_from(parse_number(parts.next()?)?).ok()?;
    let cpu_svn = match parts.next() {
        Some(digits) => hexadecimal(digits)?,
        None => fs.attestation.attester.security_versions().ok()?.cpu_svn,
    };
    Some(SecurityVersions { isv_svn, cpu_svn })
}

/// Lower-case hexadecimal of just so many bytes: the one form that `version` has.
fn hexadecimal<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(bytes)
}

fn default_key(fs: &Synthetic, _: Subject) -> Result<Option<Secret>> {
    let key = fs.attestation.default_key.lock();
    Ok(key.as_ref().map(|key| Key::new(*key.bytes()).into()))
}

fn set_default_key(fs: &Synthetic, _: Subject, bytes: &[u8]) -> Result<()> {
    let key = Key::new(bytes.try_into().map_err(|_| Errno::EACCES)?);
    *fs.attestation.default_key.lock() = Some(key);
    Ok(())
}

/// The root of `/dev/attestation`.
pub(crate) fn root(fs: Synthetic) -> Arc<dyn Inode> {
    fs.root(ROOT, None)
}
