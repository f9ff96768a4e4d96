"""The text of BLIF files, statement by statement, into models; nothing is put together here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from designs.errors import InputError
from designs.spelling import nearest, shown
from workloads.importers.cells import Instance
from workloads.importers.gates import Gate, Register, check_size, short
from workloads.netlist import MOST_INPUTS

MOST_BYTES = 1 << 28
_AND_INPUTS = 6  # of the tables that a wide cover is taken apart into
_READ = (
    ".model", ".inputs", ".outputs", ".clock", ".names", ".latch", ".subckt", ".gate", ".conn", ".end",
    ".param", ".attr", ".cname", ".gateinit",
)  # fmt: skip
# Statements about time and load, which do not change the function.
_IGNORED = frozenset(
    ".area .delay .wire_load_slope .wire .input_arrival .default_input_arrival .output_required .input_drive "
    ".default_output_required .default_input_drive .output_load .default_output_load .max_input_load "
    ".default_max_input_load".split()
)
_REFUSED = {
    ".exdc": "don't cares of a whole circuit are not read; remove them",
    ".search": "other files are not searched; put all models into this one",
    ".blackbox": "a circuit with unknown parts has no function; write its models out",
    ".start_kiss": "state machines are not read; map it to gates first",
    ".mlatch": "library latches are not read; use .latch",
}


@dataclass(kw_only=True)
class Model:
    """One .model as it stands in the file."""

    name: str
    where: str
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)
    registers: list[Register] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)


def read_models(path: Path) -> dict[str, Model]:
    """The models of a file by their names, in order; InputError, file and line and remedy, for all that is not BLIF."""
    statements = _Statements(path)
    models: dict[str, Model] = {}
    n_gates = n_entries = 0
    for words, where in statements:
        if words[0] == ".model":
            model = _new_model(words, where, models)
            models[model.name] = model
            continue
        if not models:
            raise InputError(f"{where}: wanted .model first, got {shown(words[0])}; begin the file with .model NAME")
        _read_statement(list(models.values())[-1], words, where, statements)
        if words[0] == ".names":
            n_gates += 1
            n_entries += 1 << min(len(words) - 2, MOST_INPUTS)
            check_size(where, n_gates, n_entries)
    if not models:
        raise InputError(f"{path}: wanted a .model, got a file without statements; is it the right file?")
    return models


class _Statements:
    """The lines of a file as words, comments gone and continued lines joined; each with its file:line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = enumerate(_text(path).split("\n"), start=1)
        self._put_back: list[tuple[list[str], str]] = []

    def __iter__(self) -> Iterator[tuple[list[str], str]]:
        while (statement := self.next()) is not None:
            yield statement

    def next(self) -> tuple[list[str], str] | None:
        if self._put_back:
            return self._put_back.pop()
        words: list[str] = []
        first = 0
        for number, line in self._lines:
            code = line.partition("#")[0].rstrip()
            first = first or number
            continued = code.endswith("\\")
            words += code[:-1].split() if continued else code.split()
            if continued:
                continue
            if words:
                return words, f"{self.path}:{first}"
            first = 0
        return (words, f"{self.path}:{first}") if words else None

    def until_dot(self) -> Iterator[tuple[list[str], str]]:
        """The statements up to the next that begins with a dot."""
        while (statement := self.next()) is not None:
            if statement[0][0].startswith("."):
                self._put_back.append(statement)
                return
            yield statement


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            raise InputError(f"{path}: wanted a BLIF file, got a folder; name a file in it")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise InputError(f"{path}: wanted at most {MOST_BYTES} bytes, got {size}; import a smaller circuit")
        text = path.read_bytes().decode("utf-8")
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = error.strerror if isinstance(error, OSError) else "bytes that are no text"
        raise InputError(f"{path}: wanted a BLIF file, got: {reason}; is it the right file?") from error
    if not _plain(text):
        number, line = next((number, line) for number, line in enumerate(text.split("\n"), 1) if not _plain(line))
        odd = next(character for character in line if not _plain(character))
        raise InputError(f"{path}:{number}: wanted a BLIF file, which is plain text, got {odd!r}; remove it")
    return text


def _plain(text: str) -> bool:
    return text.translate(_BLANKS).isprintable()


_BLANKS = {ord(character): " " for character in "\t\r\n\f"}


def _new_model(words: list[str], where: str, models: dict[str, Model]) -> Model:
    if len(words) != 2:
        raise InputError(f"{where}: wanted .model NAME, got {len(words) - 1} names; give one")
    if words[1] in models:
        first = models[words[1]].where
        raise InputError(
            f"{where}: wanted models of different names, got a second {short(words[1])} after {first}; rename it"
        )
    return Model(name=words[1], where=where)


def _read_statement(model: Model, words: list[str], where: str, statements: _Statements) -> None:
    keyword = words[0]
    if keyword == ".inputs":
        model.inputs += words[1:]
    elif keyword == ".outputs":
        model.outputs += words[1:]
    elif keyword == ".clock":
        model.inputs += [name for name in words[1:] if name not in model.inputs]
    elif keyword == ".names":
        model.gates += _names(words[1:], where, list(statements.until_dot()))
    elif keyword == ".latch":
        model.registers.append(_latch(words[1:], where))
    elif keyword == ".conn":
        model.gates.append(_connection(words[1:], where))
    elif keyword in (".subckt", ".gate"):
        model.instances.append(_instance(words, where, _parameters(statements)))
    elif keyword in (".end", ".param", ".attr", ".cname", ".gateinit") or keyword in _IGNORED:
        pass  # yosys's notes about .names, and times and loads
    elif keyword in _REFUSED:
        raise InputError(f"{where}: wanted a circuit, got {keyword}: {_REFUSED[keyword]}")
    elif keyword.startswith("."):
        hint = nearest(keyword, _READ)
        raise InputError(f"{where}: wanted one of {', '.join(_READ[:9])}, got {shown(keyword)}{hint}; remove it")
    else:
        raise InputError(f"{where}: wanted a statement that begins with a dot, got {shown(keyword)}; remove it")


def _names(signals: list[str], where: str, rows: list[tuple[list[str], str]]) -> list[Gate]:
    """The gates of one .names: one table, or several where more than MOST_INPUTS inputs matter."""
    if not signals:
        raise InputError(f"{where}: wanted .names [INPUTS] OUTPUT, got no signal; name the output")
    *inputs, output = signals
    if inputs and not rows:
        raise InputError(
            f"{where}: {short(output)}: wanted rows, the table of {len(inputs)} inputs, got none; "
            f"write .names {short(output)} alone for a constant 0"
        )
    value, cubes = _cover(output, len(inputs), rows)
    columns = np.frombuffer("".join(cubes).encode(), np.uint8).reshape(len(cubes), len(inputs))
    used = [index for index in range(len(inputs)) if (columns[:, index] != ord("-")).any()]
    if len(inputs) <= MOST_INPUTS:
        used = list(range(len(inputs)))
    names = tuple(inputs[index] for index in used)
    if len(used) <= MOST_INPUTS:
        table = _table(columns[:, used], value)
        return [Gate(output=output, inputs=names, table=table, where=where)]
    return _wide_gates(output, names, columns[:, used], value, where)


def _cover(output: str, n_inputs: int, rows: list[tuple[list[str], str]]) -> tuple[int, list[str]]:
    """(value where a row holds, rows of n_inputs characters 0, 1, -)."""
    cubes: list[str] = []
    value = None
    for words, where in rows:
        cube = words[0] if n_inputs else ""
        if len(words) != (2 if n_inputs else 1):
            raise InputError(
                f"{where}: {short(output)}: wanted a row of inputs and output, got {len(words)} columns; mend it"
            )
        if len(cube) != n_inputs:
            raise InputError(
                f"{where}: {short(output)}: wanted {n_inputs} input columns, got {len(cube)}; mend the row"
            )
        if cube.strip("01-"):
            raise InputError(f"{where}: {short(output)}: wanted 0, 1 or - in a row, got {shown(cube)}; mend it")
        if words[-1] not in ("0", "1"):
            raise InputError(f"{where}: {short(output)}: wanted 0 or 1 as output, got {shown(words[-1])}; mend the row")
        if value is None:
            value = int(words[-1])
        elif value != int(words[-1]):
            raise InputError(
                f"{where}: {short(output)}: wanted rows of one output value ({value}), got {words[-1]}; "
                "list the ones or the zeros"
            )
        cubes.append(cube)
    return (1 if value is None else value), cubes


def _table(columns: np.ndarray, value: int) -> np.ndarray:
    """(n_rows, n_inputs) characters -> (2^n_inputs,): the first column is the least significant bit of the index."""
    n = columns.shape[1]
    table = np.full(1 << n, 1 - value, np.uint8)
    open_ = (columns == ord("-")).any(axis=1)
    table[(columns[~open_] == ord("1")) @ (1 << np.arange(n))] = value
    box = table.reshape((2,) * n)  # the last axis is the first column
    for row in columns[open_]:
        box[tuple(slice(None) if c == ord("-") else int(c == ord("1")) for c in row[::-1])] = value
    return table


def _wide_gates(output: str, inputs: tuple[str, ...], columns: np.ndarray, value: int, where: str) -> list[Gate]:
    """A cover as trees: an AND of literals a row, an OR of the rows; the rows' value is the last table's to tell."""
    gates: list[Gate] = []

    def gate(name: str, read: tuple[str, ...], table: np.ndarray) -> str:
        gates.append(Gate(output=name, inputs=read, table=table, where=where))
        return name

    def tree(name: str, read: list[str], *, low: int) -> list[str]:
        """ANDs (low 0) or ORs (low 1) of _AND_INPUTS each, until no more than that many are left."""
        level = 0
        while len(read) > _AND_INPUTS:
            groups = [tuple(read[at : at + _AND_INPUTS]) for at in range(0, len(read), _AND_INPUTS)]
            read = [gate(f"{name} {level}.{i}", group, _all_of(len(group), low)) for i, group in enumerate(groups)]
            level += 1
        return read

    products = []
    for index, row in enumerate(columns):
        name = f"{output} row {index}"  # no name of a file holds spaces
        literals: list[str] = []
        taken = [i for i in range(len(inputs)) if row[i] != ord("-")]
        for at in range(0, len(taken), _AND_INPUTS):
            group = taken[at : at + _AND_INPUTS]
            table = _table(row[group][None, :], 1)
            literals.append(gate(f"{name} part {at}", tuple(inputs[i] for i in group), table))
        literals = tree(name, literals, low=0)
        products.append(gate(name, tuple(literals), _all_of(len(literals), 0)))
    last = tree(f"{output} rows", products, low=1)
    gate(output, tuple(last), _all_of(len(last), 1) ^ np.uint8(1 - value))
    return gates


def _all_of(n_inputs: int, low: int) -> np.ndarray:
    """AND (low 0) or OR (low 1) of n_inputs; of none it is 1 or 0."""
    table = np.full(1 << n_inputs, low, np.uint8)
    table[0 if low else -1] = 1 - low
    return table


def _latch(words: list[str], where: str) -> Register:
    """input output [type control] [initial value]: the initial value does not matter to the function."""
    if not 2 <= len(words) <= 5:
        raise InputError(f"{where}: wanted .latch INPUT OUTPUT [TYPE CLOCK] [INITIAL], got {len(words)} words; mend it")
    kind, clock = words[2:4] if len(words) >= 4 else ("re", None)
    if kind not in ("re", "fe"):
        raise InputError(
            f"{where}: {short(words[1])}: wanted a latch on an edge (re or fe), got {shown(kind)}; use one"
        )
    if len(words) in (3, 5) and words[-1] not in ("0", "1", "2", "3"):
        raise InputError(f"{where}: {short(words[1])}: wanted an initial value 0 to 3, got {shown(words[-1])}; mend it")
    clock = None if clock == "NIL" else clock
    return Register(output=words[1], data=words[0], where=where, clock=clock)


def _connection(words: list[str], where: str) -> Gate:
    if len(words) != 2:
        raise InputError(f"{where}: wanted .conn FROM TO, got {len(words)} signals; mend it")
    return Gate(output=words[1], inputs=(words[0],), table=np.array([0, 1], np.uint8), where=where)


def _instance(words: list[str], where: str, parameters: dict[str, str]) -> Instance:
    if len(words) < 2:
        raise InputError(f"{where}: wanted {words[0]} MODEL PORT=SIGNAL ..., got no model; name one")
    ports: dict[str, str] = {}
    for word in words[2:]:
        port, equals, signal = word.partition("=")
        if not (port and equals and signal):
            raise InputError(f"{where}: {short(words[1])}: wanted PORT=SIGNAL, got {shown(word)}; mend it")
        if port in ports:
            raise InputError(f"{where}: {short(words[1])}: wanted each port once, got {shown(port)} twice; remove one")
        ports[port] = signal
    return Instance(cell=words[1], ports=ports, parameters=parameters, where=where)


def _parameters(statements: _Statements) -> dict[str, str]:
    """The .param lines after an instance; its other notes are passed over."""
    found: dict[str, str] = {}
    while (statement := statements.next()) is not None:
        words, where = statement
        if words[0] not in (".param", ".attr", ".cname", ".gateinit"):
            statements._put_back.append(statement)
            break
        if words[0] == ".param":
            if len(words) != 3:
                raise InputError(f"{where}: wanted .param NAME VALUE, got {len(words) - 1} words; mend it")
            found[words[1]] = words[2]
    return found
