"""Who gets a copy of a post, and who may read it in the archive."""

from collections.abc import Iterator
from email.message import EmailMessage
from functools import partial
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from mailmanclient import MailingList

from tests.support import wait
from tests.support.catcher import Mail, copies
from tests.support.lists import Address, configure, new_list, prefer, subscribe
from tests.support.mail import message
from tests.support.stack import Stack

PASSWORD = "open sesame"


@pytest.fixture
def other_list(stack: Stack, unique: str) -> Iterator[MailingList]:
    """A second list of this test's own."""
    with new_list(stack, f"{unique}-2") as other:
        yield other


def delivered_to(stack: Stack, post: EmailMessage, *recipients: str) -> list[Mail]:
    """The transactions of a post, once it has reached these."""
    return stack.catcher.wait_delivered(post["Message-ID"], *recipients)


def lists_of(mails: list[Mail]) -> set[str]:
    """The lists that have sent copies of a post."""
    return {mail.message["List-Id"].strip("<>") for mail in mails}


# -- Members' preferences


def test_members_without_delivery_get_nothing(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    reasons = ["by_user", "by_moderator", "by_bounces"]
    subscribe(mailing_list, address("reader"), *map(address, reasons))
    for reason in reasons:
        prefer(mailing_list, address(reason), delivery_status=reason)
    post = message(address("by_user"), mailing_list.fqdn_listname, "From somebody on holiday")
    stack.post(post)
    assert copies(delivered_to(stack, post, address("reader"))) == [address("reader")]


def test_own_posts_and_acknowledgements_are_sent_as_a_member_prefers(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne, reader = address("anne"), address("reader")
    subscribe(mailing_list, anne, reader)
    prefer(mailing_list, anne, receive_own_postings=False, acknowledge_posts=True)
    post = message(anne, mailing_list.fqdn_listname, "Größe 42")

    stack.post(post)

    assert copies(delivered_to(stack, post, reader)) == [reader]
    notice = stack.catcher.wait_to(anne, "post acknowledgment")
    assert "Größe 42" in notice.text
    assert "was successfully received" in notice.text


def test_members_who_are_addressed_get_no_second_copy_if_they_prefer_so(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    one_copy = [address("to"), address("cc")]
    two_copies, reader = address("both"), address("reader")
    subscribe(mailing_list, *one_copy, two_copies, reader)
    for member in one_copy:
        prefer(mailing_list, member, receive_list_copy=False)
    post = message(reader, f"{mailing_list.fqdn_listname}, {one_copy[0]}", "To all of you")
    post["Cc"] = f"{one_copy[1].capitalize()}, {two_copies}"

    stack.post(post, mailing_list.fqdn_listname)

    mails = delivered_to(stack, post, two_copies, reader)
    assert copies(mails) == sorted([two_copies, reader])
    assert mails[0].message["Cc"] == two_copies


def test_moderators_and_owners_get_posts_only_as_members(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    subscribe(mailing_list, address("reader"), address("reading-moderator"))
    mailing_list.add_owner(address("owner"))
    mailing_list.add_moderator(address("moderator"))
    mailing_list.add_moderator(address("reading-moderator"))
    post = message(address("reader"), mailing_list.fqdn_listname, "For members")
    stack.post(post)
    readers = [address("reader"), address("reading-moderator")]
    assert copies(delivered_to(stack, post, *readers)) == sorted(readers)


def test_a_post_to_a_list_without_members_is_archived_and_sent_to_nobody(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    configure(mailing_list, default_nonmember_action="accept")
    post = message(address("anne"), mailing_list.fqdn_listname, "Hello?")
    stack.post(post)
    wait.until("it is archived", lambda: archived(stack, mailing_list, "Hello?"))
    assert stack.catcher.by_message_id(post["Message-ID"]) == []
    assert stack.catcher.to(address("anne")) == []


# -- Several lists, several recipients


def test_a_list_that_is_named_several_times_sends_a_post_once(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    subscribe(mailing_list, address("anne"))
    name = mailing_list.fqdn_listname
    post = message(address("anne"), name, "To and Cc")
    post["Cc"] = f"{name}, {name.capitalize()}"
    stack.post(post)
    later = message(address("anne"), name, "Later")
    delivered_to(stack, post, address("anne"))
    stack.post(later)
    delivered_to(stack, later, address("anne"))
    assert copies(stack.catcher.by_message_id(post["Message-ID"])) == [address("anne")]


def test_a_post_to_two_lists_comes_once_from_each(
    stack: Stack,
    mailing_list: MailingList,
    other_list: MailingList,
    address: Address,
) -> None:
    both, one, two = address("both"), address("one"), address("two")
    subscribe(mailing_list, both, one)
    subscribe(other_list, both, two)
    post = message(both, f"{mailing_list.fqdn_listname}, {other_list.fqdn_listname}", "To both")

    stack.post(post)

    wanted = sorted([both, both, one, two])

    def all_there() -> list[Mail]:
        mails = stack.catcher.by_message_id(post["Message-ID"])
        return mails if copies(mails) == wanted else []

    mails = wait.until("all copies are there", all_there)
    to_both = [mail for mail in mails if both in mail.recipients]
    assert lists_of(to_both) == {mailing_list.list_id, other_list.list_id}
    for posted_to in (mailing_list, other_list):
        wait.until("it is archived", partial(archived, stack, posted_to, "To both"))


def test_a_list_may_be_a_member_of_another(
    stack: Stack,
    mailing_list: MailingList,
    other_list: MailingList,
    address: Address,
) -> None:
    anne, reader = address("anne"), address("reader")
    subscribe(mailing_list, anne, other_list.fqdn_listname)
    subscribe(other_list, reader)
    take_posts_of(other_list, mailing_list)
    post = message(anne, mailing_list.fqdn_listname, "For everyone below")

    stack.post(post)

    mails = delivered_to(stack, post, anne, reader)
    assert copies(mails) == sorted([anne, reader])
    (below,) = (mail for mail in mails if reader in mail.recipients)
    assert lists_of([below]) == {other_list.list_id}
    assert below.message["List-Post"] == f"<mailto:{other_list.fqdn_listname}>"


def take_posts_of(below: MailingList, above: MailingList) -> None:
    """Let a list take posts that a list above, whose member it is, hands on."""
    configure(
        below,
        accept_these_nonmembers=[f"@{above.fqdn_listname}"],
        acceptable_aliases=[above.fqdn_listname],
    )


@pytest.mark.parametrize("mitigation", ["no_mitigation", "wrap_message"])
def test_two_lists_that_are_members_of_each_other_make_no_loop(
    stack: Stack,
    mailing_list: MailingList,
    other_list: MailingList,
    address: Address,
    mitigation: str,
) -> None:
    """Not even where one makes a message of its own of each post."""
    anne, reader = address("anne"), address("reader")
    subscribe(mailing_list, anne, other_list.fqdn_listname)
    subscribe(other_list, reader, mailing_list.fqdn_listname)
    take_posts_of(other_list, mailing_list)
    take_posts_of(mailing_list, other_list)
    configure(mailing_list, dmarc_mitigate_action=mitigation, dmarc_mitigate_unconditionally=True)

    stack.post(message(anne, mailing_list.fqdn_listname, "Round and round"))

    last = stack.catcher.wait_to(reader, "Round and round").message["Message-ID"]
    discarded = f"{last}: a post discarded: already posted to this list"
    wait.until("the loop ends", lambda: discarded in stack.logs("core"), every=0.5)
    for person in (anne, reader):
        assert len(stack.catcher.to(person, "Round and round")) == 1


# -- Approved by password


@pytest.mark.parametrize("where", ["header", "text", "html"])
def test_an_approved_post_is_delivered_without_the_password(
    stack: Stack, mailing_list: MailingList, address: Address, where: str
) -> None:
    subscribe(mailing_list, address("reader"))
    configure(mailing_list, moderator_password=PASSWORD)
    post = message(address("moderator"), mailing_list.fqdn_listname, "Approved", "The words.\n")
    if where == "header":
        post["Approved"] = PASSWORD
    else:
        post.set_content(f"\nApproved: {PASSWORD}\nThe words.\n")
    if where == "html":
        post.add_alternative(f"<p>Approved: {PASSWORD}<br>The words.</p>", "html")

    stack.post(post)

    mail = delivered_to(stack, post, address("reader"))[0]
    assert mail.text.strip().startswith("The words.")
    assert PASSWORD not in mail.message.as_string()
    assert "Approved" not in mail.message
    link = mail.message["Archived-At"].strip("<>")
    page = wait.until("the archive link opens", lambda: stack.open(link))
    assert "The words." in page
    assert PASSWORD not in page


def test_a_wrong_password_approves_nothing_and_is_not_shown(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    configure(mailing_list, moderator_password=PASSWORD)
    mailing_list.add_owner(address("owner"))
    post = message(address("moderator"), mailing_list.fqdn_listname, "Approved?")
    post["Approved"] = f"{PASSWORD}!"
    stack.post(post)
    notice = stack.catcher.wait_to(address("owner"), "requires approval")
    assert PASSWORD not in notice.message.as_string()


# -- Archive

SESSION = """
from allauth.account.models import EmailAddress
from django.contrib.auth import get_user_model
from django.test import Client

user = get_user_model().objects.create(username="{0}", email="{0}")
EmailAddress.objects.create(user=user, email="{0}", verified=True, primary=True)
client = Client()
client.force_login(user)
print(client.cookies["sessionid"].value)
"""


def log_in(stack: Stack, person: str) -> str:
    """Make an account for a verified address, and return the cookie of its session."""
    shown = stack.exec("web", "django-admin", "shell", "-v", "0", "-c", SESSION.format(person))
    return f"sessionid={shown.split()[-1]}"


def fetch(stack: Stack, url: str, cookie: str = "") -> tuple[int, str]:
    """Status and text of a page of the web interface."""
    parts = urlsplit(url)
    connection = HTTPConnection(stack.address("web"), 8000, timeout=30)
    connection.request("GET", parts.path, headers={"Host": parts.netloc, "Cookie": cookie})
    response = connection.getresponse()
    page = response.read().decode()
    connection.close()
    return response.status, page


def archived(stack: Stack, mailing_list: MailingList, subject: str) -> bool:
    """Whether strangers find a post in the archive."""
    url = f"http://www.example.com/archives/list/{mailing_list.fqdn_listname}/latest"
    return subject in fetch(stack, url)[1]


def post_in_private(stack: Stack, mailing_list: MailingList, member: str) -> str:
    """Post to a list whose archive is private; return the link to the post, once it is archived."""
    subscribe(mailing_list, member)
    configure(mailing_list, archive_policy="private")
    post = message(member, mailing_list.fqdn_listname, "Among us", "The words.\n")
    stack.post(post)
    link = str(delivered_to(stack, post, member)[0].message["Archived-At"].strip("<>"))

    def status() -> int | None:
        seen = fetch(stack, link)[0]
        return None if seen == 404 else seen

    assert wait.until("it is archived", status) == 403  # from the first moment on
    return link


def test_a_private_archive_is_shown_to_members_only(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    link = post_in_private(stack, mailing_list, address("member"))
    assert fetch(stack, link, log_in(stack, address("stranger")))[0] == 403
    status, page = fetch(stack, link, log_in(stack, address("member")))
    assert (status, "The words." in page) == (200, True)


HEED = """
from hyperkitty.lib.mailman import import_list_from_mailman
from hyperkitty.models import ArchivePolicy, MailingList

MailingList.objects.filter(list_id="{0}").update(archive_policy=ArchivePolicy.{1}.value)
import_list_from_mailman("{0}")
"""


def heed_core(stack: Stack, mailing_list: MailingList, known: str) -> None:
    """Let the archive ask for a list's policy, as when it is set on the web."""
    code = HEED.format(mailing_list.list_id, known)
    stack.exec("web", "django-admin", "shell", "-c", code)


@pytest.mark.parametrize("known", ["private", "never"])
def test_the_end_of_archiving_opens_no_archive(
    stack: Stack, mailing_list: MailingList, address: Address, known: str
) -> None:
    """Nor is it open in a database where upstream has stored the policy "never"."""
    link = post_in_private(stack, mailing_list, address("member"))
    configure(mailing_list, archive_policy="never")
    heed_core(stack, mailing_list, known)
    assert fetch(stack, link)[0] == 403


def test_the_end_of_archiving_shuts_no_archive(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne = address("anne")
    subscribe(mailing_list, anne)
    stack.post(message(anne, mailing_list.fqdn_listname, "For all"))
    wait.until("it is archived", lambda: archived(stack, mailing_list, "For all"))
    configure(mailing_list, archive_policy="never")
    heed_core(stack, mailing_list, "public")
    assert archived(stack, mailing_list, "For all")


def test_mail_imported_into_a_list_without_an_archive_is_private(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    configure(mailing_list, archive_policy="never")
    name = mailing_list.fqdn_listname
    mail = message(address("anne"), name, "From long ago").as_string(unixfrom=True)
    mbox = f"/tmp/{mailing_list.list_id}.mbox"  # noqa: S108 - in the container
    stack.exec("web", "sh", "-c", 'printf %s "$1" >"$2"', "sh", mail, mbox)
    stack.exec("web", "django-admin", "hyperkitty_import", "-l", name, mbox)
    for page in ("latest", "feed/", "export/all.mbox.gz"):
        assert fetch(stack, f"http://www.example.com/archives/list/{name}/{page}")[0] == 403, page


def test_what_is_not_to_be_archived_is_not(
    stack: Stack, mailing_list: MailingList, address: Address
) -> None:
    anne = address("anne")
    subscribe(mailing_list, anne)
    unwanted = {"Not this one": ("X-No-Archive", "yes"), "Nor this one": ("X-Archive", "no")}
    for subject, (header, value) in unwanted.items():
        post = message(anne, mailing_list.fqdn_listname, subject)
        post[header] = value
        stack.post(post)
        delivered_to(stack, post, anne)
    configure(mailing_list, archive_policy="never")
    never = message(anne, mailing_list.fqdn_listname, "While there is no archive")
    stack.post(never)
    (mail,) = delivered_to(stack, never, anne)
    assert {"Archived-At", "List-Archive"} & set(mail.message) == set()

    configure(mailing_list, archive_policy="public")
    stack.post(message(anne, mailing_list.fqdn_listname, "Archived"))
    wait.until("what comes later is archived", lambda: archived(stack, mailing_list, "Archived"))
    for subject in [*unwanted, never["Subject"]]:
        assert not archived(stack, mailing_list, subject)
