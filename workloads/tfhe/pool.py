"""Ciphertexts in memory by the number of their signal: as much memory as were there at once, in large pieces."""

from __future__ import annotations

import numpy as np

_ROWS = 1 << 10  # of a piece


class Pool:
    """Rows of words for some of n_signals signals. For one thread at a time."""

    def __init__(self, n_signals: int, width: int) -> None:
        self.width = width
        self.peak = 0  # most ciphertexts at once
        self._place = np.full(n_signals, -1, np.int32)  # row of each signal
        self._pieces: list[np.ndarray] = []
        self._free: list[int] = []
        self._n_rows = 0

    def store(self, signals: np.ndarray, words: np.ndarray) -> None:
        """Keep a ciphertext for each of these signals, which have none yet."""
        while len(self._free) < len(signals):
            self._pieces.append(np.empty((_ROWS, self.width), np.uint32))
            self._free.extend(range(self._n_rows + _ROWS - 1, self._n_rows - 1, -1))
            self._n_rows += _ROWS
        first = len(self._free) - len(signals)
        rows = np.array(self._free[first:], np.int32)
        del self._free[first:]
        self._place[signals] = rows
        for piece in np.unique(rows // _ROWS):
            here = rows // _ROWS == piece
            self._pieces[piece][rows[here] % _ROWS] = words[here]
        self.peak = max(self.peak, self._n_rows - len(self._free))

    def load(self, signals: np.ndarray) -> np.ndarray:
        """(n, width) uint32, a copy. KeyError for a signal that has none."""
        rows = self._place[signals]
        if (rows < 0).any():
            raise KeyError(f"no ciphertext of signal {int(np.asarray(signals)[rows < 0][0])}")
        words = np.empty((len(rows), self.width), np.uint32)
        for piece in np.unique(rows // _ROWS):
            here = rows // _ROWS == piece
            words[here] = self._pieces[piece][rows[here] % _ROWS]
        return words

    def drop(self, signals: np.ndarray) -> None:
        """Forget these signals, each of which has a ciphertext."""
        rows = self._place[signals]
        self._place[signals] = -1
        self._free.extend(rows.tolist())

    def signals(self) -> np.ndarray:
        """Those that have a ciphertext, rising."""
        return np.flatnonzero(self._place >= 0)
