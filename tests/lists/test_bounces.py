"""Bounces: read in every form, counted against the right member, and what follows from them."""

from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path

from mailmanclient import MailingList

from tests.support import wait
from tests.support.clock import pass_days
from tests.support.lists import Address, at, configure, members, new_list, prefer, subscribe
from tests.support.mail import message
from tests.support.stack import Stack

FORMS = {path.stem: path.read_text() for path in Path(__file__).with_name("bounces").glob("*.eml")}
"""Bounces as mail servers write them, standard and not, by the server's name."""

FORMS["delay"] = FORMS["postfix"].replace("Action: failed", "Action: delayed")

PROBE = """
from mailman.app.bounces import send_probe
from mailman.core.initialize import initialize
from mailman.database.transaction import transaction
from mailman.interfaces.listmanager import IListManager
from zope.component import getUtility
import sys

initialize()
with transaction():
    mailing_list = getUtility(IListManager).get(sys.argv[1])
    send_probe(mailing_list.members.get_member(sys.argv[2]), message_id="<bounce@remote.example>")
"""


def bounce(
    stack: Stack, mailing_list: MailingList, member: str, to: str = "", form: str = "postfix"
) -> str:
    """Send a mail server's report that a member's address is unknown; return its Message-ID."""
    to = to or at(mailing_list, "bounces")
    message_id = make_msgid(domain="remote.example")
    report = FORMS[form].format(member=member, bounces=to)
    # As it is: Python would fold the long addresses.
    stack.post_raw(f"Message-ID: {message_id}\n{report}", to, sender="")
    return message_id


def score(mailing_list: MailingList, member: str) -> int:
    count: int = mailing_list.get_member(member).bounce_score
    return count


def wait_score(mailing_list: MailingList, member: str, expected: int) -> None:
    wait.until(f"{member} has {expected}", lambda: score(mailing_list, member) == expected)


def status(mailing_list: MailingList, member: str) -> str:
    """Whether a member gets mail."""
    preferences = mailing_list.get_member(member).preferences
    return str(preferences["delivery_status"] or "enabled")


def wait_disabled(mailing_list: MailingList, member: str) -> None:
    wait.until(f"{member} gets no mail", lambda: status(mailing_list, member) == "by_bounces")


def test_every_form_of_bounce_counts_against_its_member(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne = address("anne")
    failures = FORMS.keys() - {"delay"}
    subscribe(mailing_list, anne, *map(address, failures))

    for form in failures:
        bounce(stack, mailing_list, address(form), form=form)

    def scores() -> dict[str, int]:
        return {form: score(mailing_list, address(form)) for form in failures}

    wait.until("all are counted", lambda: set(scores().values()) == {1})
    assert score(mailing_list, anne) == 0


def test_a_bounce_to_a_verp_address_counts_against_the_member_in_it(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    configure(mailing_list, personalize="individual")
    anne, bart = address("anne"), address("bart")
    subscribe(mailing_list, anne, bart)
    post = message(anne, mailing_list.fqdn_listname, "For both")
    stack.post(post)
    mails = stack.catcher.wait_delivered(post["Message-ID"], anne, bart)
    senders = {mail.recipients: mail.sender for mail in mails}
    assert senders[anne,] == at(mailing_list, "bounces").replace("@", f"+{anne.replace('@', '=')}@")

    # What the server of anne's new address says.
    bounce(stack, mailing_list, address("elsewhere"), to=senders[anne,])

    wait_score(mailing_list, anne, 1)
    assert score(mailing_list, bart) == 0


def test_an_address_that_the_next_server_refuses_is_counted(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    """The report is written by the stack's own MTA."""
    anne, bart = address("anne"), address("bart")
    # 253 characters are what the catcher takes.
    long = "a" * (254 - len(bart)) + bart
    configure(mailing_list, send_welcome_message=False)
    subscribe(mailing_list, anne, long)
    post = message(anne, mailing_list.fqdn_listname, "For both")

    stack.post(post)

    wait_score(mailing_list, long, 1)
    stack.catcher.wait_delivered(post["Message-ID"], anne)
    assert [mail.recipients for mail in stack.catcher.by_message_id(post["Message-ID"])] == [
        (anne,)
    ]
    assert score(mailing_list, anne) == 0


def test_an_address_that_the_own_mta_refuses_is_counted(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne, unknown = address("anne"), f"nobody-{mailing_list.fqdn_listname}"
    configure(mailing_list, send_welcome_message=False)
    subscribe(mailing_list, anne, unknown)
    post = message(anne, mailing_list.fqdn_listname, "For both")

    stack.post(post)

    wait_score(mailing_list, unknown, 1)
    stack.catcher.wait_delivered(post["Message-ID"], anne)
    assert score(mailing_list, anne) == 0


def test_what_is_no_failure_is_not_counted(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne, bart = address("anne"), address("bart")
    subscribe(mailing_list, anne, bart)
    bounce(stack, mailing_list, anne, form="delay")
    bounce(stack, mailing_list, address("stranger"))
    post = message(bart, mailing_list.fqdn_listname, "Later")
    stack.post(post)
    stack.catcher.wait_delivered(post["Message-ID"], bart)
    bounce(stack, mailing_list, bart)
    wait_score(mailing_list, bart, 1)
    assert score(mailing_list, anne) == 0


def test_one_bounce_a_day_counts_until_all_are_forgotten(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    configure(mailing_list, bounce_info_stale_after="7d")
    anne, bart = address("anne"), address("bart")
    subscribe(mailing_list, anne, bart)
    bounce(stack, mailing_list, anne)
    wait_score(mailing_list, anne, 1)
    # A second one of the same day.
    bounce(stack, mailing_list, anne, form="qmail")
    bounce(stack, mailing_list, bart)
    wait_score(mailing_list, bart, 1)
    assert score(mailing_list, anne) == 1

    pass_days(stack, mailing_list, 6)
    bounce(stack, mailing_list, anne)
    wait_score(mailing_list, anne, 2)

    pass_days(stack, mailing_list, 8)
    bounce(stack, mailing_list, anne)
    wait_score(mailing_list, anne, 1)


def test_at_the_threshold_no_more_mail_is_sent_and_both_sides_are_told(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    configure(mailing_list, bounce_score_threshold=2, bounce_notify_owner_on_bounce_increment=True)
    anne, bart, owner = address("anne"), address("bart"), address("owner")
    subscribe(mailing_list, anne, bart)
    mailing_list.add_owner(owner)
    bounce(stack, mailing_list, anne)
    stack.catcher.wait_to(owner, f"{anne}'s bounce score incremented")
    assert status(mailing_list, anne) == "enabled"
    pass_days(stack, mailing_list, 1)

    report = bounce(stack, mailing_list, anne)

    wait_disabled(mailing_list, anne)
    notice = stack.catcher.wait_to(owner, f"{anne}'s subscription disabled")
    text, attached = notice.message.iter_parts()
    assert f"{anne}'s subscription has been disabled" in text.get_content()
    assert attached.get_content()["Message-ID"] == report
    warning = stack.catcher.wait_to(anne, "has been disabled")
    assert f"there may be a problem delivering messages to {anne}." in " ".join(
        warning.text.split()
    )
    posts = [message(bart, mailing_list.fqdn_listname, subject) for subject in ("Away", "Back")]
    stack.post(posts[0])
    stack.catcher.wait_delivered(posts[0]["Message-ID"], bart)
    prefer(mailing_list, anne, delivery_status="enabled")
    stack.post(posts[1])
    stack.catcher.wait_delivered(posts[1]["Message-ID"], anne, bart)
    assert stack.catcher.to(anne, "Away") == []
    assert score(mailing_list, anne) == 0


def test_who_does_not_mind_the_warnings_is_removed(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    configure(
        mailing_list,
        bounce_score_threshold=1,
        bounce_you_are_disabled_warnings=2,
        bounce_you_are_disabled_warnings_interval="3d",
    )
    anne, bart, owner = address("anne"), address("bart"), address("owner")
    subscribe(mailing_list, anne, bart)
    mailing_list.add_owner(owner)

    def warnings(member: str) -> int:
        times: int = mailing_list.get_member(member).total_warnings_sent
        return times

    def wait_warned(member: str, times: int) -> None:
        """Core looks for whom to warn once a second."""
        wait.until(f"{times} warnings to {member}", lambda: warnings(member) == times)

    bounce(stack, mailing_list, anne)
    wait_warned(anne, 1)
    pass_days(stack, mailing_list, 2)
    bounce(stack, mailing_list, anne)
    bounce(stack, mailing_list, bart)
    # By then core has looked at both.
    wait_warned(bart, 1)
    assert warnings(anne) == 1
    pass_days(stack, mailing_list, 1)
    wait_warned(anne, 2)
    pass_days(stack, mailing_list, 3)

    wait.until("anne is no member", lambda: members(mailing_list) == [bart])
    stack.catcher.wait_to(owner, f"{anne} unsubscribed from {mailing_list.display_name}")
    stack.catcher.wait_to(anne, "You have been unsubscribed")
    assert len(stack.catcher.to(anne, "has been disabled")) == 2


def test_a_list_may_leave_bounces_alone(
    stack: Stack, mailing_list: MailingList, unique: str, address: Address
) -> None:
    configure(mailing_list, process_bounces=False, bounce_score_threshold=1)
    anne, bart = address("anne"), address("bart")
    subscribe(mailing_list, anne, bart)
    bounce(stack, mailing_list, anne)
    with new_list(stack, f"{unique}-2") as other:
        subscribe(other, bart)
        bounce(stack, other, bart)
        # By then core is through with anne's.
        wait_score(other, bart, 1)
    configure(mailing_list, process_bounces=True)

    bounce(stack, mailing_list, bart)

    wait_disabled(mailing_list, bart)
    assert (score(mailing_list, anne), status(mailing_list, anne)) == (0, "enabled")


def test_a_bounce_that_nobody_can_read_goes_where_the_list_says(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    owner, to = address("owner"), at(mailing_list, "bounces")
    mailing_list.add_owner(owner)
    configure(mailing_list, display_name="Ämter")

    def send(disposition: str) -> EmailMessage:
        configure(mailing_list, forward_unrecognized_bounces_to=disposition)
        riddle = message("Üb <postmaster@remote.example>", to, f"No {owner}", "It did not work.\n")
        stack.post(riddle, sender="")
        return riddle

    def forwarded(to: str) -> list[str]:
        notices = stack.catcher.to(to, "Uncaught bounce notification")
        attached = [list(notice.message.iter_parts())[-1].get_content() for notice in notices]
        return [mail["Message-ID"] for mail in attached if owner in mail["Subject"]]

    def wait_forwarded(to: str, *riddles: EmailMessage) -> None:
        ids = [riddle["Message-ID"] for riddle in riddles]
        wait.until(f"{to} has {ids}", lambda: forwarded(to) == ids)

    first = send("administrators")
    wait_forwarded(owner, first)
    second = send("site_owner")
    wait_forwarded("owner@example.org", second)
    discarded = f"Discarding unrecognized bounce: {send('discard')['Message-ID']}"
    wait.until("it is discarded", lambda: discarded in stack.logs("core"), every=0.5)
    last = send("administrators")
    wait_forwarded(owner, first, last)
    assert forwarded("owner@example.org") == [second["Message-ID"]]


def test_a_probe_that_comes_back_ends_delivery_at_once(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne = address("anne")
    subscribe(mailing_list, anne)
    stack.exec("core", "python", "-c", PROBE, mailing_list.fqdn_listname, anne)
    probe = stack.catcher.wait_to(anne, "mailing list probe message")
    assert probe.sender.startswith(f"{mailing_list.list_name}-bounces+")

    bounce(stack, mailing_list, anne, to=probe.sender)

    wait_disabled(mailing_list, anne)
