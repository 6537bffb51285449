#!/usr/bin/env bash
# Microsoft's Python client for Azure Attestation: how a signed policy names its algorithm and its signer.
#
# Guess: a signed policy is a standard JSON Web Signature. RFC 7518 (3.1) calls RSASSA-PKCS1-v1_5 with
# SHA-256 "RS256", and RFC 7515 (4.1.6) puts the signer's certificates into the header member "x5c".
# True: the header says "RSA256", and the certificates are in the member "x5c" of the member "jwk".
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: \
    azure-security-attestation==1.0.0 azure-core==1.41.0 msrest==0.7.1 cryptography==50.0.2 six==1.17.0

"$scratch/venv/bin/python" - <<'PYTHON'
import base64
import datetime
import importlib.metadata
import json

from azure.security.attestation import AttestationPolicyToken
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "policy signer")])
start = datetime.datetime(2026, 1, 1)
certificate = (
    x509.CertificateBuilder()
    .subject_name(name)
    .issuer_name(name)
    .public_key(key.public_key())
    .serial_number(1)
    .not_valid_before(start)
    .not_valid_after(start + datetime.timedelta(days=3650))
    .sign(key, hashes.SHA256())
)
token = AttestationPolicyToken(
    "version=1.0; authorizationrules { => permit(); };",
    signing_key=key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode(),
    signing_certificate=certificate.public_bytes(serialization.Encoding.PEM).decode(),
).to_jwt_string()

signed, signature = token.rsplit(".", 1)


def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


header = json.loads(decode(signed.split(".")[0]))
# The signature itself is that of RS256; verify() raises if it is not.
key.public_key().verify(decode(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())

chain = header.get("jwk", {}).get("x5c", [])
print("azure-security-attestation", importlib.metadata.version("azure-security-attestation"))
print("header members:", ", ".join(sorted(header)))
print("alg:", header["alg"], "(the signature verifies as RS256)")
print("certificates in x5c:", len(header.get("x5c", [])), "- in jwk.x5c:", len(chain))
assert header["alg"] == "RSA256", "the algorithm has another name now"
assert "x5c" not in header and len(chain) == 1, "the certificates are elsewhere now"
print("The finding holds.")
PYTHON
