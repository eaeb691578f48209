"""What changes the pages of an archive, and what is known of it: a version for each list."""

import threading
import uuid
from contextlib import suppress
from hashlib import sha256
from inspect import signature
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.db.models import Model
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django_q.signals import post_execute_in_worker
from hyperkitty import tasks
from hyperkitty.models import Email, MailingList, Tagging, Thread, Vote

ALL_LISTS = ""
"""In place of a list's name: that of the overview of all lists."""

SAVED_OR_DELETED = [post_save, post_delete]

LISTS_OF_TASKS = {"mlist_name": "name", "thread_id": "threads", "email_id": "emails"}
"""How to find the list of what a task of HyperKitty is about, by its argument's name."""


class _Changed(threading.local):
    def __init__(self) -> None:
        self.mlists: set[str] = set()


_changed = _Changed()


def version_key(mlist: str) -> str:
    """The cache's key for the version of a list's pages."""
    return f"pages:{sha256(mlist.encode()).hexdigest()}"


def renew(mlist: str) -> None:
    """Give the pages that show something of a list another version, when the transaction ends."""
    _changed.mlists.add(mlist)
    transaction.on_commit(_renew)


def _renew() -> None:
    if _changed.mlists:
        mlists = {ALL_LISTS, *_changed.mlists}
        _changed.mlists.clear()
        cache.set_many({version_key(mlist): uuid.uuid4().hex for mlist in mlists}, timeout=None)


def _renew_found(**lookup: object) -> None:
    for name in MailingList.objects.filter(**lookup).values_list("name", flat=True):
        renew(name)


@receiver(SAVED_OR_DELETED, sender=MailingList)
def _list_changed(instance: MailingList, **_kwargs: object) -> None:
    renew(instance.name)


@receiver(SAVED_OR_DELETED, sender=Thread)
@receiver(SAVED_OR_DELETED, sender=Email)
def _mail_changed(instance: Model, **_kwargs: object) -> None:
    with suppress(MailingList.DoesNotExist):  # it is being deleted
        renew(instance.mailinglist.name)


@receiver(SAVED_OR_DELETED, sender=Vote)
def _votes_changed(instance: Vote, **_kwargs: object) -> None:
    _renew_found(emails=instance.email_id)


@receiver(SAVED_OR_DELETED, sender=Tagging)
def _tags_changed(instance: Tagging, **_kwargs: object) -> None:
    _renew_found(threads=instance.thread_id)


@receiver(post_execute_in_worker)
def _counted_anew(func: Any, task: dict[str, Any], **_kwargs: object) -> None:
    """HyperKitty's tasks change what it keeps in the cache, and save nothing else."""
    if task.get("success") and getattr(func, "__module__", None) == tasks.__name__:
        for argument, value in zip(signature(func).parameters, task["args"], strict=False):
            if argument in LISTS_OF_TASKS:
                _renew_found(**{LISTS_OF_TASKS[argument]: value})
