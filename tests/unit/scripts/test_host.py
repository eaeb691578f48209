"""What the environment says about CA bundles, and the kernel about memory."""

import os
from pathlib import Path

from scripts import host


def test_the_first_ca_bundle_that_is_there(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    named = {"SSL_CERT_FILE": "/nowhere.pem", "PIP_CERT": str(bundle), "CURL_CA_BUNDLE": ""}
    assert host.ca_bundle(named) == bundle
    assert host.named_ca_bundles(named) == {
        "SSL_CERT_FILE": Path("/nowhere.pem"),
        "PIP_CERT": bundle,
    }


def test_the_distributions_ca_bundle_or_none() -> None:
    assert host.ca_bundle({}) in (host.DEBIAN_CA_BUNDLE, Path(os.devnull))


def test_available_memory(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       24684416 kB\nMemAvailable:    2097152 kB\n")
    assert host.available_memory(meminfo) == 2 * 1024**3
