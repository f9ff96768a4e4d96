"""Runs a compiled C function on many inputs, in processes that may be stopped: check.py starts it, by file.

Given on stdin, as JSON: the library, the function, `scalars` (C types by position, None for an array), `sizes`
(bytes of each array), `result` (C type or None), `seconds` for one run, `has_state` (a run may change what the next one
computes: each has a process of its own), and `vectors`: for each argument an integer, or an array's bytes in hex.
A line on stdout for each vector: null where the process was stopped (what it did is undefined in C), else the result
and the arrays' bytes afterwards.

Each array ends where a page begins that nobody may touch, and in a second run begins where one ends: an index outside
stops the process.
"""

import ctypes
import json
import mmap
import os
import signal
import sys
from typing import Any

_PAGE = mmap.PAGESIZE
_KEPT: list[mmap.mmap] = []  # mappings live as long as the process


def main() -> None:
    given = json.load(sys.stdin)
    function = getattr(ctypes.CDLL(given["library"]), given["function"])
    kinds = [getattr(ctypes, name) if name else ctypes.c_void_p for name in given["scalars"]]
    function.argtypes = kinds
    function.restype = getattr(ctypes, given["result"]) if given["result"] else None
    answers = [_answers(function, given, at_start) for at_start in (False, True)]
    for first, second in zip(*answers, strict=True):
        print(first if first == second else "null")


def _answers(function: Any, given: dict[str, Any], at_start: bool) -> list[str]:
    """A line for each vector. A child process goes on until it is stopped; the next one goes on after that vector."""
    answers: list[str] = []
    vectors = given["vectors"]
    while len(answers) < len(vectors):
        n_most = 1 if given["has_state"] else len(vectors)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            with os.fdopen(writing, "w") as pipe:
                for vector in vectors[len(answers) : len(answers) + n_most]:
                    signal.setitimer(signal.ITIMER_VIRTUAL, given["seconds"])
                    pipe.write(json.dumps(_run(function, vector, given["sizes"], at_start)) + "\n")
                    pipe.flush()
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            answers += pipe.read().splitlines()
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):  # a trap, a guard page, too long
            answers.append("null")
        elif status:
            sys.exit(f"a run ended with exit code {os.waitstatus_to_exitcode(status)}")
    return answers


def _run(function: Any, vector: list[Any], sizes: list[int | None], at_start: bool) -> list[Any]:
    arguments, arrays = [], []
    for value, size in zip(vector, sizes, strict=True):
        if size is None:
            arguments.append(value)
            continue
        place = _guarded(size, at_start)
        ctypes.memmove(place, bytes.fromhex(value), size)
        arrays.append((place, size))
        arguments.append(place)
    result = function(*arguments)
    return [None if result is None else int(result), [ctypes.string_at(*array).hex() for array in arrays]]


def _guarded(size: int, at_start: bool) -> int:
    """The address of `size` bytes next to a page that nobody may touch."""
    inner = -(-size // _PAGE) * _PAGE
    area = mmap.mmap(-1, inner + 2 * _PAGE)
    _KEPT.append(area)
    base = ctypes.addressof(ctypes.c_char.from_buffer(area))
    libc = ctypes.CDLL(None, use_errno=True)
    for guard in (base, base + _PAGE + inner):
        if libc.mprotect(ctypes.c_void_p(guard), ctypes.c_size_t(_PAGE), 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    return base + _PAGE + (0 if at_start else inner - size)


if __name__ == "__main__":
    main()
