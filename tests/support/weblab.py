"""A network with a database, web and qcluster, without the rest of the stack."""

import http.client
import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage, Message
from typing import Any, NamedTuple

import requests

from tests.support import ROOT, wait

IMAGE = "mailman-stack/web"
DATABASE = "mysql:9.7"
QCLUSTER = "/usr/local/lib/qcluster"
EX_CONFIG = 78
DRIVERS = ROOT / "tests" / "integration" / "drivers"
PAGES = "/tmp/pages"  # noqa: S108 - in web's container
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SITE = {
    "MAIL_DOMAINS": "lists.example.com,lists.example.org=www.example.org",
    "SERVE_FROM_DOMAIN": "www.example.com",
    "MAILMAN_ADMIN_EMAIL": "admin@example.com",
    "MAILMAN_ADMIN_PASSWORD": "first password",
    "SECRET_KEY": "key",
    "MAILMAN_REST_PASSWORD": "rest",
    "HYPERKITTY_API_KEY": "archive",
    "DATABASE_URL": "mysql://web:password@database/web",
}
HARDENED = (
    "--read-only",
    "--tmpfs=/tmp",
    "--tmpfs=/etc/uwsgi:uid=990,gid=990",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)


def docker(*arguments: str, stdin: bytes = b"") -> str:
    """Run the docker client and return what it prints, both streams together."""
    done = subprocess.run(
        ["docker", *arguments],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=120,
    )
    output = done.stdout.decode()
    assert done.returncode == 0, output
    return output


class Answer(NamedTuple):
    """What web answers to a request."""

    status: int
    headers: Message
    body: bytes


@dataclass(frozen=True)
class Container:
    """A container of the test's own."""

    name: str

    def inspect(self, template: str) -> str:
        return docker("inspect", f"--format={template}", self.name).strip()

    def logs(self) -> str:
        return docker("logs", self.name)

    def run(self, *command: str) -> str:
        return docker("exec", self.name, *command)

    def succeeds(self, *command: str) -> bool:
        return not subprocess.run(
            ["docker", "exec", self.name, *command], capture_output=True, check=False, timeout=60
        ).returncode

    def django(self, expression: str) -> object:
        """Evaluate one expression in Django's shell."""
        code = (
            "import json; from django.contrib.auth.models import User; "
            "from django.contrib.sites.models import Site; from django.core.cache import cache; "
            "from django.test import Client; from django.utils import timezone; "
            "from django_q.models import *; from django_q.tasks import async_task; "
            "from django_q.signing import SignedPackage; "
            "from hyperkitty import tasks as hyperkitty; from hyperkitty.models import *; "
            "from allauth.account.models import EmailAddress; "
            "from mailman_stack.web.queue import Broker; "
            f"from django_mailman3.models import MailDomain; print(json.dumps({expression}))"
        )
        return json.loads(self.run("django-admin", "shell", "--verbosity=0", "--command", code))

    def wait_for_end(self) -> int:
        """Return its exit code."""
        return int(docker("wait", self.name))

    def start_again(self, *, stop: str = "stop") -> None:
        docker(stop, self.name)
        docker("start", self.name)

    def output(self) -> str:
        return docker("logs", self.name)

    def address(self) -> str:
        return self.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")

    def archive(self, mlist: str, *mails: EmailMessage) -> None:
        """Hand in messages as core does."""
        for mail in mails:
            requests.post(
                f"http://{self.address()}:8000/archives/api/mailman/archive",
                data={"mlist": mlist},
                files={"message": ("message.txt", mail.as_bytes())},
                headers={"Host": "web:8000", "Authorization": "Token archive"},
                timeout=60,
            ).raise_for_status()

    def get(self, path: str, host: str = "www.example.com", **headers: str) -> "Answer":
        connection = http.client.HTTPConnection(self.address(), 8000, timeout=30)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(connection):
            connection.request("GET", path, headers={"Host": host, **names})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())


@dataclass
class Lab:
    """A network with a database, and the containers that a test adds."""

    id: str = field(default_factory=lambda: f"test-web-{uuid.uuid4().hex[:8]}")
    containers: list[str] = field(default_factory=list)

    def add(
        self, name: str, *options: str, image: str = IMAGE, command: tuple[str, ...] = ()
    ) -> Container:
        container = self.create(name, *options, image=image, command=command)
        docker("start", container.name)
        return container

    def create(self, name: str, *options: str, image: str, command: tuple[str, ...]) -> Container:
        full_name = f"{self.id}-{name}"
        self.containers.append(full_name)
        place = (f"--network={self.id}", f"--network-alias={name}", f"--hostname={name}")
        docker("create", f"--name={full_name}", *place, *options, image, *command)
        return Container(full_name)

    def database(self) -> Container:
        """Add an empty database and return once it can be used."""
        options = ("MYSQL_RANDOM_ROOT_PASSWORD=yes", "MYSQL_DATABASE=web", "MYSQL_USER=web")
        database = self.add(
            "database", *environment(options), "--env=MYSQL_PASSWORD=password", image=DATABASE
        )
        query = ("mysql", "-h127.0.0.1", "-uweb", "-ppassword", "-eSELECT 1", "web")
        wait.until("the database answers", lambda: database.succeeds(*query), seconds=90)
        return database

    def service(self, name: str = "web", **site: str) -> Container:
        # Tasks ask core, which is not there: to look for its name may take half a minute.
        no_core = "--add-host=core:127.0.0.1"
        options: tuple[str, ...] = (*HARDENED, no_core, f"--volume={self.id}:/var/lib/mailman-web")
        if name == "qcluster":
            options += (f"--entrypoint={QCLUSTER}/entrypoint.py",)
        return self.add(name, *options, *environment(f"{k}={v}" for k, v in (SITE | site).items()))

    def remove(self) -> None:
        for name in self.containers:
            docker("rm", "--force", "--volumes", name)
        self.containers.clear()
        docker("volume", "rm", "--force", self.id)


@contextmanager
def asked(container: Container) -> Iterator[Callable[[object], Any]]:
    """Start a program that answers each line of JSON with another; give what asks it."""
    with subprocess.Popen(
        ["docker", "start", "--attach", "--interactive", container.name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        stdin, stdout = process.stdin, process.stdout

        def ask(question: object) -> Any:
            stdin.write(json.dumps(question).encode() + b"\n")
            stdin.flush()
            return json.loads(stdout.readline())

        yield ask
        stdin.close()


def environment(assignments: Iterator[str] | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"--env={assignment}" for assignment in assignments)


@contextmanager
def paused(container: Container) -> Iterator[None]:
    docker("pause", container.name)
    try:
        yield
    finally:
        docker("unpause", container.name)


@contextmanager
def nothing_queued(web: Container, qcluster: Container) -> Iterator[None]:
    """What is queued meanwhile is never done."""
    with paused(qcluster):
        web.django("OrmQ.objects.all().delete() and None")
        yield
        web.django("OrmQ.objects.all().delete() and None")


def settled(web: Container) -> None:
    """Wait until the tasks that follow from messages have run."""
    queued = "sum('hyperkitty.tasks' in row.func() for row in OrmQ.objects.all())"
    wait.until("nothing is queued", lambda: web.django(queued) == 0, every=1)
