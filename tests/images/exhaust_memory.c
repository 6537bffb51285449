// Takes all memory there is, three times: it is told, goes on, and can use what it gave back.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PIECE = 1 << 20, MOST = 1 << 10 };

int main(void) {
    static char *pieces[MOST];
    int first = 0;
    for (int round = 0; round < 3; round++) {
        int count = 0;
        while (count < MOST && (pieces[count] = malloc(PIECE))) memset(pieces[count++], 0xa5, PIECE);
        if (count == MOST || errno != ENOMEM) return 1;
        if (mmap(NULL, 16 * PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) return 2;
        if (errno != ENOMEM) return 3;
        for (int i = 0; i < count; i++)
            if (pieces[i][PIECE - 1] != (char)0xa5) return 4;
        for (int i = 0; i < count; i++) free(pieces[i]);
        if (round == 0) first = count;
        if (count < first - 1) return 5;
    }
    puts(first > 32 ? "told each time" : "there was hardly any");
    return 0;
}
