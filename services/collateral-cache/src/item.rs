//! Items: pieces of collateral as files.

use dcap_quote::{Bytes, Collateral, Document, PckCa, Piece, Tee};
use pcs::{IssuedDocument, IssuedList, Parts, SignedDocument};
use serde::{Deserialize, Serialize};

use crate::shelf::Shelf;

/// Which piece it is; the file is named for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// The root's revocation list.
    RootCrl,
    /// The revocation list of an authority for PCKs.
    PckCrl(PckCa),
    /// Which quoting enclaves are genuine.
    QeIdentity(Tee, Shelf),
    /// What the versions of a kind of platform are worth.
    TcbInfo(Tee, Bytes<6>, Shelf),
}

/// Contents of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Item {
    /// PEM; of the root's list the root's certificate.
    issuer_chain: String,
    /// A list in hexadecimal, or the document byte by byte as it was signed.
    content: String,
    /// Of a document, in hexadecimal; empty for a list, whose signature is within.
    signature: String,
}

impl Name {
    /// As the directory has it.
    pub(crate) fn file_name(self) -> String {
        match self {
            Self::RootCrl => "root-crl.json".to_owned(),
            Self::PckCrl(ca) => format!("pck-crl-{ca}.json"),
            Self::QeIdentity(tee, shelf) => format!("qe-identity-{}{}.json", lower(tee), shelf.suffix()),
            Self::TcbInfo(tee, fmspc, shelf) => {
                format!("tcb-info-{}-{fmspc}{}.json", lower(tee), shelf.suffix())
            }
        }
    }

    /// The edition of a document; lists have none.
    pub(crate) const fn shelf(self) -> Option<Shelf> {
        match self {
            Self::RootCrl | Self::PckCrl(_) => None,
            Self::QeIdentity(_, shelf) | Self::TcbInfo(_, _, shelf) => Some(shelf),
        }
    }

    /// Reads back what [`file_name`](Self::file_name) wrote; other files are nobody's.
    pub(crate) fn from_file_name(file_name: &str) -> Option<Self> {
        let stem = file_name.strip_suffix(".json")?;
        let (rest, shelf) = Shelf::split(stem);
        let name = if rest == "root-crl" {
            Self::RootCrl
        } else if let Some(ca) = rest.strip_prefix("pck-crl-") {
            Self::PckCrl(PckCa::ALL.into_iter().find(|known| known.name() == ca)?)
        } else if let Some(tee) = rest.strip_prefix("qe-identity-") {
            Self::QeIdentity(tee_of(tee)?, shelf)
        } else {
            let (tee, fmspc) = rest.strip_prefix("tcb-info-")?.split_once('-')?;
            Self::TcbInfo(tee_of(tee)?, Bytes::from_hex(fmspc)?, shelf)
        };
        (name.file_name() == file_name).then_some(name)
    }
}

/// As a person calls it.
impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RootCrl => f.write_str("root's revocation list"),
            Self::PckCrl(ca) => write!(f, "revocation list of the {ca} CA"),
            Self::QeIdentity(tee, shelf) => write!(f, "{}QE identity for {tee}", shelf.adjective()),
            Self::TcbInfo(tee, fmspc, shelf) => {
                write!(f, "{}TCB info of FMSPC {fmspc} for {tee}", shelf.adjective())
            }
        }
    }
}

impl Item {
    /// The piece, to be verified; none when the file is of another kind than its name.
    pub(crate) fn piece(&self, name: Name) -> Option<Piece<'_>> {
        let Self {
            issuer_chain,
            content,
            signature,
        } = self;
        let document = |document| Piece::Document {
            document,
            issuer_chain,
            json: content,
            signature,
        };
        match name {
            Name::RootCrl => signature.is_empty().then_some(Piece::RootRevocationList {
                certificate: issuer_chain,
            }),
            Name::PckCrl(_) => signature.is_empty().then_some(Piece::PckRevocationList {
                issuer_chain,
                list: content,
            }),
            Name::QeIdentity(..) => Some(document(Document::QeIdentity)),
            Name::TcbInfo(..) => Some(document(Document::TcbInfo)),
        }
    }

    /// What the file holds, without its issuer.
    pub(crate) fn content(&self) -> &str {
        &self.content
    }

    pub(crate) fn into_list(self) -> IssuedList {
        IssuedList {
            issuer_chain: self.issuer_chain,
            list: self.content,
        }
    }

    pub(crate) fn into_document(self) -> IssuedDocument {
        IssuedDocument {
            issuer_chain: self.issuer_chain,
            document: SignedDocument {
                json: self.content,
                signature: self.signature,
            },
        }
    }
}

/// The four pieces that make up the collateral of a platform.
#[derive(Clone, Debug)]
pub(crate) struct Items {
    pub root_crl: Item,
    pub pck_crl: Item,
    pub qe_identity: Item,
    pub tcb_info: Item,
}

impl Items {
    /// Takes collateral apart.
    pub(crate) fn of(collateral: &Collateral) -> Self {
        // Collateral that was checked has one; without, the piece would be refused like any other that proves nothing.
        let certificate = collateral.root_certificate().unwrap_or_default().to_owned();
        let list = |issuer_chain, content| Item {
            issuer_chain,
            content,
            signature: String::new(),
        };
        let document = |issued: IssuedDocument| Item {
            issuer_chain: issued.issuer_chain,
            content: issued.document.json,
            signature: issued.document.signature,
        };
        let parts = Parts::from(collateral.clone());
        Self {
            root_crl: list(certificate, parts.root_ca_crl),
            pck_crl: list(parts.pck_crl.issuer_chain, parts.pck_crl.list),
            qe_identity: document(parts.qe_identity),
            tcb_info: document(parts.tcb_info),
        }
    }

    /// Puts collateral together. That the pieces fit each other is for the verifier to see.
    pub(crate) fn into_collateral(self) -> Collateral {
        let parts = Parts {
            pck_crl: self.pck_crl.into_list(),
            root_ca_crl: self.root_crl.content,
            tcb_info: self.tcb_info.into_document(),
            qe_identity: self.qe_identity.into_document(),
        };
        parts.into()
    }
}

const fn lower(tee: Tee) -> &'static str {
    match tee {
        Tee::Sgx => "sgx",
        Tee::Tdx => "tdx",
    }
}

fn tee_of(text: &str) -> Option<Tee> {
    [Tee::Sgx, Tee::Tdx].into_iter().find(|tee| lower(*tee) == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let fmspc = Bytes([0, 0x90, 0x6e, 0xd5, 0, 0]);
        let mut names = vec![Name::RootCrl];
        names.extend(PckCa::ALL.map(Name::PckCrl));
        for shelf in [Shelf::Standard, Shelf::Early, Shelf::Number(17)] {
            for tee in [Tee::Sgx, Tee::Tdx] {
                names.extend([Name::QeIdentity(tee, shelf), Name::TcbInfo(tee, fmspc, shelf)]);
            }
        }
        for name in &names {
            assert_eq!(Name::from_file_name(&name.file_name()), Some(*name));
        }
        let early = Name::TcbInfo(Tee::Tdx, fmspc, Shelf::Early);
        assert_eq!(early.file_name(), "tcb-info-tdx-00906ed50000-early.json");
        for other in [
            "root",
            "lock",
            "root-crl",
            "root-crl-early.json",
            "tcb-info-tdx-00906ED50000.json",
            "tcb-info-tdx-00906ed5000.json",
            "qe-identity-.json",
            "qe-identity-sgx-n017.json",
            "qe-identity-sgx-n.json",
            "qe-identity-sgx-n4294967296.json",
            "root-crl-n17.json",
            ".tmp123.json",
        ] {
            assert_eq!(Name::from_file_name(other), None, "{other}");
        }
    }
}
