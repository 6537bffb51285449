// The main thread may end first: the process lives on until the last thread has ended.
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void *last(void *unused) {
    (void)unused;
    usleep(20000);
    puts("the last one puts out the light");
    return NULL;
}

int main(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, last, NULL);
    pthread_exit(NULL);
}
