"""Each construct of C that is read, against the same program compiled for this machine, on random inputs."""

import pytest

from tests.workloads.programs.conftest import Compile
from workloads.programs.check import check_program

PROGRAMS = {
    "sums and products of all widths": """
        void f(int8_t a, uint8_t b, int16_t c, uint16_t d, int32_t e, uint32_t g, int64_t h, uint64_t i, int64_t out[13]) {
            out[0] = a + b; out[1] = a - d; out[2] = c * d; out[3] = (int8_t)(a * b); out[4] = g * e; out[5] = h + i;
            out[6] = h - a; out[7] = -c; out[8] = ~e; out[9] = (uint8_t)(b - d); out[10] = i * b; out[11] = e * 37 - g * 3;
            out[12] = a * a + c * c - 5 * b;
        }""",
    "logic, shifts and comparisons": """
        void f(int8_t a, uint8_t b, int32_t c, uint32_t d, int64_t e, uint64_t g, int64_t out[16]) {
            out[0] = a & c; out[1] = b | d; out[2] = a ^ e; out[3] = d << (b & 31); out[4] = d >> (b & 31); out[5] = c >> (b & 31);
            out[6] = g << (a & 63); out[7] = e >> (b & 63); out[8] = a < b; out[9] = d > (uint32_t)c; out[10] = e <= (int64_t)g;
            out[11] = g >= 77; out[12] = a == b; out[13] = c != -1; out[14] = a && b || !c; out[15] = d << 7 | d >> 25;
        }""",
    "division": """
        void f(int8_t a, int8_t b, uint16_t c, uint16_t d, int32_t e, int32_t g, int32_t out[10]) {
            out[0] = a / b; out[1] = a % b; out[2] = c / d; out[3] = c % d; out[4] = e / g; out[5] = e % 10; out[6] = e / 7;
            out[7] = c / 8; out[8] = e / -4; out[9] = c % 100u;
        }""",
    "bits and conditions": """
        _Bool f(_Bool a, _Bool b, const _Bool c[4], _Bool out[3], uint8_t d) {
            out[0] = a ^ c[d & 3]; out[1] = a ? b : c[0]; out[2] = d;
            return a + b + c[1] + c[2] > 2;
        }""",
    "loops that encrypted data leave": """
        int32_t f(const uint8_t x[6], uint8_t n, uint8_t key) {
            int32_t sum = 0; int i;
            for (i = 0; i < n && i < 6; i++) { if (x[i] == key) break; if (x[i] & 1) continue; sum += x[i] << i; }
            int left = key & 7;
            while (left) { sum ^= left * n; left--; }
            do { sum += 3; } while (++i < 4);
            return sum;
        }""",
    "tables and arrays at encrypted indices": """
        static const int16_t TABLE[10] = {1, -2, 300, 4, -5000, 6, 7, 88, 9, 10};
        static const uint8_t GRID[3][5] = {{1, 2, 3, 4, 5}, {6, 7, 8, 9, 10}, {11, 12, 13, 14, 255}};
        void f(uint8_t i, uint8_t j, const int32_t x[5], int32_t y[5], int32_t out[5]) {
            int16_t local[4][3] = {{1, 2}, {3}};
            out[0] = TABLE[i % 10]; out[1] = GRID[i % 3][j % 5]; out[2] = x[j % 5];
            y[i % 5] += x[1]; y[j & 3] = TABLE[j & 7];
            local[i & 3][j % 3] = x[0]; local[1][i % 3] ^= 5;
            out[3] = local[j & 3][1]; out[4] = local[1][2] + local[0][0];
        }""",
    "functions, switch, goto and globals": """
        static int calls = 3; enum mode { SUM, DIFFERENCE = 5 }; typedef uint8_t row[4];
        static int square(int v) { calls++; return v * v; }
        __attribute__((noinline)) static void fill(uint8_t x[4], uint8_t value) { for (int i = 0; i < 4; i++) x[i] += value * i; }
        int f(int16_t a, uint8_t kind, row x[2]) {
            int r = 0;
            switch (kind & 7) {
                case SUM: r = square(a) + 1; break;
                case 2: case 3: r = -a;
                case DIFFERENCE: r -= 7; break;
                default: if (a > 4) goto end; r = square(r + 1) + square(a);
            }
            fill(x[1], kind); r += x[1][3];
        end:
            return r + calls;
        }""",
    "builtins": """
        void f(uint32_t a, uint64_t b, int32_t c, uint8_t n, uint64_t out[12]) {
            out[0] = __builtin_popcount(a); out[1] = __builtin_popcountll(b); out[2] = a ? __builtin_clz(a) : 99;
            out[3] = b ? __builtin_ctzll(b) : 98; out[4] = __builtin_bswap32(a); out[5] = __builtin_bswap64(b);
            out[6] = __builtin_abs(c / 2); out[7] = __builtin_rotateleft32(a, n); out[8] = __builtin_rotateright64(b, n);
            out[9] = __builtin_parity(a); out[10] = __builtin_bitreverse8(n);
            out[11] = a > 5 ? __builtin_ffs(c) : 7;
        }""",
    "least, greatest, limits": """
        void f(int16_t a, int16_t b, uint16_t c, uint16_t d, int32_t out[8]) {
            out[0] = a < b ? a : b; out[1] = a > b ? a : b; out[2] = c < d ? c : d; out[3] = c > d ? c : d;
            int s = a + b; out[4] = s > INT16_MAX ? INT16_MAX : s < INT16_MIN ? INT16_MIN : s;
            out[5] = a < 0 ? -a : a; out[6] = c > d ? c - d : 0; out[7] = (a > b) - (a < b);
        }""",
    "copies between arrays": """
        void f(const uint8_t x[8], uint32_t y[2], uint8_t z[9]) {
            uint8_t t[8] = {0};
            for (int i = 0; i < 8; i++) t[i] = x[7 - i];
            for (int i = 0; i < 2; i++) y[i] = t[4 * i] | t[4 * i + 1] << 8 | t[4 * i + 2] << 16 | (uint32_t)t[4 * i + 3] << 24;
            for (int i = 0; i < 9; i++) z[i] = 7;
            for (int i = 0; i < 8; i++) z[i] = x[i];
        }""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_circuit_computes_what_the_c_program_does(compiled: Compile, name: str) -> None:
    text = f"#include <stdint.h>\n#include <limits.h>\n{PROGRAMS[name]}\n"
    assert check_program(compiled(text), n_inputs=60, seed=3).n_checked >= 20


@pytest.mark.parametrize("name", ["sums and products of all widths", "logic, shifts and comparisons", "division"])
def test_flat_circuits_compute_the_same(compiled: Compile, name: str) -> None:
    program = compiled(f"#include <stdint.h>\n{PROGRAMS[name]}\n", objective="depth")
    assert check_program(program, n_inputs=60, seed=4).n_checked >= 20
