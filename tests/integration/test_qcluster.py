"""Tasks and the cluster that runs them, and the cache that it shares with web."""

import pytest

from tests.support import wait
from tests.support.weblab import QCLUSTER, Container, Lab, docker, nothing_queued, settled


def run_task(web: Container, *arguments: object, **options: object) -> None:
    words = ", ".join(map(repr, arguments))
    web.django(f"async_task({words}, q_options={options!r})")


def test_a_task_begins_at_once(web: Container, qcluster: Container, unique: str) -> None:
    wait.until("a heartbeat", lambda: qcluster.succeeds(f"{QCLUSTER}/healthcheck"))
    settled(web)  # tasks that ask core, which is not there, hold up others
    run_task(web, "math.floor", 1.5, task_name=unique)
    tasks = f"Success.objects.filter(name='{unique}')"
    seconds = f"[(task.stopped - task.started).total_seconds() for task in {tasks}]"
    taken = wait.until("it has run", lambda: web.django(seconds))
    assert taken[0] < 5  # type: ignore[index]


def test_a_task_that_hangs_or_dies_holds_up_no_other(web: Container, unique: str) -> None:
    run_task(web, "time.sleep", 600, task_name=f"{unique}-hangs", timeout=2, ack_failure=True)
    run_task(web, "os.abort", task_name=f"{unique}-dies")
    run_task(web, "math.floor", 1.5, task_name=unique)
    done = f"Success.objects.filter(name='{unique}').exists()"
    wait.until("the last has run", lambda: web.django(done), every=1)
    failed = f"Failure.objects.filter(name='{unique}-hangs').exists()"
    wait.until("the first has failed", lambda: web.django(failed), every=1)
    web.django("OrmQ.objects.all().delete() and None")


def test_at_sigterm_a_task_ends_and_the_next_does_not_begin(web: Container) -> None:
    code = """
import time
import django
django.setup()
from mailman_stack.web.cluster import Child
from mailman_stack.web.queue import Due
task = {"id": "0" * 32, "name": "sleeps", "func": "time.sleep", "args": (1,), "kwargs": {}}
child = Child.fork([Due(task | {"save": False}, [], True)] * 3)
child.progress.poll(None)
child.process.terminate()
child.process.join()
print(child.has_ended(), len(child.rest), child.process.exitcode)
"""
    assert web.run("python", "-c", code).split() == ["True", "2", "0"]


def test_a_task_that_nobody_can_read_does_no_harm(
    web: Container, qcluster: Container, unique: str
) -> None:
    with nothing_queued(web, qcluster):
        pass
    web.django(
        "[OrmQ.objects.create(key=Broker().list_key, payload='x', lock=timezone.now()), "
        "async_task(hyperkitty._check_orphans, ['no number'], q_options={'ack_failure': True}), "
        f"async_task('math.floor', 1.5, q_options={{'task_name': '{unique}'}})] and None"
    )
    done = f"Success.objects.filter(name='{unique}').exists() and not OrmQ.objects.exists()"
    wait.until("nothing is queued", lambda: web.django(done), every=1)


def test_a_failure_that_is_mended_is_none(web: Container, unique: str) -> None:
    web.django(
        "[task := {'func': hyperkitty._check_orphans, 'args': (0,), 'kwargs': {}, 'id': 'f' * 32,"
        f" 'name': '{unique}', 'started': timezone.now() - timezone.timedelta(minutes=11)}}, "
        "Failure.objects.create(success=False, stopped=timezone.now(), **task), "
        "Broker().enqueue(SignedPackage.dumps(task))] and None"
    )
    mended = f"Success.objects.filter(name='{unique}').exists()"
    wait.until("it is a success", lambda: web.django(mended), every=1)


def test_the_cluster_survives_its_database(lab: Lab, web: Container, qcluster: Container) -> None:
    database = f"{lab.id}-database"
    docker("stop", database)
    try:
        wait.until("it is missed", lambda: "no database" in qcluster.logs())
    finally:
        docker("start", database)
    wait.until("web is healthy again", lambda: web.succeeds("healthcheck"))
    run_task(web, "math.floor", 1.5, task_name="after")
    done = "Success.objects.filter(name='after').exists()"
    wait.until("the task has run", lambda: web.django(done), every=1)
    assert qcluster.inspect("{{.State.Running}}") == "true"


@pytest.mark.usefixtures("web")
def test_a_file_in_the_pipes_place_is_replaced(qcluster: Container) -> None:
    qcluster.run("sh", "-c", "rm /var/lib/mailman-web/tasks && touch /var/lib/mailman-web/tasks")
    docker("restart", "--time=30", qcluster.name)
    wait.until(
        "the pipe is there", lambda: qcluster.succeeds("test", "-p", "/var/lib/mailman-web/tasks")
    )


def test_sigterm_ends_a_qcluster_that_waits(apart: Lab) -> None:
    apart.database()
    qcluster = apart.service("qcluster")
    waits = ("sh", "-c", "tr '\\0' ' ' </proc/1/cmdline | grep run_qcluster")
    wait.until("it waits for web", lambda: qcluster.succeeds(*waits))
    docker("stop", "--time=60", qcluster.name)
    assert qcluster.inspect("{{.State.ExitCode}}") == "143"


def test_django_keeps_nothing_large_that_it_does_not_need(web: Container) -> None:
    code = (
        "import sys; from mailman_stack.web import wsgi, cluster, jobs; "
        "print({'jinja2', 'networkx', 'pydantic'} & {*sys.modules})"
    )
    assert web.run("python", "-c", code).splitlines()[-1] == "set()"


def test_the_cache_keeps_what_is_set(web: Container, unique: str) -> None:
    a, b, c = (f"'{unique}-{name}'" for name in "abc")
    values = web.django(
        f"[cache.set({a}, [1]), cache.get({a}), cache.set({a}, 'ü', None), cache.get({a}),"
        f" cache.set_many({{{b}: 2, {c}: 3}}, 60), cache.get_many([{b}, {c}]),"
        f" cache.set({b}, 4, -1), cache.get({b}), cache.add({c}, 5), cache.get({c})]"
    )
    assert values == [
        None, [1], None, "ü", [], {f"{unique}-b": 2, f"{unique}-c": 3}, None, None, False, 3,
    ]  # fmt: skip
