// Quotient and remainder of signed 16-bit integers, as C rounds: towards zero. Undefined for b = 0 and for -32768 / -1.
#include <stdint.h>

void divide(int16_t a, int16_t b, int16_t result[2]) {
    result[0] = a / b;
    result[1] = a % b;
}
