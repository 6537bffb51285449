// execve: what a new program inherits and what it does not, from a process with threads, and from a thread that is not the first.
// linkage: dynamic static no-pie musl musl-static
// env: KEPT=yes
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define OPEN 40
#define CLOSED 41

static void handler(int signal) { (void)signal; }

static void *sleep_for_ever(void *unused) {
    for (;;) pause();
    return unused;
}

static void *compute_for_ever(void *unused) {
    for (;;) __asm__ volatile("pause");
    return unused;
}

static void *wait_for_ever(void *unused) {
    int ends[2];
    char byte;
    if (pipe(ends) == 0) (void)!read(ends[0], &byte, 1);
    return unused;
}

static void start_threads(void) {
    pthread_t thread;
    void *(*const bodies[])(void *) = {sleep_for_ever, compute_for_ever, wait_for_ever};
    for (int i = 0; i < 3; i++) need(pthread_create(&thread, NULL, bodies[i], NULL) == 0, "a thread starts");
    struct timespec shortly = {0, 5000000};
    nanosleep(&shortly, NULL);
}

static char *self;

static void execute(const char *stage) {
    char *arguments[] = {"renamed", (char *)stage, "", "a b", NULL};
    char *environment[] = {"NEW=1", "EMPTY=", NULL};
    execve(self, arguments, environment);
    need(0, "execve returns");
}

static void *execute_from_thread(void *unused) {
    execute("third");
    return unused;
}

static int threads(void) {
    DIR *tasks = opendir("/proc/self/task");
    need(tasks != NULL, "the threads can be counted");
    int count = 0;
    for (struct dirent *entry; (entry = readdir(tasks));) count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

static int is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

static void first(void) {
    check(getenv("KEPT") && !strcmp(getenv("KEPT"), "yes"), "the first environment");
    need(dup2(1, OPEN) == OPEN && dup2(1, CLOSED) == CLOSED, "descriptors");
    fcntl(CLOSED, F_SETFD, FD_CLOEXEC);
    signal(SIGUSR1, handler);
    signal(SIGUSR2, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGRTMIN);
    static char stack[1 << 16];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    need(sigaltstack(&alternate, NULL) == 0, "an alternate stack");
    umask(027);
    mkdir("inside", 0755);
    need(chdir("inside") == 0, "another directory");
    timer_t timer;
    struct itimerspec soon = {.it_value = {.tv_nsec = 1000000}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    need(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "a timer");
    start_threads();
    // It would kill the new program, which has no handler.
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    soon.it_value.tv_nsec = 300000000;
    timer_settime(timer, 0, &soon, NULL);
    pthread_sigmask(SIG_UNBLOCK, &blocked, NULL);
    execute("second");
}

static void inherited(int count, char **arguments) {
    check_eq(count, 4, "four arguments");
    check(!strcmp(arguments[0], "renamed") && !strcmp(arguments[2], "") && !strcmp(arguments[3], "a b"),
          "the arguments");
    check(!getenv("KEPT") && getenv("NEW") && !strcmp(getenv("NEW"), "1"), "the environment");
    check(getenv("EMPTY") && !*getenv("EMPTY"), "an empty variable");
    check(is_open(OPEN) && !is_open(CLOSED), "what is closed on exec");
    struct sigaction action;
    sigaction(SIGUSR1, NULL, &action);
    check(action.sa_handler == SIG_DFL, "a handler is forgotten");
    sigaction(SIGUSR2, NULL, &action);
    check(action.sa_handler == SIG_IGN, "what was ignored is ignored");
    sigset_t set;
    sigprocmask(SIG_SETMASK, NULL, &set);
    check(sigismember(&set, SIGWINCH) == 1 && sigismember(&set, SIGUSR1) == 0, "the mask");
    sigpending(&set);
    check(sigismember(&set, SIGRTMIN) == 1, "a pending signal stays pending");
    stack_t alternate;
    sigaltstack(NULL, &alternate);
    check(alternate.ss_flags == SS_DISABLE, "the alternate stack is forgotten");
    mode_t mask = umask(0);
    umask(mask);
    check_eq(mask, 027, "the umask");
    char directory[256], *name = getcwd(directory, sizeof directory);
    check(name && strlen(name) > 7 && !strcmp(name + strlen(name) - 7, "/inside"), "the directory");
    check_eq(threads(), 1, "one thread");
    check(getpid() == syscall(SYS_gettid), "the first thread");
}

static void name_is(const char *wanted) {
    char name[32] = "";
    int fd = open("/proc/self/comm", O_RDONLY);
    (void)!read(fd, name, sizeof name - 1);
    close(fd);
    name[strcspn(name, "\n")] = 0;
    check(!strncmp(name, wanted, 15), "the name of the thread");
}

int main(int count, char **arguments) {
    static char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    need(len > 0, "where the program is");
    self = path;
    const char *stage = count > 1 ? arguments[1] : "first";
    const char *base = strrchr(path, '/') + 1;
    if (!strcmp(stage, "first")) first();
    inherited(count, arguments);
    // What execveat of a descriptor gives as the name has changed in Linux 6.14.
    if (strcmp(stage, "fourth")) name_is(base);
    if (!strcmp(stage, "second")) {
        // The timer is gone: nothing comes.
        struct timespec longer = {0, 400000000};
        check_eq(nanosleep(&longer, NULL), 0, "a timer is deleted");
        start_threads();
        pthread_t thread;
        // It says nothing of success: the thread may be quicker.
        if (pthread_create(&thread, NULL, execute_from_thread, NULL) != 0) return 2;
        pthread_join(thread, NULL);
        return 1;
    }
    if (!strcmp(stage, "third")) {
        // Memory of the earlier program is gone, and new memory can be had.
        for (int i = 0; i < 8; i++) {
            char *memory = mmap(NULL, 1 << 22, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            need(memory != MAP_FAILED, "memory");
            memset(memory, i, 1 << 22);
        }
        int fd = open(self, O_PATH);
        char *const next[] = {"renamed", "fourth", "", "a b", NULL}, *const variables[] = {"NEW=1", "EMPTY=", NULL};
        need(fd >= 0 && dup2(fd, 7) == 7, "a path");
        syscall(SYS_execveat, 7, "", next, variables, AT_EMPTY_PATH);
        need(0, "execveat returns");
    }
    return check_done();
}
