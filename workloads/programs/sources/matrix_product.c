// Product of two 4x4 matrices of signed bytes, modulo 2^16.
#include <stdint.h>

void matrix_product(const int8_t a[4][4], const int8_t b[4][4], int16_t c[4][4]) {
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            int32_t sum = 0;
            for (int k = 0; k < 4; k++) sum += a[i][k] * b[k][j];
            c[i][j] = (int16_t)sum;
        }
}
