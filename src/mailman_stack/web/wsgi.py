"""What uWSGI loads once, in its master, before it forks the processes that answer."""

import gc

gc.disable()  # what is loaded until the fork stays

from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402

from mailman_stack import forking  # noqa: E402

application = get_wsgi_application()
# Django's own check of the settings; it loads every view too, whose memory is then shared.
call_command("check")
forking.share()
