"""What programs write is no post, no command and gets no answer; a post passes a list once."""

import re
from email.message import EmailMessage
from email.utils import make_msgid

import pytest
from mailmanclient import MailingList

from tests.support import wait
from tests.support.clock import pass_days
from tests.support.lists import Address, at, configure, members, subscribe
from tests.support.mail import RESULTS, message
from tests.support.stack import Stack

VACATION = {
    "sieve": {"Auto-Submitted": "auto-replied (vacation)"},
    "gmail": {"Auto-Submitted": "auto-replied", "Precedence": "bulk", "X-Autoreply": "yes"},
    "exchange": {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"},
}
"""How programs mark the replies of those who are away."""

AUTORESPONSES = {
    "": ("autorespond_postings", "autoresponse_postings_text"),
    "owner": ("autorespond_owner", "autoresponse_owner_text"),
    "request": ("autorespond_requests", "autoresponse_request_text"),
}
"""The settings for each address that answers: whether, and what."""


def vacation(program: str, sender: str, to: str) -> EmailMessage:
    """The reply of one who is away; it is to be sent from nobody."""
    reply = message(sender, to, f"Out of office: {program}", "I am away.\n")
    for name, value in VACATION[program].items():
        reply[name] = value
    return reply


def test_a_vacation_reply_is_no_post(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne, bart = address("anne"), address("bart")
    subscribe(mailing_list, anne, bart)
    replies = [vacation(program, anne, mailing_list.fqdn_listname) for program in VACATION]
    for reply in replies:
        stack.post(reply, sender="")
    post = message(bart, mailing_list.fqdn_listname, "By a person")
    stack.post(post)

    stack.catcher.wait_delivered(post["Message-ID"], anne, bart)
    assert [stack.catcher.by_message_id(reply["Message-ID"]) for reply in replies] == [[], [], []]
    assert list(mailing_list.held) == []


def test_a_report_from_nobody_is_a_post(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    """As a monitoring system sends it; who is no member is held, and not told."""
    anne, stranger = address("anne"), address("stranger")
    subscribe(mailing_list, anne)
    report = message(anne, mailing_list.fqdn_listname, "All is well")
    report["Auto-Submitted"] = "auto-generated"
    unknown = message(stranger, mailing_list.fqdn_listname, "From whom?")
    stack.post(unknown, sender="")
    wait.until("it is held", lambda: list(mailing_list.held))
    stack.post(report, sender="")

    stack.catcher.wait_delivered(report["Message-ID"], anne)
    assert stack.catcher.to(stranger) == []


@pytest.mark.parametrize("subaddress", ["bounces", "bounces+{}"])
def test_a_vacation_reply_is_no_bounce(
    stack: Stack, mailing_list: MailingList, address: Address, subaddress: str
) -> None:
    anne, owner = address("anne"), address("owner")
    subscribe(mailing_list, anne)
    mailing_list.add_owner(owner)
    to = at(mailing_list, subaddress.format(anne.replace("@", "=")))
    for program in VACATION:
        stack.post(vacation(program, anne, to), sender="")

    # Core cannot tell what it is, so the owners may look at it.
    what = "all have been looked at"
    wait.until(what, lambda: len(stack.catcher.to(owner, "Uncaught bounce")) == len(VACATION))
    assert mailing_list.get_member(anne).bounce_score == 0


def test_a_vacation_reply_confirms_nothing(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne = address("anne")
    stack.post(message(anne, at(mailing_list, "join"), ""))
    request = stack.catcher.wait_to(anne, "confirm")
    confirm = re.sub(".*<|>.*", "", request.message["From"])
    for program in VACATION:
        stack.post(vacation(program, anne, confirm), sender="")
        stack.post(vacation(program, address(program), at(mailing_list, "join")), sender="")
    returned = message("MAILER-DAEMON@example.org", confirm, "failure notice")
    stack.post(returned, sender="")
    stack.post(message(address("bart"), at(mailing_list, "request"), "help"))
    stack.catcher.wait_to(address("bart"), RESULTS)

    assert members(mailing_list) == []
    assert [stack.catcher.to(address(program)) for program in VACATION] == [[], [], []]
    stack.post(message(anne, confirm, "Re: confirm"))
    wait.until("anne is a member", lambda: members(mailing_list) == [anne])


@pytest.mark.parametrize("tail", AUTORESPONSES)
def test_an_address_answers_a_person_once_in_the_grace_period(
    stack: Stack, mailing_list: MailingList, address: Address, tail: str
) -> None:
    anne, bart, to = address("anne"), address("bart"), at(mailing_list, tail)
    whether, what = AUTORESPONSES[tail]
    configure(mailing_list, autoresponse_grace_period="7d", display_name="Ant")
    configure(mailing_list, **{whether: "respond_and_discard", what: "Grüße von $display_name"})

    def ask(sender: str, expected: int) -> None:
        """Ask, and wait for so many answers in all."""
        stack.post(message(sender, to, "help"))
        wait.until(
            f"{expected} answers to {sender}",
            lambda: len(stack.catcher.to(sender, "Auto-response")) == expected,
        )

    ask(anne, 1)
    answer = stack.catcher.wait_to(anne, 'Auto-response for your message to the "Ant" mailing list')
    assert answer.text.strip() == "Grüße von Ant"
    assert (answer.message["Precedence"], answer.message["X-Ack"]) == ("bulk", "No")
    stack.post(message(anne, to, "help"))
    ask(bart, 1)
    pass_days(stack, mailing_list, 7)
    ask(anne, 2)
    # Answered and discarded.
    assert len(stack.catcher.to(anne)) == 2
    assert list(mailing_list.held) == []


@pytest.mark.parametrize("tail", AUTORESPONSES)
def test_no_address_answers_a_program(
    stack: Stack, mailing_list: MailingList, address: Address, tail: str
) -> None:
    to = at(mailing_list, tail)
    whether, what = AUTORESPONSES[tail]
    configure(mailing_list, **{whether: "respond_and_discard", what: "An answer"})
    marks = {
        "report": {"Auto-Submitted": "auto-generated"},
        "bulk": {"Precedence": "bulk"},
        "list": {"Precedence": "list"},
        "polite": {"X-Ack": "no"},
    }
    for name, headers in marks.items():
        mail = message(address(name), to, "help")
        for header, value in headers.items():
            mail[header] = value
        stack.post(mail)
    for program in VACATION:
        stack.post(vacation(program, address(program), to), sender="")
    stack.post(message(address("nobody"), to, "help"), sender="")

    stack.post(message(address("anne"), to, "help"))

    stack.catcher.wait_to(address("anne"), "Auto-response")
    for name in ("nobody", *marks, *VACATION):
        assert stack.catcher.to(address(name)) == []


def test_mail_to_the_owners_is_answered_and_reaches_them(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne, owner = address("anne"), address("owner")
    mailing_list.add_owner(owner)
    configure(
        mailing_list,
        autorespond_owner="respond_and_continue",
        autoresponse_owner_text="We shall read it.",
    )
    question = message(anne, at(mailing_list, "owner"), "A question")
    reply = vacation("sieve", address("bart"), at(mailing_list, "owner"))

    stack.post(question)
    stack.post(reply, sender="")

    assert stack.catcher.wait_to(anne, "Auto-response").text.strip() == "We shall read it."
    for mail in (question, reply):
        stack.catcher.wait_delivered(mail["Message-ID"], owner)
    assert stack.catcher.to(address("bart")) == []


def test_a_post_that_comes_back_is_discarded(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne, bart = address("anne"), address("bart")
    subscribe(mailing_list, anne, bart)
    posts = [message(anne, mailing_list.fqdn_listname, subject) for subject in ("First", "Second")]
    stack.post(posts[0])
    mail, *_ = stack.catcher.wait_delivered(posts[0]["Message-ID"], anne, bart)
    assert mail.message["List-Post"] == f"<mailto:{mailing_list.fqdn_listname}>"

    # As by a member's account that forwards all mail to the list.
    mail.message.replace_header("Message-ID", make_msgid(domain="outside.example.net"))
    stack.post(mail.message, mailing_list.fqdn_listname, sender=bart)
    stack.post(posts[1])

    stack.catcher.wait_delivered(posts[1]["Message-ID"], anne, bart)
    assert len(stack.catcher.to(anne, "First")) == 1
    assert list(mailing_list.held) == []
