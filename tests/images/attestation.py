"""Proves what it runs in, as a program for Gramine does: the files and the order of its documentation."""

import hashlib
import os

if not os.path.exists("/dev/attestation/report"):
    raise SystemExit("this is no enclave")

with open("/dev/attestation/attestation_type") as f:
    print("type", f.read())

with open("/dev/attestation/my_target_info", "rb") as f:
    my_target_info = f.read()
with open("/dev/attestation/target_info", "wb") as f:
    f.write(my_target_info)

with open("/dev/attestation/user_report_data", "wb") as f:
    f.write(hashlib.sha256(b"a public key").digest())

with open("/dev/attestation/report", "rb") as f:
    report = f.read()
with open("/dev/attestation/quote", "rb") as f:
    quote = f.read()
assert quote[48:432] == report[:384], "the quote is of another report"
print("quote", quote.hex())

with open("/dev/attestation/keys/default", "wb") as f:
    f.write(bytes(range(16)))
with open("/dev/attestation/keys/default", "rb") as f:
    print("default", f.read().hex())
print("keys", sorted(os.listdir("/dev/attestation/keys")))
