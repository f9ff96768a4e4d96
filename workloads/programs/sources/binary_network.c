// Binary neural layer: 64 inputs of +-1 (bits), 16 neurons with fixed weights, each fires where at least its threshold of
// inputs agrees with its weights (XNOR, population count, threshold).
#include <stdint.h>

static const uint64_t WEIGHTS[16] = {
    0x4164D8399F767C45u, 0x5BC8FBBCBDE5C099u, 0xB0C11FDECB91CE37u, 0xD76D4330F1446BEAu,
    0xA6EB8C9EBD69FE29u, 0x87B0B125EC1D7DA0u, 0xD7210DFF076CE2EFu, 0xC6A5387777330BDBu,
    0x3FC1EA36F17FD374u, 0x0D464138A6233255u, 0x2827688DE6A16A3Bu, 0x5F2DD97F1CFB10F6u,
    0xDE5271007814E8A2u, 0x617959CE3F1F65A8u, 0x1A1AFE878B33E968u, 0x3FD4235992EDCF45u,
};
static const uint8_t THRESHOLDS[16] = {28, 31, 34, 32, 30, 34, 30, 29, 30, 35, 30, 30, 28, 28, 31, 31};

uint16_t binary_network(uint64_t x) {
    uint16_t fires = 0;
    for (int neuron = 0; neuron < 16; neuron++) {
        int agrees = __builtin_popcountll(~(x ^ WEIGHTS[neuron]));
        if (agrees >= THRESHOLDS[neuron]) fires |= 1u << neuron;
    }
    return fires;
}
