/*
 * Sendmail wants a few things of its host that a container does not have. Linked into it, this takes the
 * place of the C library's functions.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* At most what one write(2) to a pipe keeps together (PIPE_BUF); Sendmail's lines are shorter. */
#define LINE 4096

void openlog(const char *ident, int option, int facility)
{
    (void) ident, (void) option, (void) facility;
}

void closelog(void)
{
}

/*
 * syslog(3), as it is called when _FORTIFY_SOURCE is set: a line to the container's output. There is no
 * syslogd; where it would listen, in /dev, all is root's.
 */
void __syslog_chk(int priority, int flag, const char *format, ...)
{
    static int output = -1;
    char line[LINE];
    va_list arguments;
    int length;

    (void) priority, (void) flag;
    if (output < 0)
        output = open("/proc/1/fd/1", O_WRONLY | O_APPEND | O_CLOEXEC);
    length = snprintf(line, sizeof line, "sendmail[%d]: ", (int) getpid());
    va_start(arguments, format);
    length += vsnprintf(line + length, sizeof line - length, format, arguments);
    va_end(arguments);
    if (length > LINE - 1)
        length = LINE - 1;
    line[length++] = '\n';
    (void) !write(output, line, length);
}

/* Without a domain in its host's name Sendmail waits for a minute at each start; this needs no DNS. */
int gethostname(char *name, size_t size)
{
    snprintf(name, size, "127.0.0.1");
    return 0;
}

/*
 * That core's name is unknown while its container is stopped is no reason to send its mail back; nor that
 * the relayhost's is. A recipient's domain that does not exist is found out before, from its MX records.
 */
struct hostent *gethostbyname2(const char *name, int family)
{
    struct hostent *(*look_up)(const char *, int) = dlsym(RTLD_NEXT, "gethostbyname2");
    struct hostent *found = look_up(name, family);

    if (found == NULL && family == AF_INET && h_errno == HOST_NOT_FOUND)
        h_errno = TRY_AGAIN;
    return found;
}

/* No client has to wait for a reverse lookup, which a closed network may never answer. */
struct hostent *gethostbyaddr(const void *address, socklen_t size, int family)
{
    (void) address, (void) size, (void) family;
    h_errno = HOST_NOT_FOUND;
    return NULL;
}

/*
 * Sendmail writes a command, or a message and its end, in pieces, of which TCP would keep back the second
 * until the other host has confirmed the first: twice 40 ms for each message.
 */
int connect(int socket, const struct sockaddr *address, socklen_t size)
{
    int (*do_connect)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
    int on = 1;

    (void) setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return do_connect(socket, address, size);
}
