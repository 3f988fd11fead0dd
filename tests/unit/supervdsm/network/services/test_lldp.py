# SPDX-License-Identifier: GPL-2.0-or-later
"""GetLldpInfo over a stand-in for lldpcli; tests/host/test_lldp.py has the real one."""

import os
import sys
from pathlib import Path

import pytest

from supervdsm.network.services.lldp import Lldp
from vdsm_contract.errors import ServiceFailed

RECORDED = Path(__file__).parent / "recorded/neighbours.json"

_STAND_IN = """
import pathlib, sys
if "interfaces" in sys.argv:
    print('{"lldp": [{"interface": [{"name": "nic1"}, {"name": "nic2"}]}]}')
else:
    print(pathlib.Path(sys.argv[1]).read_text())
"""


def stand_in(directory: Path, *lldpcli: str) -> Lldp:
    """Ask `lldpcli`; the socket is only looked at for its owner, who runs it."""
    socket = directory / "socket"
    socket.touch()
    return Lldp(socket, lldpcli)


@pytest.fixture
def lldp(tmp_path: Path) -> Lldp:
    return stand_in(tmp_path, sys.executable, "-c", _STAND_IN, str(RECORDED))


def test_all_nics_when_none_is_named(lldp: Lldp) -> None:
    info = lldp.info([], {"nic2", "nic1", "nic3"})
    assert list(info.nics) == ["nic1", "nic2", "nic3"]
    assert [nic.enabled for nic in info.nics.values()] == [True, True, False]
    assert [len(nic.tlvs) for nic in info.nics.values()] == [14, 0, 0]


def test_only_the_named_devices(lldp: Lldp) -> None:
    assert list(lldp.info(["nic2", "other"], {"nic1"}).nics) == ["nic2", "other"]


def test_of_two_neighbours_the_first_counts(tmp_path: Path) -> None:
    file = tmp_path / "two.json"
    file.write_text(
        '{"lldp": [{"interface": ['
        '{"name": "nic1", "via": "CDPv2", "chassis": [{"name": [{"value": "phone"}]}]},'
        '{"name": "nic1", "via": "LLDP", "chassis": [{"name": [{"value": "switch"}]}]},'
        '{"name": "nic1", "via": "LLDP", "chassis": [{"name": [{"value": "other"}]}]}]}]}'
    )
    lldp = stand_in(tmp_path, sys.executable, "-c", _STAND_IN, str(file))
    (tlv,) = lldp.info(["nic1"], ()).nics["nic1"].tlvs
    assert tlv.properties == {"system name": "switch"}


@pytest.mark.parametrize(
    "client",
    [
        ("/nonexistent/lldpcli",),
        (sys.executable, "-c", "import sys; sys.exit('no such socket')"),
        (sys.executable, "-c", "print('{')"),
    ],
)
def test_no_daemon_is_a_typed_error(tmp_path: Path, client: tuple[str, ...]) -> None:
    with pytest.raises(ServiceFailed) as caught:
        stand_in(tmp_path, *client).info([], ["nic1"])
    assert caught.value.unit == "vdsm-lldpd.service"
    assert caught.value.reason


def test_a_daemon_that_never_ran_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(ServiceFailed, match="No such file"):
        Lldp(tmp_path / "socket", (sys.executable, "-c", "")).info([], ["nic1"])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_the_client_runs_as_the_daemon_s_user(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    tell = 'import os; print(\'{"lldp": [{"interface": [{"name": "uid%d"}]}]}\' % os.getuid())'
    lldp = stand_in(tmp_path, "/usr/bin/python3", "-c", tell)
    os.chown(tmp_path / "socket", 12345, 12345)
    assert lldp.info(["uid12345", "uid0"], ()).nics["uid12345"].enabled
