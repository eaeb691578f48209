"""Django settings for upstream's tests: those of the stack, and what the tests cannot do without.

Upstream's own settings for tests have the same, where nothing else is said.
"""

import os

# Names that pytest and the tests bring along would be misspelt settings of the stack.
_foreign = ("PYTEST_VERSION", "PYTEST_CURRENT_TEST", "MAILMAN_EXTRA_TESTING_CFG")
_hidden = {name: os.environ.pop(name) for name in _foreign if name in os.environ}

from mailman_stack.web.settings import *  # noqa: E402, F403 - Django's way to extend settings
from mailman_stack.web.settings import DATABASES, Q_CLUSTER  # noqa: E402

os.environ |= _hidden

# Not upstream's: the web's user may not make a database, and it is this run's alone.
DATABASES["default"]["TEST"] = {"NAME": DATABASES["default"]["NAME"]}

# Tests ask for the current site without a request.
SITE_ID = 1

# The core that Postorius' tests start.
MAILMAN_REST_API_URL = "http://localhost:9001"

# Tests move STATIC_ROOT into an empty directory.
COMPRESS_ENABLED = COMPRESS_OFFLINE = False
COMPRESS_PRECOMPILERS = []

# Tests look at what tasks have done without waiting for it, and there is no qcluster.
Q_CLUSTER = {**Q_CLUSTER, "sync": True}

# Tests search for what they have just archived.
HAYSTACK_SIGNAL_PROCESSOR = "haystack.signals.RealtimeSignalProcessor"

# Tests of the pictures: off in the stack, on by default.
HYPERKITTY_ENABLE_GRAVATAR = True
