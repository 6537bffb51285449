// fork: what a child has of its parent, and that what each writes afterwards is its own.
// linkage: dynamic static no-pie musl musl-static
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int data = 1;
static int zero;
static const char *text = "text";

static int status_of(pid_t pid) {
    int status = -1;
    need(waitpid(pid, &status, 0) == pid, "the child is waited for");
    return status;
}

static void exits_with(int (*body)(void), int expected, const char *what) {
    pid_t pid = fork();
    if (pid < 0) exit(1);
    if (pid == 0) _exit(body());
    int status = status_of(pid);
    check(WIFEXITED(status) && WEXITSTATUS(status) == expected, what);
}

static int own_number(void) { return getpid() != getppid() && getpid() > 0 ? 7 : 0; }

static char *heap;
static int local_of_parent = 5;

static int change_everything(void) {
    int same = data == 1 && zero == 0 && strcmp(heap, "heap") == 0 && local_of_parent == 5;
    data = 2;
    zero = 3;
    strcpy(heap, "child");
    local_of_parent = 6;
    for (int i = 0; i < 64; i++) memset(malloc(5000), i, 5000);
    return same && data == 2 && strcmp(text, "text") == 0 ? 9 : 1;
}

static void *volatile shared_memory;

static int write_shared(void) {
    *(int *)shared_memory = 77;
    return 0;
}

static int deep(int depth) {
    char frame[20000];
    memset(frame, depth, sizeof frame);
    return depth == 0 ? frame[100] : deep(depth - 1) + frame[19999] - depth;
}

static int grow_stack(void) { return deep(60) == 0 ? 3 : 4; }

static void talk(void) {
    int there[2], back[2];
    need(pipe(there) == 0 && pipe(back) == 0, "pipes");
    pid_t pid = fork();
    if (pid < 0) exit(1);
    int sum = 0;
    if (pid == 0) {
        for (int i = 0; i < 200; i++) {
            int number;
            if (read(there[0], &number, sizeof number) != sizeof number) _exit(1);
            data += number;
            if (write(back[1], &data, sizeof data) != sizeof data) _exit(2);
        }
        _exit(0);
    }
    int mine = 1;
    for (int i = 0; i < 200; i++) {
        int answer;
        need(write(there[1], &i, sizeof i) == sizeof i, "the parent writes");
        need(read(back[0], &answer, sizeof answer) == sizeof answer, "the child answers");
        mine += i;
        sum += answer == mine;
        data = -i;
    }
    check(sum == 200, "each answer comes from the child's own memory");
    check(data == -199, "the parent's memory is its own");
    check(status_of(pid) == 0, "the child ends well");
    data = 1;
}

// Several generations write the same page at the same time, without waiting for each other.
static void compete(void) {
    pid_t pids[4];
    volatile unsigned *counter = malloc(sizeof *counter);
    for (int i = 0; i < 4; i++) {
        *counter = i * 1000;
        pids[i] = fork();
        need(pids[i] >= 0, "fork");
        if (pids[i] == 0) {
            for (int n = 0; n < 3000000; n++) (*counter)++;
            _exit(*counter == i * 1000u + 3000000u ? 0 : 1);
        }
    }
    for (int n = 0; n < 3000000; n++) (*counter)++;
    check(*counter == 3003000, "the parent counts for itself");
    int good = 0;
    for (int i = 0; i < 4; i++) good += status_of(pids[i]) == 0;
    check(good == 4, "four children that run at the same time count for themselves");
    free((void *)counter);
}

static void grandchildren(void) {
    int ends[2];
    need(pipe(ends) == 0, "a pipe");
    pid_t pid = fork();
    if (pid < 0) exit(1);
    if (pid == 0) {
        data = 10;
        pid_t grandchild = fork();
        if (grandchild == 0) {
            data++;
            (void)!write(ends[1], &data, sizeof data);
            _exit(data);
        }
        int status;
        data = 20;
        if (waitpid(grandchild, &status, 0) != grandchild) _exit(1);
        _exit(WEXITSTATUS(status) == 11 && data == 20 ? 4 : 5);
    }
    int status = status_of(pid), got = 0;
    check(WEXITSTATUS(status) == 4, "a grandchild's memory is its own");
    check(read(ends[0], &got, sizeof got) == sizeof got && got == 11, "a grandchild writes to a pipe");
    check(data == 1, "and the grandparent's is its own");
    close(ends[0]);
    close(ends[1]);
}

static int map_more(void) {
    char *page = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(page, 1, 1 << 20);
    munmap(page, 1 << 20);
    void *old = mmap(heap, 0, 0, 0, -1, 0);
    return old == MAP_FAILED ? 2 : 3;
}

static char *area;

static int replace_area(void) {
    if (mmap(area, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != area) return 1;
    if (area[0] != 0 || area[8191] != 0) return 2;
    memset(area, 'c', 8192);
    if (munmap(area + 8192, 4096) != 0) return 3;
    if (mprotect(area + 12288, 4096, PROT_READ) != 0) return 4;
    return area[12288] == 'p' ? 0 : 5;
}

static void *spin(void *stop) {
    while (!*(volatile int *)stop) data = data;
    return NULL;
}

static void with_threads(void) {
    pthread_t threads[2];
    static volatile int stop;
    for (int i = 0; i < 2; i++) need(pthread_create(&threads[i], NULL, spin, (void *)&stop) == 0, "a thread");
    for (int i = 0; i < 20; i++) exits_with(change_everything, 9, "a child of a process with threads");
    stop = 1;
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
}

int main(void) {
    heap = strdup("heap");
    exits_with(own_number, 7, "a child has a number of its own");
    exits_with(change_everything, 9, "a child sees what its parent had");
    check(data == 1 && zero == 0 && strcmp(heap, "heap") == 0 && local_of_parent == 5, "the parent's memory is untouched");
    for (int i = 0; i < 50; i++) exits_with(change_everything, 9, "a child sees it again");
    exits_with(grow_stack, 3, "a child's stack grows");
    exits_with(map_more, 2, "a child maps memory");
    shared_memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    exits_with(write_shared, 0, "a child writes to shared memory");
    check(*(int *)shared_memory == 77, "the parent sees it");
    area = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(area, 'p', 4 * 4096);
    exits_with(replace_area, 0, "a child maps over what it has inherited");
    check(area[0] == 'p' && area[8192] == 'p' && area[12288] == 'p', "the parent has it still");
    area[12288] = 'q';
    talk();
    grandchildren();
    compete();
    with_threads();
    return check_done();
}
