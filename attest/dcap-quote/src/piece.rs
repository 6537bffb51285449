//! A piece of collateral by itself, for those who keep pieces: each is verified up to the root without the others.

use crate::checked::{certificates, check_dates, first_to_expire_first};
use crate::collateral::{Collateral, revocation_list};
use crate::hex;
use crate::pki::{PckAuthority, PckCa, Root, TcbSigner};
use crate::qe_identity::QeIdentity;
use crate::quote::Tee;
use crate::refusal::{Chain, Document, List, Refusal};
use crate::report::Bytes;
use crate::root::TrustedRoot;
use crate::tcb_info::TcbInfo;
use crate::time::UnixTime;
use crate::verdict::{Dated, Item};

/// A piece, unverified. Chains are PEM, lists and signatures as in [`Collateral`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The revocation list of the root.
    RootRevocationList {
        /// The root's certificate.
        certificate: &'a str,
    },
    /// The revocation list of an authority for PCKs.
    PckRevocationList {
        /// Authority and root.
        issuer_chain: &'a str,
        /// The list.
        list: &'a str,
    },
    /// TCB info or QE identity.
    Document {
        /// TCB info or QE identity.
        document: Document,
        /// Signer and root.
        issuer_chain: &'a str,
        /// The document's exact text.
        json: &'a str,
        /// r and s.
        signature: &'a str,
    },
}

/// What a verified piece is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// What the root has revoked.
    Root,
    /// What this authority has revoked.
    PckCa(PckCa),
    /// The versions of a kind of platform.
    TcbInfo {
        /// For enclaves or for trust domains.
        tee: Tee,
        /// The kind of platform.
        fmspc: Bytes<6>,
        /// Number of the TCB recovery that it takes into account.
        evaluation_data_number: u32,
    },
    /// Quoting enclaves.
    QeIdentity {
        /// For enclaves or for trust domains.
        tee: Tee,
        /// Number of the TCB recovery that it takes into account.
        evaluation_data_number: u32,
    },
}

/// A piece that was verified up to the trusted root, but for its dates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedPiece {
    /// What it is about.
    pub about: About,
    /// The piece's own dates: `from` is when it was issued.
    pub own: Dated,
    /// Everything that it depends on, itself included.
    pub dates: Vec<Dated>,
}

impl Piece<'_> {
    /// Verifies the piece, given the root's revocation list.
    ///
    /// # Errors
    /// With the first link to the root that is broken.
    pub fn check(&self, root_ca_crl: &str, trusted: &TrustedRoot) -> Result<CheckedPiece, Refusal> {
        let root_list = revocation_list(root_ca_crl, List::Root)?;
        match self {
            Self::RootRevocationList { certificate } => {
                let chain = Chain::PckRevocationListIssuer;
                let [certificate] = certificates(chain, certificate)?;
                let root = Root::accept(certificate, &root_list, trusted)
                    .map_err(chain.at_authority(1, List::Root))?;
                Ok(CheckedPiece::new(
                    About::Root,
                    &root,
                    [],
                    Item::RootRevocationList,
                ))
            }
            Self::PckRevocationList { issuer_chain, list } => {
                let chain = Chain::PckRevocationListIssuer;
                let [authority, root] = certificates(chain, issuer_chain)?;
                let root =
                    Root::accept(root, &root_list, trusted).map_err(chain.at_authority(2, List::Root))?;
                let list = revocation_list(list, List::Pck)?;
                let authority = PckAuthority::accept(authority, &list, &root)
                    .map_err(chain.at_authority(1, List::Pck))?;
                Ok(CheckedPiece::new(
                    About::PckCa(authority.ca),
                    &root,
                    authority.dates(),
                    Item::PckRevocationList,
                ))
            }
            Self::Document {
                document,
                issuer_chain,
                json,
                signature,
            } => {
                let document = *document;
                let chain = document.chain();
                let [signer, root] = certificates(chain, issuer_chain)?;
                let root =
                    Root::accept(root, &root_list, trusted).map_err(chain.at_authority(2, List::Root))?;
                let signer = TcbSigner::accept(signer, &root).map_err(chain.at(1))?;
                let signature = hex::decode_array(signature).ok_or(Refusal::DocumentSignature(document))?;
                signer
                    .key()
                    .verify(json.as_bytes(), &signature)
                    .map_err(|_| Refusal::DocumentSignature(document))?;
                let about = |error| Refusal::Document { document, error };
                let (signer_item, item) = document.items();
                let signer = Dated::new(signer_item, signer.validity());
                match document {
                    Document::TcbInfo => {
                        let info = TcbInfo::parse(json).map_err(about)?;
                        let about = About::TcbInfo {
                            tee: info.tee(),
                            fmspc: info.fmspc,
                            evaluation_data_number: info.evaluation_data_number,
                        };
                        let dates = [signer, Dated::new(item, info.validity)];
                        Ok(CheckedPiece::new(about, &root, dates, item))
                    }
                    Document::QeIdentity => {
                        let identity = QeIdentity::parse(json).map_err(about)?;
                        let about = About::QeIdentity {
                            tee: identity.tee,
                            evaluation_data_number: identity.evaluation_data_number,
                        };
                        let dates = [signer, Dated::new(item, identity.validity)];
                        Ok(CheckedPiece::new(about, &root, dates, item))
                    }
                }
            }
        }
    }
}

impl CheckedPiece {
    /// Checks that the piece, and what it depends on, may be relied upon at this time.
    ///
    /// # Errors
    /// With what is not valid yet, or has expired.
    pub fn check_dates(&self, at: UnixTime) -> Result<(), Refusal> {
        check_dates(&self.dates, at)
    }

    fn new<const N: usize>(about: About, root: &Root, dates: [Dated; N], own: Item) -> Self {
        let [_, root_list] = root.dates();
        let dates = first_to_expire_first(root.dates().into_iter().chain(dates));
        let own = dates.iter().find(|dated| dated.what == own).copied();
        Self {
            about,
            own: own.unwrap_or(root_list),
            dates,
        }
    }
}

impl Collateral {
    /// The certificate of the root, as PEM: the last one of `pck_crl_issuer_chain`. Unverified.
    #[must_use]
    pub fn root_certificate(&self) -> Option<&str> {
        let start = self.pck_crl_issuer_chain.rfind("-----BEGIN CERTIFICATE-----")?;
        self.pck_crl_issuer_chain.get(start..)
    }
}
