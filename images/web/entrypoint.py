#!/opt/mailman-stack/bin/python
"""Web interface: renders uwsgi.ini, brings the database up to date, becomes uWSGI's master."""

import signal
import sys

from django.core.management import execute_from_command_line

from mailman_stack import database
from mailman_stack.entrypoint import Service, execute
from mailman_stack.settings import Settings

UWSGI = ["uwsgi", "--ini", "/etc/uwsgi/uwsgi.ini"]


def start(settings: Settings) -> None:
    database.wait_for(settings.web_database)
    # A migration that is cut off cannot be undone: from here to uWSGI no SIGTERM is heard.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    execute_from_command_line(["django-admin", "prepare"])
    execute([*UWSGI, "--module", "mailman_stack.web.wsgi", "--need-app"])(settings)


Service(name="web", config="web", checks=[[*UWSGI, "--no-server"]], start=start).run(sys.argv[1:])
