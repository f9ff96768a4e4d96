"""The results store: one SQLite file (WAL) of result rows, keyed by what produced them.

A row that was put is there after a kill at any instant; a sweep that is run again computes only what is missing;
several sweeps may write to one store at the same time. A file that is not a store is refused and left as it is.
The bulky `layers` of a row lie beside it and are read only where they are asked for.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

from designs.errors import InputError

Row: TypeAlias = dict[str, Any]

APPLICATION_ID = 0x4C4F434B  # "LOCK": marks a SQLite file as ours
SCHEMA_VERSION = 1
BUSY_SECONDS = 60.0  # how long a writer waits for another one

_SCHEMA = """
CREATE TABLE IF NOT EXISTS results (
    key TEXT PRIMARY KEY,
    family TEXT NOT NULL,
    workload TEXT NOT NULL,
    model_version TEXT NOT NULL,
    row BLOB NOT NULL,
    layers BLOB NOT NULL
) WITHOUT ROWID
"""
_LOOKUP = 500  # keys a query asks for; SQLite's limit on variables is 999 in old builds


def point_key(family: str, point: Mapping[str, Any], workload_digest: str, model_version: str) -> str:
    """Content hash of what determines a result: design point, workload and model version."""
    text = json.dumps([family, sorted(point.items()), workload_digest, model_version], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def key_of(row: Mapping[str, Any]) -> str:
    """The key of a row."""
    version = f"{row['model_version']}/{row['scaling']}"
    return point_key(row["family"], row["point"], row["workload_digest"], version)


class Store:
    """An open results store. Use as a context manager.

    Raises InputError, one line, where the file is not a store, cannot be opened, is damaged, or stays locked by others.
    """

    def __init__(self, path: str | Path, *, must_exist: bool = False) -> None:
        self.path = Path(path)
        if must_exist and not self.path.is_file():
            got = "something that is no file" if self.path.exists() else "no such file"
            raise InputError(f"{path}: wanted a results store, got {got}; `lockstep sweep --store` makes one")
        self._refuse_foreign_file()
        with self._errors():
            self._db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; everything put is in it."""
        self._db.close()

    def __len__(self) -> int:
        with self._errors():
            return int(self._db.execute("SELECT count(*) FROM results").fetchone()[0])

    def put(self, items: Iterable[tuple[str, Row]]) -> None:
        """Add rows by key in one transaction. A key that is already there keeps its row."""
        packed = [(key, row["family"], row["workload"], row["model_version"], *_pack(row)) for key, row in items]
        with self._errors(), self._transaction():
            self._db.executemany("INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?, ?, ?)", packed)

    def get(self, keys: Sequence[str], *, layers: bool = False) -> dict[str, Row]:
        """The rows of those keys that are in the store; with their layers where asked for."""
        found: dict[str, Row] = {}
        with self._errors():
            for start in range(0, len(keys), _LOOKUP):
                some = keys[start : start + _LOOKUP]
                marks = ",".join("?" * len(some))
                query = f"SELECT key, row, {_LAYERS[layers]} FROM results WHERE key IN ({marks})"
                found |= {key: _unpack(*packed) for key, *packed in self._db.execute(query, some)}
        return found

    def rows(self, *, layers: bool = False) -> list[Row]:
        """Every row, in an order that depends on the content only: family, workload, version, design point."""
        with self._errors():
            found = [_unpack(*packed) for packed in self._db.execute(f"SELECT row, {_LAYERS[layers]} FROM results")]
        return sorted(found, key=_order)

    def _refuse_foreign_file(self) -> None:
        """Look before SQLite may write: a file of something else must not change by a bit."""
        try:
            with open(self.path, "rb") as file:
                head = file.read(100)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise InputError(f"{self.path}: wanted a results store, got: {reason}; check the path") from error
        if not head:
            return
        is_sqlite = head.startswith(b"SQLite format 3\0") and len(head) == 100
        application_id = int.from_bytes(head[68:72], "big") if is_sqlite else None
        if application_id == APPLICATION_ID:
            return
        if is_sqlite and application_id == 0 and self._is_unborn():
            return
        kind = "a SQLite file of something else" if is_sqlite else "another kind of file"
        raise InputError(f"{self.path}: wanted a Lockstep results store, got {kind}; name a new file")

    def _is_unborn(self) -> bool:
        """Whether the file is a database without a table: ours, killed before its first transaction."""
        with self._errors():
            db = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
            try:
                n_tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
                # After the tables: both are made in one step, by another process perhaps in this very moment.
                application_id = db.execute("PRAGMA application_id").fetchone()[0]
            finally:
                db.close()
        return bool(application_id == APPLICATION_ID or n_tables == 0)

    def _prepare(self) -> None:
        self._until_unlocked("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        if self._is_prepared():
            return
        with self._transaction():
            self._db.execute(_SCHEMA)
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _is_prepared(self) -> bool:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA_VERSION):
            raise InputError(f"{self.path}: wanted a store of version {SCHEMA_VERSION}, got {version}; name a new file")
        return bool(version == SCHEMA_VERSION)

    def _until_unlocked(self, statement: str) -> None:
        """Run a statement that ignores SQLite's own busy timeout, as switching to WAL does."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._db.execute(statement).fetchall()
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except (sqlite3.Error, zlib.error, ValueError, TypeError) as error:  # TypeError: a number where bytes should be
            reason = " ".join(str(error).split())
            raise InputError(
                f"{self.path}: wanted a results store that can be read and written, got: {reason}; "
                f"check disk and permissions or name a new file"
            ) from error


_LAYERS = {True: "layers", False: "NULL"}  # the column to select


_NAMED = {
    "family": str,
    "workload": str,
    "workload_digest": str,
    "model_version": str,
    "scaling": str,
    "space": str,
    "point": dict,
}  # what every row has, to be found again


def _pack(row: Row) -> tuple[bytes, bytes]:
    """(row without its layers, layers), each compressed JSON."""
    slim = {name: value for name, value in row.items() if name != "layers"}
    return _compress(slim), _compress(row.get("layers"))


def _unpack(row: bytes, layers: bytes | None) -> Row:
    found: Row = json.loads(zlib.decompress(row))
    if not isinstance(found, dict) or not all(isinstance(found.get(name), kind) for name, kind in _NAMED.items()):
        raise ValueError("a row that no sweep wrote")
    if layers is None:
        return found
    of_layers = json.loads(zlib.decompress(layers))
    if not isinstance(of_layers, list | None):
        raise ValueError("layers that no sweep wrote")
    return found | {"layers": of_layers}


def _compress(value: Any) -> bytes:
    return zlib.compress(json.dumps(value, separators=(",", ":")).encode(), level=1)


def _order(row: Row) -> tuple[Any, ...]:
    parameters = tuple((name, type(value).__name__, value) for name, value in row["point"].items())
    return row["family"], row["workload"], row["workload_digest"], row["model_version"], parameters
