// What the system says of itself: uname, sysinfo, /proc and /sys.
// linkage: dynamic musl
#include "check.h"
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

static char text[1 << 18];

static int load(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    size_t length = fread(text, 1, sizeof text - 1, file);
    text[length] = 0;
    fclose(file);
    return length > 0;
}

static int lines_start_with(const char *what) {
    int count = 0;
    for (char *at = text; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        count += strncmp(at, what, strlen(what)) == 0;
    return count;
}

int main(void) {
    struct utsname name;
    check_eq(uname(&name), 0, "uname");
    check(strcmp(name.sysname, "Linux") == 0 && strcmp(name.machine, "x86_64") == 0, "Linux on x86_64");
    int major = 0, minor = 0;
    check(sscanf(name.release, "%d.%d", &major, &minor) == 2 && major >= 4, "a release");
    char host[256];
    check(gethostname(host, sizeof host) == 0 && strcmp(host, name.nodename) == 0, "gethostname");
    struct sysinfo info;
    check_eq(sysinfo(&info), 0, "sysinfo");
    check(info.totalram > 0 && info.freeram <= info.totalram && info.mem_unit >= 1 && info.procs >= 1,
          "memory and processes");
    check(sysconf(_SC_PAGESIZE) == 4096 && sysconf(_SC_PHYS_PAGES) > 0 && sysconf(_SC_NPROCESSORS_CONF) >= 1,
          "sysconf");

    check(load("/proc/cpuinfo"), "/proc/cpuinfo");
    check(lines_start_with("processor\t:") == sysconf(_SC_NPROCESSORS_ONLN) && strstr(text, "flags\t\t:") &&
              strstr(text, " sse2 "),
          "a processor with its flags");
    unsigned long total = 0, available = 0;
    check(load("/proc/meminfo") && sscanf(text, "MemTotal: %lu kB", &total) == 1, "/proc/meminfo");
    check(strstr(text, "MemAvailable:") &&
              sscanf(strstr(text, "MemAvailable:"), "MemAvailable: %lu kB", &available) == 1 &&
              available <= total,
          "MemAvailable");
    double up = 0, idle = 0;
    check(load("/proc/uptime") && sscanf(text, "%lf %lf", &up, &idle) == 2 && up >= 0, "/proc/uptime");
    check(load("/proc/stat") && lines_start_with("cpu ") == 1 && strstr(text, "\nbtime "), "/proc/stat");
    check(load("/proc/version") && strncmp(text, "Linux version ", 14) == 0, "/proc/version");
    double one, five, fifteen;
    check(load("/proc/loadavg") && sscanf(text, "%lf %lf %lf", &one, &five, &fifteen) == 3, "/proc/loadavg");
    check(load("/proc/filesystems") && strstr(text, "nodev\tproc"), "/proc/filesystems");
    check(load("/proc/mounts") && strstr(text, " / "), "/proc/mounts");
    check(load("/proc/self/mountinfo") && strstr(text, " / "), "/proc/self/mountinfo");
    check(load("/proc/self/cgroup"), "/proc/self/cgroup");
    check(load("/proc/sys/kernel/osrelease") && strncmp(text, name.release, strlen(name.release)) == 0,
          "/proc/sys/kernel/osrelease");
    check(load("/proc/sys/kernel/hostname") && strncmp(text, host, strlen(host)) == 0,
          "/proc/sys/kernel/hostname");
    check(load("/proc/sys/vm/overcommit_memory") && text[0] >= '0' && text[0] <= '2',
          "/proc/sys/vm/overcommit_memory");
    check(load("/proc/sys/net/core/somaxconn") && atoi(text) > 0, "/proc/sys/net/core/somaxconn");
    check(load("/proc/sys/kernel/random/uuid") && strlen(text) == 37, "/proc/sys/kernel/random/uuid");
    check(load("/proc/sys/kernel/pid_max") && atoi(text) > 300, "/proc/sys/kernel/pid_max");
    check(load("/sys/devices/system/cpu/online") && text[0] == '0', "/sys/devices/system/cpu/online");
    check(load("/sys/devices/system/cpu/possible") && text[0] == '0', "/sys/devices/system/cpu/possible");
    check(access("/sys/devices/system/cpu/cpu0", F_OK) == 0, "/sys/devices/system/cpu/cpu0");
    check(load("/sys/kernel/mm/transparent_hugepage/enabled") && strchr(text, '['),
          "/sys/kernel/mm/transparent_hugepage/enabled");
    check(load("/sys/class/net/lo/address") && strcmp(text, "00:00:00:00:00:00\n") == 0, "lo: address");
    check(load("/sys/class/net/lo/mtu") && strcmp(text, "65536\n") == 0, "lo: mtu");
    check(load("/sys/class/net/lo/type") && strcmp(text, "772\n") == 0, "lo: type");
    check(load("/sys/class/net/lo/ifindex") && strcmp(text, "1\n") == 0, "lo: ifindex");
    check(load("/sys/class/net/lo/operstate"), "lo: operstate");
    check(load("/sys/class/net/lo/statistics/rx_bytes"), "lo: statistics");
    check(load("/proc/net/dev") && strstr(text, "Inter-|   Receive") == text, "/proc/net/dev has its header");
    check(load("/proc/net/tcp") && strstr(text, "  sl  local_address rem_address   st") == text,
          "/proc/net/tcp has its header");
    check(access("/proc/absent", F_OK) == -1 && errno == ENOENT, "nothing that is not there");
    return check_done();
}
