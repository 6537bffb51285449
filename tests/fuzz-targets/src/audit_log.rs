//! Exported audit logs of a key broker, heads of logs and stores, and decrypted shares of root keys.

use std::sync::LazyLock;

use broker_store::{Share, Witness};
use key_broker::audit::{Actor, AuditHead, AuditKey, Event, Outcome, public_key_from_pem, verify};

static KEY: LazyLock<AuditKey> =
    LazyLock::new(|| AuditKey::from_pkcs8(&AuditKey::generate().unwrap()).unwrap());

pub(crate) fn run(input: &[u8]) {
    let _ = Share::from_bytes(input);
    let _ = public_key_from_pem(input);
    let text = String::from_utf8_lossy(input);
    if let Ok(head) = text.parse::<AuditHead>() {
        assert_eq!(head.to_string().parse(), Ok(head));
    }
    if let Ok(witness) = text.parse::<Witness>() {
        assert_eq!(witness.to_string().parse(), Ok(witness));
    }
    let public = KEY.public_key().unwrap();
    if let Ok(verified) = verify(&text, &public, None) {
        // A log that is believed ends where it says, and is believed again by that.
        assert_eq!(verify(&text, &public, Some(&verified.head)), Ok(verified));
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let event = Event {
        time: 1_764_530_000,
        actor: Actor::Broker,
        action: "broker.init".to_owned(),
        deployment: None,
        subject: None,
        outcome: Outcome::Granted,
        reason: "\"quotes\" and ,\"signature\":\"".to_owned(),
        reference: None,
    };
    let line = KEY.line(1, &[0; 32], &event).unwrap();
    let hash = "ab".repeat(32);
    vec![
        line,
        format!("7:{hash}").into_bytes(),
        format!("nacre-root-key-share 1 0011223344556677 2 1 {hash}\n").into_bytes(),
    ]
}
