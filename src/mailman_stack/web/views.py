"""The few pages of our own."""

from contextlib import suppress
from functools import wraps
from http import HTTPStatus
from urllib.error import HTTPError

from django.contrib.sites.models import Site
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from hyperkitty.models import ArchivePolicy, MailingList
from hyperkitty.views import mailman as archive_api

from mailman_stack.web.archiving import follow
from mailman_stack.web.middleware import View
from mailman_stack.web.queue import collected


@never_cache
def health(_request: HttpRequest) -> HttpResponse:
    """For the healthcheck: 200 when a page can be made from the database."""
    Site.objects.exists()
    return HttpResponse("ok\n", content_type="text/plain")


def favicon(_request: HttpRequest) -> HttpResponse:
    """For Django's admin pages, which name none, so that browsers ask for this one."""
    return redirect(static("postorius/img/favicon.ico"))


@csrf_exempt
@require_POST
@archive_api.key_and_ip_auth
def archive(request: HttpRequest) -> HttpResponse:
    """Take a message from core; a list's first one once core has said who may read the list.

    HyperKitty's own leaves that to a task, and until it has run shows the mail to everyone.
    """
    if not MailingList.objects.filter(name=request.POST["mlist"]).exists():
        _introduce(request.POST["mlist"])
    with transaction.atomic(), collected() as tasks:
        response = archive_api.archive(request)
        if response.status_code == HTTPStatus.OK:
            follow(tasks)
        else:
            transaction.set_rollback(True)
    return response


def _introduce(name: str) -> None:
    unknown = {"archive_policy": ArchivePolicy.private.value}
    with transaction.atomic():  # none sees a list that is still unknown
        mlist, is_new = MailingList.objects.get_or_create(unknown, name=name)
        if is_new:
            with suppress(HTTPError):  # removed meanwhile
                mlist.update_from_mailman()


def with_http_links(view: View) -> View:
    """Let a page of HyperKitty's archive API answer http links; its own are always https."""

    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        response = view(request)
        response.content = response.content.replace(b'"https://', b'"http://', 1)
        return response

    exempt: View = csrf_exempt(answer)  # as the view itself is
    return exempt
