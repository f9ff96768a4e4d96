"""Programs on encrypted inputs: keys, encryption, execution without the secret key, decryption; alone or all in one.

What this is and is not (a functional model, no audited library): docs/tfhe.md. Bad input raises InputError, one line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from designs.errors import InputError
from designs.spelling import shown

if TYPE_CHECKING:
    from designs.tfhe_parameters import Parameters
    from workloads.circuits.circuit import Circuit, Port
    from workloads.programs.compile import Program
    from workloads.tfhe.execute import Execution
    from workloads.tfhe.kernels.engine import Arithmetic
    from workloads.tfhe.keys import Ciphertexts, EvaluationKey, SecretKey

ProgramLike: TypeAlias = "Program | Circuit | str | Path"
Progress: TypeAlias = Callable[[str, int, int], None]
DEFAULT_PARAMETERS = "tfhe_lib_128"
SECRET, EVALUATION = ".secret", ".evaluation"  # endings of the two files of a key
CHECKED_INPUTS = 20  # random ones on which a circuit is compared with its C program before it is run encrypted
_PROGRAM = "program:"
_NETLISTS = (".blif", ".v", ".sv")


def compile(
    program: ProgramLike,
    output: str | Path | None = None,
    *,
    entry: str | None = None,
    objective: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """A C program, or any other circuit, in numbers: gates by kind, bootstraps, depth, widths, ports.

    `output` is a .gates file to write the circuit to; `entry` the function of a C file that has several; `objective`
    what is made small of a C program, "gates" or "depth".
    """
    from workloads.circuits.circuit import OPS
    from workloads.circuits.files import save_circuit
    from workloads.circuits.levels import shape_of

    if output is not None:
        _spare(output, program)
    circuit = checked_circuit_of(program, entry, objective, progress)
    if output is not None:
        save_circuit(circuit, output)
    counts = {op: int(n) for op, n in enumerate(_counts(circuit)) if n}
    return {
        "program": circuit.name,
        "digest": circuit.digest,
        **vars(shape_of(circuit)),
        "gates_by_kind": {OPS[op]: counts[op] for op in sorted(counts, key=lambda op: -counts[op])},
        "inputs": [_port(port) for port in circuit.inputs],
        "outputs": [_port(port) for port in circuit.output_ports],
        "output": None if output is None else str(output),
    }


def keygen(name: str | Path, *, parameters: str = DEFAULT_PARAMETERS, seed: int | None = None) -> dict[str, Any]:
    """Make two keys: NAME.secret, which its owner alone may read (mode 600), and NAME.evaluation for who computes.

    `parameters` is a named set or a .yaml file. Keys from a seed are for tests, and labelled insecure. InputError where
    one of the files exists.
    """
    from workloads.tfhe import files
    from workloads.tfhe.keys import generate_keys
    from workloads.tfhe.parameter_files import load_parameters

    chosen = load_parameters(parameters)
    paths = [Path(f"{name}{ending}") for ending in (SECRET, EVALUATION)]
    for path in paths:
        if path.exists():
            raise InputError(f"{path}: wanted a new key, got a file that exists; name another, or remove it")
    secret, key = generate_keys(chosen, seed)
    files.save_secret_key(secret, paths[0])
    try:
        files.save_evaluation_key(key, paths[1])
    except BaseException:  # a full disk, Ctrl-C: half a pair would be in the way of the next attempt
        paths[0].unlink()
        raise
    sizes = {"secret_key_bytes": paths[0].stat().st_size, "evaluation_key_bytes": paths[1].stat().st_size}
    return {"secret_key": str(paths[0]), "evaluation_key": str(paths[1]), **key_facts(secret), **sizes}


def encrypt(
    secret_key: str | Path,
    program: ProgramLike,
    inputs: Sequence[str] | Mapping[str, Any],
    output: str | Path,
    *,
    entry: str | None = None,
) -> dict[str, Any]:
    """Encrypt a program's inputs with a secret key into a file; `inputs` as words of a command line, or by name."""
    from workloads.circuits.values import encode_inputs
    from workloads.tfhe import files
    from workloads.tfhe.keys import encrypt_bits

    words = [] if isinstance(inputs, Mapping) else [word for word in inputs if "=" not in word]
    _spare(output, secret_key, program, *words)
    secret = files.load_secret_key(secret_key)
    circuit = checked_circuit_of(program, entry)
    values = _values(circuit, inputs)
    files.save_ciphertexts(encrypt_bits(secret, encode_inputs(circuit.inputs, values)), output)
    size = Path(output).stat().st_size
    return {"program": circuit.name, "inputs": values, "output": str(output), "bytes": size, **key_facts(secret)}


def evaluate(
    evaluation_key: str | Path,
    program: ProgramLike,
    ciphertexts: str | Path,
    output: str | Path,
    *,
    entry: str | None = None,
    arithmetic: Arithmetic = "fast",
    threads: int | None = None,
    batch: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run a program on encrypted inputs, without the secret key, into a file of encrypted outputs.

    What is done is kept in OUTPUT.checkpoint until the outputs are written: the same call goes on from there.
    `progress` is told (what is done, steps done, steps in all).
    """
    from workloads.tfhe import files
    from workloads.tfhe.execute import check_inputs

    _spare(output, evaluation_key, ciphertexts, program)
    encrypted = files.load_ciphertexts(ciphertexts)
    key = files.load_evaluation_key(evaluation_key)
    circuit = checked_circuit_of(program, entry)
    check_inputs(circuit, encrypted, key)
    checkpoint = Path(f"{output}.checkpoint")
    found = _execute(circuit, encrypted, key, arithmetic, threads, batch, progress, checkpoint)
    files.save_ciphertexts(found.outputs, output)
    checkpoint.unlink(missing_ok=True)
    took = execution_facts(circuit, found, arithmetic)
    return {"program": circuit.name, "output": str(output), **key_facts(key), **took}


def decrypt(
    secret_key: str | Path, program: ProgramLike, ciphertexts: str | Path, *, entry: str | None = None
) -> dict[str, Any]:
    """The outputs of a program from its encrypted ones; InputError where they are another key's or program's."""
    from workloads.circuits.values import decode_outputs
    from workloads.tfhe import files
    from workloads.tfhe.keys import decrypt_bits

    secret = files.load_secret_key(secret_key)
    bits = decrypt_bits(secret, files.load_ciphertexts(ciphertexts))
    circuit = circuit_of(program, entry)
    if bits.shape != (len(circuit.outputs),):
        wanted = f"wanted the {len(circuit.outputs)} output bits of {circuit.name}"
        raise InputError(f"{ciphertexts}: {wanted}, got ciphertexts of shape {bits.shape}; take those of this program")
    return {"program": circuit.name, "outputs": decode_outputs(circuit.output_ports, bits), **key_facts(secret)}


def run(
    program: ProgramLike,
    inputs: Sequence[str] | Mapping[str, Any] = (),
    *,
    entry: str | None = None,
    objective: str | None = None,
    parameters: str | None = None,
    arithmetic: Arithmetic = "fast",
    threads: int | None = None,
    batch: int | None = None,
    key: str | Path | None = None,
    seed: int | None = None,
    keep: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compile, encrypt, execute encrypted, decrypt, and compare with the program in clear text (`equal`).

    Without `inputs`, random ones. `key` names the files of `keygen` (NAME for NAME.secret and NAME.evaluation);
    otherwise keys of `parameters` are made and forgotten, from `seed` where given (insecure, as are then all noises).
    A C program's circuit is compared with the compiled program first, on random inputs and on these.

    `keep` is a folder for the ciphertexts that go in and come out, and for what is done of an interrupted run: with the
    same key (or seed) and inputs, the next run goes on from there.
    """
    from workloads.circuits.values import decode_outputs, encode_inputs
    from workloads.tfhe.keys import decrypt_bits, generate_keys

    if keep is not None and key is None and seed is None:
        raise InputError("--keep: wanted --key (or --seed) with it, as nobody could read what it keeps; name a key")
    chosen = _keys(key, parameters, seed)
    _check_kept(keep)
    compiled = program_of(program, entry, objective, progress)
    circuit = circuit_of(compiled)
    values = _values(circuit, inputs) if inputs else _random(circuit, seed)
    bits = encode_inputs(circuit.inputs, values)
    tell = progress or _silent
    tell("clear text", 0, 1)
    clear = in_clear_text(compiled, values)
    tell("clear text", 1, 1)
    tell("keys", 0, 1)
    secret, evaluation = chosen if isinstance(chosen, tuple) else generate_keys(chosen, seed)
    tell("keys", 1, 1)
    encrypted = _encrypted(secret, bits, seed, keep, circuit)
    checkpoint = None if keep is None else Path(keep) / "checkpoint"
    found = _execute(circuit, encrypted, evaluation, arithmetic, threads, batch, progress, checkpoint)
    _finish_kept(found.outputs, keep)
    outputs = decode_outputs(circuit.output_ports, decrypt_bits(secret, found.outputs))
    return {
        "program": circuit.name,
        "inputs": values,
        "outputs": outputs,
        **clear,
        "equal": outputs == clear["clear_text"],
        **key_facts(secret),
        **execution_facts(circuit, found, arithmetic),
        "kept": None if keep is None else str(keep),
    }


def circuit_of(
    program: ProgramLike, entry: str | None = None, objective: str | None = None, progress: Progress | None = None
) -> Circuit:
    """The circuit of a C file, of a program or circuit by its name, of any circuit file, or itself.

    With `progress`, compiling says on stderr what it does.
    """
    from workloads.circuits.circuit import Circuit

    found = program_of(program, entry, objective, progress)
    return found if isinstance(found, Circuit) else found.circuit


def checked_circuit_of(
    program: ProgramLike, entry: str | None = None, objective: str | None = None, progress: Progress | None = None
) -> Circuit:
    """As `circuit_of`; that of a C program is compared with the compiled program on CHECKED_INPUTS random inputs."""
    from workloads.circuits.circuit import Circuit
    from workloads.programs.check import check_program

    found = program_of(program, entry, objective, progress)
    if isinstance(found, Circuit):
        return found
    check_program(found, n_inputs=CHECKED_INPUTS)
    return found.circuit


def program_of(
    program: ProgramLike, entry: str | None = None, objective: str | None = None, progress: Progress | None = None
) -> Program | Circuit:
    """The C program of a file or a name (program:NAME), with its circuit; otherwise the circuit.

    Netlists (.blif, .v) are read as gates, whatever other commands make of them.
    """
    from workloads.circuits.circuit import Circuit
    from workloads.kinds.circuit import circuit_of_file, programs
    from workloads.load import load_workload
    from workloads.programs.compile import Program, compile_c

    if isinstance(program, Circuit | Program):
        return program
    name = str(program)
    shipped = programs().get(name.removeprefix(_PROGRAM)) if name.startswith(_PROGRAM) else None
    if shipped is not None or Path(name).suffix == ".c":
        quiet = None if progress else _quiet
        return compile_c(shipped or name, entry=entry, objective=objective or "gates", progress=quiet)
    for option, given in (("--entry", entry), ("--objective", objective)):
        if given is not None:
            raise InputError(f"{option}: wanted a C program with it, got {shown(name)}; leave {option} out")
    loaded = circuit_of_file(name) if Path(name).suffix in _NETLISTS else load_workload(name)
    if not isinstance(loaded, Circuit):
        raise InputError(f"{program}: wanted a program in C or a circuit of gates, got a {loaded.kind()}; name another")
    return loaded


def in_clear_text(program: Program | Circuit, values: Mapping[str, Any]) -> dict[str, Any]:
    """`clear_text`: the outputs, of the compiled C program where there is one; `compared_with` says of what.

    A C program's circuit is first compared with it on `checked_inputs` random inputs. Where C leaves the result of
    these values undefined, the circuit's is taken.
    """
    from workloads.circuits.circuit import Circuit
    from workloads.circuits.evaluate import run_circuit
    from workloads.circuits.values import decode_outputs, encode_inputs
    from workloads.programs.check import check_program, native_outputs

    n_checked, said = 0, "the circuit in clear text"
    if isinstance(program, Circuit):
        circuit = program
    else:
        circuit = program.circuit
        n_checked = check_program(program, n_inputs=CHECKED_INPUTS).n_checked
        if (found := native_outputs(program, [values])[0]) is not None:
            return {"clear_text": found, "compared_with": "the compiled C program", "checked_inputs": n_checked}
        if not n_checked:
            raise InputError(
                f"{program.path}: wanted inputs for which C defines the result, got none, neither these nor random "
                "ones; give others with --inputs, or mend the program"
            )
        said += ", as C leaves the result of these inputs undefined"
    bits = run_circuit(circuit, encode_inputs(circuit.inputs, values)[None])[0]
    return {
        "clear_text": decode_outputs(circuit.output_ports, bits), "compared_with": said, "checked_inputs": n_checked
    }  # fmt: skip


def key_facts(key: SecretKey | EvaluationKey) -> dict[str, Any]:
    """What may be told of a key: its name, parameters, and how often a gate fails with them (log2, the worst gate)."""
    from workloads.tfhe.noise import failure_log2
    from workloads.tfhe.parameter_files import name_of

    return {
        "key_id": key.key_id.hex(),
        "parameters": name_of(key.parameters),
        "insecure": key.insecure,
        "gate_failure_log2": round(max(failure_log2(key.parameters), -1e6), 1),
    }


def execution_facts(circuit: Circuit, found: Execution, arithmetic: str) -> dict[str, Any]:
    """What an execution took."""
    from workloads.circuits.levels import shape_of

    shape = shape_of(circuit)
    return {
        "gates": shape.n_gates,
        "bootstraps": shape.n_bootstraps,
        "depth": shape.depth,
        "gates_done_before": found.n_resumed,
        "arithmetic": arithmetic,
        "threads": found.n_threads,
        "seconds": found.seconds,
        "ms_per_gate": 1000 * found.seconds / found.n_gates if found.n_gates else None,
        "peak_ciphertexts": found.peak_ciphertexts,
        "peak_ciphertext_bytes": found.peak_bytes,
    }


def _execute(
    circuit: Circuit,
    encrypted: Ciphertexts,
    key: EvaluationKey,
    arithmetic: Arithmetic,
    threads: int | None,
    batch: int | None,
    progress: Progress | None,
    checkpoint: Path | None,
) -> Execution:
    from workloads.tfhe.execute import BATCH, execute
    from workloads.tfhe.kernels.engine import Engine

    tell = progress or _silent
    tell("engine", 0, 1)
    engine = Engine(key.parameters, key.bootstrap_key, key.key_switch_key, arithmetic)
    tell("engine", 1, 1)
    n_before: int | None = None

    def gates(n_done: int, n_all: int) -> None:
        nonlocal n_before
        if n_before is None:
            n_before = n_done
        what = f"gates ({n_before} done before)" if n_before else "gates"
        tell(what, n_done - n_before, n_all - n_before)

    return execute(
        circuit, encrypted, key, engine, n_threads=threads, batch=batch or BATCH, progress=gates, checkpoint=checkpoint
    )


def _keys(
    name: str | Path | None, parameters: str | None, seed: int | None
) -> tuple[SecretKey, EvaluationKey] | Parameters:
    """Those of the files, a pair and of the parameters that were asked for, or the parameters to make new ones of."""
    from workloads.tfhe import files
    from workloads.tfhe.parameter_files import load_parameters

    if name is None:
        return load_parameters(parameters or DEFAULT_PARAMETERS)
    if seed is not None:
        raise InputError("--seed: wanted either --key or --seed, got both; leave one out")
    secret = files.load_secret_key(f"{name}{SECRET}")
    if parameters is not None and load_parameters(parameters) != secret.parameters:
        wanted = f"wanted a key of the parameters {parameters}"
        raise InputError(f"{name}{SECRET}: {wanted}, got another; leave --parameters out")
    key = files.load_evaluation_key(f"{name}{EVALUATION}")
    if (key.key_id, key.parameters) != (secret.key_id, secret.parameters):
        wanted = f"wanted the evaluation key of {name}{SECRET}, {secret.key_id.hex()}"
        raise InputError(f"{name}{EVALUATION}: {wanted}, got that of {key.key_id.hex()}; take both of one key")
    return secret, key


def _encrypted(
    secret: SecretKey, bits: Any, seed: int | None, keep: str | Path | None, circuit: Circuit
) -> Ciphertexts:
    """The inputs encrypted; where a kept run has them already, its own, as its checkpoint is for those."""
    from lockstep.terminal import make_folder
    from workloads.tfhe import files
    from workloads.tfhe.keys import decrypt_bits, encrypt_bits

    path = None if keep is None else Path(keep) / "inputs"
    if path is None or not path.exists():
        encrypted = encrypt_bits(secret, bits, None if seed is None else seed + 1)
        if path is not None:
            make_folder(path.parent)
            files.save_ciphertexts(encrypted, path)
        return encrypted
    found = files.load_ciphertexts(path)
    if found.key_id == secret.key_id and decrypt_bits(secret, found).tolist() == bits.tolist():
        return found
    wanted = f"wanted the inputs of this run of {circuit.name}"
    raise InputError(f"{path}: {wanted}, got those of another; name another --keep")


def _check_kept(keep: str | Path | None) -> None:
    """Raise InputError where a file that is no run's has the name of what a run leaves."""
    from workloads.tfhe import files

    if keep is not None and (path := Path(keep) / "outputs").exists():
        files.load_ciphertexts(path)


def _finish_kept(outputs: Ciphertexts, keep: str | Path | None) -> None:
    from workloads.tfhe import files

    if keep is not None:
        files.save_ciphertexts(outputs, Path(keep) / "outputs")
        (Path(keep) / "checkpoint").unlink(missing_ok=True)


def _values(circuit: Circuit, inputs: Sequence[str] | Mapping[str, Any]) -> dict[str, Any]:
    from workloads.circuits.inputs import parse_values

    return dict(inputs) if isinstance(inputs, Mapping) else parse_values(circuit.inputs, inputs)


def _random(circuit: Circuit, seed: int | None) -> dict[str, Any]:
    from workloads.circuits.inputs import random_values

    return random_values(circuit.inputs, seed)


def _counts(circuit: Circuit) -> list[int]:
    import numpy as np

    return np.bincount(circuit.ops).tolist()


def _port(port: Port) -> dict[str, Any]:
    return {"name": port.name, "bits": port.bits, "signed": port.signed, "shape": list(port.shape)}


def _spare(output: str | Path, *inputs: Any) -> None:
    """Raise InputError, before the work, for an output that cannot be written or takes the place of what is needed."""
    from lockstep.api import spare_inputs
    from workloads.tfhe import files

    spare_inputs(output, *(given for given in inputs if isinstance(given, str | Path)))
    folder = Path(output).absolute().parent
    if Path(output).is_dir() or not folder.is_dir():
        got = "a folder" if Path(output).is_dir() else f"a folder {folder.name} that is not there"
        raise InputError(f"{output}: wanted a file to write to, got {got}; name another -o")
    files.spare_secret_key(output)


def _quiet(what: str) -> None:
    return


def _silent(what: str, n_done: int, n_all: int) -> None:
    return
