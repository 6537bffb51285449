// Tells of each SIGUSR1 with a byte, while its threads (as many as the argument says) wait, compute and make system calls.
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_signal(int signal) {
    (void)signal;
    (void)!write(1, ".", 1);
}

static void *sleep_shortly(void *unused) {
    for (;;) usleep(50);
    return unused;
}

static void *talk_to_itself(void *unused) {
    int ends[2];
    char byte = 0;
    if (pipe(ends) != 0) exit(1);
    for (;;)
        if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1) usleep(1);
    return unused;
}

static void *compute(void *unused) {
    for (volatile unsigned count = 0;; count++)
        if (count % 4096 == 0) getppid();
    return unused;
}

int main(int count, char **arguments) {
    void *(*const bodies[])(void *) = {sleep_shortly, talk_to_itself, compute};
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    int threads = count > 1 ? atoi(arguments[1]) : 1;
    for (int i = 1; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, bodies[i % 3], NULL) != 0) return 1;
    }
    (void)!write(1, "+", 1);
    // The next signal comes when this one has been told of: on the way back to the wait, which nothing else ends.
    for (;;) pause();
}
