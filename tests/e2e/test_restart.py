"""Parts of the stack stop, die and come back: nothing is lost, nothing doubled."""

from collections.abc import Callable

import pytest
from mailmanclient import MailingList

from tests.support import wait
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


def test_archive_catches_up_when_web_is_back(
    stack: Stack, mailing_list: MailingList, address: Callable[[str], str]
) -> None:
    """Upstream retries what HyperKitty did not take only when the next post is archived."""
    anne = address("anne")
    subscribe(mailing_list, anne)
    post = message(anne, mailing_list.fqdn_listname, "While web is away", "Kept for later.\n")
    stack.compose("stop", "web")
    stack.post(post)
    stack.catcher.wait_delivered(post["Message-ID"], anne)
    stack.compose("start", "web")
    stack.wait_healthy("web")
    spool = "/var/lib/mailman/archives/hyperkitty/spool"
    wait.until(
        "the spool is empty", lambda: not stack.exec("core", "find", spool, "-type", "f"), 120
    )
    archive = f"http://www.example.com/archives/list/{mailing_list.fqdn_listname}/latest"
    wait.until("it is archived", lambda: "While web is away" in (stack.open(archive)))


def test_every_service_stops_cleanly_in_its_time(stack: Stack) -> None:
    stack.compose("stop", "mta", "core", "web", "qcluster", "database")
    codes = {
        service: stack.inspect(service)["State"]["ExitCode"]
        for service in ("mta", "core", "web", "qcluster", "database")
    }
    stack.compose("up", "--detach", "--wait", "--wait-timeout", "120")
    assert codes == dict.fromkeys(codes, 0)
