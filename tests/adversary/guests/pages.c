// Pages that a host takes away for an instant: no signal reaches the program, and no call fails that cannot fail.
#include "claims.h"
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>

static void unexpected(int signal, siginfo_t *info, void *unused) {
    (void)unused;
    broken(__LINE__, strsignal(signal), (long)info->si_addr);
}

static double now(void) {
    struct timespec at;
    promise(clock_gettime(CLOCK_MONOTONIC, &at) == 0, errno);
    return at.tv_sec + at.tv_nsec / 1e9;
}

static int ends[2];
static double over;

static void *echo(void *unused) {
    char byte;
    while (read(ends[0], &byte, 1) == 1)
        ;
    return unused;
}

static void *touch(void *unused) {
    unsigned char *memory = malloc(1 << 20);
    while (now() < over)
        for (int i = 0; i < 1 << 20; i += 64) {
            memory[i]++;
            // A function of the C library's, by its code, its tables and the stack.
            promise(strtol("123", NULL, 10) == 123, i);
        }
    free(memory);
    return unused;
}

int main(void) {
    struct sigaction action = {.sa_sigaction = unexpected, .sa_flags = SA_SIGINFO};
    for (int signal = 1; signal < 32; signal++)
        if (signal != SIGKILL && signal != SIGSTOP) sigaction(signal, &action, NULL);
    keep_secrets();
    promise(pipe(ends) == 0, errno);
    over = now() + 4;
    pthread_t reader, toucher;
    promise(pthread_create(&reader, NULL, echo, NULL) == 0, 0);
    promise(pthread_create(&toucher, NULL, touch, NULL) == 0, 0);
    static unsigned char buffer[1 << 16] __attribute__((aligned(4096)));
    int file = open("/tmp/withheld", O_RDWR | O_CREAT | O_TRUNC, 0600), word = 0;
    promise(file >= 0, errno);
    while (now() < over) {
        for (int i = 0; i < 200; i++) {
            promise(syscall(SYS_getppid) >= 0, errno);
            promise(getrandom(buffer, 32, 0) == 32, errno);
            promise(pwrite(file, buffer, sizeof buffer, 0) == sizeof buffer, errno);
            promise(pread(file, buffer, sizeof buffer, 0) == sizeof buffer, errno);
            promise(syscall(SYS_futex, &word, 1, 1, NULL, NULL, 0) == 0, errno);
            promise(write(ends[1], buffer, 1) == 1, errno);
        }
        unsigned char *fresh = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        promise(fresh != MAP_FAILED, errno);
        memset(fresh, 1, 1 << 16);
        promise(mprotect(fresh, 4096, PROT_READ) == 0, errno);
        promise(munmap(fresh, 1 << 16) == 0, errno);
        struct timespec shortly = {0, 1000};
        promise(nanosleep(&shortly, NULL) == 0, errno);
    }
    close(ends[1]);
    pthread_join(reader, NULL);
    pthread_join(toucher, NULL);
    return end();
}
