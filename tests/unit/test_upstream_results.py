"""How the outcomes of upstream's own tests are compared with what is known of them."""

from pathlib import Path

import pytest

from tests.support import ROOT
from tests.upstream import results

KNOWN = results.Known(3, {"a": "failed", "b": "skipped"})
DEVIATIONS = """
[core]
tests = 2
[[core.deviations]]
reason = "new Python"
failed = ["a"]
[core-ours]
[[core-ours.deviations]]
reason = "answers with 451"
skipped = ["b"]
"""


def test_what_is_known_is_no_difference() -> None:
    assert not results.differences({"a": "failed", "b": "skipped", "c": "passed"}, KNOWN)


def test_a_new_failure_is_a_difference() -> None:
    run = {"a": "failed", "b": "failed", "c": "skipped"}
    assert results.differences(run, KNOWN) == [
        "b: failed, expected: skipped",
        "c: skipped, expected: passed",
    ]


def test_a_deviation_that_passes_is_a_difference() -> None:
    run = {"a": "passed", "b": "skipped", "c": "passed"}
    assert results.differences(run, KNOWN) == ["a: passed, expected: failed"]


def test_a_test_that_is_missing_is_a_difference() -> None:
    assert results.differences({"a": "failed", "b": "skipped"}, KNOWN) == [
        "2 tests have run, 3 are known"
    ]
    assert results.differences({"b": "skipped", "c": "passed", "d": "passed"}, KNOWN) == [
        "a: not run, expected: failed"
    ]


def test_reading_takes_the_worse_of_two_outcomes(tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="m.T" name="a"><error/></testcase>'
        '<testcase classname="m.T" name="a"/><testcase classname="m.T" name="b"><skipped/>'
        '</testcase><testcase classname="" name="c"/></testsuite></testsuites>'
    )
    assert results.read(report) == {"m.T.a": "failed", "m.T.b": "skipped", "c": "passed"}


def test_a_suite_may_have_deviations_besides_those_of_another(tmp_path: Path) -> None:
    file = tmp_path / "deviations.toml"
    file.write_text(DEVIATIONS)
    assert results.known(file, "core") == results.Known(2, {"a": "failed"})
    assert results.known(file, "core", "core-ours").deviations == {"a": "failed", "b": "skipped"}


@pytest.mark.parametrize(
    "group",
    [
        'reason = " "\nfailed = ["b"]',
        'reason = "r"\nfailes = ["b"]',
        'reason = "r"\nfailed = ["a"]',
    ],
    ids=["no reason", "a misspelling", "twice"],
)
def test_a_wrong_deviation_is_refused(tmp_path: Path, group: str) -> None:
    file = tmp_path / "deviations.toml"
    file.write_text(f"{DEVIATIONS}\n[[core.deviations]]\n{group}\n")
    with pytest.raises(ValueError, match="a"):
        results.known(file, "core")


def test_every_deviation_has_a_reason() -> None:
    file = ROOT / "tests" / "upstream" / "deviations.toml"
    for suite in ("core", "hyperkitty", "postorius", "django_mailman3", "mailmanclient"):
        assert results.known(file, suite)
