"""What the benchmark makes of what it has measured."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import load, report, variants
from benchmarks.__main__ import order
from benchmarks.keys import FIGURES, KEYS, Key
from benchmarks.measurements import Size
from tests.support import ROOT

SAMPLES = {
    "upstream": {"posts_100": [2.0, 4.0, 3.0], "pss_core_mib": [900.0]},
    "ours": {"posts_100": [30.0], "pss_core_mib": [180.0], "pss_stack_mib": [599.6]},
}
AB = """\
Complete requests:      {complete}
Failed requests:        {failed}
{more}Requests per second:    {rate} [#/sec] (mean)
"""
DUMP = """\
X-Client-Addr: 10.0.0.3
X-Mail-Args: <test-bounces@lists.example.com>
X-Rcpt-Args: <member-1@outside.example>
X-Rcpt-Args: <member-2@outside.example>
Received: from mta by smtp-sink
Received: from core
\tby mta
Subject: one
X-Mailman-Version: 3

Text
"""


def key(name: str) -> Key:
    return next(key for key in KEYS if key.name == name)


def test_a_key_is_the_median_of_the_rounds_ratios() -> None:
    """A machine that is slower in one round is so for both variants."""
    figures = {
        "upstream": {"restart_seconds": [10.0, 10.0, 20.0]},
        "ours": {"restart_seconds": [3.0, 5.0, 6.0]},
    }
    assert key("restart_seconds_vs_upstream").value(figures) == 0.3


def test_a_round_that_is_half_done_is_left_out() -> None:
    assert key("fanout_100_vs_upstream").value(SAMPLES) == 15
    assert key("core_pss_vs_upstream").value(SAMPLES) == 0.2


def test_a_key_without_a_base_is_the_median_itself() -> None:
    assert key("stack_pss_mib").value(SAMPLES) == 599.6


def test_what_was_not_measured_has_no_value() -> None:
    assert key("fanout_1000_vs_raw").value(SAMPLES) is None
    assert key("archive_rate_vs_upstream").value({"ours": {"archived": [1.0]}}) is None


def test_targets_are_the_least_or_the_most() -> None:
    assert key("fanout_100_vs_upstream").is_met(5)
    assert not key("fanout_100_vs_upstream").is_met(4.99)
    assert key("core_pss_vs_upstream").is_met(0.22)
    assert not key("core_pss_vs_upstream").is_met(0.23)


CLAIMS = re.findall(r"(?m)^\| (.+) \| ([\d.]+) \|$", (ROOT / "README.md").read_text())


@pytest.mark.parametrize(("title", "factor"), CLAIMS)
def test_readme_claims_no_more_than_was_measured(title: str, factor: str) -> None:
    claimed = next(replace(key, target=float(factor)) for key in KEYS if key.title == title)
    measured = json.loads((ROOT / "benchmarks" / "results" / "latest.json").read_text())
    assert claimed.is_met(measured[claimed.name])


def test_readme_claims_something() -> None:
    assert CLAIMS


def test_keys_are_made_of_figures_and_variants_that_there_are() -> None:
    names = {name for key in KEYS for name in (key.figure, key.base) if name}
    assert {name.partition(".")[0] for name in names} <= set(variants.VARIANTS)
    assert {name.partition(".")[2] for name in names} <= set(FIGURES)


def test_every_figure_is_measured() -> None:
    text = (ROOT / "benchmarks" / "measurements.py").read_text()
    yielded = set(re.findall(r'yield f?"(\w+|[\w{}]+)", ', text))
    services = {service for name in variants.PARTS for service in (name, "qcluster")}
    measured = yielded | {f"pss_{service}_mib" for service in services}
    measured |= {name.format(count=count) for name in yielded for count in (10, 10_000)}
    assert set(FIGURES) <= measured


def test_values_have_exactly_the_keys() -> None:
    values = report.values(SAMPLES)
    assert list(values) == [key.name for key in KEYS]
    assert values["stack_pss_mib"] == 600
    assert values["idle_cpu_vs_upstream"] is None


def test_results_are_told() -> None:
    text = report.text(SAMPLES, rounds=3, listing="mysql:9.7 210MB\nother:latest 1MB\n")
    assert "| posts/s to 100 members, archived | 15 | ≥ 5 | met |" in text
    assert "| Posts/s, 100 members | 3 (2 … 4) | 30 |" in text
    assert "| mysql:9.7 | 210MB |" in text
    assert "other" not in text.partition("Sizes of images")[2].partition("##")[0]


def test_a_missed_target_is_told() -> None:
    values = dict.fromkeys((key.name for key in KEYS), None) | {"stack_pss_mib": 600.5}
    assert "| 600.5 | ≤ 600 | **missed** |" in report.keys_table(values)
    assert "| not measured |" in report.keys_table(values)


def test_what_is_compared_is_measured_side_by_side_before_all_else() -> None:
    runs = [*order(Size(rounds=2), with_others=True)]
    groups = [(turn, *(variant.name for variant in group)) for turn, group, _size in runs]
    assert groups[:2] == [(0, "upstream", "ours"), (1, "upstream", "ours")]
    assert groups[2:] == [(1, "guide"), (1, "debian"), (1, "exim"), (1, "sendmail")]
    assert [size.many for *_, size in runs] == [True, *[False] * 5]
    assert [*order(Size(rounds=2), with_others=False)] == runs[:2]


def test_memory_is_the_sum_of_all_processes() -> None:
    assert variants.kilobytes("Pss:      100 kB\nPss_Anon:  7 kB\nPss:  24 kB\n") == 124


def test_the_sink_counts_what_has_come_since(tmp_path: Path) -> None:
    dump = tmp_path / "mail"
    sink = load.Sink(dump)
    sink.skip()
    dump.write_text(DUMP)
    sink.wait(load.DELIVERY, 2, seconds=1)
    sink.skip()
    with dump.open("a") as file:
        file.write("X-Rcpt-Args: <member-3@outside.exa")
    with pytest.raises(AssertionError, match="last seen"):
        sink.wait(load.DELIVERY, 1, seconds=0.01)
    with dump.open("a") as file:
        file.write("mple>\n")
    sink.wait(load.DELIVERY, 1, seconds=1)


def test_a_message_is_sent_again_without_trace(tmp_path: Path) -> None:
    dump = tmp_path / "mail"
    dump.write_text(DUMP.replace("one", "zero") + DUMP)
    assert load.Sink(dump).last_message() == (
        b"Subject: one\r\nX-Mailman-Version: 3\r\n\r\nText\r\n"
    )


def test_pages_count_in_equal_shares() -> None:
    reports = [AB.format(complete=9, failed=0, more="", rate=rate) for rate in ("10.00", "30.00")]
    assert load.rate_of_pages(reports) == pytest.approx(15)


@pytest.mark.parametrize(("failed", "more"), [(1, ""), (0, "Non-2xx responses:      9\n")])
def test_failed_requests_are_no_pages(failed: int, more: str) -> None:
    with pytest.raises(ValueError, match="Complete"):
        load.rate_of_pages([AB.format(complete=9, failed=failed, more=more, rate="99.0")])
