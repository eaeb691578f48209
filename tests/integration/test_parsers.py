"""Any value arrives unchanged in what each daemon's own parser reads, and none can add a line."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support import ROOT, RUN
from tests.support.container import container

DRIVERS = ROOT / "tests" / "integration" / "drivers"
EXAMPLES = settings(max_examples=150, deadline=None)

# Every character that some parser on the way gives a meaning to.
SPECIAL = "'\"`\\$%#;:=,[](){}<>|&!?*~@/ \t\r\n"
PRINTABLE = st.characters(exclude_categories=["C", "Zl", "Zp"]) | st.sampled_from(SPECIAL[:-3])
NASTY = "#;'\"`\\ $HOME ${x} %s %(x)s %% =[y]: {z} é\N{NO-BREAK SPACE}🔑\\"


def trimmed(text: str) -> bool:
    return text == text.strip()


VALUE = st.text(PRINTABLE, min_size=1, max_size=40).filter(trimmed)
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1).filter(trimmed)
WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)
ADDRESS = st.text("abcXYZ019.!#$%&'*+/=?^_`{|}~-", min_size=1).map("{}@example.org".format)
ANYTHING = st.text(st.characters() | st.sampled_from(SPECIAL), max_size=20)


def without_colon(text: str) -> str:
    return text.replace(":", "=")


@dataclass(frozen=True)
class Reader:
    """A program in a service's image that reads the files which given settings result in."""

    process: subprocess.Popen[str]

    def read(self, settings: dict[str, str], **secrets: str) -> dict[str, Any]:
        """As the drivers describe it."""
        assert self.process.stdin
        assert self.process.stdout
        print(
            json.dumps({"settings": settings, "secrets": secrets}),
            file=self.process.stdin, flush=True,
        )  # fmt: skip
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def reader(service: str, driver: str) -> Iterator[Reader]:
    mount = f"--volume={DRIVERS}:/drivers:ro"
    with container(service, "sleep", "infinity", options=("--network=none", mount)) as started:
        command = ["docker", "exec", "--interactive", started.name, "python", f"/drivers/{driver}"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            yield Reader(process)


# -- Mailman core: lazr.config, SQLAlchemy's URLs, ConfigParser


@pytest.fixture(scope="module")
def core() -> Iterator[Reader]:
    with reader("core", "core.py") as core:
        yield core


def core_reads(core: Reader, values: dict[str, str]) -> dict[str, Any]:
    """What core reads of values named as in its answer."""
    return core.read(
        {"SITE_OWNER": values["site_owner"], "MAILMAN_REST_USER": values["rest_user"]},
        mailman_rest_password=values["rest_password"],
        core_database_password=values["database_password"],
        database_url=values.get("database_url", ""),
        hyperkitty_api_key=values["api_key"],
    )


HARMLESS = {
    "site_owner": "o@example.org", "rest_user": "u", "rest_password": "p",
    "database_user": "core", "database_password": "d", "api_key": "k",
}  # fmt: skip


@pytest.fixture(scope="module")
def core_usual(core: Reader) -> dict[str, Any]:
    """What core reads where every value is harmless."""
    answer = core_reads(core, HARMLESS)
    assert answer["read"] == HARMLESS
    return answer


@EXAMPLES
@given(
    st.fixed_dictionaries(
        {
            "site_owner": ADDRESS,
            "rest_user": ASCII.map(without_colon),
            "rest_password": ASCII,
            "database_password": VALUE,
            "api_key": WORD,
        }
    )
)
@example(
    {
        "site_owner": "#$%a@example.org",
        "rest_user": "[x]",
        "rest_password": "# ; %s $x \\",
        "database_password": NASTY,
        "api_key": "%(x)s",
    }
)
@example(
    {
        "site_owner": "{a}@example.org",
        "rest_user": "=a",
        "rest_password": "'\"a",
        "database_password": "%41",
        "api_key": "#k;",
    }
)
def test_core(core: Reader, core_usual: dict[str, Any], values: dict[str, str]) -> None:
    answer = core_reads(core, values)
    assert answer.get("read") == {**values, "database_user": "core"}
    assert answer["others"] == core_usual["others"]


@EXAMPLES
@given(user=VALUE, password=VALUE)
@example(user=NASTY, password=NASTY)
def test_core_with_an_external_database(core: Reader, user: str, password: str) -> None:
    url = f"mysql://{quote(user, safe='')}:{quote(password, safe='')}@db.example/mail"
    answer = core_reads(core, {**HARMLESS, "database_url": url})
    assert answer["read"]["database_user"] == user
    assert answer["read"]["database_password"] == password


@EXAMPLES
@given(
    values=st.fixed_dictionaries(
        dict.fromkeys(("rest_password", "database_password", "api_key"), ANYTHING)
    ),
    url=st.just("") | ANYTHING.map("mysql://u:{}@h/s".format),
)
def test_core_is_given_nothing_that_adds_a_line(
    core: Reader, core_usual: dict[str, Any], values: dict[str, str], url: str
) -> None:
    answer = core_reads(core, {**HARMLESS, **values, "database_url": url})
    if "problems" not in answer:
        assert answer["others"] == core_usual["others"]
        assert answer["read"]["rest_password"] == values["rest_password"].rstrip("\n")
        assert answer["read"]["api_key"] == values["api_key"].rstrip("\n")


# -- Postfix: main.cf, master.cf, texthash


@pytest.fixture(scope="module")
def mta() -> Iterator[Reader]:
    with reader("mta", "postfix.py") as mta:
        yield mta


RELAYHOST = {"SMTP_HOST": "relay.example", "SMTP_PORT": "587", "SMTP_SECURE_MODE": "starttls"}


@pytest.fixture(scope="module")
def mta_usual(mta: Reader) -> dict[str, Any]:
    """What Postfix reads where every value is harmless."""
    return mta.read(RELAYHOST | {"SMTP_HOST_USER": "u"}, smtp_host_password="p")


@EXAMPLES
@given(owner=ADDRESS, user=VALUE.map(without_colon), password=VALUE)
@example(owner="#$%a@example.org", user=without_colon(NASTY), password=NASTY)
@example(owner="{a}@example.org", user='"', password=": :\\")
def test_postfix(
    mta: Reader, mta_usual: dict[str, Any], owner: str, user: str, password: str
) -> None:
    answer = mta.read(
        {**RELAYHOST, "SITE_OWNER": owner, "SMTP_HOST_USER": user}, smtp_host_password=password
    )
    assert answer.get("read") == {
        "relayhost": "[relay.example]:587", "owner": owner, "login": f"{user}:{password}",
    }  # fmt: skip
    assert answer["others"] == mta_usual["others"]


@EXAMPLES
@given(user=ANYTHING, password=ANYTHING)
def test_postfix_is_given_nothing_that_adds_a_line(
    mta: Reader, mta_usual: dict[str, Any], user: str, password: str
) -> None:
    user = user.encode(errors="replace").decode().replace("\0", "")
    answer = mta.read(RELAYHOST | {"SMTP_HOST_USER": user}, smtp_host_password=password)
    if user and "problems" not in answer:
        assert answer["others"] == mta_usual["others"]
        assert answer["read"]["login"] == f"{user}:{password}".rstrip("\n")


# -- Compose: `.env`


def in_single_quotes(value: str) -> str:
    return "'" + value.replace("'", "\\'") + "'"


def in_double_quotes(value: str) -> str:
    for character in '\\"$':
        value = value.replace(character, f"\\{character}")
    return f'"{value}"'


def fits_single_quotes(value: str) -> bool:
    """Whether no single quote, nor the end, comes after a backslash."""
    return "\\'" not in value and not value.endswith("\\")


@pytest.fixture(scope="module")
def throwaway() -> Iterator[list[str]]:
    """The command that runs a Compose project whose one service prints its environment."""
    name = f"mailman-stack-test-env-{uuid.uuid4().hex[:8]}"
    folder = RUN / name
    folder.mkdir(parents=True)
    (folder / "compose.yaml").write_text(PRINTER)
    compose = ["docker", "compose", "--project-name", name, "--project-directory", str(folder)]
    yield [*compose, "run", "--rm", "printer"]
    subprocess.run([*compose, "down"], capture_output=True, check=True)
    (folder / "compose.yaml").unlink()
    (folder / ".env").unlink()
    folder.rmdir()


PRINTER = """\
services:
  printer:
    image: mailman-stack/tests
    network_mode: none
    env_file: .env
    command: [python, -c, "import json, os; print(json.dumps(dict(os.environ)))"]
"""


@pytest.mark.parametrize("quoted", [in_single_quotes, in_double_quotes])
@settings(max_examples=3, deadline=None, print_blob=True)
@given(values=st.lists(VALUE, min_size=20, max_size=60))
@example(values=["pa$$word ${HOME} $X", "it's", "# not a comment", "é 🔑 %s [x]: y", "a\\nb\\\\c"])
def test_env_file(throwaway: list[str], quoted: Any, values: list[str]) -> None:
    if quoted is in_single_quotes:
        values = [value for value in values if fits_single_quotes(value)]
    variables = {f"LOCAL_{number}": value for number, value in enumerate(values)}
    folder = Path(throwaway[throwaway.index("--project-directory") + 1])
    (folder / ".env").write_text(
        "".join(f"{name}={quoted(value)}\n" for name, value in variables.items())
    )
    printed = subprocess.run(throwaway, capture_output=True, text=True, check=True)
    environment = json.loads(printed.stdout)
    assert {name: environment[name] for name in variables} == variables
