"""What uWSGI loads once, in its master, before it forks the processes that answer."""

import gc

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
# Django's own check of the settings; it loads every view too, whose memory is then shared.
call_command("check")
gc.collect()
gc.freeze()
