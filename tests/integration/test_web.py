"""The web image as web and as qcluster, with a real database and without the rest of the stack."""

import http
import io
import json
import signal
import tarfile
from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import wait
from tests.support.weblab import (
    EX_CONFIG,
    HARDENED,
    IMAGE,
    QCLUSTER,
    SITE,
    Container,
    Lab,
    asked,
    docker,
    environment,
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


@pytest.fixture(scope="module")
def same_values(make_lab: Callable[[], Lab]) -> Iterator[Callable[[Mapping[str, str]], object]]:
    """Hands variables to Django's settings and returns what they have become."""
    lab = make_lab()
    site = SITE | {"DATABASE_URL": "", "WEB_DATABASE_PASSWORD": "database"}
    options = environment(f"{name}={value}" for name, value in site.items())
    command = ("python", "-c", SAME_VALUES)
    container = lab.create("values", "--interactive", *options, image=IMAGE, command=command)
    with asked(container) as ask:
        yield ask


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
