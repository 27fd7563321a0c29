"""A slow, lossy line: passes frames between two TAP devices, late, and some of them not at all.

Run as a program in the hub's namespace (`slow.py LEFT RIGHT DELAY_MS LOSS_PERCENT`) it makes the devices, says
`ready`, and passes frames until it is killed; the devices go with it. Why not `tc netem`: not every kernel has it.
"""

from __future__ import annotations

import fcntl
import os
import random
import select
import struct
import sys
import time
from collections import deque

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
FRAME_BYTES = 65536
# About a second's worth of a fast sender; what comes on top is lost, as in a router with a full queue.
QUEUE_FRAMES = 10_000


class Direction:
    """Frames on their way from one device to the other."""

    def __init__(self, source: int, target: int, delay_s: float, loss: float) -> None:
        self.source = source
        self._target = target
        self._delay_s = delay_s
        self._loss = loss
        self._waiting: deque[tuple[float, bytes]] = deque()

    def take(self, now: float) -> None:
        """Read all frames that have come."""
        while True:
            try:
                frame = os.read(self.source, FRAME_BYTES)
            except BlockingIOError:
                return
            if random.random() >= self._loss and len(self._waiting) < QUEUE_FRAMES:
                self._waiting.append((now + self._delay_s, frame))

    def pass_on(self, now: float) -> float | None:
        """Write the frames that are due; gives the time of the next one."""
        while self._waiting and self._waiting[0][0] <= now:
            try:
                os.write(self._target, self._waiting.popleft()[1])
            except OSError:
                pass  # the device is down or full: lost, as everything on a wire may be
        return self._waiting[0][0] if self._waiting else None


def relay(left: int, right: int, delay_s: float, loss: float) -> None:
    """Pass frames both ways, for ever; `loss` is a probability."""
    directions = (Direction(left, right, delay_s, loss), Direction(right, left, delay_s, loss))
    poll = select.poll()
    for direction in directions:
        poll.register(direction.source, select.POLLIN)
    timeout_ms: float | None = None
    while True:
        ready = {descriptor for descriptor, _ in poll.poll(timeout_ms)}
        now = time.monotonic()
        for direction in directions:
            if direction.source in ready:
                direction.take(now)
        due = [at for direction in directions if (at := direction.pass_on(now)) is not None]
        timeout_ms = max(0.0, (min(due) - time.monotonic()) * 1000) if due else None


def open_tap(name: str) -> int:
    """Make a TAP device; it exists as long as the descriptor is open."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return descriptor


def main() -> None:
    left, right, delay_ms, loss_percent = sys.argv[1:]
    devices = open_tap(left), open_tap(right)
    print("ready", flush=True)
    relay(*devices, float(delay_ms) / 1000, float(loss_percent) / 100)


if __name__ == "__main__":
    main()
