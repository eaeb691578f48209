"""What is compared, and how one of it is started, reached and watched."""

import json
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPConnection

from benchmarks.load import Sink
from tests.support import RUN
from tests.support.container import docker
from tests.support.stack import Stack

OUTSIDE = "benchmarks/compose.outside.yaml"
FIRST_NET = 28
OURS = ("compose.yaml", OUTSIDE, "benchmarks/compose.yaml")
UPSTREAM = (*OURS, "benchmarks/compose.upstream.yaml")
DEBIAN = (OUTSIDE, "benchmarks/compose.debian.yaml")
# Names with LOCAL_ are for the benchmark's own files.
SETTINGS = """\
MAIL_DOMAINS=lists.example.com
MAILMAN_ADMIN_EMAIL=admin@example.org
SERVE_FROM_DOMAIN=www.example.com
WEB_SCHEME=http
SMTP_HOST=sink
SMTP_PORT=2525
LOCAL_DIRECTORY={directory}
LOCAL_NET={net}
"""
MYSQL = 'MYSQL_PWD="$(cat /run/secrets/web_database_password)" mysql -h127.0.0.1 -uweb -Ne "$0" web'
SQLITE = 'sqlite3 /var/lib/mailman3/web/mailman3web.db "$0"'
NO_TASKS = "SELECT COUNT(*) = 0 FROM django_q_ormq"
# Of a task whose end met a locked SQLite the row stays: it is taken again 360 seconds after it was.
NO_TASKS_BUT_LOST = f"""{NO_TASKS}
    WHERE lock NOT BETWEEN datetime('now') AND datetime('now', '+330 seconds')"""

PSS = """
for process in /proc/[0-9]*; do
    [ $process = /proc/$$ ] && continue
    grep -qa -- "$0" $process/cmdline && grep ^Pss: $process/smaps_rollup
done 2>/dev/null
true
"""


@dataclass(frozen=True)
class Variant:
    """One way to run Mailman."""

    name: str
    title: str
    files: tuple[str, ...] = OURS
    settings: str = ""
    """Lines of its env file, besides SETTINGS."""

    pace: int = 1
    """How many times as many posts are sent, so that a faster one works as long as the others."""

    services: tuple[str, ...] = ("database", "core", "web", "qcluster", "mta")
    """Whose memory and time counts. One that is alone has all parts in it."""

    core_processes: str = ""
    """A word in the command lines of core's processes; empty: all of the service core are."""

    lmtp: str = "core"
    """Where core listens, seen from its own container."""

    python: tuple[str, ...] = ("python",)
    """Begins a command that runs Python as core's user, in core's container."""

    queue: str = "/var/lib/mailman/queue"
    archives: str = "http://web:8000/archives"
    """The URL of HyperKitty's pages, in the stack's network."""

    sql: str = MYSQL
    """Shell command, in the database's container, for a query ``$0`` of the web's schema."""

    no_tasks: str = NO_TASKS
    """The query that answers 1 when django-q has nothing left to do."""

    only_sends: bool = False
    """Whether it differs in its MTA alone."""


PARTS = ("database", "core", "web", "mta")  # the qcluster runs in web's container
VARIANTS = {
    variant.name: variant
    for variant in (
        Variant(
            "upstream",
            "upstream's defaults",
            UPSTREAM,
            settings="LOCAL_MAX_RECIPIENTS=10\nLOCAL_CRON=yes\n",
            services=PARTS,
        ),
        Variant("ours", "this stack", pace=5),
        Variant(
            "guide",
            "the Uberspace guide's settings",
            UPSTREAM,
            settings="LOCAL_MAX_RECIPIENTS=100\nLOCAL_WORKERS=4\n",
            services=PARTS,
        ),
        Variant(
            "debian",
            "Debian's mailman3-full",
            DEBIAN,
            services=("debian",),
            core_processes="mailman3/bin",
            lmtp="127.0.0.1",
            python=("setpriv", "--reuid=list", "--regid=list", "--init-groups", "python3"),
            queue="/var/lib/mailman3/queue",
            archives="http://web/hyperkitty",
            sql=SQLITE,
            no_tasks=NO_TASKS_BUT_LOST,
        ),
        Variant("exim", "this stack, Exim", settings="MTA=exim\n", pace=5, only_sends=True),
        Variant(
            "sendmail", "this stack, Sendmail", settings="MTA=sendmail\n", pace=5, only_sends=True
        ),
    )
}
COMPARED = ("upstream", "ours")
"""What the keys compare; the others are measured once, and not when it has to be quick."""


@dataclass(frozen=True)
class Bench(Stack):
    """A running variant."""

    variant: Variant = field(kw_only=True)

    @cached_property
    def sink(self) -> Sink:
        """What has left it."""
        return Sink(self.directory / "dump" / "mail")

    def service(self, part: str) -> str:
        """The service that has this part of Mailman."""
        services = self.variant.services
        return services[0] if len(services) == 1 and part in (*PARTS, "qcluster") else part

    def container(self, service: str) -> str:
        return super().container(self.service(service))

    def configure_verp(self, interval: int) -> None:
        """After every how many posts core sends one with VERP, from its next start on; 0: never."""
        lines = f"[mta]\nverp_delivery_interval: {interval}\n"
        (self.directory / "local" / "mailman.cfg").write_text(lines)

    def python(self, script: str, *arguments: object) -> None:
        """Run one of our scripts in core's container."""
        self.exec("core", *self.variant.python, f"/benchmarks/{script}", *map(str, arguments))

    def wait_in(self, part: str, condition: str, *arguments: str, every: float = 0.1) -> None:
        """Wait, inside a container, until a shell command succeeds."""
        loop = f"until {{ {condition}; }} 2>/dev/null; do sleep {every}; done"
        self.exec(part, "timeout", "900", "bash", "-c", loop, *arguments)

    def wait_core(self) -> None:
        """Wait until core's LMTP takes mail."""
        self.wait_in("core", f"exec 3<>/dev/tcp/{self.variant.lmtp}/8024")

    def wait_sql(self, query: str) -> None:
        """Wait until a query of the web's schema answers 1."""
        # Each look is a program and a connection with TLS: ten a second would be a third of a core.
        self.wait_in("database", f'[ "$({self.variant.sql})" = 1 ]', query, every=1)

    def settle(self) -> None:
        """Wait until core and the web interface have nothing left to do.

        :raises RuntimeError: when core has shunted a message.
        """
        queue = self.variant.queue
        waiting = f"find {queue} {queue}/../archives -name '*.[bp]?k' ! -path '*/shunt/*'"
        self.wait_in("core", f'[ -z "$({waiting})" ]')
        if shunted := self.exec("core", "find", f"{queue}/shunt", "-name", "*.pck"):
            raise RuntimeError(f"core has shunted {shunted}")
        self.wait_sql(self.variant.no_tasks)

    def pss_mib(self, part: str) -> float:
        """Proportional set size of a part's processes (proc_pid_smaps_rollup(5))."""
        words = self.variant.core_processes if part == "core" else ""
        # The container's own root may not read other users' processes.
        reader = ("run", "--rm", "--network=none", "--user=0", "--cap-add=SYS_PTRACE")
        beside = (f"--pid=container:{self.container(part)}", "mailman-stack/benchmark-tools")
        return kilobytes(docker(*reader, *beside, "sh", "-c", PSS, words)) / 1024

    def cpu_seconds(self) -> float:
        """Time that all processes of the stack have used so far, by the cgroups' counters."""
        return sum(cpu_seconds(self.container(service)) for service in self.variant.services)


class Engine(HTTPConnection):
    """The engine's API: the docker command shows no counters."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/var/run/docker.sock")


def cpu_seconds(container: str) -> float:
    """Time that all processes of a container have used, its healthchecks included."""
    engine = Engine("engine", timeout=30)
    engine.request("GET", f"/containers/{container}/stats?stream=false&one-shot=true")
    return int(json.load(engine.getresponse())["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9


def kilobytes(text: str) -> int:
    """The sum of the lines ``Pss:  123 kB``."""
    return sum(map(int, re.findall(r"^Pss: +(\d+) kB$", text, re.MULTILINE)))


@contextmanager
def prepared(variant: Variant) -> Iterator[Bench]:
    """Settings and secrets of a variant, not yet started; in the end nothing is left of it."""
    directory = RUN / "benchmark" / variant.name
    shutil.rmtree(directory, ignore_errors=True)
    for name in ("local", "dump"):
        (directory / name).mkdir(parents=True)
    (directory / "dump").chmod(0o777)  # the sink's user is another
    # RFC 2544's range, which no one's own network uses; several variants exist at a time.
    net = f"198.18.{FIRST_NET + [*VARIANTS].index(variant.name)}"
    settings = SETTINGS.format(directory=directory, net=net) + variant.settings
    (directory / "env").write_text(settings)
    project = f"mailman-stack-benchmark-{variant.name}"
    stack = Bench(project, directory, variant.files, variant=variant)
    stack.configure_verp(0)
    stack.create_secrets()
    try:
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout", "5")
