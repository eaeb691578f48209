"""What people do by mail alone: commands, joining and leaving, and answering each other."""

import json
import re
from email.message import EmailMessage

import pytest
from mailmanclient import MailingList

from tests.support import wait
from tests.support.catcher import Mail
from tests.support.lists import Address, at, configure, members, prefer, subscribe
from tests.support.mail import RESULTS, message, text_of
from tests.support.stack import Stack
from tests.support.templates import GOODBYE, WELCOME, set_text

POLICIES = ("open", "confirm", "moderate", "confirm_then_moderate")


def answer(stack: Stack, mailing_list: MailingList, sender: str, *lines: str) -> str:
    """Send commands, the first of them as the subject, and return what they led to."""
    stack.post(message(sender, at(mailing_list, "request"), lines[0], "\n".join(lines[1:])))
    text = text_of(stack.catcher.wait_to(sender, RESULTS).message)
    return text.partition("- Results:\n")[2]


def confirm(stack: Stack, mailing_list: MailingList, person: str, what: str = "join") -> Mail:
    """Reply to the mail that asks for a confirmation, as any mail program does; returns it."""
    asked = stack.catcher.wait_to(person, f"Your confirmation is needed to {what}")
    assert asked.message["From"].startswith(f"{mailing_list.list_name}-confirm+")
    reply = message(person, asked.message["From"], f"Re: {asked.message['Subject']}")
    reply["In-Reply-To"] = asked.message["Message-ID"]
    stack.post(reply)
    return asked


def token(asked: Mail) -> str:
    """The token of a mail that asks for a confirmation."""
    found = re.search(r"-confirm\+(\w+)@", asked.message["From"])
    assert found
    return found[1]


def make_known(stack: Stack, address: str) -> None:
    """Have Mailman know that mail to an address reaches its owner, as if it was a member before."""
    stack.rest.create_user(address, None).addresses[0].verify()


def wait_members(mailing_list: MailingList, *addresses: str) -> None:
    wait.until(f"members are {addresses}", lambda: members(mailing_list) == sorted(addresses))


# -- Commands to -request


def test_help_names_every_command_and_explains_one(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    text = answer(stack, mailing_list, address("anne"), "help", "help join")
    names = re.findall(r"^(\w+) +- ", text, re.MULTILINE)
    assert names == [
        "confirm", "echo", "end", "help", "join", "leave", "stop", "subscribe",
        "unsubscribe", "who",
    ]  # fmt: skip
    assert "join [digest=<no|mime|plain>] [address=user@example.com]" in text


@pytest.mark.parametrize("last", ["stop", "end"])
def test_commands_are_carried_out_in_turn_until_the_last(
    stack: Stack, mailing_list: MailingList, address: Address, last: str
) -> None:
    text = answer(
        stack, mailing_list, address("anne"), "Re: echo one", "echo two", "set", last,
        "echo three", *[""] * 6, "echo eleven",
    )  # fmt: skip
    # Mailman 3 has no `set`. Ten lines of the text are read.
    assert text.split("\n\n")[0].splitlines() == ["echo one", "echo two", "No such command: set"]
    unprocessed, ignored = text.partition("- Unprocessed:\n")[2].split("- Ignored:\n")
    assert unprocessed.split() == ["echo", "three"]
    assert ignored.split()[:2] == ["echo", "eleven"]


@pytest.mark.parametrize(
    ("visibility", "allowed"),
    [
        ("public", {"anne", "bart", "olga"}),
        ("members", {"anne", "olga"}),
        ("moderators", {"olga"}),
    ],
)
def test_who_is_told_to_those_who_may_see_the_members(
    stack: Stack, mailing_list: MailingList, address: Address, visibility: str, allowed: set[str]
) -> None:
    """Anne is a member, Bart a stranger, Olga an owner."""
    configure(mailing_list, member_roster_visibility=visibility)
    subscribe(mailing_list, address("anne"))
    mailing_list.add_owner(address("olga"))
    told = {}
    for person in ("anne", "bart", "olga"):
        text = answer(stack, mailing_list, address(person), "who")
        told[person] = address("anne") in text
        assert told[person] != ("You are not authorized to see the membership list." in text)
    assert {person for person, yes in told.items() if yes} == allowed


def test_who_can_be_narrowed_down(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    configure(mailing_list, member_roster_visibility="public")
    subscribe(mailing_list, address("anne"), address("bart"), address("cris"))
    for person, name, value in (
        ("bart", "delivery_mode", "mime_digests"),
        ("cris", "delivery_status", "by_user"),
    ):
        prefer(mailing_list, address(person), **{name: value})
    text = answer(
        stack, mailing_list, address("dora"), "who mode=digest", "who delivery=disabled",
        "who mode=regular delivery=enabled",
    )  # fmt: skip
    told = re.findall(r"^ +(\w+)-", text, re.MULTILINE)
    assert told == ["bart", "cris", "anne"]


def test_a_request_encoded_by_the_mail_program_gets_a_readable_answer(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    """Upstream names the request's encoding in the answer, and does not apply it."""
    for person, encoding in (("anne", "base64"), ("bart", "quoted-printable"), ("cris", "8bit")):
        request = message(address(person), at(mailing_list, "request"), "help", "")
        request.set_content("echo 1=2\nGrüße\n", cte=encoding)
        stack.post(request)
        text = stack.catcher.wait_to(address(person), RESULTS).text
        assert "echo 1=2" in text
        assert "Join this mailing list." in text


def test_commands_are_found_in_a_mail_with_html(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    request = message(address("anne"), at(mailing_list, "request"), "", "echo plain")
    request.add_alternative("<p>echo html</p>", subtype="html")
    stack.post(request)
    text = stack.catcher.wait_to(address("anne"), RESULTS).text
    assert "Ignoring non-text/plain MIME parts" in text
    assert "echo plain" in text
    assert "echo html" not in text


# -- Joining and leaving


@pytest.mark.parametrize("names", [("join", "leave"), ("subscribe", "unsubscribe")])
def test_joining_and_leaving_by_the_address_and_by_the_command(
    stack: Stack, mailing_list: MailingList, address: Address, names: tuple[str, str]
) -> None:
    join, leave = names
    anne, bart = address("anne"), address("bart")
    stack.post(message(anne, at(mailing_list, join), "Please"))
    stack.post(message(bart, at(mailing_list, "request"), "A subject", join))
    confirm(stack, mailing_list, anne)
    confirm(stack, mailing_list, bart)
    wait_members(mailing_list, anne, bart)
    stack.post(message(anne, at(mailing_list, leave), "Please"))
    stack.post(message(bart, at(mailing_list, "request"), f"Re: {leave}"))
    confirm(stack, mailing_list, anne, "leave")
    confirm(stack, mailing_list, bart, "leave")
    wait_members(mailing_list)


@pytest.mark.parametrize(
    ("option", "mode"),
    [("mime", "mime_digests"), ("plain", "plaintext_digests"), ("no", "regular")],
)
def test_joining_for_digests(
    stack: Stack, mailing_list: MailingList, address: Address, option: str, mode: str
) -> None:
    stack.post(message(address("anne"), at(mailing_list, "request"), f"subscribe digest={option}"))
    confirm(stack, mailing_list, address("anne"))
    wait_members(mailing_list, address("anne"))
    # Core reads what it has not committed yet: a member may be seen without its options.
    wait.until(mode, lambda: mailing_list.get_member(address("anne")).delivery_mode == mode)


def test_joining_for_another_address_asks_that_address(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    stack.post(
        message(address("anne"), at(mailing_list, "request"), f"join address={address('home')}")
    )
    confirm(stack, mailing_list, address("home"))
    wait_members(mailing_list, address("home"))
    assert stack.catcher.to(address("anne"), "Your confirmation is needed") == []


def test_a_confirmation_by_command_counts_once(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne = address("anne")
    stack.post(message(anne, at(mailing_list, "join"), "Please"))
    asked = stack.catcher.wait_to(anne, "Your confirmation is needed")
    command = f"confirm {token(asked)}"
    assert f"    {command}" in asked.text
    assert "Confirmed" in answer(stack, mailing_list, address("bart"), "Re: Something", command)
    wait_members(mailing_list, anne)
    again = answer(stack, mailing_list, address("cris"), command)
    assert "Confirmation token did not match" in again


def test_requests_that_make_no_sense_are_answered(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    subscribe(mailing_list, address("anne"))
    texts = {}
    for person, to in (("anne", "join"), ("bart", "leave")):
        stack.post(message(address(person), at(mailing_list, to), "Please"))
        texts[person] = stack.catcher.wait_to(address(person), RESULTS).text
    assert f"{address('anne')} is already a member" in texts["anne"]
    assert f"No registered user for email address: {address('bart')}" in texts["bart"]
    assert members(mailing_list) == [address("anne")]


@pytest.mark.parametrize("policy", POLICIES)
def test_joining_follows_the_subscription_policy(
    stack: Stack, mailing_list: MailingList, address: Address, policy: str
) -> None:
    anne, olga = address("anne"), address("olga")
    configure(mailing_list, subscription_policy=policy)
    mailing_list.add_owner(olga)
    make_known(stack, anne)

    stack.post(message(anne, at(mailing_list, "join"), "Please"))

    if "confirm" in policy:
        confirm(stack, mailing_list, anne)
    if "moderate" in policy:
        assert anne in stack.catcher.wait_to(olga, "New subscription request").text
        assert members(mailing_list) == []
        (request,) = mailing_list.get_requests(token_owner="moderator")
        assert request["email"] == anne
        mailing_list.accept_request(request["token"])
    stack.catcher.wait_to(anne, "Welcome to the")
    wait_members(mailing_list, anne)
    asked = stack.catcher.to(anne, "Your confirmation is needed")
    assert bool(asked) == ("confirm" in policy)


@pytest.mark.parametrize("policy", POLICIES)
def test_leaving_follows_the_unsubscription_policy(
    stack: Stack, mailing_list: MailingList, address: Address, policy: str
) -> None:
    anne, olga = address("anne"), address("olga")
    configure(mailing_list, unsubscription_policy=policy)
    mailing_list.add_owner(olga)
    subscribe(mailing_list, anne)

    stack.post(message(anne, at(mailing_list, "leave"), "Please"))

    if "confirm" in policy:
        confirm(stack, mailing_list, anne, "leave")
    if "moderate" in policy:
        assert anne in stack.catcher.wait_to(olga, "New unsubscription request").text
        assert members(mailing_list) == [anne]
        (request,) = mailing_list.get_requests("moderator", "unsubscription")
        assert request["email"] == anne
        mailing_list.accept_request(request["token"])
    stack.catcher.wait_to(anne, "You have been unsubscribed")
    wait_members(mailing_list)
    asked = stack.catcher.to(anne, "Your confirmation is needed")
    assert bool(asked) == ("confirm" in policy)


def test_an_unknown_address_is_asked_first_even_by_an_open_list(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    configure(mailing_list, subscription_policy="open")
    stack.post(message(address("anne"), at(mailing_list, "join"), "Please"))
    stack.catcher.wait_to(address("anne"), "Your confirmation is needed")
    assert members(mailing_list) == []
    confirm(stack, mailing_list, address("anne"))
    wait_members(mailing_list, address("anne"))


def test_an_invitation_needs_only_a_reply(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne, bart = address("anne"), address("bart")
    configure(mailing_list, subscription_policy="confirm_then_moderate")
    for person in (anne, bart):
        mailing_list.subscribe(person, invitation=True)
    invited = stack.catcher.wait_to(anne, "You have been invited to join")
    stack.catcher.wait_to(bart, "You have been invited to join")
    assert members(mailing_list) == []
    stack.post(message(anne, invited.message["From"], "Re: Gladly"))
    wait_members(mailing_list, anne)


# -- The people behind a list


def test_the_owners_address_reaches_owners_and_moderators_alone(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    subscribe(mailing_list, address("anne"))
    mailing_list.add_owner(address("olga"))
    mailing_list.add_moderator(address("mira"))
    mail = message(address("stranger"), at(mailing_list, "owner"), "A question", "Who?\n")
    stack.post(mail)
    mails = stack.catcher.wait_delivered(mail["Message-ID"], address("olga"), address("mira"))
    reached = [recipient for mail in mails for recipient in mail.recipients]
    assert sorted(reached) == [address("mira"), address("olga")]
    assert mails[0].message["Subject"] == "A question"


# -- Languages


def test_a_list_speaks_its_language(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne = address("anne")
    configure(mailing_list, preferred_language="de", display_name="Größen")

    stack.post(message(anne, at(mailing_list, "join"), "Please"))
    asked = stack.catcher.wait_to(anne, "Deine Zustimmung zum Beitritt")
    assert "müssen Sie erst Ihre E-Mail-Adresse\nbestätigen" in text_of(asked.message)
    stack.post(message(anne, asked.message["From"], "Ja"))
    welcome = stack.catcher.wait_to(anne, 'Willkommen auf der "Größen"-Mailingliste')
    assert "Sie können Einstellungen vornehmen" in welcome.text

    stack.post(message(anne, at(mailing_list, "request"), "who", "echo grün\n"))
    results = stack.catcher.wait_to(anne, "Die Ergebnisse Ihrer E-Mail-Befehle").text
    assert "Du bist nicht berechtigt, die Mitgliederliste einzusehen." in results
    assert "echo grün" in results

    mailing_list.unsubscribe(anne, pre_confirmed=True, pre_approved=True)
    stack.catcher.wait_to(anne, "Sie wurden von der Mailingliste Größen abgemeldet")


def test_a_members_own_language_counts_for_more_than_the_lists(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne = address("anne")
    configure(mailing_list, preferred_language="de")
    make_known(stack, anne)
    preferences = stack.rest.get_user(anne).preferences
    preferences["preferred_language"] = "fr"
    preferences.save()
    subscribe(mailing_list, anne)
    welcome = stack.catcher.wait_to(anne, "Bienvenue")
    assert "Pour écrire à cette liste" in welcome.text


def test_a_list_says_welcome_and_goodbye_in_its_own_words(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    configure(mailing_list, preferred_language="de")
    set_text(stack, mailing_list, WELCOME, "Grüß Gott, $user_name!\n")
    set_text(stack, mailing_list, GOODBYE, "Schön war es mit $user_email.\n")
    subscribe(mailing_list, address("anne"), display_name="Änne")
    assert stack.catcher.wait_to(address("anne"), "Willkommen").text.strip() == "Grüß Gott, Änne!"
    mailing_list.unsubscribe(address("anne"), pre_confirmed=True)
    goodbye = stack.catcher.wait_to(address("anne"), "abgemeldet").text
    assert " ".join(goodbye.split()) == f"Schön war es mit {address('anne')}."


def test_welcome_and_goodbye_can_be_switched_off(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne, bart = address("anne"), address("bart")
    configure(mailing_list, send_welcome_message=False, send_goodbye_message=False)
    subscribe(mailing_list, anne)
    mailing_list.unsubscribe(anne, pre_confirmed=True, pre_approved=True)
    # Mail that is sent later, and so arrives later.
    mailing_list.subscribe(bart, pre_verified=True, pre_confirmed=True, send_welcome_message=True)
    stack.catcher.wait_to(bart, "Welcome")
    assert stack.catcher.to(anne) == []


# -- Conversations


def test_a_reply_stays_with_its_post_in_mail_and_in_the_archive(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne, bart = address("anne"), address("bart")
    subscribe(mailing_list, anne, bart)
    question = message(anne, mailing_list.fqdn_listname, "A question", "Why?\n")
    reply = reply_to(question, bart, "Re: A question")
    further = reply_to(reply, anne, "Another subject")

    for post in (question, reply, further):
        stack.post(post)
        delivered = stack.catcher.wait_delivered(post["Message-ID"], bart)[0].message

    assert delivered["In-Reply-To"] == reply["Message-ID"]
    assert delivered["References"].split() == [question["Message-ID"], reply["Message-ID"]]

    link = delivered["Archived-At"].strip("<>")
    wait.until("the last post is archived", lambda: stack.open(link))
    archive = f"http://www.example.com/archives/api/list/{mailing_list.fqdn_listname}"

    def threads() -> list[int]:
        page = stack.open(f"{archive}/threads/?format=json")
        return [thread["replies_count"] for thread in json.loads(page)]

    wait.until("one thread holds all three", lambda: threads() == [2])


def reply_to(post: EmailMessage, sender: str, subject: str) -> EmailMessage:
    """A reply, as a mail program makes it."""
    reply = message(sender, post["To"], subject, "Because.\n")
    reply["In-Reply-To"] = post["Message-ID"]
    reply["References"] = f"{post['References'] or ''} {post['Message-ID']}".strip()
    return reply
