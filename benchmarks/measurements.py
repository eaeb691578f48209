"""What is measured in a running variant. Rates are per second, times in seconds, memory in MiB."""

import random
import smtplib
import time
from base64 import b32encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from functools import partial
from hashlib import sha1
from statistics import median

from mailmanclient import Domain, MailmanConnectionError

from benchmarks.load import AUTHOR, DELIVERY, DOMAIN, posts, rate_of_pages
from benchmarks.variants import Bench, Variant
from tests.support import wait

IDLE_SECONDS = 60  # upstream's cron has a job every minute
CALM_SECONDS = 20
MANY = 10_000
SMTP = ("smtp", f"<{{}}@{DOMAIN}>")
SMTP_VERP = ("smtp", f"<{{}}@{DOMAIN}> XVERP=+=")
QMQP = ("qmqp", f"{{}}@{DOMAIN}")
QMQP_VERP = ("qmqp", f"{{}}+@{DOMAIN}-@[]")
"""Ways into the MTA: a protocol and, for a local part, the envelope sender. See qmqpd(8)."""

ARCHIVED = """
SELECT COUNT(*) >= {count} FROM hyperkitty_email JOIN hyperkitty_mailinglist AS list
    ON list.id = mailinglist_id WHERE list.name LIKE 'archive@%'
"""


@dataclass(frozen=True)
class Size:
    """How much is done of each; posts are for a variant of pace 1."""

    rounds: int = 3
    latencies: int = 15
    posts_100: int = 30
    posts_1000: int = 6
    verp_posts: int = 2
    many_posts: int = 3
    archived: int = 500
    page_seconds: int = 5
    tries: int = 15
    many: bool = True
    """Whether there are 10,000 members, and lists, which take minutes to make."""


QUICK = Size(1, latencies=8, posts_1000=3, verp_posts=1, archived=100,
             page_seconds=2, many=False)  # fmt: skip

type Figures = Iterator[tuple[str, float]]
type Step = Callable[[Bench, Size], Figures]


def steps(variant: Variant) -> Sequence[Step]:
    """What is measured of a variant."""
    if variant.only_sends:
        return begin, sending, sending_with_verp
    return begin, calm, sending, sending_with_verp, keeping


def take(step: Step, stack: Bench, size: Size) -> Figures:
    """The figures of a step, and of the restart before it; leave the variant stopped."""
    if step is not begin:
        yield "restart_seconds", restart(stack)
        be_ready(stack)
    yield from step(stack, size)
    stack.settle()
    stack.compose("stop", *stack.variant.services)


def begin(stack: Bench, _size: Size) -> Figures:
    """From empty volumes to the first mail, and to some lists."""
    yield "first_mail_seconds", first_mail(stack)
    # Before the restart: Debian's Postfix sees a new list only later, and relays what comes for it.
    for name, members in (("one", 1), ("hundred", 100), ("thousand", 1000), ("archive", 10)):
        stack.python("fill.py", "members", name, members)
    be_ready(stack)


def calm(stack: Bench, size: Size) -> Figures:
    """What it takes when there is nothing to do, or one post now and then."""
    yield from idle(stack)
    yield "latency_seconds", latency(stack, size.latencies)


def sending(stack: Bench, size: Size) -> Figures:
    """Posts to 100 and to 1,000 members; with each MTA, also without Mailman."""
    ours = stack.variant.name == "ours"
    if not stack.variant.only_sends:
        yield "posts_100", fan_out(stack, "hundred", 100, size.posts_100)
    yield "posts_1000", fan_out(stack, "thousand", 1000, size.posts_1000)
    if ours or stack.variant.only_sends:
        yield "raw_1000", raw(stack, "thousand", 1000, size.posts_1000)
    if ours:
        yield "raw_qmqp_1000", raw(stack, "thousand", 1000, size.posts_1000, QMQP)


def sending_with_verp(stack: Bench, size: Size) -> Figures:
    """Posts to 1,000 members, with an envelope sender for each."""
    ours = stack.variant.name == "ours"
    set_verp(stack, 1)
    yield "verp_1000", fan_out(stack, "thousand", 1000, size.verp_posts)
    if ours:
        yield "raw_xverp_1000", raw(stack, "thousand", 1000, size.verp_posts, SMTP_VERP)
        yield "raw_qmqp_verp_1000", raw(stack, "thousand", 1000, size.verp_posts, QMQP_VERP)
    set_verp(stack, 0)


def keeping(stack: Bench, size: Size) -> Figures:
    """Many messages; of this stack also many members, and lists."""
    yield from archive(stack, size)
    if stack.variant.name == "ours" and size.many:
        yield from many_members(stack, size)
        yield from many_lists(stack, size.tries)


def set_verp(stack: Bench, interval: int) -> None:
    """Start core anew, with VERP in every so many posts; 0: never."""
    stack.configure_verp(interval)
    stack.compose("restart", stack.service("core"))
    be_ready(stack)


def first_mail(stack: Bench) -> float:
    """From `docker compose up` on empty volumes to the first post that has reached a member.

    What a person does in between, to make domain, list and member, is done by REST at once.
    """
    start = time.monotonic()
    stack.compose("up", "--detach")
    wait.until("core's REST answers", lambda: answers(stack), seconds=300, every=0.05)
    subscribed = domain(stack).create_list("first")
    subscribed.subscribe(AUTHOR, pre_verified=True, pre_confirmed=True, pre_approved=True)
    return deliver(stack) - start


def restart(stack: Bench) -> float:
    """From `docker compose start` of a stopped stack to a post that has reached a member.

    It is posted as soon as core's LMTP answers: what comes before then waits as the MTA likes.
    """
    start = time.monotonic()
    stack.compose("start", *stack.variant.services)
    return deliver(stack) - start


def idle(stack: Bench) -> Figures:
    """Memory of each service and of core, and time used by all, as a share of one processor core.

    After a restart, one post, and some calm; with healthchecks and cron jobs, for a minute.
    """
    services = stack.variant.services
    time.sleep(CALM_SECONDS)
    start, before = time.monotonic(), stack.cpu_seconds()
    time.sleep(IDLE_SECONDS)
    yield "idle_cpu", (stack.cpu_seconds() - before) / (time.monotonic() - start)
    sizes = {service: stack.pss_mib(service) for service in services}
    yield from ((f"pss_{service}_mib", mib) for service, mib in sizes.items())
    yield "pss_stack_mib", sum(sizes.values())
    if "core" not in services:
        yield "pss_core_mib", stack.pss_mib("core")


def latency(stack: Bench, count: int) -> float:
    """From the 250 at SMTP to the arrival at a list's only member, of an idle system: median."""
    seconds = []
    for post in posts("one", count):
        stack.sink.skip()
        # Those who look once a second are met at every part of it.
        time.sleep(2 + random.random())  # noqa: S311
        with stack.smtp() as smtp:
            smtp.send_message(post)
            start = time.monotonic()
        seconds.append(stack.sink.wait(id_of(post)) - start)
    return median(seconds)


def fan_out(stack: Bench, name: str, members: int, count: int) -> float:
    """Posts a second: posted one after the other, until the last member has the last of them.

    The list is archived; what is left to archive is waited for, but not counted.
    """
    count *= stack.variant.pace
    stack.sink.skip()
    start = time.monotonic()
    send(stack, posts(name, count))
    end = stack.sink.wait(DELIVERY, members * count)
    stack.settle()
    return count / (end - start)


def raw(stack: Bench, name: str, members: int, count: int, way: tuple[str, str] = SMTP) -> float:
    """Posts a second that the same MTA takes and delivers, without Mailman.

    The newest message that core has sent is handed in anew, to as many recipients in each
    transaction as core does, as fast as the MTA takes it: by SMTP, with pipelining, and to Postfix
    by QMQP too, as core does.
    """
    count *= stack.variant.pace
    (stack.directory / "dump" / "raw").write_bytes(stack.sink.last_message())
    setting = stack.exec("core", "mailman", "conf", "--section=mta", "--key=max_recipients")
    together = setting.split()[-1]
    stack.sink.skip()
    protocol, sender = way
    arguments = (protocol, sender.format(f"{name}-bounces"), members, count, together)
    start = float(stack.exec("sink", "python3", "/benchmarks/raw.py", *map(str, arguments)))
    return count / (stack.sink.wait(DELIVERY, members * count) - start)


def archive(stack: Bench, size: Size) -> Figures:
    """Messages a second until HyperKitty has all of them; then core's memory, and the pages' rate.

    The list has ten members, who get the posts meanwhile.
    """
    mails = posts("archive", size.archived)
    start = time.monotonic()
    send(stack, mails)
    stack.wait_sql(ARCHIVED.format(count=len(mails)))
    yield "archived", len(mails) / (time.monotonic() - start)
    stack.settle()
    time.sleep(CALM_SECONDS)
    yield "pss_core_after_posts_mib", stack.pss_mib("core")
    yield "pages", rate_of_pages(pages(stack, mails[-1], size.page_seconds))


def pages(stack: Bench, mail: EmailMessage, seconds: int) -> Iterator[str]:
    """What ab(1) says of a list's pages: overview, month, thread and message."""
    name = b32encode(sha1(id_of(mail)).digest()).decode()  # noqa: S324 - HyperKitty's
    month = time.strftime("%Y/%-m", time.gmtime())
    for page in ("", f"{month}/", f"thread/{name}/", f"message/{name}/"):
        path = f"list/archive@{DOMAIN}/{page}"
        read(stack, path, "-n20")
        yield read(stack, path, f"-t{seconds}", "-n1000000")


def read(stack: Bench, path: str, *options: str) -> str:
    """What ab(1) says of a page of HyperKitty's, which four anonymous readers at a time ask for."""
    host = "-HHost: www.example.com"
    url = f"{stack.variant.archives}/{path}"
    return stack.exec("sink", "ab", "-q", "-l", "-c4", host, *options, url)


def many_members(stack: Bench, size: Size) -> Figures:
    """As `fan_out` and `raw`, with a list of 10,000 members."""
    stack.python("fill.py", "members", "many", MANY)
    yield "posts_10000", fan_out(stack, "many", MANY, size.many_posts)
    yield "raw_10000", raw(stack, "many", MANY, size.many_posts)
    yield "raw_qmqp_10000", raw(stack, "many", MANY, size.many_posts, QMQP)


def many_lists(stack: Bench, tries: int) -> Figures:
    """What a recipient costs in LMTP, and a list's creation: with ten lists, with 10,000."""
    for count in (10, MANY):
        stack.python("fill.py", "lists", f"of-{count}", count)
        yield f"lmtp_rcpt_{count}_seconds", lmtp_rcpt(stack, f"of-{count}", tries)
        yield f"list_create_{count}_seconds", list_create(stack, f"with-{count}", tries)


def lmtp_rcpt(stack: Bench, name: str, tries: int) -> float:
    """Core's answer to RCPT, half of them of a list, half of a name that is none: median."""
    with smtplib.LMTP(stack.address("core"), 8024, timeout=60) as lmtp:
        lmtp.ehlo()
        lmtp.mail(AUTHOR)

        def ask(number: int) -> None:
            known = lmtp.rcpt(f"{name}-{number % 10}@{DOMAIN}")[0]
            unknown = lmtp.rcpt(f"no-{name}-{number}@{DOMAIN}")[0]
            if (known, unknown) != (250, 550):
                raise ValueError(known, unknown)

        return median(seconds(partial(ask, number)) for number in range(10 * tries)) / 2


def list_create(stack: Bench, name: str, tries: int) -> float:
    """REST's answer to the creation of a list, which the MTA knows by then: median."""
    lists = domain(stack)
    return median(
        seconds(partial(lists.create_list, f"{name}-{number}")) for number in range(tries)
    )


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


def be_ready(stack: Bench) -> None:
    """Wait until everything is up and has nothing left to do.

    What upstream's core could not archive before, it tries again with the next post.
    """
    wait.until("pages are there", lambda: page_is_there(stack), seconds=300)
    deliver(stack)
    stack.settle()


def deliver(stack: Bench) -> float:
    """Post to the list `first` as soon as it can be, and return when its member has it."""
    (post,) = posts("first", 1)
    stack.sink.skip()
    stack.wait_core()
    wait.until("the MTA takes mail", lambda: try_post(stack, post), seconds=180, every=0.05)
    return stack.sink.wait(id_of(post))


def try_post(stack: Bench, post: EmailMessage) -> bool:
    with suppress(OSError):
        stack.post(post)
        return True
    return False


def send(stack: Bench, mails: list[EmailMessage]) -> None:
    """Hand posts to the MTA, one after the other."""
    with stack.smtp() as smtp:
        for mail in mails:
            smtp.send_message(mail)


def id_of(post: EmailMessage) -> bytes:
    """The Message-ID, without brackets."""
    return str(post["Message-ID"]).strip("<>").encode()


def answers(stack: Bench) -> bool:
    with suppress(MailmanConnectionError):
        return bool(stack.rest.system)
    return False


def domain(stack: Bench) -> Domain:
    """The domain of all lists; upstream's core makes none by itself."""
    known = {found.mail_host: found for found in stack.rest.domains}
    return known.get(DOMAIN) or stack.rest.create_domain(DOMAIN)


def page_is_there(stack: Bench) -> bool:
    with suppress(AssertionError, ValueError):
        return rate_of_pages([read(stack, "", "-n4")]) > 0
    return False
