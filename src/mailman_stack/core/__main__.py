"""``python -m mailman_stack.core '{"DOMAIN": "URL", ...}'``: core, with its files rendered.

It is given the domains, and the URLs of their lists' pages.
"""

import gc
import sys

# What is loaded until the fork stays: to look for garbage in between is a tenth of the start.
gc.disable()

from mailman_stack.core.start import main  # noqa: E402 - loads all of Mailman

if __name__ == "__main__":
    main(sys.argv[1])
