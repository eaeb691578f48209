"""Both formats of sources.list(5), in a copy of /etc/apt."""

from pathlib import Path

import pytest

from scripts import apt
from scripts.console import CommandError

ONE_LINE = """\
# deb http://commented.example/debian bookworm main
deb-src http://source.example/debian bookworm main
deb cdrom:[Debian 12]/ bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] http://mirror.example/debian/ bookworm main
deb http://mirror.example/debian-security bookworm-security main contrib  # the fixes
"""

DEB822 = """\
Types: deb deb-src
URIs: http://broken.example/debian
Suites: bookworm
Components: main
Enabled: no

# A comment between stanzas and
Types: deb
# one inside
URIs: https://one.example/debian
 https://two.example/debian/
Suites: bookworm
 bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----
"""


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def test_one_line_style(etc: Path) -> None:
    (etc / "sources.list").write_text(ONE_LINE)
    assert list(apt.sources(etc)) == [
        ("http://mirror.example/debian", "bookworm", ("main",)),
        ("http://mirror.example/debian-security", "bookworm-security", ("main", "contrib")),
    ]


def test_deb822_style(etc: Path) -> None:
    (etc / "sources.list.d" / "debian.sources").write_text(DEB822)
    assert [(source.uri, source.suite) for source in apt.sources(etc)] == [
        ("https://one.example/debian", "bookworm"),
        ("https://one.example/debian", "bookworm-updates"),
        ("https://two.example/debian", "bookworm"),
        ("https://two.example/debian", "bookworm-updates"),
    ]


def test_a_third_partys_archive_is_no_mirror(etc: Path) -> None:
    (etc / "sources.list.d" / "a.list").write_text("deb https://a.example/linux bookworm stable\n")
    (etc / "sources.list.d" / "b.list").write_text("deb http://b.example/debian bookworm main\n")
    assert apt.mirror("bookworm", "default", etc) == "http://b.example/debian"
    assert apt.mirror("bookworm-security", "default", etc) == "default"


def test_refusal_prints_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTALL_ENGINE", "no")
    with pytest.raises(CommandError) as error:
        apt.install(["docker.io", "iptables"], ["systemctl start docker"])
    assert str(error.value).splitlines()[1:] == [
        "  apt-get update",
        "  apt-get install --yes --no-install-recommends docker.io iptables",
        "  systemctl start docker",
    ]
