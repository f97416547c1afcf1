/* The same packets by two ways in turn, and what each way costs this thread's CPU for one packet.

   Run: pair HOST_A TARGET_A HOST_B TARGET_B PORT RATE SECONDS BYTES FLOWS
   Prints "SENT_A US_A SENT_B US_B". Each millisecond the packets that are due leave by both ways, the
   order changing each time. Everything that the kernel does with a packet on a virtual link, up to
   the receiver's queue, it does in the sender's time. The cost is that of the median burst, so what
   disturbs some bursts changes nothing; the first quarter warms the ways up. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FLOWS = 4096, BYTES = 2048, BURSTS = 1 << 20 };
static int sockets[2][FLOWS];
static double costs[2][BURSTS];

static double clock_s(clockid_t id) {
    struct timespec time;
    clock_gettime(id, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int joined(const char *host, const char *target, int port) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)}, there = here;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (inet_pton(AF_INET, host, &here.sin_addr) != 1) fail(host);
    if (inet_pton(AF_INET, target, &there.sin_addr) != 1) fail(target);
    if (bind(fd, (struct sockaddr *)&here, sizeof here)) fail("bind");
    if (connect(fd, (struct sockaddr *)&there, sizeof there)) fail("connect");
    return fd;
}

static long burst(int way, long from, long count, int flows, size_t bytes, double *cost) {
    static char data[BYTES] = {(char)0x80, 96};
    double start = clock_s(CLOCK_THREAD_CPUTIME_ID);
    for (long i = 0; i < count; i++)
        if (send(sockets[way][(from + i) / 10 % flows], data, bytes, 0) < 0 && errno != EAGAIN
            && errno != ENOBUFS && errno != ECONNREFUSED)
            fail("send");
    *cost = (clock_s(CLOCK_THREAD_CPUTIME_ID) - start) / count * 1e6;
    return count;
}

static int less(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int count, char **words) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (count != 10) return fprintf(stderr, "see the head of pair.c\n"), 2;
    int flows = atoi(words[9]), port = atoi(words[5]);
    double rate = atof(words[6]), length = atof(words[7]), start;
    size_t bytes = (size_t)atol(words[8]);
    long sent[2] = {0, 0}, due;
    int bursts = 0;
    if (flows < 1 || flows > FLOWS || bytes > BYTES) return fprintf(stderr, "too many\n"), 2;
    for (int way = 0; way < 2; way++)
        for (int i = 0; i < flows; i++)
            sockets[way][i] = joined(words[1 + 2 * way], words[2 + 2 * way], port + 2 * i);
    for (start = clock_s(CLOCK_MONOTONIC); clock_s(CLOCK_MONOTONIC) - start < length; usleep(1000)) {
        due = (long)((clock_s(CLOCK_MONOTONIC) - start) * rate) - sent[0];
        if (due < 1 || bursts == BURSTS) continue;
        for (int turn = 0; turn < 2; turn++) {
            int way = (bursts + turn) % 2;
            sent[way] += burst(way, sent[way], due, flows, bytes, &costs[way][bursts]);
        }
        bursts++;
    }
    int skipped = bursts / 4, kept = bursts - skipped;
    for (int way = 0; way < 2; way++) {
        qsort(costs[way] + skipped, kept, sizeof(double), less);
        printf("%ld %.4f ", sent[way], kept ? costs[way][skipped + kept / 2] : 0.0);
    }
    printf("\n");
    return 0;
}
