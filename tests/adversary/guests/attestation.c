// Quotes under a host that lies about them: a quote that the program gets is of its own report, whatever else
// it is worth.
#include "claims.h"
#include <sys/stat.h>

#define DIR_ "/dev/attestation/"

// Where a report's body lies in a quote, and what it says lies in it.
enum { HEADER = 48, BODY = 384, REPORT_DATA = 320, REPORT = 432 };

static long file(const char *path, int flags, void *bytes, size_t len) {
    int fd = open(path, flags);
    promise(fd >= 0, errno);
    long count = flags == O_RDONLY ? read(fd, bytes, len) : write(fd, bytes, len);
    promise(count >= 0, errno);
    close(fd);
    return count;
}

int main(void) {
    keep_secrets();
    // A key that the program was given is nobody else's business.
    promise(file(DIR_ "keys/default", O_WRONLY, secret, 16) == 16, 0);
    unsigned char own_key[16], sealing_key[16];
    promise(file(DIR_ "keys/_sgx_mrenclave", O_RDONLY, sealing_key, 16) == 16, 0);

    static struct guarded in;
    static unsigned char report[REPORT], again[ROOM];
    for (int round = 0; round < 12; round++) {
        unsigned char data[64];
        memset(data, 'a' + round, sizeof data);
        promise(file(DIR_ "user_report_data", O_WRONLY, data, 64) == 64, round);
        // The host has no part in reports.
        promise(file(DIR_ "report", O_RDONLY, report, REPORT) == REPORT, round);
        promise(!memcmp(report + REPORT_DATA, data, 64), round);

        int fd = seen(open(DIR_ "quote", O_RDONLY));
        if (fd < 0) {
            promise(errno == ENODEV || errno == EACCES || errno == EAGAIN || errno == EIO, errno);
            continue;
        }
        struct stat status;
        promise(fstat(fd, &status) == 0 && status.st_size >= HEADER + BODY, status.st_size);
        long len = read(fd, guard(&in), ROOM);
        promise(len == (status.st_size < ROOM ? status.st_size : ROOM), len);
        untouched_behind(&in, len);
        promise(!memcmp(in.bytes + HEADER, report, BODY), round);
        // It does not change any more, whatever the host does.
        promise(pread(fd, again, ROOM, 0) == len && !memcmp(again, in.bytes, len), round);
        close(fd);
    }
    promise(file(DIR_ "keys/default", O_RDONLY, own_key, 16) == 16 && !memcmp(own_key, secret, 16), 0);
    promise(file(DIR_ "keys/_sgx_mrenclave", O_RDONLY, own_key, 16) == 16, 0);
    promise(!memcmp(own_key, sealing_key, 16), 0);
    return end();
}
