// Kadane: the largest sum of neighbours among 16 signed bytes, and where it begins and ends (the first such).
#include <stdint.h>

int16_t kadane(const int8_t x[16], uint8_t span[2]) {
    int16_t best = -32768, sum = 0;
    uint8_t start = 0;
    for (uint8_t i = 0; i < 16; i++) {
        if (sum <= 0) {
            sum = 0;
            start = i;
        }
        sum += x[i];
        if (sum > best) {
            best = sum;
            span[0] = start;
            span[1] = i;
        }
    }
    return best;
}
