# SPDX-License-Identifier: GPL-2.0-or-later
"""GetLldpInfo over a stand-in for lldpcli; tests/host/test_lldp.py has the real one."""

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


@pytest.fixture
def lldp() -> Lldp:
    return Lldp(lldpcli=(sys.executable, "-c", _STAND_IN, str(RECORDED)))


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
    lldp = Lldp(lldpcli=(sys.executable, "-c", _STAND_IN, str(file)))
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
def test_no_daemon_is_a_typed_error(client: tuple[str, ...]) -> None:
    with pytest.raises(ServiceFailed) as caught:
        Lldp(lldpcli=client).info([], ["nic1"])
    assert caught.value.unit == "vdsm-lldpd.service"
    assert caught.value.reason
