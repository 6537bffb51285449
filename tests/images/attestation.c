// Looks at /dev/attestation from inside, and prints what it finds for whoever knows the enclave from outside.
#include "../guests/check.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR_ "/dev/attestation/"
#define KEYS DIR_ "keys/"

// REPORTBODY's fields (SDM volume 3D), and where it lies in a quote.
enum { MRENCLAVE = 64, MRSIGNER = 128, REPORT_DATA = 320, BODY = 384, MAC = 416, REPORT = 432 };
enum { QUOTE_HEADER = 48 };

typedef struct {
    long len;
    uint8_t bytes[16384];
} content;

// The whole file, or -1 as the length.
static content whole(const char *path) {
    static __thread content found;
    memset(&found, 0, sizeof found);
    int fd = open(path, O_RDONLY);
    found.len = -1;
    if (fd < 0) return found;
    found.len = read(fd, found.bytes, sizeof found.bytes);
    int error = errno;
    close(fd);
    errno = error;
    return found;
}

static long put(const char *path, const void *bytes, size_t len) {
    int fd = open(path, O_WRONLY);
    if (fd < 0) return -1;
    long written = write(fd, bytes, len);
    int error = errno;
    close(fd);
    errno = error;
    return written;
}

static void print(const char *name, const uint8_t *bytes, long len) {
    printf("%s ", name);
    for (long i = 0; i < len; i++) printf("%02x", bytes[i]);
    putchar('\n');
}

static int is_filled(const uint8_t *bytes, uint8_t with, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != with) return 0;
    return 1;
}

static void reports(void) {
    content own = whole(DIR_ "my_target_info");
    check_eq(own.len, 512, "my_target_info");
    uint8_t data[64];
    for (int i = 0; i < 64; i++) data[i] = i * 3 + 1;
    check_eq(put(DIR_ "user_report_data", data, 64), 64, "user_report_data is written");
    check(!memcmp(whole(DIR_ "user_report_data").bytes, data, 64), "and read");
    check_eq(put(DIR_ "target_info", own.bytes, 512), 512, "target_info is written");
    content report = whole(DIR_ "report");
    check_eq(report.len, REPORT, "report");
    check(!memcmp(report.bytes + REPORT_DATA, data, 64), "it says what was given");
    check(!memcmp(report.bytes + MRENCLAVE, own.bytes, 32), "it is of the enclave that my_target_info names");

    // The MAC is for one target: this enclave, or another.
    content again = whole(DIR_ "report");
    check(!memcmp(again.bytes, report.bytes, BODY), "it says the same each time");
    content other = own;
    other.bytes[0] ^= 1;
    put(DIR_ "target_info", other.bytes, 512);
    content foreign = whole(DIR_ "report");
    check(!memcmp(foreign.bytes, report.bytes, BODY), "it says the same to another target");
    check(memcmp(foreign.bytes + MAC, report.bytes + MAC, 16), "with another MAC");

    // What the processor does not take is an error and not the end of the container.
    memset(other.bytes, 0xff, 512);
    put(DIR_ "target_info", other.bytes, 512);
    check_fails(open(DIR_ "report", O_RDONLY), EINVAL, "no report for what is no target");
    put(DIR_ "target_info", own.bytes, 512);

    check_eq(put(DIR_ "user_report_data", "short", 5), 5, "fewer bytes");
    report = whole(DIR_ "report");
    check(!memcmp(report.bytes + REPORT_DATA, "short", 5) && is_filled(report.bytes + REPORT_DATA + 5, 0, 59),
          "are filled up with zeros");
    check_fails(put(DIR_ "user_report_data", own.bytes, 65), EINVAL, "more bytes are not cut off");
    check(!memcmp(whole(DIR_ "report").bytes + REPORT_DATA, "short", 6), "and change nothing");
}

static void quotes(void) {
    for (int round = 0; round < 2; round++) {
        uint8_t data[64];
        memset(data, 0x40 + round, 64);
        put(DIR_ "user_report_data", data, 64);
        content report = whole(DIR_ "report");
        content quote = whole(DIR_ "quote");
        check(quote.len > QUOTE_HEADER + BODY && quote.bytes[0] == 3, "a quote of version 3");
        check(!memcmp(quote.bytes + QUOTE_HEADER, report.bytes, BODY), "of what the report says");
    }
    int fd = open(DIR_ "quote", O_RDONLY);
    struct stat status;
    check(fstat(fd, &status) == 0 && S_ISREG(status.st_mode), "an open quote is a file");
    check_eq(lseek(fd, 0, SEEK_END), status.st_size, "of a known length");
    static uint8_t all[16384], part[16384];
    long len = pread(fd, all, sizeof all, 0);
    check_eq(len, status.st_size, "which is that of its content");
    put(DIR_ "user_report_data", "changed", 7);
    long at = 0;
    for (long count; (count = pread(fd, part + at, 1000, at)) > 0;) at += count;
    check(at == len && !memcmp(all, part, len), "and stays the same while it is open");
    check(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED, "it cannot be mapped");
    close(fd);
}

static void keys(void) {
    check_eq(whole(KEYS "_sgx_mrenclave").len, 16, "the enclave's key");
    content of_enclave = whole(KEYS "_sgx_mrenclave");
    content of_signer = whole(KEYS "_sgx_mrsigner");
    int differ = memcmp(of_signer.bytes, of_enclave.bytes, 16) != 0;
    check(of_signer.len == 16 && differ, "the signer's key is another");
    check(!memcmp(of_enclave.bytes, whole(KEYS "_sgx_mrenclave").bytes, 16), "and each is the same again");
    check_fails(put(KEYS "_sgx_mrsigner", of_enclave.bytes, 16), EACCES, "they are not to be written");
    check_eq(whole(KEYS "default").len, 0, "the default key is not there at first");
    check_fails(put(KEYS "default", "0123456789abcdef0123456789abcdef", 32), EACCES, "nor is it hexadecimal");
    check_eq(put(KEYS "default", "0123456789abcdef", 16), 16, "it is given");
    content given = whole(KEYS "default");
    check(given.len == 16 && !memcmp(given.bytes, "0123456789abcdef", 16), "and there");
    check_fails(open(KEYS "other", O_RDONLY), ENOENT, "there is no other");
    check_fails(open(KEYS "other", O_WRONLY | O_CREAT, 0600), EACCES, "and none can be made");
    int names = 0;
    DIR *dir = opendir(KEYS);
    need(dir, "the keys can be listed");
    for (struct dirent *entry; (entry = readdir(dir));) names += entry->d_name[0] != '.';
    closedir(dir);
    check_eq(names, 5, "all five");
}

// The keys of one version, by its name.
static content key_of(const char *version, const char *name) {
    char path[256];
    snprintf(path, sizeof path, KEYS "versions/%s/%s", version, name);
    return whole(path);
}

static void versions(void) {
    content version = whole(KEYS "version");
    char *present = (char *)version.bytes;
    int isv_svn = -1;
    char cpu_svn[33] = "";
    check(sscanf(present, "%d-%32[0-9a-f]", &isv_svn, cpu_svn) == 2 && strlen(cpu_svn) == 32, "version");
    content of_signer = whole(KEYS "_sgx_mrsigner");
    check(!memcmp(key_of(present, "_sgx_mrsigner").bytes, of_signer.bytes, 16), "the present key by its version");
    check(!memcmp(key_of(present, "_sgx_mrenclave").bytes, whole(KEYS "_sgx_mrenclave").bytes, 16), "both of them");

    // The processor gives keys of its own versions and of lower ones.
    char other[64];
    snprintf(other, sizeof other, "%d", isv_svn + 1);
    content refused = key_of(other, "_sgx_mrsigner");
    check(refused.len < 0 && errno == EACCES, "no key of a higher version of the enclave");
    snprintf(other, sizeof other, "%d-%.30sff", isv_svn, cpu_svn);
    refused = key_of(other, "_sgx_mrenclave");
    check(refused.len < 0 && errno == EACCES, "nor of a higher version of the processor");
    snprintf(other, sizeof other, "%d-%032d", isv_svn, 0);
    content older = key_of(other, "_sgx_mrsigner");
    check(older.len == 16 && memcmp(older.bytes, of_signer.bytes, 16), "another key of a lower one");

    for (int version = 0; version <= isv_svn; version++) {
        snprintf(other, sizeof other, "%d", version);
        content key = key_of(other, "_sgx_mrsigner");
        char name[64];
        snprintf(name, sizeof name, "key_of_signer_%d", version);
        print(name, key.bytes, key.len);
        key = key_of(other, "_sgx_mrenclave");
        snprintf(name, sizeof name, "key_of_enclave_%d", version);
        print(name, key.bytes, key.len);
    }
}

// Each writes its own data and then looks: a report is never half one's and half another's.
static void *reporter(void *arg) {
    uint8_t data[64];
    memset(data, (int)(intptr_t)arg, sizeof data);
    for (int i = 0; i < 200; i++) {
        if (put(DIR_ "user_report_data", data, 64) != 64) return "a write fails";
        content report = whole(DIR_ "report");
        const uint8_t *said = report.bytes + REPORT_DATA;
        if (report.len != REPORT || !is_filled(said, said[0], 64)) return "a report is torn";
    }
    return NULL;
}

int main(void) {
    content type = whole(DIR_ "attestation_type");
    check(type.len == 4 && !memcmp(type.bytes, "dcap", 4), "attestation_type");
    reports();
    quotes();
    keys();
    versions();
    pthread_t threads[4];
    for (intptr_t i = 0; i < 4; i++)
        need(!pthread_create(&threads[i], NULL, reporter, (void *)(i + 1)), "a thread");
    for (int i = 0; i < 4; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        check(!wrong, wrong ? (char *)wrong : "threads attest at the same time");
    }

    put(DIR_ "user_report_data", "for the verifier", 16);
    content quote = whole(DIR_ "quote");
    print("mr_enclave", quote.bytes + QUOTE_HEADER + MRENCLAVE, 32);
    print("mr_signer", quote.bytes + QUOTE_HEADER + MRSIGNER, 32);
    print("quote", quote.bytes, quote.len);
    content key = whole(KEYS "_sgx_mrenclave");
    print("key_of_enclave", key.bytes, key.len);
    key = whole(KEYS "_sgx_mrsigner");
    print("key_of_signer", key.bytes, key.len);
    return check_done();
}
