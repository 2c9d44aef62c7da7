/* A scripted libnvidia-ml.so.1 for tests: the real pynvml, Zeus and CodeCarbon run on it.
 *
 * nvmlInit reads the file that NVML_STUB_SCRIPT names (or stub_load was given): lines of
 * "key value ...", "gpu UUID" begins a device. Power is piecewise constant over time since
 * `origin_ns` of CLOCK_MONOTONIC, or of the time that stub_set_now gives. Counters and
 * gauges change at their ticks only, as the hardware's do.
 */
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OK = 0, UNINITIALIZED = 1, INVALID = 2, UNSUPPORTED = 3, NOT_FOUND = 6, SMALL = 7 };
enum { GPUS = 16, POINTS = 65536, FAULTS = 32, FEW = 8 };

typedef struct { double from, to, value; char name[64]; } Fault;
typedef struct Gpu {
    char uuid[96], name[96], slices[FEW][96];
    int index, arch, major, minor, counter, instant, average, usage_average, mig, gpm;
    int n, resets, faults, powers, throttles, processes, slice_count, module, memory;
    double counter_period, counter_phase, power_period, power_phase, active, repeat;
    double frozen, limit, max_limit, temperature, module_extra, memory_share;
    double start[POINTS], watts[POINTS], sum[POINTS];
    double reset[FEW];
    Fault fault[FAULTS], power[FAULTS], throttle[FAULTS];
    unsigned pid[FEW];
} Gpu;
typedef struct { Gpu *parent; int index; uint64_t mark; } Slice;

static Gpu gpus[GPUS];
static Slice slice[GPUS][FEW];
static int count = 0, ready = 0, init_error = 0, mute = 0;
static int64_t origin_ns = 0, fixed_ns = -1;
static char script[PATH_MAX] = "";

void stub_set_now(int64_t ns) { fixed_ns = ns; }
void stub_load(const char *path) { snprintf(script, sizeof script, "%s", path); }

static double now(void) {
    struct timespec t;
    if (fixed_ns >= 0) return (double)(fixed_ns - origin_ns) / 1e9;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)(t.tv_sec * 1000000000LL + t.tv_nsec - origin_ns) / 1e9;
}

/* Joules from 0 to t within one pass of the curve. */
static double pass(const Gpu *g, double t) {
    int low = 0, high = g->n - 1;
    if (t <= 0 || !g->n) return 0;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (g->start[middle] <= t) low = middle; else high = middle - 1;
    }
    return g->sum[low] + g->watts[low] * (t - g->start[low]);
}

static double joules(const Gpu *g, double t) {
    if (g->repeat <= 0) return pass(g, t);
    double turns = floor(t / g->repeat);
    return turns * pass(g, g->repeat) + pass(g, t - turns * g->repeat);
}

static double tick(double t, double period, double phase) {
    return period > 0 ? phase + floor((t - phase) / period) * period : t;
}

static double mean(const Gpu *g, double t, double over) {
    if (over < 1e-4) over = 1e-4;
    return (joules(g, t) - joules(g, t - over)) / over;
}

static int fault(const Gpu *g, const char *name) {
    double t = now();
    if (!ready) return UNINITIALIZED;
    for (int i = 0; i < g->faults; i++) {
        const Fault *f = &g->fault[i];
        int named = !strcmp(f->name, "*") || !strcmp(f->name, name);
        if (named && t >= f->from && t < f->to) return (int)f->value;
    }
    return mute ? UNSUPPORTED : OK;
}

static double counted_j(const Gpu *g) {
    double t = now(), base = 0;
    if (g->frozen >= 0 && t > g->frozen) t = g->frozen;
    t = tick(t, g->counter_period, g->counter_phase);
    for (int i = 0; i < g->resets; i++)
        if (g->reset[i] <= t) base = joules(g, g->reset[i]);
    return joules(g, t) - base + (g->resets ? 0 : 1000);
}

static unsigned milliwatts(const Gpu *g, int averaged) {
    double t = now();
    for (int i = 0; i < g->powers; i++)
        if (t >= g->power[i].from && t < g->power[i].to) return (unsigned)g->power[i].value;
    t = tick(t, g->power_period, g->power_phase);
    return (unsigned)llround(1000 * mean(g, t, averaged ? 1.0 : g->active));
}

static void add(Fault *list, int *n, const char *rest, int named) {
    Fault *f = &list[*n];
    if (*n >= FAULTS) return;
    if (named) *n += sscanf(rest, "%63s %lf %lf %lf", f->name, &f->from, &f->to, &f->value) == 4;
    else *n += sscanf(rest, "%lf %lf %lf", &f->from, &f->to, &f->value) == 3;
}

static void set(Gpu *g, const char *key, const char *rest) {
    double v = atof(rest);
    struct { const char *key; double *to; } reals[] = {
        {"counter_period", &g->counter_period}, {"counter_phase", &g->counter_phase},
        {"power_period", &g->power_period}, {"power_phase", &g->power_phase},
        {"active", &g->active}, {"repeat", &g->repeat}, {"frozen", &g->frozen},
        {"limit", &g->limit}, {"max_limit", &g->max_limit}, {"temperature", &g->temperature},
        {"module", &g->module_extra}, {"memory", &g->memory_share}};
    struct { const char *key; int *to; } flags[] = {
        {"arch", &g->arch}, {"counter", &g->counter}, {"instant", &g->instant},
        {"average", &g->average}, {"usage_average", &g->usage_average}, {"mig", &g->mig},
        {"gpm", &g->gpm}};
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        if (!strcmp(key, reals[i].key)) *reals[i].to = v;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (!strcmp(key, flags[i].key)) *flags[i].to = (int)v;
    if (!strcmp(key, "module")) g->module = 1;
    if (!strcmp(key, "memory")) g->memory = 1;
    if (!strcmp(key, "name")) snprintf(g->name, sizeof g->name, "%s", rest);
    if (!strcmp(key, "cc")) sscanf(rest, "%d %d", &g->major, &g->minor);
    if (!strcmp(key, "error")) add(g->fault, &g->faults, rest, 1);
    if (!strcmp(key, "power")) add(g->power, &g->powers, rest, 0);
    if (!strcmp(key, "throttle")) add(g->throttle, &g->throttles, rest, 0);
    if (!strcmp(key, "reset") && g->resets < FEW) g->reset[g->resets++] = v;
    if (!strcmp(key, "process") && g->processes < FEW) g->pid[g->processes++] = (unsigned)v;
    if (!strcmp(key, "slice") && g->slice_count < FEW)
        snprintf(g->slices[g->slice_count++], 96, "%s", rest);
    if (!strcmp(key, "p") && g->n < POINTS) {
        int n = g->n++;
        sscanf(rest, "%lf %lf", &g->start[n], &g->watts[n]);
        g->sum[n] = n ? g->sum[n - 1] + g->watts[n - 1] * (g->start[n] - g->start[n - 1]) : 0;
    }
}

static void load(const char *path) {
    char line[512], key[64];
    FILE *file = fopen(path, "r");
    Gpu *g = NULL;
    count = 0; init_error = 0; mute = 0; origin_ns = 0;
    if (!file) { init_error = 9; return; }
    while (fgets(line, sizeof line, file)) {
        int used = 0;
        line[strcspn(line, "\n")] = 0;
        if (sscanf(line, "%63s %n", key, &used) != 1) continue;
        const char *rest = line + used;
        if (!strcmp(key, "origin_ns")) origin_ns = atoll(rest);
        else if (!strcmp(key, "init_error")) init_error = atoi(rest);
        else if (!strcmp(key, "mute")) mute = atoi(rest);
        else if (!strcmp(key, "gpu") && count < GPUS) {
            g = &gpus[count];
            memset(g, 0, sizeof *g);
            snprintf(g->uuid, sizeof g->uuid, "%s", rest);
            g->index = count++; g->frozen = -1;
        } else if (g) set(g, key, rest);
    }
    fclose(file);
}

int nvmlInit_v2(void) {
    const char *path = script[0] ? script : getenv("NVML_STUB_SCRIPT");
    load(path ? path : "");
    ready = !init_error;
    return init_error;
}
int nvmlInitWithFlags(unsigned flags) { (void)flags; return nvmlInit_v2(); }
int nvmlShutdown(void) { ready = 0; return OK; }
const char *nvmlErrorString(int code) {
    switch (code) {
    case OK: return "Success";
    case UNINITIALIZED: return "Uninitialized";
    case INVALID: return "Invalid Argument";
    case UNSUPPORTED: return "Not Supported";
    case NOT_FOUND: return "Not Found";
    case 9: return "Driver Not Loaded";
    case 15: return "GPU is lost";
    default: return "Unknown Error";
    }
}

static int text(char *to, unsigned size, const char *from) {
    if (strlen(from) + 1 > size) return SMALL;
    strcpy(to, from);
    return OK;
}
int nvmlSystemGetDriverVersion(char *to, unsigned size) { return text(to, size, "580.00"); }
int nvmlSystemGetNVMLVersion(char *to, unsigned size) { return text(to, size, "13.580.00"); }
int nvmlSystemGetCudaDriverVersion_v2(int *v) { *v = 13000; return OK; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = (unsigned)count; return ready ? OK : UNINITIALIZED; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, Gpu **g) {
    if (!ready) return UNINITIALIZED;
    if (i >= (unsigned)count) return INVALID;
    *g = &gpus[i];
    return OK;
}

static Slice *as_slice(void *handle) {
    return handle >= (void *)slice && handle < (void *)(slice + GPUS) ? handle : NULL;
}
static Gpu *as_gpu(void *handle) {
    Slice *s = as_slice(handle);
    return s ? s->parent : handle;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) {
    for (int i = 0; i < count; i++) {
        if (!strcmp(gpus[i].uuid, uuid)) { *handle = &gpus[i]; return OK; }
        for (int k = 0; k < gpus[i].slice_count; k++)
            if (!strcmp(gpus[i].slices[k], uuid)) {
                slice[i][k] = (Slice){&gpus[i], k, 0};
                *handle = &slice[i][k];
                return OK;
            }
    }
    return NOT_FOUND;
}
int nvmlDeviceGetUUID(void *handle, char *to, unsigned size) {
    Slice *s = as_slice(handle);
    return text(to, size, s ? s->parent->slices[s->index] : ((Gpu *)handle)->uuid);
}
int nvmlDeviceGetName(void *h, char *to, unsigned size) { return text(to, size, as_gpu(h)->name); }
int nvmlDeviceGetIndex(Gpu *g, unsigned *i) { *i = (unsigned)g->index; return OK; }
int nvmlDeviceGetArchitecture(Gpu *g, unsigned *a) { *a = (unsigned)g->arch; return fault(g, "architecture"); }
int nvmlDeviceGetCudaComputeCapability(Gpu *g, int *major, int *minor) {
    *major = g->major; *minor = g->minor;
    return OK;
}
typedef struct {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char bus_id[32];
} Pci;
int nvmlDeviceGetPciInfo_v3(Gpu *g, Pci *p) {
    memset(p, 0, sizeof *p);
    p->bus = (unsigned)g->index + 1;
    snprintf(p->bus_id, sizeof p->bus_id, "00000000:%02X:00.0", p->bus);
    snprintf(p->legacy, sizeof p->legacy, "0000:%02X:00.0", p->bus);
    return OK;
}

int nvmlDeviceGetTotalEnergyConsumption(void *h, unsigned long long *mj) {
    Gpu *g = h;
    if (as_slice(h) || !g->counter) return UNSUPPORTED;
    *mj = (unsigned long long)llround(counted_j(g) * 1000);
    return fault(g, "energy");
}
int nvmlDeviceGetPowerUsage(void *h, unsigned *mw) {
    Gpu *g = h;
    if (as_slice(h)) return UNSUPPORTED;
    *mw = milliwatts(g, g->usage_average);
    return fault(g, "power");
}
typedef struct {
    unsigned field, scope;
    long long timestamp, latency;
    unsigned type;
    int status;
    union { double d; unsigned ui; unsigned long long ull; } value;
} Field;
static int field(Gpu *g, Field *f) {
    int averaged = f->field == 185;
    if (f->field == 83) {
        if (!g->counter || f->scope) return UNSUPPORTED;
        f->type = 3;
        f->value.ull = (unsigned long long)llround(counted_j(g) * 1000);
        return fault(g, "energy");
    }
    if ((averaged && !g->average) || (f->field == 186 && !g->instant)) return UNSUPPORTED;
    if (f->field != 185 && f->field != 186) return UNSUPPORTED;
    f->type = 1;
    f->value.ui = milliwatts(g, averaged);
    if (f->scope == 1 && !g->module) return UNSUPPORTED;
    if (f->scope == 2 && !g->memory) return UNSUPPORTED;
    if (f->scope == 1) f->value.ui += (unsigned)(1000 * g->module_extra);
    if (f->scope == 2) f->value.ui = (unsigned)(f->value.ui * g->memory_share);
    return f->scope > 2 ? UNSUPPORTED : fault(g, averaged ? "average" : "instant");
}
int nvmlDeviceGetFieldValues(void *h, int n, Field *fields) {
    int lost = fault(as_gpu(h), "fields");
    if (as_slice(h)) return UNSUPPORTED;
    if (lost) return lost;
    for (int i = 0; i < n; i++) fields[i].status = field(h, &fields[i]);
    return OK;
}

typedef struct { unsigned gpu, memory; } Rates;
int nvmlDeviceGetUtilizationRates(void *h, Rates *r) {
    Gpu *g = as_gpu(h);
    r->gpu = mean(g, now(), 0.1) > 100 ? 93 : 0; r->memory = 40;
    return as_slice(h) ? UNSUPPORTED : fault(g, "utilization");
}
typedef struct { unsigned long long total, free, used; } Memory;
int nvmlDeviceGetMemoryInfo(void *h, Memory *m) {
    *m = (Memory){80ULL << 30, 78ULL << 30, 2ULL << 30};
    return fault(as_gpu(h), "memory");
}
int nvmlDeviceGetTemperature(void *h, int sensor, unsigned *c) {
    (void)sensor;
    *c = (unsigned)as_gpu(h)->temperature;
    return fault(as_gpu(h), "temperature");
}
typedef struct { unsigned version; int sensor, temperature; } Temperature;
int nvmlDeviceGetTemperatureV(void *h, Temperature *t) {
    t->temperature = (int)as_gpu(h)->temperature;
    return fault(as_gpu(h), "temperature");
}
int nvmlDeviceGetClockInfo(void *h, int type, unsigned *mhz) {
    *mhz = type == 2 ? 2619 : 1980;
    return fault(as_gpu(h), "clock");
}
int nvmlDeviceGetCurrentClocksEventReasons(void *h, unsigned long long *mask) {
    Gpu *g = as_gpu(h);
    double t = now();
    *mask = 0;
    for (int i = 0; i < g->throttles; i++)
        if (t >= g->throttle[i].from && t < g->throttle[i].to)
            *mask |= (unsigned long long)g->throttle[i].value;
    return fault(g, "throttle");
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void *h, unsigned long long *mask) {
    return nvmlDeviceGetCurrentClocksEventReasons(h, mask);
}
typedef struct { unsigned pid; unsigned long long used; unsigned gi, ci; } Process;
int nvmlDeviceGetComputeRunningProcesses_v3(void *h, unsigned *n, Process *list) {
    Gpu *g = as_gpu(h);
    unsigned room = *n, found = (unsigned)g->processes;
    int lost = fault(g, "processes");
    if (lost) return lost;
    *n = found;
    if (found && (!list || room < found)) return SMALL;
    for (unsigned i = 0; i < found; i++) list[i] = (Process){g->pid[i], 1ULL << 30, ~0u, ~0u};
    return OK;
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(void *h, unsigned *n, Process *list) {
    (void)h; (void)list;
    *n = 0;
    return OK;
}
int nvmlDeviceGetComputeMode(void *h, int *mode) { (void)h; *mode = 0; return OK; }
int nvmlDeviceGetPersistenceMode(void *h, int *mode) { (void)h; *mode = 1; return OK; }
static int limit_mw(void *h, double watts, unsigned *mw) {
    *mw = (unsigned)(1000 * watts);
    return as_slice(h) ? UNSUPPORTED : fault(as_gpu(h), "limit");
}
int nvmlDeviceGetPowerManagementLimit(void *h, unsigned *mw) { return limit_mw(h, as_gpu(h)->limit, mw); }
int nvmlDeviceGetEnforcedPowerLimit(void *h, unsigned *mw) { return limit_mw(h, as_gpu(h)->limit, mw); }
int nvmlDeviceGetPowerManagementDefaultLimit(void *h, unsigned *mw) { return limit_mw(h, as_gpu(h)->max_limit, mw); }
int nvmlDeviceGetPowerManagementLimitConstraints(void *h, unsigned *low, unsigned *high) {
    *low = 100000;
    return limit_mw(h, as_gpu(h)->max_limit, high);
}

int nvmlDeviceGetMigMode(void *h, unsigned *current, unsigned *pending) {
    *current = *pending = (unsigned)as_gpu(h)->mig;
    return as_gpu(h)->arch < 7 ? UNSUPPORTED : OK;
}
int nvmlDeviceIsMigDeviceHandle(void *h, unsigned *yes) { *yes = as_slice(h) != NULL; return OK; }
int nvmlDeviceGetMaxMigDeviceCount(Gpu *g, unsigned *n) { *n = (unsigned)g->slice_count; return OK; }
int nvmlDeviceGetMigDeviceHandleByIndex(Gpu *g, unsigned i, void **h) {
    if (i >= (unsigned)g->slice_count) return NOT_FOUND;
    return nvmlDeviceGetHandleByUUID(g->slices[i], h);
}
int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *h, void **parent) {
    if (!as_slice(h)) return INVALID;
    *parent = as_slice(h)->parent;
    return OK;
}

typedef struct { double time; } Sample;
typedef struct { unsigned id; int status; double value; const char *names[3]; } Metric;
typedef struct { unsigned version, n; Sample *a, *b; Metric metrics[]; } Metrics;
typedef struct { unsigned version, supported; } Support;
int nvmlGpmQueryDeviceSupport(void *h, Support *s) { s->supported = (unsigned)as_gpu(h)->gpm; return OK; }
int nvmlGpmSampleAlloc(Sample **s) { *s = calloc(1, sizeof **s); return OK; }
int nvmlGpmSampleFree(Sample *s) { free(s); return OK; }
int nvmlGpmSampleGet(void *h, Sample *s) { s->time = now(); return fault(as_gpu(h), "gpm"); }
int nvmlGpmMetricsGet(Metrics *m) {
    if (m->b->time <= m->a->time) return UNSUPPORTED;
    for (unsigned i = 0; i < m->n; i++) {
        m->metrics[i].status = OK;
        m->metrics[i].value = m->metrics[i].id == 2 ? 80 : m->metrics[i].id == 5 ? 50 : 25;
    }
    return OK;
}
