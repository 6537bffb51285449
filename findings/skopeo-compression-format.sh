#!/usr/bin/env bash
# skopeo: what `--dest-compress-format` asks for.
#
# Guess: the layers of the copy are compressed in this format (skopeo-copy(1): "Specifies the compression format to
# use").
# True: if skopeo has copied the same layer to the same registry before, it takes the layer that is there, whatever its
# format, and says nothing. So whether a copy is zstd depends on what this machine has copied in the past.
set -euo pipefail

packages=(skopeo=1.9.3+ds1-1+b10 docker-registry=2.8.2+ds1-1)

scratch=$(mktemp -d)
registry=
trap '[ -z "$registry" ] || kill "$registry"; rm -rf "$scratch"' EXIT
chmod 755 "$scratch"

cd "$scratch"
apt-get -qq -o APT::Sandbox::User=root download "${packages[@]}"
for package in *.deb; do
    dpkg-deb --extract "$package" root
done
skopeo() {
    # Its libraries are those of the machine (on Debian 12: apt-get install --no-install-recommends skopeo).
    root/usr/bin/skopeo --insecure-policy "$@"
}
skopeo --version
root/usr/bin/docker-registry --version

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat > registry.yml <<YAML
version: 0.1
storage: {filesystem: {rootdirectory: $scratch/registry}}
http: {addr: 127.0.0.1:$port}
YAML
root/usr/bin/docker-registry serve registry.yml > registry.log 2>&1 &
registry=$!
until (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> registry-up; do
    sleep 0.1
done

# An image of one layer with random content, which nobody has copied before.
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


archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w") as layer_tar:
    member = tarfile.TarInfo("file")
    member.size = 64
    layer_tar.addfile(member, io.BytesIO(os.urandom(64)))
layer = blob(archive.getvalue(), "layer.v1.tar")
rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}
config = blob(json.dumps(config).encode(), "config.v1+json")
manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": config, "layers": [layer]}
entry = blob(json.dumps(manifest).encode(), "manifest.v1+json")
with open("source/index.json", "w") as file:
    json.dump({"schemaVersion": 2, "manifests": [entry]}, file)
with open("source/oci-layout", "w") as file:
    json.dump({"imageLayoutVersion": "1.0.0"}, file)
PYTHON

media_type() {
    skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:$port/$1" \
        | python3 -c 'import json, sys; print(json.load(sys.stdin)["layers"][0]["mediaType"])'
}
copy=(copy --quiet --dest-tls-verify=false)
skopeo "${copy[@]}" oci:source "docker://127.0.0.1:$port/image:gzip"
skopeo "${copy[@]}" --dest-compress-format zstd oci:source "docker://127.0.0.1:$port/image:zstd"
echo "without a format: $(media_type image:gzip)"
echo "with zstd:        $(media_type image:zstd)"
skopeo "${copy[@]}" --dest-compress-format zstd oci:source oci:layout:zstd
skopeo inspect --raw oci:layout:zstd > layout.json
grep -q 'tar+zstd' layout.json
echo "into a layout, zstd is zstd"
if [ "$(media_type image:zstd)" != "$(media_type image:gzip)" ]; then
    echo "the format is heeded now"
    exit 1
fi
echo "The finding holds."
