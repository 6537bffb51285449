//! A confidential image stays the same enclave, whatever copies it: registries, skopeo, podman, buildah, umoci.

use std::fs;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use harness::{Outcome, nacre};
use serde_json::Value;

mod attached;
mod place;

use place::{Registry, Workplace};

const SKOPEO: &str = "skopeo --insecure-policy copy --quiet --src-tls-verify=false --dest-tls-verify=false";

#[test]
fn registries_and_skopeo_keep_the_enclave() {
    let place = Workplace::new();
    if !place.tool("skopeo --version") {
        return;
    }
    for (options, compression) in [
        ("", Some("gzip")),
        ("--dest-compress-format zstd", Some("zstd")),
        ("--preserve-digests", None),
    ] {
        let copy = format!("oci:skopeo{}", compression.unwrap_or("plain"));
        place.tool(&format!("{SKOPEO} {options} oci-archive:image.tar {copy}:1"));
        place.check(&copy, compression);
    }
    place.tool(&format!(
        "{SKOPEO} oci:skopeogzip:1 docker-archive:unpacked.tar:app:1"
    ));
    place.check("docker-archive:unpacked.tar", None);

    let Some(registry) = Registry::start(&place) else {
        return;
    };
    // skopeo takes a layer that it knows to be there in another compression, so that of the copy is asked for.
    for (source, options, compression) in [
        ("oci-archive:image.tar", "", Some("gzip")),
        ("oci:skopeozstd:1", "--preserve-digests", Some("zstd")),
        ("oci-archive:image.tar", "--preserve-digests", None),
    ] {
        let name = compression.unwrap_or("plain");
        let remote = format!("docker://{}/app:{name}", registry.address);
        place.tool(&format!("{SKOPEO} {options} {source} {remote}"));
        place.tool(&format!(
            "{SKOPEO} --preserve-digests {remote} oci-archive:back-{name}.tar"
        ));
        place.check(&format!("oci-archive:back-{name}.tar"), compression);
    }
}

#[test]
fn nacre_pushes_what_skopeo_reads_and_reads_what_skopeo_pushes() {
    let place = Workplace::new();
    if !place.tool("skopeo --version") {
        return;
    }
    let Some(registry) = Registry::start(&place) else {
        return;
    };
    let remote = |name: &str| format!("docker://{}/{name}", registry.address);
    place.tool(&format!(
        "{SKOPEO} docker-archive:plain.tar {}",
        remote("plain:1")
    ));

    // From the registry into the registry: the same enclave as from file to file.
    let (plain, made) = (remote("plain:1"), remote("made:1"));
    let converted = place.nacre(&["convert", &plain, &made]);
    assert_eq!(converted.status, 0, "{converted}");
    let pushed = converted
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("nacre: pushed ")?.split(' ').next());
    let pushed = pushed.unwrap_or_else(|| panic!("{converted}")).to_owned();
    place.check(&made, None);
    // By its digest, and as skopeo copies it back.
    place.check(&format!("{}@{pushed}", remote("made")), None);
    place.tool(&format!(
        "{SKOPEO} --preserve-digests {made} oci-archive:back.tar"
    ));
    place.check("oci-archive:back.tar", None);

    // What skopeo compresses is fetched as well. It does so on the way to a directory, since the registry has the layer.
    place.tool(&format!("{SKOPEO} oci-archive:image.tar oci:compressed:1"));
    let gzip = remote("gzip:1");
    place.tool(&format!("{SKOPEO} --preserve-digests oci:compressed:1 {gzip}"));
    place.check(&gzip, Some("gzip"));

    // The same signature gives the same image: nothing is sent to another name of the same registry.
    let again = place.nacre(&[
        "sign",
        "--key",
        "cache/nacre/development-key.pem",
        &made,
        &remote("again:1"),
    ]);
    assert!(
        again.status == 0 && again.stderr.contains("(0 B sent)"),
        "{again}"
    );
    place.check(&remote("again:1"), None);
    place.tool("openssl genrsa -3 -out key.pem 3072");
    let signed = place.nacre(&["sign", "--key", "key.pem", &made, &remote("signed:1")]);
    assert_eq!(signed.status, 0, "{signed}");
    place.check(&remote("signed:1"), None);

    for (image, words) in [
        (remote("nothing:1"), "there is no such image"),
        (
            "docker://127.0.0.1:9/app:1".to_owned(),
            "cannot reach 127.0.0.1:9",
        ),
        ("docker://BAD".to_owned(), "docker://HOST/NAME"),
    ] {
        let outcome = place.nacre(&["inspect", &image]);
        assert!(outcome.status != 0 && outcome.stderr.contains(words), "{outcome}");
    }
    let shown = place.nacre(&["cache", "show"]);
    assert!(shown.stdout.contains("images from registries"), "{shown}");
    assert_eq!(place.nacre(&["cache", "prune"]).status, 0);
    place.check(&made, None);
}

/// `user:open sesame`, as htpasswd writes it.
const ACCOUNTS: &str = "user:$2b$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n";

#[test]
fn a_registry_with_tls_and_a_password_lets_in_who_has_logged_in() {
    let place = Workplace::new();
    let names = "-addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE";
    let certificate = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -days 2";
    if !place.tool(&format!(
        "openssl req {certificate} {names} -keyout tls.key -out tls.pem"
    )) {
        return;
    }
    fs::write(place.path("accounts"), ACCOUNTS).unwrap();
    let lines = "  tls:\n    certificate: tls.pem\n    key: tls.key\nauth:\n  htpasswd:\n    realm: test\n    path: accounts\n";
    let Some(registry) = Registry::start_with(&place, lines) else {
        return;
    };
    let port = registry.address.rsplit(':').next().unwrap();
    let remote = format!("docker://localhost:{port}/app:1");
    fs::create_dir(place.path("docker")).unwrap();
    let login = |password: &str| {
        let auth = BASE64_STANDARD.encode(format!("user:{password}"));
        let config = serde_json::json!({ "auths": { format!("localhost:{port}"): { "auth": auth } } });
        fs::write(place.path("docker/config.json"), config.to_string()).unwrap();
    };
    let convert = |trusted: &str| {
        let mut command = place.command(&nacre().unwrap());
        command
            .env("SSL_CERT_FILE", place.path(trusted))
            .env("DOCKER_CONFIG", place.path("docker"))
            .args(["convert", "docker-archive:plain.tar", &remote]);
        Outcome::of(command, b"").unwrap()
    };
    login("wrong");
    let refused = convert("tls.pem");
    assert!(
        refused.status != 0 && refused.stderr.contains("refuses access"),
        "{refused}"
    );
    login("open sesame");
    let pushed = convert("tls.pem");
    assert!(
        pushed.status == 0 && pushed.stderr.contains("pushed sha256:"),
        "{pushed}"
    );
    // Another certificate than the one that is trusted: nothing is sent, not even a password over plain HTTP.
    fs::write(place.path("nobody.pem"), "").unwrap();
    let refused = convert("nobody.pem");
    assert!(refused.status != 0, "{refused}");
    assert!(!refused.stderr.contains("sesame"), "{refused}");
}

#[test]
fn podman_keeps_the_enclave() {
    let place = Workplace::new();
    let podman = "podman --root storage --runroot run --storage-driver vfs";
    if !place.tool("podman --version") || !place.tool("skopeo --version") {
        return;
    }
    let Some(registry) = Registry::start(&place) else {
        return;
    };
    let name = format!("{}/app:1", registry.address);
    place.tool(&format!("{SKOPEO} oci-archive:image.tar docker://{name}"));
    place.tool(&format!(
        "{podman} pull --quiet --tls-verify=false docker://{name}"
    ));
    place.tool(&format!("{podman} save --quiet --output docker.tar {name}"));
    place.check("docker-archive:docker.tar", None);
    place.tool(&format!(
        "{podman} save --quiet --format oci-archive --output oci.tar {name}"
    ));
    place.check("oci-archive:oci.tar", Some("gzip"));
    let again = format!("{}/again:1", registry.address);
    place.tool(&format!("{podman} tag {name} {again}"));
    place.tool(&format!("{podman} push --quiet --tls-verify=false {again}"));
    place.tool(&format!("{SKOPEO} docker://{again} oci-archive:again.tar"));
    place.check("oci-archive:again.tar", Some("gzip"));
    // An oci-archive has its name for engines, too.
    place.tool(&format!("{podman} load --quiet --input image.tar"));
    place.tool(&format!("{podman} image exists docker.io/library/app:1"));
}

#[test]
fn what_others_add_is_outside_of_the_enclave() {
    let place = Workplace::new();
    let remarks = |report: &Value| report["outside"].as_array().unwrap().len();
    let buildah = "buildah --root storage --runroot run --storage-driver vfs";
    if place.tool("buildah --version") {
        let from = |name: &str| place.tool(&format!("{buildah} from --name {name} oci-archive:image.tar"));
        from("labelled");
        place.tool(&format!("{buildah} config --label maintainer=me labelled"));
        place.tool(&format!(
            "{buildah} commit --quiet labelled oci-archive:labelled.tar"
        ));
        assert_eq!(remarks(&place.check("oci-archive:labelled.tar", None)), 0);

        // A Dockerfile FROM the confidential image.
        fs::write(place.path("added"), "not measured").unwrap();
        fs::write(
            place.path("Dockerfile"),
            "FROM oci-archive:image.tar\nCOPY added /etc/added\nENV A=B\nUSER 1000\n",
        )
        .unwrap();
        place.tool(&format!(
            "{buildah} build --quiet --isolation chroot --tag built --file Dockerfile ."
        ));
        place.tool(&format!(
            "{buildah} push --quiet built oci-archive:built.tar:built"
        ));
        let report = place.check("oci-archive:built.tar", Some("gzip"));
        let text = report["outside"].to_string();
        assert!(
            text.contains("/etc/added") && text.contains("User, Env"),
            "{text}"
        );

        // All in one layer, which another tool wrote.
        place.tool(&format!(
            "{buildah} commit --quiet --squash labelled oci-archive:squashed.tar"
        ));
        assert_eq!(remarks(&place.check("oci-archive:squashed.tar", None)), 0);

        // Signing it again gives an image of the enclave alone.
        let key = place.path("cache/nacre/development-key.pem");
        let signed = place.nacre(&[
            "sign",
            "oci-archive:built.tar",
            "oci-archive:signed.tar",
            "--key",
            key.to_str().unwrap(),
        ]);
        assert!(signed.stderr.contains("/etc/added"), "{signed}");
    }
    if place.tool("umoci --version") && place.tool("skopeo --version") {
        place.tool(&format!("{SKOPEO} oci-archive:image.tar oci:layout:1"));
        place.tool("umoci unpack --rootless --image layout:1 bundle");
        fs::create_dir_all(place.path("bundle/rootfs/etc")).unwrap();
        fs::write(place.path("bundle/rootfs/etc/added"), "not measured").unwrap();
        place.tool("umoci repack --image layout:2 bundle");
        let report = place.check("oci:layout:2", Some("gzip"));
        assert!(report["outside"].to_string().contains("/etc/added"));
    }
}
