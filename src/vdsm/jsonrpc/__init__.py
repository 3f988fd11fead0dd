# SPDX-License-Identifier: GPL-2.0-or-later
"""The network front: TLS, STOMP 1.2 and JSON-RPC 2.0, up to the call of a verb's handler."""
