# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of the host that an argument names, as the host's own programs would find them.

In the container the host's tree is at `/host`, where a link to an absolute path would lead into the
container. So the host itself resolves the links, and what is opened here has none left.
"""

import os
from pathlib import Path
from typing import Final

from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host

_DIRECTORY: Final = "VDSM_TOOL_DIRECTORY"
"""Set by the wrapper on the host: the directory there that a relative path starts from."""


def existing(name: str | Path, host: Host) -> Path:
    """Return where the host's file `name` is from here. Raises ToolError when there is none."""
    try:
        found = host.run(("realpath", "--canonicalize-existing", "--", str(_absolute(name))))
    except ToolError as error:
        raise ToolError(f"There is no file {name} on this host", error.sentence) from None
    return host.path(found.removesuffix("\n"))


def new(name: str | Path, host: Host) -> Path:
    """Return where the host's file `name` will be; its directory must exist. Raises ToolError."""
    path = _absolute(name)
    return existing(path.parent, host) / path.name


def _absolute(name: str | Path) -> Path:
    return Path(os.environ.get(_DIRECTORY) or Path.cwd(), name)
