"""What docs/mta-contract.md asks of an MTA between the Internet and core, of each in turn.

Its way out is in test_outgoing.py; what needs Mailman's core and its own tables, in tests/e2e.
"""

import re
import smtplib
import ssl
import subprocess
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.support import wait
from tests.support.container import Container, container, docker
from tests.support.mail import message
from tests.support.mta import Program
from tests.support.world import (
    DOMAIN,
    LISTS,
    SUBADDRESSES,
    TROUBLED,
    World,
    answers,
    queued,
    transactions,
    wait_answering,
    wait_deferred,
    wait_gone,
    wait_taken,
)

STRANGER = "stranger@outside.example"

# core's, on its own listener.
ETRN = """
import smtplib, sys
with smtplib.SMTP(sys.argv[1], int(sys.argv[2])) as smtp:
    smtp.ehlo()
    print(smtp.docmd("ETRN", sys.argv[3])[0])
"""
RCPT = """
import smtplib, sys
with smtplib.SMTP(sys.argv[1], 10025) as smtp:
    smtp.ehlo()
    smtp.mail(sys.argv[2])
    print(*(smtp.rcpt(recipient)[0] for recipient in sys.argv[3:]))
"""


def post(world: World, mta: Container, *recipients: str) -> EmailMessage:
    """Hand a message to the MTA as a stranger does."""
    mail = message(STRANGER, f"ant@{DOMAIN}", "From outside")
    with world.stranger(mta) as smtp:
        smtp.send_message(mail, STRANGER, recipients)
    return mail


def replies(world: World, mta: Container, sender: str, *recipients: str) -> dict[str, int]:
    """What the MTA answers a stranger to each recipient, who tells it no message."""
    with world.stranger(mta) as smtp:
        assert smtp.mail(sender)[0] == 250
        return {recipient: smtp.rcpt(f"<{recipient}>")[0] for recipient in recipients}


def confirm(unique: str, name: str = "ant") -> str:
    """An address of a list that no other test uses."""
    return f"{name}-confirm+{unique}@{DOMAIN}"


# -- What is accepted


@pytest.mark.parametrize("name", LISTS[:2])
def test_the_addresses_of_a_list_are_accepted(world: World, mta: Container, name: str) -> None:
    wanted = [f"{name}@{DOMAIN}", *(f"{name}-{sub}@{DOMAIN}" for sub in SUBADDRESSES)]
    wanted += [f"{name}-bounces+anne=example.org@{DOMAIN}", f"{name}-confirm+0a1b2c@{DOMAIN}"]
    wanted += [f"{name}+tag@{DOMAIN}", f"{name}@{DOMAIN.upper()}", f"{name.upper()}@{DOMAIN}"]
    wanted += [f"{role}@{DOMAIN}" for role in ("postmaster", "abuse")]
    assert replies(world, mta, STRANGER, *wanted) == dict.fromkeys(wanted, 250)


NO_ADDRESSES = (
    f"nobody@{DOMAIN}",
    f"ant-@{DOMAIN}",
    f"ant-nothing@{DOMAIN}",
    f"ant-bounces-owner@{DOMAIN}",
    f"an@{DOMAIN}",
    f"+@{DOMAIN}",
    f"-join@{DOMAIN}",
    f"root@{DOMAIN}",
    f"../ant@{DOMAIN}",
    f'"../lists/ant"@{DOMAIN}',
    f"${{run{{/bin/true}}}}@{DOMAIN}",
    f"*@{DOMAIN}",
)
NOT_OURS = (
    "someone@elsewhere.example",
    "someone@outside.example",
    "someone%outside.example",
    "outside.example!someone",
    f"someone%outside.example@{DOMAIN}",
    f"outside.example!someone@{DOMAIN}",
    f"@{DOMAIN}:someone@outside.example",
    f'"someone@outside.example"@{DOMAIN}',
    f"ant@{DOMAIN}@outside.example",
    "someone@[127.0.0.1]",
    "someone@localhost",
    "someone@mta",
    "root",
)


def test_no_other_address_of_a_lists_domain_is_accepted(world: World, mta: Container) -> None:
    codes = replies(world, mta, STRANGER, *NO_ADDRESSES)
    # 501, 553: not even an address.
    assert {recipient for recipient, code in codes.items() if code not in (550, 501, 553)} == set()
    assert codes[f"nobody@{DOMAIN}"] == 550


@pytest.mark.parametrize("sender", [STRANGER, f"ant@{DOMAIN}", ""], ids=["other", "list", "null"])
def test_nothing_is_relayed_for_a_stranger(world: World, mta: Container, sender: str) -> None:
    codes = replies(world, mta, sender, *NOT_OURS)
    assert {recipient for recipient, code in codes.items() if code not in range(500, 600)} == set()
    assert codes["someone@outside.example"] in (550, 554)


def test_a_null_sender_may_write_to_a_list(world: World, mta: Container) -> None:
    """Bounces come so."""
    recipient = f"ant-bounces+anne=example.org@{DOMAIN}"
    assert replies(world, mta, "", recipient) == {recipient: 250}


def test_core_cannot_send_to_an_unknown_address_of_a_lists_domain(
    world: World, mta: Container, unique: str
) -> None:
    """It would leave for a relayhost, which sends it back."""
    codes = world.core.exec(
        "python", "-c", RCPT, world.address(mta), f"ant-bounces@{DOMAIN}", f"{unique}@{DOMAIN}"
    )
    assert int(codes) == 550


def test_a_message_may_have_as_many_recipients_as_core_gives_it(
    world: World, mta: Container, unique: str
) -> None:
    """500 is what MAX_RECIPIENTS is by default."""
    recipients = [f"{unique}.{number}@scripted.example" for number in range(500)]
    world.send(mta, *recipients)
    for recipient in recipients[0], recipients[-1]:
        wait_taken(world.remote, recipient, seconds=60)
    wait_gone(mta, unique)
    lines = world.remote.output().splitlines()
    reached = {recipient for recipient in recipients if any(recipient in one for one in lines)}
    assert reached == {*recipients}


# -- Size


def test_a_message_that_is_too_large_is_refused_while_its_sender_is_there(
    world: World, program: Program, unique: str
) -> None:
    recipient = confirm(unique)
    with world.mta(program, {"MESSAGE_SIZE_LIMIT": "100000"}) as mta:
        with world.stranger(mta) as smtp:
            assert smtp.esmtp_features["size"] == "100000"
            assert smtp.mail(STRANGER, ["SIZE=100001"])[0] == 552
            assert smtp.mail(STRANGER, ["SIZE=100000"])[0] == 250
        with world.stranger(mta) as smtp:
            # It does not say how large it is.
            smtp.mail(STRANGER)
            smtp.rcpt(recipient)
            assert smtp.data("Subject: large\r\n\r\n" + 1500 * f"{78 * 'x'}\r\n")[0] == 552
        assert not queued(mta, STRANGER)
        with world.stranger(mta) as smtp:
            smtp.mail(STRANGER)
            smtp.rcpt(recipient)
            assert smtp.data("Subject: not so large\r\n\r\n" + 1200 * f"{78 * 'x'}\r\n")[0] == 250
        assert wait_taken(world.core, recipient).content["Subject"] == "not so large"
    assert not world.received(STRANGER)


# -- To core


def test_each_recipient_has_an_lmtp_transaction_of_its_own(
    world: World, mta: Container, unique: str
) -> None:
    """Core answers once, not once for each, to a message with MIME defects."""
    recipients = [confirm(f"{unique}{number}") for number in range(3)]
    mail = post(world, mta, *recipients)
    for recipient in recipients:
        taken = wait_taken(world.core, recipient)
        assert taken.together == 1
        assert taken.sender == STRANGER
        assert taken.content["Message-ID"] == mail["Message-ID"]


def test_the_local_part_reaches_core_as_it_was(world: World, mta: Container, unique: str) -> None:
    """A confirmation's token, and whose mail bounced, are in what follows the plus."""
    recipient = f"ant-bounces+{unique}=example.org@{DOMAIN}"
    post(world, mta, recipient)
    assert wait_taken(world.core, recipient).taken


def test_a_line_may_have_any_length(world: World, mta: Container, unique: str) -> None:
    """Longer than RFC 5321 allows (section 4.5.3.1.6), and so long that MTAs split it."""
    recipient, line = confirm(unique), 5000 * "x"
    with world.stranger(mta) as smtp:
        smtp.sendmail(STRANGER, [recipient], f"Subject: long\r\n\r\n{line}\r\n")
    assert line in wait_taken(world.core, recipient).message


@pytest.mark.parametrize("there", [False, True], ids=["no-name", "refused"])
def test_mail_waits_while_core_is_away_and_goes_out_when_core_asks(
    world: World, program: Program, mta: Container, there: bool, unique: str
) -> None:
    """A container that is stopped has no name, and an unknown name is final for other mail."""
    recipient = confirm(unique)
    with world.core_away(instead=world.relay if there else None):
        post(world, mta, recipient)
        wait_deferred(program, mta, recipient)
        assert queued(mta, unique)
    code = world.core.exec("python", "-c", ETRN, world.address(mta), "10025", DOMAIN)
    assert int(code) in range(250, 254)
    # Sooner than the MTA would try again by itself.
    wait_taken(world.core, recipient, seconds=5)
    wait_gone(mta, unique)
    assert not world.received(STRANGER)


def test_what_core_does_not_take_yet_comes_again_by_itself(
    world: World, program: Program, mta: Container, unique: str
) -> None:
    """Core says 451 to every trouble of its own, or is killed before it can, or is away."""
    troubled = [confirm(unique, script) for script in TROUBLED]
    with world.core_away():
        post(world, mta, confirm(unique))
        wait_deferred(program, mta, confirm(unique))
    for recipient in troubled:
        post(world, mta, recipient)
    for recipient in (confirm(unique), *troubled):
        wait_taken(world.core, recipient)
    wait_gone(mta, unique)
    for recipient in troubled:
        assert [one.taken for one in transactions(world.core, recipient)] == [False, True]


def test_mail_to_a_list_that_is_gone_by_now_goes_back(
    world: World, mta: Container, unique: str
) -> None:
    """Core's 550 is final: there is no such list."""
    sender = f"{unique}@outside.example"
    with world.stranger(mta) as smtp:
        smtp.sendmail(sender, [confirm(unique, "unknown")], "Subject: too late\r\n\r\n")
    assert world.wait_received(sender)["Return-Path"] == "<>"
    wait_gone(mta, unique)


def test_a_stranger_cannot_have_the_queue_run(world: World, mta: Container) -> None:
    code = world.remote.exec("python", "-c", ETRN, world.address(mta), "25", DOMAIN)
    assert int(code) in range(400, 600)


# -- No backscatter


def test_a_bounce_is_not_bounced(world: World, mta: Container, unique: str) -> None:
    """Neither to the sender, as there is none, nor to a person."""
    recipient = f"unknown.{unique}@scripted.example"
    world.send(mta, recipient, sender="")
    wait.until("it is rejected", lambda: transactions(world.remote, recipient))
    wait_gone(mta, unique)
    assert not [mail for mail in world.received("owner@outside.example") if unique in str(mail)]


def test_nothing_is_sent_to_the_sender_of_what_was_refused(
    world: World, mta: Container, unique: str
) -> None:
    sender = f"{unique}@outside.example"
    with world.stranger(mta) as smtp:
        smtp.mail(sender)
        assert smtp.rcpt(f"nobody@{DOMAIN}")[0] == 550
        assert smtp.docmd("DATA")[0] in range(500, 600)
    assert not queued(mta, unique)
    # What was accepted later has gone out: nothing before it is still under way.
    post(world, mta, confirm(unique))
    wait_taken(world.core, confirm(unique))
    assert not world.received(sender)


# -- Operation


def test_a_message_can_be_followed_in_the_log(world: World, mta: Container, unique: str) -> None:
    """Its Message-ID and its delivery are on lines that have the MTA's own word for it."""
    mail = post(world, mta, confirm(unique))
    wait_taken(world.core, confirm(unique))

    def words(about: str) -> set[str]:
        lines = [line for line in mta.output().splitlines() if about in line]
        # Long ones; a date has its first dash sooner.
        return {word for line in lines for word in re.findall(r"[^\W_]{6}[\w-]{4,}", line)}

    wait.until("the log has the delivery", lambda: words(confirm(unique)))
    assert words(mail["Message-ID"].strip("<>")) & words(confirm(unique))


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_queue_outlives_the_container(
    world: World, program: Program, how: str, unique: str
) -> None:
    recipient = confirm(unique)
    with world.mta(program) as mta:
        with world.core_away():
            mail = post(world, mta, recipient)
            if how == "kill":
                # At once: the 250 is the promise.
                docker("kill", mta.name)
            else:
                wait_deferred(program, mta, recipient)
                mta.stop()
                assert mta.inspect("{{.State.ExitCode}}") == "0"
        docker("start", mta.name)
        wait_answering(mta)
        mta.exec(*program.flush)
        taken = wait_taken(world.core, recipient)
    assert taken.content["Message-ID"] == mail["Message-ID"]


def test_it_is_unhealthy_until_it_does_its_job(program: Program) -> None:
    with container("mta", settings={"MTA": program.name}) as mta:
        mta.wait_output("waiting for core's transport maps")
        assert not answers(mta)


def test_a_conversation_begins_at_once(world: World, mta: Container) -> None:
    """No look-up and no question to the client comes first."""
    with smtplib.SMTP(world.address(mta), 25, timeout=1) as smtp:
        assert smtp.noop()[0] == 250


# -- The certificate


def presented(world: World, mta: Container, authorities: Path | None = None) -> bytes:
    """The certificate that is shown in STARTTLS, checked if there are authorities."""
    context = ssl.create_default_context(cafile=authorities)
    if authorities is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with world.stranger(mta) as smtp:
        smtp._host = "mail.example.com"  # type: ignore[attr-defined]  # the name to check
        smtp.starttls(context=context)
        assert isinstance(smtp.sock, ssl.SSLSocket)
        certificate = smtp.sock.getpeercert(binary_form=True)
    assert certificate
    return certificate


def test_a_certificate_is_generated_once(world: World, program: Program) -> None:
    with world.mta(program) as mta:
        first = presented(world, mta)
        mta.restart()
        wait_answering(mta)
        assert presented(world, mta) == first


def test_a_given_certificate_is_shown(world: World, program: Program, tmp_path: Path) -> None:
    key, chain = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-subj", "/CN=mail.example.com", "-keyout", key, "-out", chain),
            *("-addext", "subjectAltName=DNS:mail.example.com"),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    local = {f"tls/{path.name}": path.read_text() for path in (key, chain)}
    with world.mta(program, local=local) as mta:
        assert presented(world, mta, chain) == ssl.PEM_cert_to_DER_cert(chain.read_text())
