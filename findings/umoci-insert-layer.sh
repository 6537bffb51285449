#!/usr/bin/env bash
# umoci: the layers of `umoci insert`.
#
# Guess: a layer is a tar archive (OCI image-spec, layer.md), and a tar archive consists of blocks of 512 bytes and
# ends with two blocks of zeros (POSIX, pax), so every reader of tar archives reads it.
# True: the layer ends with the last byte of the last file. The padding of its last block and the end of the archive
# are missing. GNU tar refuses it. Go's archive/tar, with which container tools read, takes it as an end.
set -euo pipefail

package=umoci
version=0.4.7+ds-3+b7

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"

cd "$scratch"
apt-get -qq -o APT::Sandbox::User=root download "$package=$version"
dpkg-deb --extract "$package"_*.deb root
umoci() {
    root/usr/bin/umoci "$@"
}
umoci --version

printf hello > file
umoci init --layout layout
umoci new --image layout:1
umoci insert --image layout:1 file /etc/file

python3 - <<'PYTHON'
import gzip
import json


def blob(descriptor):
    with open("layout/blobs/" + descriptor["digest"].replace(":", "/"), "rb") as file:
        return file.read()


with open("layout/index.json") as file:
    manifest = json.loads(blob(json.load(file)["manifests"][0]))
layer = gzip.decompress(blob(manifest["layers"][-1]))
with open("layer.tar", "wb") as file:
    file.write(layer)
print(f"the layer has {len(layer)} bytes and ends with {layer[-5:]}")
assert len(layer) == 512 + 5, "the layer has padding now"
PYTHON

if tar --list --file layer.tar; then
    echo "GNU tar reads the layer now"
    exit 1
fi
umoci unpack --rootless --image layout:1 bundle
test "$(cat bundle/rootfs/etc/file)" = hello
echo "umoci itself reads it: /etc/file is there"
echo "The finding holds."
