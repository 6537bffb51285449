#!/usr/bin/env bash
# skopeo: what `skopeo copy` changes in an image.
#
# Guess: a copy between two OCI layouts keeps the manifest, since source and destination can hold the same
# (skopeo-copy(1): "Copy an image (manifest, filesystem layers, signatures) from one location to another").
# True: layers that are not compressed are compressed, so the manifest and its digest change. With
# --preserve-digests they stay. --dest-decompress does not undo it: the manual says that it is for the
# transport "dir" only, and elsewhere it is ignored without a word. A docker-archive always gets
# uncompressed layers, but skopeo then reports them as gzip, and the annotations of the manifest are lost.
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

# An image of one uncompressed layer, with an annotation in its manifest.
python3 - <<'PYTHON'
import hashlib
import io
import json
import os
import tarfile

OCI = "application/vnd.oci.image."
os.makedirs("source/blobs/sha256")


def blob(data, media_type):
    digest = hashlib.sha256(data).hexdigest()
    with open(f"source/blobs/sha256/{digest}", "wb") as file:
        file.write(data)
    return {"mediaType": OCI + media_type, "digest": f"sha256:{digest}", "size": len(data)}


def document(value, media_type):
    return blob(json.dumps(value).encode(), media_type)


archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w") as layer_tar:
    member = tarfile.TarInfo("file")
    member.size = 5
    layer_tar.addfile(member, io.BytesIO(b"hello"))
layer = blob(archive.getvalue(), "layer.v1.tar")
rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
config = document({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}, "config.v1+json")
manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": config, "layers": [layer]}
manifest["annotations"] = {"org.example.note": "kept?"}
entry = document(manifest, "manifest.v1+json")
entry["annotations"] = {"org.opencontainers.image.ref.name": "1"}
with open("source/index.json", "w") as file:
    json.dump({"schemaVersion": 2, "manifests": [entry]}, file)
with open("source/oci-layout", "w") as file:
    json.dump({"imageLayoutVersion": "1.0.0"}, file)
PYTHON

skopeo copy --quiet oci:source:1 oci:copy:1
skopeo copy --quiet --preserve-digests oci:source:1 oci:preserved:1
skopeo copy --quiet --dest-decompress oci:copy:1 oci:decompressed:1
skopeo copy --quiet oci:copy:1 docker-archive:copy.tar:name:1
for image in oci:source:1 oci:copy:1 oci:preserved:1 oci:decompressed:1 docker-archive:copy.tar; do
    skopeo inspect --raw "$image" > "manifest-${image%%:*}-${image//[^a-z]/}"
done

python3 - <<'PYTHON'
import glob
import hashlib
import json

read = {}
for path in glob.glob("manifest-*"):
    with open(path, "rb") as file:
        data = file.read()
    manifest = json.loads(data)
    name = path.rsplit("-", 1)[1]
    read[name] = (hashlib.sha256(data).hexdigest(), manifest)
    layer = manifest["layers"][0]
    print(name, read[name][0][:12], layer["mediaType"], layer["digest"][:19], manifest.get("annotations"))

source, copy, decompressed = read["ocisource"], read["ocicopy"], read["ocidecompressed"]
preserved, docker = read["ocipreserved"], read["dockerarchivecopytar"]
assert source[0] != copy[0], "a copy keeps the digest now"
assert copy[1]["layers"][0]["mediaType"].endswith("tar+gzip"), "a copy does not compress now"
assert source[0] == preserved[0], "--preserve-digests does not keep the digest"
assert decompressed[0] == copy[0], "--dest-decompress has an effect now"
assert "annotations" not in docker[1], "a docker-archive keeps annotations now"
layer = docker[1]["layers"][0]
assert layer["digest"] == source[1]["layers"][0]["digest"], "a docker-archive does not decompress the layer now"
assert layer["mediaType"].endswith("tar.gzip"), "a docker-archive's layer has another media type now"
print("The finding holds.")
PYTHON
