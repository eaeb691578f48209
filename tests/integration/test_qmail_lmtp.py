"""The helper for .qmail files and core's LMTP server, inside its image."""

import json
from typing import Any

import pytest

from tests.support import ROOT
from tests.support.container import container

DRIVERS = ROOT / "tests" / "integration" / "drivers"
TRACE = """\
Return-Path: <anne@example.org>
Delivered-To: mailman-{0}@lists.example.com
"""
MESSAGE = "From: anne@example.org\nMessage-ID: <1@example.org>\nSubject: {0}\n\n{1}"

CASES: dict[str, tuple[str, str]] = {
    "dots": ("ant", "one\n.\n..\n.three\n"),
    "8-bit": ("ant", "\xe9\xe8\x00\xff\n"),
    "no-last-line-end": ("ant", "end"),
    "long-line": ("ant", "x" * 100_000 + "\n"),
    "owner": ("ant-owner", "Hello\n"),
    "bounce": ("ant-bounces+bart=example.org", "Hello\n"),
    "confirm": ("ant-confirm+0123", "Hello\n"),
    "unknown": ("bee", "Hello\n"),
}


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """What became of each case."""
    questions = [
        {
            "environment": {
                "SENDER": "anne@example.org",
                "RECIPIENT": f"mailman-{extension}@lists.example.com",
                "LOCAL": f"mailman-{extension}",
                "EXT": extension,
                "HOST": "lists.example.com",
                "RPLINE": "Return-Path: <anne@example.org>\n",
                "DTLINE": f"Delivered-To: mailman-{extension}@lists.example.com\n",
            },
            "message": MESSAGE.format(case, text),
        }
        for case, (extension, text) in CASES.items()
    ]
    mounts = (f"--volume={DRIVERS}:/drivers:ro", f"--volume={ROOT / 'scripts'}:/scripts:ro")
    lines = "".join(f"{json.dumps(question)}\n" for question in questions)
    with container("core", "sleep", "infinity", options=("--network=none", *mounts)) as core:
        output = core.exec("python", "/drivers/qmail_lmtp.py", stdin=lines)
    return dict(zip(CASES, map(json.loads, output.splitlines()), strict=True))


@pytest.mark.parametrize("case", ["dots", "8-bit", "no-last-line-end", "long-line"])
def test_core_has_the_message_as_it_was_sent(answers: dict[str, Any], case: str) -> None:
    extension, text = CASES[case]
    ((queue, list_id, message),) = answers[case]["queued"]
    assert (answers[case]["code"], answers[case]["said"]) == (0, "")
    assert (queue, list_id) == ("in", "ant.lists.example.com")
    sent = TRACE.format(extension) + MESSAGE.format(case, text)
    head, _, body = message.replace("\r\n", "\n").partition("\n\n")
    assert head.startswith(sent.partition("\n\n")[0])
    assert body.removesuffix("\n") == text.removesuffix("\n")


@pytest.mark.parametrize(
    ("case", "queue"), [("owner", "in"), ("bounce", "bounces"), ("confirm", "command")]
)
def test_a_sub_address_reaches_its_queue(answers: dict[str, Any], case: str, queue: str) -> None:
    ((name, list_id, _message),) = answers[case]["queued"]
    assert (name, list_id) == (queue, "ant.lists.example.com")


def test_an_unknown_list_is_refused_for_good(answers: dict[str, Any]) -> None:
    assert answers["unknown"]["code"] == 100
    assert answers["unknown"]["queued"] == []
    assert "550 5.1.1 there is no such list" in answers["unknown"]["said"]
