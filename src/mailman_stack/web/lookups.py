"""What HyperKitty asks more for than it needs."""

from typing import Any

from django.core.cache import cache
from django.db.models import Count
from hyperkitty.models import Email, MailingList, Thread
from hyperkitty.models.mailinglist import RecentThreads, TopPosters

SHOWN = 5

_upstreams_is_owner = MailingList.is_owner


def install() -> None:
    """Take the place of upstream's methods."""
    MailingList.is_owner = _is_owner
    RecentThreads.add_thread = _forget_recent_threads
    TopPosters.get_value = _top_posters


def _is_owner(mlist: MailingList, user: Any) -> bool:
    """As upstream, which asks core for each page of a thread, even if nobody has logged in."""
    return bool(user.is_authenticated and _upstreams_is_owner(mlist, user))


def _forget_recent_threads(recent_threads: RecentThreads, _thread: Thread) -> None:
    """Have them looked for again by who asks first; upstream does that for each new thread."""
    key = recent_threads._get_cache_key()  # noqa: SLF001 - there is no other name for it
    cache.delete_many([key, f"{key}_count"])


def _top_posters(top_posters: TopPosters) -> list[dict[str, Any]]:
    """As upstream, which makes a query for each message of the last month."""
    begin, end = top_posters.instance.get_recent_dates()
    recent = Email.objects.filter(mailinglist=top_posters.instance, date__gte=begin, date__lt=end)
    posters = recent.values("sender_id", "sender_name").annotate(count=Count("pk"))
    return [
        {"address": one["sender_id"], "name": one["sender_name"], "count": one["count"]}
        for one in posters.order_by("-count", "sender_id", "sender_name")[:SHOWN]
    ]
