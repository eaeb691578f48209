"""The messages that are searched, and what is searched for; the same ones in every run."""

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, count, islice, pairwise

NAMES = ("dev", "secret-dev", "users", "help", "news")
LISTS = tuple(f"{name}@lists.example.com" for name in NAMES)
PRIVATE = LISTS[1]  # its name has that of a public list in it
SENDERS = 200
VOCABULARY = 50_000
BODY_WORDS = 215  # 1.5 KB
LINE_WORDS = 10
LONGEST_THREAD = 9  # on average five messages
BEGIN = datetime(2021, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=5 * 365)
REPEATS = 20
"""How many searches there are of each kind."""

FIRST, VOWELS, LAST = "bdfghjklmnprst", "aeiou", "kmpb"
SYLLABLES = [a + b + c for a in FIRST for b in VOWELS for c in LAST]
# Zipf's law: a word is as frequent as one over its rank.
WEIGHTS = list(accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))


@dataclass(frozen=True)
class Message:
    """A post; messages count from 1, threads too, and time goes with them."""

    number: int
    thread: int
    mlist: int
    sender: int
    parent: int | None
    date: datetime
    subject: str
    content: str

    @property
    def sender_name(self) -> str:
        return f"Member {self.sender}"

    @property
    def text(self) -> str:
        """What is indexed of it, in HyperKitty's order."""
        return f"{self.subject}\n{self.sender_name}\n{self.content}"


@dataclass(frozen=True)
class Query:
    """What a visitor who is not logged in asks for."""

    kind: str
    text: str
    within: str | None = None
    newest_first: bool = False

    @property
    def words(self) -> list[str]:
        return self.text.strip('"').split()

    def finds(self, mlist: str, words: set[str], pairs: set[tuple[str, str]]) -> bool:
        """Whether it should find a message with these words, and pairs of words side by side."""
        if mlist != self.within and (self.within or mlist == PRIVATE):
            return False
        if self.text.startswith('"'):
            return set(pairwise(self.words)) <= pairs
        return words.issuperset(self.words)


def word(rank: int) -> str:
    """The word of a rank, from 1. No stemmer knows any of its endings."""
    first, second = divmod(rank * 7919 % len(SYLLABLES) ** 2, len(SYLLABLES))
    return SYLLABLES[first] + SYLLABLES[second]


def messages(total: int) -> Iterator[Message]:
    """So many messages in threads, from the oldest to the newest."""
    return islice(threads(SPAN / total), total)


def threads(between: timedelta) -> Iterator[Message]:
    """Messages without end, each so much later than the one before."""
    dice = random.Random(1)  # noqa: S311 - not secret, but the same each time
    vocabulary = [word(rank) for rank in range(1, VOCABULARY + 1)]
    first = 1
    for thread in count(1):
        mlist = dice.randrange(len(LISTS))
        subject = " ".join(dice.choices(vocabulary, cum_weights=WEIGHTS, k=5))
        end = first + dice.randint(1, LONGEST_THREAD)
        for number in range(first, end):
            parent = dice.randrange(first, number) if number > first else None
            words = dice.choices(vocabulary, cum_weights=WEIGHTS, k=BODY_WORDS)
            yield Message(
                number, thread, mlist, dice.randrange(SENDERS), parent, BEGIN + number * between,
                f"Re: {subject}" if parent else subject, body(words),
            )  # fmt: skip
        first = end


def body(words: list[str]) -> str:
    """Each line is a sentence."""
    lines = (words[start : start + LINE_WORDS] for start in range(0, len(words), LINE_WORDS))
    return "\n".join(f"{' '.join(line).capitalize()}." for line in lines)


def queries() -> list[Query]:
    """Some of each kind, no two of a kind alike; a common word is in half of all messages."""
    return [query for turn in range(REPEATS) for query in one_of_each(turn)]


def one_of_each(turn: int) -> Iterator[Query]:
    common = word(20 + turn)
    yield Query("a common word", common)
    yield Query("a rare word", word(20_000 + 500 * turn))
    yield Query("two words", f"{word(100 + turn)} {word(300 + turn)}")
    yield Query("a phrase", f'"{word(10 + turn)} {word(40 + turn)}"')
    yield Query("a common word in one list", common, within=LISTS[0])
    yield Query("a common word, newest first", common, newest_first=True)


def expected(written: Iterable[Message]) -> list[int]:
    """How many messages each query should find, counted without any index."""
    asked = queries()
    hits = [0] * len(asked)
    for message in written:
        words = re.findall(r"\w+", message.text.lower())
        found, pairs = set(words), set(pairwise(words))
        for place, query in enumerate(asked):
            hits[place] += query.finds(LISTS[message.mlist], found, pairs)
    return hits


def by_kind[T](values: Iterable[T]) -> dict[str, list[T]]:
    """What there is of each query, sorted by the queries' kinds."""
    sorted_in: dict[str, list[T]] = {}
    for query, value in zip(queries(), values, strict=True):
        sorted_in.setdefault(query.kind, []).append(value)
    return sorted_in
