"""What HyperKitty does with each message besides keeping it, most of it at once.

Its own way are seven tasks for each message, each with some ten statements to queue it and to put
its end on record. What concerns the message's thread alone takes less than that: it is done with
the message, in the same transaction. What concerns the list, or asks core, is queued, and done once
for all messages that come meanwhile.
"""

import logging

from django.db import transaction
from hyperkitty import tasks
from hyperkitty.models import Email

from mailman_stack.web import positions
from mailman_stack.web.queue import Broker, Task

log = logging.getLogger(__name__)


def check_orphans(email_id: int) -> None:
    """As HyperKitty's, if an answer has come before the message: one query, where there is none."""
    mail = Email.objects.filter(id=email_id)
    answers = Email.objects.filter(
        mailinglist=mail.values("mailinglist")[:1], in_reply_to=mail.values("message_id")[:1]
    )
    if answers.exists():
        tasks._check_orphans(email_id)  # noqa: SLF001 - it has no other name


def count_anew(thread_id: int) -> None:
    """As HyperKitty's, but for a new thread: who asks first for its counts has them made."""
    if Email.objects.filter(thread=thread_id).count() > 1:
        tasks._rebuild_thread_cache_new_email(thread_id)  # noqa: SLF001 - as above


AT_ONCE = {
    tasks._check_orphans: check_orphans,  # noqa: SLF001 - they have no other names
    tasks._compute_thread_positions: positions.compute,  # noqa: SLF001
    tasks._rebuild_thread_cache_new_email: count_anew,  # noqa: SLF001
}
"""Tasks that are done at once, in this order, and what does it."""


def follow(collected: list[Task]) -> None:
    """Do or queue what HyperKitty has asked for while it took a message."""
    try:
        with transaction.atomic():
            _do_at_once(collected)
    except Exception:
        log.exception("what follows from a message has failed, and is queued")
        later = collected
    else:
        later = [task for task in collected if task["func"] not in AT_ONCE]
    Broker().enqueue_later(later)


def _do_at_once(collected: list[Task]) -> None:
    for function, does in AT_ONCE.items():
        for task in [task for task in collected if task["func"] is function]:
            does(*task["args"])
