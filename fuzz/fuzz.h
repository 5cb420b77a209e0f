/* fuzz.h: the one function of a fuzz target (https://llvm.org/docs/LibFuzzer.html). */
#ifndef WARD_FUZZ_H
#define WARD_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
