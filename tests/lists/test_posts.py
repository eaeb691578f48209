"""What happens to a post's headers on its way to the members."""

import hashlib
from base64 import b32encode
from collections.abc import Callable
from email.headerregistry import Address as Person
from email.message import EmailMessage

import pytest
from mailmanclient import MailingList

from tests.support import wait
from tests.support.lists import Address, at, configure, subscribe
from tests.support.mail import RESULTS, message, text_of
from tests.support.stack import Stack

type Send = Callable[..., EmailMessage]
"""Posts a message, with these headers besides or instead, and returns it as the member got it."""


@pytest.fixture
def send(stack: Stack, mailing_list: MailingList, address: Address) -> Send:
    """Anne's way to post to a list whose only member she is."""
    anne = address("anne")
    subscribe(mailing_list, anne)

    def send(subject: str = "A post", **headers: str) -> EmailMessage:
        post = message(anne, mailing_list.fqdn_listname, subject)
        for name, value in headers.items():
            post[name.replace("_", "-")] = value
        stack.post(post)
        return stack.catcher.wait_delivered(post["Message-ID"], anne)[0].message

    return send


def addresses(mail: EmailMessage, header: str) -> list[str]:
    """The bare addresses of a header, in their order."""
    return [person.addr_spec for person in mail[header].addresses] if mail[header] else []


# -- Subject


@pytest.mark.parametrize("prefix", ["[Reading]", "[Größe ☃]"])
@pytest.mark.parametrize(
    ("posted", "delivered"),
    [
        ("Books", "{prefix} Books"),
        ("Bücher 📚", "{prefix} Bücher 📚"),
        ("Re: {prefix} Books", "{prefix} Re: Books"),
        ("AW: Re: {prefix} Bücher 📚", "{prefix} Re: Bücher 📚"),
    ],
)
def test_the_prefix_stands_once_before_every_subject(
    mailing_list: MailingList, send: Send, prefix: str, posted: str, delivered: str
) -> None:
    configure(mailing_list, subject_prefix=f"{prefix} ")
    subject = send(posted.format(prefix=prefix))["Subject"]
    # Upstream's subject-munging.rst knows of a second blank behind the prefix.
    assert " ".join(subject.split()) == delivered.format(prefix=prefix)


def test_a_prefix_may_number_the_posts(mailing_list: MailingList, send: Send) -> None:
    configure(mailing_list, subject_prefix="[Reading %03d] ")
    assert send("Books")["Subject"] == "[Reading 001] Books"
    assert send("Re: [Reading 001] Books")["Subject"] == "[Reading 002] Re: Books"


def test_without_a_prefix_the_subject_is_the_senders(mailing_list: MailingList, send: Send) -> None:
    configure(mailing_list, subject_prefix="")
    assert send("AW: [Other] Bücher 📚")["Subject"] == "AW: [Other] Bücher 📚"


def test_a_subject_of_bytes_in_no_charset_arrives_with_the_prefix(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    """Against the standards, and daily bread: UTF-8 in a header, unencoded and undeclared."""
    anne = address("anne")
    subscribe(mailing_list, anne)
    configure(mailing_list, subject_prefix="[Reading] ")
    headers = f"From: Änne <{anne}>\nTo: {mailing_list.fqdn_listname}\nSubject: Bücher\n"
    stack.post_raw(f"{headers}\nHello.\n".encode(), mailing_list.fqdn_listname, sender=anne)
    mail = stack.catcher.wait_to(anne, "cher")
    assert mail.message["Subject"].split()[0] == "[Reading]"
    assert addresses(mail.message, "From") == [anne]


UNDECODABLE = {
    "bytes its charset lacks": "=?utf-8?q?gr=FC?=",
    "an unknown charset": "=?x-user-defined?q?gr=FC?=",
    "bad base64": "=?utf-8?b?x?=",
}


@pytest.mark.parametrize("words", UNDECODABLE.values(), ids=UNDECODABLE)
def test_a_header_that_cannot_be_decoded_arrives_as_it_is(
    stack: Stack, mailing_list: MailingList, address: Address, words: str
) -> None:
    """Its bearer is no less a member, and a filter looks at it."""
    anne = address("anne")
    subscribe(mailing_list, anne)
    mailing_list.header_matches.add("Subject", "no such words", "discard")
    headers = f"From: {words} <{anne}>\nTo: {mailing_list.fqdn_listname}\nSubject: {words}\n"
    headers += f"Message-ID: <{anne}>\n"
    stack.post_raw(f"{headers}\nHello.\n", mailing_list.fqdn_listname, sender=anne)
    mail = stack.catcher.wait_delivered(f"<{anne}>", anne)[0]
    raw = dict(mail.message.raw_items())
    assert raw["Subject"] == f"{mailing_list.settings['subject_prefix']}{words}"
    assert raw["From"].startswith(words)


@pytest.mark.parametrize("words", UNDECODABLE.values(), ids=UNDECODABLE)
def test_a_command_with_a_header_that_cannot_be_decoded_is_answered(
    stack: Stack, mailing_list: MailingList, address: Address, words: str
) -> None:
    """Nor need its text be in a charset that Python knows."""
    anne, to = address("anne"), at(mailing_list, "request")
    headers = f"From: {words} <{anne}>\nTo: {to}\nSubject: {words}\n"
    headers += "Content-Type: text/plain; charset=x-user-defined\n"
    stack.post_raw(f"{headers}\necho words\n", to, sender=anne)
    assert "\necho words\n" in text_of(stack.catcher.wait_to(anne, RESULTS).message)


def test_a_huge_header_arrives_whole(stack: Stack, mailing_list: MailingList, send: Send) -> None:
    """Far above what a line, and a column of the archive, may have."""
    configure(mailing_list, subject_prefix="")
    subject = " ".join(f"wörter-{number}" for number in range(200))
    references = " ".join(f"<{number:05}@outside.example.net>" for number in range(500))
    mail = send(subject, References=references)
    assert mail["Subject"] == subject
    assert mail["References"].split() == references.split()
    link = mail["Archived-At"].strip("<>")
    page = wait.until("it is archived", lambda: stack.open(link))
    assert subject[:500] in page


# -- Who answers whom

LIST, SENDER, OFFICE = "the list", "sender@elsewhere.example", "office@elsewhere.example"


@pytest.mark.parametrize(
    ("munging", "strip", "reply_to"),
    [
        ("no_munging", False, [SENDER]),
        ("no_munging", True, []),
        ("point_to_list", False, [SENDER, LIST]),
        ("point_to_list", True, [LIST]),
        ("explicit_header", False, [OFFICE, SENDER]),
        ("explicit_header_only", True, [OFFICE]),
    ],
)
def test_reply_to_is_as_the_list_wants_it(
    mailing_list: MailingList, send: Send, munging: str, strip: bool, reply_to: list[str]
) -> None:
    configure(
        mailing_list,
        reply_goes_to_list=munging,
        reply_to_address=OFFICE,
        first_strip_reply_to=strip,
    )
    found = addresses(send(Reply_To=SENDER), "Reply-To")
    assert found == [mailing_list.fqdn_listname if one == LIST else one for one in reply_to]


# -- Personalised


NAMES = {"anne": "Änne Müller", "bart": 'Bart "B." Person, Dr.'}


def subscribe_by_name(mailing_list: MailingList, address: Address) -> dict[str, str]:
    """Subscribe people with names; their names by their addresses."""
    names = {address(person): name for person, name in NAMES.items()}
    for member, name in names.items():
        subscribe(mailing_list, member, display_name=name)
    return names


def test_a_personalised_list_writes_to_each_member_alone(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    names = subscribe_by_name(mailing_list, address)
    configure(mailing_list, personalize="individual")
    post = message(address("anne"), mailing_list.fqdn_listname, "To each")
    stack.post(post)
    mails = stack.catcher.wait_delivered(post["Message-ID"], *names)
    assert sorted(mail.recipients for mail in mails) == sorted((member,) for member in names)
    assert all(addresses(mail.message, "To") == [mailing_list.fqdn_listname] for mail in mails)


def test_a_fully_personalised_list_names_each_member_in_to(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    names = subscribe_by_name(mailing_list, address)
    configure(mailing_list, personalize="full", description="Bücher")
    post = message(address("anne"), mailing_list.fqdn_listname, "To each by name")
    stack.post(post)
    for mail in stack.catcher.wait_delivered(post["Message-ID"], *names):
        [member] = mail.recipients
        assert mail.message["To"].addresses == (Person(names[member], addr_spec=member),)
        # Where to answer to, as To does not say it any more.
        assert mail.message["Cc"].addresses == (
            Person("Bücher", addr_spec=mailing_list.fqdn_listname),
        )


# -- Anonymous

BLOWER = "whistle-blower@leaks.example.net"
TRACES = """\
Return-Path: <{blower}>
Received: from laptop.leaks.example.net (laptop.leaks.example.net [192.0.2.7])
\tby mail.leaks.example.net; Sat, 21 Nov 2026 12:00:00 +0000
Received-SPF: pass (leaks.example.net: domain of {blower} designates 192.0.2.7)
Authentication-Results: mx.leaks.example.net; spf=pass smtp.mailfrom={blower}
DKIM-Signature: v=1; a=rsa-sha256; d=leaks.example.net; s=key; h=from; bh=YWJj; b=YWJj
DomainKey-Signature: a=rsa-sha1; d=leaks.example.net; s=key; b=YWJj
ARC-Seal: i=1; a=rsa-sha256; d=leaks.example.net; s=key; cv=none; b=YWJj
ARC-Message-Signature: i=1; a=rsa-sha256; d=leaks.example.net; s=key; bh=YWJj; b=YWJj
ARC-Authentication-Results: i=1; mx.leaks.example.net; spf=pass smtp.mailfrom={blower}
Autocrypt: addr={blower}; keydata=YWJj
From: W. Blower <{blower}>
Sender: {blower}
Reply-To: {blower}
Errors-To: {blower}
Resent-From: {blower}
Organization: Leaks
User-Agent: Leaks/1.0
X-Mailer: Leaks/1.0
X-Originating-IP: [192.0.2.7]
X-Sender: {blower}
List-Unsubscribe: <https://leaks.example.net/>
Disposition-Notification-To: {blower}
Return-Receipt-To: {blower}
To: {to}
Subject: What I know
Message-ID: <{message_id}>
MIME-Version: 1.0

Read this.
"""


def message_id_hash(message_id: str) -> str:
    """By which anyone who has the message itself would know it again (Message-ID-Hash)."""
    return b32encode(hashlib.sha1(message_id.encode()).digest()).decode()  # noqa: S324


def test_an_anonymous_list_leaves_no_trace_of_the_sender(
    stack: Stack, mailing_list: MailingList, address: Address, unique: str
) -> None:
    anne = address("anne")
    subscribe(mailing_list, anne)
    configure(mailing_list, anonymous_list=True, default_nonmember_action="accept")
    message_id = f"{unique}@laptop.leaks.example.net"
    content = TRACES.format(blower=BLOWER, to=mailing_list.fqdn_listname, message_id=message_id)
    stack.post_raw(content.encode(), mailing_list.fqdn_listname, sender=BLOWER)

    mail = stack.catcher.wait_to(anne, "What I know")
    seen = mail.message.as_string() + mail.sender
    traces = ("blower", "leaks", "192.0.2.7", message_id_hash(message_id).lower())
    assert [trace for trace in traces if trace in seen.lower()] == []
    assert mail.text.startswith("Read this.")
    assert addresses(mail.message, "From") == [mailing_list.fqdn_listname]
    assert addresses(mail.message, "Reply-To") == [mailing_list.fqdn_listname]
    link = mail.message["Archived-At"].strip("<>")
    page = wait.until("it is archived", lambda: stack.open(link))
    assert "Read this." in page
    assert "leaks" not in page.lower()


def test_an_anonymous_list_takes_a_name_of_bytes_in_no_charset(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne = address("anne")
    subscribe(mailing_list, anne)
    configure(mailing_list, anonymous_list=True)
    headers = f"From: Änne <{anne}>\nTo: {mailing_list.fqdn_listname}\nSubject: Secret\n"
    stack.post_raw(f"{headers}\nHello.\n".encode(), mailing_list.fqdn_listname, sender=anne)
    mail = stack.catcher.wait_to(anne, "Secret").message
    assert addresses(mail, "From") == [mailing_list.fqdn_listname]
    assert "nne" not in mail["From"]


# -- Headers that are the list's own


LIST_HEADERS = (
    "List-Id", "List-Post", "List-Help", "List-Owner", "List-Subscribe", "List-Unsubscribe",
    "List-Archive", "Archived-At",
)  # fmt: skip


def test_every_post_says_which_list_it_comes_from(mailing_list: MailingList, send: Send) -> None:
    """RFC 2369, RFC 2919, RFC 5064; what the sender says of it does not count."""
    configure(mailing_list, description="Über Bücher")
    name, domain, list_id = (
        mailing_list.list_name, mailing_list.mail_host, mailing_list.list_id,
    )  # fmt: skip
    archive = f"http://www.example.com/archives/list/{name}@{domain}/"
    mail = send(**dict.fromkeys(LIST_HEADERS, "<mailto:forged@elsewhere.example>"))
    assert {header: mail.get_all(header) for header in LIST_HEADERS[:-1]} == {
        "List-Id": [f"Über Bücher <{list_id}>"],
        "List-Post": [f"<mailto:{name}@{domain}>"],
        "List-Help": [f"<mailto:{name}-request@{domain}?subject=help>"],
        "List-Owner": [f"<mailto:{name}-owner@{domain}>"],
        "List-Subscribe": [f"<mailto:{name}-join@{domain}>"],
        "List-Unsubscribe": [f"<mailto:{name}-leave@{domain}>"],
        "List-Archive": [f"<{archive}>"],
    }
    [link] = mail.get_all("Archived-At", [])
    assert link.startswith(f"<{archive}message/")


def test_a_list_may_leave_its_headers_away(mailing_list: MailingList, send: Send) -> None:
    configure(mailing_list, include_rfc2369_headers=False)
    mail = send()
    assert [header for header in LIST_HEADERS if header in mail] == []


def test_a_list_for_announcements_says_so(mailing_list: MailingList, send: Send) -> None:
    configure(mailing_list, allow_list_posts=False)
    assert send()["List-Post"] == "NO"


# -- Headers of the sender's


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("DKIM-Signature", "v=1; a=rsa-sha256; d=example.org; s=key; h=from; bh=YWJj; b=YWJj"),
        ("Authentication-Results", "mx.example.org; dkim=pass header.d=example.org"),
        ("ARC-Seal", "i=1; a=rsa-sha256; d=example.org; s=key; cv=none; b=YWJj"),
        ("In-Reply-To", "<earlier@example.org>"),
        ("X-Mailer", "Quill 1.0"),
    ],
)
def test_what_others_need_of_a_header_is_kept(send: Send, header: str, value: str) -> None:
    assert send(**{header: value}).get_all(header) == [value]


@pytest.mark.parametrize(
    "header",
    [
        "Approve", "Approved", "X-Approve", "X-Approved",  # passwords
        "Urgent",
        "Return-Receipt-To", "Disposition-Notification-To", "X-Confirm-Reading-To",
    ],
)  # fmt: skip
def test_what_others_must_not_see_of_a_header_is_removed(send: Send, header: str) -> None:
    assert header not in send(**{header: "anything@example.org"})


def test_a_post_that_was_resent_twice_is_delivered(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    """Python's SMTP library refuses to send it."""
    anne = address("anne")
    subscribe(mailing_list, anne)
    resent = f"Resent-From: {anne}\nResent-Date: Sat, 21 Nov 2026 12:00:00 +0000\n"
    headers = f"From: {anne}\nTo: {mailing_list.fqdn_listname}\nSubject: Passed on\n"
    headers += "Bcc: secret@example.org\nResent-Bcc: secret@example.org\n"
    stack.post_raw(
        f"{resent * 2}{headers}\n.Hello.\n".encode(), mailing_list.fqdn_listname, sender=anne
    )
    mail = stack.catcher.wait_to(anne, "Passed on")
    assert mail.message.get_all("Resent-From") == [anne, anne]
    assert "secret@example.org" not in mail.message.as_string()
    assert mail.text.startswith(".Hello.")
