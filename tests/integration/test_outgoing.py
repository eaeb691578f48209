"""Mail on its way out: what each MTA sends to a real MX or relayhost, by real DNS and TLS."""

import json
import re
import subprocess
import sys
from email.message import EmailMessage
from typing import Any

import pytest

from tests.support import ROOT, RUN, wait
from tests.support.container import Container
from tests.support.mta import Program
from tests.support.world import (
    DOMAIN,
    PASSWORDS,
    TROUBLED,
    USER,
    World,
    queued,
    transactions,
    wait_answering,
    wait_deferred,
    wait_gone,
    wait_taken,
)

ASK = """
import smtplib, sys
try:
    with smtplib.SMTP(sys.argv[1], int(sys.argv[2])) as smtp:
        smtp.ehlo("client.example")
        smtp.mail("someone@lists.example.com")
        print(smtp.rcpt("somebody@outside.example")[0])
except smtplib.SMTPResponseException as refusal:
    print(refusal.smtp_code)
except ConnectionRefusedError:
    print(550)
"""


# -- By MX


def test_mail_goes_to_the_mx_by_tls_where_it_is_offered(
    world: World, mta: Container, unique: str
) -> None:
    post = world.send(mta, f"{unique}@outside.example")
    arrived = world.wait_received(f"{unique}@outside.example")
    assert arrived["Message-ID"] == post["Message-ID"]
    assert arrived["Return-Path"] == f"<ant-bounces@{DOMAIN}>"
    assert "using TLSv1.3" in arrived["Received"]


def test_an_mx_without_tls_gets_it_in_clear(world: World, mta: Container, unique: str) -> None:
    post = world.send(mta, f"{unique}@scripted.example")
    taken = wait_taken(world.remote, f"{unique}@scripted.example")
    assert taken.sender == f"ant-bounces@{DOMAIN}"
    assert taken.content["Message-ID"] == post["Message-ID"]


def test_the_second_mx_takes_over(world: World, mta: Container, unique: str) -> None:
    world.send(mta, f"{unique}@second.example")
    world.wait_received(f"{unique}@second.example")


def test_an_mx_may_take_its_time(world: World, mta: Container, unique: str) -> None:
    world.send(mta, f"{unique}@patient.example")
    wait_taken(world.slow, f"{unique}@patient.example")


def test_a_domain_that_does_not_exist_bounces(world: World, mta: Container, unique: str) -> None:
    recipient = f"{unique}@nowhere.example"
    world.send(mta, recipient, sender=verp(unique))
    assert failure(world, unique) == recipient


def test_mail_waits_for_dns(world: World, program: Program, mta: Container, unique: str) -> None:
    recipient = f"{unique}@refused.example"
    world.send(mta, recipient, sender=verp(unique))
    wait_deferred(program, mta, recipient)
    assert queued(mta, unique)
    assert not transactions(world.core, verp(unique))


# -- What the remote says


def verp(unique: str) -> str:
    """An envelope sender as Mailman makes them, which no other test uses."""
    return f"ant-bounces+{unique}=outside.example@{DOMAIN}"


def failure(world: World, unique: str) -> str:
    """Whom the bounce is about, which core gets (RFC 3464 section 2.3)."""
    bounce = wait_taken(world.core, verp(unique))
    assert bounce.sender == ""
    assert bounce.content.get_content_type() == "multipart/report"
    (status,) = (
        part for part in bounce.content.walk() if part.get_content_subtype() == "delivery-status"
    )
    fields = status.get_payload(1)
    assert isinstance(fields, EmailMessage)
    assert fields["Action"] == "failed"
    assert fields["Status"].startswith("5.")
    kind, recipient = fields["Final-Recipient"].split(";")
    assert kind.lower() == "rfc822"
    return str(recipient).strip()


@pytest.mark.parametrize("script", TROUBLED)
def test_what_a_remote_does_not_take_yet_is_tried_again(
    world: World, program: Program, mta: Container, script: str, unique: str
) -> None:
    recipient = f"{script}.{unique}@scripted.example"
    post = world.send(mta, recipient)
    wait_deferred(program, mta, recipient)
    mta.exec(*program.flush)
    taken = wait_taken(world.remote, recipient)
    assert taken.content["Message-ID"] == post["Message-ID"]
    wait_gone(mta, unique)
    assert [one.taken for one in transactions(world.remote, recipient)] == [False, True]


@pytest.mark.parametrize(
    ("script", "words"), [("unknown", "nobody of that name"), ("refused", "not wanted")]
)
def test_a_rejection_bounces_to_the_envelope_sender(
    world: World, mta: Container, script: str, words: str, unique: str
) -> None:
    recipient = f"{script}.{unique}@scripted.example"
    world.send(mta, recipient, sender=verp(unique))
    assert failure(world, unique) == recipient
    assert words in wait_taken(world.core, verp(unique)).message
    wait_gone(mta, unique)
    assert len(transactions(world.remote, recipient)) == 1


def test_a_rejected_recipient_does_not_keep_the_others_from_theirs(
    world: World, mta: Container, unique: str
) -> None:
    no, yes = f"unknown.{unique}@scripted.example", f"{unique}@scripted.example"
    world.send(mta, no, yes, sender=verp(unique))
    wait_taken(world.remote, yes)
    assert failure(world, unique) == no


# -- By a relayhost

RELAYHOST = {
    "starttls": {"SMTP_HOST": "relay.example", "SMTP_PORT": "587", "SMTP_SECURE_MODE": "starttls"},
    "smtps": {"SMTP_HOST": "relay.example", "SMTP_PORT": "465", "SMTP_SECURE_MODE": "smtps"},
}

# What each MTA says of a relayhost that it does not trust, or that does not trust it.
REASONS = {
    "postfix": {
        "authority": "untrusted issuer",
        "name": "hostname mismatch",
        "no-starttls": "TLS is required, but was not offered",
        "login": "SASL authentication failed",
    },
    "exim": {
        "authority": "certificate",
        "name": "certificate",
        "no-starttls": "TLS session is required",
        "login": "authentication attempt(s) failed",
    },
    "sendmail": {
        "authority": "certificate verify failed",
        "name": "Hostname mismatch",
        "no-starttls": "no STARTTLS",
        "login": "535 5.7.8",
    },
}


def known(world: World) -> dict[str, str]:
    """What the operator adds to make the authority known."""
    return {"tls/authorities.pem": (world.folder / "ca.pem").read_text()}


def test_a_relayhost_comes_before_any_mx_and_need_not_have_tls(
    world: World, program: Program, unique: str
) -> None:
    with world.mta(program, {"SMTP_HOST": "relay.example", "SMTP_PORT": "2587"}) as mta:
        world.send(mta, f"{unique}@second.example")
        arrived = world.wait_received(f"{unique}@second.example")
        assert "down.example" not in mta.output()
    assert "using TLS" not in arrived["Received"]


@pytest.mark.parametrize(
    ("mode", "key"),
    [*(("starttls", key) for key in PASSWORDS), ("smtps", "quotes"), ("smtps", "not-ascii")],
)
def test_the_relayhost_accepts_the_login(
    world: World, program: Program, mode: str, key: str, unique: str
) -> None:
    user = USER.format(key)
    settings = RELAYHOST[mode] | {"SMTP_HOST_USER": user}
    with world.mta(program, settings, PASSWORDS[key], known(world)) as mta:
        world.send(mta, f"{unique}@outside.example")
        received = world.wait_received(f"{unique}@outside.example")["Received"]
        assert PASSWORDS[key] not in mta.output()
    assert "using TLSv1.3" in received
    assert f"(Authenticated sender: {user})" in received


def test_a_wrong_password_is_corrected_without_loss(
    world: World, program: Program, unique: str
) -> None:
    recipient = f"{unique}@outside.example"
    settings = RELAYHOST["starttls"] | {"SMTP_HOST_USER": USER.format("quotes")}
    with world.mta(program, settings, "wrong", known(world)) as mta:
        world.send(mta, recipient)
        assert REASONS[program.name]["login"] in wait_deferred(program, mta, recipient)
        said = wait.until("the conversation's end", lambda: world.conversations(mta))
        assert said[0]["auth"].startswith("0/")
        assert "mail" not in said[0]
        secret = RUN / mta.name / "run" / "secrets" / "smtp_host_password"
        secret.unlink()
        secret.write_text(PASSWORDS["quotes"])
        mta.restart()
        wait_answering(mta)
        mta.exec(*program.flush)
        world.wait_received(recipient)


@pytest.mark.parametrize(
    ("settings", "trusted", "reason"),
    [
        (RELAYHOST["starttls"], False, "authority"),
        (RELAYHOST["smtps"], False, "authority"),
        (RELAYHOST["starttls"] | {"SMTP_HOST": "alias.example"}, True, "name"),
        (RELAYHOST["smtps"] | {"SMTP_HOST": "alias.example"}, True, "name"),
        (RELAYHOST["starttls"] | {"SMTP_PORT": "2587"}, True, "no-starttls"),
    ],
    ids=["authority-starttls", "authority-smtps", "name-starttls", "name-smtps", "no-starttls"],
)
def test_nothing_is_told_to_a_relayhost_that_may_be_another(  # noqa: PLR0913, PLR0917
    world: World,
    program: Program,
    settings: dict[str, str],
    trusted: bool,
    reason: str,
    unique: str,
) -> None:
    recipient = f"{unique}@outside.example"
    settings = settings | {"SMTP_HOST_USER": USER.format("quotes")}
    local = known(world) if trusted else {}
    with world.mta(program, settings, PASSWORDS["quotes"], local) as mta:
        world.send(mta, recipient)
        wait_deferred(program, mta, recipient)
        assert REASONS[program.name][reason] in mta.output()
        said = wait.until("the conversation's end", lambda: world.conversations(mta))
    assert {command for one in said for command in one} <= {"ehlo", "starttls", "quit", "commands"}
    assert not world.received(recipient)


@pytest.mark.parametrize("mode", RELAYHOST)
def test_mail_for_a_list_goes_to_core_whatever_the_relayhost_needs(
    world: World, program: Program, mode: str, unique: str
) -> None:
    recipient = f"ant-confirm+{unique}@{DOMAIN}"
    settings = RELAYHOST[mode] | {"SMTP_HOST_USER": USER.format("quotes")}
    with world.mta(program, settings, PASSWORDS["quotes"], known(world)) as mta:
        world.send(mta, recipient)
        wait_taken(world.core, recipient)


def test_mail_waits_for_a_relayhost_that_does_not_exist(
    world: World, program: Program, unique: str
) -> None:
    """A name that is wrong, or not there yet, is no reason to lose mail."""
    with world.mta(program, {"SMTP_HOST": "nowhere.example"}) as mta:
        world.send(mta, f"{unique}@outside.example")
        wait_deferred(program, mta, f"{unique}@outside.example")
        assert queued(mta, unique)


# -- Envelope senders that name the recipient (VERP)

DELIVER = (ROOT / "tests" / "integration" / "drivers" / "deliver.py").read_text()
BOUNCES = f"ant-bounces@{DOMAIN}"


def deliver(
    world: World, program: Program, mta: Container, unique: str, *recipients: str
) -> dict[str, Any]:
    """Send a post by core's own code; say who is tried again, and who is not."""
    arguments = [world.address(mta), f"<{unique}@example.org>", *recipients]
    command = ["env", f"MTA={program.name}", "python", "-c", DELIVER, *arguments]
    answer: dict[str, Any] = json.loads(world.core.exec(*command).splitlines()[-1])
    return answer


def named(recipient: str) -> str:
    return f"ant-bounces+{recipient.replace('@', '=')}@{DOMAIN}"


def test_each_recipient_gets_a_sender_that_names_it(
    world: World, program: Program, mta: Container, unique: str
) -> None:
    names = (unique, f"{unique}+x", f"{unique}=y", f"o'{unique}", f"{unique}.z", "x" * 60 + unique)
    recipients = [f"{name}@{host}.example" for name in names for host in ("scripted", "patient")]
    assert deliver(world, program, mta, unique, *recipients) == {"again": [], "lost": {}}
    for recipient in recipients:
        host = world.slow if "patient" in recipient else world.remote
        taken = wait_taken(host, recipient)
        assert (taken.sender, taken.together) == (named(recipient), 1)
    # The MTA has had one message for all.
    assert mta.output().count(f"{unique}@example.org") == 1


def test_who_cannot_be_named_gets_the_lists(
    world: World, program: Program, mta: Container, unique: str
) -> None:
    yes, no = f"{unique}@scripted.example", f"a/{unique}@scripted.example"
    assert deliver(world, program, mta, unique, yes, no) == {"again": [], "lost": {}}
    assert wait_taken(world.remote, yes).sender == named(yes)
    assert wait_taken(world.remote, no).sender == BOUNCES


def test_an_address_may_have_quotes(
    world: World, program: Program, mta: Container, unique: str
) -> None:
    recipient = f'"{unique} x"@scripted.example'
    assert deliver(world, program, mta, unique, recipient) == {"again": [], "lost": {}}
    assert wait_taken(world.remote, recipient).sender == BOUNCES


@pytest.mark.parametrize("script", TROUBLED)
def test_it_names_whoever_is_tried_again(
    world: World, program: Program, mta: Container, script: str, unique: str
) -> None:
    recipient = f"{script}.{unique}@scripted.example"
    deliver(world, program, mta, unique, recipient, f"{unique}@scripted.example")
    wait_deferred(program, mta, recipient)
    mta.exec(*program.flush)
    assert wait_taken(world.remote, recipient).sender == named(recipient)


def test_a_member_of_another_list_is_named_to_it(
    world: World, program: Program, mta: Container, unique: str
) -> None:
    recipient = f"ant+{unique}@{DOMAIN}"
    deliver(world, program, mta, unique, recipient)
    assert wait_taken(world.core, recipient).sender == named(recipient)


def test_a_bounce_of_the_mtas_own_names_the_recipient(
    world: World, program: Program, mta: Container, unique: str
) -> None:
    """Sendmail's only by what it says."""
    recipient = f"unknown.{unique}@scripted.example"
    deliver(world, program, mta, unique, recipient, f"{unique}@scripted.example")
    to = BOUNCES if program.name == "sendmail" else named(recipient)

    def bounces() -> list[str]:
        return [one.message for one in transactions(world.core, to) if unique in one.message]

    (bounce,) = wait.until("a bounce", bounces)
    assert re.search(
        rf"^Final-Recipient: rfc822; ?{re.escape(recipient)}", bounce, re.IGNORECASE | re.MULTILINE
    )


def test_recipients_that_are_refused_keep_no_others_from_theirs(
    world: World, program: Program, mta: Container, unique: str
) -> None:
    wrong = [f"nobody{number}.{unique}@{DOMAIN}" for number in range(40)]
    right = f"{unique}@scripted.example"
    answer = deliver(world, program, mta, unique, *wrong, right)
    assert answer["again"] == []
    wait_taken(world.remote, right)


def test_a_stranger_has_no_senders_made(world: World, mta: Container) -> None:
    with world.stranger(mta) as smtp:
        assert not smtp.has_extn("xverp")
        assert smtp.docmd("MAIL", "FROM:<ant@stranger.example> XVERP=+=")[0] // 100 == 5


# -- Who may send


@pytest.mark.parametrize(
    ("client", "port", "may"),
    [
        ("core", 10025, True),
        ("core", 25, False),
        ("gateway", 10025, False),
        ("gateway", 10026, False),
        ("gateway", 25, False),
        ("mta", 10025, False),
        ("mta", 10026, False),
        ("mta", 25, False),
    ],
)
def test_who_may_relay(world: World, mta: Container, client: str, port: int, may: bool) -> None:
    if client == "gateway":
        command = [sys.executable, "-c", ASK, world.address(mta), str(port)]
        asked = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    elif client == "mta":
        asked = mta.exec("python", "-c", ASK, "127.0.0.1", str(port))
    else:
        asked = world.core.exec("python", "-c", ASK, world.address(mta), str(port))
    assert int(asked) in ({250} if may else {550, 554})
