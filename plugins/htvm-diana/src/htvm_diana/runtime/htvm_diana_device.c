/* htvm_diana.h over DIANA's registers.
 *
 * This has been compiled for RV32IMC and never been run: no board was at hand.
 *
 * Known from public drivers: the base address, TRIGGER, STATUS (0 when idle) and SOFT_CLEAR, the
 * address and count registers, memory copy operations 1 and 2 with their L1 address in units of 16
 * bytes and their length in words, the three configuration words, that a launch fetches its own
 * weights from main memory, depthwise ones from an address shifted to the channel's slot, and that
 * no ACQUIRE is needed before TRIGGER.
 *
 * Assumed: the order of the memory copy registers from 0xA0 on (operation, address, L1 address,
 * length); that a memory copy ignores what an earlier job left in the job registers; and what
 * htvm_diana_job.h says of the record. The board's start-up code must have switched the
 * accelerator on (boot_diana() of its software).
 */
#include "htvm_diana_job.h"

enum { BASE = 0x1A10C000 };

enum {
  TRIGGER = 0x00,
  STATUS = 0x0C,
  SOFT_CLEAR = 0x14,
  CONV_WEIGHTS = 0x40,
  CONV_WEIGHT_WORDS = 0x44,
  DENSE_WEIGHTS = 0x48,
  DENSE_WEIGHT_WORDS = 0x4C,
  INSTRUCTIONS = 0x50,
  INSTRUCTION_WORDS = 0x54,
  ACTIVATIONS = 0x58,
  ACTIVATION_WORDS = 0x5C,
  CONFIGURATION = 0x60,
  CONFIGURATION_WORDS = 0x64,
  COPY_OPERATION = 0xA0,
  COPY_MAIN = 0xA4,
  COPY_L1 = 0xA8,
  COPY_WORDS = 0xAC
};

enum { COPY_NONE = 0, COPY_TO_MAIN = 1, COPY_TO_L1 = 2 };

enum { WORD_BYTES = 4, L1_UNIT_BYTES = 16, CONFIGURATION_COUNT = 16, WEIGHT_LOADS = 8 };

typedef struct {
  uint32_t address;
  uint32_t bytes;
  uint32_t source;
} weight_load;

/* The engine reads these from main memory, so they must lie where it can: not in the first 64 KiB,
 * which belong to the host alone. The linker script places .data and .bss accordingly. */
static uint32_t configuration[CONFIGURATION_COUNT] = {0x800, 0xF};
static htvm_diana_record records[2];

static weight_load weight_loads[WEIGHT_LOADS];
static uint32_t next_weight_load;

static void write_register(uint32_t offset, uint32_t value) {
  *(volatile uint32_t *)(uintptr_t)(BASE + offset) = value;
}

static uint32_t read_register(uint32_t offset) {
  return *(volatile uint32_t *)(uintptr_t)(BASE + offset);
}

static uint32_t address_of(const void *pointer) { return (uint32_t)(uintptr_t)pointer; }

/* The compiler may not keep memory the engine reads or writes in registers across this. */
static void fence(void) { __asm__ volatile("" ::: "memory"); }

static void trigger(void) {
  fence();
  write_register(TRIGGER, 0);
}

void htvm_diana_wait(void) {
  while (read_register(STATUS) != 0) {
  }
  fence();
}

void htvm_diana_begin(const htvm_region *regions, uint32_t count) {
  uint32_t i;

  (void)regions;
  (void)count;
  write_register(SOFT_CLEAR, 0);
  for (i = 0; i < WEIGHT_LOADS; i++) {
    weight_loads[i].bytes = 0;
  }
}

void htvm_diana_end(void) { htvm_diana_wait(); }

static void copy(uint32_t operation, uint32_t l1, uint32_t main, uint32_t bytes) {
  write_register(COPY_OPERATION, operation);
  write_register(COPY_MAIN, main);
  write_register(COPY_L1, l1 / L1_UNIT_BYTES);
  write_register(COPY_WORDS, bytes / WORD_BYTES);
  trigger();
}

/* The engine copies one contiguous chunk at a time; all but the last are waited for here. */
static void copy_chunks(uint32_t operation, uint32_t l1, uint32_t main, uint32_t bytes,
                        uint32_t count, uint32_t l1_stride, uint32_t l2_stride) {
  uint32_t chunk;

  if (l1_stride == bytes && l2_stride == bytes) {
    copy(operation, l1, main, bytes * count);
    return;
  }
  for (chunk = 0; chunk < count; chunk++) {
    htvm_diana_wait();
    copy(operation, l1 + chunk * l1_stride, main + chunk * l2_stride, bytes);
  }
}

void htvm_diana_load(uint32_t l1, const void *l2, uint32_t bytes, uint32_t count,
                     uint32_t l1_stride, uint32_t l2_stride) {
  copy_chunks(COPY_TO_L1, l1, address_of(l2), bytes, count, l1_stride, l2_stride);
}

void htvm_diana_store(void *l2, uint32_t l1, uint32_t bytes, uint32_t count, uint32_t l1_stride,
                      uint32_t l2_stride) {
  copy_chunks(COPY_TO_MAIN, l1, address_of(l2), bytes, count, l1_stride, l2_stride);
}

/* Weights travel with the launch that uses them; here only where they come from is noted. */
void htvm_diana_load_weights(uint32_t address, const void *l2, uint32_t bytes) {
  weight_load *load = &weight_loads[next_weight_load];

  load->address = address;
  load->bytes = bytes;
  load->source = address_of(l2);
  next_weight_load = (next_weight_load + 1) % WEIGHT_LOADS;
}

/* The latest load that covers an address of the weight memory; NULL if none does. */
static const weight_load *find_load(uint32_t address) {
  uint32_t age;

  for (age = 1; age <= WEIGHT_LOADS; age++) {
    const weight_load *load =
        &weight_loads[(next_weight_load + WEIGHT_LOADS - age) % WEIGHT_LOADS];

    if (address >= load->address && address - load->address < load->bytes) {
      return load;
    }
  }
  return 0;
}

/* A launch gets its weights at the start of the weight memory, from the address shifted to its
 * block and slot, as the public driver does it. */
static void set_weights(htvm_diana_record *record) {
  const int dense = record->word[HTVM_DIANA_WORD_MODE] == HTVM_DIANA_DENSE;
  const uint32_t address = record->word[HTVM_DIANA_WORD_WEIGHTS];
  const weight_load *load = find_load(address);
  const uint32_t words = (uint32_t)htvm_diana_weight_bytes(record) / WORD_BYTES;

  write_register(dense ? CONV_WEIGHT_WORDS : DENSE_WEIGHT_WORDS, 0);
  if (load != 0) {
    write_register(dense ? DENSE_WEIGHTS : CONV_WEIGHTS,
                   load->source + (address - load->address));
    write_register(dense ? DENSE_WEIGHT_WORDS : CONV_WEIGHT_WORDS, words);
    record->word[HTVM_DIANA_WORD_WEIGHTS] = 0;
  }
}

static void launch(htvm_diana_record *record) {
  write_register(COPY_OPERATION, COPY_NONE);
  write_register(CONFIGURATION, address_of(configuration));
  write_register(CONFIGURATION_WORDS, CONFIGURATION_COUNT);
  write_register(ACTIVATIONS, 0);
  write_register(ACTIVATION_WORDS, 0);
  if (record->word[HTVM_DIANA_WORD_MODE] == HTVM_DIANA_SUM) {
    write_register(CONV_WEIGHT_WORDS, 0);
    write_register(DENSE_WEIGHT_WORDS, 0);
  } else {
    set_weights(record);
  }
  htvm_diana_chip_record(record);
  write_register(INSTRUCTIONS, address_of(records));
  write_register(INSTRUCTION_WORDS, 2 * HTVM_DIANA_RECORD_WORDS);
  trigger();
}

void htvm_diana_start(const htvm_diana_job *job) {
  const uint32_t launches = htvm_diana_launches(job);
  uint32_t i;

  records[1].word[HTVM_DIANA_WORD_STOP] = 1;
  for (i = 0; i < launches; i++) {
    htvm_diana_wait();
    if (htvm_diana_encode(job, i, &records[0]) == 0) {
      launch(&records[0]);
    }
  }
}
