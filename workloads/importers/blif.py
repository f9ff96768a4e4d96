"""BLIF: circuits of tables as yosys, abc and others write and read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from designs.errors import InputError
from designs.spelling import nearest, shown
from designs.whole_file import whole_file
from workloads.importers import cells
from workloads.importers.blif_text import Model, read_models
from workloads.importers.cells import Instance
from workloads.importers.gates import Gate, GateCircuit, Imported, Register, check_size, netlist_of, short
from workloads.netlist import CONSTANT_1, Netlist

_LINE_CHARACTERS = 100
_DEEPEST = 200  # instances within instances


def load_blif(path: str | Path) -> Netlist:
    """The netlist of a BLIF file, as `import_blif` reads it."""
    return import_blif(path).netlist


def import_blif(path: str | Path) -> Imported:
    """Read a circuit from a BLIF file: that model which no other one instantiates, with all below it.

    Understood: .model, .inputs, .outputs, .names (tables of up to 16 inputs stay one, wider ones become trees of the
    same function), .latch, .subckt and .gate of models of the file, of FPGA LUTs and of yosys's own gates, and what
    yosys's `write_blif` adds (.conn, .param and notes). Inputs and outputs keep their order and names. Registers that
    stand equally deep on all ways are left out (see Imported). InputError, one line with file and line, for the rest.
    """
    path = Path(path)
    models = read_models(path)
    top = _top(path, models)
    flat = _Flat(models)
    flat.add(top, "", {}, ())
    return netlist_of(
        GateCircuit(
            where=str(path),
            model=top.name,
            inputs=tuple(top.inputs),
            outputs=tuple(top.outputs),
            gates=tuple(flat.gates),
            registers=tuple(flat.registers),
        )
    )


def write_blif(netlist: Netlist, path: str | Path, model: str) -> None:
    """Write a netlist as BLIF that yosys and abc read, whole or not at all; `load_blif` gives the same circuit back.

    Roles are not part of the format. InputError for names that it cannot hold (spaces, # or = or a backslash at the
    end), or that stand for two signals.
    """
    text = "\n".join(_lines(netlist, model)) + "\n"
    with whole_file(path) as part:
        part.write_text(text)


def _top(path: Path, models: dict[str, Model]) -> Model:
    used = {instance.cell for model in models.values() for instance in model.instances}
    top = next((model for name, model in models.items() if name not in used), None)
    if top is None:
        names = ", ".join(map(short, list(models)[:4]))
        raise InputError(f"{path}: wanted a model that no other instantiates, got a ring of {names}; break it")
    return top


class _Flat:
    """The gates of a model and all below it, with the names of the top level."""

    def __init__(self, models: dict[str, Model]) -> None:
        self.models = models
        self.gates: list[Gate] = []
        self.registers: list[Register] = []
        self.n_instances = 0
        self.n_entries = 0

    def add(self, model: Model, prefix: str, outside: dict[str, str], above: tuple[str, ...]) -> None:
        """`outside`: port of the model -> signal around it; every other name gets the prefix."""

        def name(signal: str) -> str:
            return outside.get(signal) or prefix + signal

        for gate in model.gates:
            self._add(_renamed_gate(gate, name) if prefix else gate)
        for register in model.registers:
            self._add(_renamed_register(register, name) if prefix else register)
        for instance in model.instances:
            ports = {port: name(signal) for port, signal in instance.ports.items()}
            self._add_instance(instance, ports, (*above, model.name))

    def _add(self, node: Gate | Register) -> None:
        if isinstance(node, Register):
            self.registers.append(node)
        else:
            self.gates.append(node)
            self.n_entries += len(node.table)
        check_size(node.where, len(self.gates) + len(self.registers), self.n_entries)

    def _add_instance(self, instance: Instance, ports: dict[str, str], above: tuple[str, ...]) -> None:
        model = self.models.get(instance.cell)
        if model is None:
            if not cells.is_known(instance.cell):
                hint = nearest(instance.cell, self.models)
                raise InputError(
                    f"{instance.where}: wanted a model of this file, got {shown(instance.cell)}{hint}; add its .model"
                )
            known = Instance(cell=instance.cell, ports=ports, parameters=instance.parameters, where=instance.where)
            for node in cells.expand(known):
                self._add(node)
            return
        if instance.cell in above or len(above) > _DEEPEST:
            ring = " in ".join(map(short, [instance.cell, *above[::-1][:4]]))
            raise InputError(f"{instance.where}: wanted models that end somewhere, got {ring}; break the ring")
        _check_connections(instance, model)
        self.n_instances += 1
        check_size(instance.where, self.n_instances, 0)
        self.add(model, f"{instance.cell}#{self.n_instances}/", ports, above)


def _check_connections(instance: Instance, model: Model) -> None:
    known = {*model.inputs, *model.outputs}
    for port in instance.ports:
        if port not in known:
            hint = nearest(port, known)
            raise InputError(f"{instance.where}: wanted ports of {short(model.name)}, got {shown(port)}{hint}; mend it")
    for port in model.inputs:
        if port not in instance.ports:
            raise InputError(
                f"{instance.where}: {short(model.name)}: wanted input {short(port)} connected, got it open; connect it"
            )
    # A port that is input and output at once is a wire through the model: two signals around it are then one.
    for port in set(model.inputs) & set(model.outputs):
        raise InputError(
            f"{model.where}: wanted inputs and outputs of different names, got {short(port)} as both; rename one"
        )


def _renamed_gate(gate: Gate, name: Callable[[str], str]) -> Gate:
    inputs = tuple(name(signal) for signal in gate.inputs)
    return Gate(output=name(gate.output), inputs=inputs, table=gate.table, where=gate.where)


def _renamed_register(register: Register, name: Callable[[str], str]) -> Register:
    clock = None if register.clock is None else name(register.clock)
    return Register(output=name(register.output), data=name(register.data), where=register.where, clock=clock)


def _lines(netlist: Netlist, model: str) -> Iterator[str]:
    _check_names((model, *netlist.input_names, *netlist.output_names))
    if len(set(netlist.output_names)) < netlist.n_outputs or len(set(netlist.input_names)) < netlist.n_inputs:
        raise InputError(f"{model}: wanted different names of inputs and of outputs, got one twice; rename it")
    names, aliases = _signal_names(netlist)
    yield f".model {model}"
    yield from _wrapped(".inputs", netlist.input_names)
    yield from _wrapped(".outputs", netlist.output_names)
    for lut in range(netlist.n_luts):
        signals = [names[int(signal)] for signal in netlist.inputs_of(lut)]
        yield from _wrapped(".names", (*signals, names[netlist.n_inputs + lut]))
        yield from _rows(netlist.table_of(lut))
    for output, signal in aliases:
        if signal < 0:
            yield f".names {output}"
            yield from ["1"] if signal == CONSTANT_1 else []
        else:
            yield from _wrapped(".names", (names[signal], output))
            yield "1 1"
    yield ".end"


def _signal_names(netlist: Netlist) -> tuple[list[str], list[tuple[str, int]]]:
    """(name of each signal, outputs that need a buffer or are constant)."""
    taken = {*netlist.input_names, *netlist.output_names}
    names: list[str | None] = [*netlist.input_names, *[None] * netlist.n_luts]
    aliases: list[tuple[str, int]] = []
    for output, signal in zip(netlist.output_names, netlist.outputs.tolist(), strict=True):
        if signal >= netlist.n_inputs and names[signal] is None:
            names[signal] = output
        elif signal < 0 or names[signal] != output:
            aliases.append((output, signal))
    for output, _ in aliases:
        if output in netlist.input_names:
            raise InputError(f"output {output}: wanted a name that no other signal has, got an input's; rename it")
    prefix = "n"
    while any(name.startswith(prefix) and name[len(prefix) :].isdigit() for name in taken):
        prefix += "_"
    return [name or f"{prefix}{index - netlist.n_inputs}" for index, name in enumerate(names)], aliases


def _check_names(names: tuple[str, ...]) -> None:
    for name in names:
        if not name or name.split() != [name] or set(name) & set("#=\\") or not name.isprintable() or name[0] == ".":
            raise InputError(f"{shown(name)}: wanted a name that BLIF can hold, without spaces, # = and \\; rename it")


def _wrapped(keyword: str, names: Sequence[str]) -> Iterator[str]:
    """A statement, over several lines where it is long."""
    line = keyword
    for name in names:
        if len(line) + len(name) > _LINE_CHARACTERS:
            yield line + " \\"
            line = ""
        line += " " + name
    yield line


def _rows(table: np.ndarray) -> Iterator[str]:
    """The ones of a table, or its zeros where they are fewer; the first column is the least significant bit."""
    n = len(table).bit_length() - 1
    if table.min() == table.max():
        yield f"{'-' * n} {table[0]}"
        return
    value = int(2 * int(table.sum()) <= len(table))
    indices = np.flatnonzero(table == value)
    columns = ((indices[:, None] >> np.arange(n)) & 1).astype(np.uint8) + np.uint8(ord("0"))
    for row in columns:
        yield f"{row.tobytes().decode()} {value}"
