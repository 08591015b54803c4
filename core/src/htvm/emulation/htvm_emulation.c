/* The scratchpads, the transfers, the queues and their time. */
#include "htvm_emulation.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { GUARD_BYTE = 0xA5, MESSAGE_BYTES = 240, MAX_REGIONS = 1024, MAX_TRANSFERS = 64 };

typedef struct {
    uint32_t queue;
    htvm_scratchpad *memory;
    uint32_t address;
    uint8_t *target; /* NULL for a load */
    const uint8_t *main;
    htvm_box box;
    uint64_t digest; /* of the main-memory end when the transfer was started */
} transfer;

static htvm_region regions[MAX_REGIONS];
static uint32_t region_count;
static htvm_scratchpad *memories;
static transfer under_way[MAX_TRANSFERS];
static uint32_t transfers;
static int running[HTVM_QUEUES];
static uint64_t idle_from[HTVM_QUEUES];
static uint64_t now;
static uint64_t host_step;
static int failed;
static char message[MESSAGE_BYTES];
static uint32_t noise = 0x9E3779B9U;

void htvm_emulated_fault(const char *format, ...)
{
    va_list values;

    if (!failed) {
        va_start(values, format);
        (void)vsnprintf(message, sizeof message, format, values);
        va_end(values);
    }
    failed = 1;
}

const char *htvm_emulated_error(void)
{
    uint32_t i;

    for (i = 0; i < HTVM_QUEUES; i++) {
        if (running[i]) {
            htvm_emulated_fault("queue %u is not waited for at the end of a layer", (unsigned)i);
        }
    }
    return failed ? message : NULL;
}

uint64_t htvm_emulated_cycles(void) { return now; }

static uint8_t next_noise(void)
{
    noise ^= noise << 13;
    noise ^= noise >> 17;
    noise ^= noise << 5;
    return (uint8_t)noise;
}

void htvm_emulated_begin(const htvm_region *given, uint32_t count, uint32_t host_cycles)
{
    uint32_t i;

    if (count > MAX_REGIONS) {
        htvm_emulated_fault("%u regions are declared, the emulation holds %d", (unsigned)count,
                            MAX_REGIONS);
        count = 0;
    }
    for (i = 0; i < count; i++) {
        regions[i] = given[i];
    }
    region_count = count;
    host_step = host_cycles;
    memories = NULL;
    transfers = 0;
    for (i = 0; i < HTVM_QUEUES; i++) {
        running[i] = 0;
    }
}

void htvm_emulated_open(htvm_scratchpad *memory)
{
    uint32_t i;

    memset(memory->bytes - HTVM_GUARD_BYTES, GUARD_BYTE, HTVM_GUARD_BYTES);
    memset(memory->bytes + memory->size, GUARD_BYTE, HTVM_GUARD_BYTES);
    for (i = 0; i < memory->size; i++) {
        memory->bytes[i] = next_noise();
    }
    memset(memory->known, 0, memory->size);
    memset(memory->writer, 0, memory->size);
    memset(memory->readers, 0, memory->size);
    memory->next = memories;
    memories = memory;
}

void htvm_emulated_end(void)
{
    const htvm_scratchpad *memory;
    uint32_t i;

    for (memory = memories; memory != NULL; memory = memory->next) {
        for (i = 0; i < HTVM_GUARD_BYTES; i++) {
            if (memory->bytes[-1 - (int)i] != GUARD_BYTE ||
                memory->bytes[memory->size + i] != GUARD_BYTE) {
                htvm_emulated_fault("something wrote past the ends of %s", memory->name);
            }
        }
    }
}

/* Whether the host may issue a step; it takes its time either way. */
static int issue(uint32_t queue)
{
    now += host_step;
    if (queue >= HTVM_QUEUES) {
        htvm_emulated_fault("queue %u, the emulation has %d", (unsigned)queue, HTVM_QUEUES);
    }
    return !failed;
}

int htvm_emulated_start(uint32_t queue)
{
    if (!issue(queue)) {
        return 0;
    }
    running[queue] = 1;
    return 1;
}

void htvm_emulated_took(uint32_t queue, uint64_t cycles)
{
    const uint64_t start = idle_from[queue] > now ? idle_from[queue] : now;

    idle_from[queue] = start + cycles;
}

uint8_t htvm_get_checked(uint32_t queue, htvm_scratchpad *memory, uint32_t address)
{
    if (address >= memory->size) {
        htvm_emulated_fault("byte %u of %s is read, which has %u", (unsigned)address, memory->name,
                            (unsigned)memory->size);
        return 0;
    }
    if (memory->writer[address] != 0) {
        htvm_emulated_fault("byte %u of %s is read by queue %u before queue %u is waited for",
                            (unsigned)address, memory->name, (unsigned)queue,
                            (unsigned)memory->writer[address] - 1);
    } else if (!memory->known[address]) {
        htvm_emulated_fault("byte %u of %s is read by queue %u and was never written",
                            (unsigned)address, memory->name, (unsigned)queue);
    }
    memory->readers[address] |= (uint8_t)(1U << queue);
    return memory->bytes[address];
}

int64_t htvm_get_number(uint32_t queue, htvm_scratchpad *memory, uint32_t address, uint32_t bytes)
{
    const uint64_t sign = (uint64_t)1 << (8 * bytes - 1);
    uint64_t value = 0;
    uint32_t i;

    for (i = 0; i < bytes; i++) {
        value |= (uint64_t)htvm_get(queue, memory, address + i) << (8 * i);
    }
    return (int64_t)((value ^ sign) - sign);
}

void htvm_put(uint32_t queue, htvm_scratchpad *memory, uint32_t address, uint8_t value)
{
    if (address >= memory->size) {
        htvm_emulated_fault("byte %u of %s is written, which has %u", (unsigned)address,
                            memory->name, (unsigned)memory->size);
        return;
    }
    if ((memory->readers[address] & ~(1U << queue)) != 0) {
        htvm_emulated_fault("byte %u of %s is written by queue %u while another still reads it",
                            (unsigned)address, memory->name, (unsigned)queue);
    } else if (memory->writer[address] != 0 && memory->writer[address] != queue + 1) {
        htvm_emulated_fault("byte %u of %s is written by queue %u and by queue %u at once",
                            (unsigned)address, memory->name, (unsigned)queue,
                            (unsigned)memory->writer[address] - 1);
    }
    memory->writer[address] = (uint8_t)(queue + 1);
    memory->pending[address] = value;
}

static const uint8_t *run_of(const transfer *one, uint32_t outer, uint32_t inner)
{
    return one->main + (size_t)outer * one->box.outer_stride +
           (size_t)inner * one->box.inner_stride;
}

static uint64_t digest(const transfer *one)
{
    uint64_t value = 14695981039346656037U;
    uint32_t outer;
    uint32_t inner;
    uint32_t i;

    for (outer = 0; outer < one->box.outer_count; outer++) {
        for (inner = 0; inner < one->box.inner_count; inner++) {
            const uint8_t *run = run_of(one, outer, inner);

            for (i = 0; i < one->box.run; i++) {
                value = (value ^ run[i]) * 1099511628211U;
            }
        }
    }
    return value;
}

static int check_region(const transfer *one, const char *what)
{
    const htvm_box *box = &one->box;
    const uint64_t size = (uint64_t)(box->outer_count - 1) * box->outer_stride +
                          (uint64_t)(box->inner_count - 1) * box->inner_stride + box->run;
    const uintptr_t start = (uintptr_t)one->main;
    uint32_t i;

    for (i = 0; i < region_count; i++) {
        const uintptr_t base = (uintptr_t)regions[i].data;

        if (start >= base && start - base < regions[i].size) {
            if (size > regions[i].size - (start - base)) {
                htvm_emulated_fault("%s of %llu bytes leaves main-memory region %u of %u bytes",
                                    what, (unsigned long long)size, (unsigned)i,
                                    (unsigned)regions[i].size);
            } else if (one->target != NULL && !regions[i].writable) {
                htvm_emulated_fault("store to main-memory region %u, which may only be read",
                                    (unsigned)i);
            }
            return !failed;
        }
    }
    htvm_emulated_fault("%s at a main-memory address no region has", what);
    return 0;
}

static int check_shape(const transfer *one, const char *what)
{
    const htvm_box *box = &one->box;
    const uint32_t unit = one->memory->align;

    if (box->run == 0 || box->inner_count == 0 || box->outer_count == 0) {
        htvm_emulated_fault("%s of no bytes", what);
    } else if (one->address % unit != 0 || box->run % unit != 0 || (uintptr_t)one->main % unit != 0 ||
               (box->inner_count > 1 && box->inner_stride % unit != 0) ||
               (box->outer_count > 1 && box->outer_stride % unit != 0)) {
        htvm_emulated_fault("%s is not aligned to %u bytes: to %u of %s, runs of %u", what,
                            (unsigned)unit, (unsigned)one->address, one->memory->name,
                            (unsigned)box->run);
    } else if (transfers == MAX_TRANSFERS) {
        htvm_emulated_fault("%d transfers are under way, none is waited for", MAX_TRANSFERS);
    }
    return !failed;
}

static int begin_transfer(transfer *one, const char *what, uint64_t cycles)
{
    if (!issue(one->queue) || !check_shape(one, what) || !check_region(one, what)) {
        return 0;
    }
    running[one->queue] = 1;
    htvm_emulated_took(one->queue, cycles);
    return 1;
}

void htvm_emulated_load(uint32_t queue, htvm_scratchpad *memory, uint32_t address,
                        const void *source, htvm_box box, uint64_t cycles)
{
    transfer one = {queue, memory, address, NULL, (const uint8_t *)source, box, 0};
    uint32_t outer;
    uint32_t inner;
    uint32_t i;

    if (!begin_transfer(&one, "load", cycles)) {
        return;
    }
    one.digest = digest(&one);
    under_way[transfers++] = one;
    for (outer = 0; outer < box.outer_count; outer++) {
        for (inner = 0; inner < box.inner_count; inner++) {
            const uint8_t *run = run_of(&one, outer, inner);

            for (i = 0; i < box.run && !failed; i++) {
                htvm_put(queue, memory, address++, run[i]);
            }
        }
    }
}

void htvm_emulated_store(uint32_t queue, void *target, htvm_scratchpad *memory, uint32_t address,
                         htvm_box box, uint64_t cycles)
{
    transfer one = {queue, memory, address, (uint8_t *)target, (const uint8_t *)target, box, 0};
    uint32_t outer;
    uint32_t inner;
    uint32_t i;

    if (!begin_transfer(&one, "store", cycles)) {
        return;
    }
    for (outer = 0; outer < box.outer_count; outer++) {
        for (inner = 0; inner < box.inner_count; inner++) {
            uint8_t *run = one.target + (run_of(&one, outer, inner) - one.main);

            for (i = 0; i < box.run && !failed; i++) {
                (void)htvm_get(queue, memory, address++);
                run[i] = next_noise();
            }
        }
    }
    one.digest = digest(&one);
    under_way[transfers++] = one;
}

static void land(const transfer *one)
{
    uint32_t address = one->address;
    uint32_t outer;
    uint32_t inner;

    if (digest(one) != one->digest) {
        htvm_emulated_fault("main memory changed while a %s of queue %u was under way",
                            one->target != NULL ? "store" : "load", (unsigned)one->queue);
    }
    if (one->target == NULL) {
        return;
    }
    for (outer = 0; outer < one->box.outer_count; outer++) {
        for (inner = 0; inner < one->box.inner_count; inner++) {
            memcpy(one->target + (run_of(one, outer, inner) - one->main),
                   one->memory->bytes + address, one->box.run);
            address += one->box.run;
        }
    }
}

static void land_scratchpad(htvm_scratchpad *memory, uint32_t queue)
{
    uint32_t i;

    for (i = 0; i < memory->size; i++) {
        if (memory->writer[i] == queue + 1) {
            memory->bytes[i] = memory->pending[i];
            memory->known[i] = 1;
            memory->writer[i] = 0;
        }
        memory->readers[i] &= (uint8_t)~(1U << queue);
    }
}

void htvm_emulated_wait(uint32_t queue)
{
    htvm_scratchpad *memory;
    uint32_t kept = 0;
    uint32_t i;

    if (!issue(queue)) {
        return;
    }
    now = idle_from[queue] > now ? idle_from[queue] : now;
    for (i = 0; i < transfers; i++) {
        if (under_way[i].queue == queue) {
            land(&under_way[i]);
        } else {
            under_way[kept++] = under_way[i];
        }
    }
    transfers = kept;
    if (running[queue]) {
        for (memory = memories; memory != NULL; memory = memory->next) {
            land_scratchpad(memory, queue);
        }
    }
    running[queue] = 0;
}
