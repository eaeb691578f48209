"""What an MTA needs to know that no setting tells: its networks, core's maps."""

import time
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from mailman_stack.settings import Settings

MAPS = Path("/var/lib/mailman/data")
ROUTES = Path("/proc/net/route")


def networks(routes: Path = ROUTES) -> list[str]:
    """The networks this container is in, as Postfix's ``mynetworks`` has them.

    Each gateway is excluded (``!``): it stands for the host, and whatever that forwards.

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


def prefixes(networks: Iterable[str]) -> list[str]:
    """Networks, gateways left out, as Sendmail can compare them: the first numbers of addresses.

    One whose mask does not end with a number is several: 10.0.16.0/23 is 10.0.16 and 10.0.17.
    """
    found = []
    for network in (IPv4Network(entry) for entry in networks if not entry.startswith("!")):
        numbers = max(1, -(-network.prefixlen // 8))
        parts = network.subnets(new_prefix=8 * numbers)
        found += [".".join(str(part[0]).split(".")[:numbers]) for part in parts]
    return found


def wait_for_maps(settings: Settings) -> None:
    """Core writes its maps before it serves; without them, or with old ones, lists are unknown."""
    print("mta: waiting for core's transport maps", flush=True)
    while not (MAPS / settings.written_mark).exists():
        time.sleep(0.1)
