"""Django settings from the typed settings.

As a program it prints them, pickled: see :mod:`mailman_stack.web.settings`.
"""

import pickle
import sys

from mailman_stack import LOCAL, templates
from mailman_stack import settings as stack
from mailman_stack.web.defaults import Q_CLUSTER, TEMPLATES

# Mailman's codes that are not Django's in lower case with a hyphen.
LANGUAGES_RENAMED = {"no": "nb", "zh_CN": "zh-hans", "zh_TW": "zh-hant"}

_site = stack.load("qcluster")  # the secrets that web and qcluster both have
_https = _site.web_scheme == "https"

SECRET_KEY = _site.secret_key.get_secret_value()
MAILMAN_REST_API_USER = _site.mailman_rest_user
MAILMAN_REST_API_PASS = _site.mailman_rest_password.get_secret_value()
MAILMAN_ARCHIVER_KEY = _site.hyperkitty_api_key.get_secret_value()

TIME_ZONE = _site.tz
LANGUAGE_CODE = LANGUAGES_RENAMED.get(
    _site.default_language, _site.default_language.lower().replace("_", "-")
)

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.mysql",
        "HOST": _site.web_database.host,
        "PORT": _site.web_database.port,
        "USER": _site.web_database.user,
        "PASSWORD": _site.web_database.password,
        "NAME": _site.web_database.schema,
        "OPTIONS": {"connect_timeout": 5, **_site.web_database.connect_options},
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
}

CACHES = {
    # HyperKitty caches for ever what its tasks keep up to date: web and qcluster must see the same
    # cache, and one with room for more than Django's 300 entries.
    "default": {
        "BACKEND": "mailman_stack.web.cache.Cache",
        "LOCATION": "django_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
    # Archive pages for strangers. An hour, for what changes without being saved by Django.
    "pages": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": "/tmp/pages",  # noqa: S108 - the container's own, gone when it is replaced
        "TIMEOUT": 3600,
        "OPTIONS": {"MAX_ENTRIES": 1000},
    },
}

# Public names, each with a Site row of its own; no SITE_ID, so that the request's name decides.
WEB_HOSTS = list(
    dict.fromkeys(
        [
            _site.web_host,
            *(domain.web_host for domain in _site.domains),
            *_site.django_allowed_hosts,
        ]
    )
)
# `web` is core's name for us, localhost the healthcheck's.
ALLOWED_HOSTS = [*(host.partition(":")[0] for host in WEB_HOSTS), "web", "localhost"]
CSRF_TRUSTED_ORIGINS = [f"{_site.web_scheme}://{host}" for host in WEB_HOSTS]

ACCOUNT_DEFAULT_HTTP_PROTOCOL = _site.web_scheme
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
if _https:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 30 * 24 * 3600
    ALLAUTH_TRUSTED_PROXY_COUNT = 1  # else all clients share the proxy's rate limit

# The operator's own come before those of the packages.
TEMPLATES = [{**engine, "DIRS": [templates.WEB]} for engine in TEMPLATES]

_submission = _site.submission
EMAIL_HOST, EMAIL_PORT = _submission.host, _submission.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _submission.user, _submission.password
EMAIL_USE_TLS = _submission.secure_mode == "starttls"
EMAIL_USE_SSL = _submission.secure_mode == "smtps"
# The MTA hands mail to postmaster to the site's owner, whose own address stays private.
DEFAULT_FROM_EMAIL = SERVER_EMAIL = _site.sender
HOSTNAME = _site.hostname

Q_CLUSTER = {**Q_CLUSTER, "workers": _site.qcluster_workers}

SETTINGS_LOCAL = LOCAL / "settings_local.py"

if __name__ == "__main__":
    values = {name: value for name, value in globals().items() if name.isupper()}
    sys.stdout.buffer.write(pickle.dumps(values))
