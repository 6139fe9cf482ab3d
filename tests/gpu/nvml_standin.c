/* A stand-in for NVML: the calls that nvidia-ml-py and vlmhb_models make, answered from a text file.

   The file is $VLMHB_STANDIN_GPUS, else `gpus.txt` beside the library, read anew at each call. One device a line:
       uuid|name|total MiB|used MiB|watts|Celsius|percent|parent uuid or nothing
   A device with a parent is a MIG slice of it. An amount that is `-` is one that the device does not tell.
   The energy meter runs with the clock: watts times seconds since boot; with `nometer` after the watts
   (`180 nometer`) there is none. An empty file: a driver without devices. No file: no driver. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OK = 0, INVALID = 2, UNSUPPORTED = 3, NOT_FOUND = 6, NO_DRIVER = 9 };
enum { MOST = 32, FIELDS = 8, LONGEST = 512 };

typedef struct { char line[LONGEST]; char *field[FIELDS]; } Device;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned int gpu, memory; } Rates;

static int read_all(Device *devices) {
    char path[4096] = "";
    const char *named = getenv("VLMHB_STANDIN_GPUS");
    Dl_info own;
    if (named) snprintf(path, sizeof path, "%s", named);
    else if (dladdr((void *)read_all, &own)) {
        snprintf(path, sizeof path, "%s", own.dli_fname);
        char *slash = strrchr(path, '/');
        snprintf(slash ? slash + 1 : path, 16, "gpus.txt");
    }
    FILE *file = fopen(path, "r");
    if (!file) return -1;
    int count = 0;
    while (count < MOST && fgets(devices[count].line, LONGEST, file)) {
        Device *one = &devices[count];
        char *rest = one->line;
        one->line[strcspn(one->line, "\n")] = 0;
        if (!*one->line) continue;
        for (int i = 0; i < FIELDS; i++) {
            char *word = strsep(&rest, "|");
            one->field[i] = word ? word : "";
        }
        count++;
    }
    fclose(file);
    return count;
}

static int number_of(void *handle) { return (int)(long)handle - 1; }

static Device *found(Device *all, void *handle) {
    int count = read_all(all), number = number_of(handle);
    return number >= 0 && number < count ? &all[number] : NULL;
}

/* A number, or UNSUPPORTED where the device does not tell it. */
static int told(void *handle, int field, double *value) {
    Device all[MOST], *one = found(all, handle);
    if (!one) return INVALID;
    if (!strcmp(one->field[field], "-")) return UNSUPPORTED;
    *value = atof(one->field[field]);
    return OK;
}

static int text(void *handle, int field, char *out, unsigned int size) {
    Device all[MOST], *one = found(all, handle);
    if (!one) return INVALID;
    snprintf(out, size, "%s", one->field[field]);
    return OK;
}

static int is_slice(void *handle) {
    char parent[LONGEST] = "";
    return text(handle, 7, parent, sizeof parent) == OK && *parent;
}

/* The nth device with this parent ("" = whole devices), as a handle. */
static int nth(const char *parent, unsigned int index, void **handle) {
    Device all[MOST];
    int count = read_all(all);
    for (int i = 0; i < count; i++)
        if (!strcmp(all[i].field[7], parent) && index-- == 0) { *handle = (void *)(long)(i + 1); return OK; }
    return NOT_FOUND;
}

static unsigned int how_many(const char *parent) {
    unsigned int count = 0;
    void *handle;
    while (nth(parent, count, &handle) == OK) count++;
    return count;
}

int nvmlInit_v2(void) { Device all[MOST]; return read_all(all) < 0 ? NO_DRIVER : OK; }
int nvmlInitWithFlags(unsigned int flags) { (void)flags; return nvmlInit_v2(); }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { return code == NO_DRIVER ? "Driver Not Loaded" : "Stand-in Error"; }

int nvmlSystemGetDriverVersion(char *out, unsigned int size) { snprintf(out, size, "000.00.stand-in"); return OK; }

int nvmlDeviceGetCount_v2(unsigned int *count) { *count = how_many(""); return OK; }

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **handle) { return nth("", index, handle); }

int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) {
    Device all[MOST];
    int count = read_all(all);
    for (int i = 0; i < count; i++)
        if (!strcmp(all[i].field[0], uuid)) { *handle = (void *)(long)(i + 1); return OK; }
    return NOT_FOUND;
}

int nvmlDeviceGetUUID(void *handle, char *out, unsigned int size) { return text(handle, 0, out, size); }
int nvmlDeviceGetName(void *handle, char *out, unsigned int size) { return text(handle, 1, out, size); }

int nvmlDeviceGetMemoryInfo(void *handle, Memory *memory) {
    double total, used;
    int code = told(handle, 2, &total);
    if (code || (code = told(handle, 3, &used))) return code;
    memory->total = (unsigned long long)total << 20;
    memory->used = (unsigned long long)used << 20;
    memory->free = memory->total - memory->used;
    return OK;
}

int nvmlDeviceGetUtilizationRates(void *handle, Rates *rates) {
    double percent;
    int code = is_slice(handle) ? UNSUPPORTED : told(handle, 6, &percent);
    if (!code) rates->gpu = rates->memory = (unsigned int)percent;
    return code;
}

int nvmlDeviceGetPowerUsage(void *handle, unsigned int *milliwatts) {
    double watts;
    int code = is_slice(handle) ? UNSUPPORTED : told(handle, 4, &watts);
    if (!code) *milliwatts = (unsigned int)(watts * 1000);
    return code;
}

int nvmlDeviceGetTemperature(void *handle, int sensor, unsigned int *celsius) {
    double value;
    int code = sensor ? INVALID : told(handle, 5, &value);
    if (!code) *celsius = (unsigned int)value;
    return code;
}

int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *millijoules) {
    char watts[LONGEST] = "";
    struct timespec now;
    if (is_slice(handle) || text(handle, 4, watts, sizeof watts) || strstr(watts, "nometer")) return UNSUPPORTED;
    if (!strcmp(watts, "-")) return UNSUPPORTED;
    clock_gettime(CLOCK_MONOTONIC, &now);
    *millijoules = (unsigned long long)(atof(watts) * (now.tv_sec * 1000.0 + now.tv_nsec / 1e6));
    return OK;
}

int nvmlDeviceGetMigMode(void *handle, unsigned int *current, unsigned int *pending) {
    char uuid[LONGEST];
    if (text(handle, 0, uuid, sizeof uuid)) return INVALID;
    *current = *pending = how_many(uuid) > 0;
    return OK;
}

int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned int *count) {
    (void)handle;
    *count = 7;
    return OK;
}

int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned int index, void **slice) {
    char uuid[LONGEST];
    return text(handle, 0, uuid, sizeof uuid) ? INVALID : nth(uuid, index, slice);
}
