//! Answers of the cache to the requests of a provisioning certification service.

use dcap_quote::{About, Bytes, Document, Refusal, Tee, UnixTime};
use pcs::{Edition, Request, Response};

use crate::cache_dir::CacheDir;
use crate::error::CacheError;
use crate::item::Name;
use crate::shelf::Shelf;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// It is not kept.
    #[error("{0} is not in this cache; its owner can fetch it (nacre collateral fetch)")]
    NotHeld(String),
    /// It is there, and must not be used.
    #[error("{error}; the owner of this cache can fetch it anew (nacre collateral fetch)")]
    Unusable {
        /// The reason.
        error: Refusal,
    },
    /// The directory cannot be read; the details are for its owner.
    #[error("this cache cannot be read")]
    Cache(#[source] CacheError),
}

impl CacheDir {
    /// Answers a request, if the piece is here, genuine and valid `now`.
    ///
    /// A request that names no edition gets the one by which quotes are verified here.
    ///
    /// # Errors
    /// When it is not; nothing that has expired is ever served.
    pub fn answer(&self, request: &Request, now: UnixTime) -> Result<Response, AnswerError> {
        let not_held = || AnswerError::NotHeld(request.to_string());
        let served = |name| match self.checked(name) {
            Ok((item, piece)) => match piece.check_dates(now) {
                Ok(()) => Ok((item, piece)),
                Err(error) => Err(AnswerError::Unusable { error }),
            },
            Err(CacheError::Missing { .. }) => Err(not_held()),
            Err(CacheError::Refused(error)) => Err(AnswerError::Unusable { error }),
            Err(error) => Err(AnswerError::Cache(error)),
        };
        let document = |kind, name: &dyn Fn(Shelf) -> Name, edition| {
            let shelf = match edition {
                Edition::Unspecified => self.in_use().map_err(AnswerError::Cache)?,
                Edition::Standard => Shelf::Standard,
                Edition::Early => Shelf::Early,
                Edition::EvaluationDataNumber(number) => {
                    let shelves = [Shelf::Number(number), Shelf::Standard, Shelf::Early].into_iter();
                    let mut found = shelves.filter_map(|shelf| served(name(shelf)).ok());
                    let (item, _) = found
                        .find(|(_, piece)| number_of(piece.about) == Some(number))
                        .ok_or_else(not_held)?;
                    return Ok(Response::with_document(kind, &item.into_document()));
                }
            };
            let (item, _) = served(name(shelf))?;
            Ok(Response::with_document(kind, &item.into_document()))
        };
        match *request {
            Request::RootCaCrl => {
                let (item, _) = served(Name::RootCrl)?;
                Response::with_root_ca_crl(item.content()).map_err(|_| not_held())
            }
            Request::PckCrl { ca, encoding } => {
                let (item, _) = served(Name::PckCrl(ca))?;
                Response::with_pck_crl(&item.into_list(), encoding).map_err(|_| not_held())
            }
            Request::TcbInfo { tee, fmspc, edition } => {
                document(Document::TcbInfo, &|shelf| tcb_info(tee, fmspc, shelf), edition)
            }
            Request::QeIdentity { tee, edition } => document(
                Document::QeIdentity,
                &|shelf| Name::QeIdentity(tee, shelf),
                edition,
            ),
            Request::QveIdentity { .. } => Err(not_held()),
        }
    }
}

impl AnswerError {
    /// Of HTTP.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::NotHeld(_) => 404,
            Self::Unusable { .. } | Self::Cache(_) => 503,
        }
    }
}

const fn tcb_info(tee: Tee, fmspc: Bytes<6>, shelf: Shelf) -> Name {
    Name::TcbInfo(tee, fmspc, shelf)
}

const fn number_of(about: About) -> Option<u32> {
    match about {
        About::TcbInfo {
            evaluation_data_number,
            ..
        }
        | About::QeIdentity {
            evaluation_data_number,
            ..
        } => Some(evaluation_data_number),
        About::Root | About::PckCa(_) => None,
    }
}
