// Dense layer: 8 inputs, 8 neurons, all of signed bytes; ReLU, scaled by 1/64 and kept within 0 to 127.
#include <stdint.h>

void dense_layer(const int8_t x[8], const int8_t weights[8][8], int8_t y[8]) {
    for (int neuron = 0; neuron < 8; neuron++) {
        int32_t sum = 0;
        for (int i = 0; i < 8; i++) sum += x[i] * weights[neuron][i];
        sum >>= 6;
        y[neuron] = sum < 0 ? 0 : sum > 127 ? 127 : sum;
    }
}
