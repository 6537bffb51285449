// Arguments, environment and auxiliary vector, as a program finds them on its first stack.
// linkage: dynamic static no-pie musl musl-static
// args: one --two=2 three
// env: COLOUR=blue EMPTY=
#include "check.h"
#include <elf.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <unistd.h>

extern char **environ;

static int by_name(const void *one, const void *other) { return strcmp(*(char **)one, *(char **)other); }

int main(int argc, char **argv) {
    check_eq(argc, 4, "argc");
    for (int i = 0; i < argc; i++) printf("argv[%d] = %s\n", i, argv[i]);
    check(argv[argc] == NULL, "argv ends with NULL");
    // A container runtime puts PATH first and adds HOME, so the order says nothing.
    char *sorted[100];
    size_t count = 0;
    for (char **pair = environ; *pair && count < 100; pair++) sorted[count++] = *pair;
    qsort(sorted, count, sizeof *sorted, by_name);
    for (size_t i = 0; i < count; i++) printf("environ: %s\n", sorted[i]);
    check(strcmp(getenv("COLOUR"), "blue") == 0, "getenv");
    check(strcmp(getenv("EMPTY"), "") == 0, "an empty variable is there");
    check(getenv("ABSENT") == NULL, "an absent one is not");

    // The order on the stack: argc, argv, NULL, environ, NULL, auxv.
    char **after = environ;
    while (*after) after++;
    Elf64_auxv_t *aux = (Elf64_auxv_t *)(after + 1);
    int seen_null = 0, pagesz = 0, sse = 0;
    for (int i = 0; i < 64 && !seen_null; i++) {
        seen_null = aux[i].a_type == AT_NULL;
        pagesz |= aux[i].a_type == AT_PAGESZ && aux[i].a_un.a_val == 4096;
        // glibc's getauxval answers AT_HWCAP with its own idea of it.
        sse |= aux[i].a_type == AT_HWCAP && aux[i].a_un.a_val & 1 << 25;
    }
    check(seen_null && pagesz, "auxv follows the environment");
    check((uintptr_t)argv % 8 == 0, "argv is aligned");
    check(environ == argv + argc + 1, "environ follows argv");

    check_eq(getauxval(AT_PAGESZ), 4096, "AT_PAGESZ");
    check_eq(getauxval(AT_CLKTCK), 100, "AT_CLKTCK");
    check_eq(getauxval(AT_UID), getuid(), "AT_UID");
    check_eq(getauxval(AT_EGID), getegid(), "AT_EGID");
    check_eq(getauxval(AT_SECURE), 0, "AT_SECURE");
    check_eq(getauxval(AT_PHENT), sizeof(Elf64_Phdr), "AT_PHENT");
    Elf64_Phdr *headers = (Elf64_Phdr *)getauxval(AT_PHDR);
    int loads = 0;
    for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) loads += headers[i].p_type == PT_LOAD;
    check(loads >= 2, "AT_PHDR and AT_PHNUM show the program");
    check(getauxval(AT_ENTRY) != 0, "AT_ENTRY");
    check(strcmp((char *)getauxval(AT_PLATFORM), "x86_64") == 0, "AT_PLATFORM");
    const char *path = (char *)getauxval(AT_EXECFN);
    check(path && strcmp(strrchr(path, '/'), "/guest") == 0, "AT_EXECFN");
    const unsigned char *random = (unsigned char *)getauxval(AT_RANDOM);
    int sum = 0;
    for (int i = 0; random && i < 16; i++) sum |= random[i];
    check(sum != 0, "AT_RANDOM");
    check(sse, "AT_HWCAP has SSE");
    const unsigned char *vdso = (unsigned char *)getauxval(AT_SYSINFO_EHDR);
    check(vdso && memcmp(vdso, ELFMAG, SELFMAG) == 0, "AT_SYSINFO_EHDR is an ELF file");
    int on_stack;
    check((uintptr_t)argv - (uintptr_t)&on_stack < 8 << 20, "the stack is where argv is");
    return check_done();
}
