// System V shared memory: shmget, shmat, shmdt, shmctl.
// linkage: dynamic musl
#include "check.h"
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif
#ifndef SHM_DEST
#define SHM_DEST 01000
#define SHM_LOCKED 02000
#endif

static int status_of(pid_t pid) {
    int status = -1;
    need(waitpid(pid, &status, 0) == pid, "the child is waited for");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int new_segment(size_t size) {
    int id = shmget(IPC_PRIVATE, size, 0600);
    need(id >= 0, "a segment is made");
    return id;
}

static struct shmid_ds state_of(int id) {
    struct shmid_ds state;
    memset(&state, 0xff, sizeof state);
    need(shmctl(id, IPC_STAT, &state) == 0, "its state is read");
    return state;
}

static void finding(void) {
    key_t key = 0x4e000000 | (getpid() & 0xffff);
    check_fails(shmget(key, PAGE, 0600), ENOENT, "nothing has the key");
    check_fails(shmget(key, 0, IPC_CREAT | 0600), EINVAL, "nothing is too small");
    check_fails(shmget(IPC_PRIVATE, -1ul, IPC_CREAT | 0600), EINVAL, "everything is too large");
    int id = shmget(key, 3 * PAGE + 1, IPC_CREAT | IPC_EXCL | 0640);
    need(id >= 0, "a segment with a key");
    check_eq(shmget(key, 0, 0), id, "the key finds it");
    check_eq(shmget(key, PAGE, IPC_CREAT | 0600), id, "also with IPC_CREAT");
    check_fails(shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600), EEXIST, "IPC_EXCL refuses it");
    check_fails(shmget(key, 5 * PAGE, 0), EINVAL, "it is not so large");
    struct shmid_ds state = state_of(id);
    check_eq(state.shm_perm.__key, key, "its key");
    check_eq(state.shm_segsz, 3 * PAGE + 1, "its size");
    check_eq(state.shm_perm.mode, 0640, "its mode");
    check(state.shm_perm.uid == geteuid() && state.shm_perm.cuid == geteuid(), "its owner and maker");
    check(state.shm_perm.gid == getegid() && state.shm_perm.cgid == getegid(), "and their groups");
    check_eq(state.shm_nattch, 0, "nobody has it");
    check(state.shm_cpid == getpid() && state.shm_lpid == 0, "who made it, who attached it");
    check(state.shm_atime == 0 && state.shm_dtime == 0 && state.shm_ctime != 0, "its times");
    check_eq(shmctl(id, IPC_RMID, NULL), 0, "it is removed");
    check_fails(shmget(key, PAGE, 0600), ENOENT, "and its key free");
    check_fails(shmctl(id, IPC_STAT, &state), EINVAL, "it is gone");
    check_fails((long)shmat(id, NULL, 0), EINVAL, "and cannot be attached");
}

static void attaching(void) {
    int id = new_segment(2 * PAGE);
    check_fails((long)shmat(-1, NULL, 0), EINVAL, "an identifier below 0");
    check_fails((long)shmat(id, (void *)(16ul * PAGE + 1), 0), EINVAL, "an address in mid-page");
    check_fails((long)shmat(id, NULL, SHM_REMAP), EINVAL, "SHM_REMAP of nothing");
    int *at = shmat(id, NULL, 0);
    need(at != (void *)-1, "it is attached");
    check_eq(at[0] | at[PAGE / 4], 0, "it is zeros at first");
    at[0] = 5;
    at[PAGE / 4] = 6;
    struct shmid_ds state = state_of(id);
    check_eq(state.shm_nattch, 1, "once");
    check(state.shm_lpid == getpid() && state.shm_atime != 0, "by this process");
    int *again = shmat(id, NULL, 0);
    need(again != (void *)-1, "a second time");
    check(again != at, "at another address");
    check(again[0] == 5 && again[PAGE / 4] == 6, "with the same bytes");
    again[1] = 7;
    check_eq(at[1], 7, "written by one, read by the other");
    check_eq(state_of(id).shm_nattch, 2, "twice");
    check_fails((long)shmat(id, at, 0), EINVAL, "not where something is");
    check_eq(shmdt(again), 0, "one goes");
    check_fails(shmdt(again), EINVAL, "and is gone");
    check_fails(shmdt((char *)at + PAGE), EINVAL, "its second page is not its first");
    check_fails(shmdt((char *)at + 1), EINVAL, "nor is its second byte");
    check_eq(state_of(id).shm_nattch, 1, "once again");
    void *hole = mmap(NULL, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(hole != MAP_FAILED, "a place is found");
    check_fails((long)shmat(id, hole, 0), EINVAL, "which is not free");
    munmap(hole, 16 * PAGE);
    int *there = shmat(id, (char *)hole + PAGE + 5, SHM_RND);
    check_eq((long)there, (long)hole + PAGE, "an address is rounded");
    check_eq(there[0], 5, "and the segment is there");
    int *over = shmat(id, there, SHM_REMAP);
    check(over == there && over[1] == 7, "SHM_REMAP replaces what is there");
    check_eq(shmdt(there), 0, "it goes");
    check_eq(shmdt(at), 0, "the last one goes");
    state = state_of(id);
    check(state.shm_nattch == 0 && state.shm_dtime != 0, "nobody has it any more");
    at = shmat(id, NULL, 0);
    need(at != (void *)-1, "it is attached anew");
    check(at[0] == 5 && at[1] == 7 && at[PAGE / 4] == 6, "and has kept its bytes");
    check_eq(munmap(at + PAGE / 4, PAGE), 0, "half of it is unmapped");
    check_eq(state_of(id).shm_nattch, 1, "half of it is left");
    check_eq(shmdt(at), 0, "and goes");
    check_eq(shmctl(id, IPC_RMID, NULL), 0, "the segment goes");
}

static int *volatile read_only;

static void reading_only(void) {
    int id = new_segment(PAGE);
    read_only = shmat(id, NULL, SHM_RDONLY);
    need(read_only != (void *)-1, "it is attached for reading");
    check_eq(read_only[0], 0, "and read");
    pid_t pid = fork();
    if (pid == 0) {
        read_only[0] = 1;
        _exit(0);
    }
    check_eq(status_of(pid), 1000 + SIGSEGV, "but not written");
    check_fails(mprotect(read_only, PAGE, PROT_READ | PROT_WRITE), EACCES, "whatever one does");
    check_eq(shmdt(read_only), 0, "it goes");
    int *code = shmat(id, NULL, SHM_EXEC);
    need(code != (void *)-1, "it is attached for execution");
    memcpy(code, "\xb8\x2a\x00\x00\x00\xc3", 6);
    check_eq(((int (*)(void))code)(), 42, "and executed");
    shmdt(code);
    check_eq(shmctl(id, IPC_RMID, NULL), 0, "the segment goes");
}

static void forks(void) {
    int id = new_segment(PAGE);
    volatile int *at = shmat(id, NULL, 0);
    at[0] = 1;
    int ready[2], go[2];
    need(pipe(ready) == 0 && pipe(go) == 0, "pipes");
    pid_t pid = fork();
    if (pid == 0) {
        char byte = 0;
        at[1] = at[0] + 1;
        if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1) _exit(1);
        _exit(at[0] == 3 ? 0 : 2);
    }
    char byte;
    need(read(ready[0], &byte, 1) == 1, "the child is ready");
    check_eq(at[1], 2, "a child has it, too");
    check_eq(state_of(id).shm_nattch, 2, "and counts");
    check_eq(shmctl(id, IPC_RMID, NULL), 0, "it is removed");
    struct shmid_ds state = state_of(id);
    check_eq(state.shm_perm.mode, SHM_DEST | 0600, "it goes with its last attachment");
    check_eq(state.shm_perm.__key, IPC_PRIVATE, "nobody finds it");
    int *late = shmat(id, NULL, 0);
    need(late != (void *)-1, "who knows it attaches it still");
    check_eq(late[1], 2, "with its bytes");
    shmdt(late);
    at[0] = 3;
    need(write(go[1], &byte, 1) == 1, "the child may go");
    check_eq(status_of(pid), 0, "the child has seen what came later");
    check_eq(state_of(id).shm_nattch, 1, "its end detaches it");
    check_eq(state_of(id).shm_lpid, pid, "by its hand");
    check_eq(shmdt((void *)at), 0, "the last one goes");
    check_fails(shmctl(id, IPC_STAT, &state), EINVAL, "and the segment with it");
}

static void executes(void) {
    int id = new_segment(PAGE);
    pid_t pid = fork();
    if (pid == 0) {
        if (shmat(id, NULL, 0) == (void *)-1) _exit(9);
        execl("/proc/self/exe", "sysv_shm", "exit", NULL);
        _exit(8);
    }
    check_eq(status_of(pid), 5, "another program is executed");
    check_eq(state_of(id).shm_nattch, 0, "which does not have it");
    check_eq(shmctl(id, IPC_RMID, NULL), 0, "the segment goes");
}

enum { ADDITIONS = 2000 };

// Adds to what two programs share at once, however often.
static int add(int id) {
    int *at = shmat(id, NULL, 0);
    if (at == (void *)-1) return 9;
    __atomic_add_fetch(&at[1], 1, __ATOMIC_SEQ_CST);
    // Both begin at the same time.
    while (__atomic_load_n(&at[1], __ATOMIC_SEQ_CST) < 2) sched_yield();
    for (int count = 0; count < ADDITIONS; count++) __atomic_add_fetch(&at[0], 1, __ATOMIC_SEQ_CST);
    return shmdt(at) == 0 ? 6 : 8;
}

static void strangers(void) {
    int id = new_segment(PAGE);
    char number[16];
    snprintf(number, sizeof number, "%d", id);
    pid_t pids[2];
    for (int which = 0; which < 2; which++) {
        pids[which] = fork();
        if (pids[which] == 0) {
            execl("/proc/self/exe", "sysv_shm", "add", number, NULL);
            _exit(8);
        }
    }
    for (int which = 0; which < 2; which++) check_eq(status_of(pids[which]), 6, "a program adds");
    int *at = shmat(id, NULL, 0);
    check_eq(at[0], 2 * ADDITIONS, "nothing is lost between two programs");
    shmdt(at);
    check_eq(shmctl(id, IPC_RMID, NULL), 0, "the segment goes");
}

static void permissions(void) {
    int id = shmget(IPC_PRIVATE, PAGE, 0604);
    pid_t pid = fork();
    if (pid == 0) {
        struct shmid_ds state;
        if (setgroups(0, NULL) || setgid(4711) || setuid(4711)) _exit(100);
        int failed = 0;
        failed += shmat(id, NULL, SHM_RDONLY) == (void *)-1;
        failed += !(shmat(id, NULL, 0) == (void *)-1 && errno == EACCES);
        failed += shmctl(id, IPC_STAT, &state) != 0;
        failed += !(shmctl(id, IPC_SET, &state) == -1 && errno == EPERM);
        failed += !(shmctl(id, SHM_LOCK, NULL) == -1 && errno == EPERM);
        failed += !(shmctl(id, IPC_RMID, NULL) == -1 && errno == EPERM);
        failed += !(shmctl(id, IPC_SET, NULL) == -1 && errno == EFAULT);
        _exit(failed);
    }
    check_eq(status_of(pid), 0, "another user reads it, and no more");
    struct shmid_ds state = state_of(id);
    state.shm_perm.uid = 4711;
    state.shm_perm.gid = 4712;
    state.shm_perm.mode = 07200;
    check_eq(shmctl(id, IPC_SET, &state), 0, "it is given away");
    state = state_of(id);
    check(state.shm_perm.uid == 4711 && state.shm_perm.gid == 4712, "its new owner");
    check(state.shm_perm.cuid == geteuid() && state.shm_perm.mode == 0200, "its maker and its mode");
    state.shm_perm.uid = -1;
    check_fails(shmctl(id, IPC_SET, &state), EINVAL, "nobody cannot have it");
    pid = fork();
    if (pid == 0) {
        if (setgroups(0, NULL) || setgid(4711) || setuid(4711)) _exit(100);
        int failed = 0;
        failed += !(shmctl(id, IPC_STAT, &state) == -1 && errno == EACCES);
        failed += !(shmat(id, NULL, SHM_RDONLY) == (void *)-1 && errno == EACCES);
        failed += shmctl(id, IPC_RMID, NULL) != 0;
        _exit(failed);
    }
    check_eq(status_of(pid), 0, "the owner removes what he may not read");
    check_fails(shmctl(id, IPC_RMID, NULL), EINVAL, "it is gone");
}

static void commands(void) {
    int id = new_segment(PAGE);
    struct shmid_ds state;
    struct shminfo limits;
    struct shm_info use;
    check_fails(shmctl(-1, IPC_STAT, &state), EINVAL, "an identifier below 0");
    check_fails(shmctl(id, -1, &state), EINVAL, "a command below 0");
    check_fails(shmctl(id, 99, &state), EINVAL, "an unknown command");
    check_fails(shmctl(id, IPC_STAT, (void *)8), EFAULT, "no place for the state");
    check_fails(shmctl(id + 1, IPC_STAT, &state), EINVAL, "no such segment");
    int highest = shmctl(0, IPC_INFO, (void *)&limits);
    check(highest >= 0, "the limits");
    check(limits.shmmin == 1 && limits.shmmni == 4096 && limits.shmseg == 4096, "sizes and numbers");
    check(limits.shmmax == -1ul - (1 << 24) && limits.shmall == -1ul - (1 << 24), "nearly everything");
    check_fails(shmctl(0, IPC_INFO, (void *)8), EFAULT, "no place for them");
    check_eq(shmctl(0, SHM_INFO, (void *)&use), highest, "the use");
    check(use.used_ids >= 1 && use.shm_tot >= 1, "there is something");
    int found = 0, any = 0;
    for (int place = 0; place <= highest; place++) {
        found += shmctl(place, SHM_STAT, &state) == id;
        any += shmctl(place, SHM_STAT_ANY, &state) == id;
    }
    check(found == 1 && any == 1, "a place in the table is the segment's");
    check_eq(shmctl(id, SHM_LOCK, NULL), 0, "it is locked");
    check_eq(state_of(id).shm_perm.mode, SHM_LOCKED | 0600, "and says so");
    check_eq(shmctl(id, SHM_UNLOCK, NULL), 0, "it is unlocked");
    check_eq(state_of(id).shm_perm.mode, 0600, "and says so");
    char line[256], wanted[128];
    snprintf(wanted, sizeof wanted, "%10d %10d   600 %21d %5d     0      0 ", 0, id, PAGE, getpid());
    FILE *list = fopen("/proc/sysvipc/shm", "r");
    need(list != NULL, "there is a list of segments");
    found = 0;
    while (fgets(line, sizeof line, list)) found += strncmp(line, wanted, strlen(wanted)) == 0;
    fclose(list);
    check_eq(found, 1, "which has the segment");
    list = fopen("/proc/self/maps", "r");
    void *at = shmat(id, NULL, 0);
    snprintf(wanted, sizeof wanted, "%lx-%lx rw-s 00000000 00:01 %d ", (long)at, (long)at + PAGE, id);
    found = 0;
    while (fgets(line, sizeof line, list))
        found += strncmp(line, wanted, strlen(wanted)) == 0 && strstr(line, " /SYSV00000000 (deleted)\n");
    fclose(list);
    check_eq(found, 1, "a mapping has the segment's name and number");
    check_eq(shmctl(id, IPC_RMID, NULL), 0, "the segment goes");
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "exit") == 0) return 5;
    if (argc > 2 && strcmp(argv[1], "add") == 0) return add(atoi(argv[2]));
    finding();
    attaching();
    reading_only();
    forks();
    executes();
    strangers();
    permissions();
    commands();
    return check_done();
}
