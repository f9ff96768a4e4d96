// Sorts 8 bytes in place, ascending (odd-even merge sort: 19 comparisons, whatever the data).
#include <stdint.h>

void sort(uint8_t x[8]) {
    for (int p = 1; p < 8; p *= 2)
        for (int k = p; k >= 1; k /= 2)
            for (int j = k % p; j + k < 8; j += 2 * k)
                for (int i = 0; i < k; i++)
                    if ((i + j) / (2 * p) == (i + j + k) / (2 * p) && i + j + k < 8) {
                        uint8_t a = x[i + j], b = x[i + j + k];
                        x[i + j] = a < b ? a : b;
                        x[i + j + k] = a < b ? b : a;
                    }
}
