"""What web and qcluster make of messages, and which pages they keep."""

import http
import json
import re
import uuid
from collections.abc import Callable, Iterator
from email.message import EmailMessage

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import wait
from tests.support.mail import message
from tests.support.weblab import (
    BROWSER,
    DRIVERS,
    IMAGE,
    PAGES,
    SITE,
    Container,
    Lab,
    asked,
    environment,
    nothing_queued,
    paused,
    settled,
)

# -- What is found


def found(web: Container, query: str, mlist: str = "") -> set[str]:
    """Who has written what a stranger finds."""
    of = f"&mlist={mlist}" if mlist else ""
    page = web.get(f"/archives/search?q={query}{of}", User_Agent="Googlebot/2.1")
    assert page.status == http.HTTPStatus.OK
    return set(re.findall(r"\b(anne|bart|cris)\b", page.body.decode()))


def test_a_stranger_finds_mail_with_words_of_any_length_but_none_of_private_lists(
    web: Container, mlist: str
) -> None:
    growing, wide = "\N{LATIN CAPITAL LETTER A WITH STROKE}", "\N{GRINNING FACE}"
    long = f"{'x' * 5000} {growing * 300} {wide * 300}\n"
    secret, other = f"secret-{mlist}", f"other-{mlist}"
    word = f"needle{uuid.uuid4().hex}"
    assert found(web, word) == set()
    web.archive(mlist, message("anne@example.org", mlist, long[:900], f"{long}The {word}s.\n"))
    web.archive(secret, message("bart@example.org", secret, "Ants", f"The {word}.\n"))
    web.archive(other, message("cris@example.org", other, "Ants", f"Another {word}\n"))
    for length in (200, 250):
        name = mlist.rjust(length, "a")
        web.archive(name, message("bart@example.org", name, "Ants", f"The {word}.\n"))
    # A list is private until core, which is not here, says what it is.
    web.django(f"MailingList.objects.filter(name='{other}').update(archive_policy=2)")
    for _again in range(2):
        web.run(
            "django-admin", "shell", "--command",
            "from mailman_stack.web import jobs; jobs.index_new_mail()",
        )  # fmt: skip
        assert found(web, word) == {"anne", "cris"}
        assert found(web, word, mlist) == {"anne"}
        assert found(web, "needle", other) == set()
        assert found(web, f'"another+{word}"') == {"cris"}
        for odd in ("*", '"', "(", "AND", "NOT+a", "a:b", "mailinglist:x", "a..b", "%00", "-"):
            assert "bart" not in found(web, odd)


# -- What is archived


def reply(mail: EmailMessage, sender: str, text: str = "I agree.\n") -> EmailMessage:
    answer = message(sender, mail["To"], f"Re: {mail['Subject']}", text)
    answer["In-Reply-To"] = mail["Message-ID"]
    return answer


def thread_of(web: Container, mlist: str) -> str:
    """The path of the list's only thread."""
    thread = web.django(f"Thread.objects.get(mailinglist__name='{mlist}').thread_id")
    return f"/archives/list/{mlist}/thread/{thread}/"


def test_a_thread_is_right_without_any_task(
    web: Container, qcluster: Container, mlist: str
) -> None:
    first = message("anne@example.org", mlist, "Ants")
    second = reply(first, "bart@example.org", "The second.\n")
    third = reply(first, "anne@example.org", "The third.\n")
    below = reply(second, "cris@example.org", "Below the second.\n")
    with paused(qcluster):
        web.archive(mlist, first, second, third)
        web.get(thread_of(web, mlist))
        web.archive(mlist, below)
        robot = web.get(thread_of(web, mlist), User_Agent="Googlebot/2.1").body.decode()
    assert robot.index("The second.") < robot.index("Below the") < robot.index("The third.")
    assert "3 comments" in robot
    assert "3 participants" in robot


def test_an_answer_that_comes_first_joins_its_thread(
    web: Container, qcluster: Container, mlist: str
) -> None:
    first = message("anne@example.org", mlist, "Ants")
    answer = reply(first, "bart@example.org")
    with paused(qcluster):
        web.archive(mlist, answer, first)
        page = web.get(thread_of(web, mlist)).body.decode()
    assert "1 comments" in page
    assert "2 participants" in page


def test_what_follows_from_several_messages_is_done_once(
    web: Container, qcluster: Container, mlist: str
) -> None:
    with nothing_queued(web, qcluster):
        mails = [message("anne@example.org", mlist, f"Ants {number}") for number in range(3)]
        web.archive(mlist, *mails)
        tasks = "sorted(task['name'] for task, *_ in Broker().take(100))"
        rows_and_tasks = web.django(f"[OrmQ.objects.count(), {tasks}]")
    names = [
        "rebuild_mailinglist_cache_for_month",
        "rebuild_mailinglist_cache_recent",
        "sender_mailman_id",
        "update_from_mailman",
    ]
    assert rows_and_tasks == [3 * len(names), names]


def test_a_new_thread_is_among_the_recent_ones_at_once(
    web: Container, qcluster: Container, mlist: str
) -> None:
    recent = f"MailingList.objects.get(name={mlist!r}).recent_threads"
    shown = f"[thread.subject for thread in {recent}]"
    count = f"MailingList.objects.get(name={mlist!r}).recent_threads_count"
    with paused(qcluster):
        for number, subjects in enumerate((["Ants"], ["Bees", "Ants"]), 1):
            web.archive(mlist, message("anne@example.org", mlist, subjects[0]))
            assert web.django(f"[{shown}, {count}]") == [subjects, number]


def test_the_recent_threads_are_not_looked_for_with_each_message(
    web: Container, qcluster: Container, mlist: str
) -> None:
    """It would take the longer the more there are."""
    code = (
        "import django, json; django.setup(); from django.db import connection; "
        "from django.test.utils import CaptureQueriesContext; "
        "from hyperkitty.models import Thread; "
        f"thread = Thread.objects.select_related('mailinglist').get(mailinglist__name={mlist!r}); "
        "queries = CaptureQueriesContext(connection); queries.__enter__(); "
        "thread.mailinglist.on_thread_added(thread); "
        "print(json.dumps([one['sql'] for one in queries]))"
    )
    with paused(qcluster):
        web.archive(mlist, message("anne@example.org", mlist, "Ants"))
        (statement,) = json.loads(web.run("python", "-c", code))
    assert "hyperkitty_thread" not in statement


def test_who_posts_most_comes_first(web: Container, mlist: str) -> None:
    authors = ["anne@example.com", "bart@example.com", "bart@example.com", "cris@example.com"]
    web.archive(mlist, *(message(author, mlist, "Hello") for author in authors))
    posters = f"MailingList.objects.get(name={mlist!r}).top_posters"
    shown = f"[[one['address'], one['count']] for one in {posters}]"
    counts = [["bart@example.com", 2], ["anne@example.com", 1], ["cris@example.com", 1]]
    wait.until("all are counted", lambda: web.django(shown) == counts, seconds=60, every=1)


def test_what_fails_after_a_message_is_queued(web: Container, qcluster: Container) -> None:
    code = (
        "import django; django.setup(); from hyperkitty import tasks; "
        "from mailman_stack.web.archiving import follow; "
        "follow([{'name': 'fails', 'func': tasks._compute_thread_positions, 'args': (0,)}])"
    )
    with nothing_queued(web, qcluster):
        web.run("python", "-c", code)
        assert web.django("[row.name() for row in OrmQ.objects.all()]") == ["fails"]


def test_what_the_archive_cannot_take_is_refused(
    web: Container, qcluster: Container, mlist: str
) -> None:
    mail = message(f"{'Anne ' * 60}<anne@example.org>", mlist, "Ants")
    with nothing_queued(web, qcluster):
        with pytest.raises(requests.HTTPError, match="400") as caught:
            web.archive(mlist, mail)
        answer = caught.value.response
        assert answer is not None
        assert "too long" in answer.text
        assert web.django("OrmQ.objects.count()") == 0


@pytest.fixture(scope="module")
def arranged(make_lab: Callable[[], Lab]) -> Iterator[Callable[[object], dict[str, object]]]:
    """Hands a thread to the driver ``positions`` and returns its answer."""
    lab = make_lab()
    options = environment(f"{name}={value}" for name, value in SITE.items())
    command = ("python", "-c", (DRIVERS / "positions.py").read_text())
    container = lab.create("positions", "--interactive", *options, image=IMAGE, command=command)
    with asked(container) as ask:
        yield ask


@st.composite
def threads(draw: st.DrawFn) -> dict[str, object]:
    """Any message may answer any, itself and one that is elsewhere included."""
    messages = draw(st.permutations(range(draw(st.integers(1, 12)))))
    parent = st.none() | st.integers(0, len(messages))
    return {
        "parents": [[message, draw(parent)] for message in messages],
        "start": draw(st.sampled_from(messages)),
    }


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(thread=threads())
def test_messages_stand_where_hyperkitty_puts_them(
    arranged: Callable[[object], dict[str, object]], thread: dict[str, object]
) -> None:
    answer = arranged(thread)
    assert answer["ours"] == answer["upstream"]


# -- Pages that are kept for strangers


def rename_unseen(web: Container, mlist: str, name: str = "Renamed") -> None:
    """Change what all pages of a list show, in a way that no signal tells of."""
    web.django(f"MailingList.objects.filter(name='{mlist}').update(display_name='{name}')")


def session_of_administrator(web: Container) -> str:
    user = "User.objects.get(is_superuser=True)"
    key = f"[c := Client(), c.force_login({user}), c.cookies['sessionid'].value][2]"
    return f"sessionid={web.django(key)}"


@pytest.fixture
def page(web: Container, mlist: str) -> str:
    """The path of a page that the next stranger's will be kept of."""
    web.archive(mlist, message("anne@example.org", mlist, "Ants"))
    settled(web)
    return f"/archives/list/{mlist}/latest"


def test_a_page_is_kept_until_a_message_comes(web: Container, mlist: str, page: str) -> None:
    before = web.get(page).body
    rename_unseen(web, mlist)
    assert web.get(page).body == before
    web.archive(mlist, message("anne@example.org", mlist, "Bees"))
    after = web.get(page).body.decode()
    assert "Renamed" in after
    assert "Bees" in after


def test_the_overview_of_lists_is_kept_until_a_message_comes(
    web: Container, mlist: str, page: str
) -> None:
    before = web.get("/archives/").body
    rename_unseen(web, mlist)
    assert web.get("/archives/").body == before
    web.archive(mlist, message("anne@example.org", mlist, "Bees"))
    assert "Renamed" in web.get("/archives/").body.decode()
    assert page


def test_a_page_is_not_kept_of_what_is_deleted(web: Container, mlist: str, page: str) -> None:
    assert "Ants" in web.get(page).body.decode()
    web.django(f"[mail.delete() for mail in Email.objects.filter(mailinglist__name='{mlist}')][1:]")
    assert "Ants" not in web.get(page).body.decode()


def test_a_list_that_becomes_private_has_no_page_for_strangers(
    web: Container, mlist: str, page: str
) -> None:
    assert web.get(page).status == http.HTTPStatus.OK
    web.django(
        "[(setattr(mlist, 'archive_policy', 1), mlist.save())"
        f" for mlist in MailingList.objects.filter(name='{mlist}')] and None"
    )
    assert web.get(page).status == http.HTTPStatus.FORBIDDEN
    assert web.get(page, Cookie=session_of_administrator(web)).status == http.HTTPStatus.OK
    assert web.get(page).status == http.HTTPStatus.FORBIDDEN
    assert mlist not in web.get("/archives/").body.decode()


@pytest.mark.parametrize("cookie", ["", "unknown=1", "django_language=de", "messages=x"])
def test_who_sends_a_cookie_neither_gets_nor_leaves_a_page(
    web: Container, mlist: str, page: str, cookie: str
) -> None:
    cookie = cookie or session_of_administrator(web)
    mine = web.get(page, Cookie=cookie).body
    strangers = web.get(page).body
    assert strangers != mine
    rename_unseen(web, mlist)
    assert "Renamed" in web.get(page, Cookie=cookie).body.decode()
    assert web.get(page).body == strangers


def test_a_page_is_kept_under_the_lists_own_name_alone(
    web: Container, mlist: str, page: str
) -> None:
    for alias in (mlist.upper(), mlist.replace("lists", "l%C3%AFsts")):
        path = page.replace(mlist, alias)
        before = web.get(path)
        assert before.status == http.HTTPStatus.OK
        for name in ("One", "Two"):
            rename_unseen(web, mlist, name)
            assert name in web.get(path).body.decode()


def test_a_page_that_cannot_be_kept_is_shown(web: Container, mlist: str, page: str) -> None:
    web.get(page)
    web.run("chmod", "500", PAGES)
    try:
        web.archive(mlist, message("anne@example.org", mlist, "Bees"))
        assert "Bees" in web.get(page).body.decode()
    finally:
        web.run("chmod", "700", PAGES)


def test_a_large_page_is_not_kept(web: Container, mlist: str) -> None:
    web.archive(mlist, message("anne@example.org", mlist, "Ants", "Many ants.\n" * 30_000))
    settled(web)
    page = thread_of(web, mlist)
    assert len(web.get(page, User_Agent=BROWSER).body) > 2**18
    rename_unseen(web, mlist)
    assert "Renamed" in web.get(page, User_Agent=BROWSER).body.decode()


def test_who_has_logged_in_is_known_on_kept_pages(web: Container, page: str) -> None:
    assert "/accounts/logout/" not in web.get(page).body.decode()
    mine = web.get(page, Cookie=session_of_administrator(web)).body.decode()
    assert "/accounts/logout/" in mine


def test_a_page_is_kept_in_each_language(web: Container, page: str) -> None:
    pages = {language: web.get(page, Accept_Language=language) for language in ("en", "de", "fr")}
    for language, answer in pages.items():
        assert f'<html lang="{language}">' in answer.body.decode()
        again = web.get(page, Accept_Language=language)
        assert (again.body, again.headers["Content-Language"]) == (answer.body, language)


def test_robots_and_browsers_get_their_own(web: Container, mlist: str) -> None:
    first = message("anne@example.org", mlist, "Ants")
    web.archive(mlist, first, reply(first, "bart@example.org", "Nobody fetches this later.\n"))
    settled(web)
    page = thread_of(web, mlist)
    for _ in range(2):
        assert "fetches this" in web.get(page, User_Agent="Googlebot/2.1").body.decode()
        assert "fetches this" not in web.get(page, User_Agent=BROWSER).body.decode()


def test_no_token_is_shared(web: Container, mlist: str) -> None:
    web.archive(mlist, message("anne@example.org", mlist, "Ants"))
    thread = thread_of(web, mlist)
    strangers = web.get(thread, User_Agent=BROWSER)
    assert "csrfmiddlewaretoken" not in strangers.body.decode()
    assert strangers.headers["Set-Cookie"] is None
    mine = web.get(thread, User_Agent=BROWSER, Cookie=session_of_administrator(web))
    assert "csrfmiddlewaretoken" in mine.body.decode()
    assert "csrftoken=" in mine.headers["Set-Cookie"]


def test_no_answer_promises_another_on_the_same_connection(web: Container) -> None:
    assert web.get("/healthz").headers["Connection"] == "close"
