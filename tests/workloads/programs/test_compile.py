"""Ports, undefined values, the cache, and ABC."""

import numpy as np
import pytest

from designs.errors import InputError
from tests.workloads.programs.conftest import Compile
from workloads.circuits.circuit import Port
from workloads.circuits.evaluate import run_circuit
from workloads.circuits.levels import shape_of
from workloads.circuits.values import decode_outputs, encode_inputs
from workloads.programs import check
from workloads.programs import compile as compiling
from workloads.programs.check import Check, check_program, native_outputs
from workloads.programs.compile import Program, compile_c, program_names


def run(program: Program, **values: object) -> dict[str, object]:
    circuit = program.circuit
    bits = encode_inputs(circuit.inputs, values)
    return decode_outputs(circuit.output_ports, run_circuit(circuit, bits[None])[0])


def test_ports_have_the_names_widths_and_shapes_of_c(compiled: Compile) -> None:
    program = compiled(
        "#include <stdint.h>\n#define N 3\ntypedef int16_t row[N];\n"
        "uint8_t f(const row x[2], _Bool b, uint64_t y[N - 1], char c, int16_t z[static 2]) { y[0] = b; z[1] += c; z[0] = 0; return x[1][2]; }"
    )
    assert program.circuit.inputs == (
        Port(name="x", bits=16, signed=True, shape=(2, 3)),
        Port(name="b", bits=1),
        Port(name="y", bits=64, shape=(2,)),  # y[1] stays what it was
        Port(name="c", bits=8, signed=True),
        Port(name="z", bits=16, signed=True, shape=(2,)),
    )
    assert program.circuit.output_ports == (
        Port(name="return", bits=8),
        Port(name="y", bits=64, shape=(2,)),
        Port(name="z", bits=16, signed=True, shape=(2,)),
    )
    given = {"x": [[1, 2, 3], [4, 5, -2]], "b": 1, "y": [7, 8], "c": -3, "z": [5, 6]}
    assert run(program, **given) == {"return": 254, "y": [1, 8], "z": [0, 3]}


def test_arrays_that_only_leave_are_no_inputs(compiled: Compile) -> None:
    program = compiled("void f(int a, int y[2]) { y[0] = a; y[1] = a + 1; }")
    assert [port.name for port in program.circuit.inputs] == ["a"]
    assert run(program, a=5) == {"y": [5, 6]}


def test_division_by_zero(compiled: Compile) -> None:
    program = compiled("#include <stdint.h>\nvoid f(uint8_t a, uint8_t b, uint8_t y[2]) { y[0] = a / b; y[1] = a % b; }")
    assert run(program, a=200, b=7) == {"y": [28, 4]}
    assert run(program, a=200, b=0) == {"y": [255, 200]}
    assert native_outputs(program, [{"a": 200, "b": 7}, {"a": 200, "b": 0}]) == [{"y": [28, 4]}, None]


def test_what_c_leaves_undefined_is_skipped(compiled: Compile) -> None:
    program = compiled("int f(const int x[4], int i) {\n  return x[i];\n}")
    vectors = [{"x": [1, 2, 3, 4], "i": i} for i in (-1, 0, 3, 4)]
    assert native_outputs(program, vectors) == [None, {"return": 1}, {"return": 4}, None]
    endless = compiled("int f(unsigned char n) {\n  unsigned i = 0;\n  while (i != n * 2u && i < 600) i += 2;\n  return i;\n}")
    assert native_outputs(endless, [{"n": 3}]) == [{"return": 6}]


def test_each_run_begins_with_initial_values(compiled: Compile) -> None:
    program = compiled("int f(int n) { static int count = 7; count += n & 3; return count; }")
    assert check_program(program, n_inputs=5) == Check(5, 0)
    assert run(program, n=2) == {"return": 9}


def test_a_wrong_circuit_is_found(compiled: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    program = compiled("unsigned char f(unsigned char n) { return n ^ 1; }")
    monkeypatch.setattr(check, "run_circuit", lambda circuit, bits: 1 - run_circuit(circuit, bits))
    with pytest.raises(InputError, match=r"^program.c: return: wanted \d+ as the C program gives for \{'n': \d+\}, got \d+ from the circuit;"):
        check_program(program, n_inputs=1)


def test_the_second_time_comes_from_the_cache(compiled: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "int f(int a, int b[2]) { b[0] += a; return b[1] - a; }"
    first = compiled(text)
    monkeypatch.setattr(compiling, "parse", None)  # would be called
    second = compiled(text)
    assert second.circuit.digest == first.circuit.digest
    assert (second.parameters, second.result, second.entry) == (first.parameters, first.result, first.entry)
    with pytest.raises(TypeError):
        compiled(text + "\n")


def test_abc_makes_it_smaller_and_computes_the_same(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKSTEP_CACHE_DIR", str(tmp_path))
    said: list[str] = []
    program = compile_c("crc32", progress=said.append)
    assert "ABC script 1 of 3 on 386 bootstraps" in said
    assert shape_of(program.circuit).n_bootstraps <= 256  # the facts' figure is 251 to 258
    assert check_program(program, n_inputs=20) == Check(20, 0)


def test_known_values_of_programs_that_come_along(compiled: Compile) -> None:
    def of(name: str) -> Program:
        return compile_c(name, progress=lambda message: None)

    assert run(of("crc32"), data=list(b"abcd")) == {"return": 0xED82CD11}
    assert run(of("levenshtein"), a=list(b"kitten"), b=list(b"sittin")) == {"return": 2}
    assert run(of("gcd"), a=144, b=233) == {"return": 1}
    assert run(of("gcd"), a=84, b=36) == {"return": 12}
    assert run(of("sort"), x=[9, 3, 255, 0, 3, 77, 1, 128]) == {"x": [0, 1, 3, 3, 9, 77, 128, 255]}
    assert run(of("kadane"), x=[1, -3, 4, -1, 2, 1, -5, 4] + [-9] * 8) == {"return": 6, "span": [2, 5]}
    # Speck 32/64's published test vector
    assert run(of("speck"), block=[0x694C, 0x6574], key=[0x0100, 0x0908, 0x1110, 0x1918]) == {"block": [0x42F2, 0xA868]}
    assert run(of("sigmoid_table"), x=0) == {"return": 128}
    assert run(of("divide"), a=-100, b=7) == {"result": [-14, -2]}


def test_names_of_programs() -> None:
    assert {"sigmoid_table", "dot_product", "matrix_product", "crc32", "sort", "sobel", "binary_network"} <= set(program_names())


def test_circuits_are_deterministic(compiled: Compile, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "#include <stdint.h>\nint32_t f(const int8_t a[3], int8_t b) { int s = 0; for (int i = 0; i < 3; i++) if (a[i] > b) s += a[i] * b; return s; }"
    first = compiled(text).circuit
    monkeypatch.setenv("LOCKSTEP_CACHE_DIR", str(tmp_path / "other"))
    second = compiled(text).circuit
    assert first.digest == second.digest
    assert np.array_equal(first.operands, second.operands)
