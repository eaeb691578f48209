"""What comes out of a run: the keys of latest.json, each a ratio of figures, and their targets."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Literal

type Samples = Mapping[str, Mapping[str, list[float]]]
"""By variant, then by figure: what each round measured."""


@dataclass(frozen=True)
class Key:
    """A key: a figure, or the ratio of two of the same round, each named ``variant.figure``."""

    name: str
    sign: Literal["≥", "≤"]
    target: float
    title: str
    figure: str
    base: str = ""

    def value(self, samples: Samples) -> float | None:
        """The median over all pairs; None where one of the two has not been measured."""
        values = figures(samples, self.figure)
        if self.base:
            # The last round may be half done.
            pairs = zip(values, figures(samples, self.base), strict=False)
            values = [value / base for value, base in pairs]
        return median(values) if values else None

    def is_met(self, value: float) -> bool:
        return value >= self.target if self.sign == "≥" else value <= self.target


def figures(samples: Samples, figure: str) -> list[float]:
    """What each round measured of a figure, named ``variant.figure``."""
    variant, _, name = figure.partition(".")
    return samples.get(variant, {}).get(name, [])


KEYS = (
    Key("fanout_100_vs_upstream", "≥", 5, "posts/s to 100 members, archived",
        "ours.posts_100", "upstream.posts_100"),
    Key("fanout_1000_vs_upstream", "≥", 10, "posts/s to 1,000 members, archived",
        "ours.posts_1000", "upstream.posts_1000"),
    Key("fanout_1000_vs_raw", "≥", 0.85, "of what the MTA alone does by SMTP",
        "ours.posts_1000", "ours.raw_1000"),
    Key("verp_1000_vs_upstream_verp", "≥", 25, "posts/s to 1,000 members, with VERP",
        "ours.verp_1000", "upstream.verp_1000"),
    Key("verp_1000_vs_raw_xverp", "≥", 0.85, "of what the MTA alone does by XVERP",
        "ours.verp_1000", "ours.raw_xverp_1000"),
    Key("fanout_10000_members_vs_raw", "≥", 0.9, "of what the MTA alone does by SMTP, 10,000",
        "ours.posts_10000", "ours.raw_10000"),
    Key("latency_idle_vs_upstream", "≤", 0.15, "time from the 250 to the delivery, idle",
        "ours.latency_seconds", "upstream.latency_seconds"),
    Key("core_pss_vs_upstream", "≤", 0.22, "core's memory, idle",
        "ours.pss_core_mib", "upstream.pss_core_mib"),
    Key("core_pss_vs_upstream_after_500", "≤", 0.30, "core's memory after 500 posts",
        "ours.pss_core_after_posts_mib", "upstream.pss_core_after_posts_mib"),
    Key("stack_pss_mib", "≤", 600, "MiB of memory of all containers, idle",
        "ours.pss_stack_mib"),
    Key("idle_cpu_vs_upstream", "≤", 0.5, "processor time, idle, healthchecks on",
        "ours.idle_cpu", "upstream.idle_cpu"),
    Key("first_mail_seconds_vs_upstream", "≤", 0.5, "time from empty volumes to the first mail",
        "ours.first_mail_seconds", "upstream.first_mail_seconds"),
    Key("restart_seconds_vs_upstream", "≤", 0.4, "time from a restart to the first mail",
        "ours.restart_seconds", "upstream.restart_seconds"),
    Key("archive_rate_vs_upstream", "≥", 4, "messages/s archived",
        "ours.archived", "upstream.archived"),
    Key("lmtp_rcpt_10000_lists_vs_10_lists", "≤", 1.2, "cost of a recipient in LMTP",
        "ours.lmtp_rcpt_10000_seconds", "ours.lmtp_rcpt_10_seconds"),
    Key("list_create_10000_vs_10", "≤", 1.5, "cost of a list's creation",
        "ours.list_create_10000_seconds", "ours.list_create_10_seconds"),
    Key("archive_page_rps_vs_upstream", "≥", 10, "archive pages/s, anonymous, warm",
        "ours.pages", "upstream.pages"),
)  # fmt: skip

FIGURES = {
    "posts_100": "Posts/s, 100 members",
    "posts_1000": "Posts/s, 1,000 members",
    "raw_1000": "the MTA alone, by SMTP",
    "raw_qmqp_1000": "the MTA alone, by QMQP",
    "verp_1000": "Posts/s, 1,000 members, VERP",
    "raw_xverp_1000": "the MTA alone, by SMTP",
    "raw_qmqp_verp_1000": "the MTA alone, by QMQP",
    "posts_10000": "Posts/s, 10,000 members",
    "raw_10000": "the MTA alone, by SMTP",
    "raw_qmqp_10000": "the MTA alone, by QMQP",
    "latency_seconds": "SMTP's 250 to delivery, s",
    "first_mail_seconds": "Empty volumes to first mail, s",
    "restart_seconds": "Restart to first mail, s",
    "archived": "Archived messages/s",
    "pages": "Archive pages/s",
    "idle_cpu": "Idle, processor cores",
    "pss_core_mib": "Core idle, MiB",
    "pss_core_after_posts_mib": "Core after the posts, MiB",
    "pss_stack_mib": "All idle, MiB",
    "pss_database_mib": "database",
    "pss_web_mib": "web",
    "pss_qcluster_mib": "qcluster",
    "pss_mta_mib": "mta",
    "lmtp_rcpt_10_seconds": "LMTP RCPT, 10 lists, s",
    "lmtp_rcpt_10000_seconds": "10,000 lists",
    "list_create_10_seconds": "Creating a list, of 10, s",
    "list_create_10000_seconds": "of 10,000",
}
"""What a figure is; one that goes with that above it begins with a small letter or a number."""
