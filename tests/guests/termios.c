// The line discipline of terminals: editing, echo, characters with a meaning, raw reads, output, flow.
// linkage: dynamic musl
#include "terminal.h"
#include <sys/wait.h>
#include <time.h>

static int master, slave;

static void restart(void) {
    if (slave) close(slave), close(master);
    open_pair(&master, &slave);
}

static void settings(void) {
    restart();
    struct termios now, set;
    need(tcgetattr(slave, &now) == 0, "tcgetattr");
    check_eq(now.c_iflag, ICRNL | IXON, "input modes of a new terminal");
    check_eq(now.c_oflag, OPOST | ONLCR, "output modes");
    check_eq(now.c_cflag & (CSIZE | CREAD | PARENB), CS8 | CREAD, "control modes");
    check_eq(now.c_lflag, ISIG | ICANON | IEXTEN | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE, "local modes");
    check(cfgetospeed(&now) == B38400 && cfgetispeed(&now) == B38400, "speeds");
    static const unsigned char initial[] = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0};
    check(!memcmp(now.c_cc, initial, sizeof initial), "control characters");
    set = now;
    cfmakeraw(&set);
    cfsetspeed(&set, B9600);
    set.c_cflag = (set.c_cflag & ~CSIZE) | CS7 | PARENB;
    check(tcsetattr(slave, TCSADRAIN, &set) == 0, "tcsetattr");
    need(tcgetattr(master, &now) == 0, "the master has the same");
    check(now.c_lflag == set.c_lflag && now.c_iflag == set.c_iflag && now.c_oflag == set.c_oflag, "modes are kept");
    check_eq(now.c_cflag & (CSIZE | PARENB), CS8, "but a pseudo-terminal has eight bits");
    check(cfgetospeed(&now) == B9600, "a speed is kept");
    check_fails(tcsetattr(slave, 9, &set), EINVAL, "when is when");
    check_fails(ioctl(slave, TCGETS, 1), EFAULT, "a bad address");
    check_fails(ioctl(slave, TCFLSH, 7), EINVAL, "a flush of nothing");
    check_fails(ioctl(slave, TCXONC, 7), EINVAL, "a flow of nothing");
    check_fails(ioctl(slave, 0x54ff, 0), ENOTTY, "an unknown request");
    int discipline = 9;
    check(ioctl(slave, TIOCGETD, &discipline) == 0 && discipline == 0, "the line discipline");
    check(tcsendbreak(slave, 0) == 0 && tcdrain(slave) == 0, "breaks and draining do nothing");
}

static void typed(const char *keys, const char *echo, const char *read, const char *name) {
    restart();
    type(master, keys);
    check(comes(master, echo) && reads(slave, 4096, read), name);
}

static void editing(void) {
    typed("abc\n", "abc\r\n", "abc\n", "a line");
    typed("abd\177c\n", "abd\b \bc\r\n", "abc\n", "a character is erased");
    typed("\177\177x\n", "x\r\n", "x\n", "nothing to erase");
    typed("one two\27x\n", "one two\b \b\b \b\b \bx\r\n", "one x\n", "a word is erased");
    typed("one  \27x\n", "one  \b \b\b \b\b \b\b \b\b \bx\r\n", "x\n", "a word and what follows it");
    typed("abc\25x\n", "abc\b \b\b \b\b \bx\r\n", "x\n", "the line is erased");
    typed("a\1\177b\n", "a^A\b \b\b \bb\r\n", "ab\n", "a control character is two columns");
    typed("ab\22c\n", "ab^R\r\nabc\r\n", "abc\n", "the line is printed again");
    typed("\26\3\n", "^\b^C\r\n", "\3\n", "a literal character");
    typed("a\tb\n", "a\tb\r\n", "a\tb\n", "a tab");
    typed("a\t\177b\n", "a\t\b\b\b\b\b\b\bb\r\n", "ab\n", "a tab is erased");
    typed("ab\4", "ab", "ab", "an end of file ends a read");
    typed("\4", "", "", "at the start it is the end");
    typed("ab\4cd\4", "abcd", "ab", "one at a time");
    check(reads(slave, 4096, "cd"), "then the next");
    typed("ab\ncd\n", "ab\r\ncd\r\n", "ab\n", "a line at a time");
    check(reads(slave, 1, "c") && reads(slave, 10, "d\n"), "or a part of it");
    typed("a\rb\n", "a\r\nb\r\n", "a\n", "CR is a new line");
    restart();
    local(slave, 0, ECHO);
    type(master, "secret\n");
    check(reads(slave, 100, "secret\n"), "without echo");
    local(slave, ECHONL, 0);
    type(master, "x\n");
    check(comes(master, "\r\n") && reads(slave, 100, "x\n"), "ECHONL echoes new lines only");
    restart();
    local(slave, 0, ECHOE | ECHOKE);
    type(master, "ab\177\25x\n");
    check(comes(master, "ab^?^U\r\nx\r\n") && reads(slave, 100, "x\n"), "without ECHOE and ECHOKE");
    restart();
    local(slave, ECHOPRT, 0);
    type(master, "abc\177\177d\n");
    check(comes(master, "abc\\cb/d\r\n") && reads(slave, 100, "ad\n"), "ECHOPRT");
    restart();
    local(slave, 0, ECHOCTL);
    type(master, "a\1b\n");
    check(comes(master, "a\1b\r\n") && reads(slave, 100, "a\1b\n"), "without ECHOCTL");
    restart();
    local(slave, 0, IEXTEN);
    type(master, "a b\27\26\n");
    check(comes(master, "a b^W^V\r\n") && reads(slave, 100, "a b\27\26\n"), "without IEXTEN");
    restart();
    struct termios set;
    tcgetattr(slave, &set);
    set.c_cc[VEOL] = ';';
    set.c_cc[VERASE] = 'X';
    set.c_cc[VKILL] = _POSIX_VDISABLE;
    tcsetattr(slave, TCSANOW, &set);
    type(master, "abX\25;");
    check(comes(master, "ab\b \b^U;") && reads(slave, 100, "a\25;"), "other characters");
    restart();
    tcgetattr(slave, &set);
    set.c_iflag |= IUTF8;
    tcsetattr(slave, TCSANOW, &set);
    type(master, "a\303\251\177b\n");
    check(comes(master, "a\303\251\b \bb\r\n") && reads(slave, 100, "ab\n"), "a character of UTF-8 is erased whole");
}

static void input_modes(void) {
    restart();
    struct termios set;
    tcgetattr(slave, &set);
    tcflag_t old = set.c_iflag;
    set.c_iflag = INLCR;
    tcsetattr(slave, TCSANOW, &set);
    type(master, "a\n\4");
    check(reads(slave, 100, "a\r"), "INLCR");
    set.c_iflag = IGNCR;
    tcsetattr(slave, TCSANOW, &set);
    type(master, "a\rb\n");
    check(reads(slave, 100, "ab\n"), "IGNCR");
    set.c_iflag = 0;
    tcsetattr(slave, TCSANOW, &set);
    type(master, "a\rb\n");
    check(reads(slave, 100, "a\rb\n"), "neither");
    set.c_iflag = old | ISTRIP;
    tcsetattr(slave, TCSANOW, &set);
    type(master, "\341\342\n");
    check(reads(slave, 100, "ab\n"), "ISTRIP");
    set.c_iflag = old | IUCLC;
    tcsetattr(slave, TCSANOW, &set);
    type(master, "AbC\n");
    check(reads(slave, 100, "abc\n"), "IUCLC");
    set.c_iflag = old | PARMRK;
    tcsetattr(slave, TCSANOW, &set);
    type(master, "a\377b\n");
    check(reads(slave, 100, "a\377\377b\n"), "PARMRK doubles 0xff");
}

static void output_modes(void) {
    static const struct {
        tcflag_t modes;
        const char *written, *sent, *name;
    } cases[] = {
        {0, "a\n\r\tb", "a\n\r\tb", "without OPOST"},
        {OPOST, "a\nb", "a\nb", "without ONLCR"},
        {OPOST | ONLCR, "a\nb\r", "a\r\nb\r", "ONLCR"},
        {OPOST | OCRNL, "a\rb", "a\nb", "OCRNL"},
        {OPOST | ONOCR, "\ra\r", "a\r", "ONOCR"},
        {OPOST | OLCUC, "aB", "AB", "OLCUC"},
        {OPOST | ONLCR | XTABS, "ab\tc\n\td", "ab      c\r\n        d", "XTABS"},
        {OPOST | ONLRET | XTABS, "ab\n\td", "ab\n        d", "ONLRET"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        restart();
        struct termios set;
        tcgetattr(slave, &set);
        set.c_oflag = cases[i].modes;
        tcsetattr(slave, TCSANOW, &set);
        check(write(slave, cases[i].written, strlen(cases[i].written)) == (ssize_t)strlen(cases[i].written) && comes(master, cases[i].sent), cases[i].name);
    }
}

static void minimum(unsigned char min, unsigned char time) {
    struct termios set;
    tcgetattr(slave, &set);
    cfmakeraw(&set);
    set.c_cc[VMIN] = min;
    set.c_cc[VTIME] = time;
    tcsetattr(slave, TCSANOW, &set);
}

static void raw(void) {
    restart();
    minimum(1, 0);
    type(master, "\r\3\4\32");
    check(comes(slave, "\r\3\4\32"), "raw bytes");
    minimum(3, 0);
    pid_t writer = fork();
    if (writer == 0) {
        for (int i = 0; i < 3; i++) type(master, "x");
        _exit(0);
    }
    check(reads(slave, 10, "xxx"), "VMIN bytes");
    waitpid(writer, NULL, 0);
    type(master, "ab");
    check(reads(slave, 2, "ab"), "no more than the read asks for");
    type(master, "ab");
    struct pollfd entry = {.fd = slave, .events = POLLIN};
    check_eq(poll(&entry, 1, 0), 0, "less than VMIN does not poll readable");
    fcntl(slave, F_SETFL, O_NONBLOCK);
    minimum(1, 0);
    check(comes(slave, "ab"), "without waiting, what there is");
    char byte;
    check_fails(read(slave, &byte, 1), EAGAIN, "or EAGAIN");
    minimum(0, 0);
    check_eq(read(slave, &byte, 1), 0, "VMIN 0: nothing");
    fcntl(slave, F_SETFL, 0);
    check_eq(read(slave, &byte, 1), 0, "also if it may wait");
    minimum(0, 1);
    check_eq(read(slave, &byte, 1), 0, "VTIME is over");
    type(master, "q");
    minimum(0, 50);
    check(reads(slave, 10, "q"), "or not");
    minimum(5, 1);
    type(master, "ab");
    check(reads(slave, 10, "ab"), "the time between bytes is over");
    local(slave, 0, 0);
    struct termios set;
    minimum(1, 0);
    type(master, "left");
    entry.events = POLLIN;
    poll(&entry, 1, 10000);
    tcgetattr(slave, &set);
    set.c_lflag |= ICANON;
    tcsetattr(slave, TCSANOW, &set);
    check(reads(slave, 10, "left"), "what was received raw is a line");
    minimum(1, 0);
    type(master, "lost");
    poll(&entry, 1, 10000);
    check(tcflush(slave, TCIFLUSH) == 0, "a flush");
    type(master, "kept");
    check(comes(slave, "kept"), "forgets input");
    type(master, "lost");
    poll(&entry, 1, 10000);
    tcgetattr(slave, &set);
    check(tcsetattr(slave, TCSAFLUSH, &set) == 0, "TCSAFLUSH");
    type(master, "kept");
    check(comes(slave, "kept"), "does, too");
}

static void flow(void) {
    restart();
    type(master, "\23");
    type(master, "\21");
    check(write(slave, "a", 1) == 1 && comes(master, "a"), "stopped and started");
    check(tcflow(slave, TCOOFF) == 0, "TCOOFF");
    fcntl(slave, F_SETFL, O_NONBLOCK);
    check_fails(write(slave, "b", 1), EAGAIN, "nothing is written");
    struct pollfd entry = {.fd = slave, .events = POLLOUT};
    check_eq(poll(&entry, 1, 0), 0, "nor polled writable");
    check(tcflow(slave, TCOON) == 0 && write(slave, "c", 1) == 1 && comes(master, "c"), "TCOON");
    check(tcflow(slave, TCIOFF) == 0 && comes(master, "\23"), "TCIOFF sends STOP");
    check(tcflow(slave, TCION) == 0 && comes(master, "\21"), "TCION sends START");
}

static void long_lines(void) {
    restart();
    local(slave, 0, ECHO);
    static char keys[5001], line[5001];
    memset(keys, 'x', 5000);
    for (int done = 0; done < 5000;) {
        ssize_t count = write(master, keys + done, 5000 - done);
        if (count <= 0) exit(7);
        done += count;
    }
    type(master, "\n");
    ssize_t count = read(slave, line, sizeof line);
    check_eq(count, 4096, "a long line is cut");
    check(line[count - 1] == '\n', "and ends");
}

int main(void) {
    alarm(60);
    settings();
    editing();
    input_modes();
    output_modes();
    raw();
    flow();
    long_lines();
    return check_done();
}
