"""``python -m mailman_stack.core``: core, which loads while another process writes its files.

That one reads the settings, and leaves nothing of it behind: the runners would keep 10 MB.
"""

import gc
import os
import signal
import subprocess
import sys

ENTRYPOINT = "entrypoint.py"

if sys.argv[1:]:
    os.execvp(ENTRYPOINT, [ENTRYPOINT, *sys.argv[1:]])
# The kernel keeps SIGTERM from a first process that does not handle it (pid_namespaces(7)).
signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
writing = subprocess.Popen([ENTRYPOINT])
# What is loaded until the fork stays: to look for garbage in between is a tenth of the start.
gc.disable()

from mailman_stack.core.start import main  # noqa: E402 - loads all of Mailman

if status := writing.wait():
    sys.exit(status)
main()
