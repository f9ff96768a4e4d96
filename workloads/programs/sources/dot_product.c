// Dot product of two vectors of 8 signed bytes.
#include <stdint.h>

int32_t dot_product(const int8_t a[8], const int8_t b[8]) {
    int32_t sum = 0;
    for (int i = 0; i < 8; i++) sum += a[i] * b[i];
    return sum;
}
