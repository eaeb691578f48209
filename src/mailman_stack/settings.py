"""The settings: each declared once, here; everything else is made from this declaration.

From it come the validation in every container, the values in the templates under ``config/``, the
files ``.env.example`` and ``docs/settings.md`` (see :mod:`mailman_stack.reference`), and the list
of secrets. Names are docker-mailman's where the meaning is the same.

A value arrives as an environment variable, a secret as a file in ``/run/secrets``.
"""

import difflib
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from mailman_stack.database import Database
from mailman_stack.failing import SettingsError

SECRETS_DIR = Path("/run/secrets")

# Set by Docker, the images or a shell, not by the operator; LOCAL_ is the operator's own.
AMBIENT = re.compile(
    r"PATH|HOME|HOSTNAME|TERM|PWD|OLDPWD|SHLVL|_|LANG|LC_\w+|PYTHON\w*|DEBIAN_FRONTEND"
    r"|\w+_PROXY|SSL_CERT_FILE|MAILMAN_CONFIG_FILE|DJANGO_SETTINGS_MODULE|(COMPOSE|DOCKER|BUILD|LOCAL)_\w+",
    re.IGNORECASE,
)

# Names of docker-mailman that mean nothing here, and what to do instead.
REMOVED = {
    "DATABASE_CLASS": "remove it: the database is always MySQL",
    "DATABASE_TYPE": "remove it: the database is always MySQL",
    "HYPERKITTY_URL": "remove it: the stack knows where HyperKitty is",
    "MAILMAN_HOST_IP": "remove it: HyperKitty accepts core by its key",
    "MAILMAN_HOSTNAME": "remove it: core is always the service named core",
    "MAILMAN_REST_URL": "remove it: core is always the service named core",
    "MM_HOSTNAME": "remove it: core is always the service named core",
    "SMTP_USE_SSL": "use SMTP_SECURE_MODE=smtps",
    "SMTP_USE_TLS": "use SMTP_SECURE_MODE=starttls",
}

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_HOST_PORT = re.compile(rf"{_LABEL}(\.{_LABEL})*(:[0-9]{{1,5}})?")
_ADDRESS = re.compile(rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(\.{_LABEL})+")
_IP = r"(([0-9]{1,3}\.){3}[0-9]{1,3}|\[[0-9a-fA-F:]+\])"
_PUBLISH = re.compile(rf"({_IP}:)?[0-9]{{1,5}}")
_PUBLISH_AT = re.compile(rf"{_IP}:[0-9]{{1,5}}")
_ASCII = re.compile(r"[ -~]+")
_ASCII_WORD = re.compile(r"[!-~]+")
_HEADER = re.compile(r"[!-9;-~]+")
_PATH = re.compile(r"/[\w./-]*\w", re.ASCII)
# Scheme: protocol, TLS, usual port. Without an s TLS begins by STARTTLS or STLS; never none.
_MAILBOX_SCHEMES = {
    "imaps": ("imap", "smtps", 993),
    "imap": ("imap", "starttls", 143),
    "pop3s": ("pop3", "smtps", 995),
    "pop3": ("pop3", "starttls", 110),
}
_MYSQL_URL = re.compile(
    r"mysql://[^\s:/?#@]+(:[^\s:/?#@]*)?@[\w.-]+(:[0-9]+)?/[\w$-]+(\?ssl_mode=[A-Z_]+)?", re.ASCII
)


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _one_line[T: (str, SecretStr)](value: T) -> T:
    """No value may add a line to a daemon's file, or lose its edges to a parser that trims."""
    text = _text(value)
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        raise ValueError("must not hold line breaks or control characters")
    if text != text.strip():
        raise ValueError("must not begin or end with a space")
    return value


def _lines(value: SecretStr) -> SecretStr:
    for line in _text(value).split("\n"):
        _one_line(line)
    return value


def _matches(pattern: re.Pattern[str], what: str) -> AfterValidator:
    def check[T: (str, SecretStr)](value: T) -> T:
        if value and not pattern.fullmatch(_text(value)):
            raise ValueError(f"must be {what}")
        return value

    return AfterValidator(check)


def _split(value: object) -> object:
    return re.findall(r"[^,\s]+", value) if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _known_time_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("must be a name of the time zone database, like Europe/Berlin")
    return value


def _mysql_url(value: SecretStr) -> SecretStr:
    """The parts are checked without ever being shown: a URL holds a password."""
    url = value.get_secret_value()
    try:
        wrong = url and not (_MYSQL_URL.fullmatch(url) and Database.from_url(url))
    except ValueError:
        wrong = True
    if wrong:
        raise ValueError(
            "must be mysql://user:password@host[:port]/schema[?ssl_mode=…], user and password"
            " percent-encoded"
        )
    return value


class MailDomain(NamedTuple):
    """A domain that lists live in, and the host name its lists have on the web."""

    name: str
    web_host: str


def _mail_domains(value: object) -> object:
    if not isinstance(value, str):
        return value
    domains = []
    for entry in re.findall(r"[^,\s]+", value.lower()) or [""]:
        name, _, web_host = entry.partition("=")
        if not _DOMAIN.fullmatch(name) or not (_HOST_PORT.fullmatch(web_host) or not web_host):
            raise ValueError("must be domains, each as example.org or example.org=web.example.org")
        domains.append(MailDomain(name, web_host))
    if len({domain.name for domain in domains}) < len(domains):
        raise ValueError("must name each domain once")
    return tuple(domains)


class Mailbox(NamedTuple):
    """A mailbox that list mail is fetched from; ``tls`` is starttls or smtps (from the start).

    ``envelope`` is the header that holds the envelope recipient, ``qvirtual`` what the mail server
    puts before it (fetchmail(1)).
    """

    protocol: str
    tls: str
    host: str
    port: int
    user: str
    folder: str
    envelope: str
    qvirtual: str

    @property
    def name(self) -> str:
        """For logs and for people: the URL, without what is of no interest there."""
        return f"{self.protocol}://{self.user}@{self.host}/{self.folder}"

    @classmethod
    def from_url(cls, url: str) -> Self:
        """From ``imaps://user@host[:port][/folder][?envelope=Header&qvirtual=prefix]`` (RFC 5092).

        :raises ValueError: when it is none.
        """
        parts = urlsplit(url)
        protocol, tls, port = _MAILBOX_SCHEMES[parts.scheme]
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True))
        mailbox = cls(
            protocol=protocol,
            tls=tls,
            host=parts.hostname or "",
            port=parts.port or port,
            user=unquote(parts.username or "", errors="strict"),
            folder=unquote(parts.path[1:], errors="strict") or "INBOX",
            envelope=options.pop("envelope", "Delivered-To"),
            qvirtual=options.pop("qvirtual", ""),
        )
        for text in mailbox:
            _one_line(str(text))
        usable = mailbox.user and _DOMAIN.fullmatch(mailbox.host) and parts.password is None
        if options or parts.fragment or not usable or not _HEADER.fullmatch(mailbox.envelope):
            raise ValueError(url)
        if protocol == "pop3" and mailbox.folder != "INBOX":
            raise ValueError(url)
        return mailbox


def _mailboxes(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return tuple(Mailbox.from_url(url) for url in value.split())
    except (KeyError, ValueError):
        raise ValueError(
            "must be mailboxes, separated by spaces, each as imaps://user@host[:port][/folder]"
            " or pop3s://user@host[:port], user and folder percent-encoded, and after it, if need"
            " be, ?envelope=Header&qvirtual=prefix"
        ) from None


Text = Annotated[str, AfterValidator(_one_line)]
Secret = Annotated[SecretStr, AfterValidator(_one_line)]
# For HTTP's Authorization header, in which Mailman's client and HyperKitty's lose other characters.
AsciiText = Annotated[Text, _matches(_ASCII, "ASCII")]
AsciiSecret = Annotated[Secret, _matches(_ASCII, "ASCII")]
AsciiWordSecret = Annotated[Secret, _matches(_ASCII_WORD, "ASCII, without spaces")]
Host = Annotated[str, BeforeValidator(_lower), _matches(_DOMAIN, "a host name or address")]
HostPort = Annotated[str, BeforeValidator(_lower), _matches(_HOST_PORT, "a host name[:port]")]
Address = Annotated[str, _matches(_ADDRESS, "a mail address")]
Publish = Annotated[str, _matches(_PUBLISH, "[address:]port")]
PublishAt = Annotated[str, _matches(_PUBLISH_AT, "address:port")]
MySQLUrl = Annotated[Secret, AfterValidator(_mysql_url)]
Hosts = Annotated[tuple[Host, ...], NoDecode, BeforeValidator(_split)]
AbsolutePath = Annotated[str, _matches(_PATH, "an absolute path of plain characters")]
Lines = Annotated[SecretStr, AfterValidator(_lines)]
Mailboxes = Annotated[tuple[Mailbox, ...], NoDecode, BeforeValidator(_mailboxes)]
MailDomains = Annotated[tuple[MailDomain, ...], NoDecode, BeforeValidator(_mail_domains)]
Port = Annotated[int, Field(ge=1, le=65535)]


@dataclass(frozen=True)
class For:
    """Marks a secret: which services get it, whether `make up` makes one, whether they need it."""

    services: tuple[str, ...]
    generated: bool = True
    required: bool = True


UNSET = SecretStr("")


def example(value: str) -> Any:
    """Declare a setting that has no default; ``value`` stands in ``.env.example``."""
    return Field(examples=[value])


class Section(BaseSettings):
    """A group of settings; its docstring is the heading in the generated files."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
        validate_default=True,
    )


class Site(Section):
    """The site: its domains and the person who answers for it"""

    mail_domains: MailDomains = example("lists.example.com")
    """Domains that lists live in, separated by commas. Each may name the host that shows its lists
    on the web: `lists.example.com=www.example.com`; otherwise that is SERVE_FROM_DOMAIN."""

    mailman_admin_email: Address = example("admin@example.com")
    """Mail address of the administrator, verified at the first start."""

    mailman_admin_user: Text = "admin"
    """Name of the administrator's account on the web, made at the first start."""

    mailman_admin_password: Annotated[Secret, For(("web",))] = UNSET
    """Password of that account at the first start; never set again later."""

    site_owner: Address = ""
    """Where mail goes that concerns a person but no list, and mail to postmaster and abuse. By
    default MAILMAN_ADMIN_EMAIL."""

    serve_from_domain: HostPort = ""
    """Host name of the web interface. By default the first of MAIL_DOMAINS."""

    web_scheme: Literal["https", "http"] = "https"
    """How browsers reach the web interface: https through a TLS proxy in front of it, which sets
    X-Forwarded-Proto; http only to try the stack."""

    default_language: Literal[
        "ar", "ast", "bg", "ca", "cs", "da", "de", "el", "en", "es", "et", "eu", "fi", "fr", "gl",
        "he", "hr", "hu", "ia", "it", "ja", "ko", "lt", "nl", "no", "pl", "pt", "pt_BR", "ro", "ru",
        "sk", "sl", "sr", "sv", "tr", "uk", "vi", "zh_CN", "zh_TW",
    ] = "en"  # fmt: skip
    """Language of the site and of new lists."""

    tz: Annotated[str, AfterValidator(_known_time_zone)] = "UTC"
    """Time zone of logs, of the web pages and of the daily jobs."""


class Mail(Section):
    """Mail: the MTA and the way out"""

    mta: Literal["postfix", "exim", "sendmail", "none"] = "postfix"
    """The mail transfer agent that takes mail in and sends it out. With none there is no such
    container: core and web submit to SMTP_HOST, and mail comes in by HOST_MTA or a mailbox."""

    postfix_table_type: Literal["lmdb", "hash", "regexp"] = "lmdb"
    """The type of the tables that core writes for Postfix."""

    host_mta: Literal["none", "postfix", "exim", "sendmail", "qmail"] = "none"
    """With MTA=none: the program on the host that hands mail to core, for which core writes its
    tables; `make mta-config` prints the lines that it needs."""

    lmtp_publish: PublishAt = "127.0.0.1:8024"
    """With HOST_MTA: address and port where that program reaches core by LMTP. There is no
    password: whoever reaches it can write to every list."""

    maps_directory: AbsolutePath = "/var/lib/mailman-maps"
    """With HOST_MTA: the directory on the host where core writes for that program. It must belong
    to uid 990."""

    mta_hostname: Host = ""
    """The name that the MTA gives itself in SMTP: the one that its address resolves to (PTR) and
    that the MX records of the domains name. By default the first of MAIL_DOMAINS."""

    mta_publish: Publish = "25"
    """Address and port of the host where the MTA takes mail in."""

    message_size_limit: Annotated[int, Field(ge=100_000, le=33_000_000)] = 31_457_280
    """Largest message in bytes, as it is on the wire: an attachment grows by a third. Core's LMTP
    takes no more than 33 MB."""

    max_recipients: Annotated[int, Field(ge=1, le=10_000)] = 500
    """How many recipients core hands to the MTA in one transaction."""

    smtp_host: Host = ""
    """Relayhost (smarthost) that outgoing mail is handed to; empty: deliver to each domain's MX.
    With MTA=none it is required."""

    smtp_port: Port = 25
    """Port of the relayhost."""

    smtp_secure_mode: Literal["smtp", "starttls", "smtps"] = "smtp"
    """TLS to the relayhost: not needed (smtp), STARTTLS, or from the start (smtps); with the latter
    two its certificate is verified."""

    smtp_host_user: Text = ""
    """User name at the relayhost; with it a password and TLS are needed."""

    smtp_host_password: Annotated[
        Secret,
        For(("mta", "core", "web", "qcluster", "fetchmail"), generated=False, required=False),
    ] = UNSET
    """Password at the relayhost."""

    default_from_email: Address = ""
    """Sender of the web interface's own mail, where a provider wants a certain one. By default
    postmaster of the first of MAIL_DOMAINS."""

    @field_validator("smtp_secure_mode", "smtp_host_user")
    @classmethod
    def _needs_relayhost(cls, value: str, info: ValidationInfo) -> str:
        if value not in ("", "smtp") and info.data.get("smtp_host") == "":
            raise ValueError("needs SMTP_HOST")
        return value

    @field_validator("smtp_host_user")
    @classmethod
    def _no_login_in_clear(cls, value: str, info: ValidationInfo) -> str:
        if value and info.data.get("smtp_secure_mode") == "smtp":
            raise ValueError("needs SMTP_SECURE_MODE=starttls or smtps")
        if ":" in value:
            raise ValueError("must not hold a colon")
        return value


class Fetchmail(Section):
    """Mail from a mailbox: a way in without port 25"""

    fetchmail_mailboxes: Mailboxes = ()
    """Mailboxes that list mail is fetched from, separated by spaces:
    `imaps://user@host[:port][/folder]` or `pop3s://user@host[:port]`, by STARTTLS with imap or
    pop3; user and folder percent-encoded. `?envelope=X-Original-To` names the header with the
    envelope recipient, if it is not Delivered-To, and `&qvirtual=user-` what a qmail puts before
    it. Needs `COMPOSE_PROFILES=fetchmail`."""

    fetchmail_passwords: Annotated[Lines, For(("fetchmail",), generated=False, required=False)] = (
        UNSET
    )
    """Passwords of these mailboxes, one in a line, in the same order."""

    fetchmail_interval: Annotated[int, Field(ge=10, le=3600)] = 60
    """Seconds between two looks into a mailbox whose server cannot say that there is new mail
    (IMAP IDLE), and before another try of what failed."""

    fetchmail_quarantine: Text = "Quarantine"
    """Folder of the mailbox that keeps mail which core refuses for good."""


class Core(Section):
    """Mailman core"""

    mailman_rest_user: AsciiText = "restadmin"
    """User name for core's REST interface, which only the stack's own network reaches."""

    mailman_rest_password: Annotated[AsciiSecret, For(("core", "web", "qcluster"))] = UNSET
    """Password for core's REST interface."""

    hyperkitty_api_key: Annotated[AsciiWordSecret, For(("core", "web", "qcluster"))] = UNSET
    """Key with which core hands messages to the archive."""

    @field_validator("mailman_rest_user")
    @classmethod
    def _no_colon(cls, value: str) -> str:
        if ":" in value:
            raise ValueError("must not hold a colon (RFC 7617)")
        return value


class Web(Section):
    """Web interface: Postorius and HyperKitty"""

    web_publish: PublishAt = "127.0.0.1:8000"
    """Address and port of the host where the web interface answers, in plain HTTP: for a TLS proxy
    in front of it."""

    secret_key: Annotated[Secret, For(("web", "qcluster"))] = UNSET
    """Django's key for signing sessions and tokens."""

    django_allowed_hosts: Hosts = ()
    """Further host names under which the web interface may be asked for, separated by commas."""

    uwsgi_processes: Annotated[int, Field(ge=1, le=64)] = 2
    """Processes that answer web requests."""

    uwsgi_threads: Annotated[int, Field(ge=1, le=64)] = 4
    """Threads in each of these processes."""

    qcluster_workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that archive, index and run the web interface's jobs."""


class Data(Section):
    """Database"""

    database_root_password: Annotated[Secret, For(("database",))] = UNSET
    """Password of MySQL's root; only the database container knows it."""

    core_database_password: Annotated[Secret, For(("database", "core"), required=False)] = UNSET
    """Password of the user `core`."""

    web_database_password: Annotated[
        Secret, For(("database", "web", "qcluster"), required=False)
    ] = UNSET
    """Password of the user `web`."""

    database_profile: Literal["small", "large"] = "small"
    """How much memory MySQL takes: small for some hundred lists, large for thousands."""

    database_replicas: Literal["0", "1"] = "1"
    """Whether the bundled MySQL runs: 1, or 0 with DATABASE_URL."""

    database_url: Annotated[
        MySQLUrl, For(("core", "web", "qcluster"), generated=False, required=False)
    ] = UNSET
    """An external MySQL, for core and web: `mysql://user:password@host:3306/schema`, user and
    password percent-encoded; `?ssl_mode=REQUIRED` encrypts."""

    web_database_url: Annotated[
        MySQLUrl, For(("web", "qcluster"), generated=False, required=False)
    ] = UNSET
    """The web interface's own schema on an external MySQL. By default DATABASE_URL."""


class Compose(Section):
    """Docker Compose: read by Compose, not by the containers"""

    compose_file: Text = Field("compose.yaml", examples=["compose.yaml:compose.dev.yaml"])
    """Which files describe the stack. With compose.dev.yaml nothing leaves the machine: a mail
    catcher is the only relayhost. For production remove this line."""

    compose_profiles: Text = ""
    """Parts of the stack that are not always there: `fetchmail`."""

    env_file: Text = ".env"
    """The file of settings given to the containers."""

    secrets_dir: Text = "./secrets"
    """The directory with one file for each secret."""

    catcher_publish: PublishAt = "127.0.0.1:1080"
    """Address and port of the host where the mail catcher's page answers."""


class Submission(NamedTuple):
    """Where core and the web interface hand in their mail; ``secure_mode`` as SMTP_SECURE_MODE."""

    host: str
    port: int
    secure_mode: str = "smtp"
    user: str = ""
    password: str = ""


class Settings(Compose, Data, Web, Core, Fetchmail, Mail, Site):
    """All settings, checked."""

    @property
    def web_host(self) -> str:
        return self.serve_from_domain or self.mail_domains[0].name

    @property
    def domains(self) -> tuple[MailDomain, ...]:
        """The mail domains, each with the web host that shows its lists."""
        return tuple(MailDomain(name, web or self.web_host) for name, web in self.mail_domains)

    @property
    def owner(self) -> str:
        return self.site_owner or self.mailman_admin_email

    @property
    def hostname(self) -> str:
        return self.mta_hostname or self.mail_domains[0].name

    @property
    def inbound(self) -> str:
        """The program that hands mail to core and needs its tables: as HOST_MTA."""
        return self.host_mta if self.mta == "none" else self.mta

    @property
    def table_type(self) -> str:
        """The type of the tables that core writes: Sendmail reads Berkeley DB's, as hash makes."""
        return "hash" if self.inbound == "sendmail" else self.postfix_table_type

    @property
    def written_mark(self) -> str:
        """Name of the file by which core says for whom it has written, and that it is done."""
        kind = "" if self.inbound == "exim" else f"-{self.table_type}"
        return f"written-for-{self.inbound}{kind}"

    @property
    def lmtp_address(self) -> tuple[str, str]:
        """Host, an IPv6 address without brackets, and port where that program reaches core."""
        host, _, port = self.lmtp_publish.rpartition(":")
        return (host.strip("[]"), port) if self.mta == "none" else ("core", "8024")

    @property
    def submission(self) -> Submission:
        """Where mail of the stack's own is handed in."""
        if self.mta != "none":
            return Submission("mta", 10025)
        login = self.smtp_host_user, self.smtp_host_password.get_secret_value()
        return Submission(self.smtp_host, self.smtp_port, self.smtp_secure_mode, *login)

    @property
    def sender(self) -> str:
        return self.default_from_email or f"postmaster@{self.mail_domains[0].name}"

    @property
    def core_database(self) -> Database:
        return self._database("core", self.database_url, self.core_database_password)

    @property
    def web_database(self) -> Database:
        url = self.web_database_url or self.database_url
        return self._database("web", url, self.web_database_password)

    @staticmethod
    def _database(name: str, url: SecretStr, password: SecretStr) -> Database:
        if url:
            return Database.from_url(url.get_secret_value())
        return Database("database", 3306, name, password.get_secret_value(), name)


SECTIONS: tuple[type[Section], ...] = (Site, Mail, Fetchmail, Core, Web, Data, Compose)


def fields(section: type[Section] = Settings) -> Mapping[str, FieldInfo]:
    """The declared settings of a section, by environment name, in the order they are written."""
    return {name.upper(): field for name, field in section.model_fields.items()}


def secret(field: FieldInfo) -> For | None:
    """How a setting is declared to be a secret; None for one that is not."""
    return next((mark for mark in field.metadata if isinstance(mark, For)), None)


def secrets_of(service: str) -> dict[str, For]:
    """The secrets that a service gets, by environment name."""
    marks = {name: secret(field) for name, field in fields().items()}
    return {name: mark for name, mark in marks.items() if mark and service in mark.services}


def load(service: str, secrets_dir: Path = SECRETS_DIR) -> Settings:
    """Read and check all settings, from the environment and the secrets of one service.

    :raises SettingsError: with a line for every wrong setting; a secret's value is never in it.
    """
    files = _secret_files(secrets_dir)
    problems = [*_unknown_names(), *_given_twice(files, secrets_dir)]
    try:
        settings = Settings(**{name.lower(): text for name, text in files.items()})
    except ValidationError as error:
        problems += [_describe(detail) for detail in error.errors()]
    else:
        problems += _contradictions(settings)
        problems += _missing_secrets(settings, service)
        if not problems:
            return settings
    raise SettingsError(problems)


def _unknown_names() -> Iterable[str]:
    for name in sorted(os.environ.keys() - fields().keys()):
        if advice := REMOVED.get(name):
            yield f"{name}: {advice}"
        elif not AMBIENT.fullmatch(name):
            near = difflib.get_close_matches(name, fields(), n=1)
            hint = f"did you mean {near[0]}?" if near else "names of your own begin with LOCAL_"
            yield f"{name}: there is no such setting; {hint}"


def _secret_files(directory: Path) -> dict[str, Any]:
    """The text of each secret that has a file with anything in it, by environment name.

    Line breaks at the end go, as a shell's ``$(<file)`` takes them away, which is how MySQL's
    entrypoint reads the same files. Bytes that are not UTF-8 are left to `_one_line` to refuse.
    """
    paths = {name: directory / name.lower() for name, field in fields().items() if secret(field)}
    texts = {
        name: path.read_bytes().decode(errors="surrogateescape").rstrip("\n")
        for name, path in paths.items()
        if path.is_file()
    }
    return {name: text for name, text in texts.items() if text}


def _given_twice(files: Iterable[str], directory: Path) -> Iterable[str]:
    for name in files:
        if os.environ.get(name):
            path = directory / name.lower()
            yield f"{name}: is set both as a variable and in the file {path}; remove one"


def _describe(detail: ErrorDetails) -> str:
    name = str(detail["loc"][0]).upper()
    if detail["type"] == "missing":
        return f"{name}: is required"
    reason = detail["msg"].removeprefix("Value error, ")
    given = re.sub(r"(://[^/\s:@]*):[^@\s]*@", r"\1:…@", repr(detail["input"]))
    shown = name if secret(fields()[name]) else f"{name}={given}"
    return f"{shown}: {reason[0].lower()}{reason[1:]}"


def _contradictions(settings: Settings) -> Iterable[str]:
    if settings.mta == "none" and not settings.smtp_host:
        yield "SMTP_HOST: is required with MTA=none"
    if settings.host_mta != "none" and settings.mta != "none":
        yield f"HOST_MTA={settings.host_mta!r}: needs MTA=none"
    if settings.host_mta != "none" and "compose.host-mta.yaml" not in settings.compose_file:
        yield f"HOST_MTA={settings.host_mta!r}: needs compose.host-mta.yaml in COMPOSE_FILE"
    if settings.lmtp_address[0] in ("0.0.0.0", "::"):  # noqa: S104 - compared
        yield f"LMTP_PUBLISH={settings.lmtp_publish!r}: must be one address, to connect to"
    name, _, domain = settings.owner.partition("@")
    if name in ("postmaster", "abuse") and domain in {one.name for one in settings.mail_domains}:
        setting = "SITE_OWNER" if settings.site_owner else "MAILMAN_ADMIN_EMAIL"
        yield f"{setting}={settings.owner!r}: must be another: mail to it goes to SITE_OWNER"
    if settings.fetchmail_mailboxes and "fetchmail" not in settings.compose_profiles:
        yield "FETCHMAIL_MAILBOXES: needs COMPOSE_PROFILES=fetchmail"
    if settings.fetchmail_quarantine in {one.folder for one in settings.fetchmail_mailboxes}:
        yield "FETCHMAIL_QUARANTINE: must not be a folder that mail is fetched from"


def _missing_secrets(settings: Settings, service: str) -> Iterable[str]:
    for name, mark in secrets_of(service).items():
        if mark.required and not getattr(settings, name.lower()):
            yield f"{name}: is required: as a variable, or in the file {SECRETS_DIR / name.lower()}"
    for name in {"CORE_DATABASE_PASSWORD", "WEB_DATABASE_PASSWORD"} & secrets_of(service).keys():
        if not settings.database_url and settings.database_replicas == "0":
            yield "DATABASE_URL: is required with DATABASE_REPLICAS=0"
        elif not settings.database_url and not getattr(settings, name.lower()):
            yield f"{name}: is required, or DATABASE_URL"
    if "SMTP_HOST_PASSWORD" in secrets_of(service):
        yield from _wrong_relayhost_password(settings, service)
    passwords = settings.fetchmail_passwords.get_secret_value().splitlines()
    if service == "fetchmail" and len(passwords) != len(settings.fetchmail_mailboxes):
        yield "FETCHMAIL_PASSWORDS: must have one line for each of FETCHMAIL_MAILBOXES"


def _wrong_relayhost_password(settings: Settings, service: str) -> Iterable[str]:
    """The MTA logs in where there is one, else whoever has mail to send."""
    password = settings.smtp_host_password.get_secret_value()
    logs_in = service == "mta" or settings.mta == "none"
    if logs_in and settings.smtp_host_user and not password:
        yield "SMTP_HOST_PASSWORD: is required with SMTP_HOST_USER"
    if settings.mta == "none" and not password.isascii():
        yield "SMTP_HOST_PASSWORD: must be ASCII with MTA=none"
    if settings.mta == "none" and not settings.smtp_host_user.isascii():
        yield f"SMTP_HOST_USER={settings.smtp_host_user!r}: must be ASCII with MTA=none"
