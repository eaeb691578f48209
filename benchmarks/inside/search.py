"""Fills HyperKitty's archive, and indexes and searches it. For `benchmarks.search`, after Django.

Each function prints its figures as JSON: times in seconds, sizes in MiB.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from math import inf
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from django_mailman3.lib.paginator import paginate
from haystack import connections
from haystack.forms import SearchForm
from haystack.management.commands.update_index import do_update
from haystack.query import RelatedSearchQuerySet, SearchQuerySet
from hyperkitty.models import ArchivePolicy, Email, MailingList, Sender, Thread

from benchmarks.inside.messages import (
    LISTS,
    PRIVATE,
    SENDERS,
    Message,
    Query,
    by_kind,
    expected,
    messages,
    queries,
)

MIB = 2**20
BATCH = 500


def fill(total: int) -> None:
    """Write so many messages, and what they belong to."""
    call_command("migrate", verbosity=0)
    written = list(messages(total))
    make_lists()
    Sender.objects.bulk_create(
        Sender(address=address(number), mailman_id=f"{number:032x}") for number in range(SENDERS)
    )
    with transaction.atomic():  # each refers to the other
        Thread.objects.bulk_create(threads(written), batch_size=BATCH)
        Email.objects.bulk_create(map(email, written), batch_size=BATCH)
    tell(
        text_mib=sum(len(message.content) for message in written) / MIB,
        database_mib=size_mib(Path(settings.DATABASES["default"]["NAME"])),
    )


def make_lists() -> None:
    for number, name in enumerate(LISTS, start=1):
        policy = ArchivePolicy.private if name == PRIVATE else ArchivePolicy.public
        list_id = name.replace("@", ".")
        MailingList.objects.create(
            id=number, name=name, list_id=list_id, archive_policy=policy.value
        )


def threads(written: list[Message]) -> list[Thread]:
    """Every thread, its newest message's date on it."""
    newest = {message.thread: message for message in written}
    first = {message.thread: message.number for message in reversed(written)}
    return [
        Thread(
            id=thread, mailinglist_id=message.mlist + 1, thread_id=f"{thread:032x}",
            date_active=message.date, starting_email_id=first[thread],
        )
        for thread, message in newest.items()
    ]  # fmt: skip


def email(message: Message) -> Email:
    """As HyperKitty stores it, archived when it was sent."""
    return Email(
        id=message.number, mailinglist_id=message.mlist + 1, thread_id=message.thread,
        message_id=f"{message.number}@outside.example", message_id_hash=f"{message.number:032x}",
        sender_id=address(message.sender), sender_name=message.sender_name,
        subject=message.subject, content=message.content, date=message.date, timezone=0,
        archived_date=message.date, parent_id=message.parent,
    )  # fmt: skip


def address(sender: int) -> str:
    return f"member-{sender}@outside.example"


def measure(new: int, limit: float) -> None:
    """Build the index, for so many seconds at most, search in it, and add so many more messages."""
    total = Email.objects.count()
    batches = list(index(1, total - new, limit))
    indexed = int(sum(batch["messages"] for batch in batches))
    index_mib = size_mib(Path(settings.HAYSTACK_CONNECTIONS["default"]["PATH"]))
    peak_mib = getrusage(RUSAGE_SELF).ru_maxrss * 1024 / MIB
    asked = [timed(partial(hits, query)) for query in queries()]
    _, added = timed(partial(add, new))
    tell(
        indexed=indexed, batches=batches, index_mib=index_mib, peak_mib=peak_mib,
        hits=by_kind(found for found, _ in asked),
        expected=by_kind(expected(islice(messages(total), indexed))),
        seconds=by_kind(times["wall"] for _, times in asked),
        add=added, added=SearchQuerySet().count() - indexed,
    )  # fmt: skip


def index(first: int, last: int, limit: float = inf) -> Iterator[dict[str, float]]:
    """Index messages in batches, as `update_index` does; for each, how many and how long."""
    engine = connections["default"]
    backend, fields = engine.get_backend(), engine.get_unified_index().get_index(Email)
    end = time.monotonic() + limit
    for start in range(first, last + 1, backend.batch_size):
        if time.monotonic() > end:
            break
        stop = min(start + backend.batch_size - 1, last)
        emails = Email.objects.filter(id__range=(start, stop))
        count = stop - start + 1
        _, times = timed(partial(do_update, backend, fields, emails, 0, count, count, verbosity=0))
        print(f"{times['wall']:5.0f} s  {start} to {stop} of {last}", file=sys.stderr, flush=True)
        yield {"messages": count, **times}


def add(count: int) -> None:
    """What `update_index` does when there is new mail: the newest in the index comes along."""
    newest = int(SearchQuerySet().latest("archived_date").pk)
    list(index(newest, newest + count))


def hits(query: Query) -> int:
    """Search as `hyperkitty.views.search` does, up to the first ten messages; return how many."""
    within = RelatedSearchQuerySet()
    if query.within:
        within = within.filter(mailinglist__exact=query.within)
    else:
        private = MailingList.objects.filter(archive_policy=ArchivePolicy.private.value)
        within = within.exclude(mailinglist__in=private.values_list("name", flat=True))
    if query.newest_first:
        within = within.order_by("-date")
    form = SearchForm({"q": query.text}, searchqueryset=within, load_all=True)
    page = paginate(form.search())
    list(page)
    return int(page.paginator.count)


def timed[T](work: Callable[[], T]) -> tuple[T, dict[str, float]]:
    """What it returns, and its seconds of wall and processor time."""
    wall, used = time.monotonic(), time.process_time()
    result = work()
    return result, {"wall": time.monotonic() - wall, "cpu": time.process_time() - used}


def size_mib(path: Path) -> float:
    """Of a file, or of all in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files) / MIB


def tell(**figures: object) -> None:
    print(json.dumps(figures))
