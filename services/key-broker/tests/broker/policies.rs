//! Who may change what: policies, approvals, secrets, the audit log.

use crate::support::{Peer, Running, hex};

fn policy(services: &str) -> String {
    format!(
        "name: shop\nservices: {{ web: {{ enclaves: [{}]{services} }} }}\n",
        hex(0x11)
    )
}

#[tokio::test]
async fn a_policy_is_applied_read_and_replaced() {
    let broker = Running::start().await;
    let first = broker.apply("shop", &policy("")).await;
    assert_eq!(
        broker.apply("shop", &policy("")).await,
        first,
        "again is no change"
    );
    let read = broker.admin("GET", "/v1/deployments/shop", b"").await;
    assert_eq!(
        deployment_policy::Policy::parse(&read.text())
            .unwrap()
            .digest()
            .to_string(),
        first
    );
    // Two owners have seen the first one.
    let second = format!("{}predecessor: {first}\n", policy(", arguments: [a]"));
    let third = format!("{}predecessor: {first}\n", policy(", arguments: [b]"));
    let digest = broker.apply("shop", &second).await;
    let late = broker
        .admin("PUT", "/v1/deployments/shop", third.as_bytes())
        .await;
    assert_eq!((late.status, late.code().as_str()), (409, "conflict"));
    assert!(late.text().contains(&digest), "{}", late.text());
    let unaware = broker
        .admin(
            "PUT",
            "/v1/deployments/shop",
            policy(", arguments: [c]").as_bytes(),
        )
        .await;
    assert_eq!(unaware.status, 409);
    let history = broker
        .admin("GET", "/v1/deployments/shop/history", b"")
        .await
        .json();
    assert_eq!(history["history"].as_array().unwrap().len(), 2);
    assert_eq!(history["history"][1]["predecessor"], first.as_str());
    let old = broker.admin("GET", "/v1/deployments/shop/history/1", b"").await;
    assert_eq!(
        deployment_policy::Policy::parse(&old.text())
            .unwrap()
            .digest()
            .to_string(),
        first
    );
    assert_eq!(
        broker
            .admin("GET", "/v1/deployments/shop/history/3", b"")
            .await
            .status,
        404
    );
    let log = broker.audit().await;
    assert_eq!(log.matches("\"policy.apply\"").count(), 4, "{log}");
}

#[tokio::test]
async fn strangers_learn_nothing() {
    let broker = Running::start().await;
    broker.apply("shop", &policy("")).await;
    let stranger = Peer::person("stranger");
    for (method, path, body) in [
        ("GET", "/v1/deployments/shop", ""),
        ("GET", "/v1/deployments/none", ""),
        ("GET", "/v1/deployments/shop/history", ""),
        ("GET", "/v1/deployments/shop/history/1", ""),
        ("GET", "/v1/deployments/shop/approvals", ""),
        ("GET", "/v1/deployments/shop/secrets", ""),
        ("GET", "/v1/deployments/shop/instances", ""),
        ("GET", "/v1/deployments/shop/authority", ""),
        ("PUT", "/v1/deployments/shop/secrets/x", "value"),
        ("PUT", "/v1/deployments/none/secrets/x", "value"),
        ("DELETE", "/v1/deployments/shop/secrets/x", ""),
        ("GET", "/v1/audit", ""),
        ("GET", "/v1/backup", ""),
        ("GET", "/v1/audit?deployment=shop", ""),
        ("PUT", "/v1/deployments/shop", policy("").as_str()),
        (
            "PUT",
            "/v1/deployments/new",
            policy("").replace("shop", "new").as_str(),
        ),
    ] {
        let answer = broker.ask(Some(&stranger), method, path, body.as_bytes()).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, "forbidden"),
            "{method} {path}"
        );
        let without = broker.ask(None, method, path, body.as_bytes()).await;
        assert_eq!(
            (without.status, without.code().as_str()),
            (401, "no_certificate"),
            "{method} {path}"
        );
    }
    let digest = format!("{{\"digest\":\"{}\"}}", "0".repeat(64));
    let approve = broker
        .ask(
            Some(&stranger),
            "POST",
            "/v1/deployments/shop/approvals",
            digest.as_bytes(),
        )
        .await;
    assert_eq!(approve.status, 403);
    let lists = ["/v1/deployments", "/v1/instances"];
    for list in lists {
        let answer = broker.ask(Some(&stranger), "GET", list, b"").await;
        assert_eq!(answer.status, 200);
        assert!(!answer.text().contains("shop"), "{}", answer.text());
    }
    let status = broker.ask(Some(&stranger), "GET", "/v1/status", b"").await.json();
    assert!(status.get("witness").is_none() && status.get("id").is_some());
    // Nor do they fill the audit log.
    assert_eq!(broker.audit().await.lines().count(), 3);
}

#[tokio::test]
async fn a_stolen_certificate_is_of_no_use_without_its_key() {
    let broker = Running::start().await;
    let thief = broker.administrator.with_key_of(&Peer::person("thief"));
    assert!(
        broker
            .try_ask(Some(&thief), "GET", "/v1/deployments", b"")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn n_of_m_people_approve() {
    let broker = Running::start().await;
    let [alice, bob, carol, dan] = ["alice", "bob", "carol", "dan"].map(Peer::person);
    let policy = |arguments: &str| {
        format!(
            "{}access:
  people: {{ alice: {{ certificate: {} }}, bob: {{ certificate: {} }}, carol: {{ certificate: {} }}, dan: {{ certificate: {} }} }}
  update: [alice]
  read: [dan]
  approve: {{ by: [alice, bob, carol], required: 2 }}
",
            policy(arguments),
            alice.name(),
            bob.name(),
            carol.name(),
            dan.name()
        )
    };
    let path = "/v1/deployments/shop";
    let first = broker.apply("shop", &policy("")).await;
    let next = format!("{}predecessor: {first}\n", policy(", arguments: [x]"));
    let other = format!("{}predecessor: {first}\n", policy(", arguments: [y]"));
    // Nobody else may propose; an administrator may, and cannot bypass the approvals.
    assert_eq!(
        broker.ask(Some(&bob), "PUT", path, next.as_bytes()).await.status,
        403
    );
    let proposed = broker.ask(Some(&alice), "PUT", path, next.as_bytes()).await;
    assert_eq!(proposed.status, 202, "{}", proposed.text());
    assert_eq!(broker.admin("PUT", path, other.as_bytes()).await.status, 202);
    let digest = proposed.json()["digest"].as_str().unwrap().to_owned();
    let approval = format!("{{\"digest\":\"{digest}\"}}");
    let approve = async |peer: &Peer| {
        let path = "/v1/deployments/shop/approvals";
        broker.ask(Some(peer), "POST", path, approval.as_bytes()).await
    };
    assert_eq!(approve(&dan).await.status, 403);
    let administrator = std::sync::Arc::clone(&broker.administrator);
    assert_eq!(approve(&administrator).await.status, 403);
    assert_eq!(approve(&bob).await.status, 202);
    assert_eq!(approve(&bob).await.status, 202, "one person counts once");
    let pending = broker
        .ask(Some(&dan), "GET", "/v1/deployments/shop/approvals", b"")
        .await
        .json();
    assert_eq!(pending["pending"].as_array().unwrap().len(), 2);
    assert!(
        broker
            .admin("GET", path, b"")
            .await
            .text()
            .find("arguments")
            .is_none()
    );
    let done = approve(&carol).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(done.json()["approved_by"], serde_json::json!(["bob", "carol"]));
    let read = broker.ask(Some(&dan), "GET", path, b"").await;
    assert_eq!(
        deployment_policy::Policy::parse(&read.text())
            .unwrap()
            .digest()
            .to_string(),
        digest
    );
    // The other one would follow the policy before.
    let pending = broker
        .ask(Some(&dan), "GET", "/v1/deployments/shop/approvals", b"")
        .await
        .json();
    assert_eq!(pending["pending"].as_array().unwrap().len(), 0);
    assert_eq!(approve(&bob).await.status, 404);
}

#[tokio::test]
async fn bad_input_is_refused_with_a_reason() {
    let broker = Running::start().await;
    let put = async |body: &[u8]| broker.admin("PUT", "/v1/deployments/shop", body).await;
    for (body, hint) in [
        (b"name: shop\nservices: {web: {image: x, foo: 1}}".to_vec(), "foo"),
        (b"name: other\nservices: {web: {image: x}}".to_vec(), "other"),
        (b"\xff\xfe".to_vec(), "UTF-8"),
        (
            b"name: shop\nservices: {web: {image: x}}\nsecrets: {x: {kind: x509, common_name: x, dns: [a.Nacre.internal]}}".to_vec(),
            "for brokers",
        ),
        (b"".to_vec(), ""),
        (b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]".to_vec(), ""),
    ] {
        let answer = put(&body).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "invalid"),
            "{}",
            answer.text()
        );
        assert!(answer.text().contains(hint), "{}", answer.text());
    }
    let large = put(&vec![b' '; (1 << 20) + 1]).await;
    assert_eq!(large.status, 400);
    for (method, path, status) in [
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/deployments/shop", 405),
        ("GET", "/v1/deployments/shop", 404),
        ("GET", "/v1/deployments/sh%2Fop", 404),
        ("GET", "/v1/deployments/%ff", 400),
        ("GET", "/v1/audit?from=x", 400),
        ("GET", "/v1/deployments/shop/history/x", 400),
    ] {
        assert_eq!(
            broker.admin(method, path, b"").await.status,
            status,
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn a_restart_forgets_nothing_and_an_old_store_is_refused() {
    let broker = Running::start().await;
    let digest = broker.apply("shop", &policy("")).await;
    let copy = broker.directory.path().join("copy");
    let backup = broker.admin("GET", "/v1/backup", b"").await;
    assert_eq!(backup.status, 200);
    std::fs::write(&copy, backup.body).unwrap();
    let (directory, administrator) = broker.stop().await;
    let broker = Running::restart((directory, administrator), None).await.unwrap();
    let next = format!("{}predecessor: {digest}\n", policy(", arguments: [x]"));
    broker.apply("shop", &next).await;
    let witness = broker.witness().await;
    assert_eq!(broker.audit().await.lines().count(), 6);
    let (directory, administrator) = broker.stop().await;
    // The host puts the old one in its place.
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(directory.path().join(format!("store{end}")));
    }
    std::fs::copy(&copy, directory.path().join("store")).unwrap();
    let store = directory.path().join("store");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&store, mode).unwrap();
    let open = |witness| {
        let backend = Box::new(broker_store::Sqlite::open(&store).unwrap());
        broker_store::Store::open(backend, &crate::support::root_key(), witness).map(drop)
    };
    assert!(matches!(
        open(Some(&witness)),
        Err(broker_store::StoreError::RolledBack(_))
    ));
    // Without a witness nobody can tell: an operator who restores a backup means it.
    open(None).unwrap();
    let backend = Box::new(broker_store::Sqlite::open(&store).unwrap());
    let mut store = broker_store::Store::open(backend, &crate::support::root_key(), None).unwrap();
    let seen = key_broker::Broker::last_seen(&mut store).unwrap();
    assert_eq!(seen, Some(*crate::support::START));
    drop(administrator);
}
