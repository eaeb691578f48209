"""``jobs``: when each job last succeeded and when it runs next."""

from django.core.management import BaseCommand
from django.utils.timezone import localtime
from django_q.models import Schedule, Success

from mailman_stack.web.jobs import JOBS


class Command(BaseCommand):
    """Print a line for each job."""

    help = __doc__

    def handle(self, **_options: object) -> None:
        """Times are in the site's time zone."""
        for schedule in Schedule.objects.filter(name__in=JOBS).order_by("next_run"):
            success = Success.objects.filter(name=schedule.name).order_by("-stopped").first()
            last = f"{localtime(success.stopped):%Y-%m-%d %H:%M}" if success else "never"
            next_run = f"{localtime(schedule.next_run):%Y-%m-%d %H:%M}"
            self.stdout.write(f"{schedule.name:20} last success: {last:16}  next: {next_run}")
