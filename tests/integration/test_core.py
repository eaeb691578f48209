"""The core image by itself: what it refuses, what is in it, what needs Mailman but no database."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.container import Container, container

DRIVERS = ROOT / "tests" / "integration" / "drivers"
PACKAGES = "/opt/mailman-stack/lib/python3.13/site-packages"
PATCHES = sorted((ROOT / "images" / "core" / "patches").glob("*.patch"))


@pytest.fixture(scope="module")
def core() -> Iterator[Container]:
    """A container that runs nothing, for commands in it."""
    mount = f"--volume={DRIVERS}:/drivers:ro"
    with container("core", "sleep", "infinity", options=("--network=none", mount)) as core:
        yield core


# -- What does not start


def test_wrong_settings_are_all_named() -> None:
    settings = {"MAIL_DOMAINS": "", "MAILMAN_REST_USR": "x", "MAX_RECIPIENTS": "0"}
    secrets = {"mailman_rest_password": " tr0ub4dor", "hyperkitty_api_key": ""}
    with container("core", settings=settings, secrets=secrets) as core:
        assert core.exit_code() == 78
        lines = core.output().splitlines()
    assert sorted(lines) == [
        "core: MAILMAN_REST_PASSWORD: must not begin or end with a space",
        "core: MAILMAN_REST_USR: there is no such setting; did you mean MAILMAN_REST_USER?",
        "core: MAIL_DOMAINS: is required",
        "core: MAX_RECIPIENTS='0': input should be greater than or equal to 1",
    ]


def test_settings_can_be_checked_without_a_start() -> None:
    check = ("python", "-m", "mailman_stack.check", "core")
    with container("core", *check) as core:
        assert core.exit_code() == 0
    with container("core", *check, settings={"SMTP_PORT": "high"}) as core:
        assert core.exit_code() == 78
        assert "SMTP_PORT='high'" in core.output()


@pytest.mark.parametrize(
    ("fragment", "reason"),
    [
        ("[mailman]\nsite_onwer: a@example.org\n", "site_onwer"),
        ("[mailmen]\nsite_owner: a@example.org\n", "mailmen"),
        ("no key and no section\n", "no key and no section"),
    ],
)
def test_a_fragment_that_mailman_does_not_understand_is_refused(fragment: str, reason: str) -> None:
    with container("core", local={"mailman.cfg": fragment}) as core:
        assert core.exit_code() == 78
        output = core.output()
    assert reason in output
    assert "Traceback" not in output


def test_it_stops_at_once_while_it_waits_for_the_database() -> None:
    with container("core") as core:
        core.wait_output("waiting for schema core")
        core.stop()
        assert core.exit_code() == 128 + signal.SIGTERM


def test_it_stops_at_once_while_its_files_are_written() -> None:
    with container("core") as core:
        core.wait_output("core: wrote /etc/mailman3/domains.cfg")
        core.stop()
        assert core.exit_code() == 128 + signal.SIGTERM


def test_what_reads_the_settings_leaves_nothing_behind() -> None:
    with container("core") as core:
        core.wait_output("waiting for schema core")
        loaded = core.exec("cat", "/proc/1/maps")
    assert "mysql" in loaded.lower()
    assert "pydantic" not in loaded


def test_a_fragment_is_read_by_mailman() -> None:
    fragment = "# für alle\n[mailman]\nnoreply_address: niemand\n"
    with container("core", local={"mailman.cfg": fragment}) as core:
        core.wait_output("waiting for schema core on database:3306")
        read = core.exec("python", "-c", READ_MAILMAN_SECTION)
    assert read.splitlines() == ["niemand", "admin@example.org"]


READ_MAILMAN_SECTION = """
from mailman.config import config
from mailman.core.initialize import initialize_1
initialize_1("/etc/mailman3/mailman.cfg")
print(config.mailman.noreply_address, config.mailman.site_owner, sep="\\n")
"""


def test_another_command_takes_the_entrypoints_place() -> None:
    with container("core", "python", "-V", settings={"MAIL_DOMAINS": ""}) as core:
        assert core.exit_code() == 0
        assert core.output().startswith("Python 3.13.")


# -- What is in the image


def test_runs_as_its_own_user(core: Container) -> None:
    assert core.exec("sh", "-c", "id -u; id -g").split() == ["990", "990"]


def test_nothing_in_the_image_compiles(core: Container) -> None:
    assert core.exec("sh", "-c", "command -v gcc cc g++ clang make ld || true") == ""


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_correction_is_applied(core: Container, patch: Path) -> None:
    for path, lines in hunks(patch.read_text()):
        assert lines in core.exec("cat", f"{PACKAGES}/{path}")


def hunks(patch: str) -> Iterator[tuple[str, str]]:
    """Of each hunk of a patch: the path of the file, and its lines as they are to be."""
    for section in re.split(r"^--- ", patch, flags=re.MULTILINE)[1:]:
        header, *bodies = re.split(r"^@@.*\n", section, flags=re.MULTILINE)
        path = header.partition("+++ b/")[2].strip()
        for body in bodies:
            yield (
                path,
                "".join(line[1:] for line in body.splitlines(keepends=True) if line[0] in " +"),
            )


@pytest.mark.parametrize(
    ("settings", "type_", "file"),
    [
        ({}, "lmdb", "m.lmdb"),
        ({"POSTFIX_TABLE_TYPE": "hash"}, "hash", "m.db"),
        ({"MTA": "sendmail"}, "hash", "m.db"),
    ],
    ids=["postfix", "postfix-hash", "sendmail"],
)
def test_tables_are_indexed_as_the_mta_reads_them(
    settings: dict[str, str], type_: str, file: str
) -> None:
    with container("core", settings=settings) as core:
        core.wait_output("waiting for schema core")
        index = core.exec("sed", "-n", "s/^postmap_command: //p", "/etc/mailman3/mta.cfg").strip()
        core.exec("sh", "-c", f"mkdir /tmp/maps; echo 'a b' >/tmp/maps/m; {index} /tmp/maps/m")
        assert core.exec("sh", "-c", "cd /tmp/maps; ls").split() == ["m", file]
        found = core.exec("postmap", "-c", "/etc/mailman3", "-q", "a", f"{type_}:/tmp/maps/m")
    assert found == "b\n"


def test_html_becomes_plain_text(core: Container) -> None:
    html = "<p>Grüße &amp; <b>schöne</b> 10&nbsp;€</p><ul><li>日本</li></ul>"
    text = core.exec("python", "/drivers/html_to_text.py", stdin=html)
    assert text.split() == ["Grüße", "&", "schöne", "10", "€", "•", "日本"]


# -- Jobs


NOON = "2026-03-10T12:00:00+01:00"


@pytest.mark.parametrize(
    ("hour", "last_success", "now", "due"),
    [
        (8, None, NOON, True),
        (8, "2026-03-10T07:59:59+01:00", NOON, True),
        (8, "2026-03-10T08:00:00+01:00", NOON, False),
        (12, "2026-03-09T12:00:01+01:00", NOON, True),
        (13, "2026-03-09T12:59:59+01:00", NOON, True),
        (13, "2026-03-09T13:00:01+01:00", NOON, False),
        (0, "2026-03-09T23:59:59+01:00", "2026-03-10T00:00:00+01:00", True),
        # The last success was before the clocks went forward.
        (8, "2026-03-28T08:00:01+01:00", "2026-03-29T08:00:00+02:00", True),
        (8, "2026-03-28T08:00:01+01:00", "2026-03-29T07:59:00+02:00", False),
        # Core was down for a week.
        (8, "2026-03-03T08:00:01+01:00", "2026-03-10T03:00:00+01:00", True),
    ],
)
def test_when_a_job_is_due(
    core: Container, hour: int, last_success: str | None, now: str, due: bool
) -> None:
    question = json.dumps([hour, last_success, now])
    assert json.loads(core.exec("python", "/drivers/jobs_due.py", stdin=question)) is due


# -- A message that is handed in again


def test_a_message_is_queued_once_wherever_core_died_before() -> None:
    driver = f"--volume={DRIVERS}:/drivers:ro"
    options = ("--network=none", driver)
    with container("core", "python", "/drivers/once.py", options=options) as once:
        assert once.exit_code() == 0, once.output()
        outcomes = json.loads(once.output())
    deaths = [queued for died, queued in outcomes if died]
    assert deaths == [1] * 6
    assert {queued for _died, queued in outcomes} == {1}


def test_whatever_goes_wrong_in_lmtp_is_no_reason_to_bounce() -> None:
    options = ("--network=none", f"--volume={DRIVERS}:/drivers:ro")
    with container("core", "python", "/drivers/trouble.py", options=options) as trouble:
        assert trouble.exit_code() == 0, trouble.output()
        output = trouble.output()
    assert '451 b"4.3.0 trouble of Mailman\'s own; try again later"' in output
    assert "500" not in output


def test_lmtp_that_ends_lets_each_client_end_its_message() -> None:
    """Exim takes a message for delivered if it has the replies to RCPT and none to DATA."""
    options = ("--network=none", f"--volume={DRIVERS}:/drivers:ro")
    with container("core", "python", "/drivers/finish.py", options=options) as finish:
        assert finish.exit_code() == 0, finish.output()
        lines = finish.output().splitlines()
    assert lines == ["idle: True", "new: refused", "busy: 250 b'taken'", "busy: True"]


# -- With lists, in a database of its own

SQLITE = "[database]\nclass: mailman.database.sqlite.SQLiteDatabase\nurl: sqlite:////tmp/m.db\n"


def driven(name: str, **settings: str) -> str:
    """What a driver prints."""
    options = ("--network=none", f"--volume={DRIVERS}:/drivers:ro")
    local = {"mailman.cfg": SQLITE}
    with container(
        "core", "python", f"/drivers/{name}.py", options=options, settings=settings, local=local
    ) as driver:
        assert driver.exit_code() == 0, driver.output()
        return driver.output()


def test_members_are_listed_while_one_of_them_leaves() -> None:
    assert driven("leaving").splitlines()[-1] == "anne@example.com regular enabled"


def test_a_message_stays_where_a_runner_will_find_it() -> None:
    output = driven("runner")
    done: dict[str, object] = {"left": {}, "at_once": False}
    assert json.loads(output.splitlines()[-1]) == {
        "none": done | {"looks": 1},
        "database, then none": done | {"looks": 3},
        "database": {"looks": 3, "left": {"shunt": [".pck"]}, "at_once": False},
        "message": {"looks": 1, "left": {"shunt": [".pck"]}, "at_once": False},
        "not yet": done | {"looks": 3},
        "stopped": done | {"looks": 1},
        "no watches": done | {"looks": 1},
        # What another runner has found is not looked up again, but for what was held.
        "speaks": ["fr", "de", "fr"],
    }
    assert "is looked at every 1 s" in output


def test_posts_are_archived_in_their_order_whatever_hyperkitty_says() -> None:
    """And spooled without waiting for it: it answers when the last one is spooled."""
    done: dict[str, object] = {"spooled": 3, "left": []}
    assert json.loads(driven("archiving").splitlines()[-1]) == {
        "taken": done | {"offered": "012"},
        "away": done | {"offered": "00012"},
        "refused": done | {"offered": "0120"},
        "odd": done | {"offered": "0120"},
        "stopped": done | {"waited": [".pck", ".pck"], "spooled": 2 + 3, "offered": "12012"},
        "unreadable": done | {"offered": "012", "bad": [True]},
        "unwritten": {"offered": "", "left": [], "archive": 0, "shunt": 1},
    }


@pytest.mark.parametrize("type_", ["lmdb", "hash"])
def test_maps_to_which_a_list_was_added_are_as_if_written_anew(type_: str) -> None:
    outcome = json.loads(driven("maps", POSTFIX_TABLE_TYPE=type_).splitlines()[-1])
    for step, (added, anew) in outcome.items():
        assert added == anew, step
        assert all(text == index for text, index in added.values()), step
    first, *_others, last = (anew["postfix_lmtp"][0] for _added, anew in outcome.values())
    assert [len(first), len(last)] == [9, 4 * 9]


def test_runners_load_and_compile_little_by_themselves() -> None:
    """What each did for itself, each would have in its own memory."""
    compiled, loaded, sent = driven("rehearsal").splitlines()[-3:]
    assert compiled == "0"
    assert {name for name in loaded.split() if not name.startswith("encodings.")} <= {"netrc"}
    assert sent == "1"


def test_an_answer_is_remembered_until_something_changes_or_the_transaction_ends() -> None:
    assert json.loads(driven("memo").splitlines()[-1]) == [
        ["first", False, 1],
        ["again", False, 0],
        ["post counted, not yet written", False, 0],
        ["post counted", False, 0],
        ["banned, not yet written", True, 1],
        ["banned", True, 1],
        ["banned, again", True, 0],
        ["unbanned by a statement", False, 1],
        ["in the next transaction", True, 1],
        ["unbanned, not yet written", False, 1],
        ["after all not", True, 1],
        ["unbanned by another", True, 0],
        ["unbanned by another, seen", False, 1],
    ]


def test_what_is_asked_in_one_query_is_answered_as_by_upstream() -> None:
    *differences, number = driven("lookups").splitlines()
    assert [line for line in differences if line.startswith("ours:")] == []
    assert int(number) > 64 * 3 * 8
