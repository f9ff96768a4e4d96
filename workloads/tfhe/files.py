"""Files of keys and ciphertexts (docs/tfhe.md, "Files"): a header of fixed size, raw words, a SHA-256 of all before it.

Loading believes nothing: what the header says has to give the file's size to the byte before anything is allocated.
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from designs.errors import InputError
from designs.tfhe_parameters import Parameters
from designs.whole_file import whole_file
from workloads.tfhe.keys import (
    KEY_ID_BYTES,
    Ciphertexts,
    EvaluationKey,
    SecretKey,
    bootstrap_key_shape,
    check_parameters,
    key_switch_key_shape,
)

MAGIC = b"LOCKTFHE"
VERSION = 1
SECRET_KEY, EVALUATION_KEY, CIPHERTEXTS = range(1, 4)
_NAMES = {SECRET_KEY: "a secret key", EVALUATION_KEY: "an evaluation key", CIPHERTEXTS: "ciphertexts"}
_INSECURE = 1  # flag of keys from a seed

_START = struct.Struct(f"<8sHHI{KEY_ID_BYTES}s")  # magic, version, kind, flags, key id
_PARAMETERS = struct.Struct("<8I2d")  # the counts of Parameters, 0, its noises
_MOST_AXES = 8
_SHAPE = struct.Struct(f"<4I{_MOST_AXES}Q")  # n_messages, n, number of axes, 0; sizes of axes, 0 for those that are not
_MOST_CIPHERTEXTS = 1 << 40  # in a header: sizes beyond are lies
_CHUNK_BYTES = 1 << 24


def save_secret_key(secret: SecretKey, path: str | Path) -> None:
    """Write what decrypts, readable for its owner alone (mode 600, before a byte is in it), whole or not at all.

    InputError where something has that name, as a key that is written over is lost, and where it cannot be written.
    """
    if os.path.lexists(path):
        raise InputError(f"{path}: wanted a new file for a secret key, got one that exists; remove it or name another")
    start = _start(SECRET_KEY, secret.key_id, secret.insecure) + _pack_parameters(secret.parameters)
    with whole_file(path) as part:
        part.unlink(missing_ok=True)  # of an earlier process with this number
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            _write(file, start, (secret.lwe, secret.glwe))


def spare_secret_key(path: str | Path) -> None:
    """InputError where a secret key has that name: who wrote over it could never decrypt again.

    Keys of other versions are kept too, and what cannot be read, as it may be one.
    """
    if not Path(path).is_file():
        return
    try:
        with open(path, "rb") as file:
            start = file.read(_START.size)
    except OSError as error:
        raise InputError(f"{path}: wanted a file to write to, got: {error.strerror}; name another -o") from error
    if len(start) == _START.size:
        magic, _version, kind, _flags, _key_id = _START.unpack(start)
        if (magic, kind) == (MAGIC, SECRET_KEY):
            raise InputError(f"{path}: wanted a file to write to, got a secret key, which is kept; name another -o")


def save_evaluation_key(key: EvaluationKey, path: str | Path) -> None:
    """Write it whole or not at all. InputError where it cannot be written."""
    start = _start(EVALUATION_KEY, key.key_id, key.insecure) + _pack_parameters(key.parameters)
    with whole_file(path) as part, part.open("wb") as file:
        _write(file, start, (key.bootstrap_key, key.key_switch_key))


def save_ciphertexts(ciphertexts: Ciphertexts, path: str | Path) -> None:
    """Write them whole or not at all. InputError where they cannot be written, and for more than 8 axes."""
    shape = ciphertexts.words.shape[:-1]
    if len(shape) > _MOST_AXES:
        raise InputError(f"{path}: wanted ciphertexts of at most {_MOST_AXES} axes, got {len(shape)}; reshape them")
    axes = (*shape, *[0] * (_MOST_AXES - len(shape)))
    start = _start(CIPHERTEXTS, ciphertexts.key_id, False)
    start += _SHAPE.pack(ciphertexts.n_messages, ciphertexts.words.shape[-1] - 1, len(shape), 0, *axes)
    with whole_file(path) as part, part.open("wb") as file:
        _write(file, start, (ciphertexts.words,))


def load_secret_key(path: str | Path) -> SecretKey:
    """Read what save_secret_key wrote. InputError, one line, for anything else."""
    with _reader(path, SECRET_KEY) as reader:
        p = reader.parameters()
        lwe, glwe = reader.arrays(("u1", (p.lwe_dimension,)), ("u1", (p.glwe_dimension, p.ring_degree)))
        if max(lwe.max(), glwe.max()) > 1:
            raise reader.error("bits", "other numbers")
        return SecretKey(parameters=p, key_id=reader.key_id, insecure=reader.insecure, lwe=lwe, glwe=glwe)


def load_evaluation_key(path: str | Path) -> EvaluationKey:
    """Read what save_evaluation_key wrote. InputError, one line, for anything else."""
    with _reader(path, EVALUATION_KEY) as reader:
        p = reader.parameters()
        rotation, switch = reader.arrays(("<u4", bootstrap_key_shape(p)), ("<u4", key_switch_key_shape(p)))
        return EvaluationKey(
            parameters=p, key_id=reader.key_id, insecure=reader.insecure, bootstrap_key=rotation, key_switch_key=switch
        )


def load_ciphertexts(path: str | Path) -> Ciphertexts:
    """Read what save_ciphertexts wrote. InputError, one line, for anything else."""
    with _reader(path, CIPHERTEXTS) as reader:
        n_messages, shape = reader.shape()
        (words,) = reader.arrays(("<u4", shape))
        return Ciphertexts(key_id=reader.key_id, n_messages=n_messages, words=words)


def _start(kind: int, key_id: bytes, insecure: bool) -> bytes:
    return _START.pack(MAGIC, VERSION, kind, _INSECURE * insecure, key_id)


def _pack_parameters(parameters: Parameters) -> bytes:
    *counts, lwe_noise, glwe_noise = astuple(parameters)
    return _PARAMETERS.pack(*counts, 0, lwe_noise, glwe_noise)


def _write(file: BinaryIO, start: bytes, arrays: tuple[np.ndarray, ...]) -> None:
    digest = hashlib.sha256(start)
    file.write(start)
    for array in arrays:
        view = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data
        for low in range(0, len(view), _CHUNK_BYTES):
            digest.update(view[low : low + _CHUNK_BYTES])
            file.write(view[low : low + _CHUNK_BYTES])
    file.write(digest.digest())


@contextmanager
def _reader(path: str | Path, kind: int) -> Iterator[_Reader]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would wait for its writer
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise InputError(f"{path}: wanted a file with {_NAMES[kind]}, got something that is no file; name one")
            yield _Reader(path=path, kind=kind, file=file, n_bytes=status.st_size)
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or "too little memory"
        raise InputError(f"{path}: wanted a file with {_NAMES[kind]}, got: {reason}; name another") from error


@dataclass(kw_only=True)
class _Reader:
    """A file that is being read from its start on; every refusal is an InputError that names it."""

    path: str | Path
    kind: int
    file: BinaryIO
    n_bytes: int

    def __post_init__(self) -> None:
        self._digest = hashlib.sha256()
        self._n_read = 0
        magic, version, kind, flags, self.key_id = self._unpack(_START)
        if magic != MAGIC:
            raise self.error("a file of lockstep", "another")
        if version != VERSION:
            raise self.error(f"version {VERSION}", f"version {version}")
        if kind != self.kind:
            raise self.error(_NAMES[self.kind], _NAMES.get(kind, f"kind {kind}"))
        if flags & ~_INSECURE or (kind == CIPHERTEXTS and flags):
            raise self.error("known flags", f"{flags}")
        self.insecure = bool(flags & _INSECURE)

    def error(self, wanted: str, got: str) -> InputError:
        return InputError(f"{self.path}: wanted {wanted}, got {got}; take another file with {_NAMES[self.kind]}")

    def parameters(self) -> Parameters:
        *counts, zero, lwe_noise, glwe_noise = self._unpack(_PARAMETERS)
        names = [field.name for field in fields(Parameters)]
        parameters = Parameters(**dict(zip(names, (*counts, lwe_noise, glwe_noise), strict=True)))
        if zero:
            raise self.error("0 after the parameters", f"{zero}")
        try:
            check_parameters(parameters)
        except InputError as error:
            raise self.error("parameters that keys can have", f"{error}") from error
        return parameters

    def shape(self) -> tuple[int, tuple[int, ...]]:
        """n_messages, and the shape of the words."""
        n_messages, lwe_dimension, n_axes, zero, *sizes = self._unpack(_SHAPE)
        if n_messages and (n_messages == 1 or n_messages > 8192 or n_messages & (n_messages - 1)):
            raise self.error("bits, or a power of two of messages up to 8192", f"{n_messages}")
        if not 2 <= lwe_dimension <= 4095:
            raise self.error("2 to 4095 words of mask", f"{lwe_dimension}")
        if n_axes > _MOST_AXES or zero or any(sizes[n_axes:]):
            raise self.error(f"at most {_MOST_AXES} axes", "others")
        if math.prod(size or 1 for size in sizes[:n_axes]) > _MOST_CIPHERTEXTS:
            raise self.error(f"at most {_MOST_CIPHERTEXTS} of them", "more")
        return n_messages, (*sizes[:n_axes], lwe_dimension + 1)

    def arrays(self, *wanted: tuple[str, tuple[int, ...]]) -> list[np.ndarray]:
        """All that follows: arrays of (type, shape), and the digest. Nothing is allocated before the sizes add up."""
        n_words_bytes = sum(np.dtype(kind).itemsize * math.prod(shape) for kind, shape in wanted)
        n_wanted = self._n_read + n_words_bytes + self._digest.digest_size
        if n_wanted != self.n_bytes:
            raise self.error(f"{n_wanted} bytes", f"{self.n_bytes}")
        found = [self._array(np.dtype(kind), shape) for kind, shape in wanted]
        if self.file.read(self._digest.digest_size) != self._digest.digest():
            raise self.error("words that were not changed", "others than were written")
        return found

    def _array(self, kind: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray:
        array = np.empty(shape, kind)
        view = array.reshape(-1).view(np.uint8).data
        for low in range(0, len(view), _CHUNK_BYTES):
            chunk = view[low : low + _CHUNK_BYTES]
            if self.file.readinto(chunk) != len(chunk):  # type: ignore[attr-defined]
                raise self.error(f"{self.n_bytes} bytes", "fewer, as it was read")
            self._digest.update(chunk)
        return array.astype(kind.newbyteorder("="), copy=False)

    def _unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        data = self.file.read(layout.size)
        if len(data) != layout.size:
            raise self.error(f"at least {self._n_read + layout.size} bytes", f"{self.n_bytes}")
        self._n_read += len(data)
        self._digest.update(data)
        return layout.unpack(data)
