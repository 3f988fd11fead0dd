# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of vdsm's API for programs, and the `vdsm-client` command.

from vdsm.client import Client, plain

with Client(plain("localhost")) as client:
    client.call("Host.echo", message="hi")
"""

from vdsm.client.api import CallError, Client
from vdsm.client.transport import ConnectError, Endpoint, mutual_tls, plain

__all__ = ["CallError", "Client", "ConnectError", "Endpoint", "mutual_tls", "plain"]
