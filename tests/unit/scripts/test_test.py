"""`make test`: what a part runs, and the closing table."""

import pytest

from scripts import test

SHARED = ["--numprocesses=8", "--maxschedchunk=1"]


def test_arguments_reach_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGS", "-k 'post or list'")
    assert test.argv("unit") == ["pytest", "tests/unit", "-k", "post or list"]


def test_files_of_integration_tests_run_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGS", "-x")
    command = ["pytest", "tests/integration", "--numprocesses=4", "--dist=loadfile", "-x"]
    assert test.argv("integration") == command


def test_one_stack_serves_mail_lists_and_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARGS", raising=False)
    folders = ["tests/e2e", "tests/lists", "tests/browser"]
    assert test.argv("e2e") == ["pytest", *folders, *SHARED]
    assert test.argv("browser") == ["pytest", "tests/browser", *SHARED]


def test_upstreams_tests_are_for_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARGS", raising=False)
    assert "upstream" in {*test.KNOWN} - {*test.PARTS}
    assert test.argv("upstream")[:2] == ["pytest", "tests/upstream"]


def test_a_part_may_name_the_mta_of_its_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARGS", raising=False)
    monkeypatch.delenv("MTA", raising=False)
    assert test.argv("e2e-exim") == ["pytest", "tests/e2e", *SHARED]
    assert test.variables("e2e-exim") == {"MTA": "exim"}
    assert test.variables("e2e") == {"MTA": "postfix"}


def test_a_person_may_choose_the_mta(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTA", "sendmail")
    assert test.variables("e2e") == {"MTA": "sendmail"}
    assert test.variables("e2e-exim") == {"MTA": "exim"}
    assert test.variables("uberspace") == {}


def test_table() -> None:
    results = [test.Result("lint", 2.5, passed=True), test.Result("unit", 10.25, passed=False)]
    assert test.table(results).splitlines() == [
        "lint             2.5 s  ok",
        "unit            10.2 s  FAILED",
        "total           12.8 s",
    ]
