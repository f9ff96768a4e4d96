// A machine with the memory port of docs/tensor.md section 3, run to the end of a program at compiled speed.
// Compiled together with the CXXRTL model of the Verilog and a generated `bindings.h` (hw/bench/cxxrtl.py).
#include "design.cc"

#include <cstdint>
#include <cstring>
#include <deque>
#include <random>

#include "bindings.h"  // Top, CONSTANTS(X), SOURCES(X), and HAS_PROGRESS where the machine has that port

namespace {

constexpr uint64_t address_bits = 32;

template <size_t N> const value<N> &now(const value<N> &port) { return port; }
template <size_t N> const value<N> &now(const wire<N> &port) { return port.curr; }

template <class Port> bool is_high(const Port &port) { return now(port).data[0] & 1; }

template <size_t N> constexpr size_t bytes_of(const value<N> &) { return (N + 7) / 8; }

// A value holds its bits in 32-bit chunks, the lowest first, with zeros above them: little-endian bytes on this host.
template <size_t N> void put(value<N> &port, const uint8_t *bytes) {
    value<N> fresh;
    std::memcpy(fresh.data, bytes, bytes_of(fresh));
    port = fresh;
}

template <class Port> void get(const Port &port, uint8_t *bytes) {
    std::memcpy(bytes, now(port).data, bytes_of(now(port)));
}

template <class Port> uint64_t low_bits(const Port &port) {
    uint64_t bits = 0;
    std::memcpy(&bits, now(port).data, bytes_of(now(port)) < 8 ? bytes_of(now(port)) : 8);
    return bits;
}

struct Line {
    uint64_t first_cycle, address, n_bytes;
};

}  // namespace

extern "C" {

enum Outcome : int32_t { finished = 0, not_done = 1, left_over = 2, outside_memory = 3, trace_full = 4 };

struct Source {
    const uint8_t *rows;  // n_rows times row_bytes
    uint64_t n_rows, row_bytes;
};

struct Job {
    const uint8_t *const *constants;  // one for each of CONSTANTS
    const Source *sources;            // one for each of SOURCES
    uint8_t *image;                   // DRAM, changed in place
    uint64_t image_bytes, beat_bytes, latency_cycles, most_cycles;
    int64_t lazy_seed;  // negative: the memory never waits
    uint8_t *counters;  // room for the port's bytes
    uint64_t *trace;    // pairs of cycle and `progress` (its low 64 bits in trace, the rest in trace_high), or null
    uint64_t *trace_high;
    uint64_t trace_room, n_trace;  // in pairs; in and out
    uint64_t n_cycles;             // out: rising edges from cycle 0 on
    uint64_t fault_address;        // out, of outside_memory
};

Top *machine_new() {
    Top *top = new Top;
    top->p_rst.set<bool>(true);
    for (int n = 0; n < 2; n++) {
        top->p_clk.set<bool>(true), top->step();
        top->p_clk.set<bool>(false), top->step();
    }
    top->p_rst.set<bool>(false);
    return top;
}

void machine_delete(Top *top) { delete top; }

uint64_t machine_counters_bytes(const Top *top) { return bytes_of(now(top->p_counters)); }

uint64_t machine_source_bytes(const Top *top, uint64_t index) {
#define X(n, name) if (index == n) return bytes_of(now(top->name##payload));
    SOURCES(X)
#undef X
    return 0;
}

uint64_t machine_constant_bytes(const Top *top, uint64_t index) {
#define X(n, name) if (index == n) return bytes_of(now(top->name));
    CONSTANTS(X)
#undef X
    return 0;
}

}  // extern "C"

namespace {

struct Bench {
    Top &top;
    Job &job;
    std::mt19937_64 random;
    std::deque<Line> lines;  // requested, oldest first
    uint64_t at = 0;         // bytes of the oldest line already taken
    bool shown = false;      // a beat that was shown stays until it is taken
    bool wrote = false;

    Bench(Top &top, Job &job) : top(top), job(job), random(job.lazy_seed < 0 ? 0 : job.lazy_seed) {}

    bool willing() { return job.lazy_seed < 0 || random() % 10 < 6; }

    void tick() {
        top.step();  // paths from the inputs through modules settle before the edge
        top.p_clk.set<bool>(true), top.step();
        top.p_clk.set<bool>(false), top.step();  // outputs follow the new state: a step ends with its commit
    }

    bool outside(uint64_t address, uint64_t n_bytes) {
        if (n_bytes && address % job.beat_bytes == 0 && address + n_bytes <= job.image_bytes) return false;
        job.fault_address = address;
        return true;
    }

    template <class Valid, class Ready, class Payload>
    void feed(Valid &valid, const Ready &ready, Payload &payload, const Source &source, uint64_t &next, bool &taken) {
        if (taken) {
            if (next < source.n_rows) put(payload, source.rows + next * source.row_bytes);
            valid.template set<bool>(next < source.n_rows);
            next++;
        }
        taken = next <= source.n_rows && is_high(ready);
    }

    Outcome read(uint64_t cycle) {
        bool may_request = willing();
        top.p_read__request____ready.set<bool>(may_request);
        if (may_request && is_high(top.p_read__request____valid)) {
            uint64_t payload = low_bits(top.p_read__request____payload);
            Line line{cycle + job.latency_cycles, payload & ((1ull << address_bits) - 1), 0};
            line.n_bytes = (payload >> address_bits) * job.beat_bytes;
            if (outside(line.address, line.n_bytes)) return outside_memory;
            lines.push_back(line);
        }
        bool ready = !lines.empty() && lines.front().first_cycle <= cycle;
        shown = ready && (shown || willing());
        top.p_read__data____valid.set<bool>(shown);
        if (!shown) return finished;
        put(top.p_read__data____payload, job.image + lines.front().address + at);
        if (is_high(top.p_read__data____ready)) {
            shown = false;
            at += job.beat_bytes;
            if (at == lines.front().n_bytes) lines.pop_front(), at = 0;
        }
        return finished;
    }

    Outcome write() {
        bool may_write = willing();
        top.p_write____ready.set<bool>(may_write);
        if (!may_write || !is_high(top.p_write____valid)) return finished;
        uint8_t payload[sizeof(now(top.p_write____payload).data)];
        get(top.p_write____payload, payload);
        uint32_t address;
        std::memcpy(&address, payload, sizeof address);
        if (outside(address, job.beat_bytes)) return outside_memory;
        std::memcpy(job.image + address, payload + sizeof address, job.beat_bytes);
        wrote = true;
        return finished;
    }

    Outcome trace(uint64_t cycle) {
#ifdef HAS_PROGRESS
        if (!job.trace) return finished;
        uint64_t halves[2] = {0, 0};
        static_assert(sizeof(now(top.p_progress).data) <= sizeof halves, "progress is wider than 128 bits");
        get(top.p_progress, reinterpret_cast<uint8_t *>(halves));
        uint64_t n = job.n_trace;
        if (n && job.trace[2 * n - 1] == halves[0] && job.trace_high[n - 1] == halves[1]) return finished;
        if (n == job.trace_room) return trace_full;
        job.trace[2 * n] = cycle, job.trace[2 * n + 1] = halves[0], job.trace_high[n] = halves[1];
        job.n_trace++;
#else
        (void)cycle;
#endif
        return finished;
    }

    Outcome run() {
        uint64_t next[16] = {};
        bool taken[16];
        for (bool &flag : taken) flag = true;
        top.p_clear.set<bool>(true);
#define X(n, name) put(top.name, job.constants[n]);
        CONSTANTS(X)
#undef X
        tick();
        top.p_clear.set<bool>(false);
        tick();
        for (uint64_t cycle = 0; cycle < job.most_cycles; cycle++) {
            job.n_cycles = cycle;
            if (Outcome outcome = trace(cycle)) return outcome;
            if (wrote && is_high(top.p_done)) {
                bool left = !lines.empty();
#define X(n, name) left |= next[n] <= job.sources[n].n_rows;
                SOURCES(X)
#undef X
                get(top.p_counters, job.counters);
                return left ? left_over : finished;
            }
#define X(n, name) feed(top.name##valid, top.name##ready, top.name##payload, job.sources[n], next[n], taken[n]);
            SOURCES(X)
#undef X
            if (Outcome outcome = read(cycle)) return outcome;
            if (Outcome outcome = write()) return outcome;
            tick();
        }
        return not_done;
    }
};

}  // namespace

extern "C" int32_t machine_run(Top *top, Job *job) { return Bench(*top, *job).run(); }
