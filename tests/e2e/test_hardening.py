"""What each container cannot do, asked from inside it."""

import json

import pytest

from tests.support.stack import Stack

SERVICES = ["database", "core", "web", "qcluster", "mta"]
MTA_CAPABILITIES = {
    # Its master starts as root.
    "postfix": {"chown", "dac_override", "fowner", "kill", "setgid", "setuid"},
    "exim": set(),
    "sendmail": set(),
}
CAPABILITY_BITS = {0: "chown", 1: "dac_override", 3: "fowner", 5: "kill", 6: "setgid", 7: "setuid"}


def status(stack: Stack, service: str) -> dict[str, str]:
    """/proc/1/status of a service's first process (proc_pid_status(5))."""
    lines = stack.exec(service, "cat", "/proc/1/status").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


@pytest.mark.parametrize("service", SERVICES)
def test_root_file_system_is_read_only(stack: Stack, service: str) -> None:
    for path in ("/etc/probe", "/usr/local/bin/probe", "/probe"):
        failure = stack.try_exec(service, "touch", path)
        assert failure.returncode != 0
        assert "Read-only" in failure.stderr or "denied" in failure.stderr
    mounts = stack.exec(service, "cat", "/proc/mounts").splitlines()
    root = next(mount.split() for mount in mounts if mount.split()[1] == "/")
    assert "ro" in root[3].split(",")


@pytest.mark.parametrize("service", SERVICES)
def test_no_process_can_gain_privileges(stack: Stack, service: str) -> None:
    assert status(stack, service)["NoNewPrivs"].strip() == "1"


@pytest.mark.parametrize("service", ["database", "core", "web", "qcluster"])
def test_no_root_and_no_capabilities(stack: Stack, service: str) -> None:
    facts = status(stack, service)
    assert set(facts["Uid"].split()) <= {"990", "999"}
    for kind in ("CapPrm", "CapEff", "CapBnd"):
        assert int(facts[kind], 16) == 0, kind


def test_the_mta_has_the_few_capabilities_it_needs(stack: Stack) -> None:
    bits = int(status(stack, "mta")["CapBnd"], 16)
    held = {CAPABILITY_BITS.get(bit, str(bit)) for bit in range(64) if bits >> bit & 1}
    assert held == MTA_CAPABILITIES[stack.mta.name]


def test_what_meets_the_network_in_the_mta_is_not_root(stack: Stack) -> None:
    with stack.smtp() as smtp:
        smtp.noop()
        # Some end while they are looked at.
        each = "user=$(stat -c %u $p) && name=$(cat $p/comm) && echo $user $name"
        shown = stack.exec("mta", "sh", "-c", f"for p in /proc/[0-9]*; do {each}; done; true")
    processes = [line.split(maxsplit=1) for line in shown.splitlines()]
    users = {user for user, name in processes if name.startswith(stack.mta.greets_as)}
    assert users
    assert "0" not in users


def test_only_mta_and_web_publish_ports_in_production(stack: Stack) -> None:
    production = Stack(stack.project, stack.directory, files=("compose.yaml",))
    ports = production.compose("config", "--format", "json").stdout
    services = json.loads(ports)["services"]
    assert {name for name, service in services.items() if service.get("ports")} == {"mta", "web"}


def test_database_is_on_no_network_that_reaches_out(stack: Stack) -> None:
    networks = stack.inspect("database")["NetworkSettings"]["Networks"]
    assert list(networks) == [f"{stack.project}_data"]


@pytest.mark.parametrize("service", SERVICES)
def test_secrets_are_neither_in_the_containers_configuration_nor_in_its_log(
    stack: Stack, service: str
) -> None:
    shown = str(stack.inspect(service)["Config"]) + stack.logs(service)
    assert leaked(stack, shown) == []


@pytest.mark.parametrize("service", ["core", "web", "qcluster"])
def test_secrets_are_not_in_the_environment(stack: Stack, service: str) -> None:
    """Nobody can read that of Postfix's master; MySQL's entrypoint exports root's password."""
    assert leaked(stack, stack.exec(service, "cat", "/proc/1/environ")) == []


def leaked(stack: Stack, text: str) -> list[str]:
    """The names of the secrets whose values stand in a text."""
    files = (stack.directory / "secrets").iterdir()
    secrets = {path.name: path.read_text().strip() for path in files}
    return [name for name, value in secrets.items() if value and value in text]


@pytest.mark.parametrize("service", SERVICES)
def test_memory_limit_is_the_kernels(stack: Stack, service: str) -> None:
    """As the container's own control group says it: version 2, or 1."""
    files = "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"
    limit = int(stack.exec(service, "sh", "-c", f"cat {files[0]} 2>/dev/null || cat {files[1]}"))
    assert limit == stack.inspect(service)["HostConfig"]["Memory"]
    assert limit <= 2 * 2**30


@pytest.mark.parametrize("service", SERVICES)
def test_logs_are_rotated(stack: Stack, service: str) -> None:
    config = stack.inspect(service)["HostConfig"]["LogConfig"]["Config"]
    assert config == {"max-size": "10m", "max-file": "5"}
