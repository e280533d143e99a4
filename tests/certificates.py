"""Certificates such as an authority issues for a server: a root, and leaves that it signs."""

import datetime
import ipaddress
import ssl
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_CRITICAL = (x509.BasicConstraints, x509.KeyUsage)


class Authority:
    """An authority, whose own certificate is in `file`. It leaves out the kinds of extension in `without`."""

    def __init__(self, folder: Path, *, without: Iterable[type[x509.ExtensionType]] = ()) -> None:
        self._folder = folder
        self._without = tuple(without)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tgauth test authority")])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        own = self._issue(self._name, self._key, constraints, _usage(key_cert_sign=True, crl_sign=True))
        self.file = folder / "authority.pem"
        self.file.write_bytes(own.public_bytes(Encoding.PEM))

    def server(self, *hosts: str, days: int = 1) -> Path:
        """A file with a certificate for the hosts and its key; with negative `days` it has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [
            x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
            for host in hosts
        ]
        issued = self._issue(
            x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tgauth test server")]),
            key,
            x509.BasicConstraints(ca=False, path_length=None),
            _usage(digital_signature=True),
            x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]),
            x509.SubjectAlternativeName(names),
            days=days,
        )
        file = self._folder / "server.pem"
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(pem + issued.public_bytes(Encoding.PEM))
        return file

    def context(self, *hosts: str, days: int = 1) -> ssl.SSLContext:
        """What a server for the hosts wraps its connections with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server(*hosts, days=days))
        context.set_alpn_protocols(["h2", "http/1.1"])
        return context

    def _issue(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType, days: int = 1
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        first, last = sorted((now - datetime.timedelta(hours=1), now + datetime.timedelta(days=days)))
        builder = x509.CertificateBuilder(self._name, name, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(first).not_valid_after(last)
        identifiers = (
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
        )
        for extension in (*extensions, *identifiers):
            if not isinstance(extension, self._without):
                builder = builder.add_extension(extension, critical=isinstance(extension, _CRITICAL))
        return builder.sign(self._key, hashes.SHA256())


def _usage(**uses: bool) -> x509.KeyUsage:
    every = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign "
        "crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{use: uses.get(use, False) for use in every.split()})
