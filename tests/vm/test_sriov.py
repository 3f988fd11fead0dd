# SPDX-License-Identifier: GPL-2.0-or-later
"""Virtual functions of a real kernel, on QEMU's igb.

Debian's cloud kernel has no driver for that NIC, so it has no network device: `pci-pf-stub`, which
has nothing to it but virtual functions, is bound to it. How the kernel counts them is the same.
"""

import json
import shlex
from collections.abc import Iterator
from typing import Any, Final

import pytest

from machines import Machine
from vm.engine import Engine, Refused
from vm.shell import Shell

_IGB: Final = "8086 10c9"
_STUB: Final = "/sys/bus/pci/drivers/pci-pf-stub"
_MOST: Final = 8
_CHANGE: Final = """\
import json, sys
from pathlib import Path
from supervdsm.network.apply import numvfs
from vdsm_contract.errors import VerbError
address, *numbers = sys.argv[1:]
function = numvfs.PhysicalFunction(address, Path("/sys/bus/pci/devices") / address, "eth9")
seen = []
for number in numbers:
    try:
        numvfs.change(function, int(number))
        seen.append([function.number, len(list(function.directory.glob("virtfn*")))])
    except VerbError as error:
        seen.append(str(error))
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def address(vm: Machine, shell: Shell) -> Iterator[str]:
    """The PCI address of the NIC; its driver lets it have virtual functions."""
    shell(f"modprobe pci-pf-stub; echo {_IGB} >{_STUB}/new_id")
    yield shell(f"basename {_STUB}/0000:*")
    shell(f"echo {_IGB} >{_STUB}/remove_id; rmmod pci-pf-stub")


def change(shell: Shell, address: str, *numbers: int) -> Any:
    words = " ".join(map(str, numbers))
    code = shlex.quote(_CHANGE)
    return json.loads(shell(f"podman exec supervdsm python3 -c {code} {address} {words}"))


def test_the_kernel_makes_as_many_as_asked(shell: Shell, address: str) -> None:
    assert change(shell, address, 4, 2, 2, 8, 0) == [[4, 4], [2, 2], [2, 2], [8, 8], [0, 0]]


def test_no_more_than_the_device_can_have(shell: Shell, address: str) -> None:
    refused, after = change(shell, address, _MOST + 1, 0)
    assert f"must be 0 to {_MOST}" in refused
    assert after == [0, 0]


def test_the_api_wants_a_nic(engine: Engine, address: str) -> None:
    name = f"pci_{address.replace(':', '_').replace('.', '_')}"
    refused = engine.call("Host.hostdevChangeNumvfs", deviceName=name, numvfs=1)
    assert isinstance(refused, Refused)
    assert "is not a NIC" in refused.message
