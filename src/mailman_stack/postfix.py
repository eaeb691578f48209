"""What Postfix needs to know that no setting tells: its networks, its certificate, core's maps."""

import subprocess
import time
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import NamedTuple

from mailman_stack.settings import Settings, SettingsError

MAPS = Path("/var/lib/mailman/data")
MAP_NAMES = ("postfix_lmtp.lmdb", "postfix_domains.lmdb", "postfix_vmap.lmdb")
GIVEN = Path("/etc/mailman-stack/local/tls")
GENERATED = Path("/var/lib/mta-tls")
ROUTES = Path("/proc/net/route")


class Certificate(NamedTuple):
    """Paths of PEM files: the private key, and the certificate with its intermediates."""

    key: Path
    chain: Path


def certificate(settings: Settings) -> Certificate:
    """The operator's certificate, or one that is generated once, for opportunistic TLS.

    :raises SettingsError: when the operator gave only half of one.
    """
    given = Certificate(GIVEN / "privkey.pem", GIVEN / "fullchain.pem")
    missing = [path.name for path in given if not path.exists()]
    if not missing:
        return given
    if len(missing) == 1:
        raise SettingsError([f"local/tls/{missing[0]}: is missing beside the other file"])
    generated = Certificate(GENERATED / "privkey.pem", GENERATED / "fullchain.pem")
    if not generated.chain.exists():
        _generate(generated, settings.hostname)
    return generated


def _generate(certificate: Certificate, hostname: str) -> None:
    """Make a self-signed certificate for ten years (openssl-req(1)); it only has to encrypt."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650"
    names = ["-subj", f"/CN={hostname}", "-addext", f"subjectAltName=DNS:{hostname}"]
    files = ["-keyout", str(certificate.key), "-out", str(certificate.chain)]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)


def networks(routes: Path = ROUTES) -> list[str]:
    """The networks this container is in, for ``mynetworks``: each gateway excluded, then all else.

    The format of /proc/net/route is in proc_pid_net(5): addresses are little-endian hexadecimal.
    """

    def address(field: str) -> IPv4Address:
        return IPv4Address(int.from_bytes(bytes.fromhex(field), "little"))

    gateways: list[IPv4Address] = []
    subnets: list[IPv4Network] = []
    for line in routes.read_text().splitlines()[1:]:
        _interface, destination, gateway, _flags, _, _, _, mask, *_ = line.split()
        if gateway == "00000000":
            subnets.append(IPv4Network(f"{address(destination)}/{address(mask)}"))
        else:
            gateways.append(address(gateway))
    # A network without a route out has a gateway all the same: Docker's is its first address.
    gateways += [net[1] for net in subnets if not any(known in net for known in gateways)]
    return [*(f"!{gateway}" for gateway in gateways), *map(str, subnets)]


def wait_for_maps() -> None:
    """Core writes the maps before it serves; without them Postfix would defer all mail to lists."""
    missing = set(MAP_NAMES)
    print("mta: waiting for core's transport maps", flush=True)
    while missing := {name for name in missing if not (MAPS / name).exists()}:
        time.sleep(0.1)
