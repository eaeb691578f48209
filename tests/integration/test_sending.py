"""How core hands messages to an MTA, to the letter: as upstream does, and what is different."""

import json
import re
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.integration.test_recipients import NO_MTA, SQLITE
from tests.support import ROOT
from tests.support.container import container

DRIVERS = ROOT / "tests" / "integration" / "drivers"
THE_MTA = "smtp_host: 127.0.0.1\nsmtp_port: 2525\n"
NO_ARCHIVE = "[archiver.hyperkitty]\nenable: no\n"

MANY = 3
"""How many recipients go into one transaction."""

ANNE, BART, CRIS, DIRK = (f"{name}@example.org" for name in ("anne", "bart", "cris", "dirk"))
SEVEN = [f"member{number}@example.org" for number in range(7)]
POST = b"From: anne@example.org\nSubject: Hello\nMessage-ID: <1@example.org>\n\nHello.\n"
BOUNCES = "ant-bounces@lists.example.com"


def named(recipient: str) -> str:
    """The envelope sender that names a recipient, as Mailman's manual has it."""
    return f"ant-bounces+{recipient.replace('@', '=')}@lists.example.com"


@dataclass(frozen=True)
class Core:
    """A program in core's image that sends; see its description."""

    process: subprocess.Popen[str]

    def send(  # noqa: PLR0913
        self,
        recipients: Sequence[str] = (),
        message: bytes = POST,
        *,
        how: str = "ours",
        verp: bool = True,
        personalize: str = "none",
        offers: Sequence[str] = ("PIPELINING", "XVERP"),
        **more: Any,
    ) -> dict[str, Any]:
        question = {
            "how": how, "recipients": recipients, "verp": verp, "personalize": personalize,
            "offers": offers, **more,
        }  # fmt: skip
        if recipients:
            question["message"] = b64encode(message).decode()
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps(question), file=self.process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


def make_core(**given: str) -> Iterator[Core]:
    options = ("--network=none", f"--volume={DRIVERS}:/drivers:ro")
    local = {"mailman.cfg": NO_MTA + THE_MTA + NO_ARCHIVE + SQLITE}
    given |= {"MAX_RECIPIENTS": str(MANY)}
    with container("core", "sleep", "infinity", settings=given, local=local, options=options) as it:
        command = ["docker", "exec", "--interactive", it.name, "python", "/drivers/sending.py"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            yield Core(process)


@pytest.fixture(scope="module")
def core() -> Iterator[Core]:
    """One that speaks SMTP alone."""
    yield from make_core(MTA="none", SMTP_HOST="mta.example")


@pytest.fixture(scope="module")
def core_with_postfix() -> Iterator[Core]:
    """One that speaks QMQP where it can."""
    yield from make_core()


@pytest.fixture(params=["core", "core_with_postfix"])
def each(request: pytest.FixtureRequest) -> Core:
    found: Core = request.getfixturevalue(request.param)
    return found


def senders(answer: dict[str, Any]) -> dict[str, str]:
    """Of each recipient who got the message once, the envelope sender."""
    recipients = [recipient for _sender, recipient, _content in answer["taken"]]
    assert len(set(recipients)) == len(recipients)
    return {recipient: sender for sender, recipient, _content in answer["taken"]}


# -- What is on the wire is upstream's

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=40)
BODY = st.one_of(
    TEXT.map(str.encode),
    st.lists(st.sampled_from([b".", b"..", b"From here", b"", b"\xfc\xff", b"x" * 2000])).map(
        b"\n".join
    ),
    st.binary(max_size=40),
)
HEADER = st.sampled_from(
    [
        b"Bcc: secret@example.org",
        b"Resent-Date: Mon, 1 Jan 2024 00:00:00 +0000\nResent-Bcc: secret@example.org",
        b"Subject: =?utf-8?b?w7w=?=",
        b"Subject: raw \xfc",
        b"X-Long: " + b"word " * 50,
        b"To: ant@lists.example.com",
    ]
)
KIND = st.sampled_from(
    [
        b"",
        b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n",
        b"Content-Type: text/plain; charset=utf-8; format=flowed; delsp=yes\n",
        b"Content-Type: text/html; charset=iso-8859-1\n",
        b"Content-Type: image/png\nContent-Transfer-Encoding: base64\n",
        b"Content-Type: multipart/mixed; boundary=b\n",
        b"Content-Type: multipart/alternative; boundary=b\n",
        b"Content-Type: text/plain; charset=no-such\n",
    ]
)
PARTS = b"--b\nContent-Type: text/plain; charset=utf-8\n\n%s\n--b\n\nx\n--b--\n"


def compose(headers: list[bytes], kind: bytes, body: bytes) -> bytes:
    """A message; Resent-Date at most once, as upstream shunts others."""
    unique = dict.fromkeys(headers)
    text = PARTS % body if b"multipart" in kind else body
    return (
        b"".join(line + b"\n" for line in unique)
        + kind
        + POST.partition(b"\n\n")[0]
        + b"\n\n"
        + text
    )


def copies(answer: dict[str, Any]) -> list[tuple[str, str, bytes]]:
    """Sender, recipient and content of each; Python makes up boundaries."""
    return [
        (sender, recipient, re.sub(rb"={15}\d+==", b"boundary", b64decode(content)))
        for sender, recipient, content in answer["taken"]
    ]


MESSAGE = st.builds(compose, st.lists(HEADER, max_size=4), KIND, BODY)
MEMBERS = ["anne@example.org", "bart@example.org", "cris@example.net"]
RECIPIENTS = st.lists(
    st.sampled_from(
        [*MEMBERS, "o'neil+x@a.example", "a=b@d-d.example", "c@long.example.com", *SEVEN]
    ),
    min_size=1,
    max_size=5,
    unique=True,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(MESSAGE, RECIPIENTS, st.booleans(), st.sampled_from(["none", "individual", "full"]))
@example(compose([], b"", b".\n..\n.\r\n"), SEVEN, True, "none")
def test_what_is_sent_is_what_upstream_sends(
    each: Core, message: bytes, recipients: list[str], verp: bool, personalize: str
) -> None:
    upstream, ours = (
        each.send(recipients, message, how=how, verp=verp, personalize=personalize)
        for how in ("upstream", "ours")
    )
    assert copies(ours) == copies(upstream)
    assert ours["error"] == upstream["error"]
    if not ours["error"]:
        assert sorted(recipient for _, recipient, _ in ours["taken"]) == sorted(recipients)


# -- Transactions


def test_the_mta_names_the_recipients_of_a_few_transactions(core: Core) -> None:
    answer = core.send(SEVEN)
    assert senders(answer) == {recipient: named(recipient) for recipient in SEVEN}
    assert answer["messages"] == 3
    assert answer["connections"] <= 2


def test_core_names_the_recipients_where_the_mta_cannot(core: Core) -> None:
    answer = core.send(SEVEN, offers=["PIPELINING"])
    assert senders(answer) == {recipient: named(recipient) for recipient in SEVEN}
    assert (answer["messages"], answer["connections"]) == (7, 1)


@pytest.mark.parametrize("offers", [["PIPELINING", "XVERP"], ["XVERP", "SIZE 100000"], ["HELP"]])
def test_who_is_not_to_be_named_is_not(core: Core, offers: list[str]) -> None:
    answer = core.send(SEVEN, verp=False, offers=offers)
    assert senders(answer) == dict.fromkeys(SEVEN, BOUNCES)
    assert answer["messages"] == 3
    assert answer["connections"] <= 2


# Their mail would not come back, or be another's: see NAMEABLE in core/outgoing.py.
NAMELESS = [
    "a%b@example.org",
    "a!b@example.org",
    "a/b@example.org",
    '"a..b"@example.org',
    "a.@b.example",
]


@pytest.mark.parametrize("recipient", [*NAMELESS, f"{'x' * 215}@example.org"])
@pytest.mark.parametrize("personalize", ["none", "individual"])
def test_who_cannot_be_named_gets_it_nevertheless(
    each: Core, recipient: str, personalize: str
) -> None:
    answer = each.send([ANNE, recipient], personalize=personalize)
    unquoted = {name.replace('"', ""): sender for name, sender in senders(answer).items()}
    assert unquoted == {ANNE: named(ANNE), recipient.replace('"', ""): BOUNCES}


def test_a_long_name_is_a_name(each: Core) -> None:
    """Longer than RFC 5321 asks servers to take; they do."""
    recipient = f"{'x' * 200}@example.org"
    assert senders(each.send([recipient])) == {recipient: named(recipient)}


def test_an_address_beyond_ascii_keeps_no_others_from_theirs(each: Core) -> None:
    answer = each.send([ANNE, "\N{KELVIN SIGN}@example.org", BART])
    assert senders(answer).keys() == {ANNE, BART}
    assert answer["again"] == ["\N{KELVIN SIGN}@example.org"]


def test_an_address_beyond_ascii_is_served_where_that_is_possible(each: Core) -> None:
    answer = each.send(["\N{KELVIN SIGN}@example.org"], offers=["PIPELINING", "SMTPUTF8"])
    assert senders(answer) == {"\N{KELVIN SIGN}@example.org": BOUNCES}


def test_a_message_that_was_resent_twice_is_sent(core: Core) -> None:
    line = b"Resent-Date: Mon, 1 Jan 2024 00:00:00 +0000\n"
    ((_sender, _recipient, content),) = core.send([ANNE], line + line + POST)["taken"]
    assert b64decode(content).count(b"Resent-Date") == 2


def test_no_address_adds_a_command(each: Core) -> None:
    answer = each.send([ANNE, "x@example.org>\r\nRCPT TO:<y@example.org"], verp=False)
    assert (answer["error"], answer["taken"]) == ("ValueError", [])


# -- Refusals


@pytest.mark.parametrize("offers", [["PIPELINING", "XVERP"], ["XVERP"]])
@pytest.mark.parametrize(
    ("replies", "lost"),
    [
        ({"MAIL": "451 4.3.0 later"}, False),
        ({"MAIL": "530 5.7.0 log in first"}, False),
        ({"MAIL": "550 5.7.1 no"}, True),
        ({"MAIL": "421 bye"}, False),
        ({"MAIL": ""}, False),
        ({"RCPT": "452 4.5.3 too many"}, False),
        ({"RCPT": "552 5.5.3 too many"}, False),
        ({"RCPT": "550 5.1.1 unknown"}, True),
        ({"RCPT": "421 bye"}, False),
        ({"RCPT": ["250 ok", "421 bye"]}, False),
        ({"RCPT": ["250 ok", ""]}, False),
        ({"DATA": "451 later"}, False),
        ({"DATA": "554 no"}, True),
        ({"DATA": ""}, False),
        ({"END": "451 later"}, False),
        ({"END": "554 no"}, True),
        ({"END": ""}, False),
        ({"": "421 busy"}, False),
        ({"": "554 no"}, False),
        ({"": ""}, False),
        ({"EHLO": "421 busy", "HELO": "421 busy", "ehlo": "421 busy"}, False),
    ],
    ids=str,
)
def test_a_transaction_that_is_refused(
    core: Core, offers: list[str], replies: dict[str, Any], lost: bool
) -> None:
    """Final is what the MTA says of mail, of nobody else."""
    recipients = [ANNE, BART, CRIS]
    answer = core.send(recipients, offers=offers, replies=replies)
    assert answer["taken"] == []
    assert [answer["again"], sorted(answer["lost"])] == (
        [[], recipients] if lost else [recipients, []]
    )


def test_each_recipient_has_an_answer_of_its_own(core: Core) -> None:
    replies = {f"RCPT TO:<{ANNE}>": "550 5.1.1 unknown", f"RCPT TO:<{BART}>": "451 4.7.1 later"}
    answer = core.send([ANNE, BART, CRIS], replies=replies)
    assert senders(answer).keys() == {CRIS}
    assert (answer["again"], answer["lost"]) == ([BART], {ANNE: 550})


def test_what_was_said_before_the_end_counts(core: Core) -> None:
    replies = {"RCPT": ["250 ok", "550 5.1.1 unknown", "421 bye"]}
    answer = core.send([ANNE, BART, CRIS], replies=replies)
    assert (answer["taken"], answer["again"], answer["lost"]) == ([], [ANNE, CRIS], {BART: 550})


@pytest.mark.parametrize("reply", ["", "421 bye", "451 later"])
def test_the_next_transaction_has_a_connection_of_its_own(core: Core, reply: str) -> None:
    answer = core.send(SEVEN, replies={"MAIL": [reply]})
    assert answer["messages"] == 2
    assert answer["connections"] in (2, 3)
    assert sorted([*senders(answer), *answer["again"]]) == SEVEN


# -- By QMQP


def test_postfix_names_the_recipients_of_a_few_handovers(core_with_postfix: Core) -> None:
    answer = core_with_postfix.send(SEVEN)
    assert senders(answer) == {recipient: named(recipient) for recipient in SEVEN}
    assert (answer["messages"], answer["connections"]) == (3, 3)


def test_a_quoted_address_has_no_quotes_by_qmqp(core_with_postfix: Core) -> None:
    quoted = r'"a\"b c"@example.org'
    answer = core_with_postfix.send([quoted])
    assert senders(answer) == {'a"b c@example.org': BOUNCES}


@pytest.mark.parametrize("reply", ["Zlater", "Dnever", "?", ""])
@pytest.mark.parametrize("message", [POST, POST + b"x" * 10_000_000], ids=["small", "large"])
def test_a_handover_that_is_refused_is_tried_again(
    core_with_postfix: Core, reply: str, message: bytes
) -> None:
    """Nobody's address is to blame."""
    answer = core_with_postfix.send(SEVEN, message, replies={"QMQP": [reply]})
    assert answer["messages"] == 2
    assert len(answer["again"]) in (1, MANY)
    assert answer["lost"] == {}
    assert sorted([*senders(answer), *answer["again"]]) == SEVEN


# -- What is left, and served once


@pytest.mark.parametrize("end", [{"stop": 1}, {"gone": 1}], ids=str)
@pytest.mark.parametrize("personalize", ["none", "individual"])
def test_who_has_not_been_served_is_left(each: Core, end: dict[str, Any], personalize: str) -> None:
    answer = each.send(SEVEN, personalize=personalize, **end)
    # One that the other connection has begun may be the second.
    assert answer["messages"] in (1, 2)
    assert sorted([*senders(answer), *answer["again"]]) == SEVEN
    assert answer["lost"] == {}


def test_nobody_is_served_again_for_an_error_with_the_next(core: Core) -> None:
    answer = core.send(SEVEN, personalize="individual", fails=SEVEN[3])
    assert sorted(senders(answer)) == SEVEN[:3]
    assert answer["again"] == SEVEN[3:]


def test_an_error_with_the_first_is_an_error(core: Core) -> None:
    answer = core.send(SEVEN, personalize="individual", fails=SEVEN[0])
    assert (answer["error"], answer["taken"]) == ("OperationalError", [])


# -- The runner


@pytest.mark.parametrize("replies", [{"": "421 busy"}, {"MAIL": "451 later"}, {"END": "451 later"}])
def test_a_temporary_refusal_waits(core: Core, replies: dict[str, str]) -> None:
    """Upstream's retry runner brings it back after a while."""
    answer = core.send([ANNE, BART], how="out", replies=replies, seconds=60)
    assert answer["queued"] == {"out": [], "retry": [[ANNE, BART]], "shunt": []}
    assert answer["connections"] == 1


def test_mail_goes_out_once_the_mta_is_back(each: Core) -> None:
    answer = each.send(SEVEN, how="out", gone=0, seconds=3)
    assert answer["queued"] == {"out": [SEVEN], "retry": [], "shunt": []}
    answer = each.send(how="out", seconds=60)
    assert sorted(senders(answer)) == SEVEN
    assert answer["queued"] == {"out": [], "retry": [], "shunt": []}


THIRTY = sorted(f"member-{number}@example.org" for number in range(30))


@pytest.mark.parametrize("personalize", ["none", "individual"])
def test_a_stop_in_the_middle_of_a_post_serves_everyone_once(each: Core, personalize: str) -> None:
    first = each.send(THIRTY, how="out", personalize=personalize, stop=1, seconds=60)
    served = senders(first)
    assert 0 < len(served) < len(THIRTY)
    assert first["queued"]["retry"] == [sorted(set(THIRTY) - served.keys())]
    each.send(how="retry", seconds=60)
    then = each.send(how="out", personalize=personalize, seconds=60)
    assert sorted([*served, *senders(then)]) == THIRTY
    assert then["queued"] == {"out": [], "retry": [], "shunt": []}
