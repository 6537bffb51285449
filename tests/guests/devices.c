// The devices that every program expects.
// linkage: dynamic musl
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/random.h>
#include <sys/mman.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

static char buffer[1 << 16];

static int same(char value, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (buffer[i] != value) return 0;
    return 1;
}

// Random bytes: every value comes about as often as another.
static int looks_random(size_t length) {
    int counts[256] = {0};
    for (size_t i = 0; i < length; i++) counts[(unsigned char)buffer[i]]++;
    for (int i = 0; i < 256; i++)
        if (counts[i] < (int)length / 512 || counts[i] > (int)length / 128) return 0;
    return 1;
}

int main(void) {
    int fd = open("/dev/null", O_RDWR);
    check(fd >= 0 && write(fd, buffer, 1000) == 1000 && read(fd, buffer, 10) == 0, "/dev/null");
    check_eq(lseek(fd, 100, SEEK_SET), 0, "has no offset");
    close(fd);
    fd = open("/dev/zero", O_RDWR);
    memset(buffer, 'x', sizeof buffer);
    check(fd >= 0 && read(fd, buffer, 5000) == 5000 && same(0, 5000) && write(fd, buffer, 10) == 10,
          "/dev/zero");
    close(fd);
    fd = open("/dev/full", O_RDWR);
    check(fd >= 0 && read(fd, buffer, 10) == 10, "/dev/full");
    check_fails(write(fd, "x", 1), ENOSPC, "is full");
    close(fd);
    fd = open("/dev/urandom", O_RDONLY);
    check(fd >= 0 && read(fd, buffer, sizeof buffer) == sizeof buffer && looks_random(sizeof buffer),
          "/dev/urandom");
    close(fd);
    fd = open("/dev/random", O_RDONLY);
    check(fd >= 0 && read(fd, buffer, 100) > 0, "/dev/random");
    close(fd);
    check(getrandom(buffer, 20000, 0) == 20000 && looks_random(20000), "getrandom");
    check_eq(getrandom(buffer, 10, GRND_NONBLOCK | GRND_RANDOM), 10, "with flags");
    check_fails(syscall(SYS_getrandom, buffer, 10L, 0x80), EINVAL, "a wrong flag");
    check_eq(getrandom(buffer, 0, 0), 0, "nothing");
    char first[16], second[16];
    check(getentropy(first, 16) == 0 && getentropy(second, 16) == 0 && memcmp(first, second, 16),
          "getentropy, twice");

    char path[64];
    check(readlink("/dev/fd", path, sizeof path) == 13 && memcmp(path, "/proc/self/fd", 13) == 0, "/dev/fd");
    check(readlink("/dev/stdin", path, sizeof path) > 0, "/dev/stdin");
    int file = open("file", O_RDWR | O_CREAT, 0644);
    need(write(file, "file", 4) == 4, "a file");
    snprintf(path, sizeof path, "/dev/fd/%d", file);
    fd = open(path, O_RDONLY);
    check(fd >= 0 && read(fd, buffer, 10) == 4, "/dev/fd/N opens it anew");
    fd = open("/dev/stdout", O_WRONLY);
    check(fd >= 0 || errno == ENXIO, "/dev/stdout");
    fd = open("/dev/tty", O_RDWR);
    check(fd >= 0 || errno == ENXIO, "/dev/tty, if there is one");
    // Names of this process alone: Linux runs several builds of this guest at once.
    snprintf(path, sizeof path, "/dev/shm/nacre-test-%d", getpid());
    fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    check(fd >= 0 && unlink(path) == 0, "/dev/shm");
    snprintf(path, sizeof path, "/nacre-shm-%d", getpid());
    fd = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    check(fd >= 0 && ftruncate(fd, 8192) == 0, "shm_open");
    char *a = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
         *b = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
    a[5000] = 's';
    check(b[5000] == 's' && shm_unlink(path) == 0, "shared memory");
    struct termios terminal;
    check_fails(tcgetattr(file, &terminal), ENOTTY, "a file is no terminal");
    struct winsize window;
    check_fails(ioctl(file, TIOCGWINSZ, &window), ENOTTY, "and has no window");
    int entropy = 0, random = open("/dev/random", O_RDONLY);
    check(ioctl(random, RNDGETENTCNT, &entropy) == 0 && entropy == 256, "the entropy of the generator");
    check_fails(ioctl(random, RNDGETENTCNT, NULL), EFAULT, "is not told to nobody");
    check_fails(ioctl(open("/dev/null", O_RDONLY), RNDGETENTCNT, &entropy), ENOTTY, "nor by another device");
    struct stat st;
    check(stat("/dev/null", &st) == 0 && (st.st_mode & 0777) == 0666, "who may use /dev/null");
    DIR *dir = opendir("/dev");
    int found = 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        found |= strcmp(entry->d_name, "null") == 0 ? 1 : strcmp(entry->d_name, "urandom") == 0 ? 2 : 0;
    check_eq(found, 3, "/dev is listed");
    return check_done();
}
