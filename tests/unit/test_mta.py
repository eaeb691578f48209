"""What an MTA is told that no setting tells."""

from pathlib import Path

import pytest

from mailman_stack import mta

# As the kernel writes it (proc_pid_net(5)), for a container in two networks.
ROUTES = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010012AC	0003	0	0	0	00000000	0	0	0
eth0	000012AC	00000000	0001	0	0	0	0000FFFF	0	0	0
eth1	00FDA8C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
"""


@pytest.mark.parametrize(
    ("routes", "networks"),
    [
        (ROUTES, ["!172.18.0.1", "!192.168.253.1", "172.18.0.0/16", "192.168.253.0/24"]),
        (ROUTES.partition("\n")[0] + "\n", []),
    ],
)
def test_the_networks_of_the_container(routes: str, networks: list[str], tmp_path: Path) -> None:
    path = tmp_path / "route"
    path.write_text(routes)
    assert mta.networks(path) == networks


@pytest.mark.parametrize(
    ("network", "prefixes"),
    [
        ("10.0.0.0/8", ["10"]),
        ("172.18.0.0/16", ["172.18"]),
        ("10.0.16.0/23", ["10.0.16", "10.0.17"]),
        ("192.0.2.4/30", ["192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.7"]),
        ("0.0.0.0/7", ["0", "1"]),
    ],
)
def test_networks_by_the_first_numbers_of_their_addresses(
    network: str, prefixes: list[str]
) -> None:
    assert mta.prefixes(["!172.18.0.1", network]) == prefixes
