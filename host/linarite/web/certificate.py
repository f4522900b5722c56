"""A certificate of our own for HTTPS on this machine. Nobody signs it, so browsers ask once; curl wants `--cacert` or `-k`.

`cryptography` takes its time to import, so that is done only when a certificate is made or looked at.
"""

from __future__ import annotations

import os
import ssl
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

FILE_NAME = "certificate.pem"
NAMES = ("localhost", "127.0.0.1", "::1")
VALID_FOR = timedelta(days=397)
"""As long as browsers accept."""

_SPARE = timedelta(days=7)


def local_certificate(folder: Path, now: datetime) -> Path:
    """The certificate and its key, in one file in `folder`; made anew if there is none, or if it ends within a week."""
    path = folder / FILE_NAME
    if not path.exists() or _ends_at(path) < now + _SPARE:
        folder.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(_made(now))
    return path


def _ends_at(path: Path) -> datetime:
    from cryptography import x509

    try:
        ends_at = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(path)
    except (ValueError, ssl.SSLError):
        return datetime.min.replace(tzinfo=timezone.utc)  # whatever it is, it is none
    return ends_at


def _made(now: datetime) -> bytes:
    """A fresh certificate for this machine's own names, and its key, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "linarite")])
    names = [x509.IPAddress(ip_address(name)) if name[-1].isdigit() else x509.DNSName(name) for name in NAMES]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(serialization.Encoding.PEM) + secret
