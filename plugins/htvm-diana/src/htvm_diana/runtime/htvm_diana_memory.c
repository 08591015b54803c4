/* The two scratchpads with guards and shadows, noise, and faults. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "htvm_diana_emulator.h"

enum { GUARD = HTVM_DIANA_GUARD_BYTES, GUARD_BYTE = 0xA5, MESSAGE_BYTES = 320 };

static uint8_t l1_bytes[GUARD + HTVM_DIANA_L1_BYTES + GUARD];
static uint8_t l1_state[HTVM_DIANA_L1_BYTES];
static uint8_t weight_bytes[GUARD + HTVM_DIANA_WEIGHT_BYTES + GUARD];
static uint8_t weight_state[HTVM_DIANA_WEIGHT_BYTES];

const htvm_diana_memory htvm_diana_l1 = {"L1", HTVM_DIANA_L1_BYTES, l1_bytes + GUARD, l1_state};
const htvm_diana_memory htvm_diana_weight_memory = {
    "weight memory", HTVM_DIANA_WEIGHT_BYTES, weight_bytes + GUARD, weight_state};

static char message[MESSAGE_BYTES];
static uint32_t faults;
static uint32_t noise = 0x9E3779B9U;

void htvm_diana_fault(const char *format, ...) {
  va_list values;

  if (faults == 0) {
    va_start(values, format);
    (void)vsnprintf(message, sizeof message, format, values);
    va_end(values);
  }
  faults++;
}

const char *htvm_diana_error(void) { return faults == 0 ? NULL : message; }

uint32_t htvm_diana_faults(void) { return faults; }

void htvm_diana_forget_faults(void) { faults = 0; }

uint32_t htvm_diana_noise(void) {
  noise ^= noise << 13;
  noise ^= noise >> 17;
  noise ^= noise << 5;
  return noise;
}

void htvm_diana_fill_noise(uint8_t *bytes, size_t size) {
  while (size > 0) {
    const uint32_t word = htvm_diana_noise();
    const size_t part = size < sizeof word ? size : sizeof word;

    memcpy(bytes, &word, part);
    bytes += part;
    size -= part;
  }
}

void htvm_diana_spoil(const htvm_diana_memory *memory, uint32_t address, uint32_t size,
                      uint8_t state) {
  htvm_diana_fill_noise(memory->bytes + address, size);
  memset(memory->state + address, state, size);
}

static void clear(const htvm_diana_memory *memory) {
  memset(memory->bytes - GUARD, GUARD_BYTE, GUARD);
  memset(memory->bytes + memory->size, GUARD_BYTE, GUARD);
  htvm_diana_spoil(memory, 0, memory->size, HTVM_DIANA_UNWRITTEN);
}

void htvm_diana_clear_memories(void) {
  clear(&htvm_diana_l1);
  clear(&htvm_diana_weight_memory);
}

static void check_guard(const htvm_diana_memory *memory, const uint8_t *guard, const char *side) {
  int i;

  for (i = 0; i < GUARD; i++) {
    if (guard[i] != GUARD_BYTE) {
      htvm_diana_fault("%s: something wrote into the guard %s it", memory->name, side);
      return;
    }
  }
}

void htvm_diana_check_guards(void) {
  check_guard(&htvm_diana_l1, htvm_diana_l1.bytes - GUARD, "below");
  check_guard(&htvm_diana_l1, htvm_diana_l1.bytes + htvm_diana_l1.size, "above");
  check_guard(&htvm_diana_weight_memory, htvm_diana_weight_memory.bytes - GUARD, "below");
  check_guard(&htvm_diana_weight_memory,
              htvm_diana_weight_memory.bytes + htvm_diana_weight_memory.size, "above");
}

int htvm_diana_inside(const htvm_diana_memory *memory, uint64_t address, uint64_t size,
                      const char *what) {
  if (address + size <= memory->size) {
    return 1;
  }
  htvm_diana_fault("%s covers bytes %llu to %llu of %s, which has %u", what,
                   (unsigned long long)address, (unsigned long long)(address + size - 1),
                   memory->name, (unsigned)memory->size);
  return 0;
}
