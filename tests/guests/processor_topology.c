// How the processors lie: the lists, masks and caches below /sys say the same. The emulator lets CPUID through.
// linkage: dynamic
#include "check.h"
#include <unistd.h>

static char text[4096];

static const char *load(int processor, const char *file) {
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/%s", processor, file);
    FILE *opened = fopen(path, "r");
    if (!opened) return "";
    size_t length = fread(text, 1, sizeof text - 1, opened);
    fclose(opened);
    while (length && text[length - 1] == '\n') length--;
    text[length] = 0;
    return text;
}

// The processors of a list such as 0-1,4 or of a mask such as 13 or ff,ffffffff, of the first 64.
static unsigned long of_list(const char *list) {
    unsigned long mask = 0;
    for (char *at = (char *)list; *at;) {
        long first = strtol(at, &at, 10), last = first;
        if (*at == '-') last = strtol(at + 1, &at, 10);
        for (; first <= last && first < 64; first++) mask |= 1ul << first;
        at += *at == ',';
    }
    return mask;
}

static unsigned long of_mask(const char *words) {
    unsigned long mask = 0;
    for (const char *at = words; *at; at++)
        if (*at != ',') mask = mask << 4 | strtoul((char[]){*at, 0}, NULL, 16);
    return mask;
}

int main(void) {
    static const char *const names[] = {"core_cpus", "core_siblings", "die_cpus", "package_cpus", "thread_siblings"};
    int count = sysconf(_SC_NPROCESSORS_CONF);
    int same = 1, own = 1, shared = 1, levels = 1;
    for (int processor = 0; processor < count && processor < 64; processor++) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            char file[64];
            snprintf(file, sizeof file, "topology/%s", names[i]);
            unsigned long mask = of_mask(load(processor, file));
            snprintf(file, sizeof file, "topology/%s_list", names[i]);
            same &= mask && mask == of_list(load(processor, file));
            own &= mask >> processor & 1;
        }
        for (int cache = 0;; cache++) {
            char file[64];
            snprintf(file, sizeof file, "cache/index%d/shared_cpu_map", cache);
            unsigned long mask = of_mask(load(processor, file));
            if (!mask) {
                levels &= cache >= 2;
                break;
            }
            snprintf(file, sizeof file, "cache/index%d/shared_cpu_list", cache);
            shared &= mask == of_list(load(processor, file)) && (mask >> processor & 1);
            long numbers[4];
            static const char *const files[] = {"coherency_line_size", "physical_line_partition",
                                                "ways_of_associativity", "number_of_sets"};
            for (int i = 0; i < 4; i++) {
                snprintf(file, sizeof file, "cache/index%d/%s", cache, files[i]);
                numbers[i] = atol(load(processor, file));
            }
            snprintf(file, sizeof file, "cache/index%d/size", cache);
            levels &= numbers[0] * numbers[1] * numbers[2] * numbers[3] / 1024 == atol(load(processor, file));
        }
    }
    check(same, "each mask means its list");
    check(own, "a processor is one of its own siblings");
    check(shared, "a cache is shared by those of its list and its mask");
    check(levels, "caches have a size, which is that of their lines");
    return check_done();
}
