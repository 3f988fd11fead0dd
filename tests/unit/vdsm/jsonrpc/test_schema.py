# SPDX-License-Identifier: GPL-2.0-or-later
"""The API's schema as it is shipped, and the check of calls."""

import pytest

from vdsm.client import help as texts
from vdsm.client.values import sample
from vdsm.jsonrpc.errors import JSON, VdsmError
from vdsm.jsonrpc.schema import load, redact
from vdsm.jsonrpc.typespec import Named, Union, check

API = load()


def test_all_of_ovirts_verbs_are_there() -> None:
    assert len(API.verbs) == 206  # SDM.create_volume was in an older release
    assert {"Host.ping2", "VM.create", "StoragePool.connectStorageServer"} <= API.verbs.keys()


@pytest.mark.parametrize("name", sorted(API.verbs))
def test_every_verb_and_parameter_is_described_and_has_an_example_that_fits(name: str) -> None:
    verb = API.verbs[name]
    assert verb.about.endswith(".")
    for parameter in verb.parameters:
        assert parameter.about, parameter.name
        check(sample(API, parameter.type), parameter.type, parameter.name, API.types)
    assert verb.about.split()[0] in texts.verb(API, verb)


def test_no_type_is_its_own_alias() -> None:
    def walk(name: str, seen: tuple[str, ...]) -> None:
        assert name not in seen
        spec = API.types[name]
        parts = spec.alternatives if isinstance(spec, Union) else (spec,)
        for part in parts:
            if isinstance(part, Named):
                walk(part.name, (*seen, name))

    for name in API.types:
        walk(name, ())


CONNECTION: dict[str, JSON] = {
    "id": "5a8b",
    "connection": "server:/export",
    "user": "",
    "port": "",
    "tpgt": 1,
}


@pytest.mark.parametrize("domain_type", [1, "1", "NFS", 4, "LOCALFS", 6])
def test_connect_storage_server_takes_what_an_engine_sends(domain_type: int | str) -> None:
    params: dict[str, JSON] = {
        "storagepoolID": "00000000-0000-0000-0000-000000000000",
        "domainType": domain_type,
        "connectionParams": [{**CONNECTION, "protocol_version": "4", "retrans": 3, "new": None}],
    }
    checked = API.check("StoragePool.connectStorageServer", params)
    assert checked["domainType"] == domain_type
    assert checked["connectionParams"] == params["connectionParams"]


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({}, "storagepoolID: is missing"),
        (["p", 1, [{"id": 7}]], "connectionParams[0].id: expected string, got number"),
        (["p", 1, [{"id": "x"}]], "connectionParams[0].connection: is missing"),
        (["p", 1, CONNECTION], "connectionParams: expected an array, got object"),
        (["p", 99, []], "domainType: expected one of"),
        (["p", 1, [], 4], "takes 3 parameters, got 4"),
    ],
)
def test_wrong_parameters_are_named(params: list[JSON], complaint: str) -> None:
    with pytest.raises(VdsmError) as caught:
        API.check("StoragePool.connectStorageServer", params)
    assert caught.value.code == -32602
    assert complaint in caught.value.message


def test_unknown_parameters_are_ignored_and_optional_ones_may_be_null() -> None:
    assert API.check("Host.getVMList", {"fullStatus": "true", "vmList": None, "new": 1}) == {
        "fullStatus": True
    }


def test_setup_networks_passes_on_what_it_is_given_letter_by_letter() -> None:
    networks: dict[str, JSON] = {
        "ovirtmgmt": {
            "nic": "eth0",
            "vlan": "100",
            "mtu": 1500,
            "bridged": "true",
            "stp": "yes",
            "STP": None,
            "bootproto": "dhcp",
            "defaultRoute": True,
            "nonsense": [1, {"a": None}],
            "custom": {"bridge_opts": "a=b"},
        },
        "old": {"remove": "true"},
        "wrong": 5,
    }
    params: dict[str, JSON] = {
        "networks": networks,
        "bondings": {"bond0": {"remove": "True", "nics": "eth1"}},
        "options": {"connectivityCheck": "true", "connectivityTimeout": "x", "_caller": "engine"},
    }
    assert API.check("Host.setupNetworks", params) == params


@pytest.mark.parametrize("name", ["networks", "bondings"])
def test_setup_networks_takes_networks_and_bonds_by_name(name: str) -> None:
    params: dict[str, JSON] = {"networks": {}, "bondings": {}, "options": {}, name: ["a"]}
    with pytest.raises(VdsmError) as caught:
        API.check("Host.setupNetworks", params)
    assert (caught.value.code, caught.value.message.split(":")[0]) == (-32602, name)


def test_the_help_shows_the_attributes_of_a_network_and_a_bond() -> None:
    text = texts.verb(API, API.verbs["Host.setupNetworks"])
    for word in ("SetupNetworkNetAttributes = {", "hostQos?", "SetupNetworkBondAttributes = {"):
        assert word in text


def test_secrets_are_redacted_at_any_depth() -> None:
    value: JSON = {"a": [{"password": "x", "user": "u"}], "connection_info": {"k": "v"}, "n": 1}
    assert redact(value) == {
        "a": [{"password": "***", "user": "u"}],
        "connection_info": "***",
        "n": 1,
    }


def test_secrets_in_a_text_are_redacted() -> None:
    value: JSON = {"mnt_options": "username=u,password=hunter2,vers=3", "vfs_type": "cifs"}
    assert redact(value) == {"mnt_options": "username=u,password=***", "vfs_type": "cifs"}


@pytest.mark.parametrize(
    "text", ["passwd=two words", "password = a,b", "credentials=/x y", "token=a;b"]
)
def test_a_secret_with_blanks_and_commas_is_redacted_as_a_whole(text: str) -> None:
    name = text.partition("=")[0]
    assert redact(f"login=me\n{text}\nport=1") == f"login=me\n{name}=***\nport=1"


def test_credentials_by_their_short_name_are_redacted() -> None:
    assert redact({"cred": {"user": "u", "key": "x"}}) == {"cred": "***"}


def test_deep_values_are_redacted_without_recursing_for_ever() -> None:
    value: JSON = 1
    for _ in range(900):
        value = [value]
    assert "..." in str(redact(value))
