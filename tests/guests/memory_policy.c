// Where memory lies on a machine with one node: get_mempolicy, set_mempolicy, mbind, migrate_pages, move_pages.
// linkage: dynamic
#include "check.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEFAULT, PREFERRED, BIND, INTERLEAVE, LOCAL, PREFERRED_MANY, WEIGHTED_INTERLEAVE, BEYOND };
enum { STATIC_NODES = 1 << 15, RELATIVE_NODES = 1 << 14 };
enum { NODE = 1, ADDRESS = 2, MEMS_ALLOWED = 4 };
enum { STRICT = 1, MOVE = 2, MOVE_ALL = 4 };
enum { BITS = 64 };

static unsigned long first = 1, second = 2, both = 3, none = 0;
static char *pages;

static long set(int mode, unsigned long *nodes, unsigned long bits) {
    return syscall(SYS_set_mempolicy, mode, nodes, bits);
}

static long get(int *mode, unsigned long *nodes, unsigned long bits, void *address, unsigned long flags) {
    return syscall(SYS_get_mempolicy, mode, nodes, bits, address, flags);
}

static int is_now(int mode, unsigned long nodes) {
    int found = -1;
    unsigned long mask = ~0ul;
    return get(&found, &mask, BITS, NULL, 0) == 0 && found == mode && mask == nodes;
}

static void *thread(void *unused) {
    check(is_now(PREFERRED, 1), "a thread has that of who made it");
    check_eq(set(DEFAULT, NULL, 0), 0, "and takes the default");
    check(is_now(DEFAULT, 0), "for itself");
    return unused;
}

static void policies(void) {
    check(is_now(DEFAULT, 0), "the default at first");
    check_eq(set(BIND, &first, BITS), 0, "bound to the node");
    check(is_now(BIND, 1), "is kept");
    check_eq(set(INTERLEAVE, &both, BITS), 0, "over nodes of which one is there");
    check(is_now(INTERLEAVE, 1), "is over that one");
    int next = -1;
    check(get(&next, NULL, 0, NULL, NODE) == 0 && next == 0, "where the next page will lie");
    check_eq(set(PREFERRED_MANY, &first, BITS), 0, "several preferred ones");
    check_eq(set(BIND | STATIC_NODES, &both, BITS), 0, "nodes as they are numbered");
    check(is_now(BIND | STATIC_NODES, 3), "which are kept as they were given");
    check_eq(set(BIND | RELATIVE_NODES, &second, BITS), 0, "nodes as they are counted");
    check_eq(set(LOCAL, NULL, 0), 0, "the nearest one");
    check(is_now(LOCAL, 0), "is no node in particular");
    check_eq(set(PREFERRED, NULL, 0), 0, "none preferred");
    check(is_now(LOCAL, 0), "is the nearest one");
    check_eq(set(PREFERRED, &first, BITS), 0, "one preferred");
    pthread_t other;
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);
    check(is_now(PREFERRED, 1), "the first thread keeps its own");

    check_fails(set(BIND, &second, BITS), EINVAL, "a node that is not there");
    check_fails(set(BIND, &none, BITS), EINVAL, "no node");
    check_fails(set(BIND, NULL, 0), EINVAL, "no mask");
    check_fails(set(DEFAULT, &first, BITS), EINVAL, "the default with a node");
    check_fails(set(LOCAL, &first, BITS), EINVAL, "the nearest with a node");
    check_fails(set(BEYOND, &first, BITS), EINVAL, "a mode that there is not");
    check_fails(set(-1, &first, BITS), EINVAL, "a negative one");
    check_fails(set(BIND | STATIC_NODES | RELATIVE_NODES, &first, BITS), EINVAL, "two meanings of numbers");
    check_fails(set(PREFERRED | STATIC_NODES, NULL, 0), EINVAL, "a meaning of no numbers");
    check_fails(set(BIND, (void *)8, BITS), EFAULT, "a mask nowhere");
    check_fails(set(BIND, &first, 4096 * 8 + 2), EINVAL, "a mask that is too long");
    check_fails(get(NULL, &none, 0, NULL, 0), EINVAL, "no room for the nodes");
    check_fails(get(NULL, NULL, 0, pages, 0), EINVAL, "an address without its flag");
    check_fails(get(NULL, NULL, 0, NULL, 8), EINVAL, "an unknown flag");
    check_fails(get(NULL, NULL, 0, NULL, NODE), EINVAL, "the next node of what is not interleaved");
    check_fails(get(NULL, NULL, 0, (void *)8, ADDRESS), EFAULT, "of what is not mapped");
    check_fails(get((int *)8, NULL, 0, NULL, 0), EFAULT, "a mode nowhere");
    check_fails(get(NULL, NULL, 0, NULL, MEMS_ALLOWED | NODE), EINVAL, "two questions");
    unsigned long allowed[4] = {9, 9, 9, 9};
    check(get(NULL, allowed, 128, NULL, MEMS_ALLOWED) == 0 && allowed[0] == 1 && allowed[1] == 0 && allowed[2] == 9,
          "the nodes that may be used");
    pages[0] = 1;
    int node = -1;
    check(get(&node, NULL, 0, pages, NODE | ADDRESS) == 0 && node == 0, "where a page lies");
    check_eq(set(DEFAULT, NULL, 0), 0, "the default again");
}

static void ranges(void) {
    check_eq(syscall(SYS_mbind, pages, 8192, BIND, &first, BITS, 0), 0, "a range");
    check_eq(syscall(SYS_mbind, pages, 8192, BIND, &first, BITS, STRICT | MOVE), 0, "which must lie there");
    check_eq(syscall(SYS_mbind, pages, 8192, DEFAULT, NULL, 0, 0), 0, "with the default");
    check_eq(syscall(SYS_mbind, pages, 0, BIND, &first, BITS, 0), 0, "nothing");
    check_fails(syscall(SYS_mbind, pages + 1, 8192, BIND, &first, BITS, 0), EINVAL, "not a page");
    check_fails(syscall(SYS_mbind, pages, 8192, BIND, &second, BITS, 0), EINVAL, "to a node that is not there");
    check_fails(syscall(SYS_mbind, pages, 8192, BIND, &first, BITS, 64), EINVAL, "with an unknown flag");
    check_fails(syscall(SYS_mbind, pages, -8192l, BIND, &first, BITS, 0), EINVAL, "beyond all addresses");
    check_fails(syscall(SYS_mbind, pages, 4 * 4096, BIND, &first, BITS, 0), EFAULT, "beyond what is mapped");
    check_fails(syscall(SYS_set_mempolicy_home_node, pages, 4096, 0, 0), ENOENT, "a home of no policy");
    check_fails(syscall(SYS_set_mempolicy_home_node, pages, 4096, 5, 0), EINVAL, "a home that is not there");
    check_fails(syscall(SYS_set_mempolicy_home_node, pages, 4096, 0, 1), EINVAL, "with a flag");
    check_fails(syscall(SYS_set_mempolicy_home_node, pages + 1, 4096, 0, 0), EINVAL, "of half a page");
    check_eq(syscall(SYS_set_mempolicy_home_node, pages, 0, 0, 0), 0, "of nothing");
}

static void moves(void) {
    check_eq(syscall(SYS_migrate_pages, 0, BITS, &first, &first), 0, "from a node to itself");
    check_fails(syscall(SYS_migrate_pages, 4194000, BITS, &first, &first), ESRCH, "of nobody");
    check_fails(syscall(SYS_migrate_pages, 0, BITS, (void *)8, &first), EFAULT, "from nowhere");
    check_fails(syscall(SYS_migrate_pages, 0, BITS, &first, &none), EINVAL, "to no node");
    pages[0] = 1;
    void *which[3] = {pages, pages + 4096, (void *)8};
    int status[3] = {77, 77, 77}, to[3] = {0, 0, 0};
    munmap(pages + 4096, 4096);
    check_eq(syscall(SYS_move_pages, 0, 3l, which, NULL, status, 0), 0, "asks where pages lie");
    check(status[0] == 0 && status[1] == -EFAULT && status[2] == -EFAULT, "and learns it");
    check_eq(syscall(SYS_move_pages, 0, 1l, which, to, status, MOVE), 0, "moves a page to where it lies");
    check_eq(status[0], 0, "which is there");
    to[0] = 5;
    check_fails(syscall(SYS_move_pages, 0, 1l, which, to, status, MOVE), ENODEV, "to a node that is not there");
    check_fails(syscall(SYS_move_pages, 0, 1l, which, NULL, status, 1), EINVAL, "an unknown flag of it");
    check_fails(syscall(SYS_move_pages, 4194000, 1l, which, NULL, status, 0), ESRCH, "pages of nobody");
    check_fails(syscall(SYS_move_pages, 0, 1l, (void *)8, NULL, status, 0), EFAULT, "pages named nowhere");
    check_fails(syscall(SYS_move_pages, 0, 1l, which, NULL, (void *)8, 0), EFAULT, "an answer to nowhere");
    char *fresh = mmap(NULL, 1 << 24, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    which[0] = fresh + (1 << 23);
    check_eq(syscall(SYS_move_pages, 0, 1l, which, NULL, status, 0), 0, "a page that is not there yet");
    check_eq(status[0], -ENOENT, "is nowhere");
}

int main(void) {
    pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages + 2 * 4096, 4096);
    policies();
    ranges();
    moves();
    return check_done();
}
