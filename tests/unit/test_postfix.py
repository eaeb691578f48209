"""What Postfix is told that no setting tells."""

import subprocess
from pathlib import Path

import pytest

from mailman_stack import postfix
from mailman_stack.settings import SettingsError
from tests.unit.loading import loaded

# As the kernel writes it (proc_pid_net(5)), for a container in two networks.
ROUTES = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010012AC	0003	0	0	0	00000000	0	0	0
eth0	000012AC	00000000	0001	0	0	0	0000FFFF	0	0	0
eth1	00FDA8C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
"""


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Where the operator's certificate and the generated one are kept."""
    given, generated = tmp_path / "given", tmp_path / "generated"
    given.mkdir()
    generated.mkdir()
    monkeypatch.setattr(postfix, "GIVEN", given)
    monkeypatch.setattr(postfix, "GENERATED", generated)
    return given, generated


@pytest.mark.parametrize(
    ("routes", "networks"),
    [
        (ROUTES, ["!172.18.0.1", "!192.168.253.1", "172.18.0.0/16", "192.168.253.0/24"]),
        (ROUTES.partition("\n")[0] + "\n", []),
    ],
)
def test_the_networks_of_the_container(routes: str, networks: list[str], tmp_path: Path) -> None:
    path = tmp_path / "route"
    path.write_text(routes)
    assert postfix.networks(path) == networks


def test_a_certificate_is_generated_once(folders: tuple[Path, Path]) -> None:
    certificate = postfix.certificate(loaded({"MTA_HOSTNAME": "mail.example.com"}))
    assert certificate.chain.parent == certificate.key.parent == folders[1]
    text = openssl("x509", "-noout", "-text", "-in", str(certificate.chain))
    assert "Subject: CN=mail.example.com" in text
    assert "DNS:mail.example.com" in text
    first = certificate.chain.read_bytes()
    assert postfix.certificate(loaded()) == certificate
    assert certificate.chain.read_bytes() == first


def test_the_key_belongs_to_the_certificate(folders: tuple[Path, Path]) -> None:
    certificate = postfix.certificate(loaded())
    assert certificate.key.parent == folders[1]
    public = openssl("x509", "-noout", "-pubkey", "-in", str(certificate.chain))
    assert openssl("pkey", "-pubout", "-in", str(certificate.key)) == public
    assert certificate.key.stat().st_mode & 0o077 == 0


def test_the_operators_certificate_comes_first(folders: tuple[Path, Path]) -> None:
    given, _generated = folders
    (given / "fullchain.pem").touch()
    (given / "privkey.pem").touch()
    assert postfix.certificate(loaded()) == (given / "privkey.pem", given / "fullchain.pem")


@pytest.mark.parametrize(
    ("name", "other"), [("fullchain.pem", "privkey.pem"), ("privkey.pem", "fullchain.pem")]
)
def test_half_a_certificate_is_an_error(folders: tuple[Path, Path], name: str, other: str) -> None:
    (folders[0] / name).touch()
    with pytest.raises(SettingsError, match=other):
        postfix.certificate(loaded())


def openssl(*arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=True)
    return done.stdout
