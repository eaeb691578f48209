"""Django settings for the search benchmark: the stack's, an SQLite file, and the engine given."""

import os

from mailman_stack.web import defaults
from mailman_stack.web.defaults import *  # noqa: F403 - Django's way to extend settings

DATA = "/var/lib/mailman-web"
ENGINE = os.environ["SEARCH_ENGINE"]

SECRET_KEY = "none"  # noqa: S105 - nothing is signed
TIME_ZONE = "UTC"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{DATA}/archive.sqlite3"},
}
HAYSTACK_CONNECTIONS = {
    "default": {
        **defaults.HAYSTACK_CONNECTIONS["default"],
        "ENGINE": ENGINE,
        "PATH": f"{DATA}/{ENGINE}",
    },
}
