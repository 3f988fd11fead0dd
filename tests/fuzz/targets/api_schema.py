# SPDX-License-Identifier: GPL-2.0-or-later
"""The parameters of every verb of the API, checked by the schema and made fit for a log.

The first two bytes choose the verb. Oracle: refused with -32602 and a short message, or accepted;
what was accepted is accepted again, unchanged; the input stays as it was; no secret in the log's
text.
"""

from collections.abc import Mapping

import msgspec

from fuzz.target import require
from vdsm.jsonrpc import schema
from vdsm.jsonrpc.errors import JSON, Code, VdsmError

IS_JSON = True
PREFIX = 2
SCHEMA = schema.load()
VERBS = sorted(SCHEMA.verbs)
SECRET = "marked-secret"


def run(data: bytes) -> None:
    verb = VERBS[int.from_bytes(data[:2].ljust(2, b"\0"), "big") % len(VERBS)]
    try:
        given: JSON = msgspec.json.decode(data[2:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if not isinstance(given, (dict, list)):
        return
    before = msgspec.json.encode(given)
    try:
        checked = SCHEMA.check(verb, given)
    except VdsmError as error:
        require(error.code == Code.INVALID_PARAMS, "another code than -32602")
        require(len(str(error)) < 1000, "an error that repeats the input")
        return
    finally:
        require(msgspec.json.encode(given) == before, "the parameters were changed")
    require(SCHEMA.check(verb, checked) == checked, "what is accepted is not accepted again")
    shown = schema.redact({**checked, "password": SECRET, "options": f"a,password={SECRET},b"})
    require(SECRET not in str(shown), "a secret in the log")


def seeds() -> Mapping[str, bytes]:
    def call(verb: str, params: object) -> bytes:
        return VERBS.index(verb).to_bytes(2, "big") + msgspec.json.encode(params)

    uuid = "00000000-0000-0000-0000-000000000001"
    return {
        "ping": call("Host.ping2", {}),
        "networks": call(
            "Host.setupNetworks",
            {
                "networks": {"n": {"nic": "eth0", "vlan": "5", "mtu": 1500, "bridged": "true"}},
                "bondings": {"bond0": {"nics": ["eth1"], "options": "mode=4"}},
                "options": {"connectivityCheck": True, "connectivityTimeout": "60"},
            },
        ),
        "connect": call(
            "StoragePool.connectStorageServer",
            {
                "domainType": 1,
                "storagepoolID": uuid,
                "connectionParams": [
                    {"id": uuid, "connection": "s:/p", "user": "", "password": "", "tpgt": "1"}
                ],
            },
        ),
        "volume": call(
            "Volume.create",
            {
                "volumeID": uuid, "storagepoolID": uuid, "storagedomainID": uuid, "imageID": uuid,
                "size": "1073741824", "volFormat": 4, "preallocate": 2, "diskType": "DATA",
                "desc": "", "srcImgUUID": uuid, "srcVolUUID": uuid, "initialSize": None,
            },
        ),
        "list": call("Volume.getInfo", [uuid, uuid, uuid, uuid]),
        "copy": call(
            "SDM.copy_data",
            {
                "job_id": uuid,
                "source": {"endpoint_type": "div", "sd_id": uuid, "img_id": uuid, "vol_id": uuid},
                "destination": {
                    "endpoint_type": "div", "sd_id": uuid, "img_id": uuid, "vol_id": uuid,
                    "generation": 0,
                },
            },
        ),
        "empty": call("Host.getStats", []),
    }  # fmt: skip
