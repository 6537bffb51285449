// System V message queues: msgget, msgsnd, msgrcv, msgctl.
// linkage: dynamic musl
#include "check.h"
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif
#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

struct message {
    long kind;
    char text[8200];
};

static int status_of(pid_t pid) {
    int status = -1;
    need(waitpid(pid, &status, 0) == pid, "the child is waited for");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int new_queue(void) {
    int id = msgget(IPC_PRIVATE, 0600);
    need(id >= 0, "a queue is made");
    return id;
}

static int put(int id, long kind, const char *text, int flags) {
    static struct message message;
    message.kind = kind;
    strcpy(message.text, text);
    return msgsnd(id, &message, strlen(text), flags);
}

static char *take(int id, long kind, int flags) {
    static struct message message;
    long len = msgrcv(id, &message, sizeof message.text, kind, flags);
    if (len < 0) return strerror(errno);
    message.text[len] = 0;
    return message.text;
}

#define check_take(id, kind, flags, text, name) check(strcmp(take(id, kind, flags), text) == 0, name)

static struct msqid_ds state_of(int id) {
    struct msqid_ds state;
    memset(&state, 0xff, sizeof state);
    need(msgctl(id, IPC_STAT, &state) == 0, "its state is read");
    return state;
}

static void finding(void) {
    key_t key = 0x50000000 | (getpid() & 0xffff);
    check_fails(msgget(key, 0600), ENOENT, "nothing has the key");
    int id = msgget(key, IPC_CREAT | IPC_EXCL | 0640);
    need(id >= 0, "a queue with a key");
    check_eq(msgget(key, 0), id, "the key finds it");
    check_fails(msgget(key, IPC_CREAT | IPC_EXCL | 0600), EEXIST, "IPC_EXCL refuses it");
    struct msqid_ds state = state_of(id);
    check(state.msg_perm.__key == key && state.msg_perm.mode == 0640, "as it was made");
    check(state.msg_qnum == 0 && state.msg_cbytes == 0 && state.msg_qbytes == 16384, "what it has and takes");
    check(state.msg_stime == 0 && state.msg_rtime == 0 && state.msg_ctime != 0, "its times");
    check(state.msg_lspid == 0 && state.msg_lrpid == 0, "nobody has used it");
    check_eq(msgctl(id, IPC_RMID, NULL), 0, "it is removed");
    check_fails(msgctl(id, IPC_STAT, &state), EINVAL, "it is gone");
    check_fails(put(id, 1, "", 0), EINVAL, "for senders");
    check_fails(msgrcv(id, &state, 0, 0, 0), EINVAL, "and receivers");
}

static void selecting(void) {
    int id = new_queue();
    check_eq(put(id, 5, "five", 0), 0, "a message");
    put(id, 3, "three", 0);
    put(id, 4, "four", 0);
    put(id, 3, "three again", 0);
    put(id, 9, "", 0);
    struct msqid_ds state = state_of(id);
    check(state.msg_qnum == 5 && state.msg_cbytes == 24, "five of them");
    check(state.msg_lspid == getpid() && state.msg_stime != 0, "by this process");
    check_take(id, -4, 0, "three", "the lowest type");
    check_take(id, -2, IPC_NOWAIT, strerror(ENOMSG), "none so low");
    check_take(id, 5, MSG_EXCEPT, "four", "any other type");
    check_take(id, 7, IPC_NOWAIT, strerror(ENOMSG), "none of the type");
    check_take(id, 9, 0, "", "an empty one");
    check_take(id, LONG_MIN, 0, "three again", "the lowest of all");
    check_take(id, 0, 0, "five", "the first");
    check_take(id, 0, IPC_NOWAIT, strerror(ENOMSG), "and no more");
    state = state_of(id);
    check(state.msg_qnum == 0 && state.msg_cbytes == 0, "nothing is left");
    check(state.msg_lrpid == getpid() && state.msg_rtime != 0, "this process has taken it");
    struct message message;
    put(id, 1, "long text", 0);
    check_fails(msgrcv(id, &message, 4, 0, 0), E2BIG, "too little room");
    check_eq(state_of(id).msg_qnum, 1, "it stays");
    memset(&message, 'x', sizeof message);
    check_eq(msgrcv(id, &message, 4, 0, MSG_NOERROR), 4, "the first part of it");
    check(message.kind == 1 && memcmp(message.text, "longxx", 6) == 0, "and nothing behind");
    check_eq(state_of(id).msg_qnum, 0, "the rest is lost");
    put(id, 1, "first", 0);
    put(id, 2, "second", 0);
    check_eq(msgrcv(id, &message, sizeof message.text, 1, MSG_COPY | IPC_NOWAIT), 6, "a copy");
    check(message.kind == 2 && memcmp(message.text, "second", 6) == 0, "of the second");
    check_eq(state_of(id).msg_qnum, 2, "which stays");
    check_fails(msgrcv(id, &message, sizeof message.text, 2, MSG_COPY | IPC_NOWAIT), ENOMSG, "there is no third");
    check_fails(msgrcv(id, &message, sizeof message.text, 0, MSG_COPY), EINVAL, "copies do not wait");
    check_fails(msgrcv(id, &message, 0, 0, MSG_COPY | MSG_EXCEPT | IPC_NOWAIT), EINVAL, "nor go by type");
    msgctl(id, IPC_RMID, NULL);
}

static void refusing(void) {
    int id = new_queue();
    struct message message = {.kind = 0};
    check_fails(msgsnd(id, &message, 1, 0), EINVAL, "type 0");
    message.kind = -1;
    check_fails(msgsnd(id, &message, 1, 0), EINVAL, "a type below 0");
    message.kind = 1;
    check_fails(msgsnd(id, &message, 8193, 0), EINVAL, "too long");
    check_fails(msgsnd(id, &message, -1ul, 0), EINVAL, "far too long");
    check_fails(msgsnd(-1, &message, 1, 0), EINVAL, "an identifier below 0");
    check_fails(msgsnd(-1, NULL, 1, 0), EFAULT, "no message at all");
    check_fails(msgsnd(id + 1, &message, 1, 0), EINVAL, "no such queue");
    check_fails(msgrcv(id, &message, -1ul, 0, 0), EINVAL, "room below 0");
    check_fails(msgrcv(-1, &message, 1, 0, 0), EINVAL, "an identifier below 0");
    put(id, 1, "lost", 0);
    check_fails(msgrcv(id, NULL, 100, 0, 0), EFAULT, "no place for a message");
    check_eq(state_of(id).msg_qnum, 0, "loses it");
    check_eq(msgsnd(id, &message, 8192, 0), 0, "as long as can be");
    check_eq(msgsnd(id, &message, 8192, IPC_NOWAIT), 0, "as many as can be");
    check_fails(msgsnd(id, &message, 1, IPC_NOWAIT), EAGAIN, "it is full");
    check_eq(msgsnd(id, &message, 0, IPC_NOWAIT), 0, "but for empty ones");
    struct msqid_ds state = state_of(id);
    state.msg_qbytes = 3;
    state.msg_perm.mode = 07600;
    check_eq(msgctl(id, IPC_SET, &state), 0, "it takes less");
    check(state_of(id).msg_qbytes == 3 && state_of(id).msg_perm.mode == 0600, "from now on");
    check_fails(msgsnd(id, &message, 0, IPC_NOWAIT), EAGAIN, "three messages are three");
    check_fails(msgctl(id, IPC_SET, NULL), EFAULT, "no new state");
    check_fails(msgctl(id, 99, &state), EINVAL, "an unknown command");
    check_fails(msgctl(-1, IPC_STAT, &state), EINVAL, "an identifier below 0");
    check_fails(msgctl(id, IPC_STAT, (void *)8), EFAULT, "no place for the state");
    struct msginfo info;
    int highest = msgctl(0, IPC_INFO, (void *)&info);
    check(highest >= 0, "the limits");
    check(info.msgmax == 8192 && info.msgmnb == 16384 && info.msgmni == 32000, "of messages and queues");
    check(info.msgpool == 512000 && info.msgmap == 16384 && info.msgssz == 16 && info.msgtql == 16384 &&
              info.msgseg == 65535,
          "and of what is long gone");
    check_eq(msgctl(0, MSG_INFO, (void *)&info), highest, "the use");
    check(info.msgpool >= 1 && info.msgmap >= 3 && info.msgtql >= 16384, "queues, messages and bytes");
    int found = 0;
    for (int place = 0; place <= highest; place++) {
        found += msgctl(place, MSG_STAT, &state) == id;
        found += msgctl(place, MSG_STAT_ANY, &state) == id;
    }
    check_eq(found, 2, "a place in the table is the queue's");
    char line[256], wanted[100];
    snprintf(wanted, sizeof wanted, "%10d %10d   600       16384          3 %5d %5d ", 0, id, getpid(), getpid());
    FILE *list = fopen("/proc/sysvipc/msg", "r");
    need(list != NULL, "there is a list of queues");
    found = 0;
    while (fgets(line, sizeof line, list)) found += strncmp(line, wanted, strlen(wanted)) == 0;
    fclose(list);
    check_eq(found, 1, "which has the queue");
    msgctl(id, IPC_RMID, NULL);
}

static volatile int *ready;

// Lets the parent go on, and leaves the processor to it: it looks at the state of this thread.
static void now(void) { *ready = 1; }

static void until_waits(pid_t pid) {
    char path[64], text[512], state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    while (!*ready) sched_yield();
    while (state != 'S') {
        FILE *file = fopen(path, "r");
        if (file == NULL) return;
        size_t len = fread(text, 1, sizeof text - 1, file);
        fclose(file);
        text[len] = 0;
        char *behind = strrchr(text, ')');
        state = behind ? behind[2] : 'S';
        sched_yield();
    }
    *ready = 0;
}

static volatile int handled;

static void handle(int signal) { handled = signal; }

static void waiting(void) {
    int id = new_queue();
    ready = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    if (pid == 0) {
        now();
        _exit(strcmp(take(id, 7, 0), "seven") == 0 ? 3 : 4);
    }
    until_waits(pid);
    put(id, 6, "six", 0);
    put(id, 7, "seven", 0);
    check_eq(status_of(pid), 3, "a receiver gets what it waits for");
    check_eq(state_of(id).msg_qnum, 1, "and leaves the rest");
    check_eq(state_of(id).msg_lrpid, pid, "it was the last");
    take(id, 0, 0);
    pid = fork();
    if (pid == 0) {
        struct message message;
        now();
        _exit(msgrcv(id, &message, 2, 0, 0) == -1 ? errno : 0);
    }
    until_waits(pid);
    put(id, 1, "too long", 0);
    check_eq(status_of(pid), E2BIG, "a message that is too long wakes a receiver");
    check_take(id, 0, IPC_NOWAIT, "too long", "and stays");
    static struct message message = {.kind = 1};
    msgsnd(id, &message, 8192, 0);
    msgsnd(id, &message, 8192, 0);
    pid = fork();
    if (pid == 0) {
        now();
        _exit(put(id, 2, "late", 0) == 0 ? 5 : errno);
    }
    until_waits(pid);
    check_eq(msgrcv(id, &message, 8192, 1, 0), 8192, "a message is taken");
    check_eq(status_of(pid), 5, "and makes room for another");
    check_take(id, 2, 0, "late", "which is there");
    pid = fork();
    if (pid == 0) {
        struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
        sigaction(SIGUSR1, &action, NULL);
        now();
        int result = msgrcv(id, &message, 8192, 8, 0), error = errno;
        _exit(result == -1 && error == EINTR && handled == SIGUSR1 ? 6 : error);
    }
    until_waits(pid);
    kill(pid, SIGUSR1);
    check_eq(status_of(pid), 6, "a handler interrupts, whatever its flags");
    pid = fork();
    if (pid == 0) {
        now();
        _exit(msgrcv(id, &message, 8192, 8, 0) == -1 ? errno : 0);
    }
    until_waits(pid);
    kill(pid, SIGSTOP);
    kill(pid, SIGCONT);
    check_eq(msgctl(id, IPC_RMID, NULL), 0, "the queue goes");
    check_eq(status_of(pid), EIDRM, "and with it the wait, which no stop has ended");
}

int main(void) {
    finding();
    selecting();
    refusing();
    waiting();
    return check_done();
}
