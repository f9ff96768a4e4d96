"""The store: what is put is there, what is not a store is left alone, several writers get along."""

from __future__ import annotations

import csv
import multiprocessing
import os
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from designs.errors import InputError
from explore.export import export_csv, export_parquet, flat_table
from explore.store import APPLICATION_ID, Store, key_of, point_key


def row(n: int, **more: Any) -> dict[str, Any]:
    return {
        "family": "toy", "space": "s", "workload": "w", "workload_digest": "d", "model_version": "1",
        "scaling": "stillmaker_baas", "point": {"lanes": n, "mode": "a"}, "cycles": 10 * n, "phases": {"compute": n},
        "failure": None, **more,
    }  # fmt: skip


def put(store: Store, *rows: dict[str, Any]) -> list[str]:
    items = [(key_of(one), one) for one in rows]
    store.put(items)
    return [key for key, _ in items]


def test_rows_come_back_as_they_were_put(tmp_path: Path) -> None:
    rows = [row(n, layers=[{"name": "a", "cycles": n}]) for n in (3, 1, 20)]
    with Store(tmp_path / "s.sqlite") as store:
        keys = put(store, *rows)
        slim = [{name: value for name, value in one.items() if name != "layers"} for one in rows]
        assert store.get(keys) == dict(zip(keys, slim, strict=True))
        assert store.get([keys[1], "unknown"], layers=True) == {keys[1]: rows[1]}
    with Store(tmp_path / "s.sqlite", must_exist=True) as store:
        assert len(store) == 3
        assert [one["point"]["lanes"] for one in store.rows()] == [1, 3, 20]  # by content, not by time
        assert store.rows(layers=True)[0] == rows[1]


def test_a_key_that_is_there_keeps_its_row(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        (key,) = put(store, row(1))
        store.put([(key, row(1, cycles=99)), (key_of(row(2)), row(2))])
        assert store.get([key])[key]["cycles"] == 10 and len(store) == 2


def test_more_keys_than_one_query_takes(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        keys = put(store, *(row(n) for n in range(1234)))
        assert len(store.get(keys + ["x"] * 1000)) == 1234


def test_the_key_depends_on_everything_that_makes_a_result() -> None:
    base = ("toy", {"a": 1, "b": 2}, "digest", "version")
    variants = [
        base,
        ("tensor", *base[1:]),
        ("toy", {"a": 1, "b": 3}, *base[2:]),
        ("toy", {"a": 1, "b": "2"}, *base[2:]),
        ("toy", {"a": True, "b": 2}, *base[2:]),
        (*base[:2], "other", "version"),
        (*base[:3], "other"),
    ]
    assert len({point_key(*one) for one in variants}) == len(variants)
    assert point_key(*base) == point_key("toy", {"b": 2, "a": 1}, "digest", "version")


def sqlite_file(path: Path, *statements: str) -> Path:
    db = sqlite3.connect(path)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()
    return path


def test_foreign_files_are_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "thesis.txt"
    text.write_text("years of work " * 50)
    short = tmp_path / "short"
    short.write_bytes(b"SQLite format 3\0")
    other = sqlite_file(tmp_path / "other.sqlite", "CREATE TABLE holidays (day)")
    marked = sqlite_file(tmp_path / "marked.sqlite", "PRAGMA application_id = 7", "CREATE TABLE t (x)")
    for path in (text, short, other, marked):
        before = path.read_bytes(), path.stat().st_mtime_ns
        with pytest.raises(InputError, match="wanted a Lockstep results store, got .*; name a new file") as caught:
            Store(path)
        assert len(str(caught.value).splitlines()) == 1
        assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["marked.sqlite", "other.sqlite", "short", "thesis.txt"]


def test_other_files_that_cannot_be_a_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="wanted a results store, got: Is a directory"):
        Store(tmp_path)
    with pytest.raises(InputError, match="wanted a results store, got no such file"):
        Store(tmp_path / "none", must_exist=True)
    with pytest.raises(InputError, match="wanted a results store, got something that is no file"):
        Store(tmp_path, must_exist=True)
    with pytest.raises(InputError, match="unable to open database file"):
        Store(tmp_path / "no" / "such" / "folder")
    newer = sqlite_file(
        tmp_path / "newer", f"PRAGMA application_id = {APPLICATION_ID}", "PRAGMA user_version = 9", "CREATE TABLE t (x)"
    )
    with pytest.raises(InputError, match="wanted a store of version 1, got 9; name a new file"):
        Store(newer)


def test_a_damaged_store_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    with Store(path) as store:
        put(store, *(row(n, noise=os.urandom(500).hex()) for n in range(200)))
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(InputError, match="wanted a results store that can be read and written, got: ") as caught:
        with Store(path) as store:
            store.rows()
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("row", [b"[1]", b"{}", b"5", b'{"family": "tensor", "point": 3}', b"no json"])
def test_a_row_that_no_sweep_wrote_is_one_line(tmp_path: Path, row: bytes) -> None:
    path = tmp_path / "s.sqlite"
    Store(path).close()
    for packed in (zlib.compress(row), row, 5):
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("INSERT OR REPLACE INTO results VALUES ('k', 'f', 'w', 'm', ?, ?)", (packed, zlib.compress(b"[]")))
        with Store(path) as store:
            for read in (store.rows, lambda: store.get(["k"], layers=True)):
                with pytest.raises(InputError, match="wanted a results store that can be read and written, got: [^\n]+$"):
                    read()


def test_a_store_that_was_killed_at_birth_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    sqlite_file(tmp_path / "wal", "PRAGMA journal_mode = WAL")
    for name in ("empty", "wal"):
        with Store(tmp_path / name) as store:
            put(store, row(1))
            assert len(store) == 1


def _write_many(path: Path, first: int) -> None:
    with Store(path) as store:
        for n in range(first, first + 60, 3):
            put(store, row(n), row(n + 1), row(n + 2))


def test_several_writers_share_a_new_store(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(path, first)) for first in (0, 30, 60)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    with Store(path) as store:
        assert [one["point"]["lanes"] for one in store.rows()] == list(range(120))


def test_csv_and_parquet_hold_the_same_flat_table(tmp_path: Path) -> None:
    rows = [row(1), row(2, cycles=None, failure='layer "a", wanted 3'), row(3, layers=[{}])]
    assert flat_table(rows)[0] | {"scaling": ""} == {
        "family": "toy", "space": "s", "workload": "w", "workload_digest": "d", "model_version": "1", "scaling": "",
        "lanes": 1, "mode": "a", "cycles": 10, "phases.compute": 1, "failure": None,
    }  # fmt: skip
    export_csv(rows, tmp_path / "t.csv")
    with open(tmp_path / "t.csv", newline="") as file:
        read = list(csv.DictReader(file))
    assert [(one["lanes"], one["cycles"], one["failure"]) for one in read] == [
        ("1", "10", ""), ("2", "", 'layer "a", wanted 3'), ("3", "30", ""),
    ]  # fmt: skip
    duckdb = pytest.importorskip("duckdb")
    export_parquet(rows, tmp_path / "it's.parquet")
    query = duckdb.read_parquet(str(tmp_path / "it's.parquet"))
    assert query.project("lanes, cycles, failure").fetchall() == [
        (1, 10, None), (2, None, 'layer "a", wanted 3'), (3, 30, None),
    ]  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["it's.parquet", "t.csv"]
    with pytest.raises(InputError, match="wanted a file to write to, got: No such file or directory"):
        export_csv(rows, tmp_path / "no" / "t.csv")
