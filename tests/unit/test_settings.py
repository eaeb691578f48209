"""The declaration of the settings: what is taken, what is refused, and in which words."""

import traceback
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailman_stack import settings
from mailman_stack.database import Database
from mailman_stack.failing import SettingsError
from mailman_stack.settings import MailDomain
from tests.unit.loading import loaded, problems

SECRETS = {
    name: mark for name, field in settings.fields().items() if (mark := settings.secret(field))
}
TEXTS = {name for name, field in settings.fields().items() if field.annotation is str}
LINES = {"FETCHMAIL_PASSWORDS"}
"""Secrets of several lines."""
LINE_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
MARK = "tr0ub4dor"


def test_two_settings_suffice() -> None:
    site = loaded()
    assert site.mail_domains == (MailDomain("lists.example.com", ""),)
    assert site.domains == (MailDomain("lists.example.com", "lists.example.com"),)
    assert site.web_host == site.hostname == "lists.example.com"
    assert site.owner == "admin@example.org"


def test_what_follows_from_other_settings_can_be_set() -> None:
    site = loaded(
        {
            "MAIL_DOMAINS": "a.example, b.example=lists.b.example",
            "SERVE_FROM_DOMAIN": "www.a.example",
            "SITE_OWNER": "owner@a.example",
            "MTA_HOSTNAME": "mail.a.example",
        }
    )
    assert site.domains == (
        MailDomain("a.example", "www.a.example"),
        MailDomain("b.example", "lists.b.example"),
    )
    assert (site.owner, site.hostname) == ("owner@a.example", "mail.a.example")


@pytest.mark.parametrize(
    ("given", "domains"),
    [
        ("a.example", [("a.example", "")]),
        ("A.Example=WWW.Example", [("a.example", "www.example")]),
        ("a.example,b.example", [("a.example", ""), ("b.example", "")]),
        (" a.example ,\tb.example\n", [("a.example", ""), ("b.example", "")]),
        ("a.example=localhost:8000", [("a.example", "localhost:8000")]),
    ],
)
def test_mail_domains(given: str, domains: list[tuple[str, str]]) -> None:
    assert list(loaded({"MAIL_DOMAINS": given}).mail_domains) == domains


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("MAIL_DOMAINS", "", "is required"),
        ("MAIL_DOMAINS", "a_b.example", "must be domains, each as example.org or "),
        ("MAIL_DOMAINS", ",", "must be domains"),
        ("MAIL_DOMAINS", "a.example=b_c", "must be domains"),
        ("MAIL_DOMAINS", "-a.example", "must be domains"),
        ("MAIL_DOMAINS", "a.example,a.example=www.example", "must name each domain once"),
        ("MAILMAN_ADMIN_EMAIL", "", "is required"),
        ("MAILMAN_ADMIN_EMAIL", "admin", "must be a mail address"),
        ("MAILMAN_ADMIN_EMAIL", "a@localhost", "must be a mail address"),
        ("SITE_OWNER", "a b@example.org", "must be a mail address"),
        ("SITE_OWNER", "a@example.org,b@example.org", "must be a mail address"),
        ("SERVE_FROM_DOMAIN", "https://www.example", "must be a host name[:port]"),
        ("WEB_SCHEME", "HTTPS", "input should be 'https' or 'http'"),
        ("DEFAULT_LANGUAGE", "xx", "input should be 'ar', 'ast'"),
        ("TZ", "Europe/Nowhere", "must be a name of the time zone database"),
        ("MTA", "qmail", "input should be 'postfix', 'exim', 'sendmail' or 'none'"),
        ("HOST_MTA", "courier", "input should be 'none', 'postfix', 'exim', 'sendmail' or 'qmail'"),
        ("POSTFIX_TABLE_TYPE", "cdb", "input should be 'lmdb', 'hash' or 'regexp'"),
        ("MAPS_DIRECTORY", "maps", "must be an absolute path of plain characters"),
        ("LMTP_PUBLISH", "8024", "must be address:port"),
        ("FETCHMAIL_INTERVAL", "1", "input should be greater than or equal to 10"),
        ("MTA_HOSTNAME", "mail.example:25", "must be a host name or address"),
        ("MTA_PUBLISH", "smtp", "must be [address:]port"),
        ("MTA_PUBLISH", "٢٥", "must be [address:]port"),
        ("MESSAGE_SIZE_LIMIT", "10M", "input should be a valid integer"),
        ("MESSAGE_SIZE_LIMIT", "99999", "input should be greater than or equal to 100000"),
        ("MAX_RECIPIENTS", "0", "input should be greater than or equal to 1"),
        ("SMTP_HOST", "[mail.example]", "must be a host name or address"),
        ("SMTP_PORT", "65536", "input should be less than or equal to 65535"),
        ("SMTP_SECURE_MODE", "tls", "input should be 'smtp', 'starttls' or 'smtps'"),
        ("MAILMAN_REST_USER", "rest:admin", "must not hold a colon (RFC 7617)"),
        ("MAILMAN_REST_USER", "rést", "must be ASCII"),
        ("DJANGO_ALLOWED_HOSTS", "a.example,*", "must be a host name or address"),
        ("DATABASE_PROFILE", "medium", "input should be 'small' or 'large'"),
        ("DATABASE_REPLICAS", "2", "input should be '0' or '1'"),
        ("UWSGI_PROCESSES", "two", "input should be a valid integer"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(name: str, value: str, reason: str) -> None:
    (problem,) = problems({name: value})
    assert problem.startswith(name)
    assert reason in problem


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"SMTP_SECURE_MODE": "smtps"}, "SMTP_SECURE_MODE='smtps': needs SMTP_HOST"),
        (
            {"SMTP_SECURE_MODE": "starttls", "SMTP_HOST_USER": "me"},
            "SMTP_HOST_USER='me': needs SMTP_HOST",
        ),
        (
            {"SMTP_HOST": "relay.example", "SMTP_HOST_USER": "me"},
            "SMTP_HOST_USER='me': needs SMTP_SECURE_MODE=starttls or smtps",
        ),
        (
            {"SMTP_HOST": "relay.example", "SMTP_SECURE_MODE": "smtps", "SMTP_HOST_USER": "a:b"},
            "SMTP_HOST_USER='a:b': must not hold a colon",
        ),
        (
            {"SMTP_HOST": "relay.example", "SMTP_SECURE_MODE": "smtps", "SMTP_HOST_USER": "me"},
            "SMTP_HOST_PASSWORD: is required with SMTP_HOST_USER",
        ),
        ({"MTA": "none"}, "SMTP_HOST: is required with MTA=none"),
        (
            {
                "MTA": "none",
                "SMTP_HOST": "m.example",
                "SMTP_SECURE_MODE": "smtps",
                "SMTP_HOST_USER": "mé",
            },
            "SMTP_HOST_USER='mé': must be ASCII with MTA=none",
        ),
        (
            {"SITE_OWNER": "abuse@lists.example.com"},
            "SITE_OWNER='abuse@lists.example.com': must be another: mail to it goes to SITE_OWNER",
        ),
        ({"HOST_MTA": "exim"}, "HOST_MTA='exim': needs MTA=none"),
        (
            {"MTA": "none", "HOST_MTA": "exim"},
            "HOST_MTA='exim': needs compose.host-mta.yaml in COMPOSE_FILE",
        ),
        (
            {"MTA": "none", "LMTP_PUBLISH": "0.0.0.0:8024"},
            "LMTP_PUBLISH='0.0.0.0:8024': must be one address, to connect to",
        ),
        (
            {"FETCHMAIL_MAILBOXES": "imaps://me@mail.example"},
            "FETCHMAIL_MAILBOXES: needs COMPOSE_PROFILES=fetchmail",
        ),
        (
            {"FETCHMAIL_MAILBOXES": "imaps://me@mail.example/Quarantine"},
            "FETCHMAIL_QUARANTINE: must not be a folder that mail is fetched from",
        ),
    ],
)
def test_settings_that_need_another(given: dict[str, str], problem: str) -> None:
    assert problem in problems(given)


def test_all_errors_at_once() -> None:
    found = problems(
        {
            "MAIL_DOMAINS": "",
            "TZ": "nowhere",
            "SMTP_PORT": "0",
            "MAILMAN_ADMIN_EMIAL": "a@example.org",
            "SMTP_USE_TLS": "true",
            "SECRET_KEY": "one",
            "DATABASE_URL": "postgres://",
        },
        {"secret_key": "two", "hyperkitty_api_key": "a b"},
        service="core",
    )
    assert sorted(line.split(":")[0].split("=")[0] for line in found) == [
        "DATABASE_URL",
        "HYPERKITTY_API_KEY",
        "MAILMAN_ADMIN_EMIAL",
        "MAIL_DOMAINS",
        "SECRET_KEY",
        "SMTP_PORT",
        "SMTP_USE_TLS",
        "TZ",
    ]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("MAIL_DOMAIN", "did you mean MAIL_DOMAINS?"),
        ("SMTP_HOST_PASWORD", "did you mean SMTP_HOST_PASSWORD?"),
        ("FROBNICATE", "names of your own begin with LOCAL_"),
    ],
)
def test_an_unknown_name_is_refused_with_a_hint(name: str, hint: str) -> None:
    assert problems({name: "x"}) == [f"{name}: there is no such setting; {hint}"]


@pytest.mark.parametrize(
    "name", ["PATH", "HOSTNAME", "LOCAL_NOTE", "http_proxy", "COMPOSE_PROFILES"]
)
def test_a_name_that_is_not_ours_is_left_alone(name: str) -> None:
    loaded({name: "x"})


@pytest.mark.parametrize(("name", "advice"), settings.REMOVED.items())
def test_a_name_of_docker_mailman_is_refused_with_advice(name: str, advice: str) -> None:
    assert problems({name: "x"}) == [f"{name}: {advice}"]


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    assert loaded({"SMTP_PORT": "", "TZ": "", "SITE_OWNER": ""}) == loaded()


@pytest.mark.parametrize(
    ("service", "missing"),
    [
        ("mta", []),
        ("core", ["CORE_DATABASE_PASSWORD", "HYPERKITTY_API_KEY", "MAILMAN_REST_PASSWORD"]),
        (
            "web",
            ["HYPERKITTY_API_KEY", "MAILMAN_ADMIN_PASSWORD", "MAILMAN_REST_PASSWORD", "SECRET_KEY",
             "WEB_DATABASE_PASSWORD"],
        ),
        (
            "qcluster",
            ["HYPERKITTY_API_KEY", "MAILMAN_REST_PASSWORD", "SECRET_KEY", "WEB_DATABASE_PASSWORD"],
        ),
    ],
)  # fmt: skip
def test_a_service_needs_its_own_secrets(service: str, missing: list[str]) -> None:
    if missing:
        assert sorted(line.split(":")[0] for line in problems(service=service)) == missing
    loaded(secrets={name.lower(): "given" for name in missing}, service=service)


@pytest.mark.parametrize(
    ("service", "name"), [("core", "core"), ("web", "web"), ("qcluster", "web")]
)
def test_an_external_database_replaces_the_password(service: str, name: str) -> None:
    others = {
        key.lower(): "x" for key, mark in settings.secrets_of(service).items() if mark.required
    }
    url = {"database_url": "mysql://me:pw@db.example/mail"}
    site = loaded({"DATABASE_REPLICAS": "0"}, others | url, service)
    assert getattr(site, f"{name}_database") == Database("db.example", 3306, "me", "pw", "mail")
    assert problems({"DATABASE_REPLICAS": "0"}, others, service) == [
        "DATABASE_URL: is required with DATABASE_REPLICAS=0"
    ]


def test_the_web_interface_may_have_a_schema_of_its_own() -> None:
    site = loaded(
        {"DATABASE_URL": "mysql://a:b@h/core", "WEB_DATABASE_URL": "mysql://c:d@h:3307/web"}
    )
    assert site.core_database == Database("h", 3306, "a", "b", "core")
    assert site.web_database == Database("h", 3307, "c", "d", "web")


def test_the_bundled_database_has_a_user_and_a_schema_for_each() -> None:
    site = loaded({"CORE_DATABASE_PASSWORD": "c", "WEB_DATABASE_PASSWORD": "w"})
    assert site.core_database == Database("database", 3306, "core", "c", "core")
    assert site.web_database == Database("database", 3306, "web", "w", "web")


# -- Secrets


@pytest.mark.parametrize(
    ("content", "password"),
    [
        ("pw", "pw"),
        ("pw\n", "pw"),
        ("p w\n\n", "p w"),
        ("p\N{NO-BREAK SPACE}w", "p\N{NO-BREAK SPACE}w"),
    ],
)
def test_a_secret_file_may_end_with_a_line_break(content: str, password: str) -> None:
    site = loaded(secrets={"smtp_host_password": content})
    assert site.smtp_host_password.get_secret_value() == password


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_secret_file_is_one_that_is_not_set(content: bytes) -> None:
    secrets = {"smtp_host_password": content}
    assert loaded({"SMTP_HOST_PASSWORD": "pw"}, secrets).smtp_host_password
    assert not loaded(secrets=secrets).smtp_host_password


@pytest.mark.parametrize(
    "content", [b" pw", b"pw ", b"pw\t\n", b"pw\r\n", b"p\nw", b"p\xffw", b"p\x00"]
)
def test_a_secret_file_is_never_changed_in_silence(content: bytes) -> None:
    (problem,) = problems(secrets={"smtp_host_password": content})
    assert problem.startswith("SMTP_HOST_PASSWORD: must not ")


def test_a_file_that_is_no_secret_is_not_read() -> None:
    assert loaded(secrets={"smtp_port": "2525"}).smtp_port == 25


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_given_twice_is_refused(name: str) -> None:
    value = "mysql://u:p@h/s" if name.endswith("_URL") else "value"
    (problem,) = problems({name: value}, {name.lower(): value})
    assert problem.startswith(f"{name}: is set both as a variable and in the file /")
    assert problem.endswith(f"/{name.lower()}; remove one")


@given(name=st.sampled_from(sorted(SECRETS)), before=st.text(), after=st.text(), both=st.booleans())
@example(name="DATABASE_URL", before="mysql://u:%ff", after="@h:x/s", both=False)
@example(name="DATABASE_URL", before="mysql://[", after="]/s", both=False)
@example(name="WEB_DATABASE_URL", before="mysql://u:p@h/", after="?\n", both=False)
def test_a_secret_is_never_shown(name: str, before: str, after: str, both: bool) -> None:
    value = before + MARK + after
    files = {name.lower(): value.encode(errors="surrogatepass")}
    variables = {name: MARK} if both else {}
    try:
        shown = repr(loaded(variables, files))
    except SettingsError as error:
        shown = "".join(traceback.format_exception(error))
    assert MARK not in shown


# -- What no value may hold


@pytest.mark.parametrize("line_break", LINE_BREAKS)
@pytest.mark.parametrize("name", sorted((TEXTS | SECRETS.keys()) - LINES))
def test_no_value_holds_a_line_break(name: str, line_break: str) -> None:
    (problem,) = problems({name: f"a{line_break}b"})
    assert problem.startswith(name)


@given(
    name=st.sampled_from(sorted(settings.fields().keys() - {"TZ"})),
    value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
)
def test_whatever_is_accepted_is_one_line(name: str, value: str) -> None:
    try:
        site = loaded({name: value})
    except SettingsError:
        return
    taken = getattr(site, name.lower())
    for text in taken if isinstance(taken, tuple) else [taken]:
        assert len(str(text).splitlines()) <= 1


# -- Database URLs

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(user=TEXT, password=TEXT)
@example(user="u%41+", password="p%2Fw:@/?#[]+ é🔑\\'\"$")
def test_a_database_url_gives_the_parts_that_were_encoded(user: str, password: str) -> None:
    url = f"mysql://{quote(user, safe='')}:{quote(password, safe='')}@db.example:3307/mail_1"
    database = loaded({"DATABASE_URL": url}).core_database
    assert database == Database("db.example", 3307, user, password, "mail_1")


@given(user=TEXT, password=TEXT | st.just(""))
def test_a_database_url_for_sqlalchemy_gives_the_same_parts(user: str, password: str) -> None:
    database = Database("db.example", 3307, user, password, "mail", "ssl_mode=REQUIRED")
    again = Database.from_url(database.url)
    assert again[:5] == database[:5]
    assert again.connect_options == {"charset": "utf8mb4", "ssl_mode": "REQUIRED"}


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u:p@h/s",
        "mysql://u:p@h",
        "mysql://u:p@h/",
        "mysql://h/s",
        "mysql://u:p@h:port/s",
        "mysql://u:p@h:65536/s",
        "mysql://u:p@h:٣/s",
        "mysql://u:p@[::1]/s",
        "mysql://u:p@w@h/s",
        "mysql://u:p#w@h/s",
        "mysql://u:p/w@h/s",
        "mysql://u:p w@h/s",
        "mysql://u:p%ff@h/s",
        "mysql://u:p@h/s/t",
        "mysql://u:p@h/s%20t",
        "mysql://u:p@h/s?connect_timeout=5",
        "mysql://u:p@h/s#x",
    ],
)
def test_a_wrong_database_url_is_refused(url: str) -> None:
    (problem,) = problems({"DATABASE_URL": url})
    assert problem.startswith("DATABASE_URL: must be mysql://user:password@host[:port]/schema")


# -- Without an MTA, and mailboxes

WITHOUT_MTA = {"MTA": "none", "SMTP_HOST": "mail.example"}


def test_mail_is_submitted_to_the_mta_or_where_there_is_none_to_the_smarthost() -> None:
    assert loaded({"SMTP_HOST": "mail.example"}).submission == ("mta", 10025, "smtp", "", "")
    login = {"SMTP_PORT": "587", "SMTP_SECURE_MODE": "starttls", "SMTP_HOST_USER": "me"}
    site = loaded(WITHOUT_MTA | login, {"smtp_host_password": "secret"})
    assert site.submission == ("mail.example", 587, "starttls", "me", "secret")


def test_whoever_logs_in_needs_the_password_in_ascii() -> None:
    login = {"SMTP_SECURE_MODE": "smtps", "SMTP_HOST_USER": "me", **WITHOUT_MTA}
    assert "SMTP_HOST_PASSWORD: is required with SMTP_HOST_USER" in problems(login, service="core")
    (problem,) = problems(login, {"smtp_host_password": "pässword"})
    assert problem == "SMTP_HOST_PASSWORD: must be ASCII with MTA=none"


@pytest.mark.parametrize(
    ("given", "inbound", "address", "tables"),
    [
        ({}, "postfix", ("core", "8024"), "lmdb"),
        ({"POSTFIX_TABLE_TYPE": "regexp"}, "postfix", ("core", "8024"), "regexp"),
        ({"MTA": "exim"}, "exim", ("core", "8024"), "lmdb"),
        ({"MTA": "sendmail"}, "sendmail", ("core", "8024"), "hash"),
        (WITHOUT_MTA, "none", ("127.0.0.1", "8024"), "lmdb"),
        (
            {
                **WITHOUT_MTA,
                "HOST_MTA": "sendmail",
                "LMTP_PUBLISH": "[::1]:24",
                "COMPOSE_FILE": "compose.yaml:compose.host-mta.yaml",
            },
            "sendmail",
            ("::1", "24"),
            "hash",
        ),
    ],
)
def test_who_hands_mail_to_core_and_what_it_needs(
    given: dict[str, str], inbound: str, address: tuple[str, str], tables: str
) -> None:
    site = loaded(given)
    assert (site.inbound, site.lmtp_address, site.table_type) == (inbound, address, tables)


@pytest.mark.parametrize(
    ("url", "mailbox"),
    [
        (
            "imaps://me@mail.example",
            ("imap", "smtps", "mail.example", 993, "me", "INBOX", "Delivered-To", ""),
        ),
        (
            "imap://m%40e@mail.example:1143/a%20b%2fc?envelope=X-Original-To&qvirtual=u-",
            ("imap", "starttls", "mail.example", 1143, "m@e", "a b/c", "X-Original-To", "u-"),
        ),
        (
            "pop3s://me@mail.example?qvirtual=",
            ("pop3", "smtps", "mail.example", 995, "me", "INBOX", "Delivered-To", ""),
        ),
        (
            "pop3://me@mail.example",
            ("pop3", "starttls", "mail.example", 110, "me", "INBOX", "Delivered-To", ""),
        ),
    ],
)
def test_a_mailbox(url: str, mailbox: tuple[object, ...]) -> None:
    profile = {"COMPOSE_PROFILES": "fetchmail"}
    site = loaded({"FETCHMAIL_MAILBOXES": f"{url} imaps://b@c.example", **profile})
    assert site.fetchmail_mailboxes[0] == mailbox
    assert site.fetchmail_mailboxes[1].name == "imap://b@c.example/INBOX"


@pytest.mark.parametrize(
    "url",
    [
        "mail.example",
        "http://me@mail.example",
        "imaps://mail.example",
        "imaps://me:password@mail.example",
        "imaps://me@mail_.example",
        "imaps://me@mail.example:port",
        "imaps://me@mail.example?envelop=To",
        "imaps://me@mail.example?envelope=",
        "imaps://me@mail.example?envelope=a%20b",
        "imaps://me%0a@mail.example",
        "imaps://me@mail.example/%ff",
        "imaps://me@mail.example/a#b",
        "pop3s://me@mail.example/Mailman",
    ],
)
def test_a_wrong_mailbox_is_refused(url: str) -> None:
    (problem,) = problems({"FETCHMAIL_MAILBOXES": url})
    assert "password" not in problem
    assert "must be mailboxes, separated by spaces, each as imaps://user@host[:port]" in problem


@pytest.mark.parametrize("passwords", ["", "one", "one\ntwo\nthree"])
def test_every_mailbox_has_a_password(passwords: str) -> None:
    boxes = {"FETCHMAIL_MAILBOXES": "imaps://a@b.example pop3s://c@d.example"}
    profile = {"COMPOSE_PROFILES": "fetchmail"}
    secrets = {"fetchmail_passwords": passwords}
    (problem,) = problems(boxes | profile, secrets, service="fetchmail")
    assert problem.startswith("FETCHMAIL_PASSWORDS: must have one line for each")
    assert loaded(boxes | profile, {"fetchmail_passwords": "one\ntwo\n"}, "fetchmail")
