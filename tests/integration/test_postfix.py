"""The Postfix image by itself: what it refuses, what Postfix makes of the settings, its TLS."""

import re
import smtplib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support import wait
from tests.support.container import Container, container

# Where core's maps are, which core alone writes; here a test does.
MAPS = "/var/lib/mailman/data"
WAITING = "waiting for core's transport maps"
# On the engine's own network, where a test reaches it from outside.
AT_WORK = (f"--tmpfs={MAPS}",)


@pytest.fixture(scope="module")
def mta() -> Iterator[Container]:
    """Postfix at work, with maps that name one list, reachable from outside."""
    with container("mta", options=AT_WORK) as mta:
        write_maps(mta)
        yield mta


def write_maps(mta: Container, starts: int = 1) -> None:
    """Let the container's latest start go on, as core does."""
    mta.wait_output(WAITING, times=starts)
    write_tables(mta, "lmdb", "ant")
    mta.wait_output("daemon started", times=starts)


def write_tables(mta: Container, type_: str, *lists: str) -> None:
    """Write core's tables, as core does: the text takes the old one's place, and is indexed."""
    addresses = [key(type_, f"{name}@lists.example.com") for name in lists]
    tables = {
        "lmtp": "".join(f"{address} lmtp:[core]:8024\n" for address in addresses),
        "domains": f"{key(type_, 'lists.example.com')} lists.example.com\n",
        "vmap": "",
    }
    index = "" if type_ == "regexp" else f"postmap {type_}:$path"
    for name, text in tables.items():
        write = f"path={MAPS}/postfix_{name}; cat >$path.new; mv $path.new $path; {index}"
        mta.exec("sh", "-ec", write, stdin=text)
    mta.exec("touch", f"{MAPS}/written-for-postfix-{type_}")


def key(type_: str, text: str) -> str:
    """A key as Mailman writes it into a table of this type."""
    return f"/^{text}$/".replace(".", "\\.") if type_ == "regexp" else text


def parameters(mta: Container, *names: str) -> dict[str, str]:
    """The values in effect."""
    lines = mta.exec("postconf", "-x", *names).splitlines()
    return {name: value.strip() for name, _, value in (line.partition(" =") for line in lines)}


# -- What does not start


def test_wrong_settings_are_all_named() -> None:
    with container("mta", settings={"SMTP_HOST_USER": "me", "MTA_PUBLISH": "smtp"}) as mta:
        assert mta.exit_code() == 78
        assert sorted(mta.output().splitlines()) == [
            "mta: MTA_PUBLISH='smtp': must be [address:]port",
            "mta: SMTP_HOST_USER='me': needs SMTP_HOST",
        ]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("smtpd_baner = hello\n", "unused parameter: smtpd_baner=hello"),
        ("no parameter\n", "missing '=' after attribute name"),
        ("myhostname = $nothing\n", "undefined parameter: nothing"),
    ],
)
def test_lines_that_postfix_does_not_understand_are_refused(lines: str, reason: str) -> None:
    with container("mta", local={"main.cf": lines}) as mta:
        assert mta.exit_code() == 78
        output = mta.output()
    assert reason in output
    assert "Traceback" not in output


def test_the_operators_lines_come_last() -> None:
    lines = "# größer\nmessage_size_limit = 123456\nsmtpd_banner = $myhostname here\n"
    with container("mta", local={"main.cf": lines}) as mta:
        mta.wait_output(WAITING)
        read = parameters(mta, "message_size_limit", "smtpd_banner")
    assert read == {"message_size_limit": "123456", "smtpd_banner": "lists.example.com here"}


def test_another_command_takes_the_entrypoints_place() -> None:
    with container("mta", "postconf", "-d", "mail_version") as mta:
        assert mta.exit_code() == 0
        assert "mail_version = 3.10." in mta.output()


# -- Core's tables


@pytest.mark.parametrize("type_", ["lmdb", "hash", "regexp"])
def test_tables_of_each_type_are_followed_within_two_seconds(type_: str) -> None:
    def answer(recipient: str) -> int:
        with smtplib.SMTP(postfix.address, 25, timeout=30) as smtp:
            smtp.ehlo("outside.example.net")
            smtp.mail("stranger@outside.example.net")
            return smtp.rcpt(recipient)[0]

    with container("mta", settings={"POSTFIX_TABLE_TYPE": type_}, options=AT_WORK) as postfix:
        postfix.wait_output(WAITING)
        write_tables(postfix, type_, "ant")
        postfix.wait_output("daemon started")
        assert answer("ant@lists.example.com") == 250
        assert answer("bee@lists.example.com") == 550
        write_tables(postfix, type_, "bee")
        wait.until("a new list is known", lambda: answer("bee@lists.example.com") == 250, 2)
        wait.until("a list is gone", lambda: answer("ant@lists.example.com") == 550, 2)


# -- The way out


@pytest.mark.parametrize(
    ("settings", "secrets", "effective"),
    [
        (
            {},
            {},
            {
                "relayhost": "",
                "smtp_tls_security_level": "may",
                "smtp_tls_wrappermode": "no",
                "smtp_sasl_auth_enable": "no",
            },
        ),
        (
            {"SMTP_HOST": "relay.example"},
            {},
            {
                "relayhost": "[relay.example]:25",
                "smtp_tls_security_level": "may",
                "smtp_tls_wrappermode": "no",
                "smtp_sasl_auth_enable": "no",
            },
        ),
        (
            {
                "SMTP_HOST": "relay.example",
                "SMTP_PORT": "587",
                "SMTP_SECURE_MODE": "starttls",
                "SMTP_HOST_USER": "me@example.org",
            },
            {"smtp_host_password": "pa$$ word"},
            {
                "relayhost": "[relay.example]:587",
                "smtp_tls_security_level": "secure",
                "smtp_tls_wrappermode": "no",
                "smtp_sasl_auth_enable": "yes",
                "smtp_sasl_security_options": "noanonymous",
            },
        ),
        (
            {
                "SMTP_HOST": "relay.example",
                "SMTP_PORT": "465",
                "SMTP_SECURE_MODE": "smtps",
                "SMTP_HOST_USER": "me@example.org",
            },
            {"smtp_host_password": "pa$$ word"},
            {
                "relayhost": "[relay.example]:465",
                "smtp_tls_security_level": "secure",
                "smtp_tls_wrappermode": "yes",
                "smtp_sasl_auth_enable": "yes",
                "smtp_sasl_security_options": "noanonymous",
            },
        ),
    ],
    ids=["mx", "relayhost", "starttls", "smtps"],
)
def test_the_way_out(
    settings: dict[str, str], secrets: dict[str, str], effective: dict[str, str]
) -> None:
    with container("mta", settings=settings, secrets=secrets) as mta:
        mta.wait_output(WAITING)
        assert parameters(mta, *effective) == effective
        if secrets:
            (table,) = parameters(mta, "smtp_sasl_password_maps").values()
            login = mta.exec("postmap", "-q", effective["relayhost"], table)
            assert login == "me@example.org:pa$$ word\n"


# -- No relay


def test_strangers_cannot_relay(mta: Container) -> None:
    effective = {
        "mynetworks": "127.0.0.0/8, [::1]/128",
        "mydestination": "",
        "smtpd_relay_restrictions": "reject_unauth_destination",
        "relay_recipient_maps": f"lmdb:{MAPS}/postfix_lmtp",
        "relay_transport": "lmtp:[core]:8024",
        "local_transport": "error:5.1.1 no mailboxes here",
    }
    assert parameters(mta, *effective) == effective


@pytest.mark.parametrize(
    ("recipient", "code"),
    [
        ("ant@lists.example.com", 250),
        ("ant+tag@lists.example.com", 250),
        ("postmaster@lists.example.com", 250),
        ("bee@lists.example.com", 550),
        ("someone@elsewhere.example", 554),
        ("someone%elsewhere.example@lists.example.com", 554),
        ("@lists.example.com:someone@elsewhere.example", 554),
        ("root@localhost", 554),
    ],
)
def test_whom_a_stranger_may_write_to(connected: smtplib.SMTP, recipient: str, code: int) -> None:
    connected.mail("stranger@outside.example.net")
    assert connected.rcpt(recipient)[0] == code


def test_core_has_a_listener_of_its_own(mta: Container) -> None:
    (line,) = mta.exec("postconf", "-M", "10025/inet").splitlines()
    assert line.split()[:8] == ["10025", "inet", "n", "-", "n", "-", "-", "smtpd"]
    options = mta.exec("postconf", "-P", "-h", "10025/inet/smtpd_client_restrictions")
    assert options == "permit_mynetworks,reject\n"


def test_the_host_cannot_use_cores_listener(mta: Container) -> None:
    with smtplib.SMTP(mta.address, 10025, timeout=30) as smtp:
        smtp.ehlo("outside.example.net")
        assert not smtp.has_extn("xverp")
        smtp.mail("stranger@outside.example.net")
        assert smtp.rcpt("someone@elsewhere.example")[0] == 554


# Hands a message over by QMQP, and prints the reply without its length.
QMQP = """
import socket, sys
def netstring(content):
    return b"%d:%s," % (len(content), content)
parts = [*sys.argv[2:], "Subject: Hello\\n\\nHello.\\n"]
parts = ["".join(parts), "ant-bounces@lists.example.com", "ant@lists.example.com"]
message = netstring(b"".join(netstring(part.encode()) for part in parts))
with socket.create_connection((sys.argv[1], 628)) as qmqp:
    qmqp.sendall(message)
    print(qmqp.recv(4096).decode().partition(":")[2])
"""


def test_posts_are_handed_over_from_the_stacks_own_networks_alone(mta: Container) -> None:
    command = [sys.executable, "-c", QMQP, mta.address]
    outside = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.match(r"DError: .* is not authorized", outside)
    assert mta.exec("python", "-c", QMQP, "127.0.0.1").startswith("DError:")
    assert mta.exec("python", "-c", QMQP, mta.address).startswith("KOk:")


@pytest.mark.parametrize("header", ["To: undisclosed-recipients", "Cc: bob, a!b", "Cc: a%b"])
def test_headers_of_posts_stay_as_they_are(mta: Container, header: str) -> None:
    reply = mta.exec("python", "-c", QMQP, mta.address, f"{header}\n")
    name = reply.split()[-1].rstrip(",")
    queued = wait.until("it waits for core", lambda: mta.exec("postcat", "-qh", name))
    assert header in queued.splitlines()


def test_a_milter_is_asked_about_posts() -> None:
    """This one is not there, so nothing is taken that it should have signed."""
    local = {"main.cf": "smtpd_milters = inet:127.0.0.1:8891\nmilter_default_action = tempfail\n"}
    with container("mta", local=local, options=AT_WORK) as mta:
        write_maps(mta)
        assert mta.exec("python", "-c", QMQP, mta.address).startswith("Z")


@pytest.fixture
def connected(mta: Container) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP(mta.address, 25, timeout=30) as smtp:
        smtp.ehlo("outside.example.net")
        yield smtp
