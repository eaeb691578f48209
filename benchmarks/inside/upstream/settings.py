"""Mailman's own Django settings (mailman-web's): of this stack's only what is upstream's too."""

import os
from typing import Any

from mailman_stack.web import defaults, settings
from mailman_stack.web.defaults import (  # noqa: F401 - as in upstream's, or built into the image
    AUTHENTICATION_BACKENDS,
    COMPRESS_OFFLINE,
    COMPRESS_PRECOMPILERS,
    DEFAULT_AUTO_FIELD,
    LOGIN_REDIRECT_URL,
    LOGIN_URL,
    LOGOUT_URL,
    MAILMAN_ARCHIVER_FROM,
    MAILMAN_REST_API_URL,
    POSTORIUS_TEMPLATE_BASE_URL,
    STATIC_ROOT,
    STATIC_URL,
    STATICFILES_FINDERS,
    STORAGES,
    USE_TZ,
)
from mailman_stack.web.settings import (  # noqa: F401 - what the site alone knows
    ALLOWED_HOSTS,
    EMAIL_HOST,
    EMAIL_PORT,
    MAILMAN_ARCHIVER_KEY,
    MAILMAN_REST_API_PASS,
    MAILMAN_REST_API_USER,
    SECRET_KEY,
)


def without_ours(names: list[str]) -> list[str]:
    """Those that are not this stack's own."""
    return [name for name in names if "mailman_stack" not in name]


SITE_ID = 1
TIME_ZONE = "UTC"
ROOT_URLCONF = "urls"
INSTALLED_APPS = without_ours(defaults.INSTALLED_APPS)
MIDDLEWARE = without_ours(defaults.MIDDLEWARE)
MIDDLEWARE.append("django_mailman3.middleware.TimezoneMiddleware")
_engine: dict[str, Any] = defaults.TEMPLATES[0]
_processors = without_ours(_engine["OPTIONS"]["context_processors"])
TEMPLATES = [{**_engine, "OPTIONS": {"context_processors": _processors}}]
_ours = settings.DATABASES["default"]
DATABASES = {"default": {key: _ours[key] for key in (
    "ENGINE", "HOST", "PORT", "USER", "PASSWORD", "NAME", "OPTIONS")}}  # fmt: skip
# Whoosh by default, which is slower. Nothing is searched; new mail is indexed once an hour.
HAYSTACK_CONNECTIONS = {
    "default": {
        "ENGINE": "xapian_backend.XapianEngine",
        "PATH": "/var/lib/mailman-web/fulltext_index",
    }
}
Q_CLUSTER = {"timeout": 300, "retry": 360, "save_limit": 100, "orm": "default"}
if _workers := os.environ.get("LOCAL_WORKERS"):  # the Uberspace guide's
    Q_CLUSTER |= {"timeout": 100, "retry": 200, "workers": int(_workers)}
