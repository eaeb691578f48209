"""Mailman's pages, where this stack has them."""

from django.urls import include, path

urlpatterns = [
    path("mailman3/", include("postorius.urls")),
    path("archives/", include("hyperkitty.urls")),
    path("", include("django_mailman3.urls")),
    path("accounts/", include("allauth.urls")),
]
