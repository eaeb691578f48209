"""The web image as web and as qcluster, with a real database and without the rest of the stack."""

import http
import http.client
import io
import json
import signal
import subprocess
import tarfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage, Message
from typing import NamedTuple

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import ROOT, wait
from tests.support.mail import message

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
SAME_VALUES = """
import importlib, json, os, sys
from mailman_stack.web import typed as settings
for line in sys.stdin:
    os.environ.update(json.loads(line))
    importlib.reload(settings)
    values = {
        "SECRET_KEY": settings.SECRET_KEY,
        "HYPERKITTY_API_KEY": settings.MAILMAN_ARCHIVER_KEY,
        "MAILMAN_REST_USER": settings.MAILMAN_REST_API_USER,
        "MAILMAN_REST_PASSWORD": settings.MAILMAN_REST_API_PASS,
        "WEB_DATABASE_PASSWORD": settings.DATABASES["default"]["PASSWORD"],
    }
    print(json.dumps(values), flush=True)
"""
MISSING_STATIC_FILES = """
import re
from pathlib import Path
import django
django.setup()
from django.apps import apps
from django.contrib.staticfiles.storage import staticfiles_storage
for app in ("django_mailman3", "hyperkitty", "postorius"):
    for page in Path(apps.get_app_config(app).path, "templates").rglob("*.html"):
        for name in re.findall(r"{% *static +['\\"]([^'\\"]+[^/])['\\"]", page.read_text()):
            if staticfiles_storage.stored_name(name) == name:
                print(page, name)
"""


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
        options: tuple[str, ...] = (*HARDENED, f"--volume={self.id}:/var/lib/mailman-web")
        if name == "qcluster":
            options += (f"--entrypoint={QCLUSTER}/entrypoint.py",)
        return self.add(name, *options, *environment(f"{k}={v}" for k, v in (SITE | site).items()))

    def remove(self) -> None:
        for name in self.containers:
            docker("rm", "--force", "--volumes", name)
        self.containers.clear()
        docker("volume", "rm", "--force", self.id)


def environment(assignments: Iterator[str] | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"--env={assignment}" for assignment in assignments)


@pytest.fixture(scope="module")
def make_lab() -> Iterator[Callable[[], Lab]]:
    labs: list[Lab] = []

    def make() -> Lab:
        lab = Lab()
        docker("network", "create", "--internal", lab.id)
        labs.append(lab)
        return lab

    yield make
    for lab in labs:
        lab.remove()
        docker("network", "rm", lab.id)


@pytest.fixture(scope="module")
def lab(make_lab: Callable[[], Lab]) -> Lab:
    """With a database, qcluster and web; qcluster is there first, and has to wait."""
    lab = make_lab()
    lab.database()
    lab.service("qcluster")
    lab.service("web")
    return lab


@pytest.fixture
def web(lab: Lab) -> Container:
    web = Container(f"{lab.id}-web")
    wait.until("web is healthy", lambda: web.succeeds("healthcheck"), seconds=120)
    return web


@pytest.fixture
def qcluster(lab: Lab) -> Container:
    return Container(f"{lab.id}-qcluster")


@pytest.fixture
def apart(make_lab: Callable[[], Lab]) -> Lab:
    """Without a database."""
    return make_lab()


@pytest.fixture(scope="module")
def same_values(make_lab: Callable[[], Lab]) -> Iterator[Callable[[Mapping[str, str]], object]]:
    """Hands variables to Django's settings and returns what they have become."""
    lab = make_lab()
    site = SITE | {"DATABASE_URL": "", "WEB_DATABASE_PASSWORD": "database"}
    options = environment(f"{name}={value}" for name, value in site.items())
    command = ("python", "-c", SAME_VALUES)
    container = lab.create("values", "--interactive", *options, image=IMAGE, command=command)
    with subprocess.Popen(
        ["docker", "start", "--attach", "--interactive", container.name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        stdin, stdout = process.stdin, process.stdout

        def ask(variables: Mapping[str, str]) -> object:
            stdin.write(json.dumps(variables).encode() + b"\n")
            stdin.flush()
            return json.loads(stdout.readline())

        yield ask
        stdin.close()


def values(characters: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    text = st.text(characters, min_size=1, max_size=60)
    return text.filter(lambda value: value == value.strip())


TEXT = values(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")))
ASCII = values(st.characters(min_codepoint=0x20, max_codepoint=0x7E))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {
            "SECRET_KEY": TEXT,
            "HYPERKITTY_API_KEY": ASCII.filter(lambda text: " " not in text),
            "MAILMAN_REST_PASSWORD": ASCII,
            "MAILMAN_REST_USER": ASCII.filter(lambda text: ":" not in text),
            "WEB_DATABASE_PASSWORD": TEXT,
        }
    )
)
def test_values_arrive_unchanged(
    same_values: Callable[[Mapping[str, str]], object], variables: dict[str, str]
) -> None:
    assert same_values(variables) == variables


def test_every_wrong_setting_is_named(apart: Lab) -> None:
    web = apart.service(WEB_SCHEME="gopher", UWSGI_TREADS="3", TZ="Mars/Olympus")
    assert web.wait_for_end() == EX_CONFIG
    for name in ("WEB_SCHEME", "UWSGI_TREADS", "TZ"):
        assert f"web: {name}" in web.logs()


def file(name: str, text: str) -> bytes:
    """Make a tar archive with one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(text.encode()), 0o644
        tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def test_uwsgi_checks_its_file(apart: Lab) -> None:
    options = (HARDENED[2], *environment(f"{name}={value}" for name, value in SITE.items()))
    web = apart.create("web", *options, image=IMAGE, command=())
    template = file("etc/uwsgi/uwsgi.ini.j2", "[uwsgi]\nstrict = true\nprocceses = 2\n")
    docker("cp", "-", f"{web.name}:/usr/share/mailman-stack/config/web", stdin=template)
    docker("start", web.name)
    assert web.wait_for_end() == EX_CONFIG
    assert "unknown config directive: procceses" in web.logs()


def test_settings_local(apart: Lab) -> None:
    options = environment(f"{name}={value}" for name, value in SITE.items())
    code = (
        "import readline; "  # as an interactive Python does; it sets variables
        "from django.conf import settings as s; print(s.INSTALLED_APPS[-1], s.TIME_ZONE)"
    )
    container = apart.create("local", *options, image=IMAGE, command=("python", "-c", code))
    text = 'INSTALLED_APPS += ["django.contrib.syndication"]\nTIME_ZONE = "Asia/Tokyo"\n'
    local = file("settings_local.py", text)
    docker("cp", "-", f"{container.name}:/etc/mailman-stack/local", stdin=local)
    docker("start", container.name)
    assert container.wait_for_end() == 0
    assert container.logs().split() == ["django.contrib.syndication", "Asia/Tokyo"]


def test_no_page_names_a_static_file_that_is_missing(web: Container) -> None:
    assert web.run("python", "-c", MISSING_STATIC_FILES) == ""


def test_static_files_are_compressed_and_kept_for_ever(web: Container) -> None:
    page = web.get("/archives/").body.decode()
    style = page.split('<link rel="stylesheet" href="')[1].split('"')[0]
    answer = web.get(style, Accept_Encoding="gzip")
    assert answer.status == http.HTTPStatus.OK
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Vary"] == "Accept-Encoding"


def test_a_static_name_without_hash_is_not_kept_for_ever(web: Container) -> None:
    answer = web.get("/static/hyperkitty/js/hyperkitty-common.js", Accept_Encoding="gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Cache-Control"] is None


def test_each_domain_has_its_site(web: Container) -> None:
    rows = web.django("list(MailDomain.objects.values_list('mail_domain', 'site__domain'))")
    assert rows == [
        ["lists.example.com", "www.example.com"],
        ["lists.example.org", "www.example.org"],
    ]
    assert web.django("Site.objects.filter(domain='example.com').exists()") is False


@pytest.mark.parametrize(
    ("domain", "host"), [("com", "www.example.com"), ("org", "www.example.org")]
)
def test_archive_links_lead_to_the_domains_host(web: Container, domain: str, host: str) -> None:
    query = f"/archives/api/mailman/urls?mlist=ant@lists.example.{domain}"
    answer = web.get(query, "web:8000", Authorization="Token archive")
    url = f"https://{host}/archives/list/ant@lists.example.{domain}/"
    assert json.loads(answer.body) == {"url": url}


def test_archive_links_are_http_where_browsers_use_it(web: Container) -> None:
    code = (
        "import django; django.setup(); from django.test import Client; "
        "url = '/archives/api/mailman/urls?mlist=ant@lists.example.com'; "
        "headers = {'Host': 'web:8000', 'Authorization': 'Token archive'}; "
        "print(Client().get(url, headers=headers).content.decode())"
    )
    answer = docker("exec", "--env=WEB_SCHEME=http", web.name, "python", "-c", code)
    url = "http://www.example.com/archives/list/ant@lists.example.com/"
    assert json.loads(answer) == {"url": url}


def test_the_archive_api_wants_the_key(web: Container) -> None:
    answer = web.get("/archives/api/mailman/urls?mlist=a@b", "web:8000", Authorization="Token x")
    assert answer.status == http.HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize(
    ("host", "status"),
    [("www.example.com", 200), ("www.example.org", 200), ("localhost", 200), ("example.net", 400)],
)
def test_only_known_hosts_are_served(web: Container, host: str, status: int) -> None:
    assert web.get("/archives/", host).status == status


def test_behind_a_tls_proxy(web: Container) -> None:
    secure = web.get("/accounts/login/", X_Forwarded_Proto="https")
    assert "max-age=" in secure.headers["Strict-Transport-Security"]
    assert "Secure" in secure.headers["Set-Cookie"]
    assert web.get("/accounts/login/").headers["Strict-Transport-Security"] is None


def test_the_administrator_is_made_once(web: Container) -> None:
    address = "EmailAddress.objects.values_list('email', 'verified', 'primary').get()"
    assert web.django(address) == ["admin@example.com", True, True]
    check = "User.objects.get(is_superuser=True).check_password('{}')"
    assert web.django(check.format("first password")) is True
    web.django(
        "[(user.set_password('second'), setattr(user, 'username', 'root'), user.save())"
        " for user in User.objects.filter(username='admin')] and None"
    )
    web.start_again()
    wait.until("web is healthy again", lambda: web.succeeds("healthcheck"))
    assert web.django(check.format("second")) is True
    assert web.django("User.objects.count()") == 1


def test_qcluster_works(web: Container, qcluster: Container) -> None:
    wait.until("a heartbeat", lambda: qcluster.succeeds(f"{QCLUSTER}/healthcheck"))
    done = "Success.objects.filter(name='search-index').exists()"
    wait.until("the index job has run", lambda: web.django(done), seconds=90, every=1)
    jobs = qcluster.run("django-admin", "jobs")
    assert "search-index         last success: 2" in jobs
    assert "hyperkitty-yearly    last success: never" in jobs


def test_a_job_is_scheduled_once(web: Container) -> None:
    names = web.django("list(Schedule.objects.values_list('name', flat=True))")
    assert isinstance(names, list)
    assert len(names) == len(set(names)) == 7


def test_what_a_killed_cluster_had_begun_is_done_again(web: Container, qcluster: Container) -> None:
    docker("kill", qcluster.name)
    web.run(
        "django-admin", "shell", "--verbosity=0", "--command",
        "import datetime; from django.utils import timezone; from django_q.models import OrmQ; "
        "from django_q.tasks import async_task; "
        "async_task('math.floor', 1.5, task_name='begun'); "
        "OrmQ.objects.update(lock=timezone.now() + datetime.timedelta(hours=1))",
    )  # fmt: skip
    docker("start", qcluster.name)
    done = "Success.objects.filter(name='begun').exists()"
    wait.until("the task has run", lambda: web.django(done), seconds=60, every=1)


@pytest.mark.usefixtures("web")
@pytest.mark.parametrize("service", ["web", "qcluster"])
def test_sigterm_ends_it_at_once(lab: Lab, service: str) -> None:
    container = Container(f"{lab.id}-{service}")
    docker("stop", "--time=30", container.name)
    assert container.inspect("{{.State.ExitCode}}") == "0"
    docker("start", container.name)


def test_health_needs_the_database(lab: Lab, web: Container) -> None:
    database = f"{lab.id}-database"
    docker("pause", database)
    try:
        assert not web.succeeds("healthcheck")
    finally:
        docker("unpause", database)
    wait.until("web is healthy again", lambda: web.succeeds("healthcheck"))


def test_a_first_start_that_was_killed_is_begun_again(apart: Lab) -> None:
    database = apart.database()
    web = apart.service()
    query = "mysql -h127.0.0.1 -uweb -ppassword -e 'SELECT 1 FROM hyperkitty_email' web"
    wait.until("half is there", lambda: database.succeeds("sh", "-c", query), every=0.02)
    web.start_again(stop="kill")
    wait.until("web is healthy", lambda: web.succeeds("healthcheck"), seconds=60)


# -- What is archived


def test_a_first_start_that_is_told_to_stop_ends_after_the_migrations(apart: Lab) -> None:
    apart.database()
    web = apart.service()
    wait.until("migrations begin", lambda: "applying" in web.output(), every=0.1)
    docker("stop", "--time=60", web.name)
    assert web.inspect("{{.State.ExitCode}}") == str(128 + signal.SIGTERM)
    assert "Starting uWSGI" not in web.output()
    docker("start", web.name)
    wait.until("web is healthy", lambda: web.succeeds("healthcheck"), seconds=60)
    assert web.output().count("applying") == 1


@pytest.fixture
def mlist(web: Container, unique: str) -> str:
    """A list that everybody may read."""
    name = f"{unique}@lists.example.com"
    web.django(f"MailingList.objects.create(name='{name}', archive_policy=2).pk")
    return name


def reply(mail: EmailMessage, sender: str, text: str = "I agree.\n") -> EmailMessage:
    answer = message(sender, mail["To"], f"Re: {mail['Subject']}", text)
    answer["In-Reply-To"] = mail["Message-ID"]
    return answer


def thread_of(web: Container, mlist: str) -> str:
    """The path of the list's only thread."""
    thread = web.django(f"Thread.objects.get(mailinglist__name='{mlist}').thread_id")
    return f"/archives/list/{mlist}/thread/{thread}/"


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


def test_a_thread_is_right_without_any_task(
    web: Container, qcluster: Container, mlist: str
) -> None:
    first = message("anne@example.org", mlist, "Ants")
    second = reply(first, "bart@example.org", "The second.\n")
    third = reply(first, "anne@example.org", "The third.\n")
    below = reply(second, "cris@example.org", "Below the second.\n")
    with paused(qcluster):
        web.archive(mlist, first, second, third)
        web.get(thread_of(web, mlist))
        web.archive(mlist, below)
        robot = web.get(thread_of(web, mlist), User_Agent="Googlebot/2.1").body.decode()
    assert robot.index("The second.") < robot.index("Below the") < robot.index("The third.")
    assert "3 comments" in robot
    assert "3 participants" in robot


def test_an_answer_that_comes_first_joins_its_thread(
    web: Container, qcluster: Container, mlist: str
) -> None:
    first = message("anne@example.org", mlist, "Ants")
    answer = reply(first, "bart@example.org")
    with paused(qcluster):
        web.archive(mlist, answer, first)
        page = web.get(thread_of(web, mlist)).body.decode()
    assert "1 comments" in page
    assert "2 participants" in page


def test_what_follows_from_several_messages_is_done_once(
    web: Container, qcluster: Container, mlist: str
) -> None:
    with nothing_queued(web, qcluster):
        mails = [message("anne@example.org", mlist, f"Ants {number}") for number in range(3)]
        web.archive(mlist, *mails)
        tasks = "sorted(task['name'] for task, *_ in Broker().take(100))"
        rows_and_tasks = web.django(f"[OrmQ.objects.count(), {tasks}]")
    names = [
        "rebuild_mailinglist_cache_for_month",
        "rebuild_mailinglist_cache_recent",
        "sender_mailman_id",
        "update_from_mailman",
    ]
    assert rows_and_tasks == [3 * len(names), names]


def test_who_posts_most_comes_first(web: Container, mlist: str) -> None:
    authors = ["anne@example.com", "bart@example.com", "bart@example.com", "cris@example.com"]
    web.archive(mlist, *(message(author, mlist, "Hello") for author in authors))
    posters = f"MailingList.objects.get(name={mlist!r}).top_posters"
    shown = f"[[one['address'], one['count']] for one in {posters}]"
    counts = [["bart@example.com", 2], ["anne@example.com", 1], ["cris@example.com", 1]]
    wait.until("all are counted", lambda: web.django(shown) == counts, seconds=60, every=1)


def test_what_fails_after_a_message_is_queued(web: Container, qcluster: Container) -> None:
    code = (
        "import django; django.setup(); from hyperkitty import tasks; "
        "from mailman_stack.web.archiving import follow; "
        "follow([{'name': 'fails', 'func': tasks._compute_thread_positions, 'args': (0,)}])"
    )
    with nothing_queued(web, qcluster):
        web.run("python", "-c", code)
        assert web.django("[row.name() for row in OrmQ.objects.all()]") == ["fails"]


def test_what_the_archive_cannot_take_is_refused(
    web: Container, qcluster: Container, mlist: str
) -> None:
    mail = message(f"{'Anne ' * 60}<anne@example.org>", mlist, "Ants")
    with nothing_queued(web, qcluster):
        with pytest.raises(requests.HTTPError, match="400") as caught:
            web.archive(mlist, mail)
        answer = caught.value.response
        assert answer is not None
        assert "too long" in answer.text
        assert web.django("OrmQ.objects.count()") == 0


@pytest.fixture(scope="module")
def arranged(make_lab: Callable[[], Lab]) -> Iterator[Callable[[object], dict[str, object]]]:
    """Hands a thread to the driver ``positions`` and returns its answer."""
    lab = make_lab()
    options = environment(f"{name}={value}" for name, value in SITE.items())
    command = ("python", "-c", (DRIVERS / "positions.py").read_text())
    container = lab.create("positions", "--interactive", *options, image=IMAGE, command=command)
    with subprocess.Popen(
        ["docker", "start", "--attach", "--interactive", container.name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        stdin, stdout = process.stdin, process.stdout

        def ask(thread: object) -> dict[str, object]:
            stdin.write(json.dumps(thread).encode() + b"\n")
            stdin.flush()
            answer: dict[str, object] = json.loads(stdout.readline())
            return answer

        yield ask
        stdin.close()


@st.composite
def threads(draw: st.DrawFn) -> dict[str, object]:
    """Any message may answer any, itself and one that is elsewhere included."""
    messages = draw(st.permutations(range(draw(st.integers(1, 12)))))
    parent = st.none() | st.integers(0, len(messages))
    return {
        "parents": [[message, draw(parent)] for message in messages],
        "start": draw(st.sampled_from(messages)),
    }


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(thread=threads())
def test_messages_stand_where_hyperkitty_puts_them(
    arranged: Callable[[object], dict[str, object]], thread: dict[str, object]
) -> None:
    answer = arranged(thread)
    assert answer["ours"] == answer["upstream"]


# -- Pages that are kept for strangers


def settled(web: Container) -> None:
    """Wait until the tasks that follow from messages have run."""
    queued = "sum('hyperkitty.tasks' in row.func() for row in OrmQ.objects.all())"
    wait.until("nothing is queued", lambda: web.django(queued) == 0, every=1)


def rename_unseen(web: Container, mlist: str, name: str = "Renamed") -> None:
    """Change what all pages of a list show, in a way that no signal tells of."""
    web.django(f"MailingList.objects.filter(name='{mlist}').update(display_name='{name}')")


def session_of_administrator(web: Container) -> str:
    user = "User.objects.get(is_superuser=True)"
    key = f"[c := Client(), c.force_login({user}), c.cookies['sessionid'].value][2]"
    return f"sessionid={web.django(key)}"


@pytest.fixture
def page(web: Container, mlist: str) -> str:
    """The path of a page that the next stranger's will be kept of."""
    web.archive(mlist, message("anne@example.org", mlist, "Ants"))
    settled(web)
    return f"/archives/list/{mlist}/latest"


def test_a_page_is_kept_until_a_message_comes(web: Container, mlist: str, page: str) -> None:
    before = web.get(page).body
    rename_unseen(web, mlist)
    assert web.get(page).body == before
    web.archive(mlist, message("anne@example.org", mlist, "Bees"))
    after = web.get(page).body.decode()
    assert "Renamed" in after
    assert "Bees" in after


def test_the_overview_of_lists_is_kept_until_a_message_comes(
    web: Container, mlist: str, page: str
) -> None:
    before = web.get("/archives/").body
    rename_unseen(web, mlist)
    assert web.get("/archives/").body == before
    web.archive(mlist, message("anne@example.org", mlist, "Bees"))
    assert "Renamed" in web.get("/archives/").body.decode()
    assert page


def test_a_page_is_not_kept_of_what_is_deleted(web: Container, mlist: str, page: str) -> None:
    assert "Ants" in web.get(page).body.decode()
    web.django(f"[mail.delete() for mail in Email.objects.filter(mailinglist__name='{mlist}')][1:]")
    assert "Ants" not in web.get(page).body.decode()


def test_a_list_that_becomes_private_has_no_page_for_strangers(
    web: Container, mlist: str, page: str
) -> None:
    assert web.get(page).status == http.HTTPStatus.OK
    web.django(
        "[(setattr(mlist, 'archive_policy', 1), mlist.save())"
        f" for mlist in MailingList.objects.filter(name='{mlist}')] and None"
    )
    assert web.get(page).status == http.HTTPStatus.FORBIDDEN
    assert web.get(page, Cookie=session_of_administrator(web)).status == http.HTTPStatus.OK
    assert web.get(page).status == http.HTTPStatus.FORBIDDEN
    assert mlist not in web.get("/archives/").body.decode()


@pytest.mark.parametrize("cookie", ["", "unknown=1", "django_language=de", "messages=x"])
def test_who_sends_a_cookie_neither_gets_nor_leaves_a_page(
    web: Container, mlist: str, page: str, cookie: str
) -> None:
    cookie = cookie or session_of_administrator(web)
    mine = web.get(page, Cookie=cookie).body
    strangers = web.get(page).body
    assert strangers != mine
    rename_unseen(web, mlist)
    assert "Renamed" in web.get(page, Cookie=cookie).body.decode()
    assert web.get(page).body == strangers


def test_a_page_is_kept_under_the_lists_own_name_alone(
    web: Container, mlist: str, page: str
) -> None:
    for alias in (mlist.upper(), mlist.replace("lists", "l%C3%AFsts")):
        path = page.replace(mlist, alias)
        before = web.get(path)
        assert before.status == http.HTTPStatus.OK
        for name in ("One", "Two"):
            rename_unseen(web, mlist, name)
            assert name in web.get(path).body.decode()


def test_a_page_that_cannot_be_kept_is_shown(web: Container, mlist: str, page: str) -> None:
    web.get(page)
    web.run("chmod", "500", PAGES)
    try:
        web.archive(mlist, message("anne@example.org", mlist, "Bees"))
        assert "Bees" in web.get(page).body.decode()
    finally:
        web.run("chmod", "700", PAGES)


def test_a_large_page_is_not_kept(web: Container, mlist: str) -> None:
    web.archive(mlist, message("anne@example.org", mlist, "Ants", "Many ants.\n" * 30_000))
    settled(web)
    page = thread_of(web, mlist)
    assert len(web.get(page, User_Agent=BROWSER).body) > 2**18
    rename_unseen(web, mlist)
    assert "Renamed" in web.get(page, User_Agent=BROWSER).body.decode()


def test_who_has_logged_in_is_known_on_kept_pages(web: Container, page: str) -> None:
    assert "/accounts/logout/" not in web.get(page).body.decode()
    mine = web.get(page, Cookie=session_of_administrator(web)).body.decode()
    assert "/accounts/logout/" in mine


def test_a_page_is_kept_in_each_language(web: Container, page: str) -> None:
    pages = {language: web.get(page, Accept_Language=language) for language in ("en", "de", "fr")}
    for language, answer in pages.items():
        assert f'<html lang="{language}">' in answer.body.decode()
        again = web.get(page, Accept_Language=language)
        assert (again.body, again.headers["Content-Language"]) == (answer.body, language)


def test_robots_and_browsers_get_their_own(web: Container, mlist: str) -> None:
    first = message("anne@example.org", mlist, "Ants")
    web.archive(mlist, first, reply(first, "bart@example.org", "Nobody fetches this later.\n"))
    settled(web)
    page = thread_of(web, mlist)
    for _ in range(2):
        assert "fetches this" in web.get(page, User_Agent="Googlebot/2.1").body.decode()
        assert "fetches this" not in web.get(page, User_Agent=BROWSER).body.decode()


def test_no_token_is_shared(web: Container, mlist: str) -> None:
    web.archive(mlist, message("anne@example.org", mlist, "Ants"))
    thread = thread_of(web, mlist)
    strangers = web.get(thread, User_Agent=BROWSER)
    assert "csrfmiddlewaretoken" not in strangers.body.decode()
    assert strangers.headers["Set-Cookie"] is None
    mine = web.get(thread, User_Agent=BROWSER, Cookie=session_of_administrator(web))
    assert "csrfmiddlewaretoken" in mine.body.decode()
    assert "csrftoken=" in mine.headers["Set-Cookie"]


def test_no_answer_promises_another_on_the_same_connection(web: Container) -> None:
    assert web.get("/healthz").headers["Connection"] == "close"


# -- Cluster and cache


def run_task(web: Container, *arguments: object, **options: object) -> None:
    words = ", ".join(map(repr, arguments))
    web.django(f"async_task({words}, q_options={options!r})")


def test_a_task_begins_at_once(web: Container, qcluster: Container, unique: str) -> None:
    wait.until("a heartbeat", lambda: qcluster.succeeds(f"{QCLUSTER}/healthcheck"))
    settled(web)  # tasks that ask core, which is not there, hold up others
    run_task(web, "math.floor", 1.5, task_name=unique)
    tasks = f"Success.objects.filter(name='{unique}')"
    seconds = f"[(task.stopped - task.started).total_seconds() for task in {tasks}]"
    taken = wait.until("it has run", lambda: web.django(seconds))
    assert taken[0] < 5  # type: ignore[index]


def test_a_task_that_hangs_or_dies_holds_up_no_other(web: Container, unique: str) -> None:
    run_task(web, "time.sleep", 600, task_name=f"{unique}-hangs", timeout=2, ack_failure=True)
    run_task(web, "os.abort", task_name=f"{unique}-dies")
    run_task(web, "math.floor", 1.5, task_name=unique)
    done = f"Success.objects.filter(name='{unique}').exists()"
    wait.until("the last has run", lambda: web.django(done), every=1)
    failed = f"Failure.objects.filter(name='{unique}-hangs').exists()"
    wait.until("the first has failed", lambda: web.django(failed), every=1)
    web.django("OrmQ.objects.all().delete() and None")


def test_at_sigterm_a_task_ends_and_the_next_does_not_begin(web: Container) -> None:
    code = """
import time
import django
django.setup()
from mailman_stack.web.cluster import Child
from mailman_stack.web.queue import Due
task = {"id": "0" * 32, "name": "sleeps", "func": "time.sleep", "args": (1,), "kwargs": {}}
child = Child.fork([Due(task | {"save": False}, [], True)] * 3)
child.progress.poll(None)
child.process.terminate()
child.process.join()
print(child.has_ended(), len(child.rest), child.process.exitcode)
"""
    assert web.run("python", "-c", code).split() == ["True", "2", "0"]


def test_a_task_that_nobody_can_read_does_no_harm(
    web: Container, qcluster: Container, unique: str
) -> None:
    with nothing_queued(web, qcluster):
        pass
    web.django(
        "[OrmQ.objects.create(key=Broker().list_key, payload='x', lock=timezone.now()), "
        "async_task(hyperkitty._check_orphans, ['no number'], q_options={'ack_failure': True}), "
        f"async_task('math.floor', 1.5, q_options={{'task_name': '{unique}'}})] and None"
    )
    done = f"Success.objects.filter(name='{unique}').exists() and not OrmQ.objects.exists()"
    wait.until("nothing is queued", lambda: web.django(done), every=1)


def test_a_failure_that_is_mended_is_none(web: Container, unique: str) -> None:
    web.django(
        "[task := {'func': hyperkitty._check_orphans, 'args': (0,), 'kwargs': {}, 'id': 'f' * 32,"
        f" 'name': '{unique}', 'started': timezone.now() - timezone.timedelta(minutes=11)}}, "
        "Failure.objects.create(success=False, stopped=timezone.now(), **task), "
        "Broker().enqueue(SignedPackage.dumps(task))] and None"
    )
    mended = f"Success.objects.filter(name='{unique}').exists()"
    wait.until("it is a success", lambda: web.django(mended), every=1)


def test_the_cluster_survives_its_database(lab: Lab, web: Container, qcluster: Container) -> None:
    database = f"{lab.id}-database"
    docker("stop", database)
    try:
        wait.until("it is missed", lambda: "no database" in qcluster.logs())
    finally:
        docker("start", database)
    wait.until("web is healthy again", lambda: web.succeeds("healthcheck"))
    run_task(web, "math.floor", 1.5, task_name="after")
    done = "Success.objects.filter(name='after').exists()"
    wait.until("the task has run", lambda: web.django(done), every=1)
    assert qcluster.inspect("{{.State.Running}}") == "true"


@pytest.mark.usefixtures("web")
def test_a_file_in_the_pipes_place_is_replaced(qcluster: Container) -> None:
    qcluster.run("sh", "-c", "rm /var/lib/mailman-web/tasks && touch /var/lib/mailman-web/tasks")
    docker("restart", "--time=30", qcluster.name)
    wait.until(
        "the pipe is there", lambda: qcluster.succeeds("test", "-p", "/var/lib/mailman-web/tasks")
    )


def test_sigterm_ends_a_qcluster_that_waits(apart: Lab) -> None:
    apart.database()
    qcluster = apart.service("qcluster")
    waits = ("sh", "-c", "tr '\\0' ' ' </proc/1/cmdline | grep run_qcluster")
    wait.until("it waits for web", lambda: qcluster.succeeds(*waits))
    docker("stop", "--time=60", qcluster.name)
    assert qcluster.inspect("{{.State.ExitCode}}") == "143"


def test_django_keeps_nothing_large_that_it_does_not_need(web: Container) -> None:
    code = (
        "import sys; from mailman_stack.web import wsgi, cluster, jobs; "
        "print({'jinja2', 'networkx', 'pydantic'} & {*sys.modules})"
    )
    assert web.run("python", "-c", code).splitlines()[-1] == "set()"


def test_the_cache_keeps_what_is_set(web: Container, unique: str) -> None:
    a, b, c = (f"'{unique}-{name}'" for name in "abc")
    values = web.django(
        f"[cache.set({a}, [1]), cache.get({a}), cache.set({a}, 'ü', None), cache.get({a}),"
        f" cache.set_many({{{b}: 2, {c}: 3}}, 60), cache.get_many([{b}, {c}]),"
        f" cache.set({b}, 4, -1), cache.get({b}), cache.add({c}, 5), cache.get({c})]"
    )
    assert values == [
        None, [1], None, "ü", [], {f"{unique}-b": 2, f"{unique}-c": 3}, None, None, False, 3,
    ]  # fmt: skip
