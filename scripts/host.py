"""Facts about this machine and what its environment variables say about the network."""

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

CA_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
)
PROXY_VARIABLES = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
DEBIAN_CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


def release() -> dict[str, str]:
    """What os-release(5) says, by its names such as `ID` and `VERSION_ID`."""
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def runs_systemd() -> bool:
    """Tell whether systemd is this machine's init, the way sd_booted(3) does."""
    return Path("/run/systemd/system").is_dir()


def named_ca_bundles(environ: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """CA bundles that environment variables name, by variable."""
    return {name: Path(environ[name]) for name in CA_VARIABLES if environ.get(name)}


def ca_bundle(environ: Mapping[str, str] = os.environ) -> Path:
    """The CA bundle that image builds shall trust; an empty file if the host has none."""
    candidates = (*named_ca_bundles(environ).values(), DEBIAN_CA_BUNDLE)
    return next((path for path in candidates if path.is_file()), Path(os.devnull))


def proxies(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Proxy URLs that environment variables name, by variable."""
    return {name: environ[name] for name in PROXY_VARIABLES if environ.get(name)}


def available_memory(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Bytes that new programs can use without swapping (`MemAvailable` of proc(5))."""
    kib = re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo.read_text(), re.MULTILINE)
    return int(kib[1]) * 1024 if kib else 0
