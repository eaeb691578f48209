"""What happens to a post's body on its way to the members and into the archive."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from contextlib import closing
from email import message_from_string, policy
from email.message import EmailMessage
from http.client import HTTPConnection
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen

import pytest
from mailmanclient import MailingList

from tests.support import wait
from tests.support.lists import Address, configure, subscribe
from tests.support.mail import message, text_of
from tests.support.stack import Stack
from tests.support.templates import set_text

type Parts = Mapping[str, bytes]
"""The attachments of a message, by their names."""

EVERY_BYTE = bytes(range(256)) * 50
PNG = b"\x89PNG\r\n\x1a\n" + EVERY_BYTE


class List:
    """A list and its only member, Anne, who posts to it."""

    def __init__(self, stack: Stack, mailing_list: MailingList, anne: str) -> None:
        self.stack = stack
        self.mailing_list = mailing_list
        self.anne = anne

    def message(self, text: str = "Hello.\n", subject: str = "A post") -> EmailMessage:
        return message(self.anne, self.mailing_list.fqdn_listname, subject, text)

    def send(self, post: EmailMessage) -> EmailMessage:
        """Post a message and return it as Anne gets it."""
        self.stack.post(post)
        return self.delivered(post)

    def delivered(self, post: EmailMessage) -> EmailMessage:
        return self.stack.catcher.wait_delivered(post["Message-ID"], self.anne)[0].message

    def send_body(self, charset: str, encoding: str, body: bytes) -> EmailMessage:
        """Post a body byte for byte; an empty charset, or encoding, is not declared."""
        post = self.message()
        post.clear_content()
        if charset:
            post["Content-Type"] = f'text/plain; charset="{charset}"'
        if encoding:
            post["Content-Transfer-Encoding"] = encoding
        content = post.as_bytes() + body
        self.stack.post_raw(content, self.mailing_list.fqdn_listname, sender=self.anne)
        return self.delivered(post)


@pytest.fixture
def reading(stack: Stack, mailing_list: MailingList, address: Address) -> List:
    anne = address("anne")
    subscribe(mailing_list, anne, display_name="Änne Müller")
    return List(stack, mailing_list, anne)


def text_parts(mail: EmailMessage) -> list[str]:
    """Every plain text of a message, attachments aside."""
    parts = (part for part in mail.walk() if part.get_content_type() == "text/plain")
    return [text_of(part) for part in parts if not part.get_filename()]


def types(mail: EmailMessage) -> list[str]:
    """The content types of all parts that hold no other parts; a footer is the last of them."""
    return [part.get_content_type() for part in mail.walk() if not part.is_multipart()]


def attachments(mail: EmailMessage) -> Parts:
    return {
        name: bytes(part.get_payload(decode=True))
        for part in mail.walk()
        if (name := part.get_filename())
    }


def archived(stack: Stack, mail: EmailMessage) -> str:
    """The page of a message in the archive, as soon as it is there."""
    link = mail["Archived-At"].strip("<>")
    return wait.until("it is archived", lambda: stack.open(link))


def download(stack: Stack, page: str, name: str) -> bytes:
    """An attachment from a page of the archive."""
    found = re.search(rf'href="([^"]*/attachment/\d+/{re.escape(quote(name))})"', page)
    assert found, page
    with closing(HTTPConnection(stack.address("web"), 8000, timeout=30)) as connection:
        connection.request("GET", urlsplit(found[1]).path, headers={"Host": "www.example.com"})
        return connection.getresponse().read()


# -- Header and footer


@pytest.fixture
def templates(stack: Stack, mailing_list: MailingList) -> None:
    """A header and a footer with everything that can be substituted for each member."""
    texts = {
        "header": "Dear $user_name,\n",
        "footer": "$display_name|$fqdn_listname|$user_email|$user_language|$hyperkitty_url\n",
    }
    for name, text in texts.items():
        set_text(stack, mailing_list, f"list:member:regular:{name}", text)


def test_the_default_footer_says_how_to_leave(reading: List) -> None:
    name = reading.mailing_list.list_name
    text = text_of(reading.send(reading.message("Hello.\n")))
    assert text.startswith("Hello.\n____")
    assert f"mailing list -- {reading.mailing_list.fqdn_listname}\n" in text
    assert text.endswith(f"send an email to {name}-leave@lists.example.com\n")


@pytest.mark.usefixtures("templates")
def test_header_and_footer_may_be_written_for_each_member(reading: List) -> None:
    configure(reading.mailing_list, personalize="individual", display_name="Bücher")
    mail = reading.send(reading.message("Hello.\n"))
    address = reading.mailing_list.fqdn_listname
    link = mail["Archived-At"].strip("<>")
    assert text_of(mail) == (
        f"Dear Änne Müller,\nHello.\nBücher|{address}|{reading.anne}|English (USA)|{link}\n"
    )


def test_a_footer_is_a_part_of_its_own_where_it_cannot_be_appended(reading: List) -> None:
    post = reading.message()
    post.set_content("<p>Hello.</p>", subtype="html")
    mail = reading.send(post)
    assert types(mail) == ["text/html", "text/plain"]
    assert "-leave@" in text_parts(mail)[-1]


def test_what_is_signed_stays_as_it_is_below_the_footer(reading: List) -> None:
    """Byte for byte, as a signature covers blanks, folding and encoding (RFC 1847)."""
    signed = (
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"
        "X-Folded: some\r\n\tthing\r\n\r\nGr=C3=BC=C3=9Fe =\r\n  \r\n-- =20\r\nAnne\r\n"
    )
    post = message_from_string(
        f"{reading.message().as_string().partition('Content-Type')[0]}"
        'Content-Type: multipart/signed; protocol="application/pgp-signature"; boundary="=-B"\r\n'
        f"\r\n--=-B\r\n{signed}\r\n--=-B\r\n"
        "Content-Type: application/pgp-signature\r\n\r\nYWJj\r\n--=-B--\r\n".replace("\r\n", "\n"),
        policy=policy.default,
    )
    content = post.as_string(policy=policy.compat32).encode()
    reading.stack.post_raw(content, reading.mailing_list.fqdn_listname, sender=reading.anne)
    mail = reading.delivered(post)
    assert types(mail) == ["text/plain", "application/pgp-signature", "text/plain"]
    assert signed.replace("\r\n", "\n") in mail.as_string(policy=policy.compat32)


# -- Characters


@pytest.mark.parametrize(
    ("charset", "encoding", "body"),
    [
        ("utf-8", "8bit", "Grüße 🥞\n".encode()),
        ("utf-8", "base64", b"R3LDvMOfZSDwn6WeCg==\n"),
        ("iso-8859-1", "8bit", "Grüße\n".encode("iso-8859-1")),
        ("iso-8859-1", "quoted-printable", b"Gr=FC=DFe\n"),
        ("iso-2022-jp", "7bit", "日本\n".encode("iso-2022-jp")),
        ("windows-1252", "8bit", "Grüße „5 €“\n".encode("windows-1252")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_character_arrives_and_is_archived(
    reading: List, charset: str, encoding: str, body: bytes
) -> None:
    mail = reading.send_body(charset, encoding, body)
    text = {"base64": "Grüße 🥞", "quoted-printable": "Grüße"}.get(encoding)
    text = text or body.decode(charset).strip()
    assert [one.split("\n")[0] for one in text_parts(mail)] == [text]
    assert "-leave@" in text_parts(mail)[-1]
    assert text in archived(reading.stack, mail)


@pytest.mark.parametrize("charset", ["", "unknown-8bit"])
def test_bytes_of_an_unknown_charset_arrive_unchanged(reading: List, charset: str) -> None:
    body = "Grüße\n".encode("iso-8859-1")
    mail = reading.send_body(charset, "8bit", body)
    first, last = (bytes(part.get_payload(decode=True)) for part in mail.iter_parts())
    assert first.strip() == body.strip()
    assert b"-leave@" in last
    assert "Gr" in archived(reading.stack, mail)


# -- Attachments

FILES = {
    "every byte.bin": ("application/octet-stream", EVERY_BYTE),
    "Größe.png": ("image/png", PNG),
    "no-newline.csv": ("text/csv", b"name;size\r\nGr\xfc\xdfe;1"),
}


def test_attachments_arrive_and_are_archived_byte_for_byte(reading: List) -> None:
    post = reading.message("With attachments.\n")
    for name, (kind, content) in FILES.items():
        post.add_attachment(content, *kind.split("/"), filename=name)
    inner = reading.message("An older message.\n", subject="Forwarded")
    post.add_attachment(inner)
    configure(reading.mailing_list, max_message_size=0)

    mail = reading.send(post)
    assert attachments(mail) == {name: content for name, (_kind, content) in FILES.items()}
    [forwarded] = [part for part in mail.walk() if part.get_content_type() == "message/rfc822"]
    assert forwarded.get_content()["Message-ID"] == inner["Message-ID"]

    page = archived(reading.stack, mail)
    # HyperKitty keeps neither blanks nor brackets in names.
    for name, (_kind, content) in FILES.items():
        assert download(reading.stack, page, name.replace(" ", "")) == content


def test_a_message_of_20_megabytes_is_delivered_and_archived(reading: List) -> None:
    configure(reading.mailing_list, max_message_size=0)
    large = hashlib.shake_128(b"large").digest(20_000_000)
    post = reading.message("A large one.\n")
    post.add_attachment(large, "application", "zip", filename="large.zip")
    try:
        mail = reading.send(post)
        assert attachments(mail) == {"large.zip": large}
        page = archived(reading.stack, mail)
        assert download(reading.stack, page, "large.zip") == large
    finally:
        forget(reading.stack, post)


def forget(stack: Stack, post: EmailMessage) -> None:
    """Delete a message from the catcher, whose memory is its disk."""
    emails = f"{stack.catcher.url}/api/email"
    query = urlencode({"headers.message-id": post["Message-ID"]})
    with urlopen(f"{emails}?{query}", timeout=30) as answer:  # noqa: S310 - http
        found = [entry["id"] for entry in json.load(answer)]
    for entry in found:
        urlopen(Request(f"{emails}/{entry}", method="DELETE"), timeout=30).close()  # noqa: S310


def test_a_message_above_the_limit_is_held_and_delivered_whole_once_accepted(
    reading: List,
) -> None:
    configure(reading.mailing_list, max_message_size=10)
    post = reading.message("Too large.\n")
    post.add_attachment(EVERY_BYTE, "application", "zip", filename="large.zip")
    reading.stack.post(post)
    [held] = wait.until("it is held", lambda: reading.mailing_list.held)
    assert "larger than the 10 KB maximum" in held.reason
    held.accept()
    assert attachments(reading.delivered(post)) == {"large.zip": EVERY_BYTE}


def test_a_message_below_the_limit_is_delivered(reading: List) -> None:
    configure(reading.mailing_list, max_message_size=10)
    assert reading.send(reading.message("x" * 9000))


# -- Filtering of content


def mixed(reading: List) -> EmailMessage:
    """A text in two versions, a picture, a document and a program."""
    post = reading.message("Plain.\n")
    post.add_alternative("<p>HTML.</p>", subtype="html")
    post.add_attachment(PNG, "image", "png", filename="picture.png")
    post.add_attachment(EVERY_BYTE, "application", "pdf", filename="document.pdf")
    post.add_attachment(EVERY_BYTE, "application", "octet-stream", filename="PROGRAM.EXE")
    return post


EVERYTHING = {"max_message_size": 0, "filter_content": True, "collapse_alternatives": False}


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"filter_types": ["image", "text/html"]}, {"document.pdf", "PROGRAM.EXE"}),
        ({"pass_types": ["multipart", "text", "image/png"]}, {"picture.png"}),
        ({"filter_extensions": ["exe"]}, {"picture.png", "document.pdf"}),
        ({"pass_extensions": ["pdf", "png"]}, {"picture.png", "document.pdf"}),
    ],
)
def test_the_filter_takes_away_parts_by_their_types_and_names(
    reading: List, settings: dict[str, list[str]], kept: set[str]
) -> None:
    configure(reading.mailing_list, **EVERYTHING, **settings)
    mail = reading.send(mixed(reading))
    contents = {"picture.png": PNG}
    assert attachments(mail) == {name: contents.get(name, EVERY_BYTE) for name in kept}
    assert text_parts(mail)[0].startswith("Plain.")
    assert ("text/html" in types(mail)) == ("filter_types" not in settings)
    assert mail["X-Content-Filtered-By"].startswith("Mailman/MimeDel")


def test_of_alternatives_the_first_is_kept_if_the_list_wants_it(reading: List) -> None:
    post = reading.message("Plain.\n")
    post.add_alternative("<p>HTML.</p>", subtype="html")
    configure(reading.mailing_list, **EVERYTHING | {"collapse_alternatives": True})
    mail = reading.send(post)
    assert types(mail) == ["text/plain"]
    assert text_of(mail).startswith("Plain.\n____")


def test_the_only_part_that_is_left_is_kept_byte_for_byte(reading: List) -> None:
    """Upstream takes it for text."""
    configure(reading.mailing_list, **EVERYTHING, filter_types=["text"])
    post = reading.message("Goes away.\n")
    post.add_attachment(PNG, "image", "png", filename="picture.png")
    mail = reading.send(post)
    assert attachments(mail) == {"picture.png": PNG}
    assert types(mail) == ["image/png", "text/plain"]


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        ("text/plain", "8bit"),
        ("text/plain; charset=unknown-8bit", "8bit"),
        ("text/plain; charset=utf-8", "8bit"),
        ("image/png", "binary"),
    ],
)
def test_the_only_part_that_is_left_may_have_any_bytes(
    reading: List, content_type: str, encoding: str
) -> None:
    """As they are, not encoded for transport."""
    configure(reading.mailing_list, **EVERYTHING, filter_types=["text/html"])
    post, body = reading.message(), "Grüße\n".encode("iso-8859-1")
    post.replace_header("Content-Type", "multipart/mixed; boundary=B")
    parts = (
        b"--B\nContent-Type: text/html\n\n<p>Goes away.\n"
        b"--B\nContent-Type: %s\nContent-Transfer-Encoding: %s\n\n%s\n--B--\n"
    )
    content = post.as_bytes().partition(b"\n\n")[0] + b"\n\n"
    content += parts % (content_type.encode(), encoding.encode(), body)
    reading.stack.post_raw(content, reading.mailing_list.fqdn_listname, sender=reading.anne)
    first, footer = reading.delivered(post).iter_parts()
    assert first.get_content_type() == content_type.partition(";")[0]
    assert bytes(first.get_payload(decode=True)).strip() == body.strip()
    assert "-leave@" in text_of(footer)


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "us-ascii"])
def test_html_becomes_plain_text(reading: List, charset: str) -> None:
    """With characters that it names, though its charset has not all of them, and with links."""
    configure(reading.mailing_list, **EVERYTHING, convert_html_to_plaintext=True)
    post = reading.message()
    html = (
        "<h1>Gr&uuml;&szlig;e &euro; &#x1F95E;</h1><script>evil()</script>"
        '<ul><li>one <b>two</b></ul><a href="https://example.org/three">three</a>'
    )
    post.set_content(html, subtype="html", charset=charset)
    mail = reading.send(post)
    assert types(mail) == ["text/plain"]
    text = mail.get_content().partition("____")[0]
    assert text.split() == [
        "Grüße", "€", "🥞", "•", "one", "two", "[1]three",
        "References:", "[1]", "https://example.org/three",
    ]  # fmt: skip


# -- What becomes of a message of which nothing is left

MODERATOR_SUBJECT = "Content filter message notification"


@pytest.fixture
def rejected(reading: List, address: Address) -> Callable[[str], EmailMessage]:
    """Posts what a list does not let pass, and returns it once the filter is through with it."""

    def post(action: str) -> EmailMessage:
        reading.mailing_list.add_owner(address("olive"))
        configure(reading.mailing_list, **EVERYTHING, filter_types=["image"], filter_action=action)
        post = reading.message(subject="Only a picture")
        post.set_content(PNG, "image", "png", filename="picture.png")
        reading.stack.post(post)
        reading.send(reading.message(subject="Next"))
        assert reading.stack.catcher.by_message_id(post["Message-ID"]) == []
        return post

    return post


def test_what_is_filtered_may_be_discarded(
    reading: List, address: Address, rejected: Callable[[str], EmailMessage]
) -> None:
    rejected("discard")
    for person in (reading.anne, address("olive")):
        subjects = [mail.message["Subject"] for mail in reading.stack.catcher.to(person)]
        assert [one for one in subjects if "picture" in one or one == MODERATOR_SUBJECT] == []


def test_what_is_filtered_may_be_rejected_with_the_reason(
    reading: List, rejected: Callable[[str], EmailMessage]
) -> None:
    post = rejected("reject")
    answer = reading.stack.catcher.wait_to(reading.anne, "Only a picture")
    assert "content type was explicitly disallowed" in answer.text
    assert post["Message-ID"] in answer.message.as_string()


def test_what_is_filtered_may_be_forwarded_to_the_owners(
    reading: List, address: Address, rejected: Callable[[str], EmailMessage]
) -> None:
    rejected("forward")
    notice = reading.stack.catcher.wait_to(address("olive"), MODERATOR_SUBJECT)
    assert "the only remaining copy" in notice.text
    assert attachments(notice.message) == {"picture.png": PNG}


def test_what_is_filtered_may_be_preserved_for_the_administrator(
    reading: List, rejected: Callable[[str], EmailMessage]
) -> None:
    """If the site allows it: filtered_messages_are_preservable."""
    message_id = rejected("preserve")["Message-ID"]
    command = f"grep -rlF '{message_id}' /var/lib/mailman/queue/bad"
    wait.until(
        "it is in the queue bad", lambda: reading.stack.try_exec("core", "sh", "-c", command).stdout
    )


# -- Scrubbing


def test_plain_digests_and_the_archive_name_what_is_no_text(
    reading: List, address: Address
) -> None:
    """Mailman 3 scrubs nothing else; the archive keeps it for downloading."""
    bart = address("bart")
    subscribe(reading.mailing_list, bart, delivery_mode="plaintext_digests")
    configure(reading.mailing_list, max_message_size=0, digest_size_threshold=0.001)
    post = reading.message("Plain 🥞.\n")
    post.add_attachment(PNG, "image", "png", filename="picture.png")
    mail = reading.send(post)

    digest = reading.stack.catcher.wait_to(bart, "Digest").message
    assert types(digest) == ["text/plain"]
    text = text_of(digest)
    assert "Plain 🥞." in text
    assert "Name: picture.png\nType: image/png\n" in text
    page = archived(reading.stack, mail)
    assert download(reading.stack, page, "picture.png") == PNG
