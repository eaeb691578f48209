"""The chart of RESULTS.md."""

from pathlib import Path
from statistics import median

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.keys import FIGURES, Samples
from benchmarks.variants import VARIANTS

SHOWN = ("posts_100", "posts_1000", "verp_1000", "archived", "pages", "latency_seconds",
         "pss_core_mib", "first_mail_seconds")  # fmt: skip
LIMITS = {"posts_1000": "raw_1000", "verp_1000": "raw_xverp_1000"}
"""What the MTA alone does, beside the figures that it limits."""

COLORS = {"ours": "#1f77b4", "raw": "#333333"}
OTHERS = "#b8b8b8"


def draw(samples: Samples, path: Path) -> None:
    """Write it as SVG: a small chart for each figure, with least and most."""
    mpl.rcParams |= {"svg.hashsalt": "chart", "svg.fonttype": "none", "font.size": 8}
    figure = Figure(figsize=(10, 6), layout="constrained")
    for axes, name in zip(figure.subplots(4, 2).flat, SHOWN, strict=True):
        draw_one(axes, samples, name)
    figure.savefig(path, metadata={"Date": None})


def draw_one(axes: Axes, samples: Samples, name: str) -> None:
    bars = [
        (VARIANTS[variant].title, COLORS.get(variant, OTHERS), figures[name])
        for variant, figures in samples.items()
        if name in figures and not VARIANTS[variant].only_sends
    ]
    if raw := samples.get("ours", {}).get(LIMITS.get(name, "")):
        bars.append(("the MTA alone, SMTP", COLORS["raw"], raw))
    for place, (_title, color, values) in enumerate(bars):
        middle = median(values)
        reach = [[middle - min(values)], [max(values) - middle]]
        axes.barh(place, middle, color=color, xerr=reach, error_kw={"elinewidth": 1})
        axes.text(max(values), place, f" {middle:.3g} ", va="center")
    axes.set_yticks(range(len(bars)), [title for title, *_ in bars])
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_title(FIGURES[name], loc="left")
    axes.spines[["top", "right"]].set_visible(False)
