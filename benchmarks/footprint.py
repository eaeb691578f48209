"""How long the stack takes to its first mail, and what it weighs idle; prints JSON.

It uses the test stack's files, so that no mail can leave. It reads other processes' memory: run it
in the tests image with `--pid=host --cap-add=SYS_PTRACE` (docs/operations.md, "Measuring").
"""

import json
import re
import shutil
import subprocess
import time
from email.message import EmailMessage
from pathlib import Path

from mailmanclient import MailmanConnectionError

from tests.conftest import ENV
from tests.support import RUN, wait
from tests.support.mail import message
from tests.support.stack import Stack

MEMBER = "anne@example.org"
IDLE_SECONDS = 60
SERVICES = ("database", "core", "web", "qcluster", "mta")
IMAGES = ("core", "web", "postfix", "catcher")


def new_stack() -> Stack:
    """A project of its own, with settings and secrets as the tests' stack has them."""
    directory = RUN / "footprint"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / "env").write_text(ENV)
    stack = Stack("mailman-stack-footprint", directory)
    stack.create_secrets()
    return stack


def deliver(stack: Stack, name: str) -> None:
    """Post to a list and return when its member has the mail."""
    post = message(MEMBER, f"{name}@lists.example.com", "First mail")
    wait.until("the MTA takes mail", lambda: try_post(stack, post), seconds=120, every=0.05)
    stack.catcher.wait_delivered(post["Message-ID"], MEMBER, seconds=120)


def try_post(stack: Stack, post: EmailMessage) -> bool:
    try:
        stack.post(post)
    except OSError:
        return False
    return True


def try_create(stack: Stack, name: str) -> bool:
    try:
        created = stack.rest.get_domain("lists.example.com").create_list(name)
        created.subscribe(MEMBER, pre_verified=True, pre_confirmed=True, pre_approved=True)
    except MailmanConnectionError:
        return False
    return True


def seconds_to_first_mail(stack: Stack) -> float:
    """From `docker compose up` on empty volumes to the first delivered mail."""
    start = time.monotonic()
    stack.compose("up", "--detach")
    wait.until("core makes a list", lambda: try_create(stack, "first"), seconds=120, every=0.05)
    deliver(stack, "first")
    return time.monotonic() - start


def seconds_to_mail_after_restart(stack: Stack) -> float:
    """From `docker compose start` of a stopped stack to the next delivered mail."""
    stack.compose("stop")
    start = time.monotonic()
    stack.compose("start")
    deliver(stack, "first")
    return time.monotonic() - start


def pss_mib(stack: Stack, service: str) -> float:
    """Proportional set size of all processes of a container (proc_pid_smaps_rollup(5))."""
    table = ["docker", "top", stack.container(service), "-eo", "pid"]
    pids = subprocess.run(table, capture_output=True, check=True, text=True).stdout.split()[1:]
    sizes = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return sum(int(re.findall(r"^Pss: +(\d+)", size, re.MULTILINE)[0]) for size in sizes) / 1024


def image_mb(image: str) -> float:
    command = ["docker", "image", "inspect", "--format", "{{.Size}}", image]
    return int(subprocess.run(command, capture_output=True, check=True).stdout) / 1e6


def main() -> None:
    stack = new_stack()
    try:
        figures = {"first_mail_seconds": round(seconds_to_first_mail(stack), 1)}
        stack.wait_healthy(*SERVICES)
        figures["restart_seconds"] = round(seconds_to_mail_after_restart(stack), 1)
        stack.wait_healthy(*SERVICES)
        time.sleep(IDLE_SECONDS)
        pss = {service: round(pss_mib(stack, service)) for service in SERVICES}
        figures |= {f"idle_pss_mib_{service}": size for service, size in pss.items()}
        figures["idle_pss_mib"] = sum(pss.values())
    finally:
        stack.compose("down", "--volumes", "--timeout", "5")
    figures["image_mb_mysql"] = round(image_mb("mysql:9.7"))
    figures |= {f"image_mb_{name}": round(image_mb(f"mailman-stack/{name}")) for name in IMAGES}
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
