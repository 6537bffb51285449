// exit_group from a thread ends all threads, also those that wait for ever.
// status: 7
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *sleeper(void *unused) {
    (void)unused;
    for (;;) pause();
    return NULL;
}

static void *spinner(void *unused) {
    (void)unused;
    for (;;) __asm__ volatile("pause");
    return NULL;
}

static void *ender(void *unused) {
    (void)unused;
    usleep(20000);
    puts("ending");
    fflush(stdout);
    _exit(7);
}

int main(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, sleeper, NULL);
    pthread_create(&thread, NULL, spinner, NULL);
    pthread_create(&thread, NULL, ender, NULL);
    pthread_join(thread, NULL);
    return 1;
}
