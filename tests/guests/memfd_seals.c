// Seals of memory files, and what they promise of mappings; MFD_EXEC and MFD_NOEXEC_SEAL.
// linkage: dynamic
#include "check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#define MFD_EXEC 16U
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

enum { PAGE = 4096 };

static int file(unsigned flags) {
    int fd = memfd_create("sealed", MFD_ALLOW_SEALING | flags);
    need(fd >= 0 && ftruncate(fd, 4 * PAGE) == 0, "a memory file");
    return fd;
}

static char *map(int fd, int protection, int how) {
    return mmap(NULL, 2 * PAGE, protection, how, fd, 0);
}

static void write_seal(void) {
    int fd = file(0);
    char *writable = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
    check_fails(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY, "a mapping that writes is in the way");
    check_eq(fcntl(fd, F_GET_SEALS), 0, "and nothing is sealed");
    mprotect(writable, 2 * PAGE, PROT_READ);
    check_fails(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY, "also one that could write");
    munmap(writable, 2 * PAGE);
    char *copy = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    copy[0] = 1;
    char *reads = map(fd, PROT_READ, MAP_SHARED);
    check_fails(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY, "also if it only reads");
    munmap(reads, 2 * PAGE);
    check_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0, "a private one is not");
    check_fails(write(fd, "x", 1), EPERM, "nothing is written");
    check_fails(pwrite(fd, "x", 1, 0), EPERM, "anywhere");
    check_eq(write(fd, "", 0), 0, "but nothing at all");
    check(map(fd, PROT_READ | PROT_WRITE, MAP_SHARED) == MAP_FAILED && errno == EPERM, "nor mapped to write");
    reads = map(fd, PROT_READ, MAP_SHARED);
    need(reads != MAP_FAILED, "it is mapped to read");
    check_fails(mprotect(reads, PAGE, PROT_READ | PROT_WRITE), EACCES, "and stays so");
    check_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0, "it is sealed once more");
    check_eq(mprotect(copy, PAGE, PROT_READ | PROT_WRITE), 0, "a copy is written");
    check_fails(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE), EPERM, "no holes");
    check_eq(ftruncate(fd, PAGE), 0, "its size is not sealed");
    check_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0, "it is");
    check_fails(ftruncate(fd, 0), EPERM, "not smaller");
    check_fails(ftruncate(fd, 2 * PAGE), EPERM, "not larger");
    check_eq(ftruncate(fd, PAGE), 0, "the same");
    check_fails(fallocate(fd, 0, 0, 2 * PAGE), EPERM, "nor by fallocate");
    check_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), 0, "the last seal");
    check_fails(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM, "no more of them");
    check_fails(fcntl(fd, F_ADD_SEALS, 0x1000), EINVAL, "an unknown one");
    close(fd);
}

static void future_write(void) {
    int fd = file(0);
    char *writable = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
    check_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0, "what is mapped stays");
    writable[5] = 'f';
    char byte = 0;
    check(pread(fd, &byte, 1, 5) == 1 && byte == 'f', "and writes");
    mprotect(writable, PAGE, PROT_READ);
    check_eq(mprotect(writable, PAGE, PROT_READ | PROT_WRITE), 0, "again");
    check_fails(write(fd, "x", 1), EPERM, "but a call does not");
    check(map(fd, PROT_READ | PROT_WRITE, MAP_SHARED) == MAP_FAILED && errno == EPERM, "nor a new mapping");
    char *reads = map(fd, PROT_READ, MAP_SHARED);
    check_fails(mprotect(reads, PAGE, PROT_READ | PROT_WRITE), EACCES, "which cannot become one");
    check_eq(mprotect(reads, PAGE, PROT_NONE), 0, "though less");
    check_fails(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY, "the old one still writes");
    close(fd);
}

static void grown(void) {
    int fd = file(0);
    check_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0, "no growth");
    check_eq(pwrite(fd, "abcdefgh", 8, 4 * PAGE - 8), 8, "up to the end");
    check_fails(pwrite(fd, "abcdefgh", 8, 4 * PAGE), EPERM, "not behind it");
    char text[2 * PAGE];
    memset(text, 'x', sizeof text);
    check_eq(pwrite(fd, text, sizeof text, 3 * PAGE), PAGE, "what fits in whole pages");
    check_eq(pwrite(fd, text, 100, 4 * PAGE - 50), 50, "in the last one as well");
    close(fd);
}

static void executable(void) {
    struct stat st;
    int fd = file(0);
    fstat(fd, &st);
    check_eq(st.st_mode & 07777, 0777, "a memory file can be executed");
    check_eq(fchmod(fd, 0600), 0, "or not");
    check_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC), 0, "for ever");
    check_eq(fcntl(fd, F_GET_SEALS), F_SEAL_EXEC, "which is a seal");
    check_fails(fchmod(fd, 0700), EPERM, "that holds");
    check_eq(fchmod(fd, 0644), 0, "for nothing else");
    close(fd);
    fd = file(MFD_EXEC);
    fstat(fd, &st);
    check_eq(st.st_mode & 07777, 0777, "MFD_EXEC");
    check_eq(fcntl(fd, F_GET_SEALS), 0, "seals nothing");
    check_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_EXEC), 0, "what is executable is sealed");
    check_eq(fcntl(fd, F_GET_SEALS), F_SEAL_EXEC | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE,
             "with what is in it");
    close(fd);
    fd = memfd_create("sealed", MFD_NOEXEC_SEAL);
    need(fd >= 0, "MFD_NOEXEC_SEAL");
    fstat(fd, &st);
    check_eq(st.st_mode & 07777, 0666, "is not executable");
    check_eq(fcntl(fd, F_GET_SEALS), F_SEAL_EXEC, "and sealed");
    check_fails(fchmod(fd, 0777), EPERM, "for ever");
    check_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0, "it takes other seals");
    close(fd);
    fd = memfd_create("plain", 0);
    check_eq(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL, "without the flag there are none");
    check_fails(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM, "and none can be added");
    close(fd);
    check_fails(memfd_create("both", MFD_EXEC | MFD_NOEXEC_SEAL), EINVAL, "not both");
}

int main(void) {
    write_seal();
    future_write();
    grown();
    executable();
    return check_done();
}
