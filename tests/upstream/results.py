"""What a suite has shown, against what is known of it."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

WORST_FIRST = ("failed", "skipped", "passed")

Outcomes = Mapping[str, str]
"""By a test's name: passed, failed or skipped; an error counts as failed."""


@dataclass(frozen=True)
class Known:
    """How many tests a suite has, and those that do not pass, each with what it does instead."""

    tests: int
    deviations: Outcomes


def read(path: Path) -> Outcomes:
    """The outcomes in a file of JUnit's form; a test that is in it twice has the worse of both."""
    outcomes: dict[str, str] = {}
    for case in ET.parse(path).iter("testcase"):  # noqa: S314 - written by our own containers
        name = ".".join(filter(None, (case.get("classname"), case.get("name"))))
        outcome = _outcome(case)
        outcomes[name] = min(outcome, outcomes.get(name, outcome), key=WORST_FIRST.index)
    return outcomes


def _outcome(case: ET.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "passed" if case.find("skipped") is None else "skipped"


def known(path: Path, *suites: str) -> Known:
    """What a file of deviations says of a suite: the sum of what it says of each of ``suites``.

    :raises ValueError: when a deviation has no reason, or is there twice.
    """
    described = tomllib.loads(path.read_text(encoding="utf-8"))
    deviations: dict[str, str] = {}
    for suite in suites:
        for group in described[suite].get("deviations", []):
            for test, outcome in _tests(group):
                if test in deviations:
                    raise ValueError(f"{test} is there twice")
                deviations[test] = outcome
    return Known(described[suites[0]]["tests"], deviations)


def _tests(group: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not group["reason"].strip() or group.keys() - {"reason", "failed", "skipped"}:
        raise ValueError(f"not a deviation: {group}")
    for outcome in ("failed", "skipped"):
        for test in group.get(outcome, []):
            yield test, outcome


def differences(outcomes: Outcomes, known: Known) -> list[str]:
    """A line for each way in which a run differs from what is known."""
    problems = []
    if len(outcomes) != known.tests:
        problems.append(f"{len(outcomes)} tests have run, {known.tests} are known")
    for test in sorted(outcomes.keys() | known.deviations.keys()):
        outcome = outcomes.get(test, "not run")
        expected = known.deviations.get(test, "passed")
        if outcome != expected:
            problems.append(f"{test}: {outcome}, expected: {expected}")
    return problems
