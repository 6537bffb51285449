//! The SGX extension of PCK (provisioning certification key) certificates: what Intel certifies of
//! a platform.
//!
//! Source: *Intel SGX PCK Certificate and Certificate Revocation List Profile Specification*, section 1.3.5.

use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Reader as _, SliceReader, Tag, Tagged as _};
use serde::{Deserialize, Serialize};

use crate::certificate::{Certificate, CertificateError};
use crate::report::Bytes;

/// The extension itself; all others below have this prefix.
const SGX_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1");
const TCB: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.2");
const CONFIGURATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.7");

/// A platform and its security versions, as its PCK certificate states them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Platform {
    /// Identity of the platform (encrypted within Intel's infrastructure, plain here).
    pub ppid: Bytes<16>,
    /// Family, model, stepping, platform type and custom SKU: which TCB info applies.
    pub fmspc: Bytes<6>,
    /// Identity of the provisioning certification enclave.
    pub pce_id: Bytes<2>,
    /// Security versions of the sixteen components that make up CPUSVN.
    pub svns: [u8; 16],
    /// Security version of the provisioning certification enclave.
    pub pce_svn: u16,
    /// How the platform protects its memory.
    pub sgx_type: SgxType,
    /// Identity of this set-up of the platform: another one after a change of its processors. Only of platforms that register.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_instance_id: Option<Bytes<16>>,
    /// Only of platforms that register.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Configuration>,
}

/// How a platform protects the memory of enclaves (SGX Type).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SgxType {
    /// With integrity and against replay, in a small part of the memory.
    Standard,
    /// Encrypted only.
    Scalable,
    /// Encrypted, with integrity.
    ScalableWithIntegrity,
}

/// How a platform that registers was set up when its PCK was certified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Configuration {
    /// Processors may be added later.
    pub dynamic_platform: bool,
    /// Intel's registration service keeps the platform's root keys.
    pub cached_keys: bool,
    /// Hyperthreading is on.
    pub smt_enabled: bool,
}

const NOT_AS_SPECIFIED: CertificateError = CertificateError::Profile("the SGX extension is not as specified");

impl Platform {
    /// What the certificate says, which is as good as the certificate.
    pub(crate) fn of(certificate: &Certificate) -> Result<Self, CertificateError> {
        let extension = certificate.extension(SGX_EXTENSION);
        Self::parse(extension.ok_or(CertificateError::Profile("it lacks the SGX extension"))?)
    }

    /// Reads the extension's value.
    fn parse(extension: &[u8]) -> Result<Self, CertificateError> {
        let mut reader = SliceReader::new(extension)?;
        let fields = reader.sequence(|reader| Fields::read(reader, SGX_EXTENSION))?;
        reader.finish()?;
        let tcb = fields.children(2, TCB)?.ok_or(NOT_AS_SPECIFIED)?;
        let configuration = fields.children(7, CONFIGURATION)?;

        let mut svns = [0; 16];
        for (svn, index) in svns.iter_mut().zip(1..) {
            *svn = tcb.get(index)?.decode_as::<u8>()?;
        }
        Ok(Self {
            ppid: fields.octets(1)?,
            fmspc: fields.octets(4)?,
            pce_id: fields.octets(3)?,
            svns,
            pce_svn: tcb.get(17)?.decode_as::<u16>()?,
            sgx_type: SgxType::of(fields.get(5)?)?,
            platform_instance_id: fields.find(6).map(|_| fields.octets(6)).transpose()?,
            configuration: configuration
                .map(|fields| Configuration::new(&fields))
                .transpose()?,
        })
    }
}

impl SgxType {
    fn of(field: AnyRef<'_>) -> Result<Self, CertificateError> {
        match (field.tag(), field.value()) {
            (Tag::Enumerated, [0]) => Ok(Self::Standard),
            (Tag::Enumerated, [1]) => Ok(Self::Scalable),
            (Tag::Enumerated, [2]) => Ok(Self::ScalableWithIntegrity),
            _ => Err(NOT_AS_SPECIFIED),
        }
    }

    /// As its documents call it, without spaces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::Scalable => "Scalable",
            Self::ScalableWithIntegrity => "ScalableWithIntegrity",
        }
    }
}

impl Configuration {
    fn new(fields: &Fields<'_>) -> Result<Self, CertificateError> {
        Ok(Self {
            dynamic_platform: fields.get(1)?.decode_as()?,
            cached_keys: fields.get(2)?.decode_as()?,
            smt_enabled: fields.get(3)?.decode_as()?,
        })
    }
}

/// `SEQUENCE OF SEQUENCE { id, value }`, by the last number of the id.
struct Fields<'a>(Vec<(u32, AnyRef<'a>)>);

impl<'a> Fields<'a> {
    /// Reads to the end. The ids must be children of `parent`, and none may come twice.
    fn read(reader: &mut SliceReader<'a>, parent: ObjectIdentifier) -> Result<Self, der::Error> {
        let mut fields: Vec<(u32, AnyRef<'a>)> = Vec::new();
        while !reader.is_finished() {
            let (id, value) =
                reader.sequence(|reader| -> Result<(ObjectIdentifier, AnyRef<'a>), der::Error> {
                    Ok((reader.decode()?, reader.decode()?))
                })?;
            match id.arcs().last().filter(|_| id.parent() == Some(parent)) {
                Some(number) if fields.iter().all(|(seen, _)| *seen != number) => {
                    fields.push((number, value))
                }
                _ => return Err(reader.error(der::ErrorKind::Failed)),
            }
        }
        Ok(Self(fields))
    }

    fn find(&self, number: u32) -> Option<AnyRef<'a>> {
        let field = self.0.iter().find(|(found, _)| *found == number);
        field.map(|(_, value)| *value)
    }

    fn get(&self, number: u32) -> Result<AnyRef<'a>, CertificateError> {
        self.find(number).ok_or(NOT_AS_SPECIFIED)
    }

    /// The fields within the field `number`, whose id is `id`; none when it is not there.
    fn children(&self, number: u32, id: ObjectIdentifier) -> Result<Option<Self>, CertificateError> {
        let Some(field) = self.find(number) else {
            return Ok(None);
        };
        if field.tag() != Tag::Sequence {
            return Err(NOT_AS_SPECIFIED);
        }
        let mut reader = SliceReader::new(field.value())?;
        let fields = Self::read(&mut reader, id)?;
        reader.finish()?;
        Ok(Some(fields))
    }

    fn octets<const N: usize>(&self, number: u32) -> Result<Bytes<N>, CertificateError> {
        let octets = self.get(number)?.decode_as::<&OctetStringRef>()?;
        octets
            .as_bytes()
            .try_into()
            .map(Bytes)
            .map_err(|_| NOT_AS_SPECIFIED)
    }
}
