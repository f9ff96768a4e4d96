"""What of C is read: a walk over clang's syntax tree that refuses the rest, with file and line."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from designs.errors import InputError
from designs.spelling import shown
from workloads.programs.clang import HEADERS_FOLDER

BUILTINS = re.compile(
    r"__builtin_(popcount|clz|ctz|parity|ffs|bswap(16|32|64)|bitreverse(8|16|32|64)|rotate(left|right)(8|16|32|64)"
    r"|abs|labs|llabs|expect|unreachable|assume|clzg|ctzg|popcountg|constant_p)(l|ll)?$"
)
_ATTRIBUTES = {"AlwaysInlineAttr", "NoInlineAttr", "UnusedAttr", "ConstAttr", "PureAttr", "LoopHintAttr",
               "FallThroughAttr", "BuiltinAttr", "NoThrowAttr", "GNUInlineAttr", "HotAttr", "ColdAttr"}  # fmt: skip
_MARKER = re.compile(r'# (\d+) "(.*?)"')
_POINTER = "an address (pointer); index arrays"
_REFUSED = {
    "GCCAsmStmt": "assembly; write it in C",
    "MSAsmStmt": "assembly; write it in C",
    "FileScopeAsmDecl": "assembly; write it in C",
    "PragmaCommentDecl": "a #pragma comment; remove it",
    "PragmaDetectMismatchDecl": "a #pragma detect_mismatch; remove it",
    "IndirectGotoStmt": "a computed goto; write a switch",
    "VAArgExpr": "a variable number of arguments; name each",
    "FloatingLiteral": "a floating-point value; use integers (fixed point)",
    "ImaginaryLiteral": "a floating-point value; use integers (fixed point)",
    "RecordDecl": "a struct or union; use integers and arrays",
    "CXXRecordDecl": "a struct or union; use integers and arrays",
}


class Preprocessed:
    """A preprocessed text, and where its places are in the user's file."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text
        self._data = text.encode()
        # Places are bytes; each stretch begins at a byte, with a line of the user's file (0: of another).
        self._starts: list[int] = [0]
        self._lines: list[int] = [0]
        at, line, own = 0, 0, False
        for raw in self._data.split(b"\n"):
            if match := _MARKER.match(raw.decode(errors="replace")):
                if not match[2].startswith("<") and Path(match[2]).parent != HEADERS_FOLDER:
                    raise InputError(f"{path}: wanted a program without #line, got one of {shown(match[2])}; remove it")
                line, own = int(match[1]) - 1, match[2] == "<stdin>"
            elif own:
                self._starts.append(at)
                self._lines.append(line)
            else:
                self._starts.append(at)
                self._lines.append(0)
            at, line = at + len(raw) + 1, line + 1

    def line_at(self, offset: int) -> int:
        """The line of the user's file, 0 for what is in no such line."""
        return self._lines[bisect.bisect_right(self._starts, offset) - 1]

    def line_of(self, node: Mapping[str, Any]) -> int:
        offset = _offset(node)
        return 0 if offset is None else self.line_at(offset)

    def text_of(self, node: Mapping[str, Any]) -> str:
        """What the user wrote for a node."""
        begin, end = node["range"]["begin"], node["range"]["end"]
        text = self._data[begin["offset"] : end["offset"] + end["tokLen"]].decode()
        return "\n".join(line for line in text.split("\n") if not line.startswith("# "))

    def as_field(self, node: Mapping[str, Any]) -> str:
        """The declaration of a parameter as that of a struct's member."""
        text, line = self.text_of(node), self.line_of(node)
        if re.search(r"\[\s*(static|const|restrict|\s)*\]", text):
            raise InputError(
                f"{self.path}:{line}: wanted a constant bound of the array {node['name']}, got none; "
                "write it between [ and ]"
            )
        return re.sub(r"\[\s*((static|const|restrict|volatile)\s+)+", "[", text) + ";"


def _offset(node: Mapping[str, Any]) -> int | None:
    for place in (node.get("loc", {}), node.get("range", {}).get("begin", {})):
        place = place.get("expansionLoc", place)
        if "offset" in place:
            return place["offset"]
    return None


def check_subset(tree: Mapping[str, Any], source: Preprocessed) -> list[Mapping[str, Any]]:
    """The functions that the file defines; InputError for the first thing that is outside the subset."""
    checker = _Checker(source, tree)
    for node in tree["inner"]:  # those of our headers too: which file is which is not for a user's #line to say
        if not node.get("isImplicit"):
            checker.check(node, source.line_of(node))
    checker.check_recursion()
    return list(checker.defined.values())


class _Checker:
    def __init__(self, source: Preprocessed, tree: Mapping[str, Any]) -> None:
        self._source = source
        self.defined = {
            node["name"]: node
            for node in tree["inner"]
            if node["kind"] == "FunctionDecl" and any(part["kind"] == "CompoundStmt" for part in node.get("inner", ()))
        }
        self._calls: dict[str, list[tuple[str, int]]] = {}
        self._function = ""

    def check(self, node: Mapping[str, Any], line: int) -> None:
        """Check a node and all in it; `line` is that of what it stands in."""
        if not node:
            return
        line = self._source.line_of(node) or line
        kind = node.get("kind", "")  # the cases of _Generic have none
        if kind in _REFUSED and not node.get("isImplicit"):
            self._refuse(line, _REFUSED[kind])
        if kind.endswith("Attr") and kind not in _ATTRIBUTES and not node.get("implicit"):
            self._refuse(line, f"an attribute ({kind.removesuffix('Attr')}); remove it")
        if kind == "FunctionDecl":
            self._check_function(node, line)
        if "type" in node:
            self._check_type(node, line)
        if kind == "UnaryOperator" and node["opcode"] in ("*", "&"):
            self._refuse(line, f"{node['opcode']} on {_POINTER}")
        if kind in ("BinaryOperator", "CompoundAssignOperator", "UnaryOperator"):
            if node["opcode"] in ("+", "-", "+=", "-=", "++", "--") and _is_pointer(node):
                self._refuse(line, "pointer arithmetic; index arrays")
        elif kind == "CallExpr":
            self._check_call(node, line)
        for inner in node.get("inner", ()):
            self.check(inner, line)
        if kind == "BinaryOperator" and node["opcode"] in ("==", "!=", "<", ">", "<=", ">=") and _is_pointer(node):
            self._refuse(line, "a comparison of addresses; compare indices")

    def _check_function(self, node: Mapping[str, Any], line: int) -> None:
        self._function = node["name"]
        if node.get("variadic"):
            self._refuse(line, "a variable number of arguments; name each")
        if _is_pointer_type(node["type"]["qualType"].split("(")[0]):
            self._refuse(line, f"as result {_POINTER}")

    def _check_type(self, node: Mapping[str, Any], line: int) -> None:
        kind, text = node.get("kind", ""), node["type"].get("desugaredQualType", node["type"]["qualType"])
        if re.search(r"\b(float|double|_Float16|__fp16|__bf16|__float128|_Complex)\b", text):
            self._refuse(line, "a floating-point value; use integers (fixed point)")
        if re.search(r"\b(volatile|_Atomic)\b", text):
            self._refuse(line, "volatile or atomic memory; use plain arrays")
        if "_BitInt" in text or "__attribute__((__vector_size__" in text or "__ext_vector_type__" in text:
            self._refuse(line, f"a value of type {text}; use integers of 8 to 64 bits")
        if kind == "TypedefDecl" and _is_pointer_type(text):
            self._refuse(line, _POINTER)
        if kind == "ParmVarDecl" and "*" in self._source.text_of(node):
            self._refuse(line, _POINTER)
        if kind == "VarDecl":
            if _is_pointer_type(text):
                self._refuse(line, _POINTER)
            if re.search(r"\[(?!\d+\])", text):
                self._refuse(line, f"the array {node['name']} without constant bounds; give it some")
            if node.get("storageClass") == "extern":
                self._refuse(line, f"{node['name']}, which is defined elsewhere; define it here")
            if node.get("tls"):
                self._refuse(line, "a variable of threads; use a plain one")

    def _check_call(self, node: Mapping[str, Any], line: int) -> None:
        callee = node["inner"][0]
        while callee["kind"] in ("ImplicitCastExpr", "ParenExpr"):
            callee = callee["inner"][0]
        target = callee.get("referencedDecl", {})
        if callee["kind"] != "DeclRefExpr" or target.get("kind") != "FunctionDecl":
            self._refuse(line, "a call through a pointer; call a function by name")
        name = target["name"]
        if name not in self.defined and not BUILTINS.match(name):
            self._refuse(line, f"a call of {name}, which this file does not define; define it here")
        self._calls.setdefault(self._function, []).append((name, line))

    def check_recursion(self) -> None:
        for start in self._calls:
            for line in self._ways_back(start):
                self._refuse(line, f"recursion of {start}; write a loop")

    def _ways_back(self, start: str) -> Iterator[int]:
        """Lines of calls in `start` that lead to `start` again."""
        for first, line in self._calls[start]:
            seen, stack = set(), [first]
            while stack:
                name = stack.pop()
                if name == start:
                    yield line
                    return
                if name not in seen:
                    seen.add(name)
                    stack.extend(callee for callee, _ in self._calls.get(name, ()))

    def _refuse(self, line: int, message: str) -> None:
        raise InputError(f"{self._source.path}:{line}: wanted a program of integers and arrays of them, got {message}")


def _is_pointer_type(text: str) -> bool:
    return "*" in text


def _is_pointer(node: Mapping[str, Any]) -> bool:
    """Whether a node's value is an address, or, of a difference or comparison, what it is made of."""
    texts = [part["type"]["qualType"] for part in (node, *node.get("inner", ())) if part and "type" in part]
    return any(_is_pointer_type(text) for text in texts)
