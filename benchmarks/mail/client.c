/* IMAP clients, many at once: each logs in, SELECTs, and leaves, or stays and fetches.

   Run: client PORT SECONDS CONNECTIONS FIRST ACCOUNTS MIB. Session number n belongs to account
   user(n % ACCOUNTS), beginning with n = FIRST. MIB 0: a session is over with its LOGOUT and the next
   one begins; else each of the connections fetches MIB MiB again and again. Prints JSON; status 1,
   with what was said, at the first answer that is not the one awaited. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 256, KEPT = 8192, READ_BYTES = 1 << 20, PATIENCE_MS = 30000 };
enum state { GREETING, LOGIN, SELECT, FETCH, LOGOUT };

static struct session {
    int fd;
    enum state state;
    size_t size;
    char kept[KEPT + 1]; /* the newest bytes of the answer */
} sessions[CONNECTIONS];
static struct sockaddr_in address = {.sin_family = AF_INET};
static char data[READ_BYTES];
static long begun, done, accounts, mib;
static double bytes;
static int set;

static const char *const AWAITED[] = {"* OK ", "a OK ", "b OK ", "d OK ", "c OK "};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void fail(const struct session *session, const char *reason) {
    fprintf(stderr, "%s in state %d after %ld sessions: %.200s\n", reason, session->state, done,
            session->kept);
    exit(1);
}

static void begin(int number) {
    struct session *session = &sessions[number];
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
    int on = 1;
    begun++;
    session->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    session->state = GREETING;
    session->size = 0;
    setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(session->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
        fail(session, "no connection");
    epoll_ctl(set, EPOLL_CTL_ADD, session->fd, &event);
}

static void say(struct session *session, enum state state, const char *line) {
    ssize_t size = strlen(line);
    session->state = state;
    session->size = 0;
    if (send(session->fd, line, size, MSG_NOSIGNAL) != size) fail(session, "cannot send");
}

/* Is the answer complete: does its last line begin with the awaited words? */
static int answered(struct session *session) {
    char *line;
    if (session->size < 2 || session->kept[session->size - 1] != '\n') return 0;
    session->kept[session->size] = 0;
    line = memrchr(session->kept, '\n', session->size - 1);
    line = line ? line + 1 : session->kept;
    if (!strncmp(line, AWAITED[session->state], 5)) return 1;
    if (*line != '*' && *line != ')') fail(session, "wrong answer");
    return 0;
}

static void next(struct session *session, long number) {
    char line[128];
    switch (session->state) {
    case GREETING:
        snprintf(line, sizeof line, "a LOGIN user%ld@example.org secret\r\n", number % accounts);
        say(session, LOGIN, line);
        return;
    case LOGIN:
        say(session, SELECT, "b SELECT INBOX\r\n");
        return;
    case SELECT:
    case FETCH:
        snprintf(line, sizeof line, "d FETCH 1 %ld\r\n", mib);
        if (mib) say(session, FETCH, line);
        else say(session, LOGOUT, "c LOGOUT\r\n");
        return;
    case LOGOUT:;
    }
}

static void keep(struct session *session, ssize_t size) {
    size_t room = KEPT - session->size;
    const char *newest = data;
    if ((size_t)size > room) { /* only the end matters */
        session->size = 0;
        if (size > KEPT) newest += size - KEPT, size = KEPT;
    }
    memcpy(session->kept + session->size, newest, size);
    session->size += size;
}

int main(int count, char **words) {
    struct epoll_event events[CONNECTIONS];
    static long numbers[CONNECTIONS];
    if (count != 7) return 2;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    address.sin_port = htons(atoi(words[1]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    double start = now(), end = start + atof(words[2]);
    long most = atol(words[3]), open;
    begun = atol(words[4]);
    accounts = atol(words[5]), mib = atol(words[6]);
    set = epoll_create1(0);
    if (most > CONNECTIONS) return 2;
    for (open = 0; open < most; open++) numbers[open] = begun, begin(open);
    while (open) {
        int ready = epoll_wait(set, events, CONNECTIONS, PATIENCE_MS);
        if (ready <= 0) fail(&sessions[0], "silence");
        for (int each = 0; each < ready; each++) {
            int number = events[each].data.u32;
            struct session *session = &sessions[number];
            ssize_t size = recv(session->fd, data, sizeof data, 0);
            if (size < 0 && errno == EAGAIN) continue;
            if (size > 0) {
                bytes += size;
                keep(session, size);
                if (!answered(session) || session->state == LOGOUT) continue;
                if (session->state != FETCH || now() < end) {
                    next(session, numbers[number]);
                    continue;
                }
            } else if (session->state != LOGOUT || !answered(session)) {
                fail(session, size ? "connection lost" : "connection closed");
            }
            close(session->fd);
            done++;
            if (!mib && now() < end) numbers[number] = begun, begin(number);
            else open--;
        }
    }
    printf("{\"sessions\": %ld, \"next\": %ld, \"bytes\": %.0f, \"duration_s\": %.6f}\n", done,
           begun, bytes, now() - start);
    return 0;
}
