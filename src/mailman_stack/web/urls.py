"""Paths of the web interface: mailman-web's, so that links survive a migration."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, reverse_lazy
from django.views.generic import RedirectView
from hyperkitty.views import mailman as archive_api

from mailman_stack.web.views import archive, favicon, health, with_http_links

urlpatterns = [
    path("", RedirectView.as_view(url=reverse_lazy("list_index"))),
    path("healthz", health),
    path("favicon.ico", favicon),
    path("archives/api/mailman/archive", archive),
    path("postorius/", include("postorius.urls")),
    path("hyperkitty/", include("hyperkitty.urls")),
    # Links are made from the last of two: these are the public paths.
    path("mailman3/", include("postorius.urls")),
    path("archives/", include("hyperkitty.urls")),
    path("", include("django_mailman3.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
]

if settings.ACCOUNT_DEFAULT_HTTP_PROTOCOL == "http":
    urlpatterns[:0] = [
        path("archives/api/mailman/urls", with_http_links(archive_api.urls)),
        path("archives/api/mailman/archive", with_http_links(archive)),
    ]
