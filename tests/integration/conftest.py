"""Fixtures of tests with one MTA in a world of its own, or with web and what it needs."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.support import wait, weblab
from tests.support.container import Container
from tests.support.mta import PROGRAMS, Program
from tests.support.world import World
from tests.support.world import world as make_world


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with make_world() as world:
        yield world


@pytest.fixture(scope="module", params=list(PROGRAMS.values()), ids=list(PROGRAMS))
def program(request: pytest.FixtureRequest) -> Program:
    """Each MTA in turn."""
    program: Program = request.param
    return program


@pytest.fixture(scope="module")
def mta(world: World, program: Program) -> Iterator[Container]:
    """One without a relayhost."""
    with world.mta(program) as mta:
        yield mta


@pytest.fixture
def unique() -> str:
    return uuid.uuid4().hex[:8]


@pytest.fixture(scope="module")
def make_lab() -> Iterator[Callable[[], weblab.Lab]]:
    labs: list[weblab.Lab] = []

    def make() -> weblab.Lab:
        lab = weblab.Lab()
        weblab.docker("network", "create", "--internal", lab.id)
        labs.append(lab)
        return lab

    yield make
    for lab in labs:
        lab.remove()
        weblab.docker("network", "rm", lab.id)


@pytest.fixture(scope="module")
def lab(make_lab: Callable[[], weblab.Lab]) -> weblab.Lab:
    """With a database, qcluster and web; qcluster is there first, and has to wait."""
    lab = make_lab()
    lab.database()
    lab.service("qcluster")
    lab.service("web")
    return lab


@pytest.fixture
def web(lab: weblab.Lab) -> weblab.Container:
    web = weblab.Container(f"{lab.id}-web")
    wait.until("web is healthy", lambda: web.succeeds("healthcheck"), seconds=120)
    return web


@pytest.fixture
def qcluster(lab: weblab.Lab) -> weblab.Container:
    return weblab.Container(f"{lab.id}-qcluster")


@pytest.fixture
def apart(make_lab: Callable[[], weblab.Lab]) -> weblab.Lab:
    """Without a database."""
    return make_lab()


@pytest.fixture
def mlist(web: weblab.Container, unique: str) -> str:
    """A list that everybody may read."""
    name = f"{unique}@lists.example.com"
    web.django(f"MailingList.objects.create(name='{name}', archive_policy=2).pk")
    return name
