"""What happens to a request before any application sees it."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.utils import timezone

View = Callable[[HttpRequest], HttpResponse]


def public_host(get_response: View) -> View:
    """Answer under the first public name where the request's own has no Site (`web`, localhost).

    Every page shows its Site's name, and Django fails where there is no row for the request's host.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        host = request.get_host()
        if not {host, split_domain_port(host)[0]} & set(settings.WEB_HOSTS):
            request.META["HTTP_HOST"] = settings.WEB_HOSTS[0]
        return get_response(request)

    return answer


def time_zone(get_response: View) -> View:
    """Show times in the zone of the reader's profile, for this request alone.

    django_mailman3's own sets it after the answer, for whoever comes next to this process.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        profile = getattr(request.user, "mailman_profile", None)
        with timezone.override((profile and profile.timezone) or None):
            return get_response(request)

    return answer
