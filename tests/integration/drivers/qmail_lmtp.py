"""Inside core's image: what its LMTP server makes of mail that qmail-lmtp hands it.

Each line of standard input is {"environment": {NAME: value}, "message": text} as JSON, each line of
output {"code": exit code, "said": text, "queued": [[queue, list, message], ...]}. The characters of
a message are its bytes (Latin 1).
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mailman.app.lifecycle import create_list
from mailman.config import config
from mailman.core.initialize import initialize
from mailman.database.transaction import transaction
from mailman.interfaces.domain import IDomainManager
from zope.component import getUtility

from mailman_stack.core.lmtp import Controller, Handler
from mailman_stack.core.once import Inbox

CONFIG = """
[mailman]
layout: test
[paths.test]
var_dir: /tmp/mailman
bin_dir: /opt/mailman-stack/bin
[mta]
incoming: mailman.mta.null.NullMTA
[archiver.hyperkitty]
enable: no
"""


def answer(given: dict[str, dict[str, str]]) -> dict[str, object]:
    done = subprocess.run(
        ["/scripts/qmail_lmtp.py", "8024", "1", "127.0.0.1"],
        input=str(given["message"]).encode("latin-1"), env=os.environ | given["environment"],
        capture_output=True, check=False,
    )  # fmt: skip
    return {"code": done.returncode, "said": done.stderr.decode(), "queued": list(queued())}


def queued() -> Iterator[tuple[str, str, str]]:
    """What is in the queues, which are empty then."""
    for name, queue in config.switchboards.items():
        for base in queue.files:
            message, data = queue.dequeue(base)
            queue.finish(base)
            yield name, data["listid"], message.as_bytes().decode("latin-1")


if __name__ == "__main__":
    path = Path("/tmp/mailman.cfg")  # noqa: S108 - a tmpfs of this container
    path.write_text(CONFIG)
    initialize(str(path))
    with transaction():
        getUtility(IDomainManager).add("lists.example.com")
        create_list("ant@lists.example.com")
    inbox = Inbox(Path(config.VAR_DIR, "lmtp"))
    server = Controller(Handler(inbox), hostname="127.0.0.1", port=8024)
    server.start()
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
    server.stop()
