"""The Sendmail image by itself: what it refuses, what it makes of settings and maps, its TLS."""

import smtplib
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.integration.test_parsers import ADDRESS, DRIVERS, Reader
from tests.support import wait
from tests.support.container import Container, container, docker
from tests.support.world import wait_answering

MTA = {"MTA": "sendmail"}
MAPS = "/var/lib/mailman/data"
WAITING = "waiting for core's transport maps"
LIST = "ant@lists.example.com"


# As core does it: in place, and indexed when it is done.
WRITE_MAPS = f"""
cd {MAPS}
cat >postfix_lmtp
echo 'lists.example.com lists.example.com' >postfix_domains
: >postfix_vmap
postmap hash:postfix_lmtp hash:postfix_domains hash:postfix_vmap
touch written-for-sendmail-hash
"""


class Core:
    """A container with a volume of core's maps, and Postfix's postmap to write them."""

    def __init__(self, writer: Container, volume: str) -> None:
        self.writer = writer
        self.options = (f"--volume={volume}:{MAPS}:ro",)

    def write(self, *addresses: str) -> None:
        """Write the maps anew, for lists with these addresses."""
        lines = "".join(f"{address} lmtp:[core]:8024\n" for address in addresses)
        self.writer.exec("sh", "-ec", WRITE_MAPS, stdin=lines)


@contextmanager
def maps(*addresses: str) -> Iterator[Core]:
    name = f"mailman-stack-test-maps-{uuid.uuid4().hex[:8]}"
    command = ("--entrypoint=sleep", "mailman-stack/core", "infinity")  # it has Postfix's postmap
    try:
        docker("run", "--detach", f"--name={name}", f"--volume={name}:{MAPS}", *command)
        core = Core(Container(name), name)
        core.write(*addresses)
        yield core
    finally:
        docker("rm", "--force", name)
        docker("volume", "rm", name)


@pytest.fixture(scope="module")
def core() -> Iterator[Core]:
    with maps(LIST) as core:
        yield core


@contextmanager
def at_work(core: Core, **arguments: Any) -> Iterator[Container]:
    """Sendmail, reachable from outside."""
    with container("mta", settings=MTA, options=core.options, **arguments) as mta:
        wait_answering(mta)
        yield mta


@pytest.fixture(scope="module")
def mta(core: Core) -> Iterator[Container]:
    with at_work(core) as mta:
        yield mta


# -- What does not start


def test_wrong_settings_are_all_named() -> None:
    with container("mta", settings=MTA | {"SMTP_HOST_USER": "me", "MTA_PUBLISH": "x"}) as mta:
        assert mta.exit_code() == 78
        assert sorted(mta.output().splitlines()) == [
            "mta: MTA_PUBLISH='x': must be [address:]port",
            "mta: SMTP_HOST_USER='me': needs SMTP_HOST",
        ]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("FEATURE(`no_such_feature')dnl\n", "no_such_feature"),
        ("define(`confLOG_LEVEL\n", "end of file"),
        ("LOCAL_CONFIG\nO NoSuchOption=1\n", "unknown option name NoSuchOption"),
        ("LOCAL_CONFIG\nnothing of Sendmail's\n", "unknown configuration line"),
        ("LOCAL_RULESETS\nSmine\nR$*\n", "invalid rewrite line"),
    ],
)
def test_lines_that_are_not_understood_are_refused(lines: str, reason: str) -> None:
    with container("mta", settings=MTA, local={"sendmail.mc": lines}) as mta:
        assert mta.exit_code() == 78
        output = mta.output()
    assert reason in output
    assert "Traceback" not in output


def test_the_operators_lines_come_last() -> None:
    lines = "dnl größer\ndefine(`confMAX_MESSAGE_SIZE', `123456')dnl\nLOCAL_CONFIG\nD{Mine}here\n"
    with container("mta", settings=MTA, local={"sendmail.mc": lines}) as mta:
        mta.wait_output(WAITING)
        read = mta.exec("sh", "-c", "sendmail -d37.1 -bt </dev/null; echo '${Mine}' | sendmail -bt")
    assert "MaxMessageSize (0x8a)=123456" in read
    assert "> here" in read


def test_another_command_takes_the_entrypoints_place() -> None:
    with container("mta", "sendmail", "-d0.1", "-bt", "-C", "/dev/null", settings=MTA) as mta:
        mta.exit_code()
        assert "Version 8.18." in mta.output()


# -- What its parsers make of the settings


@pytest.fixture(scope="module")
def parsers(core: Core) -> Iterator[Reader]:
    options = (*core.options, f"--volume={DRIVERS}:/drivers:ro")
    with container("mta", "sleep", "infinity", settings=MTA, options=options) as mta:
        command = ["docker", "exec", "--interactive", mta.name, "python", "/drivers/sendmail.py"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            yield Reader(process)


# Every word that m4 knows, and some that Sendmail does, may be part of a name.
LABEL = st.sampled_from(["dnl", "define", "divert", "include", "ifdef", "len", "shift", "w", "j"])
NAME = st.lists(LABEL, min_size=2, max_size=4).map(".".join)


@settings(max_examples=60, deadline=None)
@given(owner=ADDRESS, hostname=NAME, domain=NAME)
@example(owner="%0%%1@example.org", hostname="w.j", domain="x.y")
@example(owner="#$%a!b`c'{d}@example.org", hostname="dnl.dnl", domain="define.dnl")
def test_any_name_and_address_arrive_unchanged(
    parsers: Reader, owner: str, hostname: str, domain: str
) -> None:
    answer = parsers.read(
        {**MTA, "SITE_OWNER": owner, "MTA_HOSTNAME": hostname, "MAIL_DOMAINS": domain}
    )
    assert answer["read"] == {"owner": owner, "hostname": hostname, "domains": [domain]}


# -- Whom a stranger may write to


@pytest.fixture
def connected(mta: Container) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP(mta.address, 25, timeout=30) as smtp:
        smtp.ehlo("outside.example.net")
        yield smtp


@pytest.mark.parametrize(
    ("recipient", "code"),
    [
        (LIST, 250),
        ("ANT@Lists.Example.COM", 250),
        ("ant+tag@lists.example.com", 250),
        ("postmaster@lists.example.com", 250),
        ("postmaster", 250),
        ("bee@lists.example.com", 550),
        ("someone@elsewhere.example", 554),
        ("someone%elsewhere.example@lists.example.com", 550),
        ("ant+someone%elsewhere.example", 550),
        ("elsewhere.example!someone@lists.example.com", 550),
        ("elsewhere.example!someone", 550),
        ("@lists.example.com:someone@elsewhere.example", 554),
        ("someone@elsewhere.example@lists.example.com", 553),
        ('"someone@elsewhere.example"@lists.example.com', 550),
        ('"someone@elsewhere.example"', 554),
        ("someone@[192.0.2.1]", 554),
        ("someone", 550),
        ("root@localhost", 550),
        ("root@mta", 550),
    ],
)
def test_whom_a_stranger_may_write_to(connected: smtplib.SMTP, recipient: str, code: int) -> None:
    connected.mail("stranger@outside.example.net")
    assert connected.rcpt(f"<{recipient}>")[0] == code


def test_a_stranger_cannot_look_around(connected: smtplib.SMTP) -> None:
    assert connected.verify("ant")[0] == 252
    assert connected.expn("ant")[0] == 502
    assert connected.docmd("ETRN", "lists.example.com")[0] == 502


def test_a_stranger_cannot_smuggle(mta: Container) -> None:
    """Half a line break could end a message for one server and not for the next."""
    with smtplib.SMTP(mta.address, 25, timeout=30) as smtp:
        smtp.ehlo("outside.example.net")
        smtp.mail("stranger@outside.example.net")
        smtp.rcpt(LIST)
        assert smtp.data(b"Subject: x\r\n\r\nx\n.\nMAIL FROM:<x@y.example>\r\n")[0] == 421


# -- Core's maps


def code(mta: Container, recipient: str) -> int:
    with smtplib.SMTP(mta.address, 25, timeout=30) as smtp:
        smtp.ehlo("outside.example.net")
        smtp.mail("stranger@outside.example.net")
        return smtp.rcpt(recipient)[0]


def test_a_list_is_followed_by_a_process_that_has_read_the_maps(core: Core, mta: Container) -> None:
    new = "new@lists.example.com"
    with smtplib.SMTP(mta.address, 25, timeout=30) as smtp:
        smtp.ehlo("outside.example.net")
        smtp.mail("stranger@outside.example.net")
        assert smtp.rcpt(new)[0] == 550
        core.write(LIST, new)

        def known() -> bool:
            # It compares whole seconds.
            core.writer.exec("touch", f"{MAPS}/postfix_lmtp.db")
            return smtp.rcpt(new)[0] == 250

        wait.until("the list is known", known)
    core.write(LIST)
    assert code(mta, new) == 550


def test_no_address_is_refused_while_the_maps_are_written(core: Core, mta: Container) -> None:
    many = [f"list{number}@lists.example.com" for number in range(20_000)]
    core.write(LIST, *many)
    write = f"cd {MAPS}; for time in 1 2 3 4 5; do postmap hash:postfix_lmtp; done"
    seen: set[int] = set()
    with subprocess.Popen(["docker", "exec", core.writer.name, "sh", "-c", write]) as writing:
        while writing.poll() is None:
            seen.update(code(mta, recipient) for recipient in (many[0], many[-1], LIST))
    core.write(LIST)
    assert seen <= {250, 450, 451}


def test_a_map_that_cannot_be_read_refuses_nothing_for_good(core: Core) -> None:
    with at_work(core) as mta:
        core.writer.exec("sh", "-c", f"cd {MAPS} && for f in *.db; do echo x >$f; done")
        assert code(mta, LIST) in {450, 451}
        core.write(LIST)
        assert code(mta, LIST) == 250


# -- Operation


def is_ill(mta: Container) -> bool:
    try:
        mta.exec("healthcheck")
    except AssertionError:
        return True
    return False


def test_a_dead_way_to_the_relayhost_ends_the_container(core: Core) -> None:
    """Docker starts it anew; mail would wait for ever."""
    relayhost = {"SMTP_HOST": "relay.example", "SMTP_PORT": "465", "SMTP_SECURE_MODE": "smtps"}
    with container("mta", settings=MTA | relayhost, options=core.options) as mta:
        wait_answering(mta)
        mta.exec("sh", "-c", "kill -KILL $(cat /run/sendmail/relayhost.pid)")
        wait.until("the healthcheck fails", lambda: is_ill(mta))
        assert mta.exit_code() == 0
