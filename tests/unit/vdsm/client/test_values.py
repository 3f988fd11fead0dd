# SPDX-License-Identifier: GPL-2.0-or-later
"""`key=value` words as parameters."""

import pytest

from vdsm.client.values import UsageError, from_file, parameters
from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.schema import load

API = load()


@pytest.mark.parametrize(
    ("verb", "words", "params"),
    [
        ("Host.echo", ["message=1=2"], {"message": "1=2"}),
        ("Host.echo", ['message="x"'], {"message": '"x"'}),
        (
            "Host.getVMList",
            ["fullStatus=true", 'vmList=["a"]'],
            {"fullStatus": True, "vmList": ["a"]},
        ),
        ("Host.setLogLevel", ["level=DEBUG"], {"level": "DEBUG"}),
        ("StoragePool.connectStorageServer", ["domainType=4"], {"domainType": 4}),
        ("StoragePool.connectStorageServer", ["domainType=NFS"], {"domainType": "NFS"}),
    ],
)
def test_words(verb: str, words: list[str], params: dict[str, JSON]) -> None:
    assert parameters(API, API.verbs[verb], words) == params


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["message"], "not key=value"),
        (["mesage=x"], "its parameters are: message"),
    ],
)
def test_wrong_words(words: list[str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parameters(API, API.verbs["Host.echo"], words)


def test_a_value_that_must_be_json() -> None:
    with pytest.raises(UsageError, match="not JSON"):
        parameters(API, API.verbs["Host.setKsmTune"], ["tuningParams=run"])


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b'{"mesage":1}'])
def test_wrong_files(content: bytes) -> None:
    with pytest.raises(UsageError):
        from_file(API.verbs["Host.echo"], "file", content)
