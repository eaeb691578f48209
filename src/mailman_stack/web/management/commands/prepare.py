"""``prepare``: what must be true before the web interface answers; quick where it already is."""

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sites.models import Site
from django.core.management import BaseCommand, call_command
from django.db import transaction
from django.db.models import Q
from django_mailman3.models import MailDomain

from mailman_stack.settings import Settings, load
from mailman_stack.web import jobs, schema, search_indexes

PLACEHOLDER = "example.com"  # the row that django.contrib.sites makes
TITLE_LENGTH = 50  # of its column


class Command(BaseCommand):
    """Bring schema, cache table, search index, sites, administrator and schedules up to date."""

    help = __doc__
    requires_system_checks = ()  # mailman_stack.web.wsgi runs them

    def handle(self, **_options: object) -> None:
        """Safe to run at every start, by one process at a time."""
        stack = load("web")
        search_indexes.create()
        if schema.missing_migrations():
            schema.forget_unfinished_first_start()
            self.stdout.write(f"web: applying {len(schema.missing_migrations())} migrations")
            call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable")
        with transaction.atomic():
            write_sites(stack)
            create_administrator(stack)
            jobs.schedule()


def write_sites(stack: Settings) -> None:
    """One Site for each public host, and for each mail domain the Site that shows its lists."""
    if not Site.objects.filter(domain=stack.web_host).exists():
        placeholder = Site.objects.filter(domain=PLACEHOLDER, mailman_domains=None)
        placeholder.update(domain=stack.web_host, name=stack.web_host[:TITLE_LENGTH])
    sites = {
        host: Site.objects.get_or_create(domain=host, defaults={"name": host[:TITLE_LENGTH]})[0]
        for host in settings.WEB_HOSTS
    }
    for name, host in stack.domains:
        MailDomain.objects.update_or_create(mail_domain=name, defaults={"site": sites[host]})


def create_administrator(stack: Settings) -> None:
    """Make the administrator's account, unless there is one: it is the person's own from then on.

    It may have been renamed, so that any superuser counts.
    """
    users = get_user_model().objects
    if users.filter(Q(is_superuser=True) | Q(username=stack.mailman_admin_user)).exists():
        return
    user = users.create_superuser(
        stack.mailman_admin_user,
        stack.mailman_admin_email,
        stack.mailman_admin_password.get_secret_value(),
    )
    EmailAddress.objects.create(
        user=user, email=stack.mailman_admin_email, verified=True, primary=True
    )
