# SPDX-License-Identifier: GPL-2.0-or-later
"""Every limit of the network front, with its unit and the reason for its size."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """How large a STOMP frame may be, so that one client cannot fill the memory."""

    headers: int = 64  # header lines of one frame; the engine sends five
    header_bytes: int = 16 * KIB  # command and all header lines together
    body_bytes: int = 4 * MIB  # the largest real requests are VM definitions, below 1 MiB


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client, and all of them together, may hold. Times are in seconds."""

    frame: FrameLimits = FrameLimits()
    handshake_s: float = 10.0  # TLS handshake, oVirt's value
    connect_s: float = 10.0  # from the end of the handshake to the CONNECT frame
    frame_s: float = 60.0  # from a frame's first byte to its last
    stalled_write_s: float = 30.0  # a client that reads nothing for so long is dropped
    write_buffer_bytes: int = 16 * MIB  # and one that has so much waiting for it, at once
    connections: int = 200  # that have shown a certificate
    handshakes: int = 200  # unauthenticated ones; more of them make the oldest give way
    handshakes_per_peer: int = 16  # and of one address
    subscriptions: int = 64  # of one connection
    pending: int = 64  # calls of one connection in one lane; below what each lane takes
    batch: int = 64  # calls in one JSON-RPC batch: no more than may be pending
    heartbeat_min_ms: int = 1000  # oVirt's value: nothing shorter is promised or asked
    close_s: float = 2.0  # for the last bytes of a connection that is being closed


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """A worker pool: how many calls run, and how many may wait for each worker."""

    workers: int = 8
    tasks_per_worker: int = 10
    stuck_s: float = 900.0  # calls wait and none has finished for so long: the pool is stuck

    @property
    def queued(self) -> int:
        return self.workers * self.tasks_per_worker
