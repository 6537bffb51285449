// Sends its secret to the host, which has to notice: else its search of all that it gets would prove nothing.
#include "claims.h"

int main(void) {
    keep_secrets();
    char words[100] = "the secret is ";
    memcpy(words + 50, secret, sizeof secret);
    return write(1, words, sizeof words) < 0;
}
