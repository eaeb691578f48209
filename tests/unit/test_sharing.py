"""One stack for several processes of tests."""

import subprocess
import sys
import textwrap
from pathlib import Path

from tests.support import ROOT, wait

# A process of tests: says what it does in a file that all of them share.
PROCESS = """
    import sys
    from pathlib import Path
    from tests.support.sharing import shared, turn

    directory, alone = Path(sys.argv[1]), sys.argv[2] == "alone"

    def say(what):
        with (directory / "said").open("a") as file:
            file.write(f"{what}\\n")

    with shared(directory, lambda: say("start"), lambda: say("stop")):
        say("here")
        sys.stdin.readline()
        with turn(directory, alone=alone):
            say("begin")
            sys.stdin.readline()
            say("end")
    say("gone")
"""


def process(directory: Path, *, alone: bool = False) -> subprocess.Popen[str]:
    kind = "alone" if alone else "together"
    command = [sys.executable, "-c", textwrap.dedent(PROCESS), str(directory), kind]
    return subprocess.Popen(command, stdin=subprocess.PIPE, text=True, cwd=ROOT)


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def said(directory: Path) -> list[str]:
    file = directory / "said"
    return file.read_text().split() if file.exists() else []


def wait_for(directory: Path, *words: str) -> None:
    wait.until(f"{words} are said", lambda: said(directory) == list(words))


def test_the_first_starts_and_the_last_stops(tmp_path: Path) -> None:
    first = process(tmp_path)
    wait_for(tmp_path, "start", "here")
    second = process(tmp_path)
    wait_for(tmp_path, "start", "here", "here")
    for one in (first, second):
        go_on(one)
        go_on(one)
        one.communicate(timeout=30)
    assert said(tmp_path).count("start") == 1
    assert said(tmp_path)[-2:] == ["stop", "gone"]
    assert said(tmp_path).count("stop") == 1


def test_a_killed_process_keeps_nobody_from_starting_anew(tmp_path: Path) -> None:
    killed = process(tmp_path)
    wait_for(tmp_path, "start", "here")
    killed.kill()
    killed.communicate(timeout=30)
    with process(tmp_path) as another:
        wait_for(tmp_path, "start", "here", "start", "here")
        another.kill()


def test_a_test_that_wants_to_be_alone_is(tmp_path: Path) -> None:
    together, alone, late = process(tmp_path), process(tmp_path, alone=True), process(tmp_path)
    wait.until("all are there", lambda: said(tmp_path).count("here") == 3)
    go_on(together)
    wait.until("one test runs", lambda: said(tmp_path).count("begin") == 1)
    go_on(alone)
    go_on(together)
    wait.until("the one that wants to be alone runs", lambda: said(tmp_path).count("begin") == 2)
    go_on(late)
    go_on(alone)
    wait.until("the late one runs", lambda: said(tmp_path).count("begin") == 3)
    go_on(late)
    for one in (together, alone, late):
        one.communicate(timeout=30)
    order = [word for word in said(tmp_path) if word in ("begin", "end")]
    assert order == ["begin", "end"] * 3
