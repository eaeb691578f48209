"""Templates become files."""

from pathlib import Path
from stat import S_IMODE

import pytest
from jinja2 import UndefinedError

from mailman_stack import render
from mailman_stack.tls import Certificate
from tests.support import ROOT
from tests.unit.loading import loaded

CERTIFICATE = Certificate(Path("/key.pem"), Path("/chain.pem"))
MTA_FACTS = {"networks": [], "certificate": CERTIFICATE, "authorities": Path("/ca.pem")}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the files go: the root of a container."""
    return tmp_path / "root"


def rendered(
    tmp_path: Path, template: str, name: str = "etc/x.j2", secrets: dict[str, str] | None = None
) -> str:
    """What one template becomes."""
    path = tmp_path / "templates" / "service" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(template)
    site = loaded(secrets=secrets)
    options = {"templates": tmp_path / "templates", "root": tmp_path / "root"}
    (written,) = render.render("service", site, **options)
    return written.read_text()


def test_the_path_of_a_template_is_the_path_of_its_file(tmp_path: Path, root: Path) -> None:
    rendered(tmp_path, "a", "etc/some.d/file.cf.j2")
    (tmp_path / "templates/service/README").write_text("not a template")
    rendered(tmp_path, "b", "etc/some.d/file.cf.j2")
    assert [path for path in root.rglob("*") if path.is_file()] == [root / "etc/some.d/file.cf"]
    assert (root / "etc/some.d/file.cf").read_text() == "b"


def test_a_file_is_for_its_user_alone(tmp_path: Path, root: Path) -> None:
    rendered(tmp_path, "secret")
    assert S_IMODE((root / "etc/x").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["nothing", "settings.smtp_hots"])
def test_a_name_that_does_not_exist_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UndefinedError):
        rendered(tmp_path, f"{{{{ {name} }}}}")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ settings.smtp_host_password }}", "50% é"),
        ("{{ settings.smtp_host_password | configparser }}", "50%% é"),
        ("{{ 'me:pw' | base64 }}", "bWU6cHc="),
        ("{{ settings.smtp_port }}\n", "25\n"),
        ("a\n  {% if settings.smtp_host %}\nb\n  {% endif %}\nc\n", "a\nc\n"),
    ],
)
def test_values_in_a_template(tmp_path: Path, template: str, text: str) -> None:
    assert rendered(tmp_path, template, secrets={"smtp_host_password": "50% é"}) == text


def test_the_operators_own_lines_are_taken_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "LOCAL", tmp_path)
    assert rendered(tmp_path, "{{ local('own.cf') }}end") == "end"
    (tmp_path / "own.cf").write_text("# größer: {{ x }} {% y %} $z\n")
    assert rendered(tmp_path, "{{ local('own.cf') }}end") == "# größer: {{ x }} {% y %} $z\nend"


@pytest.mark.parametrize(
    ("service", "facts"),
    [("core", {}), ("web", {}), ("postfix", MTA_FACTS)],
)
def test_our_templates_need_nothing_that_is_not_given(
    service: str, facts: dict[str, object], root: Path
) -> None:
    written = list(render.render(service, loaded(), templates=ROOT / "config", root=root, **facts))
    templates = [path for path in (ROOT / "config" / service).rglob("*.j2") if path.is_file()]
    assert len(written) == len(templates) > 0
