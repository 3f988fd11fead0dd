# SPDX-License-Identifier: GPL-2.0-or-later
"""What lldpcli tells of frames that a switch, or anybody on the wire, sent.

Oracle: ValueError, or neighbours whose TLVs are texts and numbers that go into an answer.
"""

from collections.abc import Mapping

from fuzz.target import require
from supervdsm.network.services import lldp_tlvs
from vdsm_contract.types import LldpInfo, LldpNeighbour
from vdsm_contract.wire import OutgoingResponse, encode

IS_JSON = True


def run(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        heard = lldp_tlvs.decode(text)
    except ValueError:
        return
    found = {one.name: LldpNeighbour(True, lldp_tlvs.tlvs(one)) for one in heard}
    for neighbour in found.values():
        for tlv in neighbour.tlvs:
            require(0 < tlv.type <= 127, "a type that is none")
            words = (*tlv.properties, *tlv.properties.values())
            require(all(isinstance(word, str) for word in words), "a property that is no text")
    require(len(encode(OutgoingResponse(LldpInfo(found)))) < 64 * len(data) + 4096, "too much")


def seeds() -> Mapping[str, bytes]:
    return {
        "switch": b"""{"lldp":[{"interface":[{"name":"eth0","via":"LLDP","chassis":[{
            "id":[{"type":"mac","value":"02:00:00:00:00:01"}],"name":[{"value":"sw1"}],
            "descr":[{"value":"Switch"}],"mgmt-ip":[{"value":"192.0.2.9"},{"value":"fe80::1"}],
            "mgmt-iface":[{"value":"1"},{"value":"2"}],
            "capability":[{"type":"Bridge","enabled":true},{"type":"Router","enabled":false}]}],
            "port":[{"id":[{"type":"ifname","value":"ge-0/0/1"}],"descr":[{"value":"p"}],
            "ttl":[{"value":"120"}],"mfs":[{"value":"1518"}],"aggregation":[{"value":"7"}]}],
            "vlan":[{"vlan-id":"5","pvid":true,"value":"red"}],
            "unknown-tlvs":[{"unknown-tlv":[{"oui":"00,80,C2","subtype":"7",
            "value":"03,00,00,00,0A"}]}]}]}]}""",
        "interfaces": b'{"lldp":[{"interface":[{"name":"eth0"},{"name":"eth1"}]}]}',
        "address": b'{"lldp":[{"interface":[{"name":"e","chassis":[{"id":[{"type":"ip",'
        b'"value":"192.0.2.1"}]}],"port":[{"aggregation":[{"value":"0"}]}]}]}]}',
        "nobody": b'{"lldp":[{}]}',
        "deep": b'{"x":' + b"[" * 1200,
    }
