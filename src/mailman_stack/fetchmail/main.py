"""What runs in the container: gateway, sessions and reports, as threads of one process."""

import queue
import signal
import sys
import threading
from collections.abc import Callable

from mailman_stack import tls
from mailman_stack.fetchmail.account import accounts
from mailman_stack.fetchmail.gateway import Gateway
from mailman_stack.fetchmail.quarantine import Quarantine
from mailman_stack.fetchmail.report import report
from mailman_stack.fetchmail.session import STATES, fetch
from mailman_stack.settings import Settings


def start(settings: Settings) -> None:
    """Run until SIGTERM. All threads may be cut off: what was not finished is fetched again.

    :raises Exception: that of a thread which has died, so that Docker starts all of it anew.
    """
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    STATES.mkdir(exist_ok=True)
    trusted = tls.context(tls.authorities())
    quarantine = Quarantine(settings.sender, trusted)
    dead: queue.Queue[BaseException] = queue.Queue()

    def run(job: Callable[..., None], *arguments: object) -> None:
        def guarded() -> None:
            try:
                job(*arguments)
            except BaseException as error:  # noqa: BLE001 - raised again below
                dead.put(error)

        threading.Thread(target=guarded, daemon=True).start()

    for account in accounts(settings):
        gateway = Gateway(account, quarantine)
        run(gateway.serve_forever)
        run(fetch, account, gateway, settings.fetchmail_interval)
    run(report, settings, quarantine, trusted)
    raise dead.get()
