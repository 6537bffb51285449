// What sockets answer to ioctl: interfaces, as Java and psutil list them, and the socket's own state.
#include "check.h"
#include <arpa/inet.h>
#include <grp.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <net/route.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct ifreq request;

static int ask(int fd, unsigned long what, const char *name) {
    memset(&request, 0x55, sizeof request);
    strncpy(request.ifr_name, name, sizeof request.ifr_name);
    return ioctl(fd, what, &request);
}

static void interfaces(int fd) {
    struct ifconf all = {.ifc_len = 0x55555555, .ifc_buf = NULL};
    check_eq(ioctl(fd, SIOCGIFCONF, &all), 0, "SIOCGIFCONF without a buffer does not look at the length");
    all.ifc_len = -1;
    all.ifc_buf = NULL;
    check_eq(ioctl(fd, SIOCGIFCONF, &all), 0, "whatever that is");
    check(all.ifc_len >= (int)sizeof request && all.ifc_len % sizeof request == 0, "and tells it");
    struct ifreq found[100];
    int whole = all.ifc_len;
    all.ifc_buf = (char *)found;
    check(ioctl(fd, SIOCGIFCONF, &all) == 0 && all.ifc_len == whole, "SIOCGIFCONF");
    int has_loopback = 0;
    for (unsigned i = 0; i < whole / sizeof request; i++) has_loopback |= !strcmp(found[i].ifr_name, "lo");
    check(has_loopback, "lo is among them");
    all.ifc_len = -1;
    check(ioctl(fd, SIOCGIFCONF, &all) == 0 && all.ifc_len == 0, "a negative length is no room");
    all.ifc_len = sizeof request - 1;
    check(ioctl(fd, SIOCGIFCONF, &all) == 0 && all.ifc_len == 0, "nor is too little");
    check_fails(ioctl(fd, SIOCGIFCONF, NULL), EFAULT, "no structure");

    check(ask(fd, SIOCGIFINDEX, "lo") == 0 && request.ifr_ifindex > 0, "SIOCGIFINDEX");
    check(ask(fd, SIOCGIFFLAGS, "lo") == 0 && request.ifr_flags & IFF_LOOPBACK, "SIOCGIFFLAGS");
    check(ask(fd, SIOCGIFTXQLEN, "lo") == 0, "SIOCGIFTXQLEN");
    printf("# %d\n", request.ifr_qlen);
    check(ask(fd, SIOCGIFMAP, "lo") == 0 && request.ifr_map.irq == 0, "SIOCGIFMAP");
    check(ask(fd, SIOCGIFMETRIC, "lo") == 0 && request.ifr_metric == 0, "SIOCGIFMETRIC");
    check(ask(fd, SIOCGIFDSTADDR, "lo") == 0 &&
              ((struct sockaddr_in *)&request.ifr_dstaddr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK),
          "SIOCGIFDSTADDR");
    check_fails(ask(fd, SIOCGIFSLAVE, "lo"), EINVAL, "SIOCGIFSLAVE");
    check_fails(ask(fd, SIOCGIFMEM, "lo"), ENOTTY, "SIOCGIFMEM");
    const unsigned long questions[] = {SIOCGIFINDEX, SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFDSTADDR, SIOCGIFBRDADDR,
        SIOCGIFNETMASK, SIOCGIFMETRIC, SIOCGIFMTU, SIOCGIFHWADDR, SIOCGIFTXQLEN, SIOCGIFMAP};
    for (unsigned i = 0; i < sizeof questions / sizeof *questions; i++)
        check_fails(ask(fd, questions[i], "nothing0"), ENODEV, "of an interface that there is not");
    struct ethtool_cmd command = {.cmd = ETHTOOL_GSET};
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, "lo");
    request.ifr_data = (void *)&command;
    check_fails(ioctl(fd, SIOCETHTOOL, &request), EOPNOTSUPP, "SIOCETHTOOL, of which loopback has no settings");
    strcpy(request.ifr_name, "nothing0");
    check_fails(ioctl(fd, SIOCETHTOOL, &request), ENODEV, "nor an interface that there is not");
}

static void own_state(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), value = -1;
    bind(listener, (void *)&address, sizeof address);
    listen(listener, 1);
    getsockname(listener, (void *)&address, &length);
    connect(client, (void *)&address, sizeof address);
    int server = accept(listener, NULL, NULL);
    send(client, "abc", 3, 0);
    char bytes[10];
    recv(server, bytes, 3, MSG_PEEK | MSG_WAITALL);
    check(ioctl(server, SIOCINQ, &value) == 0 && value == 3, "SIOCINQ");
    check(ioctl(server, SIOCOUTQ, &value) == 0 && value == 0, "SIOCOUTQ");
    check(ioctl(server, SIOCATMARK, &value) == 0 && value == 0, "SIOCATMARK");
    recv(server, bytes, 3, 0);
    send(client, "u", 1, MSG_OOB);
    while (ioctl(server, SIOCATMARK, &value) == 0 && value == 0) usleep(1000);
    check_eq(value, 1, "urgent data comes next");
    check_fails(ioctl(listener, SIOCINQ, &value), EINVAL, "SIOCINQ of a listener");
    check_fails(ioctl(listener, SIOCOUTQ, &value), EINVAL, "SIOCOUTQ of a listener");
    int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    check(ioctl(datagrams, SIOCOUTQ, &value) == 0 && value == 0, "SIOCOUTQ of UDP");
    check_fails(ioctl(datagrams, SIOCATMARK, &value), ENOTTY, "SIOCATMARK of UDP");
    value = getpid();
    check_eq(ioctl(server, FIOSETOWN, &value), 0, "FIOSETOWN");
    check_eq(ioctl(server, SIOCSPGRP, &value), 0, "SIOCSPGRP");
    value = 0;
    ioctl(server, FIOSETOWN, &value);
    check(ioctl(server, FIOGETOWN, &value) == 0 && value == 0, "FIOGETOWN");
    check_fails(ioctl(server, FIOSETOWN, NULL), EFAULT, "no owner");
    check_fails(ioctl(server, 0x8999, &value), ENOTTY, "a request that there is not");
    check_fails(ioctl(server, TIOCGWINSZ, &value), ENOTTY, "a terminal's request");
}

static void other_families(void) {
    int local = socket(AF_UNIX, SOCK_STREAM, 0), six = socket(AF_INET6, SOCK_DGRAM, 0);
    check(ask(local, SIOCGIFINDEX, "lo") == 0 && request.ifr_ifindex > 0, "a Unix socket knows interfaces");
    check_fails(ask(local, SIOCGIFADDR, "lo"), ENOTTY, "but no addresses");
    check(ask(six, SIOCGIFINDEX, "lo") == 0, "and so does one of version 6");
    check_fails(ask(local, SIOCETHTOOL, "nothing0"), EFAULT, "SIOCETHTOOL reads its command first");
}

static void changes(void) {
    setgroups(0, NULL);
    if (setgid(65534) || setuid(65534)) exit(1);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    const unsigned long all[] = {SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK, SIOCSIFBRDADDR, SIOCSIFMETRIC,
        SIOCSIFMTU, SIOCSIFHWADDR, SIOCSIFTXQLEN, SIOCSIFNAME, SIOCSIFMAP, SIOCADDMULTI, SIOCDELMULTI, SIOCGMIIPHY};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        check_fails(ask(fd, all[i], "lo"), EPERM, "changes need an administrator");
    struct rtentry route = {.rt_dst.sa_family = AF_INET};
    check_fails(ioctl(fd, SIOCADDRT, &route), EPERM, "so do routes");
}

int main(void) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    interfaces(fd);
    own_state();
    other_families();
    changes();
    return check_done();
}
