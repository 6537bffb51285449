// Sizes in /proc/self/status, statm, stat and smaps: they agree with maps and with one another.
#include "check.h"
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

static char maps[1 << 17], text[1 << 18];
static unsigned long total, data, stack, code;

static void load(const char *path, char *into, size_t size) {
    int fd = open(path, O_RDONLY);
    size_t length = 0;
    ssize_t got;
    while ((got = read(fd, into + length, size - 1 - length)) > 0) length += (size_t)got;
    into[length] = 0;
    close(fd);
}

// Kilobytes of a line of status or smaps, from `from` on.
static unsigned long field(const char *from, const char *name) {
    char line[64];
    snprintf(line, sizeof line, "\n%s:", name);
    const char *at = strstr(from, line);
    return at ? strtoul(at + strlen(line), NULL, 10) : (unsigned long)-1;
}

// Adds up maps, in kilobytes.
static void add_up(void) {
    total = data = stack = code = 0;
    for (char *line = maps; *line; line = strchr(line, '\n') + 1) {
        unsigned long start, end;
        char flags[5];
        if (sscanf(line, "%lx-%lx %4s", &start, &end, flags) != 3) continue;
        char *behind = strchr(line, '\n');
        *behind = 0;
        int is_stack = strstr(line, "[stack]") != NULL, is_gate = strstr(line, "[vsyscall]") != NULL;
        *behind = '\n';
        unsigned long size = (end - start) / 1024;
        if (is_gate) continue;
        total += size;
        if (is_stack)
            stack += size;
        else if (flags[1] == 'w' && flags[3] == 'p')
            data += size;
        else if (flags[1] != 'w' && flags[2] == 'x')
            code += size;
    }
}

static void status(const char *when) {
    printf("# %s\n", when);
    load("/proc/self/maps", maps, sizeof maps);
    load("/proc/self/status", text, sizeof text);
    add_up();
    unsigned long resident = field(text, "VmRSS"), anonymous = field(text, "RssAnon"), file = field(text, "RssFile"),
                  shared = field(text, "RssShmem"), program = field(text, "VmExe");
    check_eq(field(text, "VmSize"), total, "VmSize is all mappings");
    check(field(text, "VmPeak") >= total, "VmPeak");
    check_eq(field(text, "VmData"), data, "VmData is what is private and can be written");
    check_eq(field(text, "VmStk"), stack, "VmStk is the stack");
    check_eq(program + field(text, "VmLib"), code, "VmExe and VmLib are all code");
    check(program > 0 && program % 4 == 0, "VmExe");
    check(resident > 0 && resident <= total && resident == anonymous + file + shared, "VmRSS is the sum of its parts");

    unsigned long pages[7];
    load("/proc/self/statm", text, sizeof text);
    need(sscanf(text, "%lu %lu %lu %lu %lu %lu %lu", &pages[0], &pages[1], &pages[2], &pages[3], &pages[4],
                &pages[5], &pages[6]) == 7,
         "statm");
    check(pages[0] * 4 == total && pages[5] * 4 == data + stack && pages[3] * 4 == program, "statm says the same");
    check(pages[1] > 0 && pages[1] <= pages[0] && pages[2] <= pages[1], "what is there");

    load("/proc/self/stat", text, sizeof text);
    unsigned long size, start, end;
    need(sscanf(strrchr(text, ')'),
                ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %*u %lu %*d %*u %lu %lu",
                &size, &start, &end) == 3,
         "stat");
    check_eq(size / 1024, total, "vsize");
    unsigned long here = (unsigned long)status;
    check(start <= here && here < end, "startcode and endcode");
}

static void details(char *untouched, char *shared) {
    load("/proc/self/maps", maps, sizeof maps);
    load("/proc/self/smaps", text, sizeof text);
    add_up();
    unsigned long sum = 0;
    int good = 1, found = 0;
    for (char *line = text; line && *line; line = strchr(line, '\n') + 1) {
        unsigned long start, end;
        if (sscanf(line, "%lx-%lx ", &start, &end) != 2) continue;
        char *behind = strchr(line, '\n');
        unsigned long size = field(behind, "Size"), resident = field(behind, "Rss"),
                      anonymous = field(behind, "Anonymous");
        *behind = 0;
        int is_gate = strstr(line, "[vsyscall]") != NULL;
        *behind = '\n';
        unsigned long parts = field(behind, "Shared_Clean") + field(behind, "Shared_Dirty") +
                              field(behind, "Private_Clean") + field(behind, "Private_Dirty");
        good &= size == (end - start) / 1024 && resident <= size && field(behind, "Pss") <= resident &&
                parts == resident && anonymous <= resident;
        if (!is_gate) sum += size;
        if (start <= (unsigned long)untouched && (unsigned long)untouched < end) {
            found++;
            check(resident >= 12 && resident < size && anonymous == resident, "three pages of many are there");
        }
        if (start <= (unsigned long)shared && (unsigned long)shared < end) {
            found++;
            check(resident >= 4 && anonymous == 0, "shared memory is not anonymous");
        }
    }
    check(good, "each mapping's parts are not more than it");
    check_eq(found, 2, "both were found");
    check_eq(sum, total, "smaps: all mappings");
    load("/proc/self/smaps_rollup", text, sizeof text);
    unsigned long rolled = field(text, "Rss");
    check(rolled >= 16 && rolled <= total, "smaps_rollup");
    check(field(text, "Anonymous") <= rolled && field(text, "Pss") <= rolled, "with its parts");
}

// Bytes and calls of /proc/self/io.
static void transfers(void) {
    unsigned long before[4], after[4];
    char bytes[100] = {0};
    int file = open("transfers", O_RDWR | O_CREAT | O_TRUNC, 0600), empty[2];
    need(file >= 0 && pipe2(empty, O_NONBLOCK) == 0, "a file and a pipe");
    load("/proc/self/io", text, sizeof text);
    size_t length = strlen(text);
    const char *format = "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\n";
    int good = sscanf(text, format, &before[0], &before[1], &before[2], &before[3]) == 4;
    for (int i = 0; i < 3; i++) good &= write(file, bytes, 100) == 100;
    good &= pwrite(file, bytes, 7, 0) == 7 && lseek(file, 0, SEEK_SET) == 0 && read(file, bytes, 60) == 60 &&
            pread(file, bytes, 5, 0) == 5 && pread(file, bytes, 5, 1000) == 0;
    good &= read(empty[0], bytes, 1) == -1 && read(-1, bytes, 1) == -1 && write(-1, bytes, 1) == -1;
    load("/proc/self/io", text, sizeof text);
    good &= sscanf(text, format, &after[0], &after[1], &after[2], &after[3]) == 4;
    check(good, "io can be read");
    check_eq(after[0] - before[0], length + 65, "rchar: bytes read, of io itself, too");
    check_eq(after[1] - before[1], 307, "wchar: bytes written");
    check_eq(after[2] - before[2], 2 + 4, "syscr: calls, also those that fail at the file");
    check_eq(after[3] - before[3], 4, "syscw: calls");
}

int main(void) {
    size_t large = 64 << 20;
    setvbuf(stdout, NULL, _IOLBF, 0);
    status("as it begins");
    int flags = MAP_ANONYMOUS | MAP_NORESERVE;
    char *untouched = mmap(NULL, large, PROT_READ | PROT_WRITE, MAP_PRIVATE | flags, -1, 0);
    char *shared = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | flags, -1, 0);
    char *nothing = mmap(NULL, large, PROT_NONE, MAP_PRIVATE | flags, -1, 0);
    need(untouched != MAP_FAILED && shared != MAP_FAILED && nothing != MAP_FAILED, "three mappings");
    untouched[0] = untouched[large / 2] = untouched[large - 1] = 1;
    shared[0] = 1;
    status("with more memory");
    load("/proc/self/status", text, sizeof text);
    check(field(text, "RssShmem") >= 4, "shared memory counts as that");
    details(untouched, shared);
    munmap(untouched, large), munmap(shared, 1 << 20), munmap(nothing, large);
    status("without it");
    transfers();
    return check_done();
}
