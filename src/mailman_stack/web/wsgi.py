"""What uWSGI loads once, in its master, before it forks the processes that answer."""

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

from mailman_stack import forking

application = get_wsgi_application()
# Django's own check of the settings; it loads every view too, whose memory is then shared.
call_command("check")
forking.share()
