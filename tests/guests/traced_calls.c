// Calls whose flags and numbers have names, between two calls of getppid: a test compares their traces with strace's.
// linkage: static
#include "check.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(void) {
    char byte;
    struct stat st;
    int one = 1;
    socklen_t size = sizeof one;
    syscall(SYS_getppid);
    int file = openat(AT_FDCWD, "traced", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    openat(AT_FDCWD, "missing", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    syscall(SYS_open, "traced", O_WRONLY | O_APPEND | O_SYNC | O_NONBLOCK);
    syscall(SYS_faccessat, AT_FDCWD, "traced", R_OK | W_OK);
    syscall(SYS_access, "traced", F_OK);
    fchmod(file, 0604);
    lseek(file, 0, SEEK_END);
    flock(file, LOCK_EX | LOCK_NB);
    posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL);
    fallocate(file, FALLOC_FL_KEEP_SIZE, 0, 4096);
    fcntl(file, F_GETFD);
    fcntl(file, F_SETFD, FD_CLOEXEC);
    fcntl(file, F_SETFL, O_APPEND | O_NONBLOCK);
    fcntl(file, F_GETFL);
    fstatat(AT_FDCWD, "nothing", &st, AT_SYMLINK_NOFOLLOW);
    char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    mprotect(map, 4096, PROT_NONE);
    mprotect(map, 4096, PROT_READ);
    madvise(map, 8192, MADV_DONTNEED);
    mremap(map, 8192, 4096, MREMAP_MAYMOVE);
    msync(map, 4096, MS_SYNC | MS_INVALIDATE);
    int seals = memfd_create("seals", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    fcntl(seals, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    getsockopt(server, SOL_SOCKET, SO_TYPE, &one, &size);
    int pair[2];
    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair);
    recvfrom(pair[0], &byte, 1, MSG_PEEK | MSG_DONTWAIT, NULL, NULL);
    shutdown(pair[0], SHUT_RDWR);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(epoll, EPOLL_CTL_DEL, pair[1], NULL);
    eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
    timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    int watch = inotify_init1(IN_NONBLOCK);
    inotify_add_watch(watch, "traced", IN_MODIFY | IN_ATTRIB);
    pipe2(pair, O_CLOEXEC | O_NONBLOCK);
    syscall(SYS_dup3, pair[0], 40, O_CLOEXEC);
    syscall(SYS_futex, &one, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    syscall(SYS_futex, &one, FUTEX_WAKE_BITSET, 1, NULL, NULL, 1);
    syscall(SYS_getrandom, &byte, 1, GRND_NONBLOCK);
    kill(getpid(), 0);
    signal(SIGUSR1, SIG_IGN);
    syscall(SYS_tkill, getpid(), SIGUSR1);
    syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, NULL, NULL, 8);
    wait4(-1, NULL, WNOHANG | WUNTRACED, NULL);
    prctl(PR_SET_NAME, "name");
    syscall(SYS_clock_getres, CLOCK_MONOTONIC, NULL);
    getpriority(PRIO_PROCESS, 0);
    sched_get_priority_max(SCHED_FIFO);
    int segment = shmget(IPC_PRIVATE, 4096, IPC_CREAT | IPC_EXCL | 0600);
    shmctl(segment, IPC_RMID, NULL);
    umask(022);
    unlinkat(AT_FDCWD, "traced", AT_REMOVEDIR);
    unlinkat(AT_FDCWD, "traced", 0);
    syscall(SYS_getppid);
    check(1, "calls were made");
    return check_done();
}
