// Speck 32/64: a block of two 16-bit words encrypted in 22 rounds under a key of four.
#include <stdint.h>

static uint16_t right(uint16_t x, int n) { return (uint16_t)(x >> n | x << (16 - n)); }

void speck(uint16_t block[2], const uint16_t key[4]) {
    uint16_t x = block[1], y = block[0], k = key[0];
    uint16_t l[3] = {key[1], key[2], key[3]};
    for (int i = 0; i < 22; i++) {
        x = (uint16_t)(right(x, 7) + y) ^ k;
        y = right(y, 14) ^ x;
        uint16_t next = (uint16_t)(right(l[i % 3], 7) + k) ^ (uint16_t)i;
        k = right(k, 14) ^ next;
        l[i % 3] = next;
    }
    block[1] = x;
    block[0] = y;
}
