"""What the documentation names is there: files, commands, services, settings, tests, messages."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailman_stack.settings import REMOVED, fields, secret
from tests.support import ROOT
from tests.support.container import project

DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "local" / "README.md"])
OVERRIDE_EXAMPLE = ROOT / "compose.override.yaml.example"

TARGETS = set(re.findall(r"(?m)^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text()))
SERVICES = {
    name
    for file in ("compose.yaml", "compose.dev.yaml")
    for section in re.findall(r"(?m)^services:\n((?: .*\n|\n)+)", (ROOT / file).read_text())
    for name in re.findall(r"(?m)^  (\w+):", section)
}
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in [path.stem, *re.findall(r"(?m)^def (test_\w+)", path.read_text())]
}
VOLUMES = set(re.findall(r"(?m)^  ([\w-]+):$",
                         (ROOT / "compose.yaml").read_text().split("\nvolumes:\n")[1]))  # fmt: skip
SECRETS = {name.lower() for name, field in fields().items() if secret(field)}

# Names in capitals that are no settings: variables of the scripts and of others, prefixes.
NO_SETTINGS = {"BUILD_CA_BUNDLE", "DOCKER_HOST", "INSTALL_ENGINE", "LOCAL_"}
NO_SETTINGS |= {"MYSQL_PWD", "SMTP_USE_SSL", "SMTP_USE_TLS"}
# Django's, in local/settings_local.py
NO_SETTINGS |= {"ACCOUNT_RATE_LIMITS", "COMPRESS_OFFLINE", "HYPERKITTY_MBOX_EXPORT"}

# The folders that a path in the documentation may begin with, and what a person or a run makes.
FOLDERS = {path.name for path in ROOT.glob("[a-z]*/")} - {"secrets"}
MADE_LATER = {
    "local/mailman.cfg",
    "local/exim.conf",
    "local/main.cf",
    "local/sendmail.mc",
    "local/settings_local.py",
    "local/templates",
    "local/templates/mail/site",
    "local/templates/web/account/email",
    "local/templates/mail",
    "local/templates/web",
    "local/tls",
    "local/tls/authorities.pem",
    "local/tls/fullchain.pem",
    "local/tls/privkey.pem",
    "tests/evidence",
}

each_document = pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))


def fences(text: str) -> list[str]:
    """The blocks of code."""
    return re.findall(r"(?ms)^```.*?\n(.*?)^```", text)


def spans(text: str) -> list[str]:
    """What stands in backticks within a line or a paragraph."""
    prose = re.sub(r"(?ms)^```.*?^```", "", text)
    return re.findall(r"`([^`]+)`", prose)


def lines_of_code(path: Path) -> list[str]:
    text = path.read_text()
    return [line for code in [*fences(text), *spans(text)] for line in code.splitlines()]


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub makes of a document's headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", path.read_text())
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
            for heading in headings}  # fmt: skip


@each_document
def test_a_link_leads_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if not link.startswith("https://"):
            file, _, anchor = link.partition("#")
            target = path.parent / file if file else path
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@each_document
def test_a_path_exists(path: Path) -> None:
    named = rf"(?<![\w/.-])(?:{'|'.join(FOLDERS)})/[\w./-]*\w"
    for span in spans(path.read_text()):
        for file in re.findall(named, re.sub(r"\S*<\S*", "", span)):
            assert file in MADE_LATER or (ROOT / file).exists(), file


@each_document
def test_a_secret_is_declared(path: Path) -> None:
    for name in re.findall(r"\bsecrets/(\w+)", path.read_text()):
        assert name in SECRETS


@each_document
def test_a_make_target_exists(path: Path) -> None:
    named = {target for line in lines_of_code(path)
             for target in re.findall(r"^\s*make ([a-z][a-z0-9-]*)", line)}  # fmt: skip
    assert named <= TARGETS


def test_every_make_target_is_documented() -> None:
    text = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    assert {target for target in TARGETS if f"`make {target}`" not in text} == set()


def services_named(line: str) -> Iterator[str]:
    """The services in a call of `docker compose`."""
    call = re.search(r"docker compose (exec|logs|restart|start|stop) ([^#|<>…]*)", line)
    if not call:
        return
    words = [word for word in shlex.split(call[2].replace("'", "").replace('"', "").rstrip("\\"))
             if not word.startswith(("-", "$")) and not re.fullmatch(r"\d+h", word)]  # fmt: skip
    yield from words[:1] if call[1] == "exec" else words


def test_the_services_are_those_of_compose() -> None:
    described = project("compose.yaml", "compose.dev.yaml")
    assert described["services"].keys() == SERVICES


@each_document
def test_a_service_exists(path: Path) -> None:
    named = {service for line in lines_of_code(path) for service in services_named(line)}
    assert named <= SERVICES


@each_document
def test_a_volume_exists(path: Path) -> None:
    """But for the changelog, which also names those that are no more."""
    if path.name == "CHANGELOG.md":
        return
    text = path.read_text()
    code = "\n".join(lines_of_code(path))
    named = re.findall(r"(?<![\w./-])(?:mailman-stack_)?([a-z]+-(?:data|queue|tls))\b", code)
    named += re.findall(r"\bmailman-stack_([a-z][a-z-]*)", text)
    assert {*named} <= VOLUMES


@each_document
def test_a_setting_is_declared(path: Path) -> None:
    text = path.read_text()
    assigned = [name for code in fences(text) for name in re.findall(r"(?m)^([A-Z_]+)=", code)]
    named = [name for span in spans(text)
             for name in re.findall(r"(?<![\w.-])[A-Z]*_[A-Z_]+\b", span)]  # fmt: skip
    known = fields().keys() | REMOVED.keys() | NO_SETTINGS
    assert {*assigned, *named} <= known


@each_document
def test_a_test_exists(path: Path) -> None:
    named = {name for span in spans(path.read_text()) for name in re.findall(r"\btest_\w+", span)}
    assert named <= TESTS


def test_a_message_is_one_of_ours() -> None:
    """The first table of the troubleshooting section quotes messages, `…` for what varies."""
    section = (ROOT / "docs" / "operations.md").read_text().split("\n## Troubleshooting\n")[1]
    messages = re.findall(r"(?m)^\| `([^`]+)`", section.split("Said by other programs")[0])
    assert messages
    folders = [ROOT / name for name in ("scripts", "src", "images")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    sources = "\n".join(path.read_text() for path in files if "__pycache__" not in path.parts)
    parts = [part.strip() for message in messages for part in message.split("…")]
    assert [part for part in parts if part not in sources] == []


def test_the_changelog_has_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    versions = re.findall(r"(?m)^## \[([\d.]+)\]", (ROOT / "CHANGELOG.md").read_text())
    assert versions[0] == version


def test_the_override_example_is_valid_as_it_is_and_in_full(tmp_path: Path) -> None:
    head, _, body = OVERRIDE_EXAMPLE.read_text().partition("services:\n")
    full = tmp_path / "compose.override.yaml"
    full.write_text(f"{head}services:\n{re.sub('(?m)^#', '', body)}")
    assert project("compose.yaml", str(OVERRIDE_EXAMPLE))["services"].keys() < SERVICES
    changed = project("compose.yaml", str(full))["services"]
    assert "ports" not in changed["web"]
    assert [port["host_ip"] for port in changed["mta"]["ports"]] == ["192.0.2.25"]


def rows(document: str) -> list[tuple[str, str, str]]:
    """The rows, of three cells, of a document's tables."""
    lines = re.findall(r"(?m)^\|(.*)\|(.*)\|(.*)\|$", (ROOT / "docs" / document).read_text())
    cells = (tuple(cell.strip() for cell in line) for line in lines)
    return [(a, b, c) for a, b, c in cells if not {a, b, c} & {"test", "tests", "---"}]


@pytest.mark.parametrize("document", ["mta-contract.md", "features.md"])
def test_each_promise_says_what_it_means_and_has_tests(document: str) -> None:
    assert len(rows(document)) > 20
    for promise, meaning, tests in rows(document):
        assert promise
        assert meaning, promise
        assert re.findall(r"`(test_\w+)`", tests), promise
        assert re.sub(r"`test_\w+`|, ", "", tests) == "", promise


def test_each_test_of_lists_and_pages_is_one_of_a_feature() -> None:
    named = {name for row in rows("features.md") for name in re.findall(r"`(test_\w+)`", row[2])}
    there = {
        name
        for folder in ("lists", "browser")
        for path in (ROOT / "tests" / folder).glob("test_*.py")
        for name in re.findall(r"(?m)^def (test_\w+)", path.read_text())
    }
    assert there - named == set()
