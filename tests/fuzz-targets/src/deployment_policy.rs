//! Policies of deployments, their templates, and what is said of them.

use dcap_quote::{Bytes, UnixTime};
use deployment_policy::{Edit, Policy, Profile, Template, diff, edit, explain, lint};

const ENCLAVE: Bytes<32> = Bytes([0xab; 32]);

/// Policies and templates: which of the two is not told, so that each mutation is tried as both.
pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Ok(template) = text.parse::<Template>() {
        assert_eq!(template.source(), text);
        for reference in template.references() {
            assert!(text.contains(reference.name.as_str()));
        }
    }
    let Ok(policy) = Policy::parse(text) else {
        return;
    };
    let again = Policy::parse(policy.canonical()).expect("the canonical form is a policy");
    assert_eq!(again, policy, "it means the same");
    assert_eq!(diff(&policy, &again), []);
    assert!(explain(&policy).contains(policy.name().as_str()));
    for profile in [Profile::Development, Profile::Production] {
        for finding in lint(&policy, profile, UnixTime(1_800_000_000)) {
            assert!(!finding.message.is_empty());
        }
    }
    let Some((name, before)) = policy.document().services.iter().next() else {
        panic!("a policy has a service");
    };
    // A change does what it should, or is refused.
    if let Ok(edited) = edit(text, name.as_str(), &Edit::AddEnclave(ENCLAVE)) {
        let edited = Policy::parse(&edited).expect("an edited policy is a policy");
        let (_, after) = edited.service(name.as_str()).expect("its services stay");
        assert!(after.enclaves.contains(&ENCLAVE));
        let changes = diff(&policy, &edited).len();
        assert_eq!(changes, usize::from(!before.enclaves.contains(&ENCLAVE)));
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = include_str!("../../../docs/deployment-policy.md")
        .split("```yaml\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .flat_map(|example| {
            let whole = format!("{example}\nname: example\nservices: {{ web: {{ image: x }} }}\n");
            [example.to_owned(), whole]
        })
        .filter(|example| Policy::parse(example).is_ok())
        .map(String::into_bytes)
        .collect();
    seeds.push(br#"{"name": "a", "services": {"web": {"enclaves": [], "environment": {"A": "{{ secret \"s\" | hex }}"}}}, "secrets": {"s": {"kind": "random"}}}"#.to_vec());
    seeds.push(b"a{{ secret \"db.password\" | base64 | hex }}b{{ ca \"x\" }}{{ \"{{\" }}".to_vec());
    seeds.push(b"name: a\nservices: { web: &w { signers: [{ mrsigner: 83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e, product_id: 1, min_svn: 2 }] }, api: *w }".to_vec());
    seeds
}
