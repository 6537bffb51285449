//! What people may do.

use std::collections::BTreeSet;

use dcap_quote::Bytes;
use serde::Serialize;

use crate::document::{Name, Person};
use crate::policy::Policy;

/// Somebody who has proven to hold the key of a client certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principal {
    /// SHA-256 of the certificate's DER.
    pub certificate: Bytes<32>,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub public_key: Bytes<32>,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See the policy, its history and its state.
    Read,
    /// Propose another policy, or set an imported secret.
    Update,
    /// Agree to a proposed policy.
    Approve,
}

/// How far a proposed policy is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// Who has agreed, of those whose agreement counts.
    pub by: Vec<Name>,
    /// How many must.
    pub required: u32,
    /// Whether that is enough.
    pub is_complete: bool,
}

impl Policy {
    /// The names that somebody has in this policy.
    pub fn names_of(&self, principal: &Principal) -> impl Iterator<Item = &Name> {
        let people = self.document().access.people.iter();
        people
            .filter(|(_, person)| is(person, principal))
            .map(|(name, _)| name)
    }

    /// Whether somebody may do that. Whoever may update or approve may also read.
    #[must_use]
    pub fn may(&self, action: Action, principal: &Principal) -> bool {
        let access = &self.document().access;
        let approvers = access
            .approve
            .as_ref()
            .map_or([].as_slice(), |approve| approve.by.as_slice());
        let is_among = |names: &[Name]| self.names_of(principal).any(|name| names.contains(name));
        match action {
            Action::Read => is_among(&access.read) || is_among(&access.update) || is_among(approvers),
            Action::Update => is_among(&access.update),
            Action::Approve => is_among(approvers),
        }
    }

    /// Whether enough people have agreed to a policy that would follow this one. Somebody who agrees twice, with two
    /// certificates of one key or by two names, counts once.
    #[must_use]
    pub fn approval(&self, agreed: &[Principal]) -> Approval {
        let Some(approve) = &self.document().access.approve else {
            return Approval {
                by: Vec::new(),
                required: 0,
                is_complete: true,
            };
        };
        let counts = agreed
            .iter()
            .filter(|principal| self.may(Action::Approve, principal));
        let keys: BTreeSet<_> = counts.clone().map(|principal| principal.public_key).collect();
        let by: BTreeSet<&Name> = counts
            .flat_map(|principal| self.names_of(principal))
            .filter(|name| approve.by.contains(name))
            .collect();
        // One person may have several keys, and one key several names: the fewer count.
        let given = keys.len().min(by.len());
        Approval {
            by: by.into_iter().cloned().collect(),
            required: approve.required,
            is_complete: u32::try_from(given).is_ok_and(|given| given >= approve.required),
        }
    }
}

fn is(person: &Person, principal: &Principal) -> bool {
    person.certificate == Some(principal.certificate) || person.public_key == Some(principal.public_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(certificate: u8, key: u8) -> Principal {
        Principal {
            certificate: Bytes([certificate; 32]),
            public_key: Bytes([key; 32]),
        }
    }

    /// alice by the certificate 01, bob by the key 02, carol by the certificate 03 and the key 04, dan by the key 05.
    fn policy(required: u32) -> Policy {
        let hex = |byte: u8| Bytes([byte; 32]).to_string();
        Policy::parse(&format!(
            "name: shop
services: {{ web: {{ image: x }} }}
access:
  people:
    alice: {{ certificate: '{}' }}
    bob: {{ public_key: '{}' }}
    carol: {{ certificate: '{}', public_key: '{}' }}
    dan: {{ public_key: '{}' }}
  read: [dan]
  update: [alice]
  approve: {{ by: [alice, bob, carol], required: {required} }}
",
            hex(1),
            hex(2),
            hex(3),
            hex(4),
            hex(5)
        ))
        .unwrap()
    }

    #[test]
    fn who_may_do_what() {
        let policy = policy(2);
        let may = |principal| {
            [Action::Read, Action::Update, Action::Approve].map(|action| policy.may(action, &principal))
        };
        assert_eq!(may(principal(1, 9)), [true, true, true]);
        assert_eq!(may(principal(9, 2)), [true, false, true]);
        assert_eq!(may(principal(3, 9)), [true, false, true]);
        assert_eq!(may(principal(9, 4)), [true, false, true]);
        assert_eq!(may(principal(9, 5)), [true, false, false]);
        assert_eq!(
            may(principal(9, 1)),
            [false; 3],
            "a certificate's hash is no key's"
        );
        assert_eq!(may(principal(2, 9)), [false; 3]);
    }

    #[test]
    fn each_person_counts_once() {
        let complete = |required, agreed: &[Principal]| policy(required).approval(agreed).is_complete;
        assert!(complete(2, &[principal(1, 1), principal(9, 2)]));
        assert!(!complete(2, &[principal(1, 1), principal(1, 1)]));
        assert!(
            !complete(2, &[principal(8, 2), principal(9, 2)]),
            "two certificates of one key"
        );
        assert!(
            !complete(2, &[principal(3, 9), principal(9, 4)]),
            "carol by certificate and by key"
        );
        assert!(
            !complete(2, &[principal(1, 2)]),
            "one key that alice and bob have"
        );
        assert!(
            !complete(2, &[principal(1, 1), principal(9, 5)]),
            "dan may not approve"
        );
        assert!(!complete(3, &[principal(1, 1), principal(9, 2)]));
        assert!(complete(3, &[principal(1, 1), principal(9, 2), principal(3, 3)]));
        let approval = policy(2).approval(&[principal(1, 1)]);
        assert_eq!((approval.by.len(), approval.required), (1, 2));
    }

    #[test]
    fn without_approvers_nobody_must_agree() {
        let policy = Policy::parse("name: a\nservices: { web: { image: x } }").unwrap();
        assert!(policy.approval(&[]).is_complete);
        assert!(!policy.may(Action::Read, &principal(0, 0)));
    }
}
