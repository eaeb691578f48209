"""The generated files say what the declaration says."""

import pytest
from pydantic.fields import FieldInfo

from mailman_stack import reference
from mailman_stack.settings import fields, secret
from tests.support import ROOT


@pytest.mark.parametrize(
    ("path", "text"),
    [(".env.example", reference.env_example()), ("docs/settings.md", reference.settings_md())],
)
def test_a_generated_file_is_current(path: str, text: str) -> None:
    assert (ROOT / path).read_text() == text, "run `make settings`"


@pytest.mark.parametrize("name", fields())
def test_every_setting_is_explained(name: str) -> None:
    assert len(reference.doc(fields()[name])) > 10
    assert f"\n| `{name}` |" in reference.settings_md()


@pytest.mark.parametrize(("name", "field"), fields().items())
def test_the_example_holds_every_setting_but_the_secrets(name: str, field: FieldInfo) -> None:
    lines = reference.env_example().splitlines()
    held = any(line.startswith((f"{name}=", f"#{name}=")) for line in lines)
    assert held == (secret(field) is None)
