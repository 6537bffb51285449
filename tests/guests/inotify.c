// inotify: what is told of files, in which order, and its limits.
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int queue;
static char events[100000];
static unsigned cookie;

static const char *name_of(unsigned mask) {
    static const char *names[] = {"ACCESS", "MODIFY", "ATTRIB", "CLOSE_WRITE", "CLOSE_NOWRITE", "OPEN", "MOVED_FROM",
        "MOVED_TO", "CREATE", "DELETE", "DELETE_SELF", "MOVE_SELF", "", "UNMOUNT", "Q_OVERFLOW", "IGNORED"};
    return mask ? names[__builtin_ctz(mask)] : "nothing";
}

// What is in the queue, as lines that must be the same on Linux and here.
static int told(const char *title) {
    long count = read(queue, events, sizeof events);
    int each = 0;
    printf("# %s\n", title);
    for (long at = 0; at < count; each++) {
        struct inotify_event *event = (void *)(events + at);
        printf("#   %d %s%s%s %s %u\n", event->wd, name_of(event->mask & 0xffff),
               event->mask & IN_ISDIR ? " ISDIR" : "", event->cookie ? (event->cookie == cookie ? " same" : " cookie") : "",
               event->len ? event->name : "-", event->len);
        cookie = event->cookie;
        at += sizeof *event + event->len;
    }
    fflush(stdout);
    return each;
}

static void make(const char *path, const char *text) {
    int fd = open(path, O_CREAT | O_WRONLY, 0644);
    if (write(fd, text, strlen(text)) < 0) perror(path);
    close(fd);
}

static void *later(void *argument) {
    usleep(50000);
    make(argument, "later");
    return NULL;
}

static void arguments(void) {
    check_fails(inotify_init1(1), EINVAL, "an unknown flag");
    queue = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    need(queue >= 0, "inotify_init1");
    check(fcntl(queue, F_GETFD) == FD_CLOEXEC && fcntl(queue, F_GETFL) == O_NONBLOCK, "its flags");
    check_fails(read(queue, events, sizeof events), EAGAIN, "nothing yet");
    check_fails(write(queue, events, 1), EBADF, "is not written");
    check_fails(inotify_add_watch(queue, ".", 0), EINVAL, "an empty mask");
    check_fails(inotify_add_watch(queue, "missing", IN_ALL_EVENTS), ENOENT, "no such file");
    check_fails(inotify_add_watch(999, ".", IN_ALL_EVENTS), EBADF, "no such descriptor");
    check_fails(inotify_add_watch(0, ".", IN_ALL_EVENTS), EINVAL, "another descriptor");
    check_fails(inotify_add_watch(queue, NULL, IN_ALL_EVENTS), EFAULT, "no path");
    check_fails(inotify_add_watch(queue, ".", IN_MASK_ADD | IN_MASK_CREATE | IN_OPEN), EINVAL, "flags that exclude");
    check_fails(inotify_rm_watch(queue, 1), EINVAL, "no such watch");
    check_fails(inotify_rm_watch(0, 1), EINVAL, "another descriptor again");
}

static void files(void) {
    check_eq(inotify_add_watch(queue, "dir", IN_ALL_EVENTS), 1, "the first watch");
    make("dir/file", "hello");
    told("a new file");
    check_eq(inotify_add_watch(queue, "dir/file", IN_ALL_EVENTS), 2, "the second watch");
    make("dir/file", "again");
    told("both are told, the directory first");
    int fd = open("dir/file", O_RDONLY);
    char byte;
    if (read(fd, &byte, 1) != 1) perror("read");
    if (read(fd, &byte, 1) != 1) perror("read");
    close(fd);
    told("equal events in a row are one");
    fd = open("dir/file", O_RDWR | O_TRUNC);
    if (ftruncate(fd, 100) || pwrite(fd, "x", 1, 5) != 1) perror("change");
    fallocate(fd, 0, 0, 1000);
    close(fd);
    if (truncate("dir/file", 5)) perror("truncate");
    told("changed sizes");
    chmod("dir/file", 0600);
    if (chown("dir/file", 0, 0)) perror("chown");
    told("attributes");
    struct timespec times[2] = {{1, 0}, {0, UTIME_OMIT}};
    utimensat(AT_FDCWD, "dir/file", times, 0);
    times[0].tv_nsec = UTIME_OMIT;
    times[1] = (struct timespec){1, 0};
    utimensat(AT_FDCWD, "dir/file", times, 0);
    utimensat(AT_FDCWD, "dir/file", NULL, 0);
    told("times");
    link("dir/file", "dir/second");
    told("a second name");
    rename("dir/second", "dir/third");
    told("renamed");
    make("dir/other", "");
    told("another file");
    rename("dir/other", "dir/third");
    told("renamed over a name");
    unlink("dir/third");
    told("removed");
    unlink("dir/file");
    told("removed for good: its watch ends");
    check_fails(inotify_rm_watch(queue, 2), EINVAL, "the watch is gone");
    symlink("nowhere", "dir/link");
    mknod("dir/pipe", S_IFIFO | 0600, 0);
    mkdir("dir/sub", 0755);
    told("other kinds");
    close(open("dir/sub", O_RDONLY));
    DIR *list = opendir("dir");
    while (readdir(list)) {}
    closedir(list);
    told("directories are read");
    rename("dir/sub", "elsewhere");
    told("moved out");
    rename("elsewhere", "dir/back");
    told("moved in");
    check_eq(inotify_add_watch(queue, "dir/back", IN_ALL_EVENTS), 3, "a directory in a directory");
    rename("dir/back", "dir/sub");
    told("a directory that moves");
    rmdir("dir/sub");
    told("a directory that is removed");
    close(open("dir/link", O_PATH | O_NOFOLLOW));
    check_eq(told("O_PATH is not told"), 0, "nothing");
}

static void open_files(void) {
    make("dir/kept", "x");
    inotify_add_watch(queue, "dir/kept", IN_DELETE_SELF | IN_ATTRIB | IN_MODIFY);
    told("made");
    int fd = open("dir/kept", O_WRONLY);
    unlink("dir/kept");
    told("removed while it is open");
    if (write(fd, "y", 1) != 1) perror("write");
    told("still used by its name");
    close(fd);
    told("closed at last");
}

static void how_it_is_watched(void) {
    make("one", "1");
    int watch = inotify_add_watch(queue, "one", IN_OPEN);
    check_eq(inotify_add_watch(queue, "one", IN_CLOSE), watch, "the same file is the same watch");
    close(open("one", O_RDONLY));
    told("the mask was replaced");
    inotify_add_watch(queue, "one", IN_OPEN | IN_MASK_ADD);
    close(open("one", O_RDONLY));
    told("and added to");
    check_fails(inotify_add_watch(queue, "one", IN_OPEN | IN_MASK_CREATE), EEXIST, "IN_MASK_CREATE");
    check_fails(inotify_add_watch(queue, "one", IN_OPEN | IN_ONLYDIR), ENOTDIR, "IN_ONLYDIR");
    inotify_rm_watch(queue, watch);
    told("a removed watch ends");
    watch = inotify_add_watch(queue, "one", IN_OPEN | IN_ONESHOT);
    close(open("one", O_RDONLY));
    close(open("one", O_RDONLY));
    told("IN_ONESHOT");
    symlink("one", "alias");
    inotify_add_watch(queue, "alias", IN_ATTRIB);
    chmod("one", 0640);
    told("a link is followed");
    inotify_add_watch(queue, "alias", IN_MOVE_SELF | IN_DONT_FOLLOW);
    rename("alias", "other-alias");
    told("or not");
    mkdir("excluded", 0755);
    inotify_add_watch(queue, "excluded", IN_MODIFY | IN_EXCL_UNLINK);
    int fd = open("excluded/file", O_CREAT | O_WRONLY, 0600);
    if (write(fd, "a", 1) != 1) perror("write");
    unlink("excluded/file");
    if (write(fd, "b", 1) != 1) perror("write");
    close(fd);
    told("IN_EXCL_UNLINK");
}

static void the_queue(void) {
    int watch = inotify_add_watch(queue, ".", IN_CREATE), count = 0;
    make("a-name-of-some-length", "");
    check(ioctl(queue, FIONREAD, &count) == 0 && count == 16 + 32, "FIONREAD");
    check_fails(read(queue, events, 47), EINVAL, "too little room");
    struct pollfd poller = {queue, POLLIN | POLLOUT, 0};
    check(poll(&poller, 1, 0) == 1 && poller.revents == POLLIN, "poll");
    check_eq(read(queue, events, 48), 48, "enough room");
    check_eq(poll(&poller, 1, 0), 0, "nothing is left");
    check_fails(ioctl(queue, FIONBIO + 7, &count), ENOTTY, "another request");
    int waiting = inotify_init1(0);
    inotify_add_watch(waiting, ".", IN_CLOSE_WRITE);
    pthread_t thread;
    pthread_create(&thread, NULL, later, "later");
    check(read(waiting, events, sizeof events) > 0, "a read waits");
    pthread_join(thread, NULL);
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(epoll, EPOLL_CTL_ADD, waiting, &event);
    pthread_create(&thread, NULL, later, "later");
    check_eq(epoll_wait(epoll, &event, 1, 10000), 1, "and so does epoll");
    pthread_join(thread, NULL);
    close(epoll);
    close(waiting);
    told("in between");
    inotify_rm_watch(queue, watch);
    told("the end");
}

static void limits(void) {
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    int most = 0;
    need(file && fscanf(file, "%d", &most) == 1 && most > 0, "max_queued_events");
    fclose(file);
    inotify_add_watch(queue, "one", IN_ATTRIB);
    int other = inotify_add_watch(queue, "dir", IN_ATTRIB);
    for (int i = 0; i <= most / 2 + 1; i++) {
        chmod("one", 0600);
        chmod("dir", 0755);
    }
    long total = 0, last_mask = 0, last_watch = 0, count;
    while ((count = read(queue, events, sizeof events)) > 0)
        for (long at = 0; at < count;) {
            struct inotify_event *event = (void *)(events + at);
            last_mask = event->mask;
            last_watch = event->wd;
            total++;
            at += sizeof *event + event->len;
        }
    check_eq(total, most + 1, "as many events as there may be, and one more");
    check(last_mask == IN_Q_OVERFLOW && last_watch == -1, "which says that some are lost");
    inotify_rm_watch(queue, other);
    int many[2000], made = 0;
    while (made < 2000 && (many[made] = inotify_init1(0)) >= 0) made++;
    check(made < 2000 && errno == EMFILE, "instances are limited");
    while (made) close(many[--made]);
    check((many[0] = inotify_init1(0)) >= 0, "closed ones do not count");
}

int main(void) {
    char directory[] = "/tmp/inotify-XXXXXX";
    need(mkdtemp(directory) && chdir(directory) == 0, "a directory");
    mkdir("dir", 0755);
    arguments();
    files();
    open_files();
    how_it_is_watched();
    the_queue();
    limits();
    return check_done();
}
