"""What waits for a moderator: posts and members who come or go, decided by REST and by mail.

The web interface's pages are in tests/browser.
"""

import re
from email.message import EmailMessage
from urllib.error import HTTPError

import pytest
from mailmanclient import MailingList
from mailmanclient.restobjects.held_message import HeldMessage

from tests.support import wait
from tests.support.catcher import Mail
from tests.support.lists import Address, at, configure, members, subscribe
from tests.support.mail import RESULTS, message
from tests.support.stack import Stack

PASSWORD = "open-sesame"
REJECTION = "Request to mailing list"


@pytest.fixture
def moderated(mailing_list: MailingList, address: Address) -> MailingList:
    """A list with an owner, a moderator and a member; posts of strangers are held."""
    mailing_list.add_owner(address("olive"))
    mailing_list.add_moderator(address("mona"))
    subscribe(mailing_list, address("anne"))
    return mailing_list


def hold(
    stack: Stack, mailing_list: MailingList, sender: str, *subjects: str
) -> list[EmailMessage]:
    """Post what is held, and return once all of it is."""
    posts = [message(sender, mailing_list.fqdn_listname, subject) for subject in subjects]
    for post in posts:
        stack.post(post)
    wait.until("all are held", lambda: set(subjects) <= {*held(mailing_list)})
    return posts


def held(mailing_list: MailingList) -> dict[str, HeldMessage]:
    """What is held, by subject."""
    return {one.subject: one for one in mailing_list.held}


def subjects(mails: list[Mail]) -> list[str]:
    return [mail.message["Subject"] for mail in mails]


# -- Notices


def test_notices_of_held_posts_can_be_switched_off(
    stack: Stack, moderated: MailingList, address: Address
) -> None:
    configure(moderated, admin_immed_notify=False, respond_to_post_requests=False)
    hold(stack, moderated, address("sam"), "Hush")

    held(moderated)["Hush"].reject("Not here")
    stack.catcher.wait_to(address("sam"))
    stack.post(message(address("sam"), at(moderated, "owner"), "Why not?"))
    stack.catcher.wait_to(address("olive"), "Why not?")

    assert len(stack.catcher.to(address("sam"))) == 1
    assert subjects(stack.catcher.to(address("olive"))) == ["Why not?"]


# -- Decisions about posts


def test_held_posts_are_accepted_rejected_discarded_and_deferred_by_rest(
    stack: Stack, moderated: MailingList, address: Address
) -> None:
    names = ["Reject", "Discard", "Defer", "Accept"]
    *others, accepted = hold(stack, moderated, address("sam"), *names)
    requests = held(moderated)

    requests["Reject"].reject("Zu früh, sagt Mona")
    requests["Discard"].discard()
    requests["Defer"].defer()
    requests["Accept"].accept()

    stack.catcher.wait_delivered(accepted["Message-ID"], address("anne"))
    assert [stack.catcher.by_message_id(post["Message-ID"]) for post in others] == [[], [], []]
    assert {*held(moderated)} == {"Defer"}
    rejection = stack.catcher.wait_to(address("sam"), REJECTION)
    assert "Zu früh, sagt Mona" in rejection.text
    assert 'titled "Reject"' in rejection.text
    assert len(stack.catcher.to(address("sam"), REJECTION)) == 1
    with pytest.raises(HTTPError, match="404"):
        requests["Discard"].accept()


def test_a_held_post_is_forwarded_and_kept(
    stack: Stack, moderated: MailingList, address: Address
) -> None:
    (post,) = hold(stack, moderated, address("sam"), "What do you think?")
    request = held(moderated)["What do you think?"].request_id
    stack.rest._connection.call(  # the client has no method for it
        f"lists/{moderated.list_id}/held/{request}",
        {"action": "defer", "forward": address("frida")},
    )
    forwarded = stack.catcher.wait_to(address("frida"), "Forward of moderated message")
    (original,) = forwarded.message.iter_parts()
    assert original["Message-ID"] == post["Message-ID"]
    assert {*held(moderated)} == {"What do you think?"}


def test_held_posts_are_accepted_and_discarded_by_mail(
    stack: Stack, moderated: MailingList, address: Address
) -> None:
    """Rejecting is not offered by mail; a notice that nobody answers leaves the post held."""
    configure(moderated, moderator_password=PASSWORD)
    answers = {
        "Right": "Schöne Grüße\n",
        "Wrong": "Approved: open-pepper\n",
        "Without": "I have read it.\n",
    }
    posts = hold(stack, moderated, address("sam"), *answers, "Unanswered")
    notices = wait_all(stack, address("mona"), "requires approval", len(posts))
    sent = {name: answer(notices, name, text) for name, text in answers.items()}
    sent["Right"]["Approved"] = PASSWORD
    for mail in sent.values():
        stack.post(mail)

    results = [mail.text for mail in wait_all(stack, address("mona"), RESULTS, len(sent))]
    assert "Message accepted" in result_of(results, sent["Right"])
    assert "Invalid Approved: password" in result_of(results, sent["Wrong"])
    assert "Message discarded" in result_of(results, sent["Without"])
    assert {*held(moderated)} == {"Wrong", "Unanswered"}
    ids = {post["Subject"]: post["Message-ID"] for post in posts}
    stack.catcher.wait_delivered(ids["Right"], address("anne"))
    assert stack.catcher.by_message_id(ids["Without"]) == []


def wait_all(stack: Stack, recipient: str, subject: str, number: int) -> list[Mail]:
    """As many mails to a recipient with these words in their subject."""

    def found() -> list[Mail]:
        mails = stack.catcher.to(recipient, subject)
        return mails if len(mails) >= number else []

    return wait.until(f"{number} times {subject!r} to {recipient}", found, every=1)


def answer(notices: list[Mail], subject: str, text: str) -> EmailMessage:
    """A moderator's reply about the post with a subject, as the last part of its notice asks."""
    for notice in notices:
        _, post, asked = (part.get_content() for part in notice.message.iter_parts())
        if post["Subject"] == subject:
            return message(notice.recipients[0], asked["From"], f"Re: {asked['Subject']}", text)
    raise AssertionError(subject)


def result_of(results: list[str], command: EmailMessage) -> str:
    """What Mailman answers to a mail command."""
    return next(text for text in results if command["Message-ID"] in text)


# -- Members who come and go


def test_subscription_requests_are_decided_by_rest(
    stack: Stack, moderated: MailingList, address: Address
) -> None:
    configure(moderated, subscription_policy="moderate")
    people = ["reject", "discard", "defer", "accept"]
    for person in people:
        moderated.subscribe(address(person), pre_verified=True, pre_confirmed=True)
    for person in people:
        subject = f"New subscription request to {moderated.display_name} from {address(person)}"
        for moderator in ("olive", "mona"):
            assert address(person) in stack.catcher.wait_to(address(moderator), subject).text

    decide(moderated, moderated.requests, address)

    stack.catcher.wait_to(address("accept"), "Welcome")
    rejection = stack.catcher.wait_to(address("reject"), REJECTION)
    assert "Not now, says Mona" in rejection.text
    assert members(moderated) == sorted([address("anne"), address("accept")])
    assert [one["email"] for one in moderated.requests] == [address("defer")]
    assert stack.catcher.to(address("discard")) == []
    assert stack.catcher.to(address("defer")) == []


def test_unsubscription_requests_are_decided_by_rest(
    stack: Stack, moderated: MailingList, address: Address
) -> None:
    configure(moderated, unsubscription_policy="moderate", send_welcome_message=False)
    people = ["reject", "discard", "defer", "accept"]
    subscribe(moderated, *(address(person) for person in people))
    for person in people:
        stack.post(message(address(person), at(moderated, "leave"), "I leave"))
    for person in people:
        subject = f"New unsubscription request to {moderated.display_name} from {address(person)}"
        for moderator in ("olive", "mona"):
            assert address(person) in stack.catcher.wait_to(address(moderator), subject).text
    assert len(members(moderated)) == 5

    decide(moderated, moderated.unsubscription_requests, address)

    rejection = stack.catcher.wait_to(address("reject"), REJECTION)
    assert "Not now, says Mona" in rejection.text
    staying = ("anne", "reject", "discard", "defer")
    assert members(moderated) == sorted(address(person) for person in staying)
    assert [one["email"] for one in moderated.unsubscription_requests] == [address("defer")]


def decide(mailing_list: MailingList, requests: list[dict[str, str]], address: Address) -> None:
    """Do with each request as its address says."""
    tokens = {request["email"]: request["token"] for request in requests}
    mailing_list.moderate_request(tokens[address("reject")], "reject", "Not now, says Mona")
    for action in ("discard", "defer", "accept"):
        mailing_list.moderate_request(tokens[address(action)], action)


def test_owners_and_moderators_hear_of_members_who_come_and_go(
    stack: Stack, moderated: MailingList, address: Address
) -> None:
    configure(moderated, admin_notify_mchanges=True)
    subscribe(moderated, address("bart"))
    moderated.unsubscribe(address("bart"))
    for person in ("olive", "mona"):
        come = stack.catcher.wait_to(address(person), " subscription notification")
        gone = stack.catcher.wait_to(address(person), " unsubscription notification")
        assert f"{address('bart')} has been successfully subscribed" in come.text
        assert f"{address('bart')} has been removed" in gone.text


# -- The daily summary


def test_the_daily_summary_names_all_that_waits(
    stack: Stack, moderated: MailingList, address: Address
) -> None:
    """As the job `notify` sends it, which asks about every list."""
    subscribe(moderated, address("bart"))
    configure(
        moderated,
        admin_immed_notify=False,
        subscription_policy="moderate",
        unsubscription_policy="moderate",
    )
    hold(stack, moderated, address("sam"), "Frühstück? ☃")
    moderated.subscribe(address("cris"), pre_verified=True, pre_confirmed=True)
    stack.post(message(address("bart"), at(moderated, "leave"), "I leave"))
    wait.until("the request is there", lambda: moderated.unsubscription_requests)

    stack.exec("core", "mailman", "notify", "--list", moderated.list_id)

    for person in ("olive", "mona"):
        summary = stack.catcher.wait_to(address(person), "has 3 moderation requests waiting")
        messages = summary.text.partition("Held Messages:")[2]
        assert re.search(f"Held Subscriptions:\\s+User: {address('cris')}", summary.text)
        assert re.search(f"Held Unsubscriptions:\\s+User: {address('bart')}", summary.text)
        for fact in (address("sam"), "Frühstück? ☃", "The message is not from a list member"):
            assert fact in messages
