"""Django settings of this site, from the typed settings, then from the operator's own file."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from django.core.mail.utils import DNS_NAME

from mailman_stack.web.defaults import *  # noqa: F403 - Django's way to extend settings

# What reads and checks the typed settings is 12 MB, which Django's processes would keep.
if TYPE_CHECKING or "mailman_stack.settings" in sys.modules:
    from mailman_stack.web.typed import *  # noqa: F403
else:
    _command = [Path(sys.prefix, "bin", "python"), "-m", "mailman_stack.web.typed"]
    # With Python's variables alone: readline sets its own, which would be misspelt settings.
    _values = pickle.loads(subprocess.check_output(_command, env=os.environ))  # noqa: S301 - ours
    globals().update(_values)

# In Message-IDs and at EHLO: the container's own name is one that nobody knows.
DNS_NAME._fqdn = HOSTNAME  # noqa: F405, SLF001 - Django has no setting for it

if SETTINGS_LOCAL.is_file():  # noqa: F405
    _code = compile(SETTINGS_LOCAL.read_text(encoding="utf-8"), SETTINGS_LOCAL, "exec")  # noqa: F405
    exec(_code)  # noqa: S102 - the operator's
