#!/opt/mailman-stack/bin/python
"""Tasks and jobs of the web interface: waits for web's migrations, becomes django-q's cluster."""

import sys

from django.core.management import execute_from_command_line

from mailman_stack import database
from mailman_stack.entrypoint import Service
from mailman_stack.settings import Settings


def start(settings: Settings) -> None:
    database.wait_for(settings.web_database)
    execute_from_command_line(["django-admin", "run_qcluster"])


Service(name="qcluster", config="qcluster", start=start).run(sys.argv[1:])
