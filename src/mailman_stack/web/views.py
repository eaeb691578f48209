"""The few pages of our own."""

from functools import wraps

from django.contrib.sites.models import Site
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from mailman_stack.web.middleware import View


@never_cache
def health(_request: HttpRequest) -> HttpResponse:
    """For the healthcheck: 200 when a page can be made from the database."""
    Site.objects.exists()
    return HttpResponse("ok\n", content_type="text/plain")


def with_http_links(view: View) -> View:
    """Let a page of HyperKitty's archive API answer http links; its own are always https."""

    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        response = view(request)
        response.content = response.content.replace(b'"https://', b'"http://', 1)
        return response

    exempt: View = csrf_exempt(answer)  # as the view itself is
    return exempt
