"""Archive pages for strangers, kept until something in their list's archive changes.

A stranger sends no cookie but the one against forged requests, and so is nobody who has logged in.
Who sends another gets no page that is kept, and no page that is made for them is kept. A private
list's pages are not for strangers, so that there is none to keep.
"""

import re
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from http import HTTPStatus

from django.conf import settings
from django.core.cache import cache, caches
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from hyperkitty.views.thread import robot_detection

from mailman_stack.web.changes import ALL_LISTS, renew, version_key
from mailman_stack.web.middleware import View

ARCHIVE = re.compile(r"/(?:archives|hyperkitty)/(?:list/([^/@]+@[^/@]+)/.*)?")
"""The overview of all lists, and what belongs to one, with its name."""

KEPT = {
    "hk_root",
    "hk_archives_latest",
    "hk_archives_with_day",
    "hk_archives_with_month",
    "hk_list_feed",
    "hk_list_overview",
    "hk_list_overview_pop_threads",
    "hk_list_overview_recent_threads",
    "hk_list_overview_top_posters",
    "hk_list_overview_top_threads",
    "hk_message_index",
    "hk_thread",
    "hk_thread_replies",
}
"""Names of the pages in ``hyperkitty.urls``."""

LARGEST = 2**18
"""Bytes of a page; those that are kept are in memory."""


def kept(get_response: View) -> View:
    """Answer strangers with the page that the last one got, unless its list has changed since."""

    def answer(request: HttpRequest) -> HttpResponse:
        path = ARCHIVE.fullmatch(request.path_info)
        request.is_strangers = bool(path) and _is_strangers(request)
        if not path or not request.is_strangers:
            return get_response(request)
        mlist = path[1] or ALL_LISTS
        page, version = _key(request), cache.get(version_key(mlist))
        found = caches["pages"].get(page) if version else None
        if found and found[0] == version:
            return HttpResponse(found[2], headers=found[1])
        response = get_response(request)
        if _may_be_kept(request, response, mlist):
            if version:
                with suppress(OSError):  # no room
                    caches["pages"].set(page, (version, dict(response.items()), response.content))
            else:
                renew(mlist)
        return response

    return answer


def _is_strangers(request: HttpRequest) -> bool:
    known = set(request.COOKIES) - {settings.CSRF_COOKIE_NAME}
    return request.method == "GET" and not known and "HTTP_AUTHORIZATION" not in request.META


def _key(request: HttpRequest) -> str:
    """What else a page depends on: some count days, and one has for robots what others fetch."""
    parts = (
        request.build_absolute_uri(),
        translation.get_language_from_request(request),
        _is_robot(request.headers.get("User-Agent", "")),
        timezone.localdate(),
    )
    return sha256(repr(parts).encode()).hexdigest()


@lru_cache(maxsize=100)
def _is_robot(agent: str) -> bool:
    """As HyperKitty sees it."""
    return not agent or bool(robot_detection.is_robot(agent))


def _may_be_kept(request: HttpRequest, response: HttpResponse, name: str) -> bool:
    """A page of its own for nobody, and no answer that says itself how long it may be kept.

    Only under a list's own name, whose version changes: MySQL finds lists by similar ones, too.
    """
    mlist = getattr(request, "mlist", None)
    return (
        response.status_code == HTTPStatus.OK
        and request.resolver_match.url_name in KEPT
        and not request.user.is_authenticated
        and (not mlist.is_private and mlist.name == name if mlist else name == ALL_LISTS)
        and not response.cookies
        and not response.has_header("Cache-Control")
        and len(response.content) <= LARGEST
    )


def without_csrf_token(request: HttpRequest) -> dict[str, str]:
    """For templates: only who has logged in can send an archive page's forms."""
    return {"csrf_token": "NOTPROVIDED"} if getattr(request, "is_strangers", False) else {}
