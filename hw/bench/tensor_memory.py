"""The DRAM of docs/tensor.md section 3 for a bench: what to put on the machine's memory port in each cycle."""

from __future__ import annotations

import random
from collections import deque

ADDRESS_BITS = 32
_ADDRESS = (1 << ADDRESS_BITS) - 1


class TensorMemory:
    """Bytes behind the port; requests are answered in order, one beat a cycle, from `latency_cycles` after the request.

    `beat(cycle)` says what the machine may take in a cycle; `request`, `write` and `taken` say what moved. With `lazy`
    the memory is late: a beat that is ready shows with probability 0.6, and so often is the memory `willing()`.
    """

    def __init__(self, *, beat_bytes: int, latency_cycles: int, lazy: random.Random | None = None) -> None:
        self.image = bytearray()
        self._beat_bytes, self._latency_cycles, self.lazy = beat_bytes, latency_cycles, lazy
        self._lines: deque[tuple[int, int, int]] = deque()  # first cycle, address, bytes
        self._at = 0  # bytes of the first line already taken
        self._shown = False  # a beat that was shown stays until it is taken

    @property
    def idle(self) -> bool:
        """No requested beat is outstanding."""
        return not self._lines

    def willing(self) -> bool:
        """Whether the memory takes requests and writes in this cycle; always, unless it is lazy."""
        return self.lazy is None or self.lazy.random() < 0.6

    def request(self, cycle: int, payload: int) -> None:
        """A request (address, then beats) was taken in `cycle`."""
        address, n_bytes = payload & _ADDRESS, (payload >> ADDRESS_BITS) * self._beat_bytes
        self._check(address, n_bytes, "read")
        self._lines.append((cycle + self._latency_cycles, address, n_bytes))

    def beat(self, cycle: int) -> int | None:
        """The beat on the port in `cycle`, None where there is none."""
        if not self._lines or self._lines[0][0] > cycle:
            return None
        if not self._shown and not self.willing():
            return None
        self._shown = True
        start = self._lines[0][1] + self._at
        return int.from_bytes(self.image[start : start + self._beat_bytes], "little")

    def taken(self) -> None:
        """The machine took the beat."""
        self._shown = False
        self._at += self._beat_bytes
        if self._at == self._lines[0][2]:
            self._lines.popleft()
            self._at = 0

    def write(self, payload: int) -> None:
        """A written beat (address, then data)."""
        address = payload & _ADDRESS
        self._check(address, self._beat_bytes, "write")
        data = (payload >> ADDRESS_BITS).to_bytes(self._beat_bytes, "little")
        self.image[address : address + self._beat_bytes] = data

    def _check(self, address: int, n_bytes: int, verb: str) -> None:
        if not n_bytes or address % self._beat_bytes or address + n_bytes > len(self.image):
            raise AssertionError(
                f"{verb} of {n_bytes} bytes at {address}: wanted whole beats inside the {len(self.image)} bytes of DRAM"
            )
