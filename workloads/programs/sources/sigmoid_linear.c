// Sigmoid by four straight lines (the PLAN approximation): x in Q3.4 (x/16), result in Q0.8 (256 stands for 1, kept at 255).
#include <stdint.h>

uint8_t sigmoid_linear(int8_t x) {
    int16_t a = x < 0 ? -x : x;                    // |x|, Q3.4: 0 to 128
    int16_t y;
    if (a >= 80) y = 256;                          // |x| >= 5
    else if (a >= 38) y = (a >> 1) + 216;          // slope 1/32, from 2.375 on
    else if (a >= 16) y = 2 * a + 160;             // slope 1/8, from 1 on
    else y = 4 * a + 128;                          // slope 1/4
    if (x < 0) y = 256 - y;
    return y > 255 ? 255 : y;
}
