"""Certificates of the links: an authority of the switch's own, and what it signs for its hosts.

A host's certificate names the host and its epoch in a URI, ``rayswitch://s1/1731000000``, and lives for a day or so.
Its key is made by the host and never leaves it: what travels is a request (PKCS #10), which proves that the asker has
the key; the names come from whoever asked for the signature, not from the request. The authority's certificate can
sign hosts and nothing further (path length 0). Keys are Ed25519 (RFC 8410), certificates X.509 v3 (RFC 5280).

Only the Switchboard has an `Authority`; `cryptography` is imported by processes of a switch on several nodes alone.
"""

import json
from datetime import UTC, datetime, timedelta
from secrets import token_hex

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Authority", "BadRequest", "host_uri", "new_request"]

SKEW = timedelta(minutes=10)
"""A node whose clock is behind by this much still takes a fresh certificate for valid."""
AUTHORITY_LIFE = timedelta(days=3650)


class BadRequest(ValueError):
    """No certificate can be made of what was sent."""


def host_uri(host: str, epoch: int) -> str:
    """The name of a host in its certificate."""
    return f"rayswitch://{host}/{epoch}"


def new_request() -> tuple[str, str]:
    """A new private key and a request for a certificate of it, both PEM."""
    key = Ed25519PrivateKey.generate()
    request = x509.CertificateSigningRequestBuilder().subject_name(_name("rayswitch host")).sign(key, None)
    return _pem(key), request.public_bytes(Encoding.PEM).decode()


class Authority:
    """What signs the certificates of one switch. `name` is different for each one that was ever made."""

    def __init__(self, key: Ed25519PrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate
        self.name = str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        self.pem = certificate.public_bytes(Encoding.PEM).decode()

    @classmethod
    def new(cls, now: float) -> "Authority":
        """A fresh one."""
        key = Ed25519PrivateKey.generate()
        name = _name(f"rayswitch links {token_hex(4)}")
        begin = datetime.fromtimestamp(now, UTC) - SKEW
        builder = _builder(name, name, key.public_key(), begin, begin + AUTHORITY_LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        return cls(key, builder.sign(key, None))

    @classmethod
    def of(cls, text: str) -> "Authority":
        """The one that `text` was made of. Raises ValueError."""
        values = json.loads(text)
        key = load_pem_private_key(values["key"].encode(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("the key of the links' authority is of another kind")
        return cls(key, x509.load_pem_x509_certificate(values["certificate"].encode()))

    def text(self) -> str:
        """Key and certificate, to be kept where nobody else reads."""
        return json.dumps({"key": _pem(self._key), "certificate": self.pem})

    def sign(self, request: str, host: str, epoch: int, now: float, life: float) -> str:
        """The certificate (PEM) of `host` in `epoch`, good for `life` seconds. Raises BadRequest."""
        key = _requested(request)
        begin = datetime.fromtimestamp(now, UTC)
        name = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(host_uri(host, epoch))])
        both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        ours = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = _builder(_name(host), self._certificate.subject, key, begin - SKEW, begin + timedelta(seconds=life))
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
        for extension in (name, both, ours):
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self._key, None).public_bytes(Encoding.PEM).decode()


def _requested(request: str) -> Ed25519PublicKey:
    """The key in a request, whose owner has signed it."""
    try:
        found = x509.load_pem_x509_csr(request.encode())
        key, signed = found.public_key(), found.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise BadRequest(f"not a certificate request: {error}") from error
    if not signed or not isinstance(key, Ed25519PublicKey):
        raise BadRequest("not a certificate request that an Ed25519 key has signed")
    return key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Ed25519PublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
