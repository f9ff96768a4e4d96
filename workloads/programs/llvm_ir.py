"""LLVM IR as clang prints it, read into plain structures: only what integer programs become.

llvmlite parses IR too, but tells neither flags, predicates and types of addresses nor constants and debug lines, and
its LLVM must not be older than clang's; this reader needs the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field


class IrError(Exception):
    """IR that is outside the subset; `line` is the program's, 0 where it is not known."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line, self.message = line, message


# Types: an int is an integer of so many bits; ("array", n, element); ("struct", elements); "ptr"; "void".
Type = int | tuple | str


def bytes_of(kind: Type) -> int:
    """Size in memory."""
    return _layout(kind)[0]


def _layout(kind: Type) -> tuple[int, int]:  # bytes and alignment
    if isinstance(kind, int):
        n_bytes = (kind + 7) // 8
        size = 1 << (n_bytes - 1).bit_length() if n_bytes <= 16 else (n_bytes + 15) // 16 * 16
        return size, min(size, 16)
    if isinstance(kind, str):  # an address
        return 8, 8
    if kind[0] == "array":
        size, align = _layout(kind[2])
        return kind[1] * size, align
    end, align = 0, 1
    for element in kind[1]:
        size, wanted = _layout(element)
        end = (end + wanted - 1) // wanted * wanted
        end, align = end + size, max(align, wanted)
    return (end + align - 1) // align * align, align


def field_offset(kind: tuple, index: int) -> int:
    """Byte at which field `index` of a struct begins."""
    end = 0
    for element in kind[1][: index + 1]:
        size, align = _layout(element)
        start = (end + align - 1) // align * align
        end = start + size
    return start


@dataclass(frozen=True, slots=True)
class Local:
    """A value of an instruction or an argument."""

    name: str


@dataclass(frozen=True, slots=True)
class Global:
    """The address of a global array, or a function."""

    name: str


@dataclass(frozen=True, slots=True)
class Element:
    """The address of a place in a global array."""

    name: str
    offset: int


# Operands: an int, None (undefined: read as 0), a tuple of operands (an aggregate), or one of the three above.
Operand = int | None | tuple | Local | Global | Element


@dataclass(slots=True)
class Instruction:
    """opcode, its result's name, its type and operands; `extra` is what else the opcode has (see _Reader)."""

    opcode: str
    result: str | None
    kind: Type
    operands: list[Operand]
    extra: object
    line: int


@dataclass(slots=True)
class Function:
    name: str
    parameters: list[tuple[str, Type]]
    result: Type
    blocks: dict[str, list[Instruction]]
    line: int


@dataclass(slots=True)
class Module:
    functions: dict[str, Function] = field(default_factory=dict)
    variables: dict[str, tuple[Type, Operand | bytes]] = field(default_factory=dict)  # type and initial value


_TOKEN = re.compile(
    r"""\s*(?:(?P<string>c"(?:[^"\\]|\\.)*")|(?P<name>[%@](?:"[^"]*"|[\w.$-]+))|(?P<number>-?\d+)(?![\w.])"""
    r"""|(?P<word>[A-Za-z_][\w.]*)|(?P<meta>![\w.]*|\#\d+)|(?P<sign>\.\.\.|[\[\](){}<>,=*:|-]|"[^"]*")|(?P<other>\S))"""
)


class _Tokens:
    def __init__(self, text: str, line: int) -> None:
        self.items = [match[0].strip() for match in _TOKEN.finditer(text)]
        self.at, self.line = 0, line

    def peek(self) -> str:
        return self.items[self.at] if self.at < len(self.items) else ""

    def next(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def accept(self, *tokens: str) -> bool:
        if self.peek() in tokens:
            self.at += 1
            return True
        return False

    def expect(self, token: str) -> None:
        if self.next() != token:
            self.fail(f"an instruction that is not read ({' '.join(self.items[:6])})")

    def fail(self, message: str) -> None:
        raise IrError(self.line, message)


_FLAGS = {
    "nuw",
    "nsw",
    "exact",
    "disjoint",
    "nneg",
    "samesign",
    "inbounds",
    "tail",
    "musttail",
    "notail",
    "fastcc",
    "ccc",
}
_ATTRIBUTES = {"noundef", "signext", "zeroext", "nonnull", "readonly", "writeonly", "readnone", "nocapture", "returned",
               "noalias", "immarg", "nofree", "inreg", "dead_on_unwind", "writable", "dead_on_return"}  # fmt: skip
_BINARY = {"add", "sub", "mul", "udiv", "sdiv", "urem", "srem", "shl", "lshr", "ashr", "and", "or", "xor"}
_CASTS = {"zext", "sext", "trunc"}
_FLOATS = {"float", "double", "half", "bfloat", "x86_fp80", "fp128"}


class _Reader:
    def __init__(self, text: str) -> None:
        self.lines_of = _debug_lines(text)
        self.types: dict[str, str] = {}
        self.module = Module()
        self._read(text.splitlines())

    def _read(self, lines: list[str]) -> None:
        for line in lines:
            if match := re.match(r"(%[\w.\"$-]+) = type (.*)", line):
                self.types[match[1]] = match[2]
        for line in lines:
            if match := re.match(r"(@\S+) = .*?\b(?:global|constant) (.*)", line):
                tokens = _Tokens(match[2], 0)
                kind = self.type(tokens)
                self.module.variables[match[1]] = (kind, self.constant(tokens, kind))
        source = iter(lines)
        for line in source:
            if line.startswith("define "):
                self._function(line, source)

    def _line(self, text: str) -> int:
        match = re.search(r"!dbg !(\d+)", text)
        return self.lines_of.get(int(match[1]), 0) if match else 0

    # --- types and values --------------------------------------------------------------------------------------------

    def type(self, tokens: _Tokens) -> Type:
        token = tokens.next()
        if match := re.fullmatch(r"i(\d+)", token):
            return int(match[1])
        if token in ("ptr", "void"):
            return token
        if token == "[":
            count = int(tokens.next())
            tokens.expect("x")
            element = self.type(tokens)
            tokens.expect("]")
            return ("array", count, element)
        if token == "{":
            elements = []
            while not tokens.accept("}"):
                elements.append(self.type(tokens))
                tokens.accept(",")
            return ("struct", tuple(elements))
        if token in self.types:
            return self.type(_Tokens(self.types[token], tokens.line))
        if token in _FLOATS:
            tokens.fail("a floating-point value; use integers (fixed point)")
        if token == "<":
            tokens.fail("a vector; write it as a loop over an array")
        tokens.fail(f"a value of type {token}; use integers and arrays of them")
        raise AssertionError

    def attributes(self, tokens: _Tokens) -> None:
        """Skip what is said of a parameter or a result."""
        while True:
            token = tokens.peek()
            if token in _ATTRIBUTES or token in _FLAGS:
                tokens.next()
            elif token == "align":
                tokens.at += 2
            elif token in ("range", "captures", "dereferenceable", "dereferenceable_or_null", "memory", "initializes"):
                tokens.next()
                depth = 0
                while True:
                    inner = tokens.next()
                    depth += (inner == "(") - (inner == ")")
                    if depth == 0:
                        break
            else:
                return

    def constant(self, tokens: _Tokens, kind: Type) -> Operand | bytes:
        token = tokens.next()
        if token.startswith("%"):
            return Local(token)
        if token.startswith("@"):
            return Global(token)
        if re.fullmatch(r"-?\d+", token):
            return int(token)
        if token in ("true", "false"):
            return int(token == "true")
        if token in ("undef", "poison", "zeroinitializer", "null", "none"):
            return None
        if token.startswith('c"'):
            return re.sub(
                rb"\\([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), token[2:-1].encode("latin-1")
            )
        if token in ("[", "{"):
            elements = []
            while not tokens.accept("]", "}"):
                elements.append(self.constant(tokens, self.type(tokens)))
                tokens.accept(",")
            return tuple(elements)
        if token == "getelementptr":
            return self._constant_address(tokens)
        tokens.fail(f"a constant that is not read ({token}); use integers and arrays of them")
        raise AssertionError

    def _constant_address(self, tokens: _Tokens) -> Element:
        while tokens.peek() in _FLAGS:
            tokens.next()
        tokens.expect("(")
        kind = self.type(tokens)
        tokens.expect(",")
        tokens.expect("ptr")
        base = self.constant(tokens, "ptr")
        indices = []
        while tokens.accept(","):
            self.type(tokens)
            indices.append(self.constant(tokens, 64))
        tokens.expect(")")
        fixed, scaled = address_parts(kind, indices)
        if scaled or not isinstance(base, Global | Element):
            tokens.fail("an address that is not read; index arrays")
        assert isinstance(base, Global | Element)
        return Element(base.name, fixed + (base.offset if isinstance(base, Element) else 0))

    def value(self, tokens: _Tokens) -> tuple[Type, Operand]:
        kind = self.type(tokens)
        self.attributes(tokens)
        value = self.constant(tokens, kind)
        assert not isinstance(value, bytes)
        return kind, value

    # --- functions ---------------------------------------------------------------------------------------------------

    def _function(self, header: str, source: Iterator[str]) -> None:
        line = self._line(header)
        match = re.match(r"define (.*?)(@[\w.$]+|@\"[^\"]*\")\((.*)\)[^()]*\{$", _without_memory(header))
        if match is None:
            raise IrError(line, "a function that is not read")
        head = _Tokens(match[1], line)
        while head.peek() in ("dso_local", "internal", "private", "local_unnamed_addr", "hidden", "linkonce_odr"):
            head.next()
        self.attributes(head)
        result = self.type(head)
        tokens = _Tokens(match[3], line)
        parameters: list[tuple[str, Type]] = []
        while tokens.peek():
            if tokens.accept("..."):
                tokens.fail("a variable number of arguments; name each")
            kind = self.type(tokens)
            self.attributes(tokens)
            parameters.append((tokens.next(), kind))
            tokens.accept(",")
        blocks: dict[str, list[Instruction]] = {}
        label = f"%{len(parameters)}"
        blocks[label] = []
        for text in source:
            if text == "}":
                break
            stripped = text.split(";")[0].rstrip() if text[:1] not in " \t" else text.strip()
            if not stripped or stripped.startswith("#dbg"):
                continue
            if block := re.fullmatch(r"(\"[^\"]*\"|[\w.$-]+):", stripped):
                label = f"%{block[1]}"
                blocks.setdefault(label, [])
                continue
            while stripped.endswith("["):  # a switch goes on over lines
                for more in source:
                    stripped += " " + more.strip()
                    if more.strip().startswith("]"):
                        break
            blocks[label].append(self._instruction(stripped))
        if not next(iter(blocks.values())):  # the first block has a label of its own
            del blocks[next(iter(blocks))]
        self.module.functions[match[2]] = Function(match[2], parameters, result, blocks, line)

    def _instruction(self, text: str) -> Instruction:
        line = self._line(text)
        tokens = _Tokens(re.split(r", ![\w.]+ !|, !prof|, #\d+|, !range", text)[0], line)
        result = None
        if tokens.peek().startswith("%"):
            result = tokens.next()
            tokens.expect("=")
        opcode = tokens.next()
        while opcode in ("tail", "musttail", "notail"):
            opcode = tokens.next()
        flags = set()
        while tokens.peek() in _FLAGS:
            flags.add(tokens.next())
        kind, operands, extra = self._parts(opcode, tokens)
        if opcode == "icmp" and "samesign" in flags:  # then both readings agree, and the one with signs cuts nothing
            extra = str(extra).replace("u", "s", 1)
        return Instruction(opcode, result, kind, operands, extra if extra is not None else flags, line)

    def _parts(self, opcode: str, tokens: _Tokens) -> tuple[Type, list[Operand], object]:
        if opcode in _BINARY:
            kind = self.type(tokens)
            first = self._operand(tokens, kind)
            tokens.expect(",")
            return kind, [first, self._operand(tokens, kind)], None
        if opcode in _CASTS:
            from_kind, value = self.value(tokens)
            tokens.expect("to")
            return self.type(tokens), [value], from_kind
        if opcode == "freeze":
            kind, value = self.value(tokens)
            return kind, [value], None
        if opcode == "icmp":
            predicate = tokens.next()
            kind = self.type(tokens)
            first = self._operand(tokens, kind)
            tokens.expect(",")
            return kind, [first, self._operand(tokens, kind)], predicate
        if opcode == "select":
            _, condition = self.value(tokens)
            tokens.expect(",")
            kind, yes = self.value(tokens)
            tokens.expect(",")
            return kind, [condition, yes, self.value(tokens)[1]], None
        if opcode in ("load", "store", "alloca", "getelementptr"):
            return self._memory(opcode, tokens)
        if opcode in ("extractvalue", "insertvalue"):
            kind, aggregate = self.value(tokens)
            operands = [aggregate]
            tokens.expect(",")
            if opcode == "insertvalue":
                operands.append(self.value(tokens)[1])
                tokens.expect(",")
            return kind, operands, int(tokens.next())
        return self._control(opcode, tokens)

    def _operand(self, tokens: _Tokens, kind: Type) -> Operand:
        value = self.constant(tokens, kind)
        assert not isinstance(value, bytes)
        return value

    def _memory(self, opcode: str, tokens: _Tokens) -> tuple[Type, list[Operand], object]:
        if tokens.accept("volatile", "atomic"):
            tokens.fail("volatile or atomic memory; use plain arrays")
        if opcode == "alloca":
            kind = self.type(tokens)
            if tokens.accept(",") and tokens.peek() != "align":
                _, count = self.value(tokens)
                if not isinstance(count, int):
                    tokens.fail("an array whose length is not constant; give it a constant bound")
                return ("array", count, kind), [], None
            return kind, [], None
        if opcode == "load":
            kind = self.type(tokens)
            tokens.expect(",")
            return kind, [self.value(tokens)[1]], None
        if opcode == "store":
            kind, value = self.value(tokens)
            tokens.expect(",")
            return kind, [value, self.value(tokens)[1]], None
        kind = self.type(tokens)
        operands = []
        while tokens.accept(","):
            operands.append(self.value(tokens)[1])
        return kind, operands, None

    def _control(self, opcode: str, tokens: _Tokens) -> tuple[Type, list[Operand], object]:
        if opcode == "phi":
            kind = self.type(tokens)
            incoming = {}
            while tokens.accept("["):
                value = self._operand(tokens, kind)
                tokens.expect(",")
                incoming[tokens.next()] = value
                tokens.expect("]")
                tokens.accept(",")
            return kind, [], incoming
        if opcode == "br":
            if tokens.accept("label"):
                return "void", [], [tokens.next()]
            _, condition = self.value(tokens)
            targets = []
            while tokens.accept(","):
                tokens.expect("label")
                targets.append(tokens.next())
            return "void", [condition], targets
        if opcode == "switch":
            kind, value = self.value(tokens)
            tokens.expect(",")
            tokens.expect("label")
            default, cases = tokens.next(), []
            tokens.expect("[")
            while not tokens.accept("]"):
                _, case = self.value(tokens)
                tokens.expect(",")
                tokens.expect("label")
                cases.append((case, tokens.next()))
            return kind, [value], (default, cases)
        if opcode == "ret":
            if tokens.accept("void"):
                return "void", [], None
            kind, value = self.value(tokens)
            return kind, [value], None
        if opcode == "unreachable":
            return "void", [], None
        if opcode == "call":
            return self._call(tokens)
        tokens.fail(_OUTSIDE.get(opcode, f"an instruction {opcode}; docs/programs.md says what is read"))
        raise AssertionError

    def _call(self, tokens: _Tokens) -> tuple[Type, list[Operand], object]:
        self.attributes(tokens)
        kind = self.type(tokens)
        if tokens.peek() == "(":
            tokens.fail("a call with a variable number of arguments; name each")
        name = tokens.next()
        if not name.startswith("@"):
            tokens.fail("a call through a pointer or assembly; call a function by name")
        tokens.expect("(")
        operands = []
        if name.startswith(("@llvm.dbg.", "@llvm.experimental.noalias", "@llvm.lifetime", "@llvm.assume")):
            return "void", [], "@llvm.nothing"
        while not tokens.accept(")"):
            operands.append(self.value(tokens)[1])
            tokens.accept(",")
        return kind, operands, name


_OUTSIDE = dict.fromkeys(
    ("fadd", "fsub", "fmul", "fdiv", "frem", "fneg", "fcmp", "fptosi", "fptoui", "sitofp", "uitofp", "fpext"),
    "a floating-point value; use integers (fixed point)",
) | dict.fromkeys(("ptrtoint", "inttoptr", "bitcast"), "an address used as a number; index arrays") | dict.fromkeys(
    ("extractelement", "insertelement", "shufflevector"), "a vector; write it as a loop over an array"
)  # fmt: skip


def address_parts(kind: Type, indices: list) -> tuple[int, list[tuple[int, Operand]]]:
    """Bytes that the indices of a getelementptr add: a constant, and (bytes, index) for each that is none."""
    fixed, scaled = 0, []
    for position, index in enumerate(indices):
        if position == 0:
            size = bytes_of(kind)
        elif isinstance(kind, tuple) and kind[0] == "struct":
            fixed, kind = fixed + field_offset(kind, index or 0), kind[1][index or 0]
            continue
        else:
            assert isinstance(kind, tuple)
            kind = kind[2]
            size = bytes_of(kind)
        if index is None or isinstance(index, int):
            fixed += size * (index or 0)
        else:
            scaled.append((size, index))
    return fixed, scaled


def _without_memory(header: str) -> str:
    """A function's header without what follows its parameters."""
    depth = 0
    start = header.index("(", header.index("@"))
    for at in range(start, len(header)):
        depth += (header[at] == "(") - (header[at] == ")")
        if depth == 0:
            return header[: at + 1] + " {"
    return header


def _debug_lines(text: str) -> dict[int, int]:
    """Number of a debug location, or of a function's record, -> line of the program."""
    found = re.finditer(r"^!(\d+) = (?:distinct )?!DI(?:Location|Subprogram)\(.*?\bline: (\d+)", text, re.MULTILINE)
    return {int(match[1]): int(match[2]) for match in found}


def read_ir(text: str) -> Module:
    """The functions and global arrays of clang's output; IrError for what integer programs do not become."""
    return _Reader(text).module
