// Each thread has its own users, groups and capabilities; libraries change those of all threads together.
// linkage: dynamic
#include "check.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_root;

static unsigned effective(pid_t tid) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, tid};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    return syscall(SYS_capget, &header, data) == 0 ? data[0].effective : ~0u;
}

static long drop_all(pid_t tid) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, tid};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    return syscall(SYS_capset, &header, data);
}

// A number behind a name in a status file.
static unsigned long field(const char *path, const char *name, int base) {
    char text[4096];
    int fd = open(path, O_RDONLY);
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0) return ~0ul;
    text[length] = 0;
    const char *at = strstr(text, name);
    return at == NULL ? ~0ul : strtoul(at + strlen(name), NULL, base);
}

static void *alone(void *unused) {
    pid_t tid = (pid_t)syscall(SYS_gettid);
    char own[64], first[64];
    snprintf(own, sizeof own, "/proc/self/task/%d/status", tid);
    snprintf(first, sizeof first, "/proc/self/task/%d/status", getpid());
    check_eq(effective(tid), effective(getpid()), "a new thread has what its maker has");
    check_fails(drop_all(getpid()), EPERM, "no thread sets another one's capabilities");
    if (is_root) {
        check_eq(syscall(SYS_setfsuid, 1234), 0, "its user of files alone");
        close(open("open/of_thread", O_CREAT | O_WRONLY, 0600));
        struct stat stat_of = {0};
        stat("open/of_thread", &stat_of);
        check_eq(stat_of.st_uid, 1234, "owns what it makes");
        syscall(SYS_setfsuid, 0);
        check_eq(drop_all(tid), 0, "its capabilities alone");
        check_eq(effective(tid), 0, "are gone");
        check_eq(field(own, "CapEff:", 16), 0, "its status says so");
        check(effective(getpid()) != 0, "those of the first thread are not");
        check(field(first, "CapEff:", 16) != 0, "nor in its status");
        check_fails(syscall(SYS_setresuid, 7, 7, 7), EPERM, "it cannot be another user now");
    } else {
        for (int n = 0; n < 8; n++) check(1, "only root's threads");
    }
    check_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0, "no new privileges");
    check_eq(field(first, "NoNewPrivs:", 10), 0, "are its own");
    return unused;
}

static int turn;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void go_to(int next) {
    pthread_mutex_lock(&mutex);
    turn = next;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static void wait_for(int wanted) {
    pthread_mutex_lock(&mutex);
    while (turn != wanted) pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
}

static void *together(void *ids) {
    wait_for(1);
    ((uid_t *)ids)[0] = geteuid();
    ((uid_t *)ids)[1] = getegid();
    go_to(2);
    return NULL;
}

static pid_t other_thread;

static void *waits(void *unused) {
    other_thread = (pid_t)syscall(SYS_gettid);
    go_to(11);
    wait_for(12);
    return unused;
}

// A thread's number stands for its process where a process is signalled.
static void signals_by_threads(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, waits, NULL);
    wait_for(11);
    siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE}, got;
    check_eq(syscall(SYS_rt_sigqueueinfo, other_thread, SIGUSR1, &info), 0, "rt_sigqueueinfo to a thread");
    check_eq(sigwaitinfo(&set, &got), SIGUSR1, "comes to its process");
    check_fails(syscall(SYS_rt_sigqueueinfo, 0x3fffffff, SIGUSR1, &info), ESRCH, "and to nobody else");
    go_to(12);
    pthread_join(thread, NULL);
}

int main(void) {
    is_root = geteuid() == 0;
    mkdir("open", 0700);
    chmod("open", 0777);
    pthread_t thread;
    pthread_create(&thread, NULL, alone, NULL);
    pthread_join(thread, NULL);

    uid_t ids[2] = {0};
    pthread_create(&thread, NULL, together, ids);
    gid_t group = is_root ? 4321 : getegid();
    uid_t user = is_root ? 4321 : geteuid();
    check_eq(setresgid(group, group, group), 0, "the library's setresgid");
    check_eq(setresuid(user, user, user), 0, "the library's setresuid");
    go_to(1);
    wait_for(2);
    pthread_join(thread, NULL);
    check(ids[0] == user && ids[1] == group, "changes all threads");
    signals_by_threads();
    return check_done();
}
