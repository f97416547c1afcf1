/* The least that a body can cost a proxy on this kernel: what the server sends is spliced to the
   client through a pipe of 1 MiB, and nothing else is done. No head is read, nothing is checked or
   logged, nothing has a deadline. One server connection for each client. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIPE_BYTES = 1 << 20, HEAD_BYTES = 16384 };
static const int FLAGS = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

struct side {
    int fd, pipe[2], inside, is_server;
    struct side *peer;
};

static int set;

static void watch(struct side *side, int operation, unsigned events) {
    struct epoll_event event = {.events = events, .data.ptr = side};
    epoll_ctl(set, operation, side->fd, &event);
}

static struct side *side_of(int fd, int is_server) {
    struct side *side = calloc(1, sizeof *side);
    int on = 1;
    side->fd = fd;
    side->is_server = is_server;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return side;
}

static void begin(int listener, struct sockaddr_in origin) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) return;
    struct side *client = side_of(fd, 0);
    int to_server = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(to_server, (struct sockaddr *)&origin, sizeof origin)) exit(1);
    struct side *server = side_of(to_server, 1);
    client->peer = server;
    server->peer = client;
    if (pipe2(server->pipe, O_NONBLOCK)) exit(1);
    fcntl(server->pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
    watch(client, EPOLL_CTL_ADD, EPOLLIN);
    watch(server, EPOLL_CTL_ADD, EPOLLIN);
}

static void end(struct side *server) {
    close(server->pipe[0]);
    close(server->pipe[1]);
    close(server->fd);
    close(server->peer->fd);
}

enum outcome { ALL, LATER, BROKEN };

/* What is in the pipe goes to the client. */
static enum outcome push(struct side *server) {
    while (server->inside > 0) {
        int count = splice(server->pipe[0], NULL, server->peer->fd, NULL, server->inside, FLAGS);
        if (count <= 0) return count < 0 && errno == EAGAIN ? LATER : BROKEN;
        server->inside -= count;
    }
    return ALL;
}

static void answer(struct side *server) {
    int count;
    while ((count = splice(server->fd, NULL, server->pipe[1], NULL, PIPE_BYTES, FLAGS)) > 0) {
        server->inside = count;
        enum outcome outcome = push(server);
        if (outcome == BROKEN) return end(server);
        if (outcome == LATER) {
            watch(server, EPOLL_CTL_MOD, 0);
            watch(server->peer, EPOLL_CTL_MOD, EPOLLOUT);
            return;
        }
    }
    if (count == 0 || errno != EAGAIN) end(server);
}

static void ask(struct side *client, unsigned events) {
    char head[HEAD_BYTES];
    if (events & EPOLLOUT) {
        enum outcome outcome = push(client->peer);
        if (outcome == BROKEN) return end(client->peer);
        if (outcome == LATER) return;
        watch(client, EPOLL_CTL_MOD, EPOLLIN);
        watch(client->peer, EPOLL_CTL_MOD, EPOLLIN);
        return;
    }
    int count = read(client->fd, head, sizeof head);
    if (count <= 0 || write(client->peer->fd, head, count) != count) end(client->peer);
}

int main(void) {
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(@PORT@)};
    struct sockaddr_in origin = {.sin_family = AF_INET, .sin_port = htons(@ORIGIN@)};
    struct epoll_event event;
    struct side listener = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    signal(SIGPIPE, SIG_IGN);
    own.sin_addr.s_addr = origin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener.fd, (struct sockaddr *)&own, sizeof own) || listen(listener.fd, 512)) return 1;
    fcntl(listener.fd, F_SETFL, O_NONBLOCK);
    set = epoll_create1(0);
    watch(&listener, EPOLL_CTL_ADD, EPOLLIN);
    for (;;) {
        /* One event a call: it may be the end of both sides. */
        if (epoll_wait(set, &event, 1, -1) != 1) continue;
        struct side *side = event.data.ptr;
        if (side == &listener) begin(listener.fd, origin);
        else if (side->is_server) answer(side);
        else ask(side, event.events);
    }
}
