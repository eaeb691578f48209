"""Fixtures of the tests that run one MTA in a world of its own, each with every MTA."""

import uuid
from collections.abc import Iterator

import pytest

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
