"""What is in the way is found: ports and proxies are real sockets here."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from scripts import preflight
from scripts.console import CommandError
from scripts.host import CA_VARIABLES, PROXY_VARIABLES

PROJECT: dict[str, Any] = {
    "services": {
        "mta": {
            "image": "mailman-stack/postfix",
            "ports": [
                {"target": 25, "published": "2525", "protocol": "tcp"},
                {"target": 465, "published": "4650-4651", "protocol": "tcp", "host_ip": "::1"},
                {"target": 587, "protocol": "tcp"},
            ],
        },
        "core": {"image": "mailman-stack/core"},
        "database": {"image": "mysql:9.7", "deploy": {"replicas": 0}},
    }
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*PROXY_VARIABLES, *CA_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def test_published_ports() -> None:
    assert list(preflight.published_ports(PROJECT)) == [
        ("mta", "", 2525, "tcp"),
        ("mta", "::1", 4650, "tcp"),
        ("mta", "::1", 4651, "tcp"),
    ]


def test_a_service_that_is_off_publishes_nothing() -> None:
    mta = {**PROJECT["services"]["mta"], "deploy": {"replicas": 0}}
    assert not list(preflight.published_ports({"services": {"mta": mta}}))


def test_images_of_services_that_run() -> None:
    assert preflight.images(PROJECT) == ["mailman-stack/core", "mailman-stack/postfix"]


def test_a_port_that_is_free(closed_port: int) -> None:
    port = preflight.Port("web", "127.0.0.1", closed_port, "tcp")
    assert preflight.unavailable(port) is None


def test_a_port_that_is_taken(listener: int) -> None:
    for address in ("127.0.0.1", ""):
        port = preflight.Port("web", address, listener, "tcp")
        assert preflight.unavailable(port) == "Address already in use"


def test_an_address_of_another_machine() -> None:
    port = preflight.Port("web", "192.0.2.1", 8000, "tcp")
    assert preflight.unavailable(port) == "Cannot assign requested address"


def test_a_proxy_that_answers(environment: pytest.MonkeyPatch, listener: int) -> None:
    environment.setenv("https_proxy", f"http://127.0.0.1:{listener}")
    assert list(preflight.network_problems()) == []


def test_every_network_problem_is_named(environment: pytest.MonkeyPatch, closed_port: int) -> None:
    environment.setenv("https_proxy", f"http://user:hidden@127.0.0.1:{closed_port}")
    environment.setenv("http_proxy", "127.0.0.1:port")
    environment.setenv("PIP_CERT", "/nowhere.pem")
    problems = list(preflight.network_problems())
    assert problems[0].startswith("http_proxy names a proxy that does not answer")
    assert problems[1].startswith("https_proxy names a proxy that does not answer")
    assert problems[2] == "PIP_CERT names a CA bundle that is not there: /nowhere.pem"
    assert "hidden" not in "".join(problems)


def test_refuse() -> None:
    preflight.refuse([])
    with pytest.raises(CommandError, match=r"^one\ntwo$"):
        preflight.refuse(["one", "two"])
