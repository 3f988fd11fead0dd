# SPDX-License-Identifier: GPL-2.0-or-later
"""The file of a domain's external leases, `dom_md/xleases`: making its index."""

from __future__ import annotations

import time

from vdsm.storage import layout
from vdsm.storage.files import Files
from vdsm.storage.formats import xleases
from vdsm.storage.formats.xleases import IndexMetadata, Layout
from vdsm.storage.model import DomainMetadata


def format_index(files: Files, metadata: DomainMetadata) -> None:
    """Writes an index without leases; whatever leases there were are lost. `files` is rooted at the
    domain's directory, where the file is. Raises OSError."""
    where = Layout(metadata.alignment, metadata.block_size)
    index = xleases.dump_index(IndexMetadata(metadata.uuid, int(time.time())), (), where)
    files.write_at(layout.XLEASES, where.index_offset, index)
