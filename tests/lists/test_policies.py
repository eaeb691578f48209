"""Who may post to a list, what is checked in a post, and who is told of it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal
from urllib.error import HTTPError

import pytest
from mailmanclient import MailingList, Member

from tests.support import wait
from tests.support.catcher import Mail
from tests.support.lists import Address, at, configure, members, new_list, subscribe
from tests.support.mail import message
from tests.support.stack import Stack
from tests.support.templates import set_text

Fate = Literal["delivered", "held", "rejected", "discarded"]
MODERATED = "The message comes from a moderated member"
STRANGER = "The message is not from a list member"


@dataclass(frozen=True)
class Scene:
    """A list with one member who reads along, an owner and a moderator."""

    stack: Stack
    mailing_list: MailingList
    reader: str
    owner: str
    moderator: str

    def set(self, **settings: object) -> None:
        configure(self.mailing_list, **settings)

    def write(self, sender: str, subject: str, text: str = "Hello, all.\n") -> EmailMessage:
        """A post to the list, not sent yet."""
        return message(sender, self.mailing_list.fqdn_listname, subject, text)

    def post(self, sender: str, subject: str, text: str = "Hello, all.\n") -> EmailMessage:
        post = self.write(sender, subject, text)
        self.stack.post(post)
        return post

    def send(self, post: EmailMessage) -> None:
        """Hand over a post, whatever its headers say."""
        self.stack.post(post, self.mailing_list.fqdn_listname)

    def wait_delivered(self, post: EmailMessage) -> Mail:
        return self.stack.catcher.wait_delivered(post["Message-ID"], self.reader)[0]

    def held(self, post: EmailMessage) -> list[str]:
        """Why a post is held; empty if it is not."""
        identity = post["Message-ID"]
        return [one.reason for one in self.mailing_list.held if one.message_id == identity]

    def wait_held(self, post: EmailMessage) -> str:
        """The reasons for which a post is held, as the web interface shows them."""
        (reason,) = wait.until(f"{post['Subject']!r} is held", lambda: self.held(post))
        return str(reason)

    def wait_rejected(self, post: EmailMessage) -> Mail:
        """The notice to a sender whose post was rejected."""
        return self.stack.catcher.wait_to(post["From"], post["Subject"])

    def wait_discarded(self, post: EmailMessage) -> str:
        """The reasons for which a post was discarded, as only the log has them."""
        line = re.compile(rf"DISCARD: {re.escape(post['Message-ID'])}; (.*)")

        def logged() -> list[str]:
            return line.findall(self.stack.logs("core"))

        return wait.until(f"{post['Subject']!r} is discarded", logged, every=0.5)[0]

    def wait_fate(self, post: EmailMessage, fate: Fate) -> None:
        wait_for: dict[Fate, Callable[[EmailMessage], object]] = {
            "delivered": self.wait_delivered,
            "held": self.wait_held,
            "rejected": self.wait_rejected,
            "discarded": self.wait_discarded,
        }
        wait_for[fate](post)

    def subjects_to(self, person: str) -> list[str]:
        return [str(mail.message["Subject"]) for mail in self.stack.catcher.to(person)]


@pytest.fixture
def scene(stack: Stack, mailing_list: MailingList, address: Address) -> Scene:
    scene = Scene(stack, mailing_list, address("reader"), address("owner"), address("moderator"))
    scene.set(send_welcome_message=False)
    subscribe(mailing_list, scene.reader)
    mailing_list.add_owner(scene.owner)
    mailing_list.add_moderator(scene.moderator)
    return scene


def text_of(notice: Mail) -> str:
    """The words of a notice, each line break and indentation as one space."""
    return " ".join(notice.text.split())


def attached(notice: Mail) -> EmailMessage:
    """The first message that a notice has attached."""
    part = next(notice.message.iter_attachments())
    assert isinstance(part, EmailMessage)
    content = part.get_content()
    assert isinstance(content, EmailMessage)
    return content


# -- Actions on members and on strangers


@pytest.mark.parametrize(
    ("action", "fate"),
    [
        ("hold", "held"),
        ("reject", "rejected"),
        ("discard", "discarded"),
        ("accept", "delivered"),
        # The checks of the list go on, and hold what has no subject.
        ("defer", "held"),
    ],
)
def test_the_lists_actions_decide_on_members_and_on_strangers(
    scene: Scene, address: Address, action: str, fate: Fate
) -> None:
    member, stranger = address("member"), address("stranger")
    subscribe(scene.mailing_list, member)
    scene.set(default_member_action=action, default_nonmember_action=action)

    posts = [scene.post(member, ""), scene.post(stranger, "")]

    for post in posts:
        scene.wait_fate(post, fate)
        assert (scene.held(post) != []) == (fate == "held")
    if fate != "delivered":
        assert [scene.stack.catcher.by_message_id(post["Message-ID"]) for post in posts] == [[], []]
    if action in ("hold", "defer"):
        reasons = [MODERATED, STRANGER] if action == "hold" else ["Message has no subject"] * 2
        assert [scene.held(post) for post in posts] == [[reason] for reason in reasons]


@pytest.mark.parametrize("role", ["member", "nonmember"])
def test_a_persons_own_action_precedes_that_of_the_list(
    scene: Scene, address: Address, role: str
) -> None:
    fates: dict[str, Fate] = {
        "hold": "held",
        "reject": "rejected",
        "discard": "discarded",
        "accept": "delivered",
        "defer": "delivered",
    }
    scene.set(default_member_action="discard", default_nonmember_action="discard")
    for action in fates:
        person = add(scene.mailing_list, role, address(action))
        person.moderation_action = action
        person.save()

    posts = {action: scene.post(address(action), action) for action in fates}

    for action, fate in fates.items():
        scene.wait_fate(posts[action], fate)
    for action, fate in fates.items():
        assert (scene.held(posts[action]) != []) == (fate == "held")
        delivered = scene.stack.catcher.by_message_id(posts[action]["Message-ID"])
        assert (delivered != []) == (fate == "delivered")


def add(mailing_list: MailingList, role: str, person: str) -> Member:
    if role == "member":
        subscribe(mailing_list, person)
    else:
        mailing_list.add_role(role, person)
    (added,) = mailing_list.find_members(person, role=role)
    return added


def test_strangers_are_treated_as_the_lists_of_nonmembers_say(
    scene: Scene, stack: Stack, unique: str, address: Address
) -> None:
    fates: dict[str, Fate] = {
        "accept": "delivered", "hold": "held", "reject": "rejected", "discard": "discarded",
    }  # fmt: skip
    with new_list(stack, f"{unique}-other") as other:
        subscribe(other, address("neighbour"))
        named = {action: [address(action), f"^{action}[0-9]+-{unique}@"] for action in fates}
        named["accept"].append(f"@{other.fqdn_listname}")
        scene.set(
            default_nonmember_action="discard",
            **{f"{action}_these_nonmembers": senders for action, senders in named.items()},
        )
        senders: dict[str, Fate] = {
            **{address(action): fate for action, fate in fates.items()},
            **{address(f"{action}42"): fate for action, fate in fates.items()},
            address("neighbour"): "delivered",
            address("unnamed"): "discarded",
        }

        posts = {sender: scene.post(sender, f"From {sender}") for sender in senders}

        for sender, fate in senders.items():
            scene.wait_fate(posts[sender], fate)
    reason = "The sender is in the nonmember hold list"
    assert scene.held(posts[address("hold")]) == scene.held(posts[address("hold42")]) == [reason]


def test_a_member_posts_from_any_address_of_the_same_person(
    scene: Scene, stack: Stack, address: Address
) -> None:
    user = stack.rest.create_user(address("anne"), "no password of anyone")
    user.add_address(address("anne-at-work"))
    subscribe(scene.mailing_list, address("anne"))
    scene.wait_delivered(scene.post(address("anne-at-work"), "From the office"))


# -- Who is told


def test_the_sender_of_a_held_post_and_the_moderators_are_told(
    scene: Scene, address: Address
) -> None:
    anne, name = address("anne"), scene.mailing_list.fqdn_listname
    post = scene.post(anne, "Für die Moderation", "Bitte sehr.\n")

    to_anne = scene.stack.catcher.wait_to(anne, f"Your message to {name} awaits moderator approval")
    assert "Für die Moderation" in to_anne.text
    assert STRANGER in text_of(to_anne)
    for administrator in (scene.owner, scene.moderator):
        notice = scene.stack.catcher.wait_to(
            administrator, f"{name} post from {anne} requires approval"
        )
        assert "Für die Moderation" in notice.text
        assert STRANGER in text_of(notice)
        assert attached(notice)["Message-ID"] == post["Message-ID"]
        assert attached(notice).get_content().splitlines() == ["Bitte sehr."]
    assert scene.subjects_to(scene.reader) == []


def test_a_list_may_keep_quiet_about_held_posts(scene: Scene, address: Address) -> None:
    anne = address("anne")
    scene.set(respond_to_post_requests=False, admin_immed_notify=False)
    scene.wait_held(scene.post(anne, "Held in silence"))
    assert_nothing_told(scene, anne)


def assert_nothing_told(scene: Scene, sender: str) -> None:
    """Neither the sender nor the administrators have mail, and what comes later does."""
    later = message(sender, at(scene.mailing_list, "owner"), "Later")
    scene.stack.post(later)
    scene.stack.catcher.wait_delivered(later["Message-ID"], scene.owner, scene.moderator)
    assert scene.subjects_to(scene.owner) == ["Later"]
    assert scene.subjects_to(sender) == []


def test_after_ten_notices_a_day_a_sender_is_told_no_more(scene: Scene, address: Address) -> None:
    anne = address("anne")
    scene.set(admin_immed_notify=False)
    for number in range(12):
        scene.post(anne, f"Number {number}")
    wait.until("all are held", lambda: len(scene.mailing_list.held) == 12)
    last = scene.stack.catcher.wait_to(anne, "Last autoresponse notification for today")
    assert "The number we have seen today: 10" in text_of(last)
    wait.until("all notices are there", lambda: len(scene.subjects_to(anne)) == 11)


def test_a_rejected_post_comes_back_with_the_reason_and_the_post(
    scene: Scene, address: Address
) -> None:
    anne = address("anne")
    scene.set(default_nonmember_action="reject")

    post = scene.post(anne, "Not wanted", "These very words.\n")

    notice = scene.wait_rejected(post)
    assert notice.message["From"] == at(scene.mailing_list, "owner")
    assert "was rejected for the following reasons" in text_of(notice)
    assert STRANGER in text_of(notice)
    assert attached(notice)["Message-ID"] == post["Message-ID"]
    assert attached(notice).get_content().splitlines() == ["These very words."]
    assert scene.subjects_to(scene.owner) == scene.subjects_to(scene.reader) == []


def test_a_list_rejects_in_words_of_its_own(scene: Scene, stack: Stack, address: Address) -> None:
    words = "Only members of ${listname} may post, since: ${reasons}"
    set_text(stack, scene.mailing_list, "list:user:notice:rejected", words)
    scene.set(default_nonmember_action="reject")

    notice = scene.wait_rejected(scene.post(address("anne"), "Not wanted"))

    name = scene.mailing_list.display_name
    assert text_of(notice) == f"Only members of {name} may post, since: {STRANGER}"


def test_of_a_discarded_post_nobody_is_told(scene: Scene, address: Address) -> None:
    scene.set(default_nonmember_action="discard")
    assert STRANGER in scene.wait_discarded(scene.post(address("anne"), "Forgotten"))
    assert_nothing_told(scene, address("anne"))


# -- Bans


def test_what_banned_senders_post_is_discarded_and_they_cannot_join(
    scene: Scene, unique: str, address: Address
) -> None:
    banned = [address("anne"), address("spam42")]
    subscribe(scene.mailing_list, *banned, address("spammer"))
    scene.mailing_list.bans.add(address("anne"))
    scene.mailing_list.bans.add(rf"^spam\d+-{unique}@example\.org$")

    posts = [scene.post(sender, f"From {sender}") for sender in banned]
    allowed = scene.post(address("spammer"), "Not quite the pattern")

    for sender, post in zip(banned, posts, strict=True):
        assert f"'{sender}'" in scene.wait_discarded(post)
    scene.wait_delivered(allowed)
    with pytest.raises(HTTPError, match="banned"):
        subscribe(scene.mailing_list, address("spam43"))
    assert address("spam43") not in members(scene.mailing_list)


# -- Header filters


def test_header_filters_of_a_list_decide(scene: Scene, address: Address) -> None:
    anne = address("anne")
    subscribe(scene.mailing_list, anne)
    fates: dict[str, Fate] = {
        "hold": "held", "reject": "rejected", "discard": "discarded", "accept": "delivered",
    }  # fmt: skip
    filters = scene.mailing_list.header_matches
    for action in fates:
        filters.add("X-Colour", f"^{action}$", action)
    filters.add("X-Colour", "accept|site|grün", None)  # as the site has it: hold
    fates["site"] = fates["grün"] = "held"
    posts = {colour: scene.write(anne, f"Filtered by {colour}") for colour in fates}
    for colour, post in posts.items():
        post["X-Colour"] = colour.upper()
        scene.send(post)

    for colour, fate in fates.items():
        scene.wait_fate(posts[colour], fate)

    assert scene.held(posts["hold"]) == ['Header "x-colour: HOLD" matched a header rule']
    assert scene.stack.catcher.by_message_id(posts["hold"]["Message-ID"]) == []
    assert 'Header "x-colour: REJECT" matched' in text_of(scene.wait_rejected(posts["reject"]))


def test_a_header_filter_that_accepts_ends_all_checks(scene: Scene, address: Address) -> None:
    scene.mailing_list.header_matches.add("X-Robot", "build", "accept")
    post = scene.write(address("stranger"), "")
    post["X-Robot"] = "build 42"
    scene.send(post)
    scene.wait_delivered(post)


def test_header_filters_of_the_site_go_for_every_list(scene: Scene, address: Address) -> None:
    """As tests/local/mailman.cfg has one."""
    subscribe(scene.mailing_list, address("anne"))
    post = scene.write(address("anne"), "Of an unwanted kind")
    post["X-Unwanted-By-The-Site"] = "Yes"
    scene.send(post)
    assert scene.wait_held(post) == 'Header "X-Unwanted-By-The-Site: Yes" matched a header rule'


def test_headers_of_attachments_are_filtered_too(scene: Scene, address: Address) -> None:
    subscribe(scene.mailing_list, address("anne"))
    scene.mailing_list.header_matches.add("Content-Type", "application/x-msdownload", "reject")
    post = scene.write(address("anne"), "Look at this")
    post.add_attachment(b"MZ", "application", "x-msdownload", filename="holiday.exe")
    scene.send(post)
    assert "matched a header rule" in text_of(scene.wait_rejected(post))


# -- What a list checks in every post


def looks_like_a_command(post: EmailMessage) -> None:
    post.replace_header("Subject", "subscribe")


def has_a_command_in_its_text(post: EmailMessage) -> None:
    post.set_content("\nunsubscribe\n")


def has_no_subject(post: EmailMessage) -> None:
    del post["Subject"]


def is_to_many(post: EmailMessage) -> None:
    post["Cc"] = ", ".join(f"person{number}@example.net" for number in range(9))


def does_not_name_the_list(post: EmailMessage) -> None:
    post.replace_header("To", "undisclosed@example.net")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (looks_like_a_command, "Message contains administrivia"),
        (has_a_command_in_its_text, "Message contains administrivia"),
        (is_to_many, "Message has more than 10 recipients"),
        (does_not_name_the_list, "Message has implicit destination"),
        (has_no_subject, "Message has no subject"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_post_is_held_that(
    scene: Scene,
    address: Address,
    change: Callable[[EmailMessage], None],
    reason: str,
) -> None:
    anne = address("anne")
    subscribe(scene.mailing_list, anne)
    post = scene.write(anne, "A good one")
    change(post)
    scene.send(post)

    assert scene.wait_held(post) == reason
    assert reason in text_of(scene.stack.catcher.wait_to(anne, "awaits moderator approval"))
    assert reason in text_of(scene.stack.catcher.wait_to(scene.owner, "requires approval"))
    assert scene.stack.catcher.by_message_id(post["Message-ID"]) == []


def test_all_reasons_to_hold_a_post_are_told(scene: Scene, address: Address) -> None:
    subscribe(scene.mailing_list, address("anne"))
    post = scene.write(address("anne"), "help")
    is_to_many(post)
    does_not_name_the_list(post)
    scene.send(post)
    assert scene.wait_held(post) == (
        "Message contains administrivia; Message has implicit destination; "
        "Message has more than 10 recipients"
    )


def test_a_list_may_do_without_its_checks(scene: Scene, address: Address) -> None:
    subscribe(scene.mailing_list, address("anne"))
    scene.set(administrivia=False, max_num_recipients=0, require_explicit_destination=False)
    post = scene.write(address("anne"), "help")
    is_to_many(post)
    does_not_name_the_list(post)
    scene.send(post)
    scene.wait_delivered(post)


def test_a_post_may_name_the_list_by_an_acceptable_alias(
    scene: Scene, unique: str, address: Address
) -> None:
    subscribe(scene.mailing_list, address("anne"))
    aliases = [f"all-{unique}@example.net", f"^team-.*-{unique}@"]
    scene.set(acceptable_aliases=aliases)
    for alias in (f"All-{unique}@example.net", f"team-red-{unique}@example.net"):
        post = message(address("anne"), alias, f"To {alias}")
        scene.send(post)
        scene.wait_delivered(post)


# -- Emergency


def test_in_an_emergency_all_is_held_but_what_is_approved(scene: Scene) -> None:
    subscribe(scene.mailing_list, scene.moderator)
    (moderator,) = scene.mailing_list.find_members(scene.moderator, role="member")
    moderator.moderation_action = "accept"
    moderator.save()
    scene.set(emergency=True, moderator_password="open sesame")

    post = scene.post(scene.moderator, "Calm down")
    approved = scene.write(scene.moderator, "Calm down, approved")
    approved["Approved"] = "open sesame"
    scene.send(approved)

    assert scene.wait_held(post) == "Emergency moderation is in effect for this list"
    assert "Emergency" in text_of(scene.stack.catcher.wait_to(scene.owner, "requires approval"))
    scene.wait_delivered(approved)
