"""What is outside the subset is refused in one line, with file and line."""

import pytest

from designs.errors import InputError
from tests.workloads.programs.conftest import Compile
from workloads.programs import clang, execute, optimize

OUTSIDE = "wanted a program of integers and arrays of them, got"
ADDRESS = "an address (pointer); index arrays"
INCLUDE = "wanted no #include but <stdint.h>, <stdbool.h> and <limits.h>, got"

REFUSED = {
    "recursion": ("int f(int n) {\n  return n < 2 ? n : f(n - 1) + f(n - 2);\n}", f":2: {OUTSIDE} recursion of f; write a loop"),
    "recursion of two": (
        "static int g(int n);\nstatic int h(int n) { return g(n - 1); }\nstatic int g(int n) { return n ? h(n) : 0; }\nint f(int n) { return g(n); }",
        f":2: {OUTSIDE} recursion of h; write a loop",
    ),
    "a float": ("int f(int n) {\n  float x = n;\n  return x;\n}", f":2: {OUTSIDE} a floating-point value; use integers (fixed point)"),
    "a float constant": ("int f(int n) {\n\n  return n * 1.5;\n}", f":3: {OUTSIDE} a floating-point value; use integers (fixed point)"),
    "a pointer parameter": ("int f(int *p) { return p[0]; }", f":1: {OUTSIDE} {ADDRESS}"),
    "a pointer": ("int f(const int x[4]) {\n  const int *p = x;\n  return p[1];\n}", f":2: {OUTSIDE} {ADDRESS}"),
    "a pointer followed": ("int f(const int x[4]) {\n  return *x;\n}", f":2: {OUTSIDE} * on {ADDRESS}"),
    "pointer arithmetic": ("int f(const int x[4]) {\n  x++;\n  return x[0];\n}", f":2: {OUTSIDE} pointer arithmetic; index arrays"),
    "an address": ("int f(int n) {\n  return &n != 0;\n}", f":2: {OUTSIDE} & on {ADDRESS}"),
    "addresses compared": ("int f(int x[2], int y[2]) {\n  return x == y;\n}", f":2: {OUTSIDE} a comparison of addresses; compare indices"),
    "an array without bound": ("int f(const int x[]) { return x[0]; }", ":1: wanted a constant bound of the array x, got none; write it between [ and ]"),
    "an array of variable length": ("int f(int n) {\n  int x[n];\n  x[0] = n;\n  return x[0];\n}", f":2: {OUTSIDE} the array x without constant bounds; give it some"),
    "an encrypted bound": (
        "int f(unsigned n, const int x[4]) {\n  int s = 0;\n  for (unsigned i = 0; i < n; i++)\n    s += x[i & 3] ^ s;\n  return s;\n}",
        f":3: {OUTSIDE} a loop whose bound is encrypted; give it a constant bound and leave it with break",
    ),
    "an endless loop": ("int f(int n) {\n  for (;;) n += n & 3;\n}", f":2: {OUTSIDE} a program of more than 20000 instructions once its loops are unrolled; let it do less"),
    "a long loop": (
        "unsigned f(unsigned n) {\n  for (int i = 0; i < 1000000000; i++)\n    n ^= n << 13 ^ i;\n  return n;\n}",
        f":2: {OUTSIDE} a program of more than 20000 instructions once its loops are unrolled; let it do less",
    ),
    "volatile": ("int f(int n) {\n  volatile int x = n;\n  return x;\n}", f":2: {OUTSIDE} volatile or atomic memory; use plain arrays"),
    "assembly": ('int f(int n) {\n  __asm__("nop");\n  return n;\n}', f":2: {OUTSIDE} assembly; write it in C"),
    "assembly beside functions": ('__asm__(".incbin \\"/etc/passwd\\"");\nint f(int n) { return n; }', f":1: {OUTSIDE} assembly; write it in C"),
    "a header of the system": ("#include <stdint.h>\n#include <stdio.h>\nint f(int n) { return n; }", f":2: {INCLUDE} 'stdio.h'; remove it"),
    "another file": ('#include "/etc/passwd"\nint f(int n) { return n; }', f":1: {INCLUDE} '/etc/passwd'; remove it"),
    "the program itself": ('#include "program.c"\nint f(int n) { return n; }', f":1: {INCLUDE} 'program.c'; remove it"),
    "another file's bytes": ('static const char x[] = {\n#embed "/etc/passwd"\n};\nint f(int n) { return x[n & 3]; }', f":2: {INCLUDE} '/etc/passwd'; remove it"),
    "a line of another file": ('#line 1 "x.h"\n__asm__("nop");\nint f(int n) { return n; }', ": wanted a program without #line, got one of 'x.h'; remove it"),
    "a call of what is not here": ("int g(int n);\nint f(int n) {\n  return g(n);\n}", f":3: {OUTSIDE} a call of g, which this file does not define; define it here"),
    "a variable number of arguments": ("int f(int n, ...) { return n; }", f":1: {OUTSIDE} a variable number of arguments; name each"),
    "a struct": ("struct s { int a; };\nint f(int n) { struct s x = {n}; return x.a; }", f":1: {OUTSIDE} a struct or union; use integers and arrays"),
    "an index beyond the array": (
        "int f(const int x[4]) {\n  int s = 0;\n  for (int i = 0; i < 5; i++)\n    s += x[i];\n  return s;\n}",
        f":4: {OUTSIDE} element 4 of x, which has 4; keep the index within the array",
    ),
    "what clang refuses": ("int f(int n) {\n  return n +;\n}", ":2: wanted C that compiles, got: expected expression; mend it"),
    "128 bits": ("__int128 f(int n) { return n; }", ":1: return: wanted an integer of 8 to 64 bits or _Bool, or an array of such, got __int128; use <stdint.h>"),
    "bits of any number": ("int f(int n) {\n  unsigned _BitInt(5) x = n;\n  return x;\n}", f":2: {OUTSIDE} a value of type unsigned _BitInt(5); use integers of 8 to 64 bits"),
    "two entries": ("int f(int n) { return n; }\nint g(int n) { return n; }", ": wanted one function that is not static, got f, g; name the entry, or make others static"),
    "no function": ("", ": wanted one function that is not static, got none; name the entry, or make others static"),
    "nothing to compute": ("void f(void) {}", ":1: wanted parameters and a result, got none; give f some"),
    "a variable of elsewhere": ("extern int y;\nint f(int n) {\n  return n + y;\n}", f":1: {OUTSIDE} y, which is defined elsewhere; define it here"),
    "what runs before": ("__attribute__((constructor)) static void g(void) {}\nint f(int n) { return n; }", f":1: {OUTSIDE} an attribute (Constructor); remove it"),
    "a library": ('#pragma comment(lib, "x")\nint f(int n) { return n; }', f":1: {OUTSIDE} a #pragma comment; remove it"),
    "a float in a choice by type": (
        "int f(int n) {\n  return _Generic(n, int: n, default: 1.5);\n}", f":2: {OUTSIDE} a floating-point value; use integers (fixed point)",
    ),
    "a huge array": ("int f(int n) {\n  static int x[1 << 30];\n  x[n & 3] = n;\n  return x[1];\n}", f":3: {OUTSIDE} f.x of 1073741824 elements; take 1048576 at most"),
    "a huge parameter": ("int f(const int x[1 << 30]) { return x[5]; }", ": wanted a circuit of 2000000 words at most, got more; let it do less"),
    "deep expressions": ("int f(int n) { return " + "(" * 900 + "n" + ")" * 900 + "; }", ": wanted expressions and blocks less deep, got too many in one another; split them"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line(compiled: Compile, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(execute, "MOST_STEPS", 20_000)
    monkeypatch.setattr(execute, "MOST_ENCRYPTED_ITERATIONS", 200)
    text, message = REFUSED[name]
    with pytest.raises(InputError) as refused:
        compiled(text)
    assert str(refused.value) == f"program.c{message}"


def test_other_files_do_not_exist_for_the_program(compiled: Compile) -> None:
    program = compiled('#if __has_include("/etc/passwd") || __has_include(<stdio.h>)\n#error seen\n#endif\nint f(int n) { return n; }')
    assert program.circuit.n_gates == 0


def test_too_many_gates(compiled: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimize, "MOST_GATES", 500)
    with pytest.raises(InputError) as refused:
        compiled("long f(long a, long b) { return a * b; }")
    assert str(refused.value) == "program.c: wanted a circuit of 500 gates at most, got more; let it do less"


def test_what_clang_writes_has_a_limit(compiled: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clang, "MOST_FILE_BYTES", 20_000)
    with pytest.raises(InputError, match=r"^program\.c: wanted C that compiles, got: more than 20000 bytes of syntax"):
        compiled("int f(int n) { return " + "n + " * 300 + "n; }")


def test_files_that_are_no_c(compiled: Compile, tmp_path) -> None:
    from workloads.programs.compile import compile_c

    with pytest.raises(InputError, match=r"^absent.c: wanted a C file, got: No such file or directory; name another$"):
        compile_c("absent.c")
    (tmp_path / "bytes.c").write_bytes(b"\xff\xfe\0")
    with pytest.raises(InputError, match=r"^bytes.c: wanted C text, got bytes that are no text; is it the right file\?$"):
        compile_c("bytes.c")


def test_entries(compiled: Compile) -> None:
    two = "static int h(int n) { return n; }\nint f(int n) { return n + 1; }\nint g(int m) { return h(m); }"
    assert compiled(two, entry="g").circuit.inputs[0].name == "m"
    with pytest.raises(InputError) as refused:
        compiled(two, entry="h")
    assert str(refused.value) == "program.c: wanted as entry a function that is not static (f, g), got the static h; drop static"
    with pytest.raises(InputError, match=r"got 'ff' \(did you mean 'f'\?\)$"):
        compiled(two, entry="ff")
    named = compiled("int program(int n) { return n; }\nint other(int n) { return -n; }")
    assert named.entry == "program"


def test_objectives(compiled: Compile) -> None:
    with pytest.raises(InputError) as refused:
        compiled("int f(int n) { return n; }", objective="gate")
    assert str(refused.value) == "objective: wanted one of gates, depth, got 'gate' (did you mean 'gates'?)"
