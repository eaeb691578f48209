"""How fast a list post to 1,000 members leaves by each MTA, and what its image weighs; prints JSON.

The MTAs take turns in one stack, with everything else unchanged. Two rates for each, in deliveries
a second, medians of all rounds: of a post, from the 250 that its author gets to the last delivery;
and of the MTA alone, given a like message in the same transactions without Mailman. The mail goes
to Postfix's smtp-sink in an internal network. How to run it: docs/operations.md, "Measuring".
"""

import json
import shutil
import time
from collections import defaultdict
from statistics import median

from benchmarks.footprint import image_mb
from tests.conftest import ENV
from tests.support import RUN, wait
from tests.support.mail import message
from tests.support.stack import FILES, Stack

MTAS = ("postfix", "exim", "sendmail")
ROUNDS = 3
MEMBERS = 1000
LIST = "bench@lists.example.com"
AUTHOR = "author@example.org"

TEXT = "Ten words that stand for what people write. " * 40
DUMPED = """
    cat /dump/* 2>/dev/null | grep -c ^X-Rcpt-Args
    stat -c %.Y /dump/* 2>/dev/null | sort -n | tail -1
"""

SUBMIT = f"""
import smtplib
members = ["member-%d@outside.example" % number for number in range({MEMBERS})]
text = "From: {AUTHOR}\\nTo: {LIST}\\nSubject: raw\\n\\n{TEXT}\\n"
with smtplib.SMTP("mta", 10025) as smtp:
    for first in range(0, len(members), 500):
        smtp.sendmail("bench-bounces@lists.example.com", members[first:first + 500], text)
"""


def new_stack() -> Stack:
    directory = RUN / "benchmark"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    stack = Stack("mailman-stack-benchmark", directory, (*FILES, "benchmarks/compose.yaml"))
    choose(stack, MTAS[0])
    stack.create_secrets()
    return stack


def choose(stack: Stack, mta: str) -> None:
    """Have this MTA from the next start on."""
    (stack.directory / "env").write_text(f"{ENV}MTA={mta}\n")


def start(stack: Stack) -> None:
    stack.compose("up", "--detach", "--wait", "--wait-timeout", "300")


def make_list(stack: Stack) -> None:
    created = stack.rest.get_domain("lists.example.com").create_list("bench")
    created.settings.update({"send_welcome_message": False, "archive_policy": "never"})
    created.settings.save()
    members = f"seq -f member-%g@outside.example 0 {MEMBERS - 1}"
    stack.exec("core", "sh", "-c", f"{members} | mailman addmembers - {LIST}")
    created.subscribe(AUTHOR, pre_verified=True, pre_confirmed=True, pre_approved=True)
    created.get_member(AUTHOR).preferences["delivery_status"] = "by_user"
    created.get_member(AUTHOR).preferences.save()


def rate(stack: Stack, send: str) -> float:
    """Deliveries a second of one message, sent as `post` or `raw`."""
    stack.exec("sink", "sh", "-c", "rm -f /dump/*")
    begin = time.time()
    if send == "post":
        stack.post(message(AUTHOR, LIST, "Bench", TEXT))
        begin = time.time()
    else:
        stack.exec("core", "python", "-c", SUBMIT)

    def last() -> float:
        count, *newest = stack.exec("sink", "sh", "-c", DUMPED).split()
        return float(newest[0]) if int(count) >= MEMBERS else 0.0

    return MEMBERS / (wait.until("all have the post", last, seconds=180, every=0.5) - begin)


def main() -> None:
    stack = new_stack()
    rates: dict[str, list[float]] = defaultdict(list)
    try:
        start(stack)
        make_list(stack)
        for _ in range(ROUNDS):
            for mta in MTAS:
                choose(stack, mta)
                start(stack)
                for send in ("raw", "post"):
                    rates[f"{mta}_{send}_deliveries_per_second"].append(rate(stack, send))
    finally:
        stack.compose("down", "--volumes", "--timeout", "5")
    figures = {name: round(median(values), 1) for name, values in rates.items()}
    figures |= {f"{mta}_image_mb": round(image_mb(f"mailman-stack/{mta}")) for mta in MTAS}
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
