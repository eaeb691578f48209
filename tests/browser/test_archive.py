"""The archive, as strangers and members read it, search it, write to its lists and keep it."""

import gzip
import json
import mailbox
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from mailmanclient import MailingList
from playwright.sync_api import Locator, Page, expect

from tests.browser.accounts import Account, sign_up
from tests.browser.archive import (
    archive_of,
    fetch,
    name_of,
    permalink_of,
    post,
    thread_of,
    wait_archived,
    write,
)
from tests.browser.conftest import SITES
from tests.support import wait
from tests.support.lists import DOMAIN, subscribe
from tests.support.stack import Stack

HOUR = 3600  # seconds


@pytest.fixture
def author(mailing_list: MailingList, address: Callable[[str], str]) -> str:
    """A member of the list, whose posts need nobody's approval."""
    person = address("anne")
    subscribe(mailing_list, person)
    return person


@pytest.fixture
def question(stack: Stack, mailing_list: MailingList, author: str, unique: str) -> EmailMessage:
    """The one message in the list's archive; no other test's has its subject."""
    mail = write(mailing_list, author, f"A question of {unique}", "Wer weiß es?\n")
    post(stack, mailing_list, mail)
    return mail


def test_the_index_leads_to_lists_months_threads_and_messages(
    page: Page, stack: Stack, mailing_list: MailingList, author: str, unique: str
) -> None:
    old, new = write(mailing_list, author, "Old thread"), write(mailing_list, author, "New thread")
    old.replace_header("Date", formatdate(time.time() - HOUR))
    post(stack, mailing_list, old, new)

    page.goto("/archives/")
    page.get_by_label("Find list").fill(unique)
    page.get_by_label("Find list").press("Enter")
    expect(page).to_have_url(re.compile(archive_of(mailing_list)))  # the only one of this name
    expect(page.get_by_role("link", name="New thread")).to_be_visible()
    page.get_by_role("link", name="All Threads").first.click()
    expect(page.locator(".thread-title")).to_have_text([re.compile("New"), re.compile("Old")])

    page.goto(archive_of(mailing_list))
    page.locator("#navbarMonthsListDrop").click()
    page.locator(".dropdown-menu").get_by_role("link", name=time.strftime("%B")).click()
    expect(page.get_by_role("heading", name=time.strftime("%B %Y"))).to_be_visible()
    page.get_by_role("link", name="Old thread").click()
    expect(page).to_have_url(re.compile(thread_of(mailing_list, old)))
    page.get_by_title("Permalink for this message").click()
    expect(page).to_have_url(re.compile(permalink_of(mailing_list, old)))
    expect(page.locator(".email-body")).to_have_text("Hello, all.")


def test_replies_stand_below_what_they_answer_or_by_date(
    page: Page, stack: Stack, mailing_list: MailingList, author: str
) -> None:
    start = write(mailing_list, author, "Thread", "start\n")
    first = write(mailing_list, author, "Re: Thread", "first\n", answers=start)
    second = write(mailing_list, author, "Re: Thread", "second\n", answers=start)
    answer = write(mailing_list, author, "Re: Thread", "answer to first\n", answers=first)
    for hour, mail in enumerate((start, first, second, answer)):
        mail.replace_header("Date", formatdate(time.time() + (hour - 5) * HOUR))
    post(stack, mailing_list, start, first, second, answer)

    def replies(order: str) -> list[str]:
        page.goto(f"{thread_of(mailing_list, start)}?sort={order}")
        expect(page.locator(".replies .email-body")).to_have_count(3)
        return [text.strip() for text in page.locator(".replies .email-body").all_text_contents()]

    nested = ["first", "answer to first", "second"]
    wait.until("a task has ordered the thread", lambda: replies("thread") == nested)
    expect(page.locator(".reply-level-1")).to_contain_text("answer to first")
    expect(page.locator(".email-first .email-body")).to_contain_text("start")
    assert replies("date") == ["first", "second", "answer to first"]


@pytest.fixture
def private_list(stack: Stack, unique: str) -> Iterator[MailingList]:
    """A list with a private archive, whose name has all words of the name of `mailing_list`."""
    stack.rest.get_domain(DOMAIN).create_list(f"secret-{unique}")
    private = stack.rest.get_list(f"secret-{unique}@{DOMAIN}")
    private.settings["archive_policy"] = "private"
    private.settings.save()
    yield private
    private.delete()


@pytest.fixture
def lists(mailing_list: MailingList, private_list: MailingList) -> tuple[MailingList, MailingList]:
    """A public archive and a private one."""
    return mailing_list, private_list


SCHEDULE = """
from django_q.models import Schedule
for job in Schedule.objects.filter(func="mailman_stack.web.jobs.index_new_mail"):
    print(job.schedule_type, job.minutes, job.next_run.timestamp())
"""


def test_new_mail_is_indexed_every_half_a_minute(stack: Stack) -> None:
    """By two jobs, as django-q looks only twice a minute for what is due."""
    shown = stack.exec("web", "django-admin", "shell", "-v", "0", "-c", SCHEDULE).split()
    assert shown[0:2] == shown[3:5] == ["I", "1"]  # each minute
    # In a database that is older than the second one they may be less evenly apart.
    assert abs(float(shown[2]) - float(shown[5])) % 60 == pytest.approx(30, abs=10)


def test_search_finds_new_mail_where_the_visitor_may_read(
    page: Page,
    stack: Stack,
    lists: tuple[MailingList, MailingList],
    address: Callable[[str], str],
    unique: str,
) -> None:
    mailing_list, private_list = lists
    member = address("anne")
    for a_list in (mailing_list, private_list):
        subscribe(a_list, member)
    sign_up(page, stack, member)
    word = unique.replace("-", "")
    public = write(mailing_list, member, "For all", f"Grüße {word}\n")
    private = write(private_list, member, "For members", f"Geheimnis {word}\n")
    post(stack, private_list, private)
    post(stack, mailing_list, public)

    def found(query: str) -> set[str]:
        page.goto(f"/archives/search?q={query}")
        return set(page.locator(".thread-title").all_inner_texts())

    both = {"For all", "For members"}
    # A minute, and what the job itself takes on a machine at work.
    wait.until("both are found", lambda: {subject_of(hit) for hit in found(word)} == both, 120)
    assert {subject_of(hit) for hit in found(f"grüße+{word}")} == {"For all"}

    for host in SITES:
        everywhere = fetch(stack, f"/archives/search?q={word}", host).text
        assert "For all" in everywhere
        assert "For members" not in everywhere
    here = fetch(stack, f"/archives/search?q={word}&mlist={mailing_list.fqdn_listname}").text
    assert "For all" in here
    assert "For members" not in here
    there = fetch(stack, f"/archives/search?q={word}&mlist={private_list.fqdn_listname}")
    assert there.status == 403


def subject_of(hit: str) -> str:
    """A subject without the list's prefix."""
    return hit.partition("] ")[2] or hit


def test_a_private_archive_is_refused_to_strangers_from_its_first_message_on(
    page: Page,
    stack: Stack,
    private_list: MailingList,
    address: Callable[[str], str],
    refusals: set[str],
) -> None:
    member, base = address("anne"), archive_of(private_list)
    subscribe(private_list, member)
    mail = write(private_list, member, "Secret", "a secret\n")
    mail.add_attachment(b"secret too", "application", "octet-stream", filename="secret.bin")

    stack.post(mail)

    assert wait_archived(stack, private_list, mail).status == 403
    name = private_list.fqdn_listname
    api = f"/archives/api/list/{name}/"
    for path in (
        base,
        f"{base}latest",
        f"{base}2026/11/",
        f"{base}recent-threads",
        f"{base}top-posters",
        f"{base}recent-activity",
        f"{base}feed/",
        f"{base}export/all.mbox.gz",
        thread_of(private_list, mail),
        f"{thread_of(private_list, mail)}replies",
        permalink_of(private_list, mail),
        f"{permalink_of(private_list, mail)}attachment/2/secret.bin",
        f"/archives/search?q=secret&mlist={name}",
        api,
        f"{api}emails/?format=json",
        f"{api}threads/?format=json",
    ):
        assert fetch(stack, path).status == 403, path
    assert name not in fetch(stack, f"/archives/?name={name}").text
    assert name not in fetch(stack, f"/archives/find-list?term={name}").text
    assert name not in fetch(stack, "/archives/api/lists/?format=json&limit=1000").text
    refusals.add(f"http://www.example.com{base}")
    page.goto(base)
    expect(page.get_by_text("This mailing list is private")).to_be_visible()

    sign_up(page, stack, member)
    refusals.clear()
    page.goto(base)
    page.get_by_role("link", name="Secret").click()
    expect(page.locator(".email-body")).to_have_text("a secret")
    with page.expect_download() as download:
        page.get_by_role("link", name="secret.bin").click()
    assert download.value.path().read_bytes() == b"secret too"
    page.goto(f"/archives/?name={name}")
    expect(page).to_have_url(re.compile(base))


def open_reply(page: Page) -> Locator:
    """Open the form of a reply to the first message of the page."""
    page.locator("a.reply:not(.reply-mailto)").first.click()
    form = page.locator(".reply-form form").first
    expect(form).to_be_visible()
    return form


def test_a_reply_from_the_web_goes_out_as_mail_in_its_thread(
    member: Page,
    member_account: Account,
    stack: Stack,
    mailing_list: MailingList,
    question: EmailMessage,
) -> None:
    subscribe(mailing_list, member_account.address)

    member.goto(thread_of(mailing_list, question))
    form = open_reply(member)
    form.locator(".quote").click()
    expect(form.locator("textarea")).to_have_value(re.compile("> Wer weiß es"))
    form.locator("textarea").fill("Ich weiß es ☃")
    form.get_by_role("button", name="Send").click()
    expect(member.get_by_text("Your reply has been sent")).to_be_visible()

    mail = stack.catcher.wait_to(question["From"], "Re: ")
    assert mail.message["In-Reply-To"] == question["Message-ID"]
    assert mail.message["From"].addresses[0].addr_spec == member_account.address
    assert mail.sender.startswith(f"{mailing_list.list_name}-bounces")
    assert "Ich weiß es ☃" in mail.text
    wait_archived(stack, mailing_list, mail.message)
    member.goto(thread_of(mailing_list, question))
    expect(member.locator(".replies .email-body")).to_contain_text("Ich weiß es ☃")


def test_a_new_thread_from_the_web_goes_out_as_mail_and_makes_its_author_a_member(
    member: Page, member_account: Account, stack: Stack, mailing_list: MailingList, author: str
) -> None:
    post(stack, mailing_list, write(mailing_list, author, "Before"))

    member.goto(archive_of(mailing_list))
    member.get_by_role("link", name="ew thread").click()
    member.get_by_label("Subject").fill("Neues ☃")
    member.get_by_label("Message").fill("Aus dem Archiv\n")
    member.get_by_role("button", name="Send").click()
    expect(member.get_by_text("The message has been sent successfully")).to_be_visible()

    mail = stack.catcher.wait_to(author, "Neues ☃")
    assert mail.message["From"].addresses[0].addr_spec == member_account.address
    assert mail.message["In-Reply-To"] is None
    joined = mailing_list.get_member(member_account.address)
    assert joined.preferences["delivery_status"] == "by_user"  # reads on the web
    wait_archived(stack, mailing_list, mail.message)
    member.goto(f"{archive_of(mailing_list)}latest")
    expect(member.get_by_role("link", name="Neues ☃")).to_be_visible()


def test_only_who_may_join_writes_from_the_web(
    member: Page, mailing_list: MailingList, question: EmailMessage, refusals: set[str]
) -> None:
    mailing_list.settings["subscription_policy"] = "moderate"
    mailing_list.settings.save()
    reply_in_vain(member, permalink_of(mailing_list, question), refusals)
    assert [person.email for person in mailing_list.members] == [question["From"]]


def test_who_is_banned_does_not_write_from_the_web(
    member: Page,
    member_account: Account,
    mailing_list: MailingList,
    question: EmailMessage,
    refusals: set[str],
) -> None:
    mailing_list.bans.add(member_account.address)
    reply_in_vain(member, permalink_of(mailing_list, question), refusals)
    assert [person.email for person in mailing_list.members] == [question["From"]]


def reply_in_vain(page: Page, path: str, refusals: set[str]) -> None:
    refusals.add(f"http://www.example.com{path}reply")
    page.goto(path)
    form = open_reply(page)
    form.locator("textarea").fill("I want to say something")
    form.get_by_role("button", name="Send").click()
    expect(form.locator(".alert-danger").first).to_be_visible()


def test_a_stranger_is_asked_to_log_in_before_writing_or_voting(
    page: Page, mailing_list: MailingList, question: EmailMessage
) -> None:
    page.goto(permalink_of(mailing_list, question))
    expect(page.locator("a.youlike")).to_have_class(re.compile("disabled"))
    page.locator("a.reply").first.click()
    page.get_by_role("link", name="Sign in to reply online").click()
    expect(page.get_by_role("heading", name="Sign In")).to_be_visible()
    page.goto(f"{archive_of(mailing_list)}message/new")
    expect(page.get_by_role("heading", name="Sign In")).to_be_visible()


@pytest.mark.parametrize("path_of", [thread_of, permalink_of])
def test_a_vote_is_counted_shown_and_taken_back(
    member: Page,
    mailing_list: MailingList,
    question: EmailMessage,
    path_of: Callable[[MailingList, EmailMessage], str],
) -> None:
    def votes() -> list[str]:
        member.goto(path_of(mailing_list, question))
        counts = member.locator(".likeform i").evaluate_all(
            "icons => icons.map(icon => (icon.textContent + icon.nextSibling.textContent).trim())"
        )
        return [str(count) for count in counts]

    assert votes() == ["0", "0"]
    member.get_by_label("Like thread", exact=True).click()
    expect(member.get_by_text("You like it (cancel)")).to_be_visible()
    wait.until("a task has counted the vote", lambda: votes() == ["1", "0"])
    expect(member.get_by_text("You like it (cancel)")).to_be_visible()
    member.goto("/archives/profile/votes")
    expect(member.get_by_role("link", name=question["Subject"]).first).to_be_visible()

    member.goto(path_of(mailing_list, question))
    member.get_by_label("Cancel vote").click()
    expect(member.get_by_label("Like thread", exact=True)).to_be_visible()
    member.get_by_label("Dislike thread").click()
    expect(member.get_by_text("You dislike it (cancel)")).to_be_visible()
    wait.until("a task has counted the vote", lambda: votes() == ["0", "1"])


def test_tags_favourites_and_what_was_read_are_kept(
    member: Page, mailing_list: MailingList, question: EmailMessage
) -> None:
    member.goto(f"{archive_of(mailing_list)}latest")
    expect(member.locator(".thread.unread")).to_have_count(1)

    member.goto(thread_of(mailing_list, question))
    member.get_by_placeholder("Add a tag...").fill("wichtig, 重要")
    member.get_by_role("button", name="Add", exact=True).click()
    expect(member.locator("#tags li > a")).to_have_text(["wichtig", "重要"])
    member.locator("#tags li", has_text="wichtig").get_by_title("Remove").click()
    expect(member.locator("#tags li > a")).to_have_text(["重要"])
    with member.expect_response("**/favorite"):
        member.get_by_role("link", name="Add to favorites").click()
    expect(member.get_by_role("link", name="Remove from favorites")).to_be_visible()

    for kept in ("favorites", "last_views"):
        member.goto(f"/archives/profile/{kept}")
        expect(member.get_by_role("link", name=question["Subject"]).first).to_be_visible()
    member.goto(f"{archive_of(mailing_list)}latest")
    expect(member.locator(".thread", has_text=question["Subject"])).to_be_visible()
    expect(member.locator(".thread.unread")).to_have_count(0)

    member.goto(thread_of(mailing_list, question))
    expect(member.locator("#tags li > a")).to_have_text(["重要"])
    with member.expect_response("**/favorite"):
        member.get_by_role("link", name="Remove from favorites").click()
    member.goto("/archives/profile/favorites")
    expect(member.get_by_role("link", name=question["Subject"])).to_have_count(0)


ATTACHMENTS = {
    "Übersicht_日本.bin": ("application/octet-stream", bytes(range(256)) * 40),
    "notes.txt": ("text/plain", "Zeile 1\r\nÄÖÜ €\r\n".encode()),
    "page.html": ("text/html", b"<p onclick='alert(1)'>page</p>\n"),
}


def test_attachments_are_downloaded_as_they_were_sent(
    page: Page, stack: Stack, mailing_list: MailingList, author: str
) -> None:
    mail = write(mailing_list, author, "Three files")
    for name, (content_type, content) in ATTACHMENTS.items():
        main, _, sub = content_type.partition("/")
        mail.add_attachment(content, main, sub, filename=name)
        if main == "text":
            list(mail.iter_parts())[-1].set_param("charset", "utf-8")
    post(stack, mailing_list, mail)

    page.goto(thread_of(mailing_list, mail))

    for name, (_, content) in ATTACHMENTS.items():
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        assert download.value.suggested_filename == name
        assert download.value.path().read_bytes() == content, name


def test_the_feed_has_the_posts(
    page: Page, stack: Stack, mailing_list: MailingList, author: str
) -> None:
    mails = [write(mailing_list, author, f"News & <{word}>") for word in ("old", "new ☃")]
    post(stack, mailing_list, *mails)

    page.goto(archive_of(mailing_list))
    link = page.locator("link[type='application/rss+xml']").get_attribute("href")
    assert link is not None
    feed = fetch(stack, link)

    assert feed.headers.get_content_type() == "application/rss+xml"
    channel = ET.fromstring(feed.text).find("channel")  # noqa: S314 - the stack's own
    assert channel is not None
    titles = {item.findtext("link"): item.findtext("title") for item in channel.iter("item")}
    posts = {subject_of(title or "").strip(): link for link, title in titles.items()}
    assert posts == {
        mail["Subject"]: f"http://www.example.com{permalink_of(mailing_list, mail)}"
        for mail in mails
    }
    assert author not in feed.text


def test_the_second_web_host_has_its_lists_archives(
    stack: Stack, unique: str, address: Callable[[str], str]
) -> None:
    host = SITES[1]
    mailing_list = stack.rest.get_domain("lists.example.net").create_list(unique)
    subscribe(mailing_list, address("anne"))
    mail = write(mailing_list, address("anne"), "News")
    post(stack, mailing_list, mail)

    feed = fetch(stack, f"{archive_of(mailing_list)}feed/", host).text
    assert f"<link>http://{host}{permalink_of(mailing_list, mail)}</link>" in feed
    search = f"/archives/search?q=x&mlist={mailing_list.fqdn_listname}"
    assert fetch(stack, search, host).status == 200
    (delivered,) = stack.catcher.wait_delivered(mail["Message-ID"], address("anne"))
    link = f"<http://{host}{permalink_of(mailing_list, mail)}>"
    assert delivered.message["Archived-At"] == link
    mailing_list.delete()


def test_mail_is_exported_as_an_mbox(
    page: Page, stack: Stack, mailing_list: MailingList, author: str, tmp_path: Path
) -> None:
    first = write(mailing_list, author, "Grüße", "From here on: ☃\n\nFrom there\n")
    first.add_attachment(b"\0\1", "application", "octet-stream", filename="two.bin")
    answer = write(mailing_list, author, "Re: Grüße", answers=first)
    other = write(mailing_list, author, "Other")
    post(stack, mailing_list, first, answer, other)

    def exported(path: str) -> list[EmailMessage]:
        page.goto(path)
        if path == archive_of(mailing_list):
            page.get_by_role("button", name="Download").click()
        with page.expect_download() as download:
            page.get_by_role("link", name=re.compile("Download|Entire archive")).click()
        assert download.value.suggested_filename.endswith(".mbox.gz")
        file = tmp_path / "mbox"
        file.write_bytes(gzip.decompress(download.value.path().read_bytes()))
        with closing(mailbox.mbox(file)) as mbox:
            mails = [mbox.get_bytes(key) for key in mbox.iterkeys()]
        return [message_from_bytes(mail, policy=policy.default) for mail in mails]

    whole = exported(archive_of(mailing_list))
    assert [mail["Message-ID"] for mail in whole] == [
        mail["Message-ID"] for mail in (first, answer, other)
    ]
    _, text, attachment = whole[0].walk()
    assert "From here on: ☃" in text.get_content()
    assert attachment.get_filename() == "two.bin"
    assert attachment.get_content() == b"\0\1"
    assert whole[1]["In-Reply-To"] == first["Message-ID"]
    assert len(exported(thread_of(mailing_list, first))) == 2


EVIL = "<script>window.owned = 1</script><img src=x onerror='window.owned = 1'>"
EVIL_MARKDOWN = "[click](javascript:window.owned=1) ![x](http://evil.example.org/pixel.png)"


@pytest.mark.parametrize("rendering", ["text", "markdown"])
def test_nothing_in_a_post_is_run(
    page: Page,
    stack: Stack,
    mailing_list: MailingList,
    address: Callable[[str], str],
    rendering: str,
) -> None:
    mailing_list.settings["archive_rendering_mode"] = rendering
    mailing_list.settings.save()
    person = address("anne")
    subscribe(mailing_list, person)
    mail = write(mailing_list, person, f"Evil {EVIL}", f"{EVIL}\n> {EVIL}\n{EVIL_MARKDOWN}\n")
    mail.replace_header("From", f'"{EVIL}" <{person}>')
    mail.add_alternative(f"<b>bold</b>{EVIL}", subtype="html")
    post(stack, mailing_list, mail)

    for path in (
        archive_of(mailing_list),
        f"{archive_of(mailing_list)}latest",
        thread_of(mailing_list, mail),
        permalink_of(mailing_list, mail),
    ):
        page.goto(path, wait_until="networkidle")
        assert page.evaluate("window.owned") is None, path
        assert page.locator("img[src=x], img[src*=evil], a[href^=javascript]").count() == 0, path
    expect(page.locator(".email-body")).to_contain_text("<script>window.owned = 1</script>")
    part = page.get_by_role("link", name="attachment.html").get_attribute("href")
    assert part is not None
    assert fetch(stack, part).headers["Content-Disposition"].startswith("attachment;")


def test_addresses_are_disguised(
    page: Page, stack: Stack, mailing_list: MailingList, author: str
) -> None:
    mail = write(mailing_list, author, "From nobody in particular")
    post(stack, mailing_list, mail)
    profile = sender_page(page, thread_of(mailing_list, mail))

    for path in (
        f"{archive_of(mailing_list)}latest",
        f"{archive_of(mailing_list)}top-posters",
        f"{archive_of(mailing_list)}feed/",
        thread_of(mailing_list, mail),
        permalink_of(mailing_list, mail),
        profile,
        f"{profile}posts?list={mailing_list.fqdn_listname}",
        f"/archives/api/list/{mailing_list.fqdn_listname}/emails/?format=json",
    ):
        answer = fetch(stack, path)
        assert answer.status == 200, path
        assert author not in answer.text, path


def sender_page(page: Page, path: str) -> str:
    """The path of the page about the author of a message, once a task has looked for it."""

    def link() -> str | None:
        page.goto(path)
        name = page.locator(".email-author a")
        return name.get_attribute("href") if name.count() else None

    return str(wait.until("the sender is known", link))


def test_an_owner_moves_a_thread_into_another(
    member: Page, member_account: Account, stack: Stack, mailing_list: MailingList, author: str
) -> None:
    mailing_list.add_owner(member_account.address)
    start, stray = write(mailing_list, author, "Start"), write(mailing_list, author, "Stray")
    post(stack, mailing_list, start, stray)

    member.goto(thread_of(mailing_list, stray))
    member.get_by_role("link", name="Reattach this thread").click()
    member.locator("input[name=parent-manual]").fill(name_of(start))
    member.get_by_role("button", name="Do it").click()

    expect(member).to_have_url(re.compile(thread_of(mailing_list, start)))
    expect(member.locator(".replies .email")).to_have_count(1)


def test_an_owner_deletes_a_message(
    member: Page,
    member_account: Account,
    mailing_list: MailingList,
    question: EmailMessage,
    refusals: set[str],
) -> None:
    page = permalink_of(mailing_list, question)
    refusals.add(f"http://www.example.com{page}delete")
    assert status(member, f"{page}delete") == 403
    mailing_list.add_owner(member_account.address)

    member.goto(page)
    member.get_by_role("link", name="Delete this message").click()
    member.get_by_role("button", name="Delete").click()

    expect(member.get_by_text("Successfully deleted 1 messages")).to_be_visible()
    refusals.add(f"http://www.example.com{page}")
    assert status(member, page) == 404


def status(page: Page, path: str) -> int:
    """What a page answers."""
    answer = page.goto(path)
    assert answer is not None
    return answer.status


def test_programs_read_the_archive_as_json(
    stack: Stack, mailing_list: MailingList, author: str
) -> None:
    mail = write(mailing_list, author, "For programs", "Hello, program.\n")
    post(stack, mailing_list, mail)

    listing = f"/archives/api/list/{mailing_list.fqdn_listname}/emails/?format=json"
    (entry,) = json.loads(fetch(stack, listing).text)
    assert entry["message_id"] == mail["Message-ID"].strip("<>")
    path = entry["url"].removeprefix("http://www.example.com")
    assert json.loads(fetch(stack, path).text)["content"] == "Hello, program.\n"
