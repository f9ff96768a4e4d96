"""Runs a program of LLVM IR on words: what is public is computed, what is encrypted becomes part of the graph.

Loops are followed iteration by iteration while their conditions are public; a branch on an encrypted condition goes
both ways, and where ways meet, values are chosen by the condition. Blocks are visited in a weak topological order
(Bourdoncle, 1993), so all ways into a block have arrived when it is visited.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from workloads.programs import intrinsics
from workloads.programs.control_flow import Loop, live_values, weak_topological_order
from workloads.programs.knowledge import known_value, narrowed_word, refined
from workloads.programs.llvm_ir import (
    Element,
    Function,
    Global,
    Instruction,
    IrError,
    Local,
    Module,
    Operand,
    Type,
    address_parts,
    bytes_of,
)
from workloads.programs.memory import Address, AnyAddress, Array, Cells, EitherAddress, Memory, cell_bytes_of
from workloads.programs.operations import binary, cast, compare
from workloads.programs.words import Word, Words, unbounded

MOST_STEPS = 400_000  # instructions, loops unrolled
MOST_ELEMENTS = 1 << 20  # of an array: each is a word here
MOST_ENCRYPTED_ITERATIONS = 1024  # of a loop that an encrypted condition may leave
_ENCRYPTED_LOOP = "a loop whose bound is encrypted; give it a constant bound and leave it with break"

Value = Word | AnyAddress | tuple


@dataclass(slots=True)
class State:
    """What is known on one way through a function."""

    guard: frozenset[Word]  # conditions, all 1 on this way
    values: dict[str, Value]
    cells: Cells


@dataclass
class _Frame:
    """A call: who waits for what."""

    function: Function
    number: int
    live: dict[str, frozenset[str]]
    pending: dict[str, list[State]] = field(default_factory=dict)
    returned: list[State] = field(default_factory=list)


class Execution:
    """Runs functions of `module`; the words are built in `words`."""

    def __init__(self, module: Module, words: Words, progress: Callable[[int], None] | None = None) -> None:
        self.module, self.words = module, words
        self.n_steps = 0
        self.line = 0  # the last that is known of what was run
        self._memory = Memory(words)
        self._progress = progress
        self._n_frames = 0
        self._calls: list[str] = []
        self._loops: list[tuple[Loop, int]] = []  # those being run, and the line of an encrypted exit, else 0
        self._plans: dict[str, tuple] = {}
        self._globals: dict[str, Array] = {}

    def run(self, name: str, arguments: Sequence[Value], cells: Cells) -> tuple[Word | None, Cells]:
        """What function `name` returns and leaves in memory."""
        value, state = self._call(name, list(arguments), State(frozenset(), {}, cells), 0)
        assert value is None or isinstance(value, Word)
        return value, state.cells

    def cell(self, cells: Cells, array: Array, index: int) -> Word:
        return self._memory.cell(cells, array, index)

    # --- functions and blocks ----------------------------------------------------------------------------------------

    def _call(self, name: str, arguments: list[Value], state: State, line: int) -> tuple[Value | None, State]:
        function = self.module.functions.get(name)
        if function is None:
            raise IrError(line, f"a call of {name.lstrip('@')}, which this file does not define; define it here")
        if name in self._calls:
            raise IrError(line, f"recursion of {name.lstrip('@')}; write a loop")
        if name not in self._plans:
            self._plans[name] = (weak_topological_order(function), live_values(function))
        order, live = self._plans[name]
        self._n_frames += 1
        frame = _Frame(function, self._n_frames, live)
        caller_values = state.values
        values = {parameter: value for (parameter, _), value in zip(function.parameters, arguments, strict=True)}
        frame.pending[next(iter(function.blocks))] = [State(state.guard, values, state.cells)]
        self._calls.append(name)
        self._run(order, frame)
        self._calls.pop()
        if not frame.returned:
            raise IrError(function.line or line, f"a function that never returns: {name.lstrip('@')}; let it end")
        end = self._merge(frame.returned)
        return end.values.get("return"), State(end.guard, caller_values, end.cells)

    def _run(self, order: Sequence[str | Loop], frame: _Frame) -> None:
        for item in order:
            if isinstance(item, str):
                self._visit(item, frame)
                continue
            self._loops.append((item, 0))
            n_iterations = 0
            while any(frame.pending.get(block) for block in item.blocks):
                self._visit(item.head, frame)
                self._run(item.body, frame)
                n_iterations += 1
                if n_iterations > MOST_ENCRYPTED_ITERATIONS and (line := self._loops[-1][1]):
                    raise IrError(line, _ENCRYPTED_LOOP)
            self._loops.pop()

    def _visit(self, block: str, frame: _Frame) -> None:
        states = frame.pending.pop(block, None)
        if not states:
            return
        state = self._merge(states)
        for instruction in frame.function.blocks[block]:
            self.n_steps += 1
            self.line = instruction.line or self.line
            if self.n_steps > MOST_STEPS:
                self._refuse_length(frame, instruction.line)
            if instruction.opcode == "phi":
                continue  # was set where the way came in
            if instruction.opcode in ("br", "switch", "ret", "unreachable"):
                self._leave(block, instruction, state, frame)
            else:
                state = self._step(instruction, state, frame)
        if self._progress is not None:
            self._progress(self.n_steps)

    def _refuse_length(self, frame: _Frame, line: int) -> None:
        for _, exit_line in reversed(self._loops):
            if exit_line:
                raise IrError(exit_line, _ENCRYPTED_LOOP)
        if self._loops:
            inside = self._loops[-1][0].blocks & frame.function.blocks.keys()
            lines = [step.line for block in inside for step in frame.function.blocks[block] if step.line]
            line = min(lines, default=line)
        raise IrError(
            line, f"a program of more than {MOST_STEPS} instructions once its loops are unrolled; let it do less"
        )

    def _leave(self, block: str, instruction: Instruction, state: State, frame: _Frame) -> None:
        match instruction.opcode:
            case "ret":
                values: dict[str, Value] = {}
                if instruction.operands:
                    values["return"] = self._value(instruction.operands[0], state, instruction)
                frame.returned.append(State(state.guard, values, state.cells))
            case "br":
                assert isinstance(instruction.extra, list)
                if len(instruction.extra) == 1:
                    self._go(block, instruction.extra[0], state, frame)
                else:
                    condition = self._condition(instruction.operands[0], state, instruction)
                    self._fork(
                        block, instruction, state, frame, [(condition, instruction.extra[0])], instruction.extra[1]
                    )
            case "switch":
                assert isinstance(instruction.extra, tuple)
                default, cases = instruction.extra
                value = self._word(instruction.operands[0], state, instruction)
                ways = [(self._equal(value, case, instruction.kind), target) for case, target in cases]
                self._fork(block, instruction, state, frame, ways, default)

    def _equal(self, value: Word, case: int, kind: Type) -> Word:
        assert isinstance(kind, int)
        return self.words.equal(self.words.wrap(value, kind, False), self.words.constant(case & ((1 << kind) - 1)))

    def _fork(
        self,
        block: str,
        instruction: Instruction,
        state: State,
        frame: _Frame,
        ways: list[tuple[Word, str]],
        default: str,
    ) -> None:
        """Go all the ways whose condition may be 1; the default where none is."""
        guard, values = state.guard, state.values
        for condition, target in ways:
            known = known_value(condition, guard)
            if known == 1:
                return self._go(block, target, State(guard, values, state.cells), frame)
            if known == 0:
                continue
            if self._loops and target != default:
                loop, _ = self._loops[-1]
                if target not in loop.blocks or default not in loop.blocks:
                    self._loops[-1] = (loop, instruction.line or 1)
            here = guard | {condition}
            self._go(block, target, State(here, self._narrowed(values, condition, here), dict(state.cells)), frame)
            guard = guard | {self.words.invert(condition)}
            values = self._narrowed(values, condition, guard)
        return self._go(block, default, State(guard, values, state.cells), frame)

    def _narrowed(self, values: dict[str, Value], condition: Word, guard: frozenset[Word]) -> dict[str, Value]:
        """Values of a way with what its conditions say of the word that `condition` compares."""
        found = narrowed_word(condition, guard)
        # A single value would no longer be seen to be the word that it is elsewhere, and would be chosen bit by bit.
        if found is None or found[1] >= found[2]:
            return values
        narrowed = self.words.bounded(*found)
        return {
            name: narrowed if isinstance(value, Word) and unbounded(value) is found[0] else value
            for name, value in values.items()
        }

    def _go(self, block: str, target: str, state: State, frame: _Frame) -> None:
        """Take a way: phis of the target get their values, others are kept as far as they are needed."""
        values = {name: state.values[name] for name in frame.live[target] if name in state.values}
        for instruction in frame.function.blocks[target]:
            if instruction.opcode != "phi":
                break
            assert isinstance(instruction.extra, dict) and instruction.result is not None
            values[instruction.result] = self._value(instruction.extra[block], state, instruction)
        frame.pending.setdefault(target, []).append(State(state.guard, values, state.cells))

    # --- where ways meet ---------------------------------------------------------------------------------------------

    def _merge(self, states: list[State]) -> State:
        states = list(states)
        while len(states) > 1:
            # Ways that parted last meet first: their conditions cancel.
            pairs = (
                [(a, b) for b in range(len(states)) for a in range(b)]
                if len(states) <= 8
                else [(a, a + 1) for a in range(len(states) - 1)]
            )
            a, b = max(pairs, key=lambda pair: len(states[pair[0]].guard & states[pair[1]].guard))
            states[a] = self._merge_two(states[a], states[b])
            del states[b]
        return states[0]

    def _merge_two(self, a: State, b: State) -> State:
        words = self.words
        common = a.guard & b.guard
        rest_a, rest_b = a.guard - common, b.guard - common
        decisive = [literal for literal in sorted(rest_a, key=_number) if words.invert(literal) in rest_b]
        if decisive:
            condition = decisive[0]
        elif len(rest_a) <= len(rest_b):
            condition = self._all(rest_a)
        else:
            condition = words.invert(self._all(rest_b))
        met = words.choose(condition, self._all(rest_a), self._all(rest_b))
        guard = common if met.is_constant else common | {met}
        values = {
            name: self._choose(condition, value, b.values[name]) for name, value in a.values.items() if name in b.values
        }
        cells = a.cells
        if cells is not b.cells:
            cells = dict(cells)
            for key in [*cells, *(key for key in b.cells if key not in cells)]:
                array, index = key
                yes, no = self._memory.cell(a.cells, array, index), self._memory.cell(b.cells, array, index)
                if yes is not no:
                    cells[key] = words.choose(condition, yes, no)
                else:
                    cells[key] = yes
        return State(guard, values, cells)

    def _all(self, conditions: frozenset[Word]) -> Word:
        result = self.words.one
        for condition in sorted(conditions, key=_number):
            result = self.words.bitwise("and", result, condition)
        return result

    def _choose(self, condition: Word, yes: Value, no: Value) -> Value:
        if yes is no:
            return yes
        if isinstance(yes, Word) and isinstance(no, Word):
            return self.words.choose(condition, yes, no)
        if isinstance(yes, tuple) and isinstance(no, tuple):
            return tuple(self._choose(condition, *pair) for pair in zip(yes, no, strict=True))
        if condition.is_constant:
            return yes if condition.low else no
        if isinstance(yes, Address) and isinstance(no, Address) and yes.array is no.array:
            return Address(yes.array, self.words.choose(condition, yes.offset, no.offset))
        if isinstance(yes, Address | EitherAddress) and isinstance(no, Address | EitherAddress):
            return EitherAddress(condition, yes, no)
        return yes if isinstance(no, Word) else no  # one of them is undefined

    # --- instructions ------------------------------------------------------------------------------------------------

    def _step(self, instruction: Instruction, state: State, frame: _Frame) -> State:
        opcode, operands = instruction.opcode, instruction.operands
        result: Value | None = None
        match opcode:
            case "call":
                name = str(instruction.extra)
                arguments = [self._value(operand, state, instruction) for operand in operands]
                if name.startswith("@llvm."):
                    result = self._intrinsic(name, arguments, state, instruction)
                else:
                    result, state = self._call(name, arguments, state, instruction.line)
            case "alloca":
                result = self._variable(instruction, frame)
            case "load":
                result = self._load(instruction, state)
            case "store":
                self._store(instruction, state)
            case "getelementptr":
                result = self._address_of(instruction, state)
            case "freeze":
                result = self._value(operands[0], state, instruction)
            case "select":
                condition = self._condition(operands[0], state, instruction)
                yes, no = (self._value(operand, state, instruction) for operand in operands[1:])
                result = self._choose(condition, yes, no)
            case "extractvalue":
                aggregate = self._value(operands[0], state, instruction)
                assert isinstance(aggregate, tuple) and isinstance(instruction.extra, int)
                result = aggregate[instruction.extra]
            case _:
                result = self._arithmetic(instruction, state)
        if instruction.result is not None:
            assert result is not None
            state.values[instruction.result] = result
        return state

    def _arithmetic(self, instruction: Instruction, state: State) -> Word:
        opcode, kind, extra = instruction.opcode, instruction.kind, instruction.extra
        values = [self._value(operand, state, instruction) for operand in instruction.operands]
        if opcode == "icmp" and kind == "ptr":
            kind, values = 64, self._same_array(values, instruction)
        words = [value for value in values if isinstance(value, Word)]
        if not isinstance(kind, int) or len(words) < len(values):
            raise IrError(instruction.line, "an address used as a number; index arrays")
        if opcode == "icmp":
            a, b = (refined(self.words, word, state.guard) for word in words)
            return compare(self.words, str(extra), a, b, kind)
        if isinstance(extra, int):  # zext, sext, trunc
            return cast(self.words, opcode, words[0], extra, kind)
        assert isinstance(extra, set)
        return binary(self.words, opcode, words[0], words[1], kind, extra)

    def _same_array(self, values: list[Value], instruction: Instruction) -> list[Value]:
        a, b = values
        if isinstance(a, Address) and isinstance(b, Address) and a.array is b.array:
            return [a.offset, b.offset]
        raise IrError(instruction.line, "a comparison of addresses of different arrays; compare indices")

    def _intrinsic(self, name: str, arguments: list[Value], state: State, instruction: Instruction) -> Value | None:
        if name.startswith(("@llvm.memset", "@llvm.memcpy", "@llvm.memmove")):
            self._move(name, arguments, state, instruction)
            return None
        if name == "@llvm.nothing":
            return None
        if not all(isinstance(argument, Word) for argument in arguments):
            raise IrError(instruction.line, f"a call of {name[1:]} on addresses; use loops over arrays")
        found = intrinsics.compute(self.words, name, arguments)
        if found is None:
            raise IrError(instruction.line, f"a call of {name[1:]}; docs/programs.md says what is read")
        return found

    # --- memory ------------------------------------------------------------------------------------------------------

    def _variable(self, instruction: Instruction, frame: _Frame) -> Address:
        cell_bytes = cell_bytes_of(instruction.kind)
        n_cells = _n_cells(instruction.kind, "a local array", instruction.line)
        array = Array("a local array", cell_bytes, [self.words.zero] * n_cells)
        return Address(array, self.words.zero)

    def _global(self, name: str, line: int) -> Array:
        if name not in self._globals:
            if name not in self.module.variables:
                raise IrError(line, f"{name.lstrip('@')}, which this file does not define; define it here")
            kind, initial = self.module.variables[name]
            cell_bytes = cell_bytes_of(kind)
            _n_cells(kind, name.lstrip("@"), line)
            image = bytearray()
            _put(image, kind, initial, line)
            cells = [
                self.words.constant(int.from_bytes(image[at : at + cell_bytes], "little"))
                for at in range(0, len(image), cell_bytes)
            ]
            self._globals[name] = Array(name.lstrip("@"), cell_bytes, cells)
        return self._globals[name]

    def _address_of(self, instruction: Instruction, state: State) -> AnyAddress:
        base = self._address(instruction.operands[0], state, instruction)
        fixed, scaled = address_parts(instruction.kind, instruction.operands[1:])
        offset = self.words.constant(fixed)
        for size, index in scaled:
            word = self._word(index, state, instruction)
            # An index beyond the array is undefined: its reading as signed or unsigned is free, wide ones are signed.
            offset = self.words.join(offset, self.words.scale(self.words.fit(word, 64, True), size))
        return self._moved(base, offset)

    def _moved(self, base: AnyAddress, offset: Word) -> AnyAddress:
        if isinstance(base, EitherAddress):
            return EitherAddress(base.condition, self._moved(base.yes, offset), self._moved(base.no, offset))
        return Address(base.array, self.words.join(base.offset, offset))

    def _load(self, instruction: Instruction, state: State) -> Value:
        address = self._address(instruction.operands[0], state, instruction)
        if not isinstance(instruction.kind, int):
            raise IrError(instruction.line, "an array of addresses; index arrays")
        return self._memory.load(state.cells, address, instruction.kind, instruction.line, not state.guard)

    def _store(self, instruction: Instruction, state: State) -> None:
        value = self._value(instruction.operands[0], state, instruction)
        address = self._address(instruction.operands[1], state, instruction)
        if not isinstance(value, Word) or not isinstance(instruction.kind, int):
            raise IrError(instruction.line, "an array of addresses; index arrays")
        if instruction.kind % 8:
            value = self.words.wrap(value, instruction.kind, False)
        bits = 8 * bytes_of(instruction.kind)
        self._memory.store(state.cells, address, value, bits, instruction.line, not state.guard)

    def _move(self, name: str, arguments: list[Value], state: State, instruction: Instruction) -> None:
        """memset, memcpy, memmove of a constant number of bytes."""
        target, source, size = arguments[:3]
        line, certain = instruction.line, not state.guard
        if not isinstance(size, Word) or not size.is_constant:
            raise IrError(line, "a copy of an encrypted number of elements; use a loop with a constant bound")
        assert isinstance(target, Address | EitherAddress)
        step = _step_of(target, size.low)
        if isinstance(source, Word):
            byte = self.words.wrap(source, 8, False)
            filled = self.words.sum(0, ((1 << 8 * at, byte) for at in range(step)))
            values = [filled] * (size.low // step)
        else:
            assert isinstance(source, Address | EitherAddress)
            places = range(0, size.low, step)
            values = [
                self._memory.load(state.cells, self._moved(source, self.words.constant(at)), 8 * step, line, certain)
                for at in places
            ]
        for number, value in enumerate(values):
            place = self._moved(target, self.words.constant(number * step))
            self._memory.store(state.cells, place, value, 8 * step, line, certain)

    # --- operands ----------------------------------------------------------------------------------------------------

    def _value(self, operand: Operand, state: State, instruction: Instruction) -> Value:
        match operand:
            case None:
                return self.words.zero
            case int():
                return self.words.constant(operand)
            case Local():
                return state.values[operand.name]
            case Global():
                return Address(self._global(operand.name, instruction.line), self.words.zero)
            case Element():
                return Address(self._global(operand.name, instruction.line), self.words.constant(operand.offset))
        return tuple(self._value(element, state, instruction) for element in operand)

    def _word(self, operand: Operand, state: State, instruction: Instruction) -> Word:
        value = self._value(operand, state, instruction)
        if not isinstance(value, Word):
            raise IrError(instruction.line, "an address used as a number; index arrays")
        return value

    def _condition(self, operand: Operand, state: State, instruction: Instruction) -> Word:
        return self.words.wrap(self._word(operand, state, instruction), 1, False)

    def _address(self, operand: Operand, state: State, instruction: Instruction) -> AnyAddress:
        value = self._value(operand, state, instruction)
        if isinstance(value, Address | EitherAddress):
            return value
        raise IrError(instruction.line, "an address that is no array's; index arrays")


def _number(word: Word) -> int:
    return word.number


def _step_of(address: AnyAddress, size: int) -> int:
    """Bytes to move at a time: a cell of the target where all of it is moved in cells."""
    while isinstance(address, EitherAddress):
        address = address.yes
    return address.array.cell_bytes if size % address.array.cell_bytes == 0 else 1


def _n_cells(kind: Type, name: str, line: int) -> int:
    """Elements of a variable, of which there may be MOST_ELEMENTS."""
    n_cells = bytes_of(kind) // cell_bytes_of(kind)
    if n_cells > MOST_ELEMENTS:
        raise IrError(line, f"{name} of {n_cells} elements; take {MOST_ELEMENTS} at most")
    return n_cells


def _put(image: bytearray, kind: Type, value: Operand | bytes, line: int) -> None:
    """Append the bytes of a global's initial value."""
    size = bytes_of(kind)
    if isinstance(value, bytes):
        image += value
    elif value is None:
        image += bytes(size)
    elif isinstance(value, int):
        image += (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    elif isinstance(value, tuple) and isinstance(kind, tuple):
        inner = [kind[2]] * kind[1] if kind[0] == "array" else kind[1]
        start = len(image)
        for element, item in zip(inner, value, strict=True):
            align = min(bytes_of(element) if isinstance(element, int) else 1, 16)
            image += bytes(-(len(image) - start) % align)
            _put(image, element, item, line)
        image += bytes(size - (len(image) - start))
    else:
        raise IrError(line, "an array of addresses; index arrays")
