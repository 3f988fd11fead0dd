# SPDX-License-Identifier: GPL-2.0-or-later
"""The interface text. The host ring lets `varlinkctl validate-idl` judge it; here, its shape."""

import re

import msgspec
import pytest

from vdsm_contract.declare import Interface, seconds, verb
from vdsm_contract.idl import interface_text
from vdsm_contract.interfaces import ALL, Network, Storage


@pytest.mark.parametrize("interface", ALL)
def test_every_method_stands_in_the_text(interface: type[Interface]) -> None:
    text = interface_text(interface)
    assert f"\ninterface {interface.INTERFACE}\n" in text
    for declared in interface.VERBS.values():
        assert f"\nmethod {declared.name}(" in text


@pytest.mark.parametrize("interface", ALL)
def test_every_named_type_is_defined_once(interface: type[Interface]) -> None:
    text = "\n".join(
        line for line in interface_text(interface).splitlines() if not line.startswith("#")
    )
    defined = re.findall(r"^type (\w+)", text, re.MULTILINE)
    assert len(defined) == len(set(defined))
    used = set(re.findall(r":\s*(?:\?|\[\]|\[string\])*([A-Z]\w*)", text))
    assert used <= set(defined)


def test_optional_parameters_and_literals() -> None:
    assert "mntOpts: ?string" in interface_text(Storage)
    assert "fsSpec: string" in interface_text(Storage)
    assert "stp: (off, on)" in interface_text(Network)
    assert "bondings: [string]Bond" in interface_text(Network)


class _Lists(msgspec.Struct):
    by_name: dict[str, list[str]]


def test_a_map_of_lists_is_refused_here_and_not_by_who_reads_it() -> None:
    class Nested(Interface, name="org.ovirt.supervdsm.nested"):
        """An interface that no systemd would understand."""

        @verb(limit=seconds(1), touches="nothing")
        def get(self) -> _Lists:
            """Get it."""
            raise NotImplementedError

    with pytest.raises(TypeError, match="name a struct"):
        interface_text(Nested)
