// CRC-32 (IEEE 802.3, reflected) of 4 bytes.
#include <stdint.h>

uint32_t crc32(const uint8_t data[4]) {
    uint32_t crc = 0xFFFFFFFFu;
    for (int i = 0; i < 4; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}
