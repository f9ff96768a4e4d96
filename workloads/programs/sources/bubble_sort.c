// Sorts 8 bytes in place, ascending, by exchanging neighbours.
#include <stdint.h>

void bubble_sort(uint8_t x[8]) {
    for (int end = 7; end > 0; end--)
        for (int i = 0; i < end; i++)
            if (x[i] > x[i + 1]) {
                uint8_t larger = x[i];
                x[i] = x[i + 1];
                x[i + 1] = larger;
            }
}
