// Makes system calls of every kind: from threads, in signal handlers, across fork, with a result and with an error.
// The same program runs as it was compiled and with its call sites patched; the outputs must agree.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn;
static volatile sig_atomic_t caught;

static void *player(void *argument) {
    int own = (int)(long)argument;
    for (int round = 0; round < 500; round++) {
        pthread_mutex_lock(&lock);
        while (turn % 4 != own) pthread_cond_wait(&changed, &lock);
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return argument;
}

static void on_signal(int number) {
    caught += number;
    (void)!write(1, "signal\n", 7);
}

static void *sleeper(void *unused) {
    (void)unused;
    sleep(1000);
    return NULL;
}

int main(int argc, char **argv) {
    printf("%d arguments, the last is %s\n", argc, argv[argc - 1]);
    pthread_t threads[4];
    for (long i = 0; i < 4; i++) pthread_create(&threads[i], NULL, player, (void *)i);
    long sum = 0;
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        sum += (long)result;
    }
    printf("turn %d, sum %ld\n", turn, sum);

    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 10; i++) raise(SIGUSR1);
    printf("caught %d\n", (int)caught / SIGUSR1);

    pthread_t canceled;
    void *result;
    pthread_create(&canceled, NULL, sleeper, NULL);
    usleep(20000);
    pthread_cancel(canceled);
    pthread_join(canceled, &result);
    printf("canceled: %s\n", result == PTHREAD_CANCELED ? "yes" : "no");

    int ends[2];
    if (pipe(ends) != 0) return 1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        (void)!write(ends[1], "from the child", 14);
        _exit(7);
    }
    char buffer[64] = "";
    ssize_t got = read(ends[0], buffer, sizeof buffer);
    int status;
    waitpid(child, &status, 0);
    printf("%zd bytes %s, status %d\n", got, buffer, WEXITSTATUS(status));

    errno = 0;
    int missing = open("/there/is/no/such/file", O_RDONLY);
    printf("open: %d, %s\n", missing, strerror(errno));
    char *memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(memory, 'x', 1 << 20);
    printf("mapped %c\n", memory[12345]);
    printf("unmapped %d\n", munmap(memory, 1 << 20));
    struct timespec pause = {0, 1000000};
    printf("slept %d\n", nanosleep(&pause, NULL));
    FILE *file = fopen(argv[0], "r");
    printf("own file begins with %.3s\n", fgets(buffer, sizeof buffer, file) + 1);
    fclose(file);
    // The patched program's entry answers this one itself: proof that its stubs are in use.
    fprintf(stderr, "%d\n", (int)getppid());
    return 42;
}
