"""BLIF: what is read means what the format says, comes back as it was written, and faults are one line each."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from designs.yosys import run_yosys
from tests.designs.test_mutated_files import damaged
from workloads.importers.blif import import_blif, load_blif, write_blif
from workloads.netlist import Netlist, run_netlist
from workloads.netlist_builder import check
from workloads.random_netlists import random_netlist

EXAMPLES = Path(__file__).parents[3] / "workloads" / "classifiers" / "examples"


def read(tmp_path: Path, text: str) -> Netlist:
    path = tmp_path / "c.blif"
    path.write_text(text)
    return load_blif(path)


def vectors(n_inputs: int) -> np.ndarray:
    """All of them, row i being i."""
    return (np.arange(1 << n_inputs)[:, None] >> np.arange(n_inputs) & 1).astype(np.uint8)


def column(netlist: Netlist) -> list[int]:
    """The first output for all inputs."""
    return run_netlist(netlist, vectors(netlist.n_inputs))[:, 0].tolist()


def same(first: Netlist, second: Netlist) -> bool:
    arrays = ("fanin_start", "fanin", "table_start", "tables", "outputs")
    names = first.input_names == second.input_names and first.output_names == second.output_names
    return names and all(np.array_equal(getattr(first, name), getattr(second, name)) for name in arrays)


def test_the_first_column_is_the_least_significant_bit(tmp_path: Path) -> None:
    netlist = read(tmp_path, ".model m\n.inputs a b\n.outputs y\n.names a b y\n10 1\n.end\n")
    assert column(netlist) == [0, 1, 0, 0]
    assert netlist.input_names == ("a", "b")


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ("1- 1\n-1 1", [0, 1, 1, 1]),
        ("11 0", [1, 1, 1, 0]),  # the off-set is listed
        ("-- 1", [1, 1, 1, 1]),
        ("-- 0", [0, 0, 0, 0]),
        ("10 1\n01 1\n10 1", [0, 1, 1, 0]),
    ],
)
def test_covers(tmp_path: Path, rows: str, wanted: list[int]) -> None:
    assert column(read(tmp_path, f".model m\n.inputs a b\n.outputs y\n.names a b y\n{rows}\n.end")) == wanted


def test_constants_wires_repeated_inputs_comments_and_continued_lines(tmp_path: Path) -> None:
    text = """# made by hand
.model m   # a comment
.inputs a \\
  b
.outputs zero one wire twice
.names zero
.names one
1
.names a wire
1 1
.names a a b twice
1-1 1
.end
"""
    netlist = read(tmp_path, text)
    assert run_netlist(netlist, vectors(2)).T.tolist() == [[0] * 4, [1] * 4, [0, 1, 0, 1], [0, 0, 0, 1]]
    assert netlist.n_luts == 1  # an AND; the rest is no logic


def test_nodes_in_any_order(tmp_path: Path) -> None:
    text = ".model m\n.inputs a b c\n.outputs y\n.names t c y\n11 1\n.names u b t\n10 1\n.names a u\n0 1\n.end"
    assert column(read(tmp_path, text)) == [1 if v & 5 == 4 and not v & 2 else 0 for v in range(8)]


@pytest.mark.parametrize("n_inputs", [16, 17, 40, 300])
@pytest.mark.parametrize("value", ["1", "0"])
def test_wide_covers_are_exact(tmp_path: Path, n_inputs: int, value: str) -> None:
    rng = np.random.default_rng(n_inputs)
    cubes = rng.choice(list("01-"), size=(9, n_inputs), p=(0.1, 0.1, 0.8))
    cubes[:, rng.permutation(n_inputs)[:3]] = "1"  # so that all of them do not hold at once
    names = " ".join(f"x{i}" for i in range(n_inputs))
    rows = "\n".join("".join(cube) + f" {value}" for cube in cubes)
    netlist = read(tmp_path, f".model m\n.inputs {names}\n.outputs y\n.names {names} y\n{rows}\n.end")
    samples = rng.integers(0, 2, (400, n_inputs), dtype=np.uint8)
    for index in range(300):  # most samples lie in a cube, or one bit beside it
        cube = cubes[index % len(cubes)]
        samples[index] = np.where(cube == "-", samples[index], cube == "1")
        if index % 3 == 0:
            samples[index, rng.integers(n_inputs)] ^= 1
    holds = np.array(
        [[all(c in ("-", str(bit)) for c, bit in zip(cube, row, strict=True)) for cube in cubes] for row in samples]
    ).any(axis=1)
    wanted = holds if value == "1" else ~holds
    assert 0 < wanted.sum() < len(samples)
    assert run_netlist(netlist, samples)[:, 0].tolist() == wanted.astype(int).tolist()
    check(netlist)


def test_models_within_models() -> None:
    netlist = load_blif(EXAMPLES / "majority.blif")
    assert column(netlist) == [int(bin(v).count("1") >= 3) for v in range(32)]


def test_the_top_is_the_model_that_nobody_uses(tmp_path: Path) -> None:
    text = ".model inner\n.inputs p\n.outputs q\n.names p q\n0 1\n.end\n.model outer\n.inputs a\n.outputs y\n.subckt inner p=a q=y\n.end"
    path = tmp_path / "two.blif"
    path.write_text(text)
    assert import_blif(path).model == "outer"
    assert column(load_blif(path)) == [1, 0]


def test_a_balanced_pipeline_is_its_function(tmp_path: Path) -> None:
    path = tmp_path / "p.blif"
    path.write_text(
        ".model p\n.inputs clk a b\n.outputs y\n.latch a qa re clk 0\n.latch b qb re clk 3\n"
        ".names qa qb d\n11 1\n.latch d y re clk 2\n.end\n"
    )
    imported = import_blif(path)
    assert (imported.n_register_stages, imported.dropped_inputs) == (2, ("clk",))
    assert imported.netlist.input_names == ("a", "b")
    assert column(imported.netlist) == [0, 0, 0, 1]
    assert imported.remark == "p: taken as its function; 2 stages of registers left out with clk"


def test_latches_without_a_clock_and_constants_at_any_depth(tmp_path: Path) -> None:
    text = ".model p\n.inputs a\n.outputs y\n.latch a q\n.names one\n1\n.names q one y\n11 1\n.end"
    assert column(read(tmp_path, text)) == [0, 1]


def test_cells_that_yosys_and_fpgas_know(tmp_path: Path) -> None:
    text = """.model m
.inputs a b c
.outputs x y z n
.gate $lut A[0]=a A[1]=b Y=x
.param WIDTH 00000000000000000000000000000010
.param LUT 0100
.subckt LUT3 I0=a I1=b I2=c O=y
.param INIT 10010110
.gate LUT4 A=a B=b C=c D=c Z=z
.param INIT 1000000000000000
.gate $_MUX_ A=a B=b S=c Y=n
.end
"""
    found = run_netlist(read(tmp_path, text), vectors(3)).T.tolist()
    bits = [(v & 1, v >> 1 & 1, v >> 2 & 1) for v in range(8)]
    assert found[0] == [(1 - a) & b for a, b, _ in bits]
    assert found[1] == [a ^ b ^ c for a, b, c in bits]
    assert found[2] == [a & b & c for a, b, c in bits]
    assert found[3] == [b if c else a for a, b, c in bits]


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_what_is_written_means_the_same_and_then_stays_the_same(seed: int) -> None:
    import tempfile

    rng = np.random.default_rng(seed)
    netlist = random_netlist(rng, int(rng.integers(1, 14)), int(rng.integers(0, 40)), int(rng.integers(1, 9)))
    samples = rng.integers(0, 2, (200, netlist.n_inputs), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        write_blif(netlist, f"{folder}/a.blif", "random")
        once = load_blif(f"{folder}/a.blif")
        write_blif(once, f"{folder}/b.blif", "random")
        twice = load_blif(f"{folder}/b.blif")
    check(once)
    assert np.array_equal(run_netlist(once, samples), run_netlist(netlist, samples))
    assert same(once, twice)


def test_long_lines_are_wrapped_and_read(tmp_path: Path) -> None:
    netlist = random_netlist(np.random.default_rng(0), 300, 20, 16)
    write_blif(netlist, tmp_path / "w.blif", "wide")
    lines = (tmp_path / "w.blif").read_text().splitlines()
    assert max(map(len, lines)) <= 110
    assert any(line.endswith("\\") for line in lines)
    assert load_blif(tmp_path / "w.blif").input_names == netlist.input_names


@pytest.mark.parametrize("name", ["a b", "", "a#", "a=b", "x\\", ".names", "a\nb"])
def test_names_that_blif_cannot_hold_are_refused(tmp_path: Path, name: str) -> None:
    from workloads.netlist_builder import NetlistBuilder

    builder = NetlistBuilder([name])
    with pytest.raises(InputError, match="wanted a name that BLIF can hold"):
        write_blif(builder.finish([("y", 0)]), tmp_path / "x.blif", "m")
    assert not (tmp_path / "x.blif").exists()


M = ".model m\n.inputs a b\n.outputs y\n"
BROKEN = {
    "loop": (M + ".names a v u\n11 1\n.names u b v\n11 1\n.names v y\n1 1\n.end", "c.blif:6: wanted a circuit without combinational loops, got v -> u -> v; break it"),
    "loop_on_itself": (M + ".names a y y\n11 1\n.end", "c.blif:4: wanted a circuit without combinational loops, got y -> y; break it"),
    "undriven": (M + ".names a c y\n11 1\n.end", "c.blif:4: c: wanted a driver, got none; drive it or make it an input"),
    "undriven_output": (M + ".names a z\n1 1\n.end", "c.blif: output y: wanted a driver, got none; drive it or remove it"),
    "double": (M + ".names a y\n1 1\n.names b y\n1 1\n.end", "c.blif:6: y: wanted one driver, got a second beside c.blif:4; remove one"),
    "drives_an_input": (M + ".names a b\n1 1\n.names b y\n1 1\n.end", "c.blif:4: b: wanted one driver, got a second beside an input; remove one"),
    "input_twice": (".model m\n.inputs a a\n.outputs y\n.names a y\n1 1", "c.blif: a: wanted an input once, got it twice; remove one"),
    "output_twice": (".model m\n.inputs a\n.outputs y y\n.names a y\n1 1", "c.blif: y: wanted an output once, got it twice; remove one"),
    "missing_table": (M + ".names a b y\n.end", "c.blif:4: y: wanted rows, the table of 2 inputs, got none; write .names y alone for a constant 0"),
    "columns": (M + ".names a b y\n111 1\n.end", "c.blif:5: y: wanted 2 input columns, got 3; mend the row"),
    "no_output_column": (M + ".names a b y\n11\n.end", "c.blif:5: y: wanted a row of inputs and output, got 1 columns; mend it"),
    "row_digit": (M + ".names a b y\n1x 1\n.end", "c.blif:5: y: wanted 0, 1 or - in a row, got '1x'; mend it"),
    "row_output": (M + ".names a b y\n11 2\n.end", "c.blif:5: y: wanted 0 or 1 as output, got '2'; mend the row"),
    "mixed_rows": (M + ".names a b y\n11 1\n00 0\n.end", "c.blif:6: y: wanted rows of one output value (1), got 0; list the ones or the zeros"),
    "unknown": (M + ".nmaes a y\n1 1\n.end", "c.blif:4: wanted one of .model, .inputs, .outputs, .clock, .names, .latch, .subckt, .gate, .conn, got '.nmaes' (did you mean '.names'?); remove it"),
    "search": (M + ".search other.blif\n.end", "c.blif:4: wanted a circuit, got .search: other files are not searched; put all models into this one"),
    "stray_row": (M + "11 1\n.end", "c.blif:4: wanted a statement that begins with a dot, got '11'; remove it"),
    "no_model": (".inputs a\n.outputs a\n.end", "c.blif:1: wanted .model first, got '.inputs'; begin the file with .model NAME"),
    "model_name": (".model\n", "c.blif:1: wanted .model NAME, got 0 names; give one"),
    "model_twice": (".model m\n.end\n.model m\n.end", "c.blif:3: wanted models of different names, got a second m after c.blif:1; rename it"),
    "no_outputs": (".model m\n.inputs a\n.end", "c.blif: wanted a circuit with outputs, got m without; name some"),
    "empty": ("", "c.blif: wanted a .model, got a file without statements; is it the right file?"),
    "comments_only": ("# nothing\n\n", "c.blif: wanted a .model, got a file without statements; is it the right file?"),
    "unknown_model": (M + ".subckt adder x=a y=y\n.end", "c.blif:4: wanted a model of this file, got 'adder'; add its .model"),
    "unknown_port": (".model m\n.inputs a\n.outputs y\n.subckt inv in=a out=y\n.end\n.model inv\n.inputs inp\n.outputs out\n.names inp out\n0 1\n.end", "c.blif:4: wanted ports of inv, got 'in' (did you mean 'inp'?); mend it"),
    "open_port": (".model m\n.inputs a\n.outputs y\n.subckt inv out=y\n.end\n.model inv\n.inputs inp\n.outputs out\n.names inp out\n0 1\n.end", "c.blif:4: inv: wanted input inp connected, got it open; connect it"),
    "port_syntax": (M + ".subckt inv a y\n.end", "c.blif:4: inv: wanted PORT=SIGNAL, got 'a'; mend it"),
    "ring_of_models": (".model m\n.inputs a\n.outputs y\n.subckt p x=a z=y\n.end\n.model p\n.inputs x\n.outputs z\n.subckt p x=x z=z\n.end", "c.blif:9: wanted models that end somewhere, got p in p in m; break the ring"),
    "lut_without_table": (M + ".gate LUT2 I0=a I1=b O=y\n.end", "c.blif:4: LUT2: wanted its table as .param INIT, got none; write it with -param"),
    "lut_undefined": (M + ".gate LUT2 I0=a I1=b O=y\n.param INIT 1x00\n.end", "c.blif:4: LUT2: wanted 4 bits 0 or 1 in INIT, got 1x00; mend it"),
    "lut_port": (M + ".gate LUT1 I0=a X=b O=y\n.param INIT 10\n.end", "c.blif:4: LUT1: wanted ports I0, O, got X; remove it"),
    "unbalanced": (".model m\n.inputs c a b\n.outputs y\n.latch a q re c 0\n.names q b y\n11 1\n.end", "c.blif:5: y: wanted as many registers on every way from the inputs, got 0 by b and 1 by q; balance the pipeline"),
    "feedback": (".model m\n.inputs c a\n.outputs q\n.names a q d\n10 1\n01 1\n.latch d q re c 0\n.end", "c.blif:7: wanted registers without feedback, got q -> d -> q; only feed-forward circuits are read"),
    "clock_is_data": (".model m\n.inputs c a\n.outputs q c\n.latch a q re c 0\n.end", "c.blif:4: q: wanted a clock that is no data, got c, which reaches an output; separate them"),
    "gated_clock": (".model m\n.inputs c e a\n.outputs q\n.names c e g\n11 1\n.latch a q re g 0\n.end", "c.blif:6: q: wanted an input as clock, got g, which is logic; only pipelines on one plain clock are read"),
    "two_clocks": (".model m\n.inputs c d a\n.outputs q\n.latch a p re c 0\n.latch p q re d 0\n.end", "c.blif: wanted registers on one clock, got c, d; only one clock domain is read"),
    "level_latch": (".model m\n.inputs c a\n.outputs q\n.latch a q ah c 0\n.end", "c.blif:4: q: wanted a latch on an edge (re or fe), got 'ah'; use one"),
    "latch_words": (".model m\n.inputs c a\n.outputs q\n.latch a\n.end", "c.blif:4: wanted .latch INPUT OUTPUT [TYPE CLOCK] [INITIAL], got 1 words; mend it"),
    "latch_initial": (".model m\n.inputs c a\n.outputs q\n.latch a q re c 7\n.end", "c.blif:4: q: wanted an initial value 0 to 3, got '7'; mend it"),
    "control_character": (M + ".names a\x1b y\n1 1\n.end", "c.blif:4: wanted a BLIF file, which is plain text, got '\\x1b'; remove it"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    text, wanted = BROKEN[case]
    (tmp_path / "c.blif").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as refused:
        load_blif("c.blif")
    assert str(refused.value) == wanted


def test_files_that_are_none(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "no.blif", "No such file or directory"), (tmp_path, "a folder")):
        with pytest.raises(InputError, match=f"wanted a BLIF file, got:? {reason}"):
            load_blif(path)
    (tmp_path / "b.blif").write_bytes(bytes(range(256)))
    with pytest.raises(
        InputError, match="b.blif: wanted a BLIF file, got: bytes that are no text; is it the right file"
    ):
        load_blif(tmp_path / "b.blif")


def test_a_file_that_unfolds_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workloads.importers.gates.MOST_GATES", 1000)
    levels = [
        f".model m{i}\n.inputs a\n.outputs y\n.subckt m{i + 1} a=a y=t\n.subckt m{i + 1} a=t y=y\n.end"
        for i in range(40)
    ]
    text = "\n".join([*levels, ".model m40\n.inputs a\n.outputs y\n.names a y\n0 1\n.end"])
    with pytest.raises(InputError, match="wanted at most 1000 gates, got more; import a smaller circuit"):
        read(tmp_path, text)


def test_long_names_are_cut_in_messages(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x{40}\.\.\.x{40}: wanted a driver") as refused:
        read(tmp_path, f".model m\n.outputs y\n.names {'x' * 5000} y\n1 1")
    assert len(str(refused.value)) < 400


def test_damaged_files_give_one_line_or_load(tmp_path: Path) -> None:
    good = (EXAMPLES / "majority.blif").read_bytes()
    draw = random.Random(7)
    refusals = 0
    for index in range(300):
        path = tmp_path / f"{index}.blif"
        path.write_bytes(damaged(good, draw))
        try:
            check(load_blif(path))
        except InputError as error:
            refusals += 1
            assert "\n" not in str(error)
            assert str(error).startswith(str(path)) and "wanted" in str(error) and len(str(error)) < 1000
    assert 50 < refusals < 300


YOSYS_FLAVOURS = {
    "plain": "write_blif c.blif",
    "parameters_and_connections": "write_blif -conn -param -gates -icells -cname -attr c.blif",
    "gates": "techmap t:$lut; abc -g AND,XOR,MUX,NAND,NOR,XNOR; opt_clean -purge; write_blif -gates -icells -iname -iattr c.blif",
    "hierarchy_of_luts": "write_blif -impltf -noalias c.blif",
}


@pytest.mark.rtl
@pytest.mark.parametrize("flavour", YOSYS_FLAVOURS)
def test_blif_written_by_yosys_from_our_verilog(tmp_path: Path, flavour: str) -> None:
    (tmp_path / "c.v").write_text((EXAMPLES / "more_ones.v").read_text())
    script = f"read_verilog c.v\nsynth -flatten -lut 6 -top more_ones\n{YOSYS_FLAVOURS[flavour]}\n"
    run_yosys(script, tmp_path)
    imported = import_blif(tmp_path / "c.blif")
    assert (imported.n_register_stages, imported.dropped_inputs) == (2, ("clk", "rst"))
    netlist = imported.netlist
    samples = vectors(16)
    more = samples[:, :8].sum(axis=1) > samples[:, 8:].sum(axis=1)
    assert np.array_equal(run_netlist(netlist, samples)[:, 0], more.astype(np.uint8))
    write_blif(netlist, tmp_path / "again.blif", "again")
    assert same(load_blif(tmp_path / "again.blif"), netlist)


def test_only_yosys_writes_a_table_of_zeros_as_no_rows(tmp_path: Path) -> None:
    text = ".model m\n.inputs a\n.outputs y\n.names a y\n.end\n"
    assert column(read(tmp_path, "# Generated by Yosys 0.70\n\n" + text)) == [0, 0]
    with pytest.raises(InputError, match="wanted rows"):
        read(tmp_path, "# made by hand\n" + text)


@pytest.mark.rtl
def test_yosys_reads_what_we_write_and_finds_it_equal(tmp_path: Path) -> None:
    netlist = random_netlist(np.random.default_rng(3), 9, 30, 6, n_outputs=5)
    write_blif(netlist, tmp_path / "ours.blif", "ours")
    run_yosys("read_blif ours.blif\nwrite_blif theirs.blif\n", tmp_path)
    theirs = load_blif(tmp_path / "theirs.blif")
    assert theirs.input_names == netlist.input_names
    assert theirs.output_names == netlist.output_names
    assert np.array_equal(run_netlist(theirs, vectors(9)), run_netlist(netlist, vectors(9)))
