"""Certificates: the one that the MTA shows, and the authorities that are trusted."""

import os
import ssl
import subprocess
from pathlib import Path
from typing import NamedTuple

from mailman_stack import LOCAL
from mailman_stack.failing import SettingsError

GIVEN = LOCAL / "tls"
GENERATED = Path("/var/lib/mta-tls")
SYSTEM_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
ALL_AUTHORITIES = Path("/tmp/authorities.pem")  # noqa: S108 - a tmpfs of this container


class Certificate(NamedTuple):
    """Paths of PEM files: the private key, and the certificate with its intermediates."""

    key: Path
    chain: Path


def certificate(hostname: str) -> Certificate:
    """The operator's certificate, or one that is generated once, for opportunistic TLS.

    :raises SettingsError: when the operator gave only half of one, or one that cannot be read.
    """
    given = Certificate(GIVEN / "privkey.pem", GIVEN / "fullchain.pem")
    missing = [path.name for path in given if not path.exists()]
    if not missing:
        _must_be_readable(*given)
        return given
    if len(missing) == 1:
        raise SettingsError([f"local/tls/{missing[0]}: is missing beside the other file"])
    generated = Certificate(GENERATED / "privkey.pem", GENERATED / "fullchain.pem")
    if not generated.chain.exists():
        _generate(generated, hostname)
    return generated


def _generate(certificate: Certificate, hostname: str) -> None:
    """Make a self-signed certificate for ten years (openssl-req(1)); it only has to encrypt."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650"
    names = ["-subj", f"/CN={hostname}", "-addext", f"subjectAltName=DNS:{hostname}"]
    files = ["-keyout", str(certificate.key), "-out", str(certificate.chain)]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)


def _must_be_readable(*paths: Path) -> None:
    hidden = [path for path in paths if not os.access(path, os.R_OK)]
    if hidden:
        uid = os.getuid()
        raise SettingsError(
            f"local/tls/{path.name}: must be readable for uid {uid}" for path in hidden
        )


def authorities() -> Path:
    """A PEM file of the authorities to trust: Debian's, and the operator's own beside them.

    :raises SettingsError: when the operator's cannot be read.
    """
    own = GIVEN / "authorities.pem"
    if not own.is_file():
        return SYSTEM_AUTHORITIES
    _must_be_readable(own)
    ALL_AUTHORITIES.write_bytes(SYSTEM_AUTHORITIES.read_bytes() + b"\n" + own.read_bytes())
    return ALL_AUTHORITIES


def context(authorities: Path) -> ssl.SSLContext:
    """For a client: the server has to prove its name by one of these authorities (a PEM file)."""
    verified = ssl.create_default_context(cafile=authorities)
    # An authority of one's own seldom has every extension that RFC 5280 asks for.
    verified.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return verified
