"""``run_qcluster``: django-q's cluster, with what its tasks need loaded before it forks."""

import gc

import hyperkitty.tasks  # noqa: F401 - loaded here so that all processes share its memory
from django.core.management import BaseCommand, call_command
from django.db import connections
from django.utils import timezone
from django_q.models import OrmQ

from mailman_stack.web import jobs, schema  # noqa: F401 - jobs as above


class Command(BaseCommand):
    """Wait for web's migrations, then become the cluster's first process."""

    help = __doc__
    requires_system_checks = ()  # they load every page's code; web runs them

    def handle(self, **_options: object) -> None:
        """Returns when the cluster has stopped."""
        schema.wait_until_current()
        self.stdout.write("qcluster: the schema is current, starting")
        # There is one cluster, and it starts now: what a killed one had begun is free again.
        OrmQ.objects.update(lock=timezone.now())
        connections.close_all()
        gc.collect()
        gc.freeze()
        call_command("qcluster")
