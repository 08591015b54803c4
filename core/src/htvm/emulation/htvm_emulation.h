/* Emulates a scratchpad, its DMA and the time they take, for targets that need no more.
 *
 * Everything is asynchronous: what is started on a queue lands at the wait for that queue, and
 * until then its destination is noise. The first rule that generated code breaks is kept as a
 * sentence: bytes outside a scratchpad or a declared region, a wrong alignment, bytes read before
 * they were written, bytes touched while something else still reads or writes them, a queue left
 * running at the end, main memory that changed under way, a guard that was written over.
 *
 * The engine is the target's own C: it calls htvm_emulated_start() when a job is started, then
 * reads and writes the scratchpad through htvm_get() and htvm_put() only.
 */
#ifndef HTVM_EMULATION_H
#define HTVM_EMULATION_H

#include <stdint.h>

#include "htvm.h"
#include "htvm_hardware.h"

enum { HTVM_QUEUES = 8, HTVM_GUARD_BYTES = 64 };

/* A scratchpad; defined by HTVM_SCRATCHPAD. */
typedef struct htvm_scratchpad {
    const char *name;
    uint32_t size;
    uint32_t align; /* of transfers: addresses, runs and strides */
    uint8_t *bytes;   /* as the engine sees them, between two guards */
    uint8_t *pending; /* what lands at the wait */
    uint8_t *known;   /* 1 where something was written */
    uint8_t *writer;  /* the queue that still writes, plus 1; else 0 */
    uint8_t *readers; /* a bit for each queue that still reads */
    struct htvm_scratchpad *next;
} htvm_scratchpad;

/* Define a scratchpad `id` of `byte_count` bytes whose transfers are aligned to `unit`. */
#define HTVM_SCRATCHPAD(id, byte_count, unit)                                                   \
    static uint8_t id##_bytes[HTVM_GUARD_BYTES + (byte_count) + HTVM_GUARD_BYTES];              \
    static uint8_t id##_pending[byte_count];                                                    \
    static uint8_t id##_known[byte_count];                                                      \
    static uint8_t id##_writer[byte_count];                                                     \
    static uint8_t id##_readers[byte_count];                                                    \
    static htvm_scratchpad id = {                                                               \
        #id,          (byte_count), (unit),       id##_bytes + HTVM_GUARD_BYTES,                \
        id##_pending, id##_known,   id##_writer,  id##_readers,                  0}

/* The start and the end of an inference; open every scratchpad after the start. Each step the
 * host issues takes it `host_cycles`. */
void htvm_emulated_begin(const htvm_region *regions, uint32_t count, uint32_t host_cycles);
void htvm_emulated_open(htvm_scratchpad *memory);
void htvm_emulated_end(void);

/* Define prefix_begin, _end, _wait, _load and _store over one scratchpad: the functions that
 * api.Driver has generated code call. Transfers take htvm_box_cycles(). */
#define HTVM_EMULATED_DRIVER(prefix, memory, host_cycles, load, store, start_cycles, width)     \
    void prefix##_begin(const htvm_region *regions, uint32_t count)                             \
    {                                                                                           \
        htvm_emulated_begin(regions, count, host_cycles);                                       \
        htvm_emulated_open(&memory);                                                            \
    }                                                                                           \
    void prefix##_end(void) { htvm_emulated_end(); }                                            \
    void prefix##_wait(uint32_t queue) { htvm_emulated_wait(queue); }                           \
    void prefix##_load(uint32_t address, const void *source, htvm_box box)                      \
    {                                                                                           \
        htvm_emulated_load(load, &memory, address, source, box,                                 \
                           htvm_box_cycles(box, start_cycles, width));                          \
    }                                                                                           \
    void prefix##_store(void *target, uint32_t address, htvm_box box)                           \
    {                                                                                           \
        htvm_emulated_store(store, target, &memory, address, box,                               \
                            htvm_box_cycles(box, start_cycles, width));                         \
    }                                                                                           \
    struct htvm_scratchpad

/* Time of a transfer whose runs go through a bus of `width` bytes, one after the other. */
static inline uint64_t htvm_box_cycles(htvm_box box, uint32_t start_cycles, uint32_t width)
{
    const uint64_t beats = (box.run + (uint64_t)width - 1) / width;

    return start_cycles + beats * box.inner_count * box.outer_count;
}

/* Start a transfer that takes `cycles` on its queue. */
void htvm_emulated_load(uint32_t queue, htvm_scratchpad *memory, uint32_t address,
                        const void *source, htvm_box box, uint64_t cycles);
void htvm_emulated_store(uint32_t queue, void *target, htvm_scratchpad *memory, uint32_t address,
                         htvm_box box, uint64_t cycles);

/* Start a job; 0 if it may not run because a rule was broken. The engine then computes at once,
 * and says with htvm_emulated_took() how long it worked. Its results land at the wait. */
int htvm_emulated_start(uint32_t queue);
void htvm_emulated_took(uint32_t queue, uint64_t cycles);
void htvm_put(uint32_t queue, htvm_scratchpad *memory, uint32_t address, uint8_t value);
uint8_t htvm_get_checked(uint32_t queue, htvm_scratchpad *memory, uint32_t address);
static inline uint8_t htvm_get(uint32_t queue, htvm_scratchpad *memory, uint32_t address)
{
    if (address < memory->size && memory->known[address] && memory->writer[address] == 0) {
        memory->readers[address] |= (uint8_t)(1U << queue);
        return memory->bytes[address];
    }
    return htvm_get_checked(queue, memory, address);
}

/* A signed number of so many bytes, the least significant first. */
int64_t htvm_get_number(uint32_t queue, htvm_scratchpad *memory, uint32_t address, uint32_t bytes);

/* Hold the host until everything started on a queue is done. */
void htvm_emulated_wait(uint32_t queue);

/* Break off with a reason of the target's own. The first reason is kept. */
void htvm_emulated_fault(const char *format, ...);

/* What a target names in its Runtime: cycles so far, and the first broken rule or NULL. Asked
 * between layers, when nothing may be running. */
uint64_t htvm_emulated_cycles(void);
const char *htvm_emulated_error(void);

#endif
