/* Runs a flat RV32IMF image and counts cycles as an RI5CY core would spend them.
 *
 * usage: core IMAGE      The image is loaded and entered at 0x80000000; it ends with ebreak.
 * Prints the instructions and the cycles between two writes to the magic address 0x10.
 *
 * The counting follows the RI5CY user manual: one cycle an instruction; one more when the
 * instruction after a load uses what was loaded; two more for a taken branch; one more for a jump;
 * five for mulh; division by its operand's length, 35 at most. Memory answers at once, as tightly
 * coupled memories do. Float additions and multiplications have a latency of two cycles, as the
 * FPU is configured by default; divisions take six.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BASE UINT32_C(0x80000000)
#define SIZE (UINT32_C(1) << 24)
#define MARK UINT32_C(0x10)

static uint8_t memory[SIZE];
static uint32_t x[32];
static float f[32];
static uint64_t instructions, cycles;
static uint64_t marked_instructions, marked_cycles;

static uint32_t load(uint32_t address, int bytes)
{
    uint32_t value = 0;
    if (address - BASE <= SIZE - 4) {
        memcpy(&value, memory + (address - BASE), (size_t)bytes);
    }
    return value;
}

static void store(uint32_t address, uint32_t value, int bytes)
{
    if (address == MARK) {
        marked_instructions = instructions - marked_instructions;
        marked_cycles = cycles - marked_cycles;
    } else if (address - BASE <= SIZE - 4) {
        memcpy(memory + (address - BASE), &value, (size_t)bytes);
    }
}

static int bit_length(uint32_t value)
{
    int length = 0;
    for (; value; value >>= 1) {
        length++;
    }
    return length;
}

static uint32_t multiply(uint32_t kind, uint32_t a, uint32_t b)
{
    const int32_t sa = (int32_t)a, sb = (int32_t)b;
    if (kind == 1 || kind == 2 || kind == 3) {
        cycles += 4;
    }
    if (kind >= 4) {
        cycles += (uint64_t)(2 + bit_length(kind & 1 || sb > 0 ? b : (uint32_t)-sb));
    }
    switch (kind) {
    case 0: return a * b;
    case 1: return (uint32_t)(((int64_t)sa * sb) >> 32);
    case 2: return (uint32_t)(((int64_t)sa * b) >> 32);
    case 3: return (uint32_t)(((uint64_t)a * b) >> 32);
    case 4: return b == 0 ? UINT32_MAX : a == UINT32_C(1) << 31 && sb == -1 ? a : (uint32_t)(sa / sb);
    case 5: return b == 0 ? UINT32_MAX : a / b;
    case 6: return b == 0 ? a : a == UINT32_C(1) << 31 && sb == -1 ? 0 : (uint32_t)(sa % sb);
    default: return b == 0 ? a : a % b;
    }
}

static uint32_t calculate(uint32_t kind, int alternative, uint32_t a, uint32_t b)
{
    switch (kind) {
    case 0: return alternative ? a - b : a + b;
    case 1: return a << (b & 31);
    case 2: return (int32_t)a < (int32_t)b;
    case 3: return a < b;
    case 4: return a ^ b;
    case 5: return alternative ? (uint32_t)((int32_t)a >> (b & 31)) : a >> (b & 31);
    case 6: return a | b;
    default: return a & b;
    }
}

static int taken(uint32_t kind, uint32_t a, uint32_t b)
{
    const int less = kind < 6 ? (int32_t)a < (int32_t)b : a < b;
    return (kind < 4 ? a == b : less) != (int)(kind & 1);
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int floating(uint32_t word, uint32_t rd, uint32_t r1, uint32_t r2, uint32_t kind)
{
    const uint32_t sign = UINT32_C(1) << 31, b = bits_of(f[r2]);
    switch (word >> 25) {
    case 0x00: f[rd] = f[r1] + f[r2]; cycles++; return 0;
    case 0x04: f[rd] = f[r1] - f[r2]; cycles++; return 0;
    case 0x08: f[rd] = f[r1] * f[r2]; cycles++; return 0;
    case 0x0c: f[rd] = f[r1] / f[r2]; cycles += 5; return 0;
    case 0x10: f[rd] = float_of((bits_of(f[r1]) & ~sign)
            | ((kind == 0 ? b : kind == 1 ? ~b : b ^ bits_of(f[r1])) & sign));
        return 0;
    case 0x14: f[rd] = kind == 0 ? fminf(f[r1], f[r2]) : fmaxf(f[r1], f[r2]); return 0;
    case 0x50: x[rd] = kind == 0 ? f[r1] <= f[r2] : kind == 1 ? f[r1] < f[r2] : f[r1] == f[r2];
        return 0;
    case 0x60: x[rd] = (uint32_t)(int32_t)(kind == 1 ? truncf(f[r1]) : rintf(f[r1])); return 0;
    case 0x68: f[rd] = r2 == 0 ? (float)(int32_t)x[r1] : (float)x[r1]; return 0;
    case 0x70: x[rd] = bits_of(f[r1]); return 0;
    case 0x78: f[rd] = float_of(x[r1]); return 0;
    default: return 1;
    }
}

/* The registers an instruction reads, to find uses right after a load. */
static int reads(uint32_t word, uint32_t reg)
{
    const uint32_t op = word & 0x7f;
    const int second = op == 0x33 || op == 0x63 || op == 0x23;
    const int first = second || op == 0x13 || op == 0x03 || op == 0x67 || op == 0x07 || op == 0x27
        || op == 0x53;
    return (first && (word >> 15 & 31) == reg) || (second && (word >> 20 & 31) == reg);
}

static int run(void)
{
    uint32_t pc = BASE, loaded = 0;
    for (;;) {
        const uint32_t word = load(pc, 4), op = word & 0x7f;
        const uint32_t rd = word >> 7 & 31, r1 = word >> 15 & 31, r2 = word >> 20 & 31;
        const uint32_t kind = word >> 12 & 7, a = x[r1], b = x[r2];
        const uint32_t upper = word & 0xfffff000;
        const int32_t immediate = (int32_t)word >> 20;
        const uint32_t offset = ((uint32_t)((int32_t)word >> 25) << 5) | rd;
        uint32_t next = pc + 4;
        instructions++;
        cycles += 1 + (loaded != 0 && reads(word, loaded));
        loaded = 0;
        switch (op) {
        case 0x37: x[rd] = upper; break;
        case 0x17: x[rd] = pc + upper; break;
        case 0x6f:
            x[rd] = next;
            next = pc + (((uint32_t)((int32_t)word >> 31) << 20) | (word & 0xff000)
                | (word >> 9 & 0x800) | (word >> 20 & 0x7fe));
            cycles++;
            break;
        case 0x67: x[rd] = next; next = (a + (uint32_t)immediate) & ~UINT32_C(1); cycles++; break;
        case 0x63:
            if (taken(kind, a, b)) {
                next = pc + (((uint32_t)((int32_t)word >> 31) << 12) | (word << 4 & 0x800)
                    | (word >> 20 & 0x7e0) | (word >> 7 & 0x1e));
                cycles += 2;
            }
            break;
        case 0x03: {
            const uint32_t value = load(a + (uint32_t)immediate, 1 << (kind & 3));
            x[rd] = kind == 0 ? (uint32_t)(int8_t)value
                : kind == 1 ? (uint32_t)(int16_t)value : value;
            loaded = rd;
            break;
        }
        case 0x07: f[rd] = float_of(load(a + (uint32_t)immediate, 4)); break;
        case 0x23: store(a + offset, b, 1 << kind); break;
        case 0x27: store(a + offset, bits_of(f[r2]), 4); break;
        case 0x13:
            x[rd] = calculate(kind, kind == 5 && word >> 30 & 1, a, (uint32_t)immediate);
            break;
        case 0x33:
            x[rd] = word >> 25 == 1 ? multiply(kind, a, b) : calculate(kind, word >> 30 & 1, a, b);
            break;
        case 0x53:
            if (floating(word, rd, r1, r2, kind)) {
                return 1;
            }
            break;
        case 0x73: return word != UINT32_C(0x00100073);
        default: return 1;
        }
        x[0] = 0;
        pc = next;
    }
}

int main(int count, char **arguments)
{
    FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
    if (file == NULL || fread(memory, 1, SIZE, file) == 0 || fclose(file) != 0) {
        fprintf(stderr, "usage: core IMAGE\n");
        return 2;
    }
    if (run() != 0) {
        fprintf(stderr, "met an instruction it does not know\n");
        return 1;
    }
    printf("%llu %llu\n", (unsigned long long)marked_instructions, (unsigned long long)marked_cycles);
    return 0;
}
