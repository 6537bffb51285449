// Reads everything that the image has: names, metadata, links, attributes and contents, these both by read and through
// a mapping, and prints a line for each. What cannot be read says EIO in its line, and nothing else may change.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static char report[1 << 20];
static size_t report_len;
static int errors;

static void say(const char *format, ...) {
    va_list list;
    va_start(list, format);
    int len = vsnprintf(report + report_len, sizeof report - report_len, format, list);
    va_end(list);
    if (len < 0 || report_len + len >= sizeof report) {
        fprintf(stderr, "the report is too long\n");
        _exit(9);
    }
    report_len += len;
}

static void failed(char kind, const char *path) {
    errors++;
    if (errno == EIO)
        say("%c %s EIO\n", kind, path);
    else
        say("%c %s errno %d\n", kind, path, errno);
}

#define FNV_START 0xcbf29ce484222325u

static uint64_t fnv(uint64_t hash, const void *bytes, size_t len) {
    for (const unsigned char *at = bytes; len; at++, len--) hash = (hash ^ *at) * 0x100000001b3u;
    return hash;
}

static void contents(const char *path) {
    int fd = open(path, O_RDONLY);
    if (fd < 0) return failed('C', path);
    static char piece[5000];
    uint64_t hash = FNV_START, total = 0;
    for (;;) {
        ssize_t count = read(fd, piece, sizeof piece);
        if (count < 0) {
            failed('C', path);
            break;
        }
        if (count == 0) {
            say("C %s %llu %016llx\n", path, (unsigned long long)total, (unsigned long long)hash);
            break;
        }
        hash = fnv(hash, piece, count);
        total += count;
    }
    close(fd);
}

static sigjmp_buf at_fault;
static volatile sig_atomic_t reads_mapping;

static void bus(int number) {
    if (reads_mapping) siglongjmp(at_fault, 1);
    // It is the program itself that cannot be read: the instruction is tried again, and that is the end.
    signal(number, SIG_DFL);
}

static void mapped(const char *path, off_t size) {
    int fd = open(path, O_RDONLY);
    if (fd < 0) return failed('M', path);
    const char *bytes = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    if (bytes == MAP_FAILED) {
        failed('M', path);
    } else if (sigsetjmp(at_fault, 1)) {
        // What EIO is for a mapping.
        reads_mapping = 0;
        errors++;
        say("M %s EIO\n", path);
    } else {
        reads_mapping = 1;
        uint64_t hash = fnv(FNV_START, bytes, size);
        reads_mapping = 0;
        say("M %s %016llx\n", path, (unsigned long long)hash);
    }
    if (size && bytes != MAP_FAILED) munmap((void *)bytes, size);
    close(fd);
}

static void attributes(const char *path) {
    static char names[4096], value[4096];
    ssize_t len = llistxattr(path, names, sizeof names);
    if (len < 0) return failed('X', path);
    uint64_t hash = fnv(FNV_START, names, len);
    for (char *name = names; name < names + len; name += strlen(name) + 1) {
        ssize_t size = lgetxattr(path, name, value, sizeof value);
        if (size < 0) return failed('X', path);
        hash = fnv(hash, value, size);
    }
    say("X %s %016llx\n", path, (unsigned long long)hash);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void visit(const char *path);

static void directory(const char *path) {
    DIR *dir = opendir(path);
    if (!dir) return failed('D', path);
    static char *none[1];
    char **names = none;
    size_t count = 0;
    errno = 0;
    for (struct dirent *entry; (entry = readdir(dir)); errno = 0) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        names = realloc(names == none ? NULL : names, (count + 1) * sizeof *names);
        names[count++] = strdup(entry->d_name);
    }
    if (errno)
        failed('D', path);
    else
        say("D %s %zu\n", path, count);
    closedir(dir);
    if (count) qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++) {
        char child[4096];
        snprintf(child, sizeof child, "%s/%s", strcmp(path, "/") ? path : "", names[i]);
        // These are the kernel's own.
        if (strcmp(child, "/proc") && strcmp(child, "/sys") && strcmp(child, "/dev")) visit(child);
        free(names[i]);
    }
    if (names != none) free(names);
}

static void visit(const char *path) {
    struct stat status;
    if (lstat(path, &status)) return failed('P', path);
    say("P %s %o %u %u %lld %lld %lu\n", path, status.st_mode, status.st_uid, status.st_gid,
        (long long)(S_ISDIR(status.st_mode) ? 0 : status.st_size), (long long)status.st_mtime,
        (unsigned long)status.st_nlink);
    attributes(path);
    if (S_ISDIR(status.st_mode)) directory(path);
    if (S_ISREG(status.st_mode)) {
        contents(path);
        mapped(path, status.st_size);
    }
    if (S_ISLNK(status.st_mode)) {
        char target[4096];
        ssize_t len = readlink(path, target, sizeof target - 1);
        if (len < 0) return failed('L', path);
        target[len] = 0;
        say("L %s %s\n", path, target);
    }
}

int main(void) {
    signal(SIGBUS, bus);
    visit("/");
    say("end %d\n", errors != 0);
    for (size_t done = 0; done < report_len;) {
        ssize_t count = write(1, report + done, report_len - done);
        if (count < 0) return 9;
        done += count;
    }
    return errors ? 5 : 0;
}
