"""Arrays of a program as words: what a load reads and a store leaves, at constant and at encrypted places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd

from workloads.programs.llvm_ir import IrError, Type, bytes_of
from workloads.programs.words import Word, Words


@dataclass(frozen=True, eq=False)
class Array:
    """A variable in memory: cells of `cell_bytes` each, `initial` their words (congruent modulo their width)."""

    name: str
    cell_bytes: int
    initial: Sequence[Word]
    is_constant: bool = False

    @property
    def n_bytes(self) -> int:
        return self.cell_bytes * len(self.initial)


@dataclass(frozen=True, eq=False, slots=True)
class Address:
    """A byte in an array."""

    array: Array
    offset: Word


@dataclass(frozen=True, eq=False, slots=True)
class EitherAddress:
    """`yes` where condition is 1, else `no`."""

    condition: Word
    yes: AnyAddress
    no: AnyAddress


AnyAddress = Address | EitherAddress
Cells = dict[tuple[Array, int], Word]  # what was stored; other cells have their initial word


def cell_bytes_of(kind: Type) -> int:
    """Bytes of the cells that a variable of this type is kept in: of its smallest integer."""
    if isinstance(kind, tuple):
        inner = [kind[2]] if kind[0] == "array" else kind[1]
        return min((cell_bytes_of(element) for element in inner), default=1)
    return bytes_of(kind)


class Memory:
    """Loads and stores on cells that the caller holds."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def load(self, cells: Cells, address: AnyAddress, bits: int, line: int, certain: bool) -> Word:
        """The integer of `bits` bits at `address`; a bad index is refused where the program is `certain` to come by."""
        words = self._words
        if isinstance(address, EitherAddress):
            yes = self.load(cells, address.yes, bits, line, False)
            return words.choose(address.condition, yes, self.load(cells, address.no, bits, line, False))
        size = bytes_of(bits)
        if address.offset.is_constant:
            offset = address.offset.low
            if not 0 <= offset <= address.array.n_bytes - size:
                if certain:
                    raise IrError(line, _outside(address.array, offset))
                return words.zero
            return self._load_at(cells, address.array, offset, size, bits)
        selector, places = self._places(address, size)
        entries: list[Word | None] = [None] * (1 << selector.bits if not selector.is_constant else 1)
        for index, offset in places:
            entries[index] = self._load_at(cells, address.array, offset, size, bits)
        found = self._select(selector, entries)
        return words.zero if found is None else found

    def store(self, cells: Cells, address: AnyAddress, value: Word, bits: int, line: int, certain: bool) -> None:
        """Leave `value` at `address`: changes `cells`."""
        self._store_if(cells, self._words.one, address, value, bits, line, certain)

    def _store_if(
        self, cells: Cells, condition: Word, address: AnyAddress, value: Word, bits: int, line: int, certain: bool
    ) -> None:
        words = self._words
        if isinstance(address, EitherAddress):
            no = words.bitwise("and", condition, words.invert(address.condition))
            yes = words.bitwise("and", condition, address.condition)
            self._store_if(cells, yes, address.yes, value, bits, line, False)
            self._store_if(cells, no, address.no, value, bits, line, False)
            return
        size = bytes_of(bits)
        if address.offset.is_constant:
            offset = address.offset.low
            if 0 <= offset <= address.array.n_bytes - size:
                self._store_at(cells, condition, address.array, offset, value, size)
            elif certain:
                raise IrError(line, _outside(address.array, offset))
            return
        selector, places = self._places(address, size)
        for index, offset in places:
            here = words.bitwise("and", condition, words.equal(selector, words.constant(index)))
            self._store_at(cells, here, address.array, offset, value, size)

    def _places(self, address: Address, size: int) -> tuple[Word, Iterator[tuple[int, int]]]:
        """A word that tells the places apart, and each of its values with the byte that it stands for."""
        words, offset = self._words, address.offset
        constant, terms = offset.args if offset.op == "sum" else (0, ((1, offset),))
        step = gcd(*(coefficient for coefficient, _ in terms))
        index = words.sum(0, ((coefficient // step, word) for coefficient, word in terms))
        first = max(index.low, -(constant // step))
        last = min(index.high, (address.array.n_bytes - size - constant) // step)
        bits = max(last - first, 0).bit_length()
        selector = words.wrap(index, bits, False) if bits else words.zero
        return selector, ((number & ((1 << bits) - 1), constant + step * number) for number in range(first, last + 1))

    def _select(self, selector: Word, entries: list[Word | None]) -> Word | None:
        if len(entries) == 1:
            return entries[0]
        half = len(entries) // 2
        low, high = self._select(selector, entries[:half]), self._select(selector, entries[half:])
        if low is None or high is None:
            return low or high
        return self._words.choose(self._words.bit(selector, half.bit_length() - 1), high, low)

    def cell(self, cells: Cells, array: Array, index: int) -> Word:
        """What stands in a cell."""
        found = cells.get((array, index))
        return array.initial[index] if found is None else found

    def _load_at(self, cells: Cells, array: Array, offset: int, size: int, bits: int) -> Word:
        words, cell_bytes = self._words, array.cell_bytes
        first, start = divmod(offset, cell_bytes)
        if size == cell_bytes and start == 0:
            found = self.cell(cells, array, first)
            return words.fit(found, bits, found.is_signed)
        last = (offset + size - 1) // cell_bytes
        width = 8 * cell_bytes
        parts = (words.wrap(self.cell(cells, array, index), width, False) for index in range(first, last + 1))
        whole = words.sum(0, ((1 << width * place, part) for place, part in enumerate(parts)))
        return words.wrap(words.shift_right(whole, 8 * start), bits, False)

    def _store_at(self, cells: Cells, condition: Word, array: Array, offset: int, value: Word, size: int) -> None:
        words, cell_bytes = self._words, array.cell_bytes
        width = 8 * cell_bytes
        for index in range(offset // cell_bytes, (offset + size - 1) // cell_bytes + 1):
            old = self.cell(cells, array, index)
            low = max(offset - index * cell_bytes, 0)  # bytes of the cell that are kept below the value
            high = min(offset + size - index * cell_bytes, cell_bytes)
            if (low, high) == (0, cell_bytes) and size == cell_bytes:
                new = value
            else:
                part = words.shift_right(value, 8 * (index * cell_bytes + low - offset))
                new = words.sum(
                    0,
                    (
                        (1, words.wrap(old, 8 * low, False) if low else words.zero),
                        (1 << 8 * low, words.wrap(part, 8 * (high - low), False)),
                        (1 << 8 * high, words.shift_right(words.wrap(old, width, False), 8 * high)),
                    ),
                )
            cells[array, index] = words.choose(condition, new, old)


def _outside(array: Array, offset: int) -> str:
    at = f"element {offset // array.cell_bytes}"
    return f"{at} of {array.name}, which has {len(array.initial)}; keep the index within the array"
