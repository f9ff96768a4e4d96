// Sobel edges of an 8x8 image: |gx| + |gy|, at most 255, for the 6x6 pixels that have all neighbours.
#include <stdint.h>

static int16_t magnitude(int16_t v) { return v < 0 ? -v : v; }

void sobel(const uint8_t in[8][8], uint8_t out[6][6]) {
    for (int y = 0; y < 6; y++)
        for (int x = 0; x < 6; x++) {
            int16_t gx = (in[y][x + 2] + 2 * in[y + 1][x + 2] + in[y + 2][x + 2])
                       - (in[y][x] + 2 * in[y + 1][x] + in[y + 2][x]);
            int16_t gy = (in[y + 2][x] + 2 * in[y + 2][x + 1] + in[y + 2][x + 2])
                       - (in[y][x] + 2 * in[y][x + 1] + in[y][x + 2]);
            int16_t edge = magnitude(gx) + magnitude(gy);
            out[y][x] = edge > 255 ? 255 : edge;
        }
}
