"""The Compose files and the declaration of the settings agree; every service is confined."""

import re
from typing import Any

import pytest

from mailman_stack import reference, settings
from tests.support import ROOT
from tests.support.container import project
from tests.unit.loading import loaded

FILES = ("compose.yaml", "compose.dev.yaml")
SERVICES = ("database", "core", "web", "qcluster", "mta", "fetchmail", "catcher")
OURS = ("core", "web", "qcluster", "mta", "fetchmail")

VARIABLE = re.compile(r"(?<!\$)\$\{(?!BUILD_)(\w+)(?::-([^}]*))?\}")
PRODUCTION, TRIAL = (set(VARIABLE.findall((ROOT / file).read_text())) for file in FILES)


def service(name: str) -> dict[str, Any]:
    described: dict[str, Any] = project(*FILES)["services"][name]
    return described


def test_there_are_these_services() -> None:
    assert sorted(project(*FILES)["services"]) == sorted(SERVICES)
    assert sorted(project("compose.yaml")["services"]) == sorted({*SERVICES} - {"catcher"})


# -- Variables


@pytest.mark.parametrize(("name", "value"), sorted(PRODUCTION))
def test_a_variable_is_a_declared_setting_with_the_same_default(name: str, value: str) -> None:
    assert reference.default(settings.fields()[name]) == value


@pytest.mark.parametrize("name", sorted({name for name, _value in TRIAL}))
def test_a_variable_of_the_trial_is_a_declared_setting(name: str) -> None:
    assert name in settings.fields()


def test_every_setting_for_compose_is_used() -> None:
    used = {name for name, _value in PRODUCTION | TRIAL}
    read_by_compose_itself = {"COMPOSE_FILE", "COMPOSE_PROFILES"}
    assert settings.fields(settings.Compose).keys() - read_by_compose_itself <= used


@pytest.mark.parametrize("files", [FILES, FILES[:1]], ids=["trial", "production"])
@pytest.mark.parametrize("name", OURS)
def test_the_example_is_valid_as_compose_reads_it(name: str, files: tuple[str, ...]) -> None:
    secrets = {key.lower(): "generated" for key, mark in settings.secrets_of(name).items()
               if mark.generated}  # fmt: skip
    site = loaded(project(*files)["services"][name]["environment"], secrets, name)
    assert site.smtp_host == ("catcher" if files == FILES else "")


# -- Secrets


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_gets_the_secrets_declared_for_it(name: str) -> None:
    given = {secret["source"] for secret in service(name).get("secrets", ())}
    assert given == {name.lower() for name in settings.secrets_of(name)}


def test_every_secret_has_a_file() -> None:
    declared = {name.lower() for name, field in settings.fields().items() if settings.secret(field)}
    files = {name: secret["file"] for name, secret in project(*FILES)["secrets"].items()}
    assert files.pop("ca") == "/dev/null"
    assert files == {name: f"{ROOT}/secrets/{name}" for name in declared}


def test_a_secret_is_labelled_as_it_is_made() -> None:
    generated = {
        name: secret.get("labels") != {"generate": "false"}
        for name, secret in project(*FILES)["secrets"].items()
    }
    assert not generated.pop("ca")
    marks = {name: settings.secret(field) for name, field in settings.fields().items()}
    assert generated == {name.lower(): mark.generated for name, mark in marks.items() if mark}


# -- Confinement


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined(name: str) -> None:
    described = service(name)
    assert described["read_only"] is True
    assert described["cap_drop"] == ["ALL"]
    assert described["security_opt"] == ["no-new-privileges:true"]
    assert int(described["mem_limit"]) > 0
    assert described["logging"]["options"].keys() == {"max-size", "max-file"}
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & described.keys()


def test_mail_comes_before_pages_and_pages_before_jobs() -> None:
    shares = {name: service(name).get("cpu_shares", 1024) for name in SERVICES}
    pages, jobs, others = shares.pop("web"), shares.pop("qcluster"), {*shares.values()}
    assert {pages * 2} == {jobs * 4} == others


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_comes_back_and_is_watched(name: str) -> None:
    described = service(name)
    assert described["hostname"] == name
    assert described["restart"] == "unless-stopped"
    assert described["healthcheck"]["test"]


@pytest.mark.parametrize("name", sorted({*SERVICES} - {"mta"}))
def test_only_the_mta_has_a_capability(name: str) -> None:
    assert "cap_add" not in service(name)


def test_only_mail_and_web_are_published() -> None:
    published = {
        name: [port["target"] for port in described["ports"]]
        for name, described in project("compose.yaml")["services"].items()
        if "ports" in described
    }
    assert published == {"mta": [25], "web": [8000]}


def test_a_trial_is_published_on_loopback_alone() -> None:
    for name in SERVICES:
        assert all(port["host_ip"] == "127.0.0.1" for port in service(name).get("ports", ()))


def test_the_database_is_reached_by_those_who_need_it() -> None:
    assert project(*FILES)["networks"]["data"]["internal"] is True
    assert [name for name in SERVICES if "data" in service(name)["networks"]] == [
        "database", "core", "web", "qcluster",
    ]  # fmt: skip
