// Locked memory is counted, limited and told; madvise says what children get.
// linkage: dynamic
#include "check.h"
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, KIB = 1024 };

static long locked(void) {
    char line[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, file)) sscanf(line, "VmLck: %ld", &kib);
    fclose(file);
    return kib;
}

static char *map(size_t pages, int flags) {
    return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

static void locks(void) {
    char *memory = map(8, 0);
    check_eq(locked(), 0, "nothing is locked at first");
    check_eq(mlock(memory + 10, 2 * PAGE), 0, "mlock, of all pages that it touches");
    check_eq(locked(), 12, "is counted");
    check_eq(mlock(memory, 2 * PAGE), 0, "again");
    check_eq(locked(), 12, "is counted once");
    unsigned char there[3] = {0};
    mincore(memory, 3 * PAGE, there);
    check(there[0] & there[1] & there[2] & 1, "they are there");
    check_fails(msync(memory, PAGE, MS_INVALIDATE), EBUSY, "msync of what is locked");
    pid_t child = fork();
    if (child == 0) _exit(locked() == 0 ? 0 : 1);
    int status;
    waitpid(child, &status, 0);
    check_eq(status, 0, "a child has nothing locked");
    check_eq(munlock(memory + PAGE, PAGE), 0, "munlock of one of them");
    check_eq(locked(), 8, "is counted, too");
    munmap(memory, PAGE);
    check_eq(locked(), 4, "so is munmap");
    check_eq(syscall(SYS_mlock2, memory + PAGE, PAGE, 1), 0, "when it is touched");
    check_eq(locked(), 8, "is counted at once");
    check_fails(syscall(SYS_mlock2, memory + PAGE, PAGE, 2), EINVAL, "an unknown flag");
    check_fails(mlock(memory, 2 * PAGE), ENOMEM, "what is not mapped");
    check_fails(munlock(memory, 2 * PAGE), ENOMEM, "nor can it be unlocked");
    check_fails(mlock((void *)-PAGE, 2 * PAGE), EINVAL, "beyond all addresses");
    check_eq(mlock(memory + PAGE, 0), 0, "nothing");
    char *mapped = map(2, MAP_LOCKED);
    check_eq(locked() - 8, 8, "MAP_LOCKED");
    check_eq(munlockall(), 0, "munlockall");
    check_eq(locked(), 0, "unlocks all");
    check_eq(mlockall(MCL_FUTURE), 0, "what is mapped later");
    char *later = map(4, 0);
    check_eq(locked(), 16, "is locked");
    check_eq(mlockall(MCL_CURRENT | MCL_ONFAULT), 0, "what is mapped now");
    check(locked() > 100, "all of it");
    check_fails(mlockall(0), EINVAL, "neither now nor later");
    check_fails(mlockall(MCL_ONFAULT), EINVAL, "no time at all");
    check_fails(mlockall(64), EINVAL, "an unknown time");
    munlockall();
    munmap(mapped, 2 * PAGE);
    munmap(later, 4 * PAGE);
    munmap(memory + PAGE, 7 * PAGE);
}

static void limits(void) {
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) exit(1);
    struct rlimit limit = {4 * PAGE, 4 * PAGE};
    setrlimit(RLIMIT_MEMLOCK, &limit);
    char *memory = map(8, 0);
    check_eq(mlock(memory, 4 * PAGE), 0, "up to the limit");
    check_fails(mlock(memory + 4 * PAGE, 1), ENOMEM, "beyond it");
    check_eq(mlock(memory, 4 * PAGE), 0, "what is locked already");
    check(map(1, MAP_LOCKED) == MAP_FAILED && errno == EAGAIN, "MAP_LOCKED beyond it");
    check_fails(mlockall(MCL_CURRENT), ENOMEM, "all beyond it");
    limit = (struct rlimit){0, 0};
    setrlimit(RLIMIT_MEMLOCK, &limit);
    check_fails(mlock(memory, 1), EPERM, "a limit of nothing");
    check_fails(mlockall(MCL_FUTURE), EPERM, "for all, too");
    check(map(1, MAP_LOCKED) == MAP_FAILED && errno == EPERM, "and for MAP_LOCKED");
}

static void children(void) {
    char *wiped = map(2, 0), *kept = map(2, 0), *absent = map(1, 0);
    memset(wiped, 'w', 2 * PAGE);
    memset(kept, 'k', 2 * PAGE);
    absent[0] = 'a';
    check_eq(madvise(wiped, PAGE, MADV_WIPEONFORK), 0, "children find zeros");
    check_eq(madvise(kept, PAGE, MADV_WIPEONFORK), 0, "elsewhere, too");
    check_eq(madvise(kept, PAGE, MADV_KEEPONFORK), 0, "or not");
    check_eq(madvise(absent, PAGE, MADV_DONTFORK), 0, "or nothing at all");
    char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check_fails(madvise(shared, PAGE, MADV_WIPEONFORK), EINVAL, "but not in shared memory");
    pid_t child = fork();
    if (child == 0) {
        unsigned char there;
        int is_right = wiped[0] == 0 && wiped[PAGE - 1] == 0 && wiped[PAGE] == 'w' && kept[0] == 'k';
        is_right &= mincore(absent, PAGE, &there) == -1 && errno == ENOMEM;
        wiped[0] = 'c';
        _exit(is_right ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    check_eq(status, 0, "as it was said");
    check(wiped[0] == 'w' && absent[0] == 'a', "the parent keeps all");
}

int main(void) {
    children();
    locks();
    limits();
    return check_done();
}
