"""Random C programs: expressions of all widths, conditions, loops with and without encrypted ends, arrays, calls."""

from __future__ import annotations

import random

TYPES = ("int8_t", "uint8_t", "int16_t", "uint16_t", "int32_t", "uint32_t", "int64_t", "uint64_t", "_Bool")
BINARY = ("+", "-", "*", "&", "|", "^", "<", "<=", "==", "!=", ">", ">=", "&&", "||")


class Writer:
    """Writes one program."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.scalars = ["a", "b", "c", "d"]
        self.arrays = {"x": 5, "y": 4, "local": 6, "TABLE": 7}
        self.n_loops = 0

    def program(self) -> str:
        kinds = [self.random.choice(TYPES) for _ in range(8)]
        table = ", ".join(str(self.random.randint(-100, 100)) for _ in range(7))
        body = "\n".join(self.statement(3) for _ in range(self.random.randint(3, 7)))
        return (
            f"#include <stdint.h>\nstatic const int16_t TABLE[7] = {{{table}}};\n"
            f"static {kinds[0]} help({kinds[1]} p, int32_t q) {{ return p > 3 ? q - p : p ^ q; }}\n"
            f"{kinds[2]} f({kinds[3]} a, {kinds[4]} b, {kinds[5]} c, const {kinds[6]} x[5], {kinds[7]} y[4]) {{\n"
            f"{self.random.choice(TYPES)} d = a;\n{self.random.choice(TYPES)} local[6] = {{b, 1, c}};\n"
            f"{body}\nreturn {self.expression(2)};\n}}\n"
        )

    def statement(self, depth: int) -> str:
        kind = self.random.randrange(7) if depth else self.random.randrange(2)
        if kind == 0:
            return f"{self.random.choice(self.scalars)} {self.random.choice(('=', '=', '+=', '^=', '-='))} {self.expression(2)};"
        if kind == 1:
            return f"{self.element(('y', 'local'))} = {self.expression(2)};"
        inner = " ".join(self.statement(depth - 1) for _ in range(self.random.randint(1, 2)))
        if kind in (2, 3):
            other = f" else {{ {self.statement(depth - 1)} }}" if self.random.random() < 0.5 else ""
            return f"if ({self.expression(2)}) {{ {inner} }}{other}"
        if kind == 4:
            cases = " ".join(f"case {n}: {self.statement(0)}{self.random.choice((' break;', ''))}" for n in (0, 2, 3))
            return f"switch (({self.expression(1)}) & 3) {{ {cases} default: {inner} }}"
        self.n_loops += 1
        i = f"i{self.n_loops}"
        leave = self.random.choice(("", f"if ({self.expression(1)}) break;", f"if ({self.expression(1)}) continue;"))
        self.scalars.append(i)
        end = f"{i} < {self.random.randint(1, 4)}" + (f" && {self.expression(1)}" if kind == 6 else "")
        text = f"for (uint8_t {i} = 0; {end}; {i}++) {{ {leave} {' '.join(self.assignment(i) for _ in range(2))} }}"
        self.scalars.remove(i)
        return text

    def assignment(self, counter: str) -> str:
        """A statement that leaves the loop's counter alone."""
        target = self.random.choice([*(name for name in self.scalars if not name.startswith("i")), self.element(("y", "local"))])
        return f"{target} = {self.expression(2)} + {counter};"

    def element(self, names: tuple[str, ...]) -> str:
        name = self.random.choice(names)
        return f"{name}[(uint32_t)({self.expression(0)}) % {self.arrays[name]}]"

    def expression(self, depth: int) -> str:
        if not depth:
            pick = self.random.random()
            return self.random.choice(self.scalars[:4]) if pick < 0.8 else str(self.random.randint(-9, 300))
        kind = self.random.randrange(9)
        a, b = self.expression(depth - 1), self.expression(depth - 1)
        if kind < 4:
            return f"({a} {self.random.choice(BINARY)} {b})"
        if kind == 4:
            return f"(({self.random.choice(TYPES)}){a} {self.random.choice(('<<', '>>'))} ({b} & 7))"
        if kind == 5:
            return f"({self.expression(0)} ? {a} : {b})"
        if kind == 6:
            return f"({a} {self.random.choice(('/', '%'))} ((int16_t){b} | 1))"
        if kind == 7:
            return self.element(("x", "y", "local", "TABLE"))
        return f"(({self.random.choice(TYPES)}){self.random.choice(('-', '~', '!'))}{a} - help({a}, {b}))"


def random_program(seed: int) -> str:
    """The program of a seed: function f of scalars a, b, c and arrays x, y."""
    return Writer(seed).program()
