#!/usr/bin/env bash
# workerd: the start in an image without certificates.
#
# Guess: a server whose configuration names no TLS, no outgoing network and no service but a script of its own starts in
# an image with nothing but the program and its libraries, as images "from scratch" are. Certificates of authorities are
# looked for when something connects by TLS.
# True: they are looked for at the start, whatever the configuration says, and without any the server ends with
# an exception. With the package ca-certificates in the image the same configuration serves.
set -euo pipefail

package=@cloudflare/workerd-linux-64
version=1.20261117.1

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
npm pack --silent "$package@$version" > /dev/null
tar xzf ./*.tgz
workerd=$scratch/package/bin/workerd
"$workerd" --version

cat > hello.capnp <<'CAPNP'
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    serviceWorkerScript = "addEventListener('fetch', event => event.respondWith(new Response('hello')))",
    compatibilityDate = "2026-11-01"))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]);
CAPNP

# A mount namespace stands for the image: the directory of the certificates is empty in it, or as it is here.
without=$(timeout 10 unshare --user --map-root-user --mount sh -c \
    'mount -t tmpfs none /etc/ssl && exec "$@"' sh "$workerd" serve hello.capnp 2>&1) && status=0 || status=$?
echo "without certificates: status $status: $without"
[ "$status" = 1 ]
grep -q "No CA certificates were loaded" <<< "$without"

# It serves until the time is over.
timeout 3 "$workerd" serve hello.capnp && status=0 || status=$?
echo "with certificates: status $status"
[ "$status" = 124 ]
echo "as described"
