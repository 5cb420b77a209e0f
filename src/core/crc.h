/* crc.h: the checksums S3 offers that are not cryptography.
 *
 * Each continues from a former value (start with 0) and returns the finished value, so that
 * crc(crc(0, a), b) == crc(0, ab). Thread rule: pure functions. */
#ifndef WARD_CORE_CRC_H
#define WARD_CORE_CRC_H

#include "str.h"

uint32_t crc32_ieee(uint32_t crc, struct str s);    /* RFC 1952, as in gzip */
uint32_t crc32c(uint32_t crc, struct str s);        /* Castagnoli, RFC 3720 */
uint64_t crc64nvme(uint64_t crc, struct str s);     /* NVM Express; check value of "123456789":
                                                       ae8b14860a799888 */
#endif
