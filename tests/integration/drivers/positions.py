"""Inside web's image: where the messages of a thread stand, by our code and by HyperKitty's.

Each line of standard input is {"parents": [[message, the one it answers or null], ...], "start":
message} as JSON, from the oldest to the newest; each line of output {"ours": ..., "upstream": ...}.
"""

import json
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from types import SimpleNamespace

import django

django.setup()

from hyperkitty.lib import analysis  # noqa: E402

from mailman_stack.web.positions import arrange  # noqa: E402

analysis.transaction = SimpleNamespace(atomic=nullcontext)  # there is no database


@dataclass
class Mail:
    """What HyperKitty's code looks at, and what it writes."""

    id: int
    parent_id: int | None
    thread_depth: int = 0
    thread_order: int | None = None

    def save(self, update_fields: list[str]) -> None:
        """There is no database."""


for line in sys.stdin:
    thread = json.loads(line)
    mails = [Mail(message, parent) for message, parent in thread["parents"]]
    start = next(mail for mail in mails if mail.id == thread["start"])
    emails = SimpleNamespace(order_by=lambda _name, mails=mails: mails)
    analysis.compute_thread_order_and_depth(SimpleNamespace(emails=emails, starting_email=start))
    upstream = {m.id: (m.thread_depth, m.thread_order) for m in mails if m.thread_order is not None}
    ours = arrange({mail.id: mail.parent_id for mail in mails}, start.id)
    print(json.dumps({"ours": ours, "upstream": upstream}), flush=True)
