"""Mutated files of encrypted programs: circuits of gates, keys, ciphertexts."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import numpy as np

from tests.designs.test_mutated_files import damaged
from tests.workloads.tfhe.small import TINY
from workloads.circuits.circuit import Circuit
from workloads.circuits.files import save_circuit
from workloads.load import load_workload
from workloads.tfhe import files
from workloads.tfhe.keys import encrypt_bits, generate_keys

KINDS = ("gates", "bench", "aag", "aig", "secret", "evaluation", "ct")
PROGRAM = "adder:2"
_SEALED = ("secret", "evaluation", "ct")  # a SHA-256 at the end
_FIRST, _LAST = 8, 110  # bytes of a header that lie below a digest that is right: after the magic, to the last field
_BENCH = (
    b"INPUT(a[0])\nINPUT(a[1])\nINPUT(b)\nOUTPUT(y)\nOUTPUT(q)\n"
    b"x = NAND(a[0], b, a[1])\ns = DFF(x)\ny = XOR(x, s)\nq = NOT(y)\nv = vdd\n"
)
_AAG = b"aag 7 2 1 2 4\n2\n4\n6 8\n7\n12\n8 2 4\n10 3 5\n12 11 9\n14 12 2\ni0 x[0]\ni1 x[1]\no0 y\nc\nlockstep\n"
# The same: each AND as two differences, 8 - 4 and 4 - 2, and so on.
_AIG = b"aig 7 2 1 2 4\n8\n7\n12\n" + bytes((4, 2, 5, 2, 1, 2, 2, 10)) + b"i0 x[0]\ni1 x[1]\no0 y\nc\nlockstep\n"


class EncryptedFiles:
    """Sound files, in a folder of their own; a mutated one is put beside the sound ones that its command needs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        circuit = load_workload(PROGRAM)
        assert isinstance(circuit, Circuit)
        secret, key = generate_keys(TINY, seed=1)
        save_circuit(circuit, folder / "sound.gates")
        for kind, content in (("bench", _BENCH), ("aag", _AAG), ("aig", _AIG)):
            (folder / f"sound.{kind}").write_bytes(content)
        files.save_secret_key(secret, folder / "sound.secret")
        files.save_evaluation_key(key, folder / "sound.evaluation")
        for name, n_bits in (("sound.ct", len(circuit.outputs)), ("inputs", circuit.n_inputs)):
            files.save_ciphertexts(encrypt_bits(secret, np.zeros(n_bits, np.uint8), seed=2), folder / name)

    def mutated(self, kind: str, draw: random.Random) -> bytes:
        """A sound file with some bytes changed; of keys and ciphertexts often a header that lies, with a right digest."""
        data = (self._folder / f"sound.{kind}").read_bytes()
        if kind not in _SEALED or draw.random() < 0.3:
            return damaged(data, draw)
        changed = bytearray(data[: -hashlib.sha256().digest_size])
        for _ in range(draw.choice((1, 1, 2))):
            n_bytes = draw.choice((1, 2, 4, 8))
            at = draw.randrange(_FIRST, _LAST - n_bytes)
            value = draw.choice((0, 1, 2, 255, 256**n_bytes - 1, 256**n_bytes // 2, draw.randrange(256**n_bytes)))
            changed[at : at + n_bytes] = (value % 256**n_bytes).to_bytes(n_bytes, "little")
        return bytes(changed) + hashlib.sha256(changed).digest()

    def arguments(self, path: Path, output: Path) -> list[str]:
        """The command that reads a mutated file, and perhaps writes `output`."""
        kind, given = path.suffix[1:], str(path)
        if kind == "secret":
            return ["decrypt", given, PROGRAM, str(self._folder / "sound.ct"), "--json"]
        if kind == "ct":
            return ["decrypt", str(self._folder / "sound.secret"), PROGRAM, given, "--json"]
        if kind == "evaluation":
            return ["evaluate", given, PROGRAM, str(self._folder / "inputs"), "-o", str(output), "--json"]
        return ["compile" if kind == "gates" else "trace", given, "-o", str(output), "--json"]
