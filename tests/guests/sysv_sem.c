// System V semaphores: semget, semop, semtimedop, semctl.
// linkage: dynamic musl
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
    struct seminfo *info;
};

static int control(int id, int number, int command, long value) {
    return syscall(SYS_semctl, id, number, command, value);
}

static int operate(int id, int number, int change, int flags) {
    struct sembuf operation = {.sem_num = number, .sem_op = change, .sem_flg = flags};
    return semop(id, &operation, 1);
}

static int value(int id, int number) { return control(id, number, GETVAL, 0); }

static int status_of(pid_t pid) {
    int status = -1;
    need(waitpid(pid, &status, 0) == pid, "the child is waited for");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int new_set(int count) {
    int id = semget(IPC_PRIVATE, count, 0600);
    need(id >= 0, "a set is made");
    return id;
}

// Somebody waits: the state is looked at until it is so.
static void until(int id, int number, int command, int count) {
    while (control(id, number, command, 0) != count) sched_yield();
}

static void finding(void) {
    key_t key = 0x4f000000 | (getpid() & 0xffff);
    check_fails(semget(key, 1, 0600), ENOENT, "nothing has the key");
    check_fails(semget(key, -1, IPC_CREAT | 0600), EINVAL, "less than nothing");
    check_fails(semget(key, 0, IPC_CREAT | 0600), EINVAL, "an empty set");
    check_fails(semget(key, 32001, IPC_CREAT | 0600), EINVAL, "too large a set");
    int id = semget(key, 3, IPC_CREAT | IPC_EXCL | 0640);
    need(id >= 0, "a set with a key");
    check_eq(semget(key, 0, 0), id, "the key finds it");
    check_eq(semget(key, 3, IPC_CREAT | 0600), id, "also with IPC_CREAT");
    check_fails(semget(key, 3, IPC_CREAT | IPC_EXCL | 0600), EEXIST, "IPC_EXCL refuses it");
    check_fails(semget(key, 4, 0), EINVAL, "it is not so large");
    struct semid_ds state;
    memset(&state, 0xff, sizeof state);
    check_eq(control(id, 0, IPC_STAT, (long)&state), 0, "its state");
    check(state.sem_perm.__key == key && state.sem_perm.mode == 0640 && state.sem_nsems == 3, "as it was made");
    check(state.sem_otime == 0 && state.sem_ctime != 0, "its times");
    check_eq(control(id, 0, IPC_RMID, 0), 0, "it is removed");
    check_fails(control(id, 0, IPC_STAT, (long)&state), EINVAL, "it is gone");
    check_fails(operate(id, 0, 1, 0), EINVAL, "for operations, too");
}

static void operating(void) {
    int id = new_set(3);
    check_eq(operate(id, 1, 5, 0), 0, "one grows");
    check_eq(value(id, 1), 5, "by so much");
    check_eq(control(id, 1, GETPID, 0), getpid(), "by this process");
    check_eq(control(id, 0, GETPID, 0), 0, "and no other one");
    check_fails(operate(id, 0, -1, IPC_NOWAIT), EAGAIN, "nothing can be taken from nothing");
    check_fails(operate(id, 1, 0, IPC_NOWAIT), EAGAIN, "five are not none");
    check_eq(operate(id, 0, 0, 0), 0, "none are none");
    struct sembuf three[] = {{0, 2, 0}, {1, -5, 0}, {2, -1, IPC_NOWAIT}};
    check_fails(semop(id, three, 3), EAGAIN, "all or nothing");
    check(value(id, 0) == 0 && value(id, 1) == 5, "nothing");
    three[2].sem_op = 1;
    check_eq(semop(id, three, 3), 0, "all");
    check(value(id, 0) == 2 && value(id, 1) == 0 && value(id, 2) == 1, "all");
    struct sembuf same[] = {{0, 1, 0}, {0, -3, 0}, {0, 0, 0}, {0, 4, 0}};
    check_eq(semop(id, same, 4), 0, "one after the other");
    check_eq(value(id, 0), 4, "on the same one");
    check_fails(operate(id, 3, 1, 0), EFBIG, "there is no fourth");
    check_fails(operate(id, 0, 32767, 0), ERANGE, "so many cannot be");
    check_fails(operate(id, 0, 0x7ffc, 0), ERANGE, "nor one too many");
    check_eq(operate(id, 0, 0x7ffb, 0), 0, "but as many as can be");
    check_fails(semop(id, three, 0), EINVAL, "no operations");
    check_fails(semop(-1, three, 1), EINVAL, "an identifier below 0");
    check_fails(semop(id, NULL, 1), EFAULT, "operations that are nowhere");
    check_fails(semop(id, three, 501), E2BIG, "too many operations");
    struct timespec none = {0, 0}, bad = {0, 1000000000}, soon = {0, 1000000};
    three[0] = (struct sembuf){1, -1, 0};
    check_fails(semtimedop(id, three, 1, &none), EAGAIN, "no time to wait");
    check_fails(semtimedop(id, three, 1, &soon), EAGAIN, "little time to wait");
    check_fails(semtimedop(id, three, 1, &bad), EINVAL, "no time at all");
    check_fails(syscall(SYS_semtimedop, id, three, 1, 8), EFAULT, "a time that is nowhere");
    control(id, 0, IPC_RMID, 0);
}

static void setting(void) {
    int id = new_set(4);
    unsigned short values[4] = {1, 2, 3, 4}, seen[4];
    check_eq(control(id, 0, SETALL, (long)values), 0, "all are set");
    check_eq(control(id, 0, GETALL, (long)seen), 0, "and read");
    check_eq(memcmp(values, seen, sizeof values), 0, "as they were set");
    check_eq(control(id, 3, GETPID, 0), getpid(), "by this process");
    check_eq(control(id, 2, SETVAL, 9), 0, "one is set");
    check_eq(value(id, 2), 9, "and read");
    check_eq(control(id, 2, SETVAL, 0x700000007), 0, "the upper half is nothing");
    check_eq(value(id, 2), 7, "and not looked at");
    check_fails(control(id, 2, SETVAL, 32768), ERANGE, "too much");
    check_fails(control(id, 2, SETVAL, -1), ERANGE, "too little");
    check_fails(control(id, 9, SETVAL, -1), ERANGE, "before the place is looked at");
    check_fails(control(id, 4, SETVAL, 1), EINVAL, "there is no fifth");
    check_fails(control(id, -1, GETVAL, 0), EINVAL, "nor one below 0");
    check_fails(control(id, 4, GETPID, 0), EINVAL, "by no process");
    check_fails(control(id, 4, GETNCNT, 0), EINVAL, "for which nobody waits");
    check_fails(control(id, 4, GETZCNT, 0), EINVAL, "in no way");
    check_fails(control(id, 0, GETALL, 8), EFAULT, "no place for all");
    check_fails(control(id, 0, SETALL, 8), EFAULT, "no values");
    values[3] = 40000;
    check_fails(control(id, 0, SETALL, (long)values), ERANGE, "one too large");
    check_eq(value(id, 0), 1, "sets none");
    check_fails(control(-1, 0, GETVAL, 0), EINVAL, "an identifier below 0");
    check_fails(control(id, 0, 99, 0), EINVAL, "an unknown command");
    check_fails(control(id, 0, IPC_SET, 8), EFAULT, "no new state");
    struct semid_ds state;
    check_eq(control(id, 0, IPC_STAT, (long)&state), 0, "its state");
    state.sem_perm.mode = 07400;
    check_eq(control(id, 0, IPC_SET, (long)&state), 0, "another mode");
    control(id, 0, IPC_STAT, (long)&state);
    check_eq(state.sem_perm.mode, 0400, "is the mode");
    struct seminfo info;
    int highest = control(0, 0, IPC_INFO, (long)&info);
    check(highest >= 0, "the limits");
    check(info.semmni == 32000 && info.semmsl == 32000 && info.semmns == 1024000000, "of sets");
    check(info.semopm == 500 && info.semvmx == 32767 && info.semaem == 32767, "of operations");
    check(info.semusz == 20 && info.semume == 500 && info.semmnu == 1024000000 && info.semmap == 1024000000,
          "and of what is long gone");
    check_eq(control(0, 0, SEM_INFO, (long)&info), highest, "the use");
    check(info.semusz >= 1 && info.semaem >= 4, "sets and semaphores");
    int found = 0;
    for (int place = 0; place <= highest; place++) {
        found += control(place, 0, SEM_STAT, (long)&state) == id;
        found += control(place, 0, SEM_STAT_ANY, (long)&state) == id;
    }
    check_eq(found, 2, "a place in the table is the set's");
    char line[256], wanted[64];
    snprintf(wanted, sizeof wanted, "%10d %10d   400 %10d ", 0, id, 4);
    FILE *list = fopen("/proc/sysvipc/sem", "r");
    need(list != NULL, "there is a list of sets");
    found = 0;
    while (fgets(line, sizeof line, list)) found += strncmp(line, wanted, strlen(wanted)) == 0;
    fclose(list);
    check_eq(found, 1, "which has the set");
    control(id, 0, IPC_RMID, 0);
}

static void waiting(void) {
    int id = new_set(2);
    pid_t pid = fork();
    if (pid == 0) {
        struct sembuf both[] = {{0, -2, 0}, {1, 1, 0}};
        _exit(semop(id, both, 2) == 0 ? 3 : errno);
    }
    until(id, 0, GETNCNT, 1);
    check_eq(control(id, 0, GETZCNT, 0), 0, "nobody waits for zero");
    operate(id, 0, 1, 0);
    check_eq(control(id, 0, GETNCNT, 0), 1, "one is not enough");
    operate(id, 0, 1, 0);
    check_eq(status_of(pid), 3, "two are");
    check(value(id, 0) == 0 && value(id, 1) == 1, "the child has taken them");
    check_eq(control(id, 1, GETPID, 0), pid, "and was the last");
    pid = fork();
    if (pid == 0) _exit(operate(id, 1, 0, 0) == 0 ? 4 : errno);
    until(id, 1, GETZCNT, 1);
    control(id, 1, SETVAL, 0);
    check_eq(status_of(pid), 4, "SETVAL wakes who waits for zero");
    pid = fork();
    if (pid == 0) _exit(operate(id, 1, -7, 0) == 0 ? 5 : errno);
    until(id, 1, GETNCNT, 1);
    unsigned short all[2] = {0, 8};
    control(id, 0, SETALL, (long)all);
    check_eq(status_of(pid), 5, "so does SETALL");
    check_eq(value(id, 1), 1, "of which it leaves the rest");
    pid = fork();
    if (pid == 0) _exit(operate(id, 0, -1, 0) == 0 ? 0 : errno);
    until(id, 0, GETNCNT, 1);
    control(id, 0, IPC_RMID, 0);
    check_eq(status_of(pid), EIDRM, "the end of the set ends the wait");
}

static volatile int handled;

static void handle(int signal) { handled = signal; }

static void interrupting(void) {
    int id = new_set(1);
    pid_t pid = fork();
    if (pid == 0) {
        struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
        sigaction(SIGUSR1, &action, NULL);
        int result = operate(id, 0, -1, 0);
        int error = errno;
        _exit(result == -1 && error == EINTR && handled == SIGUSR1 ? 6 : error);
    }
    until(id, 0, GETNCNT, 1);
    kill(pid, SIGUSR1);
    check_eq(status_of(pid), 6, "a signal interrupts, whatever its flags");
    check_eq(control(id, 0, GETNCNT, 0), 0, "nobody waits any more");
    pid = fork();
    if (pid == 0) _exit(operate(id, 0, -1, 0));
    until(id, 0, GETNCNT, 1);
    kill(pid, SIGKILL);
    check_eq(status_of(pid), 1000 + SIGKILL, "who waits is killed");
    check_eq(control(id, 0, GETNCNT, 0), 0, "and waits no more");
    control(id, 0, IPC_RMID, 0);
}

static void undoing(void) {
    int id = new_set(3);
    control(id, 0, SETVAL, 5);
    pid_t pid = fork();
    if (pid == 0) {
        struct sembuf operations[] = {{0, -3, SEM_UNDO}, {1, 2, SEM_UNDO}, {2, 4, 0}};
        _exit(semop(id, operations, 3) == 0 && value(id, 0) == 2 ? 7 : errno);
    }
    check_eq(status_of(pid), 7, "a child operates");
    check(value(id, 0) == 5 && value(id, 1) == 0 && value(id, 2) == 4, "and its end undoes");
    check_eq(control(id, 0, GETPID, 0), pid, "which was its act");
    pid = fork();
    if (pid == 0) {
        operate(id, 0, -5, SEM_UNDO);
        until(id, 0, GETNCNT, 1);
        kill(getpid(), SIGKILL);
    }
    while (value(id, 0) != 0) sched_yield();
    pid_t other = fork();
    if (other == 0) _exit(operate(id, 0, -1, 0) == 0 && value(id, 0) == 4 ? 8 : errno);
    check_eq(status_of(pid), 1000 + SIGKILL, "a violent end");
    check_eq(status_of(other), 8, "lets another one go on");
    pid = fork();
    if (pid == 0) {
        operate(id, 1, 3, SEM_UNDO);
        control(id, 1, SETVAL, 9);
        pid_t child = fork();
        if (child == 0) _exit(0);
        waitpid(child, NULL, 0);
        operate(id, 2, 1, SEM_UNDO);
        operate(id, 2, -1, SEM_UNDO);
        _exit(0);
    }
    check_eq(status_of(pid), 0, "what is set");
    check_eq(value(id, 1), 9, "is not undone");
    check_eq(value(id, 2), 4, "and what was taken back neither");
    pid = fork();
    if (pid == 0) {
        if (operate(id, 2, 10, SEM_UNDO)) _exit(1);
        control(id, 0, SETVAL, 0);
        execl("/proc/self/exe", "sysv_sem", "exit", NULL);
    }
    check_eq(status_of(pid), 5, "another program");
    check_eq(value(id, 2), 4, "keeps what is to be undone");
    pid = fork();
    if (pid == 0) {
        int failed = operate(id, 0, 32767, SEM_UNDO) != 0 || operate(id, 0, -32767, 0) != 0;
        _exit(failed || operate(id, 0, 2, SEM_UNDO) != -1 || errno != ERANGE);
    }
    check_eq(status_of(pid), 0, "there is an end to what is undone");
    control(id, 0, IPC_RMID, 0);
}

enum { ROUNDS = 300, WORKERS = 3 };

static void *count(void *argument) {
    int id = *(int *)argument;
    static int counter;
    for (int round = 0; round < ROUNDS; round++) {
        if (operate(id, 0, -1, 0)) return (void *)1;
        counter++;
        if (operate(id, 0, 1, 0)) return (void *)1;
    }
    return (void *)(long)(counter << 8);
}

static void excluding(void) {
    int id = new_set(1);
    control(id, 0, SETVAL, 1);
    volatile int *counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[WORKERS];
    for (int worker = 0; worker < WORKERS; worker++) {
        pids[worker] = fork();
        if (pids[worker] != 0) continue;
        for (int round = 0; round < ROUNDS; round++) {
            if (operate(id, 0, -1, SEM_UNDO)) _exit(errno);
            int seen = *counter;
            *counter = seen + 1;
            if (operate(id, 0, 1, SEM_UNDO)) _exit(errno);
        }
        _exit(0);
    }
    for (int worker = 0; worker < WORKERS; worker++) check_eq(status_of(pids[worker]), 0, "a process counts");
    check_eq(*counter, ROUNDS * WORKERS, "and none comes between");
    pthread_t threads[WORKERS];
    void *result, *last = NULL;
    for (int worker = 0; worker < WORKERS; worker++) pthread_create(&threads[worker], NULL, count, &id);
    for (int worker = 0; worker < WORKERS; worker++) {
        pthread_join(threads[worker], &result);
        if (result > last) last = result;
    }
    check_eq((long)last >> 8, ROUNDS * WORKERS, "nor among threads");
    control(id, 0, IPC_RMID, 0);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "exit") == 0) return 5;
    finding();
    operating();
    setting();
    waiting();
    interrupting();
    undoing();
    excluding();
    return check_done();
}
