// Calls that few programs make: process_madvise, process_mrelease, remap_file_pages, sysfs, ustat.
// linkage: dynamic
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };
enum { PROCESS_MRELEASE = 448 };

static int own;

static long advise(int fd, struct iovec *pieces, size_t count, int advice, unsigned flags) {
    return syscall(SYS_process_madvise, fd, pieces, count, advice, flags);
}

static void advice(void) {
    char *memory = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(memory + 2 * PAGE, PAGE);
    memory[0] = 1;
    struct iovec pieces[2] = {{memory, PAGE}, {memory + PAGE, PAGE}};
    check_eq(advise(own, pieces, 2, MADV_COLD, 0), 2 * PAGE, "tells how much was advised");
    check_eq(advise(own, pieces, 0, MADV_COLD, 0), 0, "nothing");
    check_eq(advise(own, pieces, 2, MADV_WILLNEED, 0), 2 * PAGE, "what will be needed");
    check_eq(advise(own, pieces, 1, MADV_DONTNEED, 0), PAGE, "what will not");
    check_eq(memory[0], 0, "has gone");
    check_fails(advise(own, pieces, 2, MADV_COLD, 1), EINVAL, "a flag");
    check_fails(advise(own, pieces, 2, 9999, 0), EINVAL, "advice that there is not");
    check_fails(advise(own, pieces, 1025, MADV_COLD, 0), EINVAL, "too many pieces");
    check_fails(advise(own, (void *)8, 1, MADV_COLD, 0), EFAULT, "pieces nowhere");
    check_fails(advise(99, pieces, 1, MADV_COLD, 0), EBADF, "a closed descriptor");
    check_fails(advise(0, pieces, 1, MADV_COLD, 0), EBADF, "another kind of descriptor");
    pieces[1].iov_base = memory + 1;
    check_eq(advise(own, pieces, 2, MADV_COLD, 0), PAGE, "up to what is not a page");
    check_fails(advise(own, pieces + 1, 1, MADV_COLD, 0), EINVAL, "what is not a page first");
    pieces[1].iov_base = memory + 2 * PAGE;
    check_fails(advise(own, pieces + 1, 1, MADV_COLD, 0), ENOMEM, "what is not mapped");

    pid_t child = fork();
    if (child == 0)
        for (;;) pause();
    int fd = (int)syscall(SYS_pidfd_open, child, 0);
    check_eq(advise(fd, pieces, 1, MADV_COLD, 0), geteuid() == 0 ? PAGE : -1, "another process's");
    check_fails(advise(fd, pieces, 1, MADV_DONTNEED, 0), EINVAL, "but nothing that changes it");
    check_fails(syscall(PROCESS_MRELEASE, fd, 0), EINVAL, "memory of what lives is not released");
    check_fails(syscall(PROCESS_MRELEASE, fd, 1), EINVAL, "a flag of a release");
    check_fails(syscall(PROCESS_MRELEASE, 99, 0), EBADF, "a release of nothing");
    kill(child, SIGKILL);
    siginfo_t info;
    waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
    check_fails(advise(fd, pieces, 1, MADV_COLD, 0), ESRCH, "of one that has ended");
    check_fails(syscall(PROCESS_MRELEASE, fd, 0), ESRCH, "nor can it be released");
    waitpid(child, NULL, 0);
    check_fails(advise(fd, pieces, 1, MADV_COLD, 0), ESRCH, "of one that was waited for");
}

static long remap(void *at, size_t size, int protection, size_t page, int flags) {
    return syscall(SYS_remap_file_pages, at, size, protection, page, flags);
}

static void nonlinear(void) {
    int fd = open("pages", O_RDWR | O_CREAT, 0600);
    char page[PAGE];
    for (int n = 0; n < 4; n++) {
        memset(page, 'a' + n, sizeof page);
        need(write(fd, page, sizeof page) == PAGE, "a page of a file");
    }
    char *shown = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    check_eq(remap(shown, PAGE, 0, 3, 0), 0, "shows another page of the file");
    check_eq(shown[0], 'd', "which is seen");
    check_eq(shown[PAGE], 'b', "and the next one as before");
    shown[1] = 'X';
    check_eq(shown[3 * PAGE + 1], 'X', "both show the same page");
    check_eq(remap(shown + PAGE, 2 * PAGE, 0, 0, 0), 0, "two pages");
    check(shown[PAGE] == 'a' && shown[2 * PAGE] == 'b', "in their order");
    check_eq(remap(shown + 100, PAGE, 0, 1, 0), 0, "an address within a page");
    check_eq(shown[0], 'b', "means the page");
    check_fails(remap(shown, PAGE, PROT_READ, 1, 0), EINVAL, "a protection");
    check_fails(remap(shown, 0, 0, 1, 0), EINVAL, "nothing");
    check_fails(remap(page, PAGE, 0, 1, 0), EINVAL, "what is not shared");
    check_fails(remap((void *)PAGE, PAGE, 0, 1, 0), EINVAL, "what is not mapped");
    check_fails(remap(shown + 3 * PAGE, 2 * PAGE, 0, 1, 0), EINVAL, "more than is mapped");
    char *nameless = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    nameless[PAGE] = 'n';
    check_eq(remap(nameless, PAGE, 0, 1, 0), 0, "shared memory without a file");
    check_eq(nameless[0], 'n', "too");
}

struct ustat_answer {
    int free_blocks;
    unsigned long free_inodes;
    char names[12];
};

static void file_systems(void) {
    char name[64] = "";
    long count = syscall(SYS_sysfs, 3);
    check(count > 0, "how many types of file systems there are");
    long proc = syscall(SYS_sysfs, 1, "proc");
    check(proc >= 0 && proc < count, "which one a name is");
    check_eq(syscall(SYS_sysfs, 2, proc, name), 0, "its name");
    check(strcmp(name, "proc") == 0, "is the same");
    check_fails(syscall(SYS_sysfs, 1, "nonsense"), EINVAL, "a name of none");
    check_fails(syscall(SYS_sysfs, 1, NULL), EFAULT, "no name");
    check_fails(syscall(SYS_sysfs, 2, 1000, name), EINVAL, "beyond the last");
    check_fails(syscall(SYS_sysfs, 2, proc, NULL), EFAULT, "a name to nowhere");
    check_fails(syscall(SYS_sysfs, 4), EINVAL, "an unknown question");

    struct stat stat_of;
    struct ustat_answer answer;
    memset(&answer, 0x55, sizeof answer);
    need(stat(".", &stat_of) == 0, "a directory");
    unsigned device = (minor(stat_of.st_dev) & 0xff) | major(stat_of.st_dev) << 8 | (minor(stat_of.st_dev) & ~0xffu) << 12;
    check_eq(syscall(SYS_ustat, device, &answer), 0, "room on a device");
    check(answer.free_blocks != 0x55555555 && answer.names[0] == 0, "is told");
    check_fails(syscall(SYS_ustat, 0, &answer), EINVAL, "no device");
    check_fails(syscall(SYS_ustat, device, NULL), EFAULT, "room to nowhere");
}

int main(void) {
    own = (int)syscall(SYS_pidfd_open, getpid(), 0);
    advice();
    nonlinear();
    file_systems();
    return check_done();
}
