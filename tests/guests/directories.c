// Listing directories, also while they change.
// linkage: dynamic musl
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILES = 500 };

struct entry {
    unsigned long long inode;
    long long offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

static int compare(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

int main(void) {
    mkdir("d", 0755);
    int dir = open("d", O_RDONLY | O_DIRECTORY);
    need(dir >= 0, "a directory");
    char name[32];
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "file-%03d", i);
        close(openat(dir, name, O_CREAT | O_WRONLY, 0644));
    }
    mkdirat(dir, "sub", 0755);
    symlinkat("x", dir, "link");

    // Small buffers, so that the listing takes many calls.
    char buffer[256];
    char *names[FILES + 10];
    int count = 0, types = 1, inodes = 1, aligned = 1;
    long got;
    while ((got = syscall(SYS_getdents64, dir, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < got;) {
            struct entry *entry = (struct entry *)(buffer + at);
            struct stat st;
            fstatat(dir, entry->name, &st, AT_SYMLINK_NOFOLLOW);
            int want = S_ISDIR(st.st_mode) ? DT_DIR : S_ISLNK(st.st_mode) ? DT_LNK : DT_REG;
            types &= entry->type == want || entry->type == DT_UNKNOWN;
            inodes &= entry->inode == st.st_ino || strcmp(entry->name, "..") == 0;
            aligned &= entry->length % 8 == 0;
            if (count < FILES + 10) names[count++] = strdup(entry->name);
            at += entry->length;
        }
    }
    check_eq(got, 0, "the end of the listing");
    check_eq(count, FILES + 4, "each name once, with dot and dot dot");
    check(types, "types");
    check(inodes, "inode numbers");
    check(aligned, "entries are aligned");
    qsort(names, count, sizeof *names, compare);
    int unique = 1;
    for (int i = 1; i < count; i++) unique &= strcmp(names[i - 1], names[i]) != 0;
    check(unique, "no name twice");
    printf("%s %s %s … %s %s\n", names[0], names[1], names[2], names[count - 2], names[count - 1]);
    lseek(dir, 0, SEEK_SET);
    check_fails(syscall(SYS_getdents64, dir, buffer, 10), EINVAL, "a buffer too small for one entry");
    check_fails(syscall(SYS_getdents64, 0, buffer, 256), ENOTDIR, "standard input is no directory");

    // telldir and seekdir come back to the same entry.
    DIR *stream = opendir("d");
    need(stream, "opendir");
    for (int i = 0; i < 100; i++) readdir(stream);
    long place = telldir(stream);
    char *here = strdup(readdir(stream)->d_name);
    for (int i = 0; i < 50; i++) readdir(stream);
    seekdir(stream, place);
    check(strcmp(readdir(stream)->d_name, here) == 0, "seekdir");

    // What is deleted during a listing disappears, what stays is seen once.
    rewinddir(stream);
    struct dirent *entry;
    int seen = 0;
    while ((entry = readdir(stream))) {
        seen++;
        if (strncmp(entry->d_name, "file-", 5) == 0) unlinkat(dir, entry->d_name, 0);
    }
    check_eq(seen, FILES + 4, "deleting while listing");
    rewinddir(stream);
    for (seen = 0; readdir(stream);) seen++;
    check_eq(seen, 4, "nothing is left");
    closedir(stream);
    unlinkat(dir, "link", 0), unlinkat(dir, "sub", AT_REMOVEDIR);
    check_eq(rmdir("d"), 0, "rmdir");
    check_fails(syscall(SYS_getdents64, dir, buffer, 256), ENOENT, "listing a dead directory");
    check(opendir("/proc/self/fd") && opendir("/dev") && opendir("/"), "other file systems");
    return check_done();
}
