// Greatest common divisor of two bytes by Euclid; gcd(a, 0) = a. 12 divisions do for any bytes: 233 and 144 take 11.
#include <stdint.h>

uint8_t gcd(uint8_t a, uint8_t b) {
    for (int i = 0; i < 12; i++) {
        if (b == 0) break;
        uint8_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}
