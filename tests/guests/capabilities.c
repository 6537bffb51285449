// Capabilities: what drops them, what keeps them, what brings them back, and that each check asks for its own.
// linkage: dynamic musl
#include "check.h"
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, SYS_CHROOT = 18, SYS_NICE = 23,
       SYS_RESOURCE = 24, MKNOD = 27 };
#define BIT(capability) (UINT64_C(1) << (capability))
// What Docker gives, too, of those that are used here.
static const uint64_t usual = BIT(CHOWN) | BIT(DAC_OVERRIDE) | BIT(FOWNER) | BIT(FSETID) | BIT(KILL) | BIT(SETGID) |
                              BIT(SETUID) | BIT(SETPCAP) | BIT(SYS_CHROOT) | BIT(MKNOD);

enum { NOROOT = 1, NO_FIXUP = 4, KEEP = 16, KEEP_LOCKED = 32, NO_AMBIENT = 64 };
enum { IS_SET = 1, RAISE, LOWER, CLEAR_ALL };

struct header {
    uint32_t version;
    int pid;
};
struct sets {
    uint64_t effective, permitted, inheritable;
};

static int get(struct sets *sets) {
    struct header header = {0x20080522, 0};
    uint32_t data[6];
    if (syscall(SYS_capget, &header, data)) return -1;
    *sets = (struct sets){data[0] | (uint64_t)data[3] << 32, data[1] | (uint64_t)data[4] << 32,
                          data[2] | (uint64_t)data[5] << 32};
    return 0;
}

static int set(uint64_t effective, uint64_t permitted, uint64_t inheritable) {
    struct header header = {0x20080522, 0};
    uint32_t data[6] = {effective,       permitted,       inheritable,
                        effective >> 32, permitted >> 32, inheritable >> 32};
    return syscall(SYS_capset, &header, data);
}

static int has(uint64_t effective, uint64_t permitted) {
    struct sets now;
    return get(&now) == 0 && (now.effective & usual) == effective && (now.permitted & usual) == permitted;
}

static int drop(int capability) {
    struct sets now;
    return get(&now) || set(now.effective & ~BIT(capability), now.permitted & ~BIT(capability), now.inheritable);
}

static uint64_t status(const char *name) {
    char text[8192] = "";
    int fd = open("/proc/self/status", O_RDONLY);
    if (fd < 0 || read(fd, text, sizeof text - 1) < 0 || close(fd)) return -1;
    char *line = strstr(text, name);
    return line ? strtoull(line + strlen(name), NULL, 16) : (uint64_t)-1;
}

static int ambient(int command, int capability) { return prctl(PR_CAP_AMBIENT, command, (long)capability, 0L, 0L); }
static int securebits(long bits) { return prctl(PR_SET_SECUREBITS, bits, 0L, 0L, 0L); }
static int is_refused(int result) { return result == -1 && errno == EPERM; }

// In a child: 0, or the line of what does not hold.
#define must(condition) \
    if (!(condition)) return __LINE__

static void in_child(int (*body)(void), const char *name) {
    int line = -1, ends[2];
    if (pipe(ends)) exit(1);
    if (fork() == 0) {
        // What is executed writes there, too.
        dup2(ends[1], 50);
        line = body();
        _exit(write(50, &line, sizeof line) != sizeof line);
    }
    close(ends[1]);
    if (read(ends[0], &line, sizeof line) != sizeof line) line = -1;
    close(ends[0]);
    wait(NULL);
    check_eq(line, 0, name);
}

static int execute(const char *stage) {
    execl("/proc/self/exe", "capabilities", stage, NULL);
    return __LINE__;
}

static int begins(void) {
    struct sets now;
    must(get(&now) == 0 && (now.permitted & usual) == usual && now.effective == now.permitted && now.inheritable == 0);
    must(status("CapPrm:") == now.permitted && status("CapEff:") == now.effective && status("CapInh:") == 0);
    must((status("CapBnd:") & usual) == usual && status("CapAmb:") == 0 && status("NoNewPrivs:") == 0);
    must(prctl(PR_GET_SECUREBITS) == 0 && prctl(PR_GET_KEEPCAPS) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) == 0);
    return 0;
}

static int versions(void) {
    uint32_t first[6] = {0, 0, 0, 9}, second[6], third[6];
    struct header header = {0x19980330, 0};
    must(syscall(SYS_capget, &header, first) == 0 && first[3] == 9);
    header.version = 0x20071026;
    must(syscall(SYS_capget, &header, second) == 0 && second[0] == first[0] && second[3] != 0);
    header = (struct header){0x20080522, getppid()};
    must(syscall(SYS_capget, &header, third) == 0 && memcmp(second, third, sizeof third) == 0);
    must(is_refused(syscall(SYS_capset, &header, third)));
    header.pid = getpid();
    must(syscall(SYS_capset, &header, third) == 0);
    must(syscall(SYS_capset, &header, NULL) == -1 && errno == EFAULT);
    header.pid = -1;
    must(syscall(SYS_capget, &header, third) == -1 && errno == EINVAL);
    header.pid = 99999999;
    must(syscall(SYS_capget, &header, third) == -1 && errno == ESRCH);
    header = (struct header){7, 0};
    must(syscall(SYS_capset, &header, third) == -1 && errno == EINVAL && header.version == 0x20080522);
    header.version = 7;
    must(syscall(SYS_capget, &header, NULL) == 0 && header.version == 0x20080522);
    header.version = 0x19980330;
    must(syscall(SYS_capset, &header, first) == 0 && has(usual, usual));
    must(status("CapPrm:") >> 32 == 0);
    return 0;
}

static int stays_dropped(void) {
    struct sets now;
    must(get(&now) == 0 && set(now.effective & ~BIT(CHOWN), now.permitted, 0) == 0);
    must(is_refused(chown("file", 5, 5)));
    must(set(now.effective, now.permitted, 0) == 0 && chown("file", 5, 5) == 0);
    must(drop(CHOWN) == 0 && is_refused(chown("file", 6, 6)) && getuid() == 0);
    must(is_refused(set(0, now.permitted, 0)) && is_refused(set(now.effective, now.permitted & ~BIT(CHOWN), 0)));
    return 0;
}

static int asks_for_each(void) {
    must(chown("file", 5, 5) == 0 && chmod("file", 0) == 0);
    must(close(open("file", O_RDWR)) == 0 && drop(DAC_OVERRIDE) == 0 && drop(DAC_READ_SEARCH) == 0);
    must(open("file", O_RDONLY) == -1 && errno == EACCES && access("file", R_OK) == -1);
    must(chmod("file", 06777) == 0 && drop(FOWNER) == 0 && is_refused(chmod("file", 0)));
    int fd = open("file", O_RDWR);
    struct stat now;
    must(write(fd, "a", 1) == 1 && fstat(fd, &now) == 0 && (now.st_mode & 07777) == 06777);
    must(drop(FSETID) == 0 && write(fd, "a", 1) == 1 && fstat(fd, &now) == 0 && (now.st_mode & 07777) == 0777);
    must(mknod("null", S_IFCHR | 0600, makedev(1, 3)) == 0 && drop(MKNOD) == 0);
    must(is_refused(mknod("zero", S_IFCHR | 0600, makedev(1, 5))) && mknod("fifo", S_IFIFO | 0600, 0) == 0);
    must(drop(SYS_CHROOT) == 0 && is_refused(chroot(".")));
    must(drop(SETGID) == 0 && is_refused(setgid(5)) && is_refused(setgroups(0, NULL)) && setgid(0) == 0);
    must(drop(SETUID) == 0 && is_refused(setuid(5)) && is_refused(setresuid(5, -1, -1)) && setuid(0) == 0);
    must(setfsuid(5) == 0 && setfsuid(-1) == 0 && setfsgid(5) == 0 && setfsgid(-1) == 0);
    must(drop(SETPCAP) == 0 && is_refused(prctl(PR_CAPBSET_DROP, (long)CHOWN)) && is_refused(securebits(0)));
    return 0;
}

static int kills_only_its_own(void) {
    int ends[2];
    char byte;
    must(pipe(ends) == 0);
    pid_t other = fork();
    if (other == 0) _exit(setuid(5) || write(ends[1], "x", 1) != 1 || pause());
    must(read(ends[0], &byte, 1) == 1 && kill(other, 0) == 0 && drop(KILL) == 0);
    int refused = is_refused(kill(other, SIGKILL));
    must(setresuid(5, 0, 0) == 0 && kill(other, SIGKILL) == 0 && refused);
    return 0;
}

static int limits_and_priorities(void) {
    int ends[2];
    char byte;
    must(pipe(ends) == 0);
    pid_t other = fork();
    if (other == 0) _exit(setuid(5) || write(ends[1], "x", 1) != 1 || pause());
    struct rlimit low = {30, 40}, now;
    must(read(ends[0], &byte, 1) == 1 && drop(SYS_RESOURCE) == 0 && drop(SYS_NICE) == 0);
    pid_t same = fork();
    if (same == 0) _exit(pause());
    int held = is_refused(syscall(SYS_prlimit64, other, RLIMIT_NOFILE, NULL, &now)) &&
               syscall(SYS_prlimit64, same, RLIMIT_NOFILE, &low, NULL) == 0 &&
               syscall(SYS_prlimit64, same, RLIMIT_NOFILE, NULL, &now) == 0 && now.rlim_max == 40 &&
               getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_max > 40;
    held = held && is_refused(setpriority(PRIO_PROCESS, other, 9)) && is_refused(setpriority(PRIO_PROCESS, getppid(), 9)) &&
            setpriority(PRIO_PROCESS, same, 9) == 0 &&
           getpriority(PRIO_PROCESS, same) == 9 && getpriority(PRIO_PROCESS, 0) != 9 &&
           setpriority(PRIO_PROCESS, same, 8) == -1 && errno == EACCES;
    kill(same, SIGKILL);
    kill(other, SIGKILL);
    must(held && setrlimit(RLIMIT_NOFILE, &low) == 0);
    low.rlim_max++;
    must(is_refused(setrlimit(RLIMIT_NOFILE, &low)));
    must(getpriority(PRIO_PROCESS, 99999999) == -1 && errno == ESRCH);
    return 0;
}

static int claims(void) {
    int ends[2];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(12)];
    } control = {.header = {.cmsg_len = CMSG_LEN(12), .cmsg_level = SOL_SOCKET, .cmsg_type = 2 /* SCM_CREDENTIALS */}};
    int own[3] = {getpid(), 5, 0};
    memcpy(CMSG_DATA(&control.header), own, sizeof own);
    struct iovec bytes = {"x", 1};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0 && sendmsg(ends[0], &message, 0) == 1);
    must(drop(SETUID) == 0 && is_refused(sendmsg(ends[0], &message, 0)));
    return 0;
}

// What shares the working directory does not share its users.
static int shares_no_users(void) {
    int result;
    pid_t child = syscall(SYS_clone, CLONE_FS | SIGCHLD, 0L, 0L, 0L, 0L);
    if (child == 0) _exit(setuid(5) || chdir("/"));
    must(waitpid(child, &result, 0) == child && result == 0 && getuid() == 0 && has(usual, usual));
    must(access("file", F_OK) == -1 && errno == ENOENT);
    return 0;
}

static int leaves_root(void) {
    must(seteuid(5) == 0 && has(0, usual) && seteuid(0) == 0 && has(usual, usual));
    must(prctl(PR_SET_PDEATHSIG, 15L) == 0 && setuid(5) == 0 && has(0, 0) && is_refused(setuid(0)));
    int signal = -1;
    must(prctl(PR_GET_PDEATHSIG, &signal) == 0 && signal == 0 && (status("CapBnd:") & usual) == usual);
    return 0;
}

// As chronyd does, and many that bind a port, then become somebody else.
static int keeps_one(void) {
    must(prctl(PR_SET_KEEPCAPS, 1L) == 0 && prctl(PR_GET_KEEPCAPS) == 1 && prctl(PR_GET_SECUREBITS) == KEEP);
    must(setgroups(0, NULL) == 0 && setgid(5) == 0 && setuid(5) == 0 && has(0, usual) && is_refused(chown("file", 0, 0)));
    must(set(BIT(CHOWN), BIT(CHOWN), 0) == 0 && chown("file", 7, 7) == 0 && chown("file", 0, 0) == 0);
    must(is_refused(set(BIT(KILL), BIT(CHOWN) | BIT(KILL), 0)) && is_refused(setuid(0)));
    must(prctl(PR_SET_KEEPCAPS, 2L) == -1 && errno == EINVAL);
    return 0;
}

static int owner(const char *name) {
    struct stat now;
    unlink(name);
    return close(open(name, O_CREAT | O_WRONLY, 0600)) || stat(name, &now) ? -1 : (int)now.st_uid * 10 + (int)now.st_gid;
}

static int file_users(void) {
    must(setfsuid(-1) == 0 && setfsgid(-1) == 0 && setfsuid(-1) == 0 && setfsgid(-1) == 0 && owner("made") == 0);
    must(chmod(".", 0777) == 0 && chown("file", 0, 0) == 0 && chmod("file", 0600) == 0);
    must(setfsgid(6) == 0 && setfsuid(5) == 0 && has(usual & ~(BIT(CHOWN) | 31 | BIT(MKNOD)), usual));
    must(open("file", O_RDONLY) == -1 && errno == EACCES && access("file", R_OK) == 0 && owner("hers") == 56);
    must(setfsuid(-1) == 5 && setfsgid(-1) == 6 && setfsuid(0) == 5 && has(usual, usual));
    return 0;
}

static int bounds(void) {
    must(prctl(PR_CAPBSET_READ, (long)KILL) == 1 && prctl(PR_CAPBSET_DROP, (long)KILL) == 0);
    must(prctl(PR_CAPBSET_READ, (long)KILL) == 0 && !(status("CapBnd:") & BIT(KILL)) && has(usual, usual));
    must(is_refused(set(0, usual, BIT(KILL))) && set(usual, usual, BIT(CHOWN)) == 0);
    must(prctl(PR_CAPBSET_READ, 64L) == -1 && errno == EINVAL && prctl(PR_CAPBSET_DROP, 64L) == -1 && errno == EINVAL);
    must(set(0, 0, BIT(CHOWN)) == 0 && has(0, 0));
    return execute("bounded");
}

static int ambients(void) {
    must(is_refused(ambient(RAISE, CHOWN)) && set(usual, usual, BIT(CHOWN) | BIT(KILL)) == 0);
    must(ambient(RAISE, CHOWN) == 0 && ambient(RAISE, KILL) == 0 && ambient(IS_SET, KILL) == 1);
    must(ambient(LOWER, KILL) == 0 && ambient(IS_SET, KILL) == 0 && ambient(RAISE, KILL) == 0);
    must(ambient(RAISE, 64) == -1 && errno == EINVAL && ambient(9, CHOWN) == -1 && errno == EINVAL);
    must(ambient(CLEAR_ALL, 1) == -1 && errno == EINVAL && ambient(CLEAR_ALL, 0) == 0 && status("CapAmb:") == 0);
    must(prctl(PR_SET_KEEPCAPS, 1L) == 0 && ambient(RAISE, KILL) == 0 && setgid(5) == 0 && setuid(5) == 0);
    must(ambient(IS_SET, KILL) == 0 && ambient(RAISE, KILL) == 0 && ambient(RAISE, CHOWN) == 0);
    must(set(0, usual, BIT(CHOWN)) == 0 && status("CapAmb:") == BIT(CHOWN));
    return execute("ambient");
}

static int secure(void) {
    must(securebits(NO_FIXUP | KEEP_LOCKED) == 0 && is_refused(prctl(PR_SET_KEEPCAPS, 1L)) && is_refused(securebits(NO_FIXUP)));
    must(is_refused(securebits(1L << 20 | KEEP_LOCKED)) && seteuid(5) == 0 && has(usual, usual) && seteuid(0) == 0);
    must(set(usual, usual, usual) == 0 && securebits(KEEP_LOCKED | NO_AMBIENT | NOROOT) == 0 && is_refused(ambient(RAISE, KILL)));
    return execute("powerless");
}

static int no_new(void) {
    must(prctl(PR_SET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) == -1 && prctl(PR_SET_NO_NEW_PRIVS, 1L, 1L, 0L, 0L) == -1);
    must(prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0 && status("NoNewPrivs:") == 1 && set(0, BIT(KILL), 0) == 0);
    return execute("nothing new");
}

static int switched(void) { return setresgid(6, 7, 8) || setresuid(0, 5, 0) || setfsuid(0) != 5 ? __LINE__ : execute("switched"); }

static int executed(const char *stage) {
    uid_t r, e, s;
    if (!strcmp(stage, "bounded")) must(has(usual & ~BIT(KILL), usual & ~BIT(KILL)) && status("CapInh:") == BIT(CHOWN));
    if (!strcmp(stage, "ambient")) must(has(BIT(CHOWN), BIT(CHOWN)) && getuid() == 5 && prctl(PR_GET_KEEPCAPS) == 0);
    if (!strcmp(stage, "ambient")) must(chown("file", 5, 5) == 0 && status("CapAmb:") == BIT(CHOWN));
    if (!strcmp(stage, "powerless")) must(has(0, 0) && getuid() == 0 && is_refused(chown("file", 1, 1)));
    if (!strcmp(stage, "nothing new")) must(has(BIT(KILL), BIT(KILL)) && prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) == 1);
    if (!strcmp(stage, "switched")) must(getauxval(AT_SECURE) == 1 && has(0, usual));
    if (!strcmp(stage, "switched")) must(getresuid(&r, &e, &s) == 0 && r == 0 && e == 5 && s == 5 && setfsuid(-1) == 5);
    if (!strcmp(stage, "switched")) must(getresgid(&r, &e, &s) == 0 && r == 6 && e == 7 && s == 7);
    return 0;
}

int main(int count, char **arguments) {
    if (count > 1) {
        int line = executed(arguments[1]);
        return write(50, &line, sizeof line) != sizeof line;
    }
    need(getuid() == 0 && close(open("file", O_CREAT | O_WRONLY, 0600)) == 0, "root, and a file");
    check(getauxval(AT_SECURE) == 0, "AT_SECURE is not set");
    in_child(begins, "what root begins with");
    in_child(versions, "versions of capget and capset");
    in_child(stays_dropped, "what is dropped stays dropped");
    in_child(asks_for_each, "each check asks for its capability");
    in_child(kills_only_its_own, "CAP_KILL");
    in_child(limits_and_priorities, "CAP_SYS_RESOURCE and CAP_SYS_NICE");
    in_child(shares_no_users, "a process that shares the place in the file system");
    in_child(claims, "SCM_CREDENTIALS");
    in_child(leaves_root, "setuid takes everything");
    in_child(keeps_one, "PR_SET_KEEPCAPS");
    in_child(file_users, "setfsuid and setfsgid");
    in_child(bounds, "the bounding set");
    in_child(ambients, "ambient capabilities");
    in_child(secure, "securebits");
    in_child(no_new, "PR_SET_NO_NEW_PRIVS");
    in_child(switched, "a program of another effective user");
    in_child(begins, "the parent has what it had");
    return check_done();
}
