/* A stream of numbered datagrams at a given rate, and its sink, each a process of its own.

   Run: stream send FROM_HOST FROM_PORT HOST PORT RATE SECONDS BYTES [FLOWS]
        stream sink HOST PORT SECONDS [FLOWS]
   Prints "COUNT CPU_SECONDS": sent, or received without counting twice. Flow N uses port + 2 N on
   both sides. In C, because it shares cores with what is measured. Datagrams leave in bursts, as
   many as are due each millisecond, as a media server sends the packets of a frame. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FLOWS = 4096, BATCH = 64, BYTES = 2048 };
static int sockets[FLOWS];

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static double cpu(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec
           + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static struct sockaddr_in address(const char *host, int port) {
    struct sockaddr_in found = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &found.sin_addr) != 1) fail("address");
    return found;
}

static int bound(const char *host, int port) {
    struct sockaddr_in here = address(host, port);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = 4 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (bind(fd, (struct sockaddr *)&here, sizeof here)) fail("bind");
    return fd;
}

static void pause_until(double time) {
    struct timespec at = {(time_t)time, (long)((time - (time_t)time) * 1e9)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {}
}

static long send_all(char **words, int flows) {
    static char data[BYTES] = {(char)0x80, 96};
    double rate = atof(words[4]), length = atof(words[5]), start, due;
    long bytes = atol(words[6]), sent = 0;
    for (int i = 0; i < flows; i++) {
        struct sockaddr_in there = address(words[2], atoi(words[3]) + 2 * i);
        sockets[i] = bound(words[0], atoi(words[1]) + 2 * i);
        if (connect(sockets[i], (struct sockaddr *)&there, sizeof there)) fail("connect");
    }
    for (start = now(); (due = now() - start) < length; pause_until(now() + 0.001))
        while (sent < (long)(due * rate)) {
            memcpy(data + 4, &sent, sizeof sent);
            if (send(sockets[sent / 10 % flows], data, bytes, 0) < 0 && errno != ECONNREFUSED
                && errno != EAGAIN && errno != ENOBUFS)
                fail("send");
            sent++;
        }
    return sent;
}

/* Whoever measures starts it first and reads its line when it has ended. */
static long receive_all(char **words, int flows) {
    static char data[BATCH][BYTES];
    static struct mmsghdr messages[BATCH];
    static struct iovec parts[BATCH];
    static struct pollfd ready[FLOWS];
    double end = now() + atof(words[2]);
    long received = 0;
    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){data[i], BYTES};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    for (int i = 0; i < flows; i++)
        ready[i] = (struct pollfd){bound(words[0], atoi(words[1]) + 2 * i), POLLIN, 0};
    printf("ready\n");
    fflush(stdout);
    while (now() < end) {
        int any = 0;
        for (int i = 0; i < flows; i++) {
            int count = recvmmsg(ready[i].fd, messages, BATCH, MSG_DONTWAIT, NULL);
            if (count > 0) received += count, any = 1;
        }
        if (!any) pause_until(now() + 0.001);
    }
    return received;
}

int main(int count, char **words) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int sends = count > 1 && !strcmp(words[1], "send"), needed = sends ? 9 : 5;
    if (count < needed) return fprintf(stderr, "see the head of stream.c\n"), 2;
    int flows = count > needed ? atoi(words[needed]) : 1;
    if (flows < 1 || flows > FLOWS) return fprintf(stderr, "1 to %d flows\n", FLOWS), 2;
    long found = sends ? send_all(words + 2, flows) : receive_all(words + 2, flows);
    printf("%ld %.6f\n", found, cpu());
    return 0;
}
