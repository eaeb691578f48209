"""Authors whose domains let nobody else send for them (DMARC, RFC 7489), and their signatures.

The policies are those of the test network's DNS (tests/compose.yaml).
"""

import subprocess
from base64 import b64encode
from email import policy
from email.message import EmailMessage

import pytest
from mailmanclient import MailingList

from tests.support import wait
from tests.support.catcher import Mail
from tests.support.lists import Address, at, configure, subscribe
from tests.support.mail import message
from tests.support.stack import Stack

STRICT = "reject.example.org"
NO_FOOTER = "mailman:///en/list:member:regular:header.txt"
"""A template of Mailman's that is empty."""

SIGN = """
import dkim, sys
mail, key = (argument.encode() for argument in sys.argv[1:])
headers = [b"From", b"To", b"Subject", b"Date", b"Message-ID"]
sys.stdout.write(dkim.sign(mail, b"key", b"example.org", key, include_headers=headers).decode())
"""
VERIFY = """
import dkim, sys
mail, key = (argument.encode() for argument in sys.argv[1:])
print(dkim.verify(mail, dnsfunc=lambda name, timeout=5: b"v=DKIM1; p=" + key))
"""
"""For core's Python, which has a library for it."""


@pytest.fixture
def ant(mailing_list: MailingList, address: Address) -> MailingList:
    """A list with a name that is easy to read, and a reader."""
    configure(mailing_list, display_name="Ant", subject_prefix="[Ant] ")
    subscribe(mailing_list, address("reader"))
    return mailing_list


@pytest.fixture
def author(ant: MailingList, address: Address) -> str:
    """A member whose domain has p=reject."""
    return member_at(STRICT, ant, address)


def member_at(domain: str, mailing_list: MailingList, address: Address) -> str:
    """A member in a domain."""
    name, _, _ = address("anne").partition("@")
    subscribe(mailing_list, f"{name}@{domain}")
    return f"{name}@{domain}"


def post_to(stack: Stack, mailing_list: MailingList, author: str) -> EmailMessage:
    """Post, as somebody with a name that is not ASCII."""
    post = message(f"Anne Räder <{author}>", mailing_list.fqdn_listname, "Signed")
    stack.post(post)
    return post


def received(stack: Stack, address: Address, post: EmailMessage) -> Mail:
    """The post as the reader has it."""
    return stack.catcher.wait_delivered(post["Message-ID"], address("reader"))[0]


def addresses(mail: Mail, header: str) -> list[str]:
    found = mail.message[header]
    return [one.addr_spec for one in found.addresses] if found else []


@pytest.mark.parametrize(
    ("domain", "is_munged"),
    [
        ("reject.example.org", True),
        ("quarantine.example.org", True),
        ("example.net", False),
        # p=none for itself, sp=reject for what is below; co.uk is a public suffix.
        ("example.co.uk", False),
        ("a.b.example.co.uk", True),
        # To be on the safe side, as DNS does not answer.
        ("silent.example.org", True),
    ],
)
def test_the_policy_of_an_authors_domain_decides(
    stack: Stack, ant: MailingList, address: Address, domain: str, *, is_munged: bool
) -> None:
    configure(ant, dmarc_mitigate_action="munge_from")
    author = member_at(domain, ant, address)
    mail = received(stack, address, post_to(stack, ant, author))
    assert addresses(mail, "From") == [ant.fqdn_listname if is_munged else author]


def test_without_mitigation_authors_stay_as_they_are(
    stack: Stack, ant: MailingList, address: Address, author: str
) -> None:
    mail = received(stack, address, post_to(stack, ant, author))
    assert str(mail.message["From"]) == f"Anne Räder <{author}>"


def test_a_munged_post_can_be_answered_as_the_list_says(
    stack: Stack, ant: MailingList, address: Address, author: str
) -> None:
    configure(ant, dmarc_mitigate_action="munge_from", reply_goes_to_list="no_munging")
    mail = received(stack, address, post_to(stack, ant, author))
    assert str(mail.message["From"]) == f"Anne Räder via Ant <{ant.fqdn_listname}>"
    assert (addresses(mail, "Reply-To"), addresses(mail, "Cc")) == ([author], [])
    assert mail.message["Subject"] == "[Ant] Signed"

    configure(ant, reply_goes_to_list="point_to_list")
    mail = received(stack, address, post_to(stack, ant, author))
    assert str(mail.message["From"]) == f"Anne Räder via Ant <{ant.fqdn_listname}>"
    assert (addresses(mail, "Reply-To"), addresses(mail, "Cc")) == ([ant.fqdn_listname], [author])


def test_a_wrapped_post_is_whole_inside(
    stack: Stack, ant: MailingList, address: Address, author: str
) -> None:
    configure(
        ant, dmarc_mitigate_action="wrap_message", dmarc_wrapped_message_text="Für ☃ verpackt."
    )
    post = post_to(stack, ant, author)

    mail = stack.catcher.wait_to(address("reader"), "[Ant] Signed")
    assert str(mail.message["From"]) == f"Anne Räder via Ant <{ant.fqdn_listname}>"
    assert addresses(mail, "Reply-To") == [author]
    # The last part is the list's footer.
    text, wrapped, _ = mail.message.iter_parts()
    assert text.get_content().strip() == "Für ☃ verpackt."
    inside = wrapped.get_content()
    assert str(inside["From"]) == f"Anne Räder <{author}>"
    assert inside["Message-ID"] == post["Message-ID"] != mail.message["Message-ID"]
    assert inside.get_content().split() == ["Hello,", "all."]


def test_a_post_may_be_rejected_for_its_authors_domain(
    stack: Stack, ant: MailingList, address: Address, author: str
) -> None:
    configure(ant, dmarc_mitigate_action="reject")
    post_to(stack, ant, author)
    rejection = stack.catcher.wait_to(author, "Signed")
    # Long addresses are broken, too.
    text = "".join(rejection.text.split())
    assert "publishesaDMARCpolicyofreject" in text
    assert at(ant, "owner") in text

    configure(ant, dmarc_moderation_notice="Für ☃: write from elsewhere.")
    post_to(stack, ant, author)
    wait.until("another rejection", lambda: len(stack.catcher.to(author, "Signed")) == 2)
    assert "Für ☃: write from elsewhere." in stack.catcher.to(author, "Signed")[1].text
    received(stack, address, post_to(stack, ant, member_at("example.net", ant, address)))
    assert len(stack.catcher.to(address("reader"), "Signed")) == 1


def test_a_post_may_be_discarded_for_its_authors_domain(
    stack: Stack, ant: MailingList, address: Address, author: str
) -> None:
    configure(ant, dmarc_mitigate_action="discard")
    discarded = post_to(stack, ant, author)
    other = post_to(stack, ant, member_at("example.net", ant, address))
    stack.catcher.wait_delivered(other["Message-ID"], author)
    assert stack.catcher.by_message_id(discarded["Message-ID"]) == []
    assert len(stack.catcher.to(author, "Signed")) == 1


def test_all_authors_may_be_munged(stack: Stack, ant: MailingList, address: Address) -> None:
    configure(ant, dmarc_mitigate_action="munge_from", dmarc_mitigate_unconditionally=True)
    mail = received(stack, address, post_to(stack, ant, address("reader")))
    assert addresses(mail, "From") == [ant.fqdn_listname]


def test_authors_may_be_munged_by_their_addresses(
    stack: Stack, ant: MailingList, address: Address
) -> None:
    anne, bart, cris = address("anne"), address("bart"), address("cris")
    subscribe(ant, anne, bart, cris)
    configure(ant, dmarc_mitigate_action="munge_from", dmarc_addresses=[anne, r"^bart-.*\.org$"])
    posts = {author: post_to(stack, ant, author) for author in (anne, bart, cris)}
    authors = [addresses(received(stack, address, post), "From") for post in posts.values()]
    assert authors == [[ant.fqdn_listname], [ant.fqdn_listname], [cris]]


def test_a_signature_holds_on_a_list_that_changes_nothing(
    stack: Stack, ant: MailingList, address: Address
) -> None:
    private, public = key_pair()

    def holds() -> bool:
        """Whether a post is still as its author has signed it, when the reader has it."""
        post = message(address("reader"), ant.fqdn_listname, "Signed")
        text = post.as_string(policy=policy.SMTP)
        signature = stack.exec("core", "python", "-c", SIGN, text, private)
        post["DKIM-Signature"] = " ".join(signature.removeprefix("DKIM-Signature:").split())
        stack.post(post)
        text = received(stack, address, post).message.as_string(policy=policy.SMTP)
        return stack.exec("core", "python", "-c", VERIFY, text, public) == "True\n"

    # Mailman leaves broken signatures, too, where they are.
    assert not holds()
    configure(ant, subject_prefix="")
    ant.set_template("list:member:regular:footer", NO_FOOTER)
    assert holds()


def key_pair() -> tuple[str, str]:
    """A private key as PEM, and its public key as DNS has it."""
    private = subprocess.run(
        ["openssl", "genrsa", "-traditional", "2048"], check=True, capture_output=True
    ).stdout
    public = subprocess.run(
        ["openssl", "rsa", "-pubout", "-outform", "DER"],
        check=True, capture_output=True, input=private,
    ).stdout  # fmt: skip
    return private.decode(), b64encode(public).decode()
