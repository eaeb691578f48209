"""Digests: what is in them, when they are sent, how they are counted, and who gets which."""

import re
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from mailmanclient import MailingList

from tests.support import wait
from tests.support.catcher import Mail, copies
from tests.support.clock import pass_days
from tests.support.lists import DOMAIN, Address, at, configure, prefer, subscribe
from tests.support.mail import message, text_of
from tests.support.stack import Stack

REGULAR, MIME, PLAIN, SUMMARY = "regular", "mime_digests", "plaintext_digests", "summary_digests"
DIGEST = "Digest, Vol "
"""In the subject of every digest, and of no other mail."""


@pytest.fixture
def reader(mailing_list: MailingList, address: Address) -> str:
    """A member who gets every post at once, and writes all of them here."""
    subscribe(mailing_list, address("reader"))
    return address("reader")


def collect(stack: Stack, *posts: EmailMessage) -> None:
    """Post one after the other, until all are in the digest that is being collected."""
    for post in posts:
        stack.post(post)
        # It goes into the digest before it goes out.
        stack.catcher.wait_delivered(post["Message-ID"], parseaddr(post["From"])[1])


def act(mailing_list: MailingList, action: str) -> None:
    """Do what ``mailman digests --<action>`` does for one list."""
    mailing_list._connection.call(f"lists/{mailing_list.list_id}/digest", {action: True})


def counter(mailing_list: MailingList) -> tuple[int, int]:
    """Volume and issue of the next digest."""
    _, state = mailing_list._connection.call(f"lists/{mailing_list.list_id}/digest")
    return state["volume"], state["next_digest_number"]


def posts_in(digest: Mail) -> list[EmailMessage]:
    """The messages in a MIME digest."""
    parts = digest.message.walk()
    (collection,) = (part for part in parts if part.get_content_type() == "multipart/digest")
    return [part.get_content() for part in collection.iter_parts()]


def subjects(digest: Mail) -> list[str]:
    """The subjects of the messages in a MIME digest, without the list's prefix."""
    return [post["Subject"].rpartition("] ")[2] for post in posts_in(digest)]


def texts(digest: Mail) -> list[str]:
    """What is around the messages of a MIME digest."""
    parts = digest.message.iter_parts()
    return [text_of(part) for part in parts if part.get_content_type() == "text/plain"]


def test_the_daily_job_sends_each_member_the_digest_of_his_mode(
    stack: Stack, mailing_list: MailingList, reader: str, address: Address
) -> None:
    modes = {"mime": MIME, "plain": PLAIN, "summary": SUMMARY, "away": MIME}
    for person, mode in modes.items():
        subscribe(mailing_list, address(person), delivery_mode=mode)
    prefer(mailing_list, address("away"), delivery_status="by_user")
    name = mailing_list.fqdn_listname
    posts = [message(reader, name, subject) for subject in ("First", "Second", "Third")]

    collect(stack, *posts[:2])
    stack.exec("core", "mailman", "digests", "--periodic", "--list", mailing_list.list_id)
    stack.catcher.wait_to(address("mime"), "Issue 1")
    collect(stack, posts[2])
    act(mailing_list, "periodic")

    for person in ("mime", "summary"):
        stack.catcher.wait_to(address(person), "Issue 2")
        issues = stack.catcher.to(address(person), DIGEST)
        assert [subjects(issue) for issue in issues] == [["First", "Second"], ["Third"]]
    stack.catcher.wait_to(address("plain"), "Issue 2")
    issues = stack.catcher.to(address("plain"), DIGEST)
    assert [issue.message.get_content_type() for issue in issues] == ["text/plain"] * 2
    # Each is in the table of contents, and once more as it is.
    counts = [[issue.text.count(post["Subject"]) for post in posts] for issue in issues]
    assert counts == [[2, 2, 0], [0, 0, 2]]
    # Neither who wants no mail now nor who gets the posts as they come; and nobody gets both.
    assert stack.catcher.to(address("away"), DIGEST) == stack.catcher.to(reader, DIGEST) == []
    for post in posts:
        mails = stack.catcher.by_message_id(post["Message-ID"])
        assert [mail.recipients for mail in mails] == [(reader,)]


def unusual(sender: str, to: str) -> EmailMessage:
    """A post with what is hard to put into a digest."""
    post = message(sender, to, "Größe und 大きさ ☃", "Zwölf Boxkämpfer 🥊\n")
    post.add_attachment(b"\x89PNG \xff\x00", "image", "png", filename="schön.png")
    post.add_attachment("<p>a page</p>", "html", filename="page.html")
    return post


def test_a_mime_digest_holds_every_message_whole(
    stack: Stack, mailing_list: MailingList, reader: str, address: Address
) -> None:
    configure(mailing_list, display_name="Ant", subject_prefix="[Ant] ")
    subscribe(mailing_list, address("anne"), delivery_mode=MIME)
    plain = message(f"Reader Röder <{reader}>", mailing_list.fqdn_listname, "Plain words")
    collect(stack, plain, unusual(reader, mailing_list.fqdn_listname))

    act(mailing_list, "send")

    digest = stack.catcher.wait_to(address("anne"), DIGEST)
    assert digest.message["Subject"] == "Ant Digest, Vol 1, Issue 1"
    assert digest.message["To"] == digest.message["Reply-To"] == mailing_list.fqdn_listname
    masthead, contents, footer = texts(digest)
    assert masthead.startswith(
        f"Send Ant mailing list submissions to\n\t{mailing_list.fqdn_listname}\n"
    )
    assert " 1. Plain words (Reader Röder)\n" in contents
    assert re.search(rf" 2\. Größe und 大きさ ☃\s+\({reader}\)\n", contents)
    assert at(mailing_list, "leave") in footer
    first, second = posts_in(digest)
    assert (first["Message-ID"], first["Subject"]) == (plain["Message-ID"], "[Ant] Plain words")
    assert second["Subject"] == "[Ant] Größe und 大きさ ☃"
    text, picture, page = second.iter_parts()
    assert text_of(text) == "Zwölf Boxkämpfer 🥊\n"
    assert (picture.get_filename(), picture.get_content()) == ("schön.png", b"\x89PNG \xff\x00")
    assert text_of(page) == "<p>a page</p>\n"


def test_a_plain_digest_has_the_texts_and_tells_what_it_leaves_out(
    stack: Stack, mailing_list: MailingList, reader: str, address: Address
) -> None:
    configure(mailing_list, display_name="Ant", subject_prefix="[Ant] ")
    subscribe(mailing_list, address("anne"), delivery_mode=PLAIN)
    plain = message(f"Reader Röder <{reader}>", mailing_list.fqdn_listname, "Plain words")
    collect(stack, unusual(reader, mailing_list.fqdn_listname), plain)

    act(mailing_list, "send")

    digest = stack.catcher.wait_to(address("anne"), DIGEST)
    preamble, first = text_of(digest.message).split("\n" + "-" * 70 + "\n")
    assert preamble.startswith("Send Ant mailing list submissions to\n")
    assert re.search(rf" 1\. Größe und 大きさ ☃\s+\({reader}\)\n", preamble)
    assert " 2. Plain words (Reader Röder)\n" in preamble
    first, second, footer, end = first.split("\n" + "-" * 30 + "\n")
    assert "\nMessage: 1\n" in first
    assert "\nSubject: [Ant] Größe und 大きさ ☃\n" in first
    assert "\n\nZwölf Boxkämpfer 🥊\n" in first
    assert "\nName: schön.png\nType: image/png\nSize: 7 bytes\n" in first
    assert "\nName: page.html\nType: text/html\n" in first
    assert "a page" not in first
    assert second.endswith("\n\nHello, all.\n")
    assert at(mailing_list, "leave") in footer
    assert end.split("\n") == ["", "End of Ant Digest, Vol 1, Issue 1", "*" * 33, ""]


def test_a_digest_is_sent_as_soon_as_it_has_its_size(
    stack: Stack, mailing_list: MailingList, reader: str, address: Address
) -> None:
    configure(mailing_list, digest_size_threshold=8)
    subscribe(mailing_list, address("anne"), delivery_mode=MIME)
    name = mailing_list.fqdn_listname
    collect(stack, message(reader, name, "Small"), message(reader, name, "Small too"))
    assert counter(mailing_list) == (1, 1)

    collect(stack, message(reader, name, "Large", "Much text.\n" * 800))

    digest = stack.catcher.wait_to(address("anne"), DIGEST)
    assert subjects(digest) == ["Small", "Small too", "Large"]
    assert counter(mailing_list) == (1, 2)


def test_the_daily_job_leaves_alone_who_wants_digests_by_size_only(
    stack: Stack, mailing_list: MailingList, reader: str, address: Address
) -> None:
    configure(mailing_list, digest_send_periodic=False)
    subscribe(mailing_list, address("anne"), delivery_mode=MIME)
    collect(stack, message(reader, mailing_list.fqdn_listname, "First"))
    act(mailing_list, "periodic")
    assert counter(mailing_list) == (1, 1)
    collect(stack, message(reader, mailing_list.fqdn_listname, "Second"))

    act(mailing_list, "send")

    assert subjects(stack.catcher.wait_to(address("anne"), DIGEST)) == ["First", "Second"]


def test_without_digests_nothing_is_collected(
    stack: Stack, mailing_list: MailingList, reader: str, address: Address
) -> None:
    configure(mailing_list, digests_enabled=False)
    subscribe(mailing_list, address("anne"), delivery_mode=MIME)
    collect(stack, message(reader, mailing_list.fqdn_listname, "Before"))
    configure(mailing_list, digests_enabled=True)
    collect(stack, message(reader, mailing_list.fqdn_listname, "After"))

    act(mailing_list, "send")

    assert subjects(stack.catcher.wait_to(address("anne"), DIGEST)) == ["After"]


@pytest.mark.parametrize(
    ("frequency", "days"),
    # The days that are in the next such period for certain.
    [("daily", 1), ("weekly", 8), ("monthly", 32), ("quarterly", 125), ("yearly", 367)],
)
def test_a_new_volume_begins_with_the_first_digest_of_its_time(
    stack: Stack, mailing_list: MailingList, frequency: str, days: int
) -> None:
    configure(mailing_list, digest_volume_frequency=frequency)
    act(mailing_list, "bump")
    act(mailing_list, "bump")
    assert counter(mailing_list) == (1, 3)
    pass_days(stack, mailing_list, days)
    act(mailing_list, "bump")
    assert counter(mailing_list) == (2, 1)


def test_volume_and_issue_are_in_the_subject(
    stack: Stack, mailing_list: MailingList, reader: str, address: Address
) -> None:
    subscribe(mailing_list, address("anne"), delivery_mode=PLAIN)
    for issue in (1, 2):
        collect(stack, message(reader, mailing_list.fqdn_listname, "Old"))
        act(mailing_list, "send")
        stack.catcher.wait_to(address("anne"), f" Digest, Vol 1, Issue {issue}")
    pass_days(stack, mailing_list, 32)
    collect(stack, message(reader, mailing_list.fqdn_listname, "New"))

    stack.exec(
        "core", "mailman", "digests", "--bump", "--send", "--list", mailing_list.fqdn_listname
    )

    digest = stack.catcher.wait_to(address("anne"), " Digest, Vol 2, Issue 1")
    assert digest.text.count("New") == 2


@pytest.mark.parametrize("mode", [MIME, PLAIN, SUMMARY])
def test_who_turns_digests_off_gets_one_last(
    stack: Stack, mailing_list: MailingList, reader: str, address: Address, mode: str
) -> None:
    anne = address("anne")
    subscribe(mailing_list, anne, delivery_mode=mode)
    subscribe(mailing_list, address("bart"), delivery_mode=MIME)
    before, after = (message(reader, mailing_list.fqdn_listname, word) for word in ("Old", "New"))

    collect(stack, before)
    prefer(mailing_list, anne, delivery_mode=REGULAR)
    act(mailing_list, "send")
    assert "Old" in stack.catcher.wait_to(anne, DIGEST).message.as_string()
    collect(stack, after)
    act(mailing_list, "send")
    stack.catcher.wait_to(address("bart"), "Issue 2")

    assert len(stack.catcher.to(anne, DIGEST)) == 1
    reached = [copies(stack.catcher.by_message_id(post["Message-ID"])) for post in (before, after)]
    assert [anne in each for each in reached] == [False, True]


def test_who_turns_digests_off_and_leaves_gets_none(
    stack: Stack, mailing_list: MailingList, reader: str, address: Address
) -> None:
    anne, bart = address("anne"), address("bart")
    subscribe(mailing_list, anne, bart, delivery_mode=MIME)
    collect(stack, message(reader, mailing_list.fqdn_listname, "Before"))
    prefer(mailing_list, anne, delivery_mode=REGULAR)
    mailing_list.unsubscribe(anne)

    act(mailing_list, "send")

    stack.catcher.wait_to(bart, DIGEST)
    # Digests are sent for one mode after the other.
    collect(stack, message(reader, mailing_list.fqdn_listname, "After"))
    assert stack.catcher.to(anne, DIGEST) == []


@pytest.mark.parametrize("by", ["REST", "command"])
def test_a_list_may_go_that_owes_somebody_a_last_digest(
    stack: Stack, mailing_list: MailingList, reader: str, address: Address, by: str
) -> None:
    subscribe(mailing_list, address("anne"), delivery_mode=MIME)
    collect(stack, message(reader, mailing_list.fqdn_listname, "Before"))
    prefer(mailing_list, address("anne"), delivery_mode=REGULAR)
    name = mailing_list.list_name
    if by == "REST":
        mailing_list.delete()
    else:
        stack.exec("core", "mailman", "remove", mailing_list.fqdn_listname)
    # The fixture deletes it, too.
    stack.rest.get_domain(DOMAIN).create_list(name)


@pytest.mark.parametrize(("before", "after"), [(MIME, PLAIN), (REGULAR, MIME)])
def test_who_changes_to_another_digest_gets_that_one(
    stack: Stack, mailing_list: MailingList, address: Address, before: str, after: str
) -> None:
    anne, bart = address("anne"), address("bart")
    subscribe(mailing_list, bart)
    subscribe(mailing_list, anne, delivery_mode=before)
    prefer(mailing_list, anne, delivery_mode=after)
    post = message(bart, mailing_list.fqdn_listname, "In between")
    collect(stack, post)

    act(mailing_list, "send")

    digest = stack.catcher.wait_to(anne, DIGEST)
    kinds = {MIME: "multipart/mixed", PLAIN: "text/plain"}
    assert digest.message.get_content_type() == kinds[after]
    assert len(stack.catcher.to(anne, DIGEST)) == 1
    assert [mail.recipients for mail in stack.catcher.by_message_id(post["Message-ID"])] == [
        (bart,)
    ]


@pytest.mark.parametrize(("word", "kind"), [("mime", "multipart/mixed"), ("plain", "text/plain")])
def test_a_digest_is_chosen_by_mail(
    stack: Stack, mailing_list: MailingList, address: Address, word: str, kind: str
) -> None:
    anne, bart = address("anne"), address("bart")
    subscribe(mailing_list, bart)
    stack.post(message(anne, at(mailing_list, "request"), f"subscribe digest={word}", "end\n"))
    request = stack.catcher.wait_to(anne, "confirm")
    stack.post(message(anne, request.message["From"], "Re: confirm", ""))
    stack.catcher.wait_to(anne, "Welcome")
    collect(stack, message(bart, mailing_list.fqdn_listname, "Words"))

    act(mailing_list, "send")

    assert stack.catcher.wait_to(anne, DIGEST).message.get_content_type() == kind


def test_a_list_whose_name_is_not_ascii_has_digests(
    stack: Stack, mailing_list: MailingList, reader: str, address: Address
) -> None:
    configure(mailing_list, display_name="Ämter ☃")
    subscribe(mailing_list, address("mime"), delivery_mode=MIME)
    subscribe(mailing_list, address("plain"), delivery_mode=PLAIN)
    collect(stack, message(reader, mailing_list.fqdn_listname, "Words"))

    act(mailing_list, "send")

    for person in ("mime", "plain"):
        digest = stack.catcher.wait_to(address(person), "Ämter ☃ Digest, Vol 1, Issue 1")
        assert digest.text.startswith("Send Ämter ☃ mailing list submissions to")


def test_no_post_is_lost_when_digests_are_sent_while_posts_come(
    stack: Stack, mailing_list: MailingList, reader: str, address: Address
) -> None:
    subscribe(mailing_list, address("mime"), delivery_mode=MIME)
    posts = [message(reader, mailing_list.fqdn_listname, f"Number {n:02}") for n in range(30)]
    with stack.smtp() as smtp:
        for post in posts:
            smtp.send_message(post)

    def delivered() -> bool:
        act(mailing_list, "send")
        return len(stack.catcher.to(reader, "Number")) >= len(posts)

    wait.until("every post has come, while digests are sent", delivered)
    act(mailing_list, "send")
    expected = [post["Subject"] for post in posts]

    def sent() -> list[str]:
        issues = stack.catcher.to(address("mime"), DIGEST)
        return sorted(subject for issue in issues for subject in subjects(issue))

    wait.until("every post has come in a digest", lambda: len(sent()) >= len(expected))
    assert sent() == expected
    assert len(stack.catcher.to(address("mime"), DIGEST)) > 1
