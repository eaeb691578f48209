"""The MTA's certificate, and whom the stack trusts."""

import subprocess
from pathlib import Path

import pytest

from mailman_stack import tls
from mailman_stack.failing import SettingsError


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Where the operator's certificate and the generated one are kept."""
    given, generated = tmp_path / "given", tmp_path / "generated"
    given.mkdir()
    generated.mkdir()
    monkeypatch.setattr(tls, "GIVEN", given)
    monkeypatch.setattr(tls, "GENERATED", generated)
    return given, generated


def test_a_certificate_is_generated_once(folders: tuple[Path, Path]) -> None:
    certificate = tls.certificate("mail.example.com")
    assert certificate.chain.parent == certificate.key.parent == folders[1]
    text = openssl("x509", "-noout", "-text", "-in", str(certificate.chain))
    assert "Subject: CN=mail.example.com" in text
    assert "DNS:mail.example.com" in text
    first = certificate.chain.read_bytes()
    assert tls.certificate("mail.example.com") == certificate
    assert certificate.chain.read_bytes() == first


def test_the_key_belongs_to_the_certificate(folders: tuple[Path, Path]) -> None:
    certificate = tls.certificate("mail.example.com")
    assert certificate.key.parent == folders[1]
    public = openssl("x509", "-noout", "-pubkey", "-in", str(certificate.chain))
    assert openssl("pkey", "-pubout", "-in", str(certificate.key)) == public
    assert certificate.key.stat().st_mode & 0o077 == 0


def test_the_operators_certificate_comes_first(folders: tuple[Path, Path]) -> None:
    given, _generated = folders
    (given / "fullchain.pem").touch()
    (given / "privkey.pem").touch()
    assert tls.certificate("mail.example.com") == (given / "privkey.pem", given / "fullchain.pem")


@pytest.mark.parametrize(
    ("name", "other"), [("fullchain.pem", "privkey.pem"), ("privkey.pem", "fullchain.pem")]
)
def test_half_a_certificate_is_an_error(folders: tuple[Path, Path], name: str, other: str) -> None:
    (folders[0] / name).touch()
    with pytest.raises(SettingsError, match=other):
        tls.certificate("mail.example.com")


def openssl(*arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_operators_authorities_are_trusted_beside_debians(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = tmp_path / "system.pem"
    system.write_text("Debian's\n")
    monkeypatch.setattr(tls, "SYSTEM_AUTHORITIES", system)
    monkeypatch.setattr(tls, "ALL_AUTHORITIES", tmp_path / "all.pem")
    assert tls.authorities() == system
    (folders[0] / "authorities.pem").write_text("the operator's\n")
    assert set(tls.authorities().read_text().splitlines()) == {"Debian's", "", "the operator's"}
