"""How commands run in the tests image."""

from pathlib import Path

from scripts import toolbox


def test_the_hosts_ca_bundle_is_trusted_where_there_is_one(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    assert toolbox.trust(bundle) == []
    bundle.touch()
    assert f"--volume={bundle}:/etc/ssl/host-ca.pem:ro" in toolbox.trust(bundle)
