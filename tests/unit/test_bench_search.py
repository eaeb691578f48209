"""What the search benchmark searches, and what it makes of its figures."""

from itertools import pairwise
from typing import Any

from benchmarks import search
from benchmarks.inside.messages import (
    BEGIN,
    LISTS,
    PRIVATE,
    Message,
    Query,
    by_kind,
    expected,
    messages,
    queries,
    word,
)

COUNT = 300


def results(**changes: Any) -> search.Results:
    """Of two engines, the first twice as good; ``changes`` are the first's."""
    right = {"a word": [3, 4], "a phrase": [1, 0]}
    whoosh = {
        "indexed": 100, "batches": [batch(8.0), batch(12.0)], "index_mib": 8.0, "peak_mib": 200.0,
        "hits": right, "expected": right, "seconds": {kind: [0.02, 0.04] for kind in right},
        "add": {"wall": 1.0, "cpu": 1.0}, "added": search.NEW,
    }  # fmt: skip
    xapian = whoosh | {
        "batches": [batch(5.0), batch(5.0)], "index_mib": 4.0,
        "seconds": {kind: [0.01, 0.02] for kind in right}, **changes,
    }  # fmt: skip
    return {
        "date": "2026-01-01", "machine": "2 cores", "messages": 100, "limit": 60, "text_mib": 1.0,
        "database_mib": 2.0, "engines": {"Xapian": xapian, "Whoosh": whoosh},
    }  # fmt: skip


def batch(seconds: float) -> dict[str, float]:
    return {"messages": 50, "wall": seconds, "cpu": seconds}


def test_messages_are_the_same_each_time() -> None:
    first = list(messages(COUNT))
    assert first == list(messages(COUNT))
    assert [message.number for message in first] == list(range(1, COUNT + 1))


def test_messages_are_in_threads_and_in_time() -> None:
    written = {message.number: message for message in messages(COUNT)}
    assert 3 < COUNT / len({message.thread for message in written.values()}) < 7
    assert all(a.date < b.date for a, b in pairwise(written.values()))
    for message in written.values():
        parent = written.get(message.parent or 0)
        assert parent is None or (parent.thread, parent.mlist) == (message.thread, message.mlist)


def test_messages_are_as_long_as_told() -> None:
    lengths = [len(message.content) for message in messages(COUNT)]
    assert 1400 < sum(lengths) / COUNT < 1600


def test_no_two_ranks_have_one_word() -> None:
    assert len({word(rank) for rank in range(1, 50_001)}) == 50_000


def test_queries_of_a_kind_differ() -> None:
    assert len({(query.kind, query.text) for query in queries()}) == len(queries())


def test_a_query_finds_what_has_its_words_where_anyone_may_read() -> None:
    words = ["one", "two", "three"]
    has = (set(words), set(pairwise(words)))
    assert Query("", "three one").finds(LISTS[0], *has)
    assert not Query("", "three four").finds(LISTS[0], *has)
    assert Query("", '"one two"').finds(LISTS[0], *has)
    assert not Query("", '"two one"').finds(LISTS[0], *has)
    assert not Query("", "one").finds(PRIVATE, *has)
    assert not Query("", "one", within=LISTS[0]).finds(LISTS[2], *has)


def test_what_is_expected_is_counted_for_each_query() -> None:
    asked = queries()
    message = Message(1, 1, 0, 0, None, BEGIN, asked[0].text.title(), "")
    hits = expected([message, message])
    right = [query.text == asked[0].text for query in asked]
    assert hits == [2 * each for each in right]
    assert sum(map(len, by_kind(hits).values())) == len(asked)


def test_words_of_subject_and_body_are_no_phrase() -> None:
    asked = queries()
    phrase = next(query for query in asked if query.text.startswith('"'))
    subject, content = phrase.words
    hits = expected([Message(1, 1, 0, 0, None, BEGIN, subject, content)])
    assert hits[asked.index(phrase)] == 0


def test_the_conclusion_is_made_of_the_figures() -> None:
    text = search.conclusion(results())
    assert "Beside Whoosh, Xapian takes 0.5 times the processor time" in text
    assert "0.5 times the disk, and 0.5 times the time for a search" in text
    assert text.endswith("Wrong hits: Xapian 0 of 4, Whoosh 0 of 4.")


def test_results_are_told() -> None:
    text = search.text(results())
    assert "| messages/s | 10 | 5 |" in text
    assert "| last batch, s | 5.0 | 12.0 |" in text
    assert "| search for a word, ms | 15.0 (19.5) | 30.0 (39.0) |" in text
    assert f"| {search.NEW} new messages, s | 1.00 | 1.00 |" in text


def test_wrong_hits_are_told() -> None:
    text = search.text(results(hits={"a word": [3, 5], "a phrase": [1, 0]}))
    assert "| wrong hits | 1 of 4 (a word: 8 for 7) | 0 of 4 |" in text


def test_an_engine_that_was_stopped_is_told() -> None:
    text = search.conclusion(results(indexed=50))
    assert "Xapian had only 50 of 100 after 60 s" in text
    assert "Whoosh had only" not in text


def test_the_first_engine_is_told_while_the_second_is_measured() -> None:
    started = results()
    del started["engines"]["Whoosh"]
    assert "Not all has been measured yet." in search.text(started)
