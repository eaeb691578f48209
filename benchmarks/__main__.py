"""Measures what is compared side by side, in several rounds, and writes the results after each."""

import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import product

from benchmarks import measurements, report
from benchmarks.chart import draw
from benchmarks.measurements import QUICK, Size
from benchmarks.variants import COMPARED, VARIANTS, Variant, prepared
from tests.support import evidence

type Group = tuple[Variant, ...]


def main() -> None:
    """QUICK in the environment: one round of what the keys need, with fewer of each."""
    quick = bool(os.environ.get("QUICK"))
    samples: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    failed = []
    for turn, group, size in order(QUICK if quick else Size(), with_others=not quick):
        titles = ", ".join(variant.title for variant in group)
        print(f"==> Round {turn + 1}: {titles}", flush=True)
        if not measure(group, size, samples):
            failed.append(titles)
        report.write(samples, turn + 1)
        draw(samples, report.FOLDER / report.CHART)
    sys.exit(f"error: not measured to the end: {', '.join(failed)}" if failed else 0)


def order(size: Size, *, with_others: bool) -> Iterator[tuple[int, Group, Size]]:
    """Yield rounds' numbers, what is measured side by side, and how much: first what is compared.

    Once is enough of what takes minutes to make, and of all else, with fewer of each.
    """
    compared = tuple(VARIANTS[name] for name in COMPARED)
    for turn in range(size.rounds):
        yield turn, compared, replace(size, many=size.many and turn == 0)
    if with_others:
        others = (variant for name, variant in VARIANTS.items() if name not in COMPARED)
        yield from ((size.rounds - 1, (variant,), QUICK) for variant in others)


def measure(group: Group, size: Size, samples: dict[str, dict[str, list[float]]]) -> bool:
    """Add the figures of variants, side by side; tell whether all could be measured.

    A machine that others use, too, is faster at one time than at another: each step is taken with
    all of them before the next is. Those that wait are stopped: paused ones would share memory.
    """
    start = time.monotonic()
    with ExitStack() as running:
        stacks = [running.enter_context(prepared(variant)) for variant in group]
        for step, stack in product(measurements.steps(group[0]), stacks):
            name = stack.variant.name
            try:
                for figure, value in measurements.take(step, stack, size):
                    samples[name][figure].append(value)
                    seconds = time.monotonic() - start
                    print(f"{seconds:5.0f} s  {name:8} {figure:28} {value:.4g}", flush=True)
            except Exception as error:  # noqa: BLE001 - the others are measured nevertheless
                print(f"{error}\n==> See {evidence.collect(stack, f'bench-{name}')}")
                return False
    return True


if __name__ == "__main__":
    main()
