"""The summary tells what the project says."""

import copy
from pathlib import Path
from typing import Any

import pytest

from scripts import summary
from scripts.process import ROOT

PROJECT: dict[str, Any] = {
    "services": {
        "web": {
            "environment": {
                "MAIL_DOMAINS": "lists.example.com=www.example.com,example.net",
                "MAILMAN_ADMIN_USER": "postmistress",
                "SERVE_FROM_DOMAIN": "www.example.org",
                "SMTP_HOST": "",
            },
            "ports": [{"host_ip": "127.0.0.1", "published": "8000"}],
        },
        "mta": {"ports": [{"host_ip": "0.0.0.0", "published": "25"}]},  # noqa: S104
    },
    "secrets": {"mailman_admin_password": {"file": str(ROOT / "secrets" / "admin_password")}},
}


def test_production() -> None:
    text = summary.text(PROJECT)
    assert "by each domain's MX" in text
    assert "http://127.0.0.1:8000/" in text
    assert "https://www.example.org/" in text
    assert "postmistress, password in secrets/admin_password" in text
    assert "localhost:25 " in text
    assert "lists.example.com, example.net" in text


def test_trial() -> None:
    project = copy.deepcopy(PROJECT)
    project["services"]["catcher"] = {"ports": [{"host_ip": "127.0.0.1", "published": "1080"}]}
    project["services"]["web"]["environment"]["SERVE_FROM_DOMAIN"] = "localhost:8000"
    text = summary.text(project)
    assert "http://localhost:8000/" in text
    assert "http://127.0.0.1:1080/" in text
    assert "mailman create test@lists.example.com" in text
    assert 'SMTP("localhost", 25)' in text


@pytest.mark.parametrize(
    ("variables", "way_in"),
    [
        ({}, "no way yet"),
        ({"HOST_MTA": "exim"}, "the host's exim"),
        ({"FETCHMAIL_MAILBOXES": "imaps://lists@mail.example"}, "comes in by fetchmail"),
    ],
)
def test_without_an_mta(variables: dict[str, str], way_in: str) -> None:
    project = copy.deepcopy(PROJECT)
    project["services"]["mta"]["deploy"] = {"replicas": 0}
    project["services"]["web"]["environment"] |= {"SMTP_HOST": "mail.example", **variables}
    text = summary.text(project)
    assert "mail leaves by mail.example" in text
    assert way_in in text


def test_a_setting_that_env_leaves_out_has_its_default(tmp_path: Path) -> None:
    example = tmp_path / ".env.example"
    example.write_text("# Name of the administrator.\n#MAILMAN_ADMIN_EMAIL=\n# TZ=UTC\n")
    assert summary.setting(PROJECT, "TZ", example) == "UTC"
    assert summary.setting(PROJECT, "MAILMAN_ADMIN_USER", example) == "postmistress"
    assert summary.setting(PROJECT, "MAILMAN_ADMIN_EMAIL", example) == ""
    assert summary.setting(PROJECT, "NOT_THERE", example) == ""
