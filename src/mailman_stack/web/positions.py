"""Where in its thread each message stands: what HyperKitty shows as order and indentation."""

from collections.abc import Iterator

from hyperkitty.models import Email, Thread

Position = tuple[int, int | None]


def arrange(parents: dict[int, int | None], start: int) -> dict[int, Position]:
    """Depth and order of each message below the starting one.

    :param parents: of each message, from the oldest to the newest, the one that it answers.
    """
    answers: dict[int, list[int]] = {}
    for message, parent in _without_loops(parents).items():
        if parent is not None:
            answers.setdefault(parent, []).append(message)
    positions: dict[int, Position] = {}
    waiting = [(start, 0)]
    while waiting:
        message, depth = waiting.pop()
        positions[message] = depth, len(positions)
        waiting += [(answer, depth + 1) for answer in reversed(answers.get(message, []))]
    return positions


def _without_loops(parents: dict[int, int | None]) -> dict[int, int | None]:
    """A message that answers one of its own answers counts as answering none."""
    kept: dict[int, int | None] = {}
    answered: set[int | None] = set()
    for message, parent in parents.items():
        looped = parent == message or (message in answered and message in _above(parent, kept))
        kept[message] = None if looped else parent
        answered.add(kept[message])
    return kept


def _above(message: int | None, parents: dict[int, int | None]) -> Iterator[int]:
    while message is not None:
        yield message
        message = parents.get(message)


def compute(thread_id: int) -> None:
    """Write what has changed, in one statement; HyperKitty's own writes every message."""
    emails = Email.objects.filter(thread=thread_id).order_by("date")
    rows = list(emails.values_list("id", "parent", "thread_depth", "thread_order"))
    start = Thread.objects.values_list("starting_email", flat=True).get(id=thread_id)
    positions = arrange({message: parent for message, parent, *_ in rows}, start)
    changed = [
        Email(id=message, thread_depth=positions[message][0], thread_order=positions[message][1])
        for message, _parent, *before in rows
        if message in positions and tuple(before) != positions[message]
    ]
    Email.objects.bulk_update(changed, ["thread_depth", "thread_order"], batch_size=500)
