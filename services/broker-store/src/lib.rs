//! Keeps the key broker's state: sealed records in a database that the adversary has in their hands.
//!
//! ```text
//! Store ── Transaction     records of tables, an append-only journal, one change at a time
//!   │  Sealer, Commit      what is sealed, and what binds it together
//!   └─ Backend             SQLite, PostgreSQL: bytes in, bytes out
//! ```
//!
//! # Trust
//!
//! The database is the adversary's. They can read it, change it, put an old one in its place and delete it.
//! - **Reading** gives sizes, and how often something changes. Names are hidden (HMAC), values are sealed.
//! - **Changing** is found: every row is sealed with its place and its version as associated data, and the last commit binds all
//!   rows together. A row that is swapped, older, missing or added is an error at open and when it is read.
//! - **An old database as a whole** is found if the caller has a [`Witness`]: the head of the chain of commits, as it was
//!   seen before. While a store is open, it is its own witness. Without one, an old database cannot be told from a current one.
//! - **Deleting** gives [`BackendError::Missing`]. A store is made by [`Store::init`] alone, never by opening one.
//!
//! The root key ([`RootKey`]) is the one secret. Whoever has it can read and write everything.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod backend;
mod commit;
mod error;
mod index;
mod keys;
mod postgresql;
mod queue;
mod record;
mod recovery;
mod seal;
mod sealing;
mod shares;
mod sqlite;
mod store;
mod transaction;

pub use backend::{Backend, BackendError, Batch, Head, Meta, RecordChange, RecordId, Row, SealedRecord};
pub use commit::{Witness, WitnessError};
pub use error::StoreError;
pub use keys::{RootKey, RootKeyError};
pub use postgresql::Postgresql;
pub use queue::SharedStore;
pub use record::{Record, Table};
pub use recovery::{Recovery, RecoveryError, RecoveryKey, Share};
pub use sealing::SealingKeys;
pub use sqlite::Sqlite;
pub use store::{Job, Outcome, Store};
pub use transaction::{JournalEntry, Transaction};
