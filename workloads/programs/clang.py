"""The clang of the ziglang wheel, confined: it opens no file but our three headers, and has limits."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import re
import resource
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import ziglang

MOST_SECONDS = 60
MOST_BYTES = 4 << 30  # of address space
MOST_FILE_BYTES = 1 << 27  # of what a compiler writes: a syntax tree grows with the square of its depth
HEADERS = ("stdint.h", "stdbool.h", "limits.h")
TARGET = "x86_64-linux-gnu"  # whatever the host: widths, order of bytes and the IR are the same everywhere
_ZIG = Path(ziglang.__file__).with_name("zig")
HEADERS_FOLDER = Path(__file__).with_name("headers")
_COMMON = (
    "-x",
    "c",
    "-std=gnu17",
    "-ffreestanding",
    "-nostdinc",
    "-isystem",
    "/headers",
    "-w",
    "-fno-caret-diagnostics",
)
_ERROR = re.compile(r"<stdin>:(\d+):\d+: (?:fatal )?error: (.*)")


class ClangError(Exception):
    """What clang says of a program: `line` is 0 where it tells none."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line, self.message = line, message


@functools.cache
def version() -> str:
    return importlib.metadata.version("ziglang")


def clang(options: Sequence[str], source: str, *, output: Path | None = None, target: str | None = TARGET) -> str:
    """What clang prints for `source` under `options`, or writes to `output`; ClangError for a program that it refuses.

    `target` None is this machine.
    """
    with tempfile.TemporaryDirectory(prefix="lockstep_clang_") as name:
        folder = Path(name)
        overlay = folder / "overlay.json"
        roots = [
            {"name": f"/headers/{header}", "type": "file", "external-contents": str(HEADERS_FOLDER / header)}
            for header in HEADERS
        ]
        # Without fall-through nothing else exists for clang: no #include, #embed or __has_include sees another file.
        overlay.write_text(json.dumps({"version": 0, "case-sensitive": "true", "fallthrough": "false", "roots": roots}))
        command = [str(_ZIG), "clang", *(("-target", target) if target else ()), *_COMMON]
        command += ["-ivfsoverlay", str(overlay), *options, "-o", str(output or "-"), "-"]
        done = run_limited(command, folder, source)
    if done.returncode == 0:
        return done.stdout
    if match := _ERROR.search(done.stderr):
        raise ClangError(int(match[1]), match[2].strip())
    lines = [line for line in done.stderr.splitlines() if "error" in line] or ["no message"]
    raise ClangError(0, lines[0][:300])


def native_library(source: str, folder: Path) -> Path:
    """Compile `source` for this machine, in `folder`, as a shared library that stops where C leaves it undefined.

    It links with nothing. ClangError for a program that clang refuses.
    """
    options = ("-c", "-O1", "-fPIC", "-fsanitize=undefined", "-fsanitize-trap=undefined")
    clang(options, source, output=folder / "program.o", target=None)
    library = folder / "program.so"
    caches = {"ZIG_GLOBAL_CACHE_DIR": str(folder / "zig"), "ZIG_LOCAL_CACHE_DIR": str(folder / "zig")}
    done = run_limited([str(_ZIG), "cc", "-shared", "-nostdlib", "-o", str(library), "program.o"], folder, "", caches)
    if done.returncode:
        raise ClangError(0, (done.stderr.splitlines() or ["no message"])[0][:300])
    return library


def run_limited(
    command: Sequence[str], folder: Path, given: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a compiler with limits of time, memory and what it writes; ClangError where it exceeds time or size."""

    def limit() -> None:
        limit_memory(MOST_BYTES)()
        resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_FILE_BYTES, MOST_FILE_BYTES))

    # Files, not pipes: what it says is limited too.
    with tempfile.TemporaryFile(dir=folder) as out, tempfile.TemporaryFile(dir=folder) as error:
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                input=given.encode(),
                env=dict(os.environ) | dict(environment or {}),
                stdout=out,
                stderr=error,
                timeout=MOST_SECONDS,
                preexec_fn=limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ClangError(0, f"more than {MOST_SECONDS} s of compilation") from None
        said = []
        for file in (out, error):
            file.seek(0)
            said.append(file.read().decode(errors="replace"))
    if len(said[0]) >= MOST_FILE_BYTES or done.returncode == -signal.SIGXFSZ:
        raise ClangError(0, f"more than {MOST_FILE_BYTES} bytes of syntax tree or code, by size or depth")
    return subprocess.CompletedProcess(command, done.returncode, *said)


def limit_memory(n_bytes: int) -> Callable[[], None]:
    """For a child process, before it starts: an address space of so many bytes at most, and no core files."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (n_bytes, n_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    return limit
