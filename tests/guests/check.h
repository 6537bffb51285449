// What every guest shares: it prints one line per check, which must be the same on Linux and in the enclave.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checks_made, checks_failed;

__attribute__((unused)) static int check_report(int passes, const char *name, int line, long got, long want) {
    int error = errno;
    checks_made++;
    if (passes) {
        printf("ok %d %s\n", checks_made, name);
    } else {
        checks_failed++;
        printf("not ok %d %s # line %d: got %ld, want %ld, errno %d (%s)\n", checks_made, name, line, got,
               want, error, strerror(error));
    }
    fflush(stdout);
    errno = 0;
    return passes;
}

// The condition holds.
#define check(condition, name) check_report((condition) ? 1 : 0, name, __LINE__, 0, 1)

// Two integers are equal.
#define check_eq(got, want, name)                                 \
    ({                                                            \
        long got_ = (long)(got), want_ = (long)(want);            \
        check_report(got_ == want_, name, __LINE__, got_, want_); \
    })

// A call returns -1 with this error.
#define check_fails(call, error, name)                                                                 \
    ({                                                                                                 \
        errno = 0;                                                                                     \
        long got_ = (long)(call);                                                                      \
        int error_ = errno;                                                                            \
        check_report(got_ == -1 && error_ == (error), name, __LINE__, got_ == -1 ? error_ : 0, error); \
    })

// Nothing that follows would make sense without this.
#define need(condition, name)                 \
    do {                                      \
        if (!check(condition, name)) exit(1); \
    } while (0)

// The last line of `main`: `return check_done();`
__attribute__((unused)) static int check_done(void) {
    printf("1..%d\n", checks_made);
    return checks_failed ? 1 : 0;
}
