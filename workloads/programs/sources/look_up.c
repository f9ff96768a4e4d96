// Private look-up: the value of the first of 16 keys that equals the one asked for, 0 where none does.
#include <stdint.h>

uint16_t look_up(const uint8_t keys[16], const uint16_t values[16], uint8_t asked) {
    for (int i = 0; i < 16; i++)
        if (keys[i] == asked) return values[i];
    return 0;
}
