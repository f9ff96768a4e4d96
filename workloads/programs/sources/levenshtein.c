// Levenshtein distance of two words of 6 letters: insertions, deletions and substitutions from one to the other.
#include <stdint.h>

static uint8_t least(uint8_t a, uint8_t b) { return a < b ? a : b; }

uint8_t levenshtein(const uint8_t a[6], const uint8_t b[6]) {
    uint8_t row[7];
    for (int j = 0; j <= 6; j++) row[j] = j;
    for (int i = 0; i < 6; i++) {
        uint8_t diagonal = row[0];
        row[0] = i + 1;
        for (int j = 0; j < 6; j++) {
            uint8_t substituted = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = least(substituted, least(row[j], diagonal) + 1);
        }
    }
    return row[6];
}
