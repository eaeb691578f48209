"""The web interface as docker-mailman starts it; static files and messages are in the image."""

import os

import django
from django.core.management import call_command

from mailman_stack import database
from mailman_stack.settings import load

settings = load("web")
database.wait_for(settings.web_database)
django.setup()
call_command("migrate", verbosity=0)

from django.contrib.sites.models import Site  # noqa: E402 - not before setup
from django_mailman3.models import MailDomain  # noqa: E402

site = Site.objects.get(pk=1)
site.domain = site.name = settings.web_host
site.save()
for domain in settings.domains:
    MailDomain.objects.get_or_create(mail_domain=domain.name, defaults={"site": site})
os.execvp("uwsgi", ["uwsgi", "--ini", "/benchmarks/upstream/uwsgi.ini"])
