"""Writes the results: latest.json for programs, RESULTS.md for people."""

import json
import os
import platform
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks import measurements
from benchmarks.keys import FIGURES, KEYS, Samples
from benchmarks.variants import VARIANTS
from tests.support.container import docker

FOLDER = Path(__file__).parent
CHART = "results/latest.svg"
IMAGES = ("core", "web", "postfix", "exim", "sendmail", "catcher", "benchmark-debian")
DEFINITIONS = {
    "First mail": measurements.first_mail,
    "Restart": measurements.restart,
    "Idle": measurements.idle,
    "Latency": measurements.latency,
    "Posts/s": measurements.fan_out,
    "The MTA alone": measurements.raw,
    "Archived": measurements.archive,
    "Archive pages/s": measurements.read,
    "LMTP RCPT": measurements.lmtp_rcpt,
    "Creating a list": measurements.list_create,
}

TEXT = """\
# Results of `make bench`

{when}, {machine}. Rounds: {rounds}, of upstream's defaults and this stack side by side: each step
with both before the next, one of them stopped. All else is measured once, after them, with fewer of
each. Medians, in brackets least and most; of ratios, that of the pairs.

![Posts, archived messages and pages a second, latency, memory, start]({chart})

## Targets

{keys}

## Figures

{figures}

## Sizes of images

{images}

## What was compared

- upstream's defaults: the same images without our sub-packages. Upstream's master, delivery and
  archiver, `max_recipients` 10; web, qcluster and cron jobs as docker-mailman has them, but without
  what it collects and compiles at each start.
- this stack: as `make up` starts it.
- the Uberspace guide's settings: as upstream's, with `max_recipients` 100, four workers of qcluster
  and no cron jobs.
- Debian's mailman3-full: Debian's packages with SQLite, Postfix and nginx, in one container. Its
  volumes are never empty: the packages make the databases when they are installed.
- the MTA alone: a message that core has sent, handed once more to the same MTA, on two connections:
  by SMTP, as other programs have to, and by QMQP, as this stack's core does.

The MTA, its settings, the database and the sink for mail (`smtp-sink`) are the same for all but
Debian, which has its own MTA. One variant runs at a time, on empty volumes.

## How it was measured

{definitions}
"""


def write(samples: Samples, rounds: int) -> None:
    """Write all of it, with what has been measured so far."""
    (FOLDER / "results").mkdir(exist_ok=True)
    (FOLDER / "results" / "latest.json").write_text(json.dumps(values(samples), indent=2) + "\n")
    listing = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}} {{.Size}}")
    (FOLDER / "RESULTS.md").write_text(text(samples, rounds, listing))


def values(samples: Samples) -> dict[str, float | None]:
    """Each key's value, to three digits."""
    exact = {key.name: key.value(samples) for key in KEYS}
    return {name: value and float(f"{value:.3g}") for name, value in exact.items()}


def text(samples: Samples, rounds: int, listing: str) -> str:
    """RESULTS.md; ``listing`` has a line for each image, its name and its size."""
    return TEXT.format(
        when=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=machine(),
        rounds=rounds,
        chart=CHART,
        keys=keys_table(values(samples)),
        figures=figures_table(samples),
        images=table(["image", "size"], images(listing)),
        definitions=definitions(),
    )


def keys_table(values: dict[str, float | None]) -> str:
    """Each key with its target, and whether that is met."""
    rows = []
    for key in KEYS:
        value = values[key.name]
        verdict = "not measured" if value is None else "met" if key.is_met(value) else "**missed**"
        shown = "" if value is None else f"{value:g}"
        rows.append([f"`{key.name}`", key.title, shown, f"{key.sign} {key.target:g}", verdict])
    return table(["key", "", "measured", "target", ""], rows)


def figures_table(samples: Samples) -> str:
    """Each figure of each variant."""
    names = [name for name in VARIANTS if name in samples]
    rows = (
        [title, *(spread(samples[name].get(figure, [])) for name in names)]
        for figure, title in FIGURES.items()
    )
    titles = [VARIANTS[name].title for name in names]
    return table(["", *titles], [row for row in rows if any(row[1:])])


def spread(values: list[float]) -> str:
    """Median, least and most, to three digits."""
    if not values:
        return ""
    middle = f"{median(values):.3g}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.3g} … {max(values):.3g})"


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """In Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def definitions() -> str:
    """How each was measured, in the measurements' own words."""
    texts = {title: " ".join(str(how.__doc__).split()) for title, how in DEFINITIONS.items()}
    return "\n".join(f"- **{title}**: {text}" for title, text in texts.items())


def machine() -> str:
    """Processor, cores, memory and kernel."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    name = model[1] if model else platform.machine()
    return f"{os.cpu_count()} cores ({name}), {memory:.0f} GiB, Linux {platform.release()}"


def images(listing: str) -> Iterator[list[str]]:
    """Name and size of each of ours that is there, and of the database's."""
    sizes = dict(line.split(maxsplit=1) for line in listing.splitlines())
    for name in ("mysql:9.7", *(f"mailman-stack/{image}:latest" for image in IMAGES)):
        if name in sizes:
            yield [name.removesuffix(":latest"), sizes[name]]
