"""The Exim image by itself: what it refuses, what Exim makes of settings, its lists, its TLS."""

import smtplib
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.integration.test_parsers import (
    ADDRESS,
    ANYTHING,
    DRIVERS,
    NASTY,
    VALUE,
    Reader,
    without_colon,
)
from tests.support import RUN
from tests.support.container import Container, container

EXIM = {"MTA": "exim"}
# Where core's list of domains and its lists are, which core alone writes; here a test does.
MAPS = "/var/lib/mailman/data"
WAITING = "waiting for core's transport maps"
# On the engine's own network, where a test reaches it from outside.
AT_WORK = (f"--tmpfs={MAPS}:uid=990",)
STRANGER = "stranger@outside.example.net"


@pytest.fixture(scope="module")
def mta() -> Iterator[Container]:
    """Exim at work, with one list, reachable from outside."""
    with container("mta", settings=EXIM, options=AT_WORK) as mta:
        write_lists(mta)
        yield mta


def write_lists(mta: Container, starts: int = 1) -> None:
    """Let the container's latest start go on, as core does."""
    mta.wait_output(WAITING, times=starts)
    mta.exec("sh", "-ec", f"cd {MAPS}; {MAKE_LISTS}")
    mta.wait_output("daemon started", times=starts)


MAKE_LISTS = """
mkdir -p lists/ant.lists.example.com
echo 'lists.example.com: lists.example.com' >domains
echo 'alias.example.com: lists.example.com' >>domains
mv domains exim_domains
touch written-for-exim
"""


def options(mta: Container, *arguments: str) -> dict[str, str]:
    """The options in effect, as ``exim -bP`` shows them; of a switch only the name."""
    lines = mta.exec("exim4", "-bP", *arguments).splitlines()
    return {
        name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)
    }


# -- What does not start


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("smtp_baner = hello\n", 'main option "smtp_baner" unknown'),
        ("begin routers\nx:\n  driver = nothing\n", 'cannot find router driver "nothing"'),
        ("begin acl\nx:\n  acept\n", 'unknown ACL verb "acept"'),
        ("begin things\n", '"things" is not a known configuration section name'),
    ],
)
def test_lines_that_exim_does_not_understand_are_refused(lines: str, reason: str) -> None:
    with container("mta", settings=EXIM, local={"exim.conf": lines}) as mta:
        assert mta.exit_code() == 78
        output = mta.output()
    assert reason in output
    assert "Traceback" not in output


OWN = """\
# größer
message_size_limit = 123456
acl_smtp_connect = own
begin acl
own:
  accept
begin routers
own:
  driver = accept
  transport = own
begin transports
own:
  driver = smtp
begin rewrite
*@a.example $1@b.example
"""


def test_the_operators_lines_come_first_and_win() -> None:
    with container("mta", settings=EXIM, local={"exim.conf": OWN}) as mta:
        mta.wait_output(WAITING)
        read = options(mta)
        routers = mta.exec("exim4", "-bP", "router_list").split()
        rewritten = mta.exec("exim4", "-brw", "x@a.example")
    assert read["message_size_limit"] == "123456"
    assert read["acl_smtp_connect"] == "own"
    ours = ["mailman3_whole_name", "mailman3_router", "persons", "unknown", "mx_naming", "mx"]
    assert routers == ["own", *ours]
    assert "env-to: x@b.example" in rewritten


def test_a_key_that_only_root_may_read_is_refused() -> None:
    local = {"tls/fullchain.pem": "", "tls/privkey.pem": ""}
    with container("mta", "sleep", "infinity", settings=EXIM, local=local) as mta:
        (RUN / mta.name / "etc/mailman-stack/local/tls/privkey.pem").chmod(0o400)
        said = mta.exec("sh", "-c", "entrypoint.py 2>&1; echo $?")
    assert said == "mta: local/tls/privkey.pem: must be readable for uid 990\n78\n"


def test_another_command_takes_the_entrypoints_place() -> None:
    with container("mta", "id", settings=EXIM) as mta:
        assert mta.exit_code() == 0
        assert "uid=990(Debian-exim)" in mta.output()


# -- As what it runs


def test_nothing_of_it_is_root_or_can_become_it(mta: Container) -> None:
    status = mta.exec("sh", "-c", "cat /proc/[0-9]*/status")
    lines = [line.split() for line in status.splitlines()]
    assert {
        number for name, *numbers in lines if name in ("Uid:", "Gid:") for number in numbers
    } == {"990"}
    assert {line[1] for line in lines if line[0] == "CapBnd:"} == {"0" * 16}
    assert not mta.exec("find", "/usr/sbin", "/usr/bin", "-name", "exim*", "-perm", "/6000")


def test_it_stops_cleanly_and_starts_without_damaged_hints() -> None:
    """They are databases that a killed process may have been writing."""
    with container("mta", settings=EXIM, options=AT_WORK) as mta:
        write_lists(mta)
        hints = "/var/spool/exim4/db"
        mta.exec("sh", "-ec", f"mkdir -p {hints}; echo nonsense >{hints}/retry")
        mta.stop()
        assert mta.inspect("{{.State.ExitCode}}") == "0"
        mta.restart()
        write_lists(mta, starts=2)
        assert mta.exec("sh", "-c", f"grep -rs nonsense {hints} || true") == ""


# -- The way out

WAYS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "mx": ({}, {"protocol": "smtp", "hosts_require_tls": "", "hosts_require_auth": ""}),
    "relayhost": (
        {"SMTP_HOST": "relay.example"},
        {"port": "25", "protocol": "smtp", "hosts_require_tls": "", "hosts_require_auth": ""},
    ),
    "starttls": (
        {"SMTP_HOST": "relay.example", "SMTP_PORT": "587", "SMTP_SECURE_MODE": "starttls"},
        {"port": "587", "protocol": "smtp"},
    ),
    "smtps": (
        {"SMTP_HOST": "relay.example", "SMTP_PORT": "465", "SMTP_SECURE_MODE": "smtps"},
        {"port": "465", "protocol": "smtps"},
    ),
}
SECURE = {
    "hosts_require_tls": "*",
    "hosts_require_auth": "*",
    "tls_verify_hosts": "*",
    "tls_verify_cert_hostnames": "*",
    "tls_verify_certificates": "/etc/ssl/certs/ca-certificates.crt",
}


@pytest.mark.parametrize("way", WAYS)
def test_the_way_out(way: str) -> None:
    given, effective = WAYS[way]
    secrets: dict[str, str] = {}
    if way in ("starttls", "smtps"):
        given = given | {"SMTP_HOST_USER": "me@example.org"}
        secrets = {"smtp_host_password": "pa$$ word"}
        effective = effective | SECURE
    with container("mta", settings=EXIM | given, secrets=secrets) as mta:
        mta.wait_output(WAITING)
        read = options(mta, "transport", "remote")
        authenticators = mta.exec("exim4", "-bP", "authenticator_list").split()
    assert {name: read[name] for name in effective} == effective
    assert authenticators == (["plain", "login"] if secrets else [])


def test_a_password_that_plain_cannot_carry_goes_by_login() -> None:
    """Of NUL and ^ in a row Exim cannot be told: see auth_client_item in its get_data.c."""
    given = EXIM | WAYS["starttls"][0] | {"SMTP_HOST_USER": "me"}
    with container("mta", settings=given, secrets={"smtp_host_password": "^a"}) as mta:
        mta.wait_output(WAITING)
        assert mta.exec("exim4", "-bP", "authenticator_list").split() == ["login"]


# -- Any value arrives unchanged


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    options = (
        "--network=none",
        "--add-host=relay.example:127.0.0.1",
        f"--volume={DRIVERS}:/drivers:ro",
        *AT_WORK,
    )
    given = EXIM | {"MTA_HOSTNAME": "relay.example"}
    with container("mta", "sleep", "infinity", settings=given, options=options) as mta:
        command = ["docker", "exec", "--interactive", mta.name, "python", "/drivers/exim.py"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            yield Reader(process)


@pytest.fixture(scope="module")
def usual(reader: Reader) -> dict[str, Any]:
    """What Exim reads where every value is harmless."""
    return reader.read(RELAYHOST | {"SMTP_HOST_USER": "u"}, smtp_host_password="p")


RELAYHOST = WAYS["smtps"][0]
# Each is a conversation with a relayhost.
EXAMPLES = settings(max_examples=40, deadline=None)
CARET = st.text("^ab:", min_size=1, max_size=4)


@EXAMPLES
@given(owner=ADDRESS, user=(VALUE | CARET).map(without_colon), password=VALUE | CARET)
@example(owner="#$%a@example.org", user=without_colon(NASTY), password=NASTY)
@example(owner="|{a}@example.org", user="${run{id}}", password="\\N : :: <; }{ ^^^ \\")
@example(owner="/a@example.org", user="^u^", password="^^p^")
@example(owner="MM3_HOME@example.org", user="MM3_HOME", password="_HAVE_TLS")
def test_any_value(
    reader: Reader, usual: dict[str, Any], owner: str, user: str, password: str
) -> None:
    answer = reader.read(
        {**RELAYHOST, "SITE_OWNER": owner, "SMTP_HOST_USER": user}, smtp_host_password=password
    )
    assert answer.get("read") == {"login": [user, password], "owner": owner}
    assert answer["others"] == usual["others"]


@EXAMPLES
@given(user=ANYTHING, password=ANYTHING)
def test_no_value_adds_a_line(
    reader: Reader, usual: dict[str, Any], user: str, password: str
) -> None:
    user = user.encode(errors="replace").decode().replace("\0", "")
    answer = reader.read(RELAYHOST | {"SMTP_HOST_USER": user}, smtp_host_password=password)
    if user and "problems" not in answer:
        assert answer["others"] == usual["others"]
        assert answer["read"]["login"] == [user, password.rstrip("\n")]


# -- Lists


@pytest.fixture
def connected(mta: Container) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP(mta.address, 25, timeout=30) as smtp:
        smtp.ehlo("outside.example.net")
        yield smtp


@pytest.mark.parametrize("domain", ["lists.example.com", "alias.example.com"])
def test_a_list_is_followed_within_a_conversation(
    mta: Container, connected: smtplib.SMTP, domain: str
) -> None:
    connected.mail(STRANGER)
    codes = [connected.rcpt(f"bee@{domain}")[0]]
    for command in ("mkdir", "rmdir"):
        mta.exec(command, f"{MAPS}/lists/bee.lists.example.com")
        codes.append(connected.rcpt(f"bee@{domain}")[0])
    assert codes == [550, 250, 550]


def test_a_domain_is_followed(mta: Container) -> None:
    """With its first list, in the next conversation."""
    line = "new.example.com: new.example.com"
    mta.exec("sh", "-ec", f"cd {MAPS}; mkdir lists/ant.new.example.com; echo {line} >>exim_domains")
    with smtplib.SMTP(mta.address, 25, timeout=30) as smtp:
        smtp.ehlo("outside.example.net")
        smtp.mail(STRANGER)
        assert smtp.rcpt("ant@new.example.com")[0] == 250
        assert smtp.rcpt("bee@new.example.com")[0] == 550


def test_a_list_may_be_named_as_anothers_sub_address(
    mta: Container, connected: smtplib.SMTP
) -> None:
    names = ("cat-owner", "cat-owner-owner", "cat-owner-bounces+anne=example.org", "cat-owner+tag")
    mta.exec("mkdir", f"{MAPS}/lists/cat-owner.lists.example.com")
    connected.mail(STRANGER)
    assert {connected.rcpt(f"{name}@lists.example.com")[0] for name in names} == {250}
    assert connected.rcpt("cat@lists.example.com")[0] == 550


def test_a_slash_in_an_address_leads_nowhere(mta: Container, connected: smtplib.SMTP) -> None:
    mta.exec("mkdir", "-p", f"{MAPS}/lists/dog.lists.example.com/deep.lists.example.com")
    connected.mail(STRANGER)
    for name in ("../lists/dog", "./dog", "dog.lists.example.com/deep", ".", "..", ""):
        assert connected.rcpt(f'"{name}"@lists.example.com')[0] in (501, 550)


# -- What is taken


@pytest.mark.parametrize("port", [10025, 10026])
def test_the_host_cannot_use_cores_listeners(mta: Container, port: int) -> None:
    with smtplib.SMTP(mta.address, port, timeout=30) as smtp:
        smtp.ehlo("outside.example.net")
        smtp.mail(STRANGER)
        for recipient in ("someone@elsewhere.example", "ant@lists.example.com"):
            assert smtp.rcpt(recipient)[0] == 554
        smtp.rset()
        assert smtp.docmd("ETRN", "lists.example.com")[0] == 458
