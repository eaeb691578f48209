"""Measures every variant, in turn, in several rounds, and writes the results after each."""

import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from benchmarks import measurements, report
from benchmarks.chart import draw
from benchmarks.keys import Samples
from benchmarks.measurements import Size
from benchmarks.variants import EVERY_ROUND, VARIANTS, Variant, prepared
from tests.support import evidence


def main() -> None:
    """QUICK in the environment: one round of what the keys need, with fewer of each."""
    quick = bool(os.environ.get("QUICK"))
    size = measurements.QUICK if quick else Size()
    samples: dict[str, dict[str, list[float]]] = {}
    failed = []
    for turn, variant in order(size.rounds, with_others=not quick):
        print(f"==> Round {turn + 1} of {size.rounds}: {variant.title}", flush=True)
        figures = samples.setdefault(variant.name, defaultdict(list))
        # Once is enough of what takes minutes to make.
        if not measure(variant, replace(size, many=size.many and turn == 0), figures):
            failed.append(variant.title)
        write(samples, turn + 1)
    sys.exit(f"error: not measured to the end: {', '.join(failed)}" if failed else 0)


def order(rounds: int, *, with_others: bool) -> Iterator[tuple[int, Variant]]:
    """Yield rounds' numbers and variants: first what is compared, in turn, then all else once."""
    for turn in range(rounds):
        yield from ((turn, VARIANTS[name]) for name in EVERY_ROUND)
    if with_others:
        others = (variant for name, variant in VARIANTS.items() if name not in EVERY_ROUND)
        yield from ((rounds - 1, variant) for variant in others)


def measure(variant: Variant, size: Size, figures: dict[str, list[float]]) -> bool:
    """Add a variant's figures; tell whether all could be measured."""
    start = time.monotonic()
    steps = measurements.only_sending if variant.only_sends else measurements.everything
    with prepared(variant) as stack:
        try:
            for name, value in steps(stack, size):
                figures[name].append(value)
                print(f"{time.monotonic() - start:5.0f} s  {name:28} {value:.4g}", flush=True)
        except Exception as error:  # noqa: BLE001 - the others are measured nevertheless
            print(f"{error}\n==> See {evidence.collect(stack, f'bench-{variant.name}')}")
            return False
    return True


def write(samples: Samples, rounds: int) -> None:
    report.write(samples, rounds)
    draw(samples, report.FOLDER / report.CHART)


if __name__ == "__main__":
    main()
