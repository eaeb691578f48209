"""Who gets mail is found with a few queries, and is whom upstream finds, in whatever world."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support import ROOT, wait
from tests.support.container import Container, container, docker, project

DRIVERS = ROOT / "tests" / "integration" / "drivers"
SQLITE = """
[database]
class: mailman.database.sqlite.SQLiteDatabase
url: sqlite:////tmp/mailman.db
"""
NO_MTA = """
[mta]
incoming: mailman.mta.null.NullMTA
"""
MYSQL = {
    "MYSQL_RANDOM_ROOT_PASSWORD": "yes",
    "MYSQL_DATABASE": "core",
    "MYSQL_USER": "core",
    "MYSQL_PASSWORD": "password",
}
# Only a crash would tell the difference.
FAST = ("--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=OFF")

MAIL = ("post", "to owners", "digest")
RECEIVING = ("regular_members", "digest_members")
ROSTERS = ("members", "owners", "moderators", "administrators", "nonmembers", "subscribers")
KNOWN = ("known", "known users")
IN_ONE_QUERY = ("to owners", *RECEIVING, *ROSTERS, *KNOWN)

type World = dict[str, Any]


# -- Mailman, on each database


@dataclass(frozen=True)
class Mailman:
    """A program in core's image that says what upstream and we find in a world."""

    process: subprocess.Popen[str]

    def ask(self, world: World) -> dict[str, dict[str, Any]]:
        """As the driver describes it."""
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps(world), file=self.process.stdin, flush=True)
        answer: dict[str, dict[str, Any]] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def mysql(core: Container) -> Iterator[None]:
    """A database in core's place in the network, with its data in memory."""
    name = f"mailman-stack-test-recipients-{uuid.uuid4().hex[:8]}"
    described = project("compose.yaml")["services"]["database"]
    variables = [f"--env={name}={value}" for name, value in MYSQL.items()]
    place = (f"--network=container:{core.name}", f"--user={described['user']}")
    memory = [f"--tmpfs={mount}" for mount in described["tmpfs"]]
    memory.append("--tmpfs=/var/lib/mysql:uid=999,gid=999")
    database = Container(name)

    def serves() -> bool:
        query = ("mysql", "-h127.0.0.1", "-ucore", "-ppassword", "-eSELECT 1", "core")
        done = subprocess.run(
            ["docker", "exec", name, *query], capture_output=True, check=False, timeout=60
        )
        return done.returncode == 0

    try:
        docker(
            "run", "--detach", f"--name={name}", *place, *memory, *variables,
            described["image"], *FAST,
        )  # fmt: skip
        wait.until(f"{database.name} serves", serves)
        yield
    finally:
        docker("rm", "--force", "--volumes", name)


@contextmanager
def idle(fragment: str) -> Iterator[Container]:
    options = ("--network=none", f"--volume={DRIVERS}:/drivers:ro")
    secrets = {"database_url": "mysql://core:password@127.0.0.1/core"}
    local = {"mailman.cfg": fragment}
    with container(
        "core", "sleep", "infinity", secrets=secrets, local=local, options=options
    ) as core:
        yield core


@contextmanager
def running(core: Container) -> Iterator[Mailman]:
    command = ["docker", "exec", "--interactive", core.name, "python", "/drivers/recipients.py"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Mailman(process)


@pytest.fixture(scope="module")
def on_sqlite() -> Iterator[Mailman]:
    with idle(NO_MTA + SQLITE) as core, running(core) as mailman:
        yield mailman


@pytest.fixture(scope="module")
def on_mysql() -> Iterator[Mailman]:
    with idle(NO_MTA) as core, mysql(core), running(core) as mailman:
        yield mailman


# -- Worlds

PREFERENCES = st.fixed_dictionaries(
    {
        "delivery_mode": st.none()
        | st.sampled_from(["regular", "plaintext_digests", "mime_digests", "summary_digests"]),
        "delivery_status": st.none()
        | st.sampled_from(["enabled", "by_user", "by_bounces", "by_moderator", "unknown"]),
        "receive_own_postings": st.none() | st.booleans(),
        "preferred_language": st.none() | st.sampled_from(["de", "fr"]),
    }
)
MEMBER = ("ant", "member")
OTHERS = [("bee", "member"), ("ant", "owner"), ("ant", "moderator"), ("ant", "nonmember")]
EMAIL = st.builds(
    "{}@{}".format,
    st.text("abAB'+_", min_size=1, max_size=3),
    st.sampled_from(["example.com", "Example.ORG"]),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Users, addresses and members, also as they can only become one after the other.

    A user's preferred address may be another's, or nobody's, or there is none; but two do not
    prefer the same, for then upstream finds one of them or the other.
    """
    emails = draw(st.lists(EMAIL, unique_by=str.lower, min_size=4, max_size=6))
    users, addresses = range(4), range(len(emails))
    preferred = draw(st.permutations([*addresses, None, None]))[:4]
    subscribers = [*(("address", n) for n in addresses), *(("user", n) for n in users)]
    members = [(*MEMBER, one) for one in subscribers if draw(st.booleans())]
    other = st.tuples(st.sampled_from(OTHERS), st.sampled_from(subscribers))
    others = [(*kind, one) for kind, one in draw(st.lists(other, unique=True, max_size=8))]
    return {
        "users": [{"preferred": of, "preferences": draw(PREFERENCES)} for of in preferred],
        "addresses": [
            {
                "email": email,
                "user": draw(st.sampled_from([None, *users])),
                "verified": draw(st.booleans()),
                "preferences": draw(PREFERENCES),
            }
            for email in emails
        ],
        "members": [
            {"list": of, "role": role, "subscriber": who, "preferences": draw(PREFERENCES)}
            for of, role, who in members + others
        ],
        "sender": draw(st.sampled_from([*emails, "nobody@example.com"])),
    }


def user(preferred: int | None) -> World:
    return {"preferred": preferred, "preferences": {}}


def address(email: str, user: int | None, **preferences: str) -> World:
    return {"email": email, "user": user, "verified": True, "preferences": preferences}


def members(subscriber: tuple[str, int], **preferences: str) -> list[World]:
    """One who is a member and an owner."""
    who = {"list": "ant", "subscriber": subscriber, "preferences": preferences}
    return [{"role": role, **who} for role in ("member", "owner")]


def crowd(size: int) -> World:
    """Every second address is a user's, who is a member with it or as the user."""
    numbers = range(size)
    digests = [{"delivery_mode": "mime_digests"} if n % 5 == 0 else {} for n in numbers]
    silence = [{"delivery_status": "by_user"} if n % 7 == 0 else {} for n in numbers]
    owners = [n // 2 if n % 2 else None for n in numbers]
    subscribers = [("user", n // 2) if n % 4 == 1 else ("address", n) for n in numbers]
    return {
        "users": [user(n) for n in numbers if n % 2],
        "addresses": [address(f"n{n}@example.com", owners[n], **digests[n]) for n in numbers],
        "members": [one for n in numbers for one in members(subscribers[n], **silence[n])],
        "sender": "n2@example.com",
    }


UNREACHABLE = {
    "users": [user(None)],
    "addresses": [address("anne@example.com", 0), address("bart@example.com", None)],
    "members": [*members(("user", 0)), *members(("address", 1))],
    "sender": "anne@example.com",
}


# -- Tests


def check(found: dict[str, dict[str, Any]]) -> None:
    upstream, ours, reachable = (
        {question: answer["found"] for question, answer in found[way].items()}
        for way in ("upstream", "ours", "reachable")
    )
    for question in MAIL:
        assert upstream[question] in (ours[question], "AttributeError"), question
    for question in (*MAIL, *RECEIVING):
        assert ours[question] == reachable[question], question
    for question in (*ROSTERS, *KNOWN):
        assert ours[question] == upstream[question], question
    for question in IN_ONE_QUERY:
        assert found["ours"][question]["queries"] == 1, question


@settings(max_examples=100, deadline=None)
@given(world=worlds())
@example(world=UNREACHABLE)
def test_the_same_get_mail_on_sqlite(on_sqlite: Mailman, world: World) -> None:
    check(on_sqlite.ask(world))


@settings(max_examples=50, deadline=None)
@given(world=worlds())
@example(world=UNREACHABLE)
def test_the_same_get_mail_on_mysql(on_mysql: Mailman, world: World) -> None:
    check(on_mysql.ask(world))


def test_a_user_without_an_address_keeps_nobody_from_getting_mail(on_mysql: Mailman) -> None:
    found = on_mysql.ask(UNREACHABLE)
    for question in ("post", "to owners"):
        assert found["upstream"][question]["found"] == "AttributeError"
        assert found["ours"][question]["found"]["recipients"] == ["bart@example.com"]


def test_many_cost_as_many_queries_as_few(on_mysql: Mailman) -> None:
    few, many = (on_mysql.ask(crowd(size)) for size in (10, 250))
    for question in (*MAIL, *RECEIVING, *ROSTERS, *KNOWN):
        assert many["ours"][question]["found"] == many["upstream"][question]["found"]
        assert many["ours"][question]["queries"] == few["ours"][question]["queries"]
    for question in ("post", "to owners", "digest", "members", "known"):
        assert many["upstream"][question]["queries"] > 250


@pytest.mark.parametrize("known", ["none", "few"])
def test_mysql_reads_what_is_asked_for_even_if_it_knows_of_hardly_any_rows(known: str) -> None:
    """As when many have just subscribed: it counts rows later, or after a restart never."""
    with idle(NO_MTA) as core, mysql(core):
        read = json.loads(core.exec("python", "/drivers/plans.py", known).splitlines()[-1])
    assert read["found"] == [300, 3]
    assert read["a member"] < 50
    assert read["recipients"] < 12 * 300
    assert read["few recipients"] < 150
