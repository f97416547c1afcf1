/* An open-loop client: one request each 1/RATE seconds, whether or not earlier ones are answered.

   Run: paced PORT RATE SECONDS < request. Latency counts from the moment at which a request was due,
   so a proxy that stalls pays for every request that it made wait. Connections are bounded; a request
   that finds none free waits for one. Status 1, with the reason, when the rate could not be kept.
   In C, because the client shares its core with the origin and must not be what is measured. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 64, HEAD_BYTES = 4096, READ_BYTES = 65536 };
static const double LONGEST_QUEUE_S = 1.0, DRAIN_S = 5.0;
static const char BODY_END[] = "456\n";

static char request[HEAD_BYTES];
static size_t request_size;
static int sockets[CONNECTIONS], unused[CONNECTIONS], free_count, set;
static double due[CONNECTIONS];

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void fail(const char *reason, long count) {
    fprintf(stderr, "%ld %s\n", count, reason);
    exit(1);
}

static void open_connection(int number, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connections refused", 1);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
    sockets[number] = fd;
    unused[free_count++] = number;
}

/* The answer's last bytes are known, so that heads need not be read. */
static int answered(int number) {
    static char data[READ_BYTES];
    ssize_t size = recv(sockets[number], data, sizeof data, 0);
    if (size < 0 && errno == EAGAIN) return 0;
    if (size <= 0) fail("connections closed", 1);
    return size >= 4 && memcmp(data + size - 4, BODY_END, 4) == 0;
}

/* Sleeps rather than spins: the origin needs the core. */
static int wait_until(double moment, struct epoll_event *events) {
    double left = moment - now();
    if (left < 0) left = 0;
    struct timespec timeout = {.tv_sec = left, .tv_nsec = (left - (long)left) * 1e9};
    return epoll_pwait2(set, events, CONNECTIONS, &timeout, NULL);
}

static int by_size(const void *one, const void *other) {
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

int main(int count, char **arguments) {
    if (count != 4) fail("arguments are too many or too few", count);
    int port = atoi(arguments[1]);
    double gap = 1 / atof(arguments[2]), seconds = atof(arguments[3]);
    long total = seconds / gap, sent = 0, done = 0, ready;
    double *latencies = malloc(total * sizeof *latencies);
    struct epoll_event events[CONNECTIONS];
    request_size = fread(request, 1, sizeof request, stdin);
    prctl(PR_SET_TIMERSLACK, 1);
    set = epoll_create1(0);
    for (int number = 0; number < CONNECTIONS; number++) open_connection(number, port);
    double start = now() + 0.01;
    while (done < total) {
        double moment = now();
        for (; free_count > 0 && sent < total && start + sent * gap <= moment; sent++) {
            int number = unused[--free_count];
            due[number] = start + sent * gap;
            if (send(sockets[number], request, request_size, 0) != (ssize_t)request_size)
                fail("requests not taken", 1);
        }
        if (sent < total && moment - (start + sent * gap) > LONGEST_QUEUE_S)
            fail("requests were sent before the queue grew too long", sent);
        if (moment > start + seconds + DRAIN_S) fail("requests without an answer", sent - done);
        ready = wait_until(sent < total && free_count ? start + sent * gap : moment + 1, events);
        moment = now();
        for (long k = 0; k < ready; k++) {
            int number = events[k].data.u32;
            if (!answered(number)) continue;
            latencies[done++] = moment - due[number];
            unused[free_count++] = number;
        }
    }
    qsort(latencies, done, sizeof *latencies, by_size);
    printf("{\"sent\": %ld, \"p50_ms\": %.4f, \"p99_ms\": %.4f}\n", done,
           latencies[done / 2] * 1e3, latencies[done * 99 / 100] * 1e3);
}
