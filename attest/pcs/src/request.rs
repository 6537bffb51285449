//! Requests, and the URLs that stand for them.

use std::fmt::Write as _;

use dcap_quote::{Bytes, PckCa, Tee};

/// Before the name of what is asked for.
const SGX_PATH: &str = "/sgx/certification/v4/";
const TDX_PATH: &str = "/tdx/certification/v4/";

/// A question to a provisioning certification service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// `pckcrl`: what an authority for PCKs has revoked.
    PckCrl {
        /// The authority whose list it is.
        ca: PckCa,
        /// The encoding of the list.
        encoding: Encoding,
    },
    /// `rootcacrl`: what the root has revoked. Only caches answer it; Intel publishes the list elsewhere.
    RootCaCrl,
    /// `tcb`: what the versions of a kind of platform are worth.
    TcbInfo {
        /// For enclaves or for trust domains.
        tee: Tee,
        /// The kind of platform.
        fmspc: Bytes<6>,
        /// Which edition of it.
        edition: Edition,
    },
    /// `qe/identity`: which quoting enclaves are genuine, and what their versions are worth.
    QeIdentity {
        /// For enclaves or for trust domains.
        tee: Tee,
        /// Which edition of it.
        edition: Edition,
    },
    /// `qve/identity`: the same of Intel's enclave that verifies quotes.
    QveIdentity {
        /// Which edition of it.
        edition: Edition,
    },
}

/// Form of a revocation list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// What the service gives without being asked.
    #[default]
    Pem,
    /// Binary.
    Der,
}

/// How soon after a TCB recovery a document takes it into account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edition {
    /// What the service gives without being asked: Intel the standard edition, others what their baseline is.
    #[default]
    Unspecified,
    /// A year after the recovery.
    Standard,
    /// On the day of the recovery.
    Early,
    /// As of the recovery with this number.
    EvaluationDataNumber(u32),
}

/// Why a URL asks for nothing that exists.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No such path.
    #[error(
        "no such resource; known are tcb, qe/identity, qve/identity, pckcrl, rootcacrl below /sgx/certification/v4/"
    )]
    Path,
    /// A parameter that must be there is not.
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
    /// A parameter with another value than it can have.
    #[error("the parameter {name} must be {expected}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// What it can be.
        expected: &'static str,
    },
    /// A parameter twice.
    #[error("the parameter {0} is there twice")]
    Twice(&'static str),
    /// `update` and `tcbEvaluationDataNumber` together.
    #[error("update and tcbEvaluationDataNumber exclude each other")]
    Edition,
}

impl Request {
    /// Path and query of the URL.
    #[must_use]
    pub fn path_and_query(&self) -> String {
        let below = |tee, name: &str| match tee {
            Tee::Sgx => SGX_PATH.to_owned() + name,
            Tee::Tdx => TDX_PATH.to_owned() + name,
        };
        match *self {
            Self::PckCrl { ca, encoding } => {
                let encoding = match encoding {
                    Encoding::Pem => "pem",
                    Encoding::Der => "der",
                };
                format!("{SGX_PATH}pckcrl?ca={ca}&encoding={encoding}")
            }
            Self::RootCaCrl => below(Tee::Sgx, "rootcacrl"),
            Self::TcbInfo { tee, fmspc, edition } => {
                let fmspc = fmspc.to_string().to_ascii_uppercase();
                edition.add_to(below(tee, &format!("tcb?fmspc={fmspc}")), '&')
            }
            Self::QeIdentity { tee, edition } => edition.add_to(below(tee, "qe/identity"), '?'),
            Self::QveIdentity { edition } => edition.add_to(below(Tee::Sgx, "qve/identity"), '?'),
        }
    }

    /// Reads path and query (without `?`) of a URL. Parameters that nobody knows are passed over, as clients send some.
    ///
    /// # Errors
    /// When the path is unknown, or a parameter is missing, wrong or there twice.
    pub fn parse(path: &str, query: &str) -> Result<Self, RequestError> {
        let (tee, name) = match (path.strip_prefix(SGX_PATH), path.strip_prefix(TDX_PATH)) {
            (Some(name), _) => (Tee::Sgx, name),
            (_, Some(name)) => (Tee::Tdx, name),
            _ => return Err(RequestError::Path),
        };
        let query = Query(query);
        match (name, tee) {
            ("tcb", tee) => Ok(Self::TcbInfo {
                tee,
                fmspc: query.fmspc()?,
                edition: query.edition()?,
            }),
            ("qe/identity", tee) => Ok(Self::QeIdentity {
                tee,
                edition: query.edition()?,
            }),
            ("qve/identity", Tee::Sgx) => Ok(Self::QveIdentity {
                edition: query.edition()?,
            }),
            ("pckcrl", Tee::Sgx) => Ok(Self::PckCrl {
                ca: query.ca()?,
                encoding: query.encoding()?,
            }),
            ("rootcacrl", Tee::Sgx) => Ok(Self::RootCaCrl),
            _ => Err(RequestError::Path),
        }
    }
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PckCrl { ca, .. } => write!(f, "the revocation list of the {ca} CA"),
            Self::RootCaCrl => f.write_str("the root's revocation list"),
            Self::TcbInfo { tee, fmspc, edition } => {
                write!(f, "{edition}TCB info of FMSPC {fmspc} for {tee}")
            }
            Self::QeIdentity { tee, edition } => write!(f, "{edition}QE identity for {tee}"),
            Self::QveIdentity { edition } => write!(f, "{edition}QvE identity"),
        }
    }
}

impl Edition {
    fn add_to(self, mut url: String, separator: char) -> String {
        // Writing to a string cannot fail.
        let _ = match self {
            Self::Unspecified => Ok(()),
            Self::Standard => write!(url, "{separator}update=standard"),
            Self::Early => write!(url, "{separator}update=early"),
            Self::EvaluationDataNumber(number) => write!(url, "{separator}tcbEvaluationDataNumber={number}"),
        };
        url
    }
}

/// As an adjective with a space behind it; nothing for what the service chooses.
impl std::fmt::Display for Edition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unspecified => Ok(()),
            Self::Standard => f.write_str("standard "),
            Self::Early => f.write_str("early "),
            Self::EvaluationDataNumber(number) => write!(f, "number {number} of "),
        }
    }
}

/// `name=value&name=value`. No value that is known needs escapes, so none are read.
struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    fn find(&self, name: &'static str) -> Result<Option<&'a str>, RequestError> {
        let parameters = self
            .0
            .split('&')
            .filter_map(|parameter| parameter.split_once('='));
        let mut values = parameters
            .filter(|(found, _)| *found == name)
            .map(|(_, value)| value);
        let value = values.next();
        match values.next() {
            None => Ok(value),
            Some(_) => Err(RequestError::Twice(name)),
        }
    }

    fn fmspc(&self) -> Result<Bytes<6>, RequestError> {
        let text = self.find("fmspc")?.ok_or(RequestError::Missing("fmspc"))?;
        Bytes::from_hex(&text.to_ascii_lowercase()).ok_or(RequestError::Value {
            name: "fmspc",
            expected: "12 hexadecimal digits",
        })
    }

    fn ca(&self) -> Result<PckCa, RequestError> {
        let text = self.find("ca")?.ok_or(RequestError::Missing("ca"))?;
        let ca = PckCa::ALL
            .into_iter()
            .find(|ca| text.eq_ignore_ascii_case(ca.name()));
        ca.ok_or(RequestError::Value {
            name: "ca",
            expected: "processor or platform",
        })
    }

    fn encoding(&self) -> Result<Encoding, RequestError> {
        match self.find("encoding")? {
            None => Ok(Encoding::default()),
            Some(text) if text.eq_ignore_ascii_case("pem") => Ok(Encoding::Pem),
            Some(text) if text.eq_ignore_ascii_case("der") => Ok(Encoding::Der),
            Some(_) => Err(RequestError::Value {
                name: "encoding",
                expected: "pem or der",
            }),
        }
    }

    fn edition(&self) -> Result<Edition, RequestError> {
        match (self.find("update")?, self.find("tcbEvaluationDataNumber")?) {
            (None, None) => Ok(Edition::Unspecified),
            (Some(_), Some(_)) => Err(RequestError::Edition),
            (Some(text), None) if text.eq_ignore_ascii_case("early") => Ok(Edition::Early),
            (Some(text), None) if text.eq_ignore_ascii_case("standard") => Ok(Edition::Standard),
            (Some(_), None) => Err(RequestError::Value {
                name: "update",
                expected: "early or standard",
            }),
            (None, Some(text)) => {
                let number = text
                    .bytes()
                    .all(|digit| digit.is_ascii_digit())
                    .then(|| text.parse().ok());
                let number = number.flatten().ok_or(RequestError::Value {
                    name: "tcbEvaluationDataNumber",
                    expected: "a number",
                })?;
                Ok(Edition::EvaluationDataNumber(number))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FMSPC: Bytes<6> = Bytes([0, 0x90, 0x6e, 0xd5, 0, 0]);

    fn parse(url: &str) -> Result<Request, RequestError> {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        Request::parse(path, query)
    }

    #[test]
    fn urls_are_as_intels_documentation_has_them_and_are_read_back() {
        let tcb_info = |tee, edition| Request::TcbInfo {
            tee,
            fmspc: FMSPC,
            edition,
        };
        for (request, url) in [
            (
                tcb_info(Tee::Sgx, Edition::Unspecified),
                "/sgx/certification/v4/tcb?fmspc=00906ED50000",
            ),
            (
                tcb_info(Tee::Sgx, Edition::Early),
                "/sgx/certification/v4/tcb?fmspc=00906ED50000&update=early",
            ),
            (
                tcb_info(Tee::Tdx, Edition::EvaluationDataNumber(17)),
                "/tdx/certification/v4/tcb?fmspc=00906ED50000&tcbEvaluationDataNumber=17",
            ),
            (
                Request::QeIdentity {
                    tee: Tee::Tdx,
                    edition: Edition::Standard,
                },
                "/tdx/certification/v4/qe/identity?update=standard",
            ),
            (
                Request::QveIdentity {
                    edition: Edition::Unspecified,
                },
                "/sgx/certification/v4/qve/identity",
            ),
            (
                Request::PckCrl {
                    ca: PckCa::Platform,
                    encoding: Encoding::Der,
                },
                "/sgx/certification/v4/pckcrl?ca=platform&encoding=der",
            ),
            (Request::RootCaCrl, "/sgx/certification/v4/rootcacrl"),
        ] {
            assert_eq!(request.path_and_query(), url);
            assert_eq!(parse(url), Ok(request), "{url}");
        }
    }

    #[test]
    fn other_spellings_that_clients_use() {
        let list = parse("/sgx/certification/v4/pckcrl?ca=PROCESSOR&clientid=production_client").unwrap();
        let expected = Request::PckCrl {
            ca: PckCa::Processor,
            encoding: Encoding::Pem,
        };
        assert_eq!(list, expected);
        let lower = parse("/sgx/certification/v4/tcb?fmspc=00906ed50000&api-version=2021-07-22-preview");
        assert!(lower.is_ok(), "{lower:?}");
    }

    #[test]
    fn questions_without_a_sense() {
        for (url, error) in [
            ("/sgx/certification/v3/tcb?fmspc=00906ED50000", RequestError::Path),
            ("/tdx/certification/v4/pckcrl?ca=platform", RequestError::Path),
            ("/sgx/certification/v4/../v4/tcb", RequestError::Path),
            ("/sgx/certification/v4/tcb", RequestError::Missing("fmspc")),
            (
                "/sgx/certification/v4/tcb?fmspc=00906ED50000&fmspc=00906ED50000",
                RequestError::Twice("fmspc"),
            ),
            (
                "/sgx/certification/v4/qe/identity?update=early&tcbEvaluationDataNumber=1",
                RequestError::Edition,
            ),
        ] {
            assert_eq!(parse(url), Err(error), "{url}");
        }
        for url in [
            "/sgx/certification/v4/tcb?fmspc=00906ED5000",
            "/sgx/certification/v4/tcb?fmspc=00906ED5000G",
            "/sgx/certification/v4/tcb?fmspc=00906ED50000&update=late",
            "/sgx/certification/v4/tcb?fmspc=00906ED50000&tcbEvaluationDataNumber=-1",
            "/sgx/certification/v4/tcb?fmspc=00906ED50000&tcbEvaluationDataNumber=99999999999",
            "/sgx/certification/v4/pckcrl?ca=root",
            "/sgx/certification/v4/pckcrl?ca=platform&encoding=text",
        ] {
            assert!(matches!(parse(url), Err(RequestError::Value { .. })), "{url}");
        }
    }
}
