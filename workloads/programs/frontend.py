"""A C file as what is executed: its IR, the entry function, and the ports that the entry's parameters are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from designs.errors import InputError
from designs.spelling import nearest, shown
from workloads.circuits.circuit import Port
from workloads.programs.clang import ClangError, clang
from workloads.programs.subset import Preprocessed, check_subset

MOST_SOURCE_BYTES = 1 << 20
RETURN = "return"  # the port of the returned value
# Loops stay loops: they are unrolled by being executed, which no heuristic of clang's decides.
_OPTIMIZE = (
    "-O2",
    "-fno-vectorize",
    "-fno-slp-vectorize",
    "-fno-unroll-loops",
    "-mllvm",
    "-replexitval=never",  # a closed form of a loop's result takes products and divisions
    "-mllvm",
    "-disable-lftr",  # the condition that ends a loop stays what the user wrote
    "-gline-tables-only",
    "-S",
    "-emit-llvm",
)
_TYPES = {
    "_Bool": (1, False),
    "char": (8, True),
    "signed char": (8, True),
    "unsigned char": (8, False),
    "short": (16, True),
    "unsigned short": (16, False),
    "int": (32, True),
    "unsigned int": (32, False),
    "long": (64, True),
    "unsigned long": (64, False),
    "long long": (64, True),
    "unsigned long long": (64, False),
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of the entry function."""

    port: Port
    is_array: bool
    is_constant: bool


@dataclass(frozen=True)
class Source:
    """A program that clang has read and that is in the subset."""

    path: str
    text: str
    entry: str
    parameters: tuple[Parameter, ...]
    result: Port | None
    ir: str


def read_source(path: str | Path) -> str:
    """The text of a C file; InputError where there is none."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: wanted a C file, got: {error.strerror}; name another") from error
    if len(data) > MOST_SOURCE_BYTES:
        raise InputError(f"{path}: wanted at most {MOST_SOURCE_BYTES} bytes of C, got {len(data)}; name another")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(f"{path}: wanted C text, got bytes that are no text; is it the right file?")
    return text


def parse(path: str | Path, text: str, entry: str | None) -> Source:
    """Read a program; InputError, one line with file and line, for what clang or the subset refuses."""
    where = str(path)
    try:
        preprocessed = Preprocessed(where, clang(("-E",), text))
        tree = _tree(preprocessed.text)
        functions = check_subset(tree, preprocessed)
        function = _entry(functions, preprocessed, entry)
        parameters, result = _ports(function, preprocessed)
        ir = clang(_OPTIMIZE, preprocessed.text)
    except RecursionError:
        raise InputError(
            f"{where}: wanted expressions and blocks less deep, got too many in one another; split them"
        ) from None
    except ClangError as error:
        place = f"{where}:{error.line}" if error.line else where
        if match := re.match(r"'([^']*)' file not found", error.message):
            raise InputError(
                f"{place}: wanted no #include but <stdint.h>, <stdbool.h> and <limits.h>, "
                f"got {shown(match[1])}; remove it"
            ) from error
        raise InputError(f"{place}: wanted C that compiles, got: {error.message}; mend it") from error
    return Source(where, text, function["name"], parameters, result, ir)


def _tree(text: str) -> Mapping[str, Any]:
    return json.loads(clang(("-fsyntax-only", "-Xclang", "-ast-dump=json"), text))


def _entry(functions: list[Mapping[str, Any]], source: Preprocessed, entry: str | None) -> Mapping[str, Any]:
    """The function that the user named, else the only one that is not static, else the one of the file's name."""
    public = {function["name"]: function for function in functions if function.get("storageClass") != "static"}
    names = ", ".join(public) or "none"
    if entry is not None:
        if entry in public:
            return public[entry]
        static = any(function["name"] == entry for function in functions)
        got = f"the static {entry}; drop static" if static else f"{shown(entry)}{nearest(entry, public)}"
        raise InputError(f"{source.path}: wanted as entry a function that is not static ({names}), got {got}")
    stem = Path(source.path).stem
    if len(public) == 1 or stem in public:
        return public.get(stem) or next(iter(public.values()))
    raise InputError(
        f"{source.path}: wanted one function that is not static, got {names}; name the entry, or make others static"
    )


def _ports(function: Mapping[str, Any], source: Preprocessed) -> tuple[tuple[Parameter, ...], Port | None]:
    """The parameters as ports: a struct of the same declarations tells their types, with all bounds."""
    line = source.line_of(function)
    parameters = [node for node in function.get("inner", ()) if node["kind"] == "ParmVarDecl"]
    fields = []
    for node in parameters:
        at = source.line_of(node)
        if "name" not in node:
            raise InputError(f"{source.path}:{at}: wanted a name for each parameter, got one without; name it")
        fields.append(source.as_field(node))
    returns = function["type"]["qualType"].split("(")[0].strip()
    if returns != "void":
        fields.append(f"{returns} lockstep_{RETURN};")
    if not fields:
        raise InputError(
            f"{source.path}:{line}: wanted parameters and a result, got none; give {function['name']} some"
        )
    tree = _tree(f"{source.text}\nstruct lockstep_ports {{ {' '.join(fields)} }};\n")
    record = next(node for node in reversed(tree["inner"]) if node.get("name") == "lockstep_ports")
    kinds = [node["type"] for node in record["inner"] if node["kind"] == "FieldDecl"]
    names = {
        node["name"]: node["type"].get("desugaredQualType", node["type"]["qualType"])
        for node in tree["inner"]
        if node["kind"] == "TypedefDecl"
    }
    ports = [
        _parameter(node["name"], _resolved(kind, names), f"{source.path}:{source.line_of(node)}")
        for node, kind in zip(parameters, kinds, strict=False)
    ]
    result = (
        _parameter(RETURN, _resolved(kinds[-1], names), f"{source.path}:{line}").port if returns != "void" else None
    )
    return tuple(ports), result


def _resolved(kind: Mapping[str, str], names: Mapping[str, str]) -> str:
    """A type without names of typedefs: clang resolves them but within arrays."""
    text = kind.get("desugaredQualType", kind["qualType"])
    while True:
        base, _, bounds = text.partition("[")
        words = base.split()
        found = [word for word in words if word in names]
        if not found:
            return text
        inner, _, inner_bounds = names[found[0]].partition("[")
        words[words.index(found[0])] = inner.strip()
        text = " ".join(words) + "".join(f"[{part}" for part in (bounds, inner_bounds) if part)


def _parameter(name: str, text: str, where: str) -> Parameter:
    base, _, bounds = text.partition("[")
    shape = tuple(int(bound) for bound in re.findall(r"\[(\d+)\]", f"[{bounds}"))
    words = base.split()
    plain = " ".join(word for word in words if word != "const")
    if plain not in _TYPES:
        raise InputError(
            f"{where}: {name}: wanted an integer of 8 to 64 bits or _Bool, or an array of such, got {text}; "
            "use <stdint.h>"
        )
    if 0 in shape:
        raise InputError(f"{where}: {name}: wanted an array of at least one element, got {text}; give it a bound")
    bits, signed = _TYPES[plain]
    port = Port(name=name, bits=bits, signed=signed, shape=shape)
    return Parameter(port, bool(shape), "const" in words)
