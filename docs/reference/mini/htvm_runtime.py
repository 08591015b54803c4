from htvm.api import Hardware, Runtime, Target, emulation_support, hookimpl

HEADER = """
#ifndef MINI_H
#define MINI_H
#include "htvm.h"

enum { MINI_DMA, MINI_ROWS };

/* The input lies at 0, rows follow it, the output follows them. */
typedef struct { uint32_t columns, count; int32_t lo, hi; } mini_job;

void mini_begin(const htvm_region *regions, uint32_t count);
void mini_end(void);
void mini_wait(uint32_t queue);
void mini_load(uint32_t address, const void *source, htvm_box box);
void mini_store(void *target, uint32_t address, htvm_box box);
void mini_rows(const mini_job *job);
#endif
"""

EMULATION = """
#include "mini.h"
#include "htvm_emulation.h"

HTVM_SCRATCHPAD(spm, HTVM_MEMORY_SPM_SIZE_BYTES, HTVM_MEMORY_SPM_ALIGN_BYTES);

HTVM_EMULATED_DRIVER(mini, spm, 0, MINI_DMA, MINI_DMA, 0, HTVM_ENGINE_CPU_DMA_BYTES_PER_CYCLE);

void mini_rows(const mini_job *job)
{
    const uint32_t row_bytes = 24 + job->columns;
    const uint32_t out = job->columns + job->count * row_bytes;

    if (!htvm_emulated_start(MINI_ROWS)) {
        return;
    }
    for (uint32_t r = 0; r < job->count; r++) {
        const uint32_t row = job->columns + r * row_bytes;
        int64_t sum = 0;

        for (uint32_t c = 0; c < job->columns; c++) {
            sum += (int8_t)htvm_get(MINI_ROWS, &spm, c) *
                   (int8_t)htvm_get(MINI_ROWS, &spm, row + 24 + c);
        }
        sum = sum * htvm_get_number(MINI_ROWS, &spm, row + 8, 8) +
              htvm_get_number(MINI_ROWS, &spm, row, 8);
        sum >>= htvm_get_number(MINI_ROWS, &spm, row + 16, 8);
        sum = sum < job->lo ? job->lo : sum > job->hi ? job->hi : sum;
        htvm_put(MINI_ROWS, &spm, out + r, (uint8_t)sum);
    }
    htvm_emulated_took(MINI_ROWS, HTVM_ENGINE_ROWS_START_CYCLES + job->columns * job->count / 4);
}
"""


class Files(Target):
    @hookimpl
    def htvm_runtime(self, hardware: Hardware) -> Runtime:
        emulation = {"mini_emulation.c": EMULATION, **emulation_support(hardware)}
        return Runtime(
            headers={"mini.h": HEADER},
            emulation=emulation,
            device=emulation,  # there is no silicon: boards have a driver here
            begin="mini_begin({regions}, {count});",
            end="mini_end();",
            cycles="htvm_emulated_cycles",
            error="htvm_emulated_error",
        )
