// MAP_SHARED|MAP_ANONYMOUS: an object that all its mappings show, as long as one is left.
// linkage: dynamic musl
#include "check.h"
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

static int status_of(pid_t pid) {
    int status = -1;
    need(waitpid(pid, &status, 0) == pid, "the child is waited for");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int *map_shared(int pages) {
    int *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    need(at != MAP_FAILED, "shared memory is mapped");
    return at;
}

static int futex(int *word, int operation, int value) {
    return syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static void wait_for(int *word, int value) {
    for (int now; (now = __atomic_load_n(word, __ATOMIC_SEQ_CST)) != value;) futex(word, FUTEX_WAIT, now);
}

static void tell(int *word, int value) {
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
    futex(word, FUTEX_WAKE, 100);
}

// What one maps over it is its own; the others go on with the object.
static void one_maps_over(void) {
    int *shared = map_shared(4), *steps = map_shared(1);
    for (int page = 0; page < 4; page++) shared[page * PAGE / 4] = 10 + page;
    pid_t pid = fork();
    if (pid == 0) {
        int *over = mmap(shared + PAGE / 4, PAGE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (over != shared + PAGE / 4 || *over != 0) _exit(1);
        *over = 99;
        shared[2 * PAGE / 4] = 42;
        tell(steps, 1);
        wait_for(steps, 2);
        _exit(*over == 99 && shared[3 * PAGE / 4] == 43 ? 0 : 2);
    }
    wait_for(steps, 1);
    check_eq(shared[PAGE / 4], 11, "what a child maps over it is not the parent's");
    check_eq(shared[2 * PAGE / 4], 42, "the rest is still shared");
    shared[PAGE / 4] = 12;
    shared[3 * PAGE / 4] = 43;
    tell(steps, 2);
    check_eq(status_of(pid), 0, "the child keeps its own page");
    check_eq(shared[PAGE / 4], 12, "and so does the parent");
    pid = fork();
    if (pid == 0) _exit(shared[0] + shared[PAGE / 4] == 22 ? 0 : 1);
    check_eq(status_of(pid), 0, "a later child sees the object again");
}

static void survives_its_maker(void) {
    int *shared = map_shared(2), *steps = map_shared(1);
    shared[0] = 5;
    pid_t pid = fork();
    if (pid == 0) {
        wait_for(steps, 1);
        int seen = shared[0];
        shared[PAGE / 4] = 6;
        _exit(seen == 7 ? 0 : 1);
    }
    shared[0] = 7;
    int again = munmap(shared, 2 * PAGE);
    tell(steps, 1);
    check_eq(again, 0, "the parent unmaps it");
    check_eq(status_of(pid), 0, "the child still has it");
}

static void two_addresses(void) {
    int *shared = map_shared(2);
    shared[0] = 1;
    shared[PAGE / 4] = 2;
    int *again = mremap(shared, 0, 2 * PAGE, MREMAP_MAYMOVE);
    need(again != MAP_FAILED && again != shared, "an old size of 0 maps it a second time");
    check_eq(again[PAGE / 4], 2, "both show the same");
    again[0] = 3;
    check_eq(shared[0], 3, "and change together");
    check_eq(munmap(shared, 2 * PAGE), 0, "one goes");
    check_eq(again[0] + again[PAGE / 4], 5, "and leaves the other");
    int *far = mremap(again, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, shared);
    check(far == shared && far[0] == 3, "it moves");
    int *private = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check_fails((long)mremap(private, 0, PAGE, MREMAP_MAYMOVE), EINVAL, "private memory has no second place");
}

static volatile int *volatile beyond;

static void is_as_long_as_it_was_made(void) {
    int *shared = map_shared(1);
    beyond = mremap(shared, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
    need((void *)beyond != MAP_FAILED, "its mapping grows");
    pid_t pid = fork();
    if (pid == 0) {
        beyond[PAGE / 4] = 1;
        _exit(0);
    }
    check_eq(status_of(pid), 1000 + SIGBUS, "behind its end there is nothing");
}

static void protections(void) {
    int *shared = map_shared(2), *steps = map_shared(1);
    shared[0] = 1;
    pid_t pid = fork();
    if (pid == 0) {
        if (mprotect(shared, PAGE, PROT_READ)) _exit(1);
        tell(steps, 1);
        wait_for(steps, 2);
        _exit(shared[0] == 2 ? 0 : 2);
    }
    wait_for(steps, 1);
    shared[0] = 2;
    tell(steps, 2);
    check_eq(status_of(pid), 0, "one that only reads sees what another writes");
    pid = fork();
    if (pid == 0) {
        if (mprotect(shared, PAGE, PROT_READ)) _exit(1);
        shared[0] = 3;
        _exit(0);
    }
    check_eq(status_of(pid), 1000 + SIGSEGV, "what one forbids itself kills it");
    shared[0] = 4;
    check_eq(shared[0], 4, "and nobody else");
    check_eq(madvise(shared, PAGE, MADV_DONTNEED), 0, "what is not needed");
    check_eq(shared[0], 4, "is still there");
}

// More children than steps, all at the same words.
static void counts(void) {
    enum { CHILDREN = 4, ROUNDS = 200 };
    int *shared = map_shared(1);
    pid_t pids[CHILDREN];
    for (int child = 0; child < CHILDREN; child++) {
        pids[child] = fork();
        if (pids[child] == 0) {
            for (int round = 0; round < ROUNDS; round++) {
                wait_for(&shared[0], round * CHILDREN + child);
                shared[1]++;
                tell(&shared[0], round * CHILDREN + child + 1);
            }
            _exit(0);
        }
    }
    for (int child = 0; child < CHILDREN; child++) check_eq(status_of(pids[child]), 0, "a child counts");
    check_eq(shared[1], CHILDREN * ROUNDS, "none is lost");
}

int main(void) {
    one_maps_over();
    survives_its_maker();
    two_addresses();
    is_as_long_as_it_was_made();
    protections();
    counts();
    return check_done();
}
