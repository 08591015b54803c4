/* Inside of the emulation: the memories, their shadows, and how faults are told. */
#ifndef HTVM_DIANA_EMULATOR_H
#define HTVM_DIANA_EMULATOR_H

#include <stddef.h>

#include "htvm_diana.h"
#include "htvm_diana_config.h"
#include "htvm_diana_job.h"

/* Questions for whoever runs the emulation. */
const char *htvm_diana_error(void);    /* the first fault since the library was loaded, or NULL */
const char *htvm_diana_layer_error(void); /* the same, asked between layers: nothing is under way */
uint32_t htvm_diana_faults(void);      /* faults so far; after the first, calls do nothing more */
uint64_t htvm_diana_cycles(void);      /* cycles of all transfers and jobs that ran */
void htvm_diana_reset(void);           /* forget faults, cycles and an open session */

/* A scratchpad: its bytes as the host would see them, and what each of them holds. */
enum { HTVM_DIANA_GUARD_BYTES = 64 };
enum {
  HTVM_DIANA_UNWRITTEN = 0, /* nothing yet, or a transfer is still on its way there */
  HTVM_DIANA_KNOWN = 1,     /* something a program may rely on */
  HTVM_DIANA_GARBAGE = 2    /* what the core wrote beside its results */
};

typedef struct {
  const char *name;
  uint32_t size;
  uint8_t *bytes;
  uint8_t *state;
} htvm_diana_memory;

extern const htvm_diana_memory htvm_diana_l1;
extern const htvm_diana_memory htvm_diana_weight_memory;

/* Record a fault; the first one is kept. */
void htvm_diana_fault(const char *format, ...);
void htvm_diana_forget_faults(void);

/* Whether [address, address + size) lies in a memory; a fault about what if not. */
int htvm_diana_inside(const htvm_diana_memory *memory, uint64_t address, uint64_t size,
                      const char *what);

/* Fill both memories with noise, nothing known, and set the guards up. */
void htvm_diana_clear_memories(void);

/* Fault if something wrote over a guard. */
void htvm_diana_check_guards(void);

/* Noise that differs each time: what a core leaves where no result belongs. */
uint32_t htvm_diana_noise(void);
void htvm_diana_fill_noise(uint8_t *bytes, size_t size);

/* Make a stretch of a memory noise that no program may rely on. */
void htvm_diana_spoil(const htvm_diana_memory *memory, uint32_t address, uint32_t size,
                      uint8_t state);

/* Transfers: check and set out (0 after a fault), and land. */
typedef struct {
  const htvm_diana_memory *memory;
  uint8_t *main;  /* first byte in main memory */
  int to_main;
  uint32_t address;
  uint32_t bytes;
  uint32_t count;
  uint32_t near_stride; /* in the scratchpad */
  uint32_t far_stride;  /* in main memory */
} htvm_diana_transfer;

void htvm_diana_set_regions(const htvm_region *regions, uint32_t count);
int htvm_diana_start_transfer(const htvm_diana_transfer *transfer);
void htvm_diana_land_transfer(const htvm_diana_transfer *transfer);
uint64_t htvm_diana_transfer_cycles(const htvm_diana_transfer *transfer);

/* The core: check a record (0 after a fault), run it, and tell its cycles. */
int htvm_diana_check_record(const htvm_diana_record *record);
void htvm_diana_run_record(const htvm_diana_record *record);
uint64_t htvm_diana_record_cycles(const htvm_diana_record *record);

/* Memory as the core sees it: its byte n is the host's byte n ^ 3. */
static inline int8_t htvm_diana_get(const htvm_diana_memory *memory, uint32_t address) {
  return (int8_t)memory->bytes[address ^ 3U];
}

static inline uint8_t htvm_diana_state(const htvm_diana_memory *memory, uint32_t address) {
  return memory->state[address ^ 3U];
}

static inline int htvm_diana_known(const htvm_diana_memory *memory, uint32_t address) {
  return htvm_diana_state(memory, address) == HTVM_DIANA_KNOWN;
}

static inline void htvm_diana_put(const htvm_diana_memory *memory, uint32_t address,
                                  int8_t value) {
  memory->bytes[address ^ 3U] = (uint8_t)value;
  memory->state[address ^ 3U] = HTVM_DIANA_KNOWN;
}

#endif
