/* SPDX-License-Identifier: MIT */
#include <stdint.h>

#include "rapl.h"

/* Bytes of the character that begins here; 0: a control character or invalid UTF-8 (RFC 3629). */
static size_t measure(const unsigned char *at) {
    static const uint32_t least[] = {[2] = 0xA0, [3] = 0x800, [4] = 0x10000};
    if (at[0] < 0x80)
        return at[0] >= 0x20 && at[0] != 0x7F ? 1 : 0;
    if (at[0] < 0xC2 || at[0] > 0xF4)
        return 0;
    const size_t length = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    uint32_t character = at[0] & (0xFFU >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        character = character << 6 | (at[i] & 0x3FU);
    }
    const bool is_surrogate = character >> 11 == 0x1B;
    return character >= least[length] && character <= 0x10FFFF && !is_surrogate ? length : 0;
}

void rapl_make_printable(char *text) {
    while (*text != '\0') {
        const size_t length = measure((const unsigned char *)text);
        if (length == 0)
            *text = '?';
        text += length > 0 ? length : 1;
    }
}
