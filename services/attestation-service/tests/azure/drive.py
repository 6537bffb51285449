"""Drives the service with Microsoft's own client, `azure-security-attestation`, as its users do.

Arguments: a JSON file with the service's url, its CA file, quotes and keys. Prints one line for each part that works; fails at
the first that does not.
"""

import base64
import hashlib
import json
import sys
import time

from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.security.attestation import (
    AttestationAdministrationClient,
    AttestationClient,
    AttestationPolicyToken,
    AttestationType,
    CertificateModification,
    PolicyModification,
)

PERMIT = 'version=1.0; authorizationrules { => permit(); }; issuancerules { => issue(type="by-policy", value=42); };'
DENY = 'version=1.0; authorizationrules { => deny(); };'
BROKEN = "version=1.0;\nauthorizationrules { permit(); };"


class Credential:
    """Whatever an operator's credential object returns; here, the service's admin token."""

    def __init__(self, secret):
        self.secret = secret

    def get_token(self, *_scopes, **_options):
        return AccessToken(self.secret, int(time.time()) + 3600)


class Parts:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.given = json.load(file)

    def __getattr__(self, name):
        return self.given[name]

    def options(self):
        return {
            "connection_verify": self.ca,
            "validate_issuer": True,
            "issuer": self.url,
            # A request that is refused is refused at once, not after minutes.
            "retry_total": 0,
        }

    def client(self, secret="nobody"):
        return AttestationClient(self.url, Credential(secret), **self.options())

    def administration(self, secret=None, **more):
        return AttestationAdministrationClient(
            self.url, Credential(secret or self.admin_token), **self.options(), **more
        )

    def bytes(self, name):
        return base64.b64decode(self.given[name])


def done(what):
    print("ok:", what, flush=True)


def expect_error(call, status, code, part):
    try:
        call()
    except HttpResponseError as error:
        assert error.status_code == status, (error.status_code, error)
        body = json.loads(error.response.text())["error"]
        assert body["code"] == code and part in body["message"], body
        assert error.response.headers["x-ms-error-code"] == code
        assert error.error.code == code, "the client reads the error itself"
        return
    raise AssertionError(f"not refused: {code}")


def metadata(given):
    with given.client() as client:
        document = client.get_open_id_metadata()
        assert document["issuer"] == given.url, document
        assert document["jwks_uri"] == given.url + "/certs"
        signers = client.get_signing_certificates()
        assert signers and all(signer.key_id and signer.certificates for signer in signers)
    done("OpenID configuration and signing certificates")


def attest(given):
    binary = given.bytes("binary_data")
    document = given.bytes("json_data")
    with given.client() as client:
        result, token = client.attest_sgx_enclave(given.bytes("binary_quote"), runtime_data=binary)
        assert result.enclave_held_data == binary and result.runtime_claims is None
        check(given, result)
        assert token.algorithm == "RS256" and token.type == "JWT" and token.key_url == given.url + "/certs"
        assert (token.expires - token.issued).total_seconds() == 8 * 60 * 60
        done("attest_sgx_enclave with binary runtime data")

        result, _ = client.attest_sgx_enclave(given.bytes("json_quote"), runtime_json=document)
        assert result.runtime_claims == json.loads(document) and result.enclave_held_data is None
        check(given, result)
        done("attest_sgx_enclave with JSON runtime data")

        # This client announces initTimeData and sends none.
        result, _ = client.attest_sgx_enclave(
            given.bytes("json_quote"), runtime_json=document, inittime_json=b"{}"
        )
        assert result.inittime_claims is None
        done("attest_sgx_enclave with the client's empty init time data")

        result, _ = client.attest_open_enclave(given.bytes("binary_report"), runtime_data=binary)
        assert result.enclave_held_data == binary
        check(given, result)
        result, _ = client.attest_open_enclave(given.bytes("json_report"), runtime_json=document)
        assert result.runtime_claims == json.loads(document)
        done("attest_open_enclave with binary and JSON runtime data")

        result, token = client.attest_sgx_enclave(
            given.bytes("binary_quote"), runtime_data=binary, draft_policy=PERMIT
        )
        assert token.algorithm == "none" and result.policy_claims == {"by-policy": 42}
        done("a draft policy")

        expect_error(
            lambda: client.attest_sgx_enclave(given.bytes("binary_quote"), draft_policy=DENY),
            400, "PolicyEvaluationError", "denies",
        )
        expect_error(
            lambda: client.attest_sgx_enclave(given.bytes("binary_quote"), draft_policy=BROKEN),
            400, "PolicyParsingError", "line 2, column",
        )
        expect_error(
            lambda: client.attest_sgx_enclave(given.bytes("binary_quote"), runtime_data=b"other"),
            400, "InvalidQuote", "report data",
        )
        expect_error(lambda: client.attest_sgx_enclave(b"no quote"), 400, "InvalidQuote", "no quote")
        done("denials with their reasons")


def check(given, result):
    assert result.issuer == given.url and len(result.unique_id) == 64
    assert result.version == "1.0" and result.verifier_type == "sgx"
    assert result.is_debuggable is False
    assert (result.product_id, result.svn) == (7, 3)
    assert result.mr_enclave == "e1" * 32 and result.mr_signer == "51" * 32
    assert len(result.policy_hash) == 32 and result.policy_claims["tee"] == "sgx"
    assert len(result.sgx_collateral) == 7


def unsigned_policies(given):
    with given.administration() as admin, given.client() as client:
        default, _ = admin.get_policy(AttestationType.SGX_ENCLAVE)
        assert "permit()" in default
        result, _ = admin.set_policy(AttestationType.SGX_ENCLAVE, PERMIT)
        assert result.policy_resolution == PolicyModification.UPDATED and result.policy_signer is None
        sent = AttestationPolicyToken(PERMIT).to_jwt_string()
        assert result.policy_token_hash == hashlib.sha256(sent.encode()).digest()
        assert admin.get_policy(AttestationType.SGX_ENCLAVE)[0] == PERMIT
        attested, _ = client.attest_sgx_enclave(given.bytes("binary_quote"))
        assert attested.policy_claims == {"by-policy": 42}
        text = base64.urlsafe_b64encode(PERMIT.encode()).rstrip(b"=")
        assert attested.policy_hash == hashlib.sha256(text).digest()
        done("set_policy and get_policy, unsigned")

        admin.set_policy(AttestationType.SGX_ENCLAVE, DENY)
        expect_error(
            lambda: client.attest_sgx_enclave(given.bytes("binary_quote")),
            400, "PolicyEvaluationError", "denies",
        )
        # Other types have policies of their own.
        client.attest_open_enclave(given.bytes("binary_report"))
        expect_error(
            lambda: admin.set_policy(AttestationType.SGX_ENCLAVE, BROKEN),
            400, "PolicyParsingError", "line 2, column",
        )
        result, _ = admin.reset_policy(AttestationType.SGX_ENCLAVE)
        assert result.policy_resolution == PolicyModification.REMOVED
        assert admin.get_policy(AttestationType.SGX_ENCLAVE)[0] == default
        done("a denying policy, a broken one, and reset_policy")

        signer = {"signing_key": given.first_key, "signing_certificate": given.first_certificate}
        result, _ = admin.set_policy(AttestationType.OPEN_ENCLAVE, PERMIT, **signer)
        pem = "".join(result.policy_signer.certificates[0].split())
        assert pem == "".join(given.first_certificate.split())
        admin.reset_policy(AttestationType.OPEN_ENCLAVE, **signer)
        done("a signed policy where none need be signed")

        certificates, _ = admin.get_policy_management_certificates()
        assert certificates == []

    with given.administration("somebody else's secret") as stranger:
        for call in [
            lambda: stranger.set_policy(AttestationType.SGX_ENCLAVE, PERMIT),
            lambda: stranger.get_policy(AttestationType.SGX_ENCLAVE),
        ]:
            try:
                call()
            except ClientAuthenticationError as error:
                assert error.status_code == 401 and "Bearer" in error.response.headers["WWW-Authenticate"]
            else:
                raise AssertionError("a stranger manages policies")
    done("strangers are turned away")


def signed_policies(given):
    first = {"signing_key": given.first_key, "signing_certificate": given.first_certificate}
    second = {"signing_key": given.second_key, "signing_certificate": given.second_certificate}
    with given.administration() as admin:
        expect_error(
            lambda: admin.set_policy(AttestationType.SGX_ENCLAVE, PERMIT), 400, "InvalidOperation", "not signed"
        )
        expect_error(
            lambda: admin.set_policy(AttestationType.SGX_ENCLAVE, PERMIT, **second),
            400, "InvalidOperation", "not one of the policy signers",
        )
        result, _ = admin.set_policy(AttestationType.SGX_ENCLAVE, PERMIT, **first)
        assert result.policy_resolution == PolicyModification.UPDATED
        assert result.policy_signer.certificates
        done("set_policy by its signer only")

        certificates, _ = admin.get_policy_management_certificates()
        assert len(certificates) == 1
        result, _ = admin.add_policy_management_certificate(given.second_certificate, **first)
        assert result.certificate_resolution == CertificateModification.IS_PRESENT
        assert result.certificate_thumbprint == given.second_thumbprint
        assert len(admin.get_policy_management_certificates()[0]) == 2
        admin.set_policy(AttestationType.SGX_ENCLAVE, DENY, **second)
        done("a second signer")

        result, _ = admin.remove_policy_management_certificate(given.first_certificate, **second)
        assert result.certificate_resolution == CertificateModification.IS_ABSENT
        expect_error(
            lambda: admin.reset_policy(AttestationType.SGX_ENCLAVE, **first),
            400, "InvalidOperation", "not one of the policy signers",
        )
        expect_error(
            lambda: admin.remove_policy_management_certificate(given.second_certificate, **second),
            400, "InvalidOperation", "last policy signer",
        )
        result, _ = admin.reset_policy(AttestationType.SGX_ENCLAVE, **second)
        assert result.policy_resolution == PolicyModification.REMOVED
        done("the first signer removed, the last one kept, reset_policy by it")


def main():
    given = Parts(sys.argv[2])
    for part in {
        "unsigned": [metadata, attest, unsigned_policies],
        "signed": [signed_policies],
    }[sys.argv[1]]:
        part(given)
    done("all")


if __name__ == "__main__":
    main()
