#!/usr/bin/env bash
# skopeo: an image in an OCI layout that also has a referrer, such as an SBOM.
#
# Guess: a layout with one image and an SBOM that refers to it has one image, so nobody has to say which one is meant.
# The OCI image specification (v1.1, image-index.md and manifest.md) marks the SBOM by `artifactType` in the index, and by
# `subject` in its manifest, so a reader can tell the two apart.
# True: skopeo counts the entries of the index. With a referrer in it, `oci:DIR` and `oci-archive:FILE` are refused
# ("more than one image in oci, choose an image") until a name is given.
set -euo pipefail

package=skopeo
version=1.9.3+ds1-1+b10

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"

cd "$scratch"
apt-get -qq -o APT::Sandbox::User=root download "$package=$version"
dpkg-deb --extract "$package"_*.deb root
skopeo() {
    # Its libraries are those of the machine (on Debian 12: apt-get install --no-install-recommends skopeo).
    root/usr/bin/skopeo --insecure-policy "$@"
}
skopeo --version

# An image, alone and with an SBOM that refers to it.
python3 - <<'PYTHON'
import hashlib
import io
import json
import os
import tarfile

OCI = "application/vnd.oci.image."


def layout(name, with_sbom):
    os.makedirs(f"{name}/blobs/sha256")

    def blob(data, media_type):
        digest = hashlib.sha256(data).hexdigest()
        with open(f"{name}/blobs/sha256/{digest}", "wb") as file:
            file.write(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def document(content, media_type):
        return blob(json.dumps(content).encode(), media_type)

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("file"), io.BytesIO(b""))
    layer = blob(archive.getvalue(), OCI + "layer.v1.tar")
    config = document(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        },
        OCI + "config.v1+json",
    )
    manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json"}
    image = document({**manifest, "config": config, "layers": [layer]}, OCI + "manifest.v1+json")
    named = {**image, "annotations": {"org.opencontainers.image.ref.name": "app"}}
    entries = [named]
    if with_sbom:
        sbom = "application/spdx+json"
        referrer = document(
            {
                **manifest,
                "artifactType": sbom,
                "config": document({}, "application/vnd.oci.empty.v1+json"),
                "layers": [document({"spdxVersion": "SPDX-2.3"}, sbom)],
                "subject": image,
            },
            OCI + "manifest.v1+json",
        )
        entries.append({**referrer, "artifactType": sbom})
    with open(f"{name}/index.json", "w") as file:
        json.dump({"schemaVersion": 2, "manifests": entries}, file)
    with open(f"{name}/oci-layout", "w") as file:
        json.dump({"imageLayoutVersion": "1.0.0"}, file)


layout("alone", False)
layout("attached", True)
PYTHON

skopeo inspect --raw oci:alone >/dev/null || { echo "the image alone is not read"; exit 1; }
if skopeo inspect --raw oci:attached >/dev/null 2>error; then
    echo "skopeo finds the image beside its SBOM"
    exit 1
fi
cat error
grep -q "more than one image" error || { echo "it refuses for another reason"; exit 1; }
skopeo inspect --raw oci:attached:app >/dev/null || { echo "a name does not help"; exit 1; }
echo "The finding holds."
