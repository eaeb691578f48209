"""Parts of the stack stop, die and come back: nothing is lost, nothing doubled."""

from collections.abc import Callable
from email.message import EmailMessage

import pytest
from mailmanclient import MailingList

from tests.support import wait
from tests.support.container import docker
from tests.support.lists import subscribe
from tests.support.mail import message
from tests.support.stack import Stack

pytestmark = pytest.mark.alone


def test_mail_waits_for_core_and_arrives_when_it_is_back(
    stack: Stack, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    anne = address("anne")
    subscribe(mailing_list, anne)
    post = message(anne, mailing_list.fqdn_listname, "While core is away")

    stack.compose("stop", "core")
    stack.post(post)
    stack.wait_deferred(mailing_list.fqdn_listname)
    stack.compose("start", "core")

    mails = stack.catcher.wait_delivered(post["Message-ID"], anne)
    assert len(mails) == 1


def test_restart_keeps_queue_lists_members_and_archive(
    stack: Stack, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    anne = address("anne")
    subscribe(mailing_list, anne)
    first = message(anne, mailing_list.fqdn_listname, "Before", "Before the restart.\n")
    stack.post(first)
    mail = stack.catcher.wait_delivered(first["Message-ID"], anne)[0]
    link = mail.message["Archived-At"].strip("<>")
    wait.until("the post is archived", lambda: stack.open(link))
    stack.compose("stop", "core")
    second = message(anne, mailing_list.fqdn_listname, "In the queue")
    stack.post(second)

    stack.compose("down", "--timeout", "30")
    stack.compose("up", "--detach", "--wait", "--wait-timeout", "120")

    assert len(stack.catcher.wait_delivered(second["Message-ID"], anne)) == 1
    again = stack.rest.get_list(mailing_list.fqdn_listname)
    assert [member.email for member in again.members] == [anne]
    assert "Before the restart." in (stack.open(link))


def test_core_that_is_stopped_at_work_ends_what_it_has_begun(
    stack: Stack, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    """Upstream shunts what a runner is working on at that moment."""
    anne = address("anne")
    subscribe(mailing_list, anne)
    shunted = queued(stack, "shunt")
    posts = send_many(stack, anne, mailing_list)
    stack.compose("restart", "core")
    for post in posts:
        assert len(stack.catcher.wait_delivered(post["Message-ID"], anne)) == 1
    assert queued(stack, "shunt") == shunted


def test_what_is_under_way_while_the_database_is_away_waits(
    stack: Stack, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    """Upstream shunts it, and gives up on its bounce runner, which dies again and again."""
    anne = address("anne")
    subscribe(mailing_list, anne)
    shunted = queued(stack, "shunt")
    started = stack.inspect("core")["State"]["StartedAt"]
    noted = stack.logs("core").count("is tried again")
    runners = "cat /run/mailman/runners/*"
    before = stack.exec("core", "sh", "-c", runners)
    posts = send_many(stack, anne, mailing_list)
    stack.compose("stop", "database")
    wait.until(
        "a runner misses the database", lambda: stack.logs("core").count("is tried again") > noted
    )
    stack.compose("start", "database")
    for post in posts:
        stack.catcher.wait_delivered(post["Message-ID"], anne)
    assert queued(stack, "shunt") == shunted
    assert stack.inspect("core")["State"]["StartedAt"] == started
    assert stack.exec("core", "sh", "-c", runners) == before


def send_many(stack: Stack, sender: str, mailing_list: MailingList) -> list[EmailMessage]:
    """Posts that keep core at work for some seconds."""
    posts = [message(sender, mailing_list.fqdn_listname, f"Number {n}") for n in range(30)]
    with stack.smtp() as smtp:
        for post in posts:
            smtp.send_message(post)
    return posts


def queued(stack: Stack, name: str) -> list[str]:
    """What is in one of core's queues."""
    return sorted(stack.exec("core", "ls", f"/var/lib/mailman/queue/{name}").split())


def test_a_killed_runner_is_started_anew(
    stack: Stack, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    anne = address("anne")
    subscribe(mailing_list, anne)
    before = stack.exec("core", "cat", "/run/mailman/runners/out:0:1").strip()
    stack.exec("core", "sh", "-c", f"kill -KILL {before}")

    def restarted() -> bool:
        now = stack.exec("core", "cat", "/run/mailman/runners/out:0:1").strip()
        return now not in ("", before)

    wait.until("the master starts another out runner", restarted)
    post = message(anne, mailing_list.fqdn_listname, "After the kill")
    stack.post(post)
    stack.catcher.wait_delivered(post["Message-ID"], anne)


def test_core_with_a_runner_that_stays_dead_is_unhealthy_then_restarted(stack: Stack) -> None:
    """Upstream gives up on a runner after its tenth death, and says that all is well."""

    def death() -> bool:
        pid = stack.exec("core", "cat", "/run/mailman/runners/digest:0:1").strip()
        return "No such process" in stack.try_exec("core", "sh", "-c", f"kill -KILL {pid}").stderr

    started = stack.inspect("core")["State"]["StartedAt"]
    wait.until("the master gives up on the digest runner", death)
    report = stack.try_exec("core", "healthcheck")
    assert (report.returncode, report.stdout.strip()) == (1, "dead: digest:0:1")

    def restarted() -> bool:
        return bool(stack.inspect("core")["State"]["StartedAt"] != started)

    wait.until("the container is started anew", restarted)
    stack.wait_healthy("core")


def test_core_killed_outright_comes_back(
    stack: Stack, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    anne = address("anne")
    subscribe(mailing_list, anne)
    stack.compose("kill", "core")
    stack.compose("start", "core")
    post = message(anne, mailing_list.fqdn_listname, "After the crash")
    stack.post(post)
    stack.catcher.wait_delivered(post["Message-ID"], anne)


def test_a_web_interface_that_hangs_holds_up_no_post(
    stack: Stack, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    """As it does while it starts; upstream waits for it with each post, to know the links."""
    anne = address("anne")
    subscribe(mailing_list, anne)
    post = message(anne, mailing_list.fqdn_listname, "While web hangs")
    docker("pause", stack.container("web"))
    try:
        stack.post(post)
        mail = stack.catcher.wait_delivered(post["Message-ID"], anne, seconds=8)[0]
    finally:
        docker("unpause", stack.container("web"))
        stack.wait_healthy("web")
    link = mail.message["Archived-At"].strip("<>")
    wait.until("the post is archived where its link says", lambda: stack.open(link))


def test_archive_catches_up_when_web_is_back(
    stack: Stack, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    """Upstream tries what HyperKitty did not take again only when the next post is archived."""
    anne = address("anne")
    subscribe(mailing_list, anne)

    def link(subject: str) -> str:
        post = message(anne, mailing_list.fqdn_listname, subject)
        stack.post(post)
        mail = stack.catcher.wait_delivered(post["Message-ID"], anne)[0]
        return str(mail.message["Archived-At"]).strip("<>")

    known = link("While web is there")
    wait.until("the first is archived", lambda: stack.open(known))
    stack.compose("stop", "web")
    late = [link("While web is away"), link("So is this")]
    stack.compose("start", "web")
    stack.wait_healthy("web")
    for page in late:
        wait.until("what waited is archived", lambda page=page: stack.open(page))  # type: ignore[misc]
    spool = "/var/lib/mailman/archives/hyperkitty/spool"
    wait.until("nothing waits", lambda: not stack.exec("core", "find", spool, "-type", "f"))


def test_every_service_stops_cleanly_in_its_time(stack: Stack) -> None:
    stack.compose("stop", "mta", "core", "web", "qcluster", "database")
    codes = {
        service: stack.inspect(service)["State"]["ExitCode"]
        for service in ("mta", "core", "web", "qcluster", "database")
    }
    stack.compose("up", "--detach", "--wait", "--wait-timeout", "120")
    assert codes == dict.fromkeys(codes, 0)
