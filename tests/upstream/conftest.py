"""A table of all suites at the end."""

import pytest

HEAD = ("suite", "version", "tests", "passed", "deviations", "seconds", "")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what each suite has recorded of itself, whatever became of it."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    rows = [
        (*row, report.outcome)
        for report in reports
        for name, row in report.user_properties
        if name == "suite"
    ]
    if not rows:
        return
    terminalreporter.section("upstream's own tests")
    for row in (HEAD, *sorted(rows)):
        suite, version, *numbers, outcome = row
        columns = "".join(f"{number:>12}" for number in numbers)
        terminalreporter.write_line(f"{suite:<16}{version:<10}{columns}  {outcome}".rstrip())
