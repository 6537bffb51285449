// Many writers wait for room in one pipe and end, again and again: no wake-up is lost.
#include "check.h"
#include <limits.h>
#include <pthread.h>
#include <unistd.h>

enum { ROUNDS = 50, WRITERS = 4, RECORDS = 25 };

static int pipes[2];

static void *write_records(void *letter) {
    char record[PIPE_BUF];
    memset(record, (int)(long)letter, sizeof record);
    for (int i = 0; i < RECORDS; i++)
        if (write(pipes[1], record, sizeof record) != sizeof record) return (void *)1;
    return NULL;
}

int main(void) {
    int whole = 1;
    static char buffer[PIPE_BUF];
    need(pipe(pipes) == 0, "pipe");
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t writers[WRITERS];
        for (long i = 0; i < WRITERS; i++)
            pthread_create(&writers[i], NULL, write_records, (void *)('a' + i));
        for (int i = 0; i < WRITERS * RECORDS; i++) {
            for (int at = 0; at < PIPE_BUF;)
                at += (int)read(pipes[0], buffer + at, (size_t)(PIPE_BUF - at));
            for (int at = 1; at < PIPE_BUF; at++) whole &= buffer[at] == buffer[0];
        }
        for (int i = 0; i < WRITERS; i++) pthread_join(writers[i], NULL);
    }
    check(whole, "records of PIPE_BUF do not mix");
    return check_done();
}
