# SPDX-License-Identifier: GPL-2.0-or-later
"""The parameters of storage's verbs, behind the API's schema: connections, domains, volumes, jobs.

The first byte chooses the verb. Oracle: VdsmError (for a connection BadConnection), short; a
connection has one spelling, and a mount point of its own that supervdsm's policy lets through;
what is to be written as metadata can be, and is read as the same.
"""

from collections.abc import Callable, Mapping

import msgspec

from fuzz.target import require
from supervdsm.policy import paths
from vdsm.jsonrpc import schema
from vdsm.jsonrpc.errors import JSON, VdsmError
from vdsm.storage import connection_params, domain_types, errors, specs
from vdsm.storage.domain import create_params
from vdsm.storage.formats import domain_metadata
from vdsm.storage.model import DomainMetadata, Role, VolumeId, is_uuid
from vdsm.storage.sdm import params as sdm_params
from vdsm.storage.specs import BadConnection
from vdsm.storage.volume import params as volume_params
from vdsm.storage.volume.volumes import NewVolume
from vdsm_contract.paths import DATA_CENTER, MOUNT_DIR

IS_JSON = True
PREFIX = 1
_SCHEMA = schema.load()

Params = dict[str, JSON]


def _connect(given: Params) -> None:
    kind = domain_types.parse(given["domainType"], "domainType")
    for reference in connection_params.references(given["connectionParams"]):
        spec = specs.normalize(reference.connection)
        require(specs.normalize(spec) == spec, "two spellings of {!r}", spec)
        target = connection_params.target(reference)
        require(target.parent == MOUNT_DIR, "{} is another place", target)
        paths.below(str(target), DATA_CENTER, field="fsFile")
        try:
            mount = connection_params.mount(kind, reference)
        except ValueError:
            continue  # what is not mounted: the caller looks at the type first
        require(mount.target == target, "two places")
        require("\n" not in (mount.options or ""), "options of several lines")


def _create_domain(given: Params) -> None:
    domain = create_params.parse(given)
    require(is_uuid(domain.uuid), "no UUID")
    require(specs.normalize(domain.remote_path) == domain.remote_path, "another spelling")
    require(1 <= domain.max_hosts <= 2000, "hosts")
    metadata = DomainMetadata(
        uuid=domain.uuid,
        version=domain.version,
        kind=domain.kind,
        role=Role.REGULAR,
        domain_class=domain.domain_class,
        description=domain.name,
        remote_path=domain.remote_path,
    )
    written = domain_metadata.encode(metadata)
    require(domain_metadata.decode(written, "/x") == metadata, "another domain")


def _volume(volume: VolumeId) -> None:
    require(is_uuid(volume.domain) and is_uuid(volume.image) and is_uuid(volume.volume), "no UUID")


def _new(new: NewVolume) -> None:
    require(0 <= new.capacity < 1 << 63, "a size that no file has")
    require(new.initial_size is None or 0 <= new.initial_size < 1 << 63, "an initial size")
    if new.parent is not None:
        _volume(new.parent)


def _create_volume(given: Params) -> None:
    _volume(volume_params.volume_id(given))
    new = volume_params.new_volume(given)
    _new(new)
    require("\n" not in new.description + new.disk_type, "a line of its own")


def _copy_volume(given: Params) -> None:
    _volume(volume_params.copy_target(given))
    volume_params.copy(given)


def _create_job(given: Params) -> None:
    volume, new = sdm_params.new_volume(given["vol_info"], "vol_info")
    _volume(volume)
    _new(new)


def _copy_job(given: Params) -> None:
    for name in ("source", "destination"):
        _volume(sdm_params.endpoint(given[name], name).volume)


def _merge_job(given: Params) -> None:
    chain = sdm_params.subchain(given["subchain_info"], "subchain_info")
    _volume(chain.top)
    _volume(chain.base)


def _update_job(given: Params) -> None:
    _volume(sdm_params.endpoint(given["vol_info"], "vol_info").volume)
    sdm_params.attributes(given["vol_attr"], "vol_attr")


def _amend_job(given: Params) -> None:
    _volume(sdm_params.endpoint(given["vol_info"], "vol_info").volume)
    sdm_params.compat(given["qcow2_attr"], "qcow2_attr")


def _bitmap_job(given: Params) -> None:
    name = sdm_params.bitmap(given["bitmap"], "bitmap")
    require(0 < len(name.encode()) <= sdm_params.MAX_BITMAP_NAME, "a name that qcow2 has not")


READERS: tuple[tuple[str, Callable[[Params], None]], ...] = (
    ("StoragePool.connectStorageServer", _connect),
    ("StorageDomain.create", _create_domain),
    ("Volume.create", _create_volume),
    ("Volume.copy", _copy_volume),
    ("SDM.create_volume", _create_job),
    ("SDM.copy_data", _copy_job),
    ("SDM.merge", _merge_job),
    ("SDM.update_volume", _update_job),
    ("SDM.amend_volume", _amend_job),
    ("SDM.add_bitmap", _bitmap_job),
)


def run(data: bytes) -> None:
    verb, read = READERS[(data[0] if data else 0) % len(READERS)]
    try:
        given: JSON = msgspec.json.decode(data[1:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if not isinstance(given, dict):
        return
    try:
        read(_SCHEMA.check(verb, given))
    except (VdsmError, BadConnection) as error:
        require(len(str(error)) < 1000, "an error that repeats the input")
        require(not isinstance(error, errors.MetadataValidationError), "metadata that cannot be")


def seeds() -> Mapping[str, bytes]:
    one, two, three = (f"5e0f3a4c-8f5a-4a35-9a0c-d2b9d3a1f0e{n}" for n in "123")
    div = {"endpoint_type": "div", "sd_id": one, "img_id": two, "vol_id": three, "generation": 0}

    def call(verb: str, **given: object) -> bytes:
        number = [name for name, _ in READERS].index(verb)
        _SCHEMA.check(verb, msgspec.json.decode(msgspec.json.encode(given)))
        return bytes([number]) + msgspec.json.encode(given)

    connection = {
        "id": one, "connection": "server:/export//data/", "user": "", "password": "x",
        "protocol_version": "4.2", "timeout": "600", "retrans": 6, "mnt_options": "soft, ro",
        "vfs_type": "xfs",
    }  # fmt: skip
    info = {
        "sd_id": one, "img_id": two, "vol_id": three, "virtual_size": "1073741824",
        "vol_format": "COW", "disk_type": "DATA", "description": "d", "initial_size": "0",
        "parent": {"img_id": two, "vol_id": one},
    }  # fmt: skip
    volume = {"storagepoolID": one, "storagedomainID": one, "imageID": two, "volumeID": three}
    return {
        "connect": call("StoragePool.connectStorageServer", domainType=1, storagepoolID=one,
                        connectionParams=[connection]),
        "posix": call("StoragePool.connectStorageServer", domainType=6, storagepoolID=one,
                      connectionParams=[{**connection, "connection": "/dev/mapper/a_b"}]),
        "domain": call("StorageDomain.create", domainType=1, storagedomainID=one, name="data",
                       typeArgs="server:/export", domainClass=1, version=5, blockSize=512,
                       maxHosts=250),
        "volume": call("Volume.create", **volume, size="1073741824", volFormat=4, preallocate=2,
                       diskType="DATA", desc="d", srcImgUUID=two, srcVolUUID=one,
                       initialSize="1048576"),
        "copy": call("Volume.copy", **volume, dstSdUUID=one, dstImgUUID=two, dstVolUUID=two,
                     desc="d", volType=8, volFormat=5, preallocate=1, postZero=False, force=False),
        "create": call("SDM.create_volume", job_id=one, vol_info=info),
        "copy_data": call("SDM.copy_data", job_id=one, source=div, destination=div),
        "merge": call("SDM.merge", job_id=one, subchain_info={
            "sd_id": one, "img_id": two, "base_id": one, "top_id": two, "base_generation": 1}),
        "update": call("SDM.update_volume", job_id=one, vol_info=div,
                       vol_attr={"generation": 5, "description": "x", "legality": "LEGAL"}),
        "amend": call("SDM.amend_volume", job_id=one, vol_info=div, qcow2_attr={"compat": "1.1"}),
        "bitmap": call("SDM.add_bitmap", job_id=one, vol_info=div, bitmap="b"),
    }  # fmt: skip
