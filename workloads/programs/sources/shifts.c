// A 32-bit word shifted left, right and right with its sign, and rotated, by an encrypted number of places.
#include <stdint.h>

void shifts(uint32_t x, uint8_t n, uint32_t result[4]) {
    n &= 31;
    result[0] = x << n;
    result[1] = x >> n;
    result[2] = (uint32_t)((int32_t)x >> n);
    result[3] = x << n | x >> (-n & 31);
}
