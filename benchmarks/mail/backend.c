/* An IMAP server of fixed answers, so that the proxies before it are what is measured.

   Run: backend PORT. It answers any login, SELECT, NOOP, ID, CAPABILITY and LOGOUT, and FETCH N with
   N MiB. Literals are asked for and skipped; a line without a command answers a challenge. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <signal.h>
#include <unistd.h>

enum { LINE_BYTES = 2048, MIB = 1 << 20, BATCH = 64, BACKLOG = 4096, MOST = 65536 };

#define CAPABLE "CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID IDLE AUTH=PLAIN"
static const char GREETING[] = "* OK [" CAPABLE "] ready\r\n";
static const char SELECTED[] =
    "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n* 3 EXISTS\r\n* 0 RECENT\r\n"
    "* OK [UIDVALIDITY 1] valid\r\n* OK [UIDNEXT 4] next\r\n";

struct client {
    char line[LINE_BYTES];
    char tag[64];
    size_t size, skip;
    size_t owed; /* bytes of a body that are still to be sent */
    int in_login;
};
static struct client *clients[MOST];
static char body[MIB];
static int set;

static void end(int fd) {
    close(fd);
    free(clients[fd]);
    clients[fd] = NULL;
}

static void watch(int fd, int how, unsigned events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    epoll_ctl(set, how, fd, &event);
}

static void say(int fd, const char *data, const char *text) {
    char answer[LINE_BYTES];
    int size = snprintf(answer, sizeof answer, "%s%s OK %s\r\n", data, clients[fd]->tag, text);
    if (send(fd, answer, size, MSG_NOSIGNAL) != size) perror("send");
}

/* Send what is owed of a body, and its end. False: the connection is gone. */
static int pay(int fd) {
    struct client *client = clients[fd];
    while (client->owed) {
        size_t most = client->owed < sizeof body ? client->owed : sizeof body;
        ssize_t size = send(fd, body, most, MSG_NOSIGNAL);
        if (size < 0 && errno == EAGAIN) {
            watch(fd, EPOLL_CTL_MOD, EPOLLOUT);
            return 1;
        }
        if (size < 0) return 0;
        client->owed -= size;
        if (!client->owed) say(fd, ")\r\n", "done");
    }
    watch(fd, EPOLL_CTL_MOD, EPOLLIN);
    return 1;
}

/* The length of the literal that a line ends with, -1 without one. */
static long literal(const char *line, size_t size, int *waits) {
    const char *brace = memrchr(line, '{', size);
    if (brace == NULL || size < 3 || line[size - 3] != '}') return -1;
    *waits = line[size - 4] != '+';
    return atol(brace + 1);
}

static int command(int fd, char *line, size_t size) {
    struct client *client = clients[fd];
    char word[32] = "", tag[64] = "";
    int waits = 0;
    long length = literal(line, size, &waits);
    line[size - 1] = 0;
    if (!client->in_login) {
        if (sscanf(line, "%63s %31s", tag, word) < 2) return 1;
        strcpy(client->tag, tag);
    }
    if (length >= 0) {
        client->in_login = 1;
        client->skip = length;
        if (waits && send(fd, "+ go on\r\n", 9, MSG_NOSIGNAL) != 9) return 0;
    } else if (client->in_login || !strcasecmp(word, "LOGIN")) {
        client->in_login = 0;
        say(fd, "", "[" CAPABLE "] logged in");
    } else if (!strcasecmp(word, "AUTHENTICATE")) {
        char mechanism[32], initial[1024];
        client->in_login = sscanf(line, "%*s %*s %31s %1023s", mechanism, initial) < 2;
        if (client->in_login) return send(fd, "+ \r\n", 4, MSG_NOSIGNAL) == 4;
        say(fd, "", "[" CAPABLE "] logged in");
    } else if (!strcasecmp(word, "SELECT")) {
        say(fd, SELECTED, "[READ-WRITE] selected");
    } else if (!strcasecmp(word, "CAPABILITY")) {
        say(fd, "* " CAPABLE "\r\n", "done");
    } else if (!strcasecmp(word, "ID")) {
        say(fd, "* ID NIL\r\n", "done");
    } else if (!strcasecmp(word, "LOGOUT")) {
        say(fd, "* BYE\r\n", "done");
        return 0;
    } else if (!strcasecmp(word, "FETCH")) {
        char head[64];
        client->owed = (size_t)atol(strrchr(line, ' ') + 1) * MIB;
        int count = snprintf(head, sizeof head, "* 1 FETCH (BODY[] {%zu}\r\n", client->owed);
        if (send(fd, head, count, MSG_NOSIGNAL | MSG_MORE) != count) return 0;
        return pay(fd);
    } else {
        say(fd, "", "done");
    }
    return 1;
}

static int heard(int fd) {
    struct client *client = clients[fd];
    ssize_t got = recv(fd, client->line + client->size, sizeof client->line - client->size, 0);
    if (got < 0 && errno == EAGAIN) return 1;
    if (got <= 0) return 0;
    client->size += got;
    for (;;) {
        size_t gone = client->skip < client->size ? client->skip : client->size;
        client->skip -= gone;
        char *next = client->line + gone, *stop = memchr(next, '\n', client->size - gone);
        size_t length = stop && !client->skip ? (size_t)(stop + 1 - next) : 0;
        if (length && !command(fd, next, length)) return 0;
        gone += length;
        client->size -= gone;
        memmove(client->line, client->line + gone, client->size);
        if (!length) return client->size < sizeof client->line;
    }
}

static void arrived(int listener) {
    int on = 1, fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MOST) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        clients[fd] = calloc(1, sizeof **clients);
        watch(fd, EPOLL_CTL_ADD, EPOLLIN);
        send(fd, GREETING, sizeof GREETING - 1, MSG_NOSIGNAL);
    }
}

int main(int count, char **words) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct rlimit files = {MOST, MOST};
    struct epoll_event events[BATCH];
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (count != 2) return 2;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setrlimit(RLIMIT_NOFILE, &files);
    address.sin_port = htons(atoi(words[1]));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, BACKLOG)) {
        perror("bind");
        return 1;
    }
    set = epoll_create1(0);
    watch(listener, EPOLL_CTL_ADD, EPOLLIN);
    for (;;) {
        int ready = epoll_wait(set, events, BATCH, -1);
        for (int each = 0; each < ready; each++) {
            int fd = events[each].data.fd;
            if (fd == listener) arrived(fd);
            else if (!(clients[fd]->owed ? pay(fd) : heard(fd))) end(fd);
        }
    }
}
