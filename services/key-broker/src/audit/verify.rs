//! Verification of an exported log, by anybody who has the broker's public key.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::SIGNATURE;
use super::entry::Line;

/// The end of a log: `SEQUENCE:SHA-256 of the last line`. Whoever keeps one can tell later that lines were cut off or replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// Of the last line.
    pub sequence: u64,
    /// SHA-256 of the last line in hexadecimal; zeroes if there is none.
    pub hash: String,
}

/// What a log proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Sequence of the first line.
    pub first: u64,
    /// The last one.
    pub head: AuditHead,
}

/// A log that cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct AuditError {
    /// From 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: AuditProblem,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditProblem {
    /// Not of the form.
    #[error("it is not a line of an audit log")]
    Form,
    /// Changed, or signed with another key.
    #[error("its signature is not by this broker, or it was changed")]
    Signature,
    /// Another number than the one that follows.
    #[error("it has the number {found}, and {expected} follows; lines are missing, repeated or out of order")]
    Sequence {
        /// What follows.
        expected: u64,
        /// In the line.
        found: u64,
    },
    /// It follows another line than the one before it.
    #[error("it does not follow the line before it; the log was put together from two")]
    Chain,
    /// The log does not begin at its beginning.
    #[error("it has the number {0}; the lines before it are missing")]
    Beginning(u64),
    /// The head that is known is not in the log.
    #[error("the log does not have the line {0} that is known; lines are missing, or were replaced")]
    Head(AuditHead),
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.hash)
    }
}

impl FromStr for AuditHead {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "the head of a log is a number, a colon, and 64 hexadecimal digits in lower case";
        let (sequence, hash) = text.trim().split_once(':').ok_or(FORM)?;
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        Ok(Self {
            sequence: sequence.parse().map_err(|_| FORM)?,
            hash: is_hash.then(|| hash.to_owned()).ok_or(FORM)?,
        })
    }
}

/// Verifies a whole log, one line for each entry, from the first on: every signature, that the lines follow each other, and
/// that the `known` head is among them. A log that was cut at its end can be told only by a known head.
///
/// `public_key` is a SubjectPublicKeyInfo in DER.
///
/// # Errors
/// With the first line that is wrong.
pub fn verify(log: &str, public_key: &[u8], known: Option<&AuditHead>) -> Result<Verified, AuditError> {
    let mut head = AuditHead {
        sequence: 0,
        hash: "0".repeat(64),
    };
    let mut has_known = known.is_none_or(|known| *known == head);
    let mut lines = 0_usize;
    let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public_key);
    for line in log.lines() {
        lines = lines.saturating_add(1);
        let error = |problem| AuditError { line: lines, problem };
        let key = key.as_ref().map_err(|_| error(AuditProblem::Signature))?;
        let parsed = read(line, key).map_err(error)?;
        let expected = head.sequence.saturating_add(1);
        if parsed.sequence != expected {
            let found = parsed.sequence;
            return Err(error(match head.sequence {
                0 => AuditProblem::Beginning(found),
                _ => AuditProblem::Sequence { expected, found },
            }));
        }
        if parsed.previous != head.hash {
            return Err(error(AuditProblem::Chain));
        }
        head = AuditHead {
            sequence: parsed.sequence,
            hash: base16ct::lower::encode_string(digest(&SHA256, line.as_bytes()).as_ref()),
        };
        has_known |= known == Some(&head);
    }
    match known {
        Some(known) if !has_known => Err(AuditError {
            line: lines,
            problem: AuditProblem::Head(known.clone()),
        }),
        _ => Ok(Verified {
            first: u64::from(lines > 0),
            head,
        }),
    }
}

/// A SubjectPublicKeyInfo (DER) from PEM.
#[must_use]
pub fn public_key_from_pem(pem: &[u8]) -> Option<Vec<u8>> {
    use rustls::pki_types::SubjectPublicKeyInfoDer;
    use rustls::pki_types::pem::PemObject as _;
    let key = SubjectPublicKeyInfoDer::from_pem_slice(pem).ok()?;
    Some(key.as_ref().to_vec())
}

/// A line whose signature is right.
fn read(line: &str, key: &ParsedPublicKey) -> Result<Line, AuditProblem> {
    let (start, rest) = line.rsplit_once(SIGNATURE).ok_or(AuditProblem::Form)?;
    let signature = rest.strip_suffix("\"}").ok_or(AuditProblem::Form)?;
    let signature = STANDARD.decode(signature).map_err(|_| AuditProblem::Form)?;
    let signed = format!("{start}}}");
    key.verify_sig(signed.as_bytes(), &signature)
        .map_err(|_| AuditProblem::Signature)?;
    serde_json::from_str(&signed).map_err(|_| AuditProblem::Form)
}

#[cfg(test)]
mod tests {
    use super::super::{Actor, AuditKey, Event, Outcome};
    use super::*;

    fn log(key: &AuditKey, entries: u64) -> Vec<String> {
        let mut previous = [0; 32];
        let line = |sequence| {
            let event = Event {
                time: 1_764_530_000 + sequence,
                actor: Actor::Person {
                    certificate: "ab".repeat(32),
                },
                action: "policy.apply".to_owned(),
                deployment: Some("shop".to_owned()),
                subject: None,
                outcome: Outcome::Granted,
                reason: "quotes \" and ,\"signature\":\"x\"} do not confuse it".to_owned(),
                reference: None,
            };
            let line = key.line(sequence, &previous, &event).unwrap();
            previous.copy_from_slice(digest(&SHA256, &line).as_ref());
            String::from_utf8(line).unwrap()
        };
        (1..=entries).map(line).collect()
    }

    fn key() -> AuditKey {
        AuditKey::from_pkcs8(&AuditKey::generate().unwrap()).unwrap()
    }

    #[test]
    fn a_whole_log_is_believed() {
        let key = key();
        let (public, lines) = (key.public_key().unwrap(), log(&key, 5));
        let verified = verify(&lines.join("\n"), &public, None).unwrap();
        assert_eq!((verified.first, verified.head.sequence), (1, 5));
        let known = verify(&lines[..3].join("\n"), &public, None).unwrap().head;
        assert_eq!(known.to_string().parse(), Ok(known.clone()));
        assert_eq!(verify(&lines.join("\n"), &public, Some(&known)), Ok(verified));
        assert_eq!(verify("", &public, None).unwrap().head.sequence, 0);
    }

    #[test]
    fn whatever_was_changed_is_found() {
        let key = key();
        let (public, lines) = (key.public_key().unwrap(), log(&key, 5));
        let problem = |lines: &[String]| verify(&lines.join("\n"), &public, None).unwrap_err().problem;
        for line in 0..5 {
            let mut changed = lines.clone();
            changed[line] = changed[line].replace("granted", "refused");
            assert_eq!(problem(&changed), AuditProblem::Signature);
            for (from, to) in [("}", "} "), ("\"}", "\"}}"), ("{", " {")] {
                let mut changed = lines.clone();
                changed[line] = if from == "{" {
                    format!("{to}{}", &changed[line][1..])
                } else {
                    format!("{}{to}", changed[line].strip_suffix(from).unwrap())
                };
                assert!(matches!(
                    problem(&changed),
                    AuditProblem::Form | AuditProblem::Signature
                ));
            }
        }
        let sequence = |expected, found| AuditProblem::Sequence { expected, found };
        assert_eq!(problem(&[&lines[..2], &lines[3..]].concat()), sequence(3, 4));
        assert_eq!(problem(&[&lines[..2], &lines[1..]].concat()), sequence(3, 2));
        assert_eq!(problem(&lines[1..]), AuditProblem::Beginning(2));
        // Two logs of one key.
        let other = log(&key, 5);
        assert_eq!(problem(&[&lines[..2], &other[2..]].concat()), AuditProblem::Chain);
        let mallory = self::key();
        let forged = log(&mallory, 5);
        assert_eq!(problem(&forged), AuditProblem::Signature);
        let head = verify(&lines.join("\n"), &public, None).unwrap().head;
        let cut = verify(&lines[..4].join("\n"), &public, Some(&head));
        assert_eq!(cut.unwrap_err().problem, AuditProblem::Head(head));
    }
}
