// A hundred threads begin, each in a place where none has been, and end together.
#include "claims.h"
#include <pthread.h>

#define CROWD 100

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t complete = PTHREAD_COND_INITIALIZER;
static int here, expected = CROWD;

static void *arrive(void *unused) {
    pthread_mutex_lock(&lock);
    here++;
    pthread_cond_broadcast(&complete);
    while (here < expected) pthread_cond_wait(&complete, &lock);
    pthread_mutex_unlock(&lock);
    return unused;
}

int main(void) {
    keep_secrets();
    pthread_t threads[CROWD];
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    int started = 0;
    for (; started < CROWD; started++)
        if (pthread_create(&threads[started], &small, arrive, NULL)) break;
    if (started < CROWD) errors_seen++;
    pthread_mutex_lock(&lock);
    expected = started;
    pthread_cond_broadcast(&complete);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    promise(here == started, here);
    return end();
}
