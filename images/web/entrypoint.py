#!/opt/mailman-stack/bin/python
"""Web interface: renders uwsgi.ini, brings the database up to date, becomes uWSGI's master."""

import signal
import sys
from pathlib import Path

import django
from django.core.management import execute_from_command_line
from django.template import TemplateSyntaxError
from django.template.loader import get_template

from mailman_stack import database, templates
from mailman_stack.entrypoint import Service, execute
from mailman_stack.failing import fail
from mailman_stack.settings import Settings

UWSGI = ["uwsgi", "--ini", "/etc/uwsgi/uwsgi.ini"]


def compile_template(path: Path) -> None:
    Path(templates.WEB, path).stat()  # or it is a link to nothing
    try:
        get_template(str(path))
    except TemplateSyntaxError as error:
        raise ValueError(error) from error


def check_templates() -> None:
    """Or a mistake would show on the page alone, to whoever comes first."""
    django.setup()
    if problems := templates.problems(templates.WEB, compile_template):
        fail("web", problems)


def start(settings: Settings) -> None:
    check_templates()
    database.wait_for(settings.web_database)
    # A migration that is cut off cannot be undone: a SIGTERM is heard when all are done.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    execute_from_command_line(["django-admin", "prepare"])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    execute([*UWSGI, "--module", "mailman_stack.web.wsgi", "--need-app"])(settings)


Service(name="web", config="web", checks=[[*UWSGI, "--no-server"]], start=start).run(sys.argv[1:])
