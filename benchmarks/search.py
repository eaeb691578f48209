"""`make bench-search`: Xapian, which the stack uses, beside Whoosh, on the same messages.

What runs in the web image is `inside/search.py`, on the messages of `inside/messages.py`.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from operator import ne
from statistics import median, quantiles
from typing import Any

from benchmarks.inside.messages import REPEATS
from benchmarks.report import FOLDER, machine, table
from tests.support import ROOT
from tests.support.container import docker

type Figures = dict[str, Any]
"""What `inside/search.py` prints of an engine."""

type Results = dict[str, Any]
"""All that search.json has; the engines' figures by their names."""

MESSAGES = 50_000
NEW = 100
LIMIT = 1800
"""Seconds that an engine may take to build its index, but for the batch that it is at."""

ENGINES = {
    "Xapian": "xapian_backend.XapianEngine",
    "Whoosh": "haystack.backends.whoosh_backend.WhooshEngine",
}
NAME = "search-bench"
IMAGE = "mailman-stack/web"
DATA = "/var/lib/mailman-web"
CODE = "/opt/search"
PACKAGES = f"{DATA}/whoosh/usr/lib/python3/dist-packages"
# The web image has no Whoosh: it gets Debian's, unpacked.
FETCH = f"""
apt-get update -qq && cd /tmp && apt-get download -qq python3-whoosh || exit
dpkg --extract python3-whoosh_*.deb {DATA}/whoosh
"""
RUN = "import django; django.setup(); from benchmarks.inside import search; search.{}"

TEXT = """\
# Search: Xapian and Whoosh

{date}, {machine}. {messages:,} messages of {text_mib:.0f} MiB in all, as a database
{database_mib:.0f} MiB. {conclusion}

{table}

`make bench-search` fills HyperKitty's models, in an SQLite file, with the same messages for both:
about 1.5 KB each, words by Zipf's law from a vocabulary of 50,000, in threads of five, over five
years, in five lists, of which one is private. Each engine runs in the web image, in one process,
without a network, one after the other. Xapian is the image's own, Whoosh Debian's. Both index what
this stack does.

- **build**: all messages, in batches of 1,000 as `update_index` has them, for {limit:,} s at most.
- **peak memory**: of the process that has built it, with Django and all it loads.
- **new messages**: what the indexing job does with {new} more messages (`update_index`), once.
- **search**: as HyperKitty's page does it for a stranger, up to the first ten messages, without the
  page itself. Medians of {repeats} searches of a kind, in brackets the 95th percentile.
- **wrong hits**: searches that find another number of the indexed messages than was counted
  without an index.
"""


def main() -> None:
    """MESSAGES and LIMIT in the environment: other numbers of them, and of seconds."""
    count = int(os.environ.get("MESSAGES") or MESSAGES)
    limit = int(os.environ.get("LIMIT") or LIMIT)
    with data():
        run("fetch", "--user=0", "--entrypoint=sh", IMAGE, "-c", FETCH)
        # The same throughout, also if it is built anew meanwhile.
        image = docker("image", "inspect", "--format={{.Id}}", IMAGE).strip()
        results: Results = {
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "machine": machine(),
            "messages": count,
            "limit": limit,
            **inside(image, ENGINES["Whoosh"], f"fill({count + NEW})"),
            "engines": {},
        }
        for name, engine in ENGINES.items():
            print(f"==> {name}", flush=True)
            results["engines"][name] = inside(image, engine, f"measure({NEW}, {limit})")
            write(results)


@contextmanager
def data() -> Iterator[None]:
    """The volume for the archive and the indexes; in the end it is gone."""
    docker("volume", "create", NAME)
    try:
        yield
    finally:
        docker("volume", "rm", "--force", NAME)


def inside(image: str, engine: str, call: str) -> Figures:
    """Call a function of `inside/search.py` and return what it prints."""
    printed = run(
        "inside",
        "--network=none",
        f"--volume={ROOT}/benchmarks/inside:{CODE}/benchmarks/inside:ro",
        f"--env=PYTHONPATH={CODE}:{PACKAGES}",
        "--env=DJANGO_SETTINGS_MODULE=benchmarks.inside.search_settings",
        f"--env=SEARCH_ENGINE={engine}",
        "--entrypoint=python",
        image,
        *("-c", RUN.format(call)),
    )
    figures: Figures = json.loads(printed)
    return figures


def run(name: str, *arguments: str) -> str:
    """Run a container to its end, however long it takes, and return its standard output."""
    command = ["docker", "run", "--rm", "--pull=never", f"--name={NAME}-{name}"]
    command += [f"--volume={NAME}:{DATA}", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def write(results: Results) -> None:
    """Write all of it, with the engines measured so far."""
    (FOLDER / "results" / "search.json").write_text(json.dumps(results, indent=2) + "\n")
    (FOLDER / "SEARCH.md").write_text(text(results))


def text(results: Results) -> str:
    """SEARCH.md."""
    return TEXT.format(
        **{name: value for name, value in results.items() if name != "engines"},
        conclusion=conclusion(results),
        table=table(["", *results["engines"]], rows(results)),
        new=NEW,
        repeats=REPEATS,
    )


def rows(results: Results) -> Iterator[list[str]]:
    """One for each figure, with a cell for each engine."""
    engines = list(results["engines"].values())
    yield ["messages indexed", *(f"{each['indexed']:,}" for each in engines)]
    yield ["build, s", *(f"{total(each, 'wall'):.0f}" for each in engines)]
    yield ["build, s of processor", *(f"{total(each, 'cpu'):.0f}" for each in engines)]
    yield ["messages/s", *(f"{each['indexed'] / total(each, 'wall'):.0f}" for each in engines)]
    yield ["first batch, s", *(f"{each['batches'][0]['wall']:.1f}" for each in engines)]
    yield ["last batch, s", *(f"{each['batches'][-1]['wall']:.1f}" for each in engines)]
    yield ["index, MiB", *(f"{each['index_mib']:.0f}" for each in engines)]
    yield ["index, KiB a message", *(f"{kib_a_message(each):.1f}" for each in engines)]
    yield ["peak memory, MiB", *(f"{each['peak_mib']:.0f}" for each in engines)]
    yield [f"{NEW} new messages, s", *(f"{each['add']['wall']:.2f}" for each in engines)]
    yield [f"of {NEW} new ones in the index", *(str(each["added"]) for each in engines)]
    for kind in engines[0]["seconds"]:
        yield [f"search for {kind}, ms", *(spread(each["seconds"][kind]) for each in engines)]
    yield ["wrong hits", *map(errors, engines)]


def total(figures: Figures, clock: str) -> float:
    """Seconds of the whole build, by one of the clocks `wall` and `cpu`."""
    return float(sum(batch[clock] for batch in figures["batches"]))


def kib_a_message(figures: Figures) -> float:
    return float(figures["index_mib"] / figures["indexed"] * 1024)


def spread(seconds: list[float]) -> str:
    """Median and 95th percentile in milliseconds."""
    high = quantiles(seconds, n=20, method="inclusive")[-1]
    return f"{1000 * median(seconds):.1f} ({1000 * high:.1f})"


def errors(figures: Figures) -> str:
    """How many searches went wrong, and for each kind of them what was found in all."""
    right = figures["expected"]
    wrong = {kind: sum(map(ne, hits, right[kind])) for kind, hits in figures["hits"].items()}
    found = [
        f"{kind}: {sum(figures['hits'][kind]):,} for {sum(right[kind]):,}"
        for kind, number in wrong.items()
        if number
    ]
    asked = sum(map(len, right.values()))
    return f"{sum(wrong.values())} of {asked}" + (f" ({'; '.join(found)})" if found else "")


def conclusion(results: Results) -> str:
    """The first engine beside the second."""
    if len(results["engines"]) < len(ENGINES):
        return "Not all has been measured yet."
    (name, one), (base, other) = results["engines"].items()
    processor = total(one, "cpu") / one["indexed"] / (total(other, "cpu") / other["indexed"])
    return (
        f"Beside {base}, {name} takes {processor:.2g} times the processor time to index a message, "
        f"{kib_a_message(one) / kib_a_message(other):.2g} times the disk, and "
        f"{middle(one) / middle(other):.2g} times the time for a search. {unfinished(results)}"
        f"Wrong hits: {name} {errors(one)}, {base} {errors(other)}."
    )


def unfinished(results: Results) -> str:
    """Which engines were stopped: what they have is of fewer messages."""
    count, limit = results["messages"], results["limit"]
    return "".join(
        f"{name} had only {each['indexed']:,} of {count:,} after {limit:,} s, and is measured with "
        f"these. "
        for name, each in results["engines"].items()
        if each["indexed"] < count
    )


def middle(figures: Figures) -> float:
    """Seconds of a search of any kind."""
    return float(median(chain.from_iterable(figures["seconds"].values())))


if __name__ == "__main__":
    main()
