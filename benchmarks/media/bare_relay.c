/* The least that a relay in user space can cost here: no sources looked at, nothing counted.

   Run: bare_relay NEAR FAR PORT FLOWS TARGET TARGET_PORT REST_US. As asyncio_relay.py; it rests as
   long between two turns as the relay does at most. Prints "ready", and runs until it is ended. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FLOWS = 4096, BATCH = 64, BYTES = 2048 };
static int in[FLOWS], out[FLOWS];
static char data[BATCH][BYTES];
static struct mmsghdr messages[BATCH];
static struct iovec parts[BATCH];

static struct sockaddr_in address(const char *host, int port) {
    struct sockaddr_in found = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &found.sin_addr) != 1) exit(2);
    return found;
}

static int bound(const char *host, int port) {
    struct sockaddr_in here = address(host, port);
    int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 2 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    if (bind(fd, (struct sockaddr *)&here, sizeof here)) exit(3);
    return fd;
}

static void move(int flow) {
    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){data[i], BYTES};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    int count = recvmmsg(in[flow], messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) parts[i].iov_len = messages[i].msg_len;
    if (count > 0) sendmmsg(out[flow], messages, count, MSG_DONTWAIT);
}

int main(int count, char **words) {
    if (count != 8) return 2;
    int flows = atoi(words[4]), set = epoll_create1(0);
    if (flows < 1 || flows > FLOWS) return 2;
    for (int i = 0; i < flows; i++) {
        struct sockaddr_in there = address(words[5], atoi(words[6]) + 2 * i);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        in[i] = bound(words[1], atoi(words[3]) + 2 * i);
        out[i] = bound(words[2], atoi(words[3]) + 2 * i);
        if (connect(out[i], (struct sockaddr *)&there, sizeof there)) return 3;
        epoll_ctl(set, EPOLL_CTL_ADD, in[i], &event);
    }
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[BATCH];
        int ready = epoll_wait(set, events, BATCH, -1);
        for (int i = 0; i < ready; i++) move(events[i].data.u32);
        usleep(atoi(words[7]));
    }
}
