"""Django settings that are the same on every site; :mod:`mailman_stack.web.settings` has the rest.

On their own they serve where there is no site and no database: to build the static files.
Names and values are mailman-web's, Mailman's own Django project, unless a comment says why not.
"""

from typing import Any

from django.contrib.messages import constants as messages

ROOT_URLCONF = "mailman_stack.web.urls"
DATABASES: dict[str, Any] = {"default": {"ENGINE": "django.db.backends.dummy"}}
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = True

INSTALLED_APPS = [
    "mailman_stack.web",
    "hyperkitty",
    "postorius",
    "django_mailman3",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.sites",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "django_gravatar",
    "compressor",
    "haystack",
    "django_extensions",
    "django_q",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "mailman_stack.web.middleware.public_host",
    "mailman_stack.web.pages.kept",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "mailman_stack.web.middleware.time_zone",
    "postorius.middleware.PostoriusMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.i18n",
                "django.template.context_processors.media",
                "django.template.context_processors.static",
                "django.template.context_processors.tz",
                "django.template.context_processors.csrf",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django_mailman3.context_processors.common",
                "hyperkitty.context_processors.common",
                "postorius.context_processors.postorius",
                "mailman_stack.web.pages.without_csrf_token",
            ],
        },
    },
]

MESSAGE_TAGS = {messages.ERROR: "danger"}  # Bootstrap's name

# -- Static files: collected, compressed and named by their content when the image is built
STATIC_URL = "/static/"
STATIC_ROOT = "/usr/share/mailman-stack/static"
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "compressor.finders.CompressorFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "mailman_stack.web.storage.StaticFiles"},
}
COMPRESS_OFFLINE = True
COMPRESS_PRECOMPILERS = [("text/x-scss", "sassc {infile} {outfile}")]

# -- Accounts
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "list_index"
LOGOUT_URL = "account_logout"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_UNIQUE_EMAIL = True

# Gravatar would tell a third party the address of every author and who reads them.
HYPERKITTY_ENABLE_GRAVATAR = False

# -- Data that web and qcluster share
HAYSTACK_CONNECTIONS = {
    "default": {
        # Measured beside Whoosh, mailman-web's: benchmarks/SEARCH.md.
        "ENGINE": "xapian_backend.XapianEngine",
        # A new place whenever our index class changes: the old index knows only its own fields.
        "PATH": "/var/lib/mailman-web/xapian",
        "EXCLUDED_INDEXES": ["hyperkitty.search_indexes.EmailIndex"],  # ours takes its place
    },
}

# -- Tasks
LONGEST_JOB_SECONDS = 3600  # cleaning the search index took 15 minutes for Fedora's lists
Q_CLUSTER = {
    "orm": "default",
    "broker_class": "mailman_stack.web.queue.Broker",
    "timeout": 300,
    # More than any timeout, or a job that still runs is started again.
    "retry": LONGEST_JOB_SECONDS + 60,
    "max_attempts": 3,
    "catch_up": False,
    # The last successes of every kind of task, so that the yearly one stays on record.
    "save_limit_per": "name",
    "save_limit": 5,
}
TASK_PIPE = "/var/lib/mailman-web/tasks"  # by which web tells qcluster of a task

# -- The other services
MAILMAN_REST_API_URL = "http://core:8001"
POSTORIUS_TEMPLATE_BASE_URL = "http://web:8000"
MAILMAN_ARCHIVER_FROM = ["*"]  # core's address is not fixed; its key is what is checked
EMAIL_TIMEOUT = 30

# -- Logs: all on stderr. No mail for an error unless settings_local.py sets ADMINS: a page that
# fails sends one for each visitor, with their data in it.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
        "mail_admins": {"class": "django.utils.log.AdminEmailHandler", "level": "ERROR"},
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": ["mail_admins"]},
        "django.request": {"level": "ERROR"},  # uWSGI's log has the others
        "django.security.DisallowedHost": {"level": "CRITICAL"},  # as above, a 400
        "django-q": {"level": "WARNING"},  # else four lines for each task
    },
}
