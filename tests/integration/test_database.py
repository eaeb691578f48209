"""The database image with our configuration: first boot, rights, passwords, hardening."""

import gzip
import io
import itertools
import subprocess
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import ROOT
from tests.support.wait import until

IMAGE = "mysql:9.7"
CONFIG = ROOT / "config" / "database"
OUR_ENTRYPOINT = (
    f"--volume={ROOT}/images/mysql/docker-entrypoint.sh:/usr/local/bin/docker-entrypoint.sh:ro"
)
HARDENED = (
    "--user=999:999",
    "--read-only",
    "--tmpfs=/tmp",
    "--tmpfs=/var/run/mysqld",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)
# An option file, SQL and the shell each give a meaning to some of these.
NASTY = """'"`\\ $HOME %s #;-- é🔑\\"""
SECRETS: dict[str, str] = {
    "database_root_password": "root's",
    "core_database_password": "core's",
    "web_database_password": "web's",
}
RIGHTS = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER"


def docker(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["docker", *arguments], input=stdin, capture_output=True, check=False, timeout=120
    )


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """Make a tar archive of files that anyone may read and write."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in files.items():
            content = text.encode() if isinstance(text, str) else text
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o666
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@dataclass(frozen=True)
class Server:
    """A database container, running or not."""

    name: str

    def receive(self, files: Mapping[str, str | bytes], folder: str) -> None:
        """Put files into a folder, which is on a volume if the container is read-only."""
        copied = docker("cp", "-", f"{self.name}:{folder}", stdin=archive(files))
        assert copied.returncode == 0, copied.stderr.decode()

    def run(self, *command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return docker("exec", "--interactive", self.name, *command, stdin=stdin)

    def client(
        self, user: str, password: str, statement: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a statement over TCP, as the other services do."""
        return docker(
            *("exec", f"--env=MYSQL_PWD={password}", self.name),
            *("mysql", "--host=127.0.0.1", f"--user={user}", "--default-character-set=utf8mb4"),
            *("--skip-column-names", "--raw", f"--execute={statement}"),
        )

    def query(
        self, statement: str, user: str = "root", password: str = SECRETS["database_root_password"]
    ) -> list[str]:
        """Give the rows of a statement's result, columns parted by tabs."""
        done = self.client(user, password, statement)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().splitlines()

    def log(self) -> str:
        done = docker("logs", self.name)
        return (done.stdout + done.stderr).decode()

    def exit_code(self) -> int:
        """Wait for the end of the container."""
        return int(docker("wait", self.name).stdout)

    def is_running(self) -> bool:
        return b"true" in docker("inspect", "--format={{.State.Running}}", self.name).stdout

    def serves(self) -> bool:
        assert self.is_running(), self.log()
        return self.log().count("port: 3306") > 0


class Sandbox:
    """Containers and volumes under one unique prefix, removed together."""

    def __init__(self) -> None:
        self._prefix = f"test-database-{uuid.uuid4().hex[:8]}"
        self._numbers = itertools.count()
        self._containers: list[str] = []
        self._volumes: list[str] = []

    def volume(self, files: Mapping[str, str | bytes], target: str) -> str:
        """Make a volume of files, and give the option that mounts it."""
        name = f"{self._prefix}-{next(self._numbers)}"
        self._volumes.append(name)
        self.create(f"--volume={name}:/files").receive(files, "/files")
        return f"--volume={name}:{target}"

    def create(self, *options: str) -> Server:
        name = f"{self._prefix}-{next(self._numbers)}"
        self._containers.append(name)
        created = docker("create", f"--name={name}", *options, IMAGE)
        assert created.returncode == 0, created.stderr.decode()
        return Server(name)

    def start(self, *options: str) -> Server:
        server = self.create(*options)
        docker("start", server.name)
        return server

    def start_configured(
        self, *options: str, secrets: Mapping[str, str | bytes] = SECRETS
    ) -> Server:
        """Start a database as compose.yaml does."""
        return self.start(
            *HARDENED,
            self.volume(secrets, "/run/secrets"),
            "--env=MYSQL_ROOT_PASSWORD_FILE=/run/secrets/database_root_password",
            f"--volume={CONFIG}/etc/mysql/conf.d/common.cnf:/etc/mysql/conf.d/common.cnf:ro",
            f"--volume={CONFIG}/profiles/small.cnf:/etc/mysql/conf.d/profile.cnf:ro",
            f"--volume={CONFIG}/docker-entrypoint-initdb.d:/docker-entrypoint-initdb.d:ro",
            *options,
        )

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", *self._containers)
        docker("volume", "rm", *self._volumes)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.remove()


@pytest.fixture(scope="module")
def server(sandbox: Sandbox) -> Server:
    """A database after its first boot, shared by the tests that leave it as it is."""
    server = sandbox.start_configured()
    until("the database serves", server.serves)
    return server


def test_first_boot_creates_a_schema_for_core_and_one_for_the_web(server: Server) -> None:
    rows = server.query(
        "SELECT schema_name, default_collation_name FROM information_schema.schemata"
        " WHERE schema_name NOT IN"
        " ('information_schema', 'mysql', 'performance_schema', 'sys') ORDER BY 1"
    )
    assert rows == ["core\tutf8mb4_0900_as_ci", "web\tutf8mb4_0900_as_ci"]


def test_addresses_differ_by_accent_and_not_by_case(server: Server) -> None:
    (row,) = server.query(
        "USE core; CREATE TEMPORARY TABLE address (email TEXT);"
        " INSERT INTO address VALUES ('josé@example.com');"
        " SELECT email = 'jose@example.com', email = 'JOSÉ@example.com' FROM address"
    )
    assert row.split() == ["0", "1"]


@pytest.mark.parametrize("name", ["core", "web"])
def test_a_user_has_only_rights_on_its_own_schema(server: Server, name: str) -> None:
    assert server.query(f"SHOW GRANTS FOR {name}") == [
        f"GRANT USAGE ON *.* TO `{name}`@`%`",
        f"GRANT {RIGHTS} ON `{name}`.* TO `{name}`@`%`",
    ]


def test_there_are_no_other_users(server: Server) -> None:
    rows = server.query("SELECT user, host FROM mysql.user WHERE user NOT LIKE 'mysql.%'")
    assert sorted(rows) == ["core\t%", "root\t%", "root\tlocalhost", "web\t%"]


def test_core_cannot_reach_the_web_schema(server: Server) -> None:
    refused = server.client("core", SECRETS["core_database_password"], "USE web")
    assert b"ERROR 1044" in refused.stderr


def test_a_wrong_password_is_refused(server: Server) -> None:
    refused = server.client("core", SECRETS["web_database_password"], "SELECT 1")
    assert b"ERROR 1045" in refused.stderr


def test_an_attachment_of_100_mb_is_one_row(server: Server) -> None:
    (length,) = server.query(
        "USE web; CREATE TABLE attachment (content LONGBLOB);"
        " INSERT INTO attachment VALUES (REPEAT('x', 100000000));"
        " SELECT LENGTH(content) FROM attachment; DROP TABLE attachment"
    )
    assert length == "100000000"


def test_time_zones_are_known(server: Server) -> None:
    assert server.query("SELECT CONVERT_TZ('2026-01-01', 'UTC', 'Europe/Berlin')") == [
        "2026-01-01 01:00:00"
    ]


def test_root_dumps_both_schemas(server: Server) -> None:
    dump = docker(
        *("exec", f"--env=MYSQL_PWD={SECRETS['database_root_password']}", server.name),
        *("mysqldump", "--user=root", "--single-transaction", "--databases", "core", "web"),
    )
    assert dump.returncode == 0, dump.stderr.decode()
    assert b"Dump completed" in dump.stdout


def test_the_port_opens_after_the_first_boot_has_ended(server: Server) -> None:
    before, after = server.log().split("MySQL init process done", 1)
    assert "port: 3306" not in before
    assert "port: 3306" in after


def test_runs_hardened(server: Server) -> None:
    status = server.run("cat", "/proc/1/status").stdout.decode()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Name"] == "mysqld"
    assert fields["Uid"].split() == ["999"] * 4
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
    assert fields["NoNewPrivs"] == "1"
    assert b"Read-only file system" in server.run("touch", "/etc/mysql/x").stderr


def test_stops_cleanly_and_keeps_its_data(sandbox: Sandbox) -> None:
    server = sandbox.start_configured()
    until("the database serves", server.serves)
    server.query("CREATE TABLE core.kept (id INT)")
    docker("kill", "--signal=TERM", server.name)
    assert server.exit_code() == 0
    assert server.log().rstrip().endswith("MySQL Server - end.")
    docker("start", server.name)
    until("the database serves again", lambda: server.log().count("port: 3306") == 2)
    assert server.query("SHOW TABLES IN core") == ["kept"]


@given(password=st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=60))
@settings(max_examples=25, deadline=None)
def test_any_password_in_a_secret_logs_in(server: Server, password: str) -> None:
    check_password(server, password)


def test_a_password_of_special_characters_logs_in(server: Server) -> None:
    check_password(server, NASTY)


def check_password(server: Server, password: str) -> None:
    """Let the init script make core's user anew from a secret, and log in with it."""
    server.query("DROP SCHEMA core; DROP SCHEMA web; DROP USER core, web")
    put(server, password)
    made = docker(
        *("exec", f"--env=MYSQL_ROOT_PASSWORD={SECRETS['database_root_password']}", server.name),
        "/docker-entrypoint-initdb.d/10-mailman.sh",
    )
    put(server, SECRETS["core_database_password"])
    assert made.returncode == 0, made.stderr.decode()
    logged_in = server.query("SELECT CURRENT_USER()", "core", password)
    restored = f'ALTER USER core IDENTIFIED BY "{SECRETS["core_database_password"]}"'
    server.query(restored)
    assert logged_in == ["core@%"]


def put(server: Server, password: str) -> None:
    written = server.run(
        "sh", "-c", "cat >/run/secrets/core_database_password", stdin=password.encode()
    )
    assert written.returncode == 0, written.stderr.decode()


@pytest.mark.parametrize("options", [(), (OUR_ENTRYPOINT,)], ids=["image", "ours"])
def test_refuses_to_initialise_without_a_root_password(
    sandbox: Sandbox, options: tuple[str, ...]
) -> None:
    server = sandbox.start(*HARDENED, *options)
    assert server.exit_code() == 1
    assert "Database is uninitialized and password option is not specified" in server.log()


@pytest.mark.parametrize("profile", ["small", "large"])
def test_the_server_accepts_the_profile(profile: str) -> None:
    checked = docker(
        *("run", "--rm", "--entrypoint=mysqld", "--user=999:999"),
        f"--volume={CONFIG}/etc/mysql/conf.d/common.cnf:/etc/mysql/conf.d/common.cnf:ro",
        f"--volume={CONFIG}/profiles/{profile}.cnf:/etc/mysql/conf.d/profile.cnf:ro",
        *(IMAGE, "--validate-config"),
    )
    assert (checked.returncode, checked.stderr) == (0, b"")


def test_our_entrypoint_keeps_the_contract(sandbox: Sandbox) -> None:
    files: dict[str, str | bytes] = {
        "1.sh": "docker_process_sql <<<'CREATE TABLE made_by (name TEXT)'",
        "2.sql": "INSERT INTO made_by VALUES ('sql');",
        "3.sql.gz": gzip.compress(b"INSERT INTO made_by VALUES ('gz');"),
        "4.txt": "not for the server",
    }
    server = sandbox.start(
        *HARDENED,
        OUR_ENTRYPOINT,
        sandbox.volume(files, "/docker-entrypoint-initdb.d"),
        f"--env=MYSQL_ROOT_PASSWORD={NASTY}",
        "--env=MYSQL_DATABASE=some_schema",
        "--env=MYSQL_USER=o'neill",
        f"--env=MYSQL_PASSWORD={NASTY}",
    )
    until("the database serves", server.serves)
    assert server.query("SELECT CURRENT_USER()", "root", NASTY) == ["root@%"]
    assert server.query("SELECT * FROM some_schema.made_by", "o'neill", NASTY) == ["sql", "gz"]
    assert "ignoring /docker-entrypoint-initdb.d/4.txt" in server.log()


def test_our_entrypoint_makes_a_random_root_password(sandbox: Sandbox) -> None:
    server = sandbox.start(*HARDENED, OUR_ENTRYPOINT, "--env=MYSQL_RANDOM_ROOT_PASSWORD=yes")
    until("the database serves", server.serves)
    password = server.log().partition("GENERATED ROOT PASSWORD: ")[2].splitlines()[0]
    assert server.query("SELECT CURRENT_USER()", "root", password) == ["root@%"]


def test_our_entrypoint_begins_anew_after_a_failed_first_boot(sandbox: Sandbox) -> None:
    incomplete = {"database_root_password": SECRETS["database_root_password"]}
    server = sandbox.start_configured(OUR_ENTRYPOINT, secrets=incomplete)
    assert server.exit_code() == 1
    assert "/run/secrets/core_database_password: No such file" in server.log()
    server.receive(SECRETS, "/run/secrets")
    docker("start", server.name)
    until("the database serves", server.serves)
    assert server.query("SHOW SCHEMAS LIKE 'core'") == ["core"]
