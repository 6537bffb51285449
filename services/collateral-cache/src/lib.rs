//! Collateral in a directory, for those who verify quotes: fetched, imported, exported, served.
//!
//! [`CacheDir`] keeps the pieces that Intel publishes, a file each. What gets in was verified up to the root that the
//! directory is bound to, and is not older than what it replaces; what gets out was verified again and has not expired. A
//! [`Client`] fetches from Intel, from a cache that speaks as Intel's PCCS does, or from Azure; [`Server`] serves other
//! machines in the same way. [`CacheDir::status`] says what expires when, and what a TCB recovery will do to which
//! platforms before it does.
//!
//! Trusted is the root alone. The directory, the services and the network may do what they like: they can withhold, and
//! they can offer what is old as long as it has not expired and nothing newer was here.
#![forbid(unsafe_code)]

mod answer;
mod binding;
mod bundle;
mod cache_dir;
mod client;
mod error;
mod freshness;
mod insertion;
mod item;
mod rank;
mod server;
mod shelf;
mod status;

pub use answer::AnswerError;
pub use binding::BindingError;
pub use bundle::{Bundle, BundleError};
pub use cache_dir::{CacheDir, Wanted};
pub use client::{Client, ClientError, ClientOptions, FetchError, Fetched, Retry};
pub use error::CacheError;
pub use freshness::{Fresh, Freshness, Stale};
pub use https_client::Roots;
pub use insertion::{Inserted, Kept};
pub use item::Name;
pub use rank::Rank;
pub use server::{Server, ServerConfig, ServerError};
pub use serving::{Limits, Transport, TransportError};
pub use shelf::{Shelf, UnknownShelf};
pub use status::{Dates, Entry, Outlook, State, Status};
