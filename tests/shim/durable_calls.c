/* Stands between a program and the C library, for tests: it counts the calls that change what is on disk, and ends the
 * process by SIGKILL just before a chosen one; or it holds back every fsync as long as a file exists.
 *
 * Environment:
 *   SHIM_BELOW   only files below this directory count
 *   SHIM_ARMED   calls count from when this file exists
 *   SHIM_DIE_AT  number of the call that is not made, from 1
 *   SHIM_LIST    if set, no call is left out, and all of them are reported
 *   SHIM_REPORT  file that is told which call that was
 *   SHIM_HOLD    as long as this file exists, fsync and fdatasync do not return
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int exists(const char *variable) {
    const char *path = getenv(variable);
    return path != NULL && access(path, F_OK) == 0;
}

static int report_descriptor = -1;

/* Before the program begins, which may then give up the right to open it. */
__attribute__((constructor)) static void open_report(void) {
    const char *file = getenv("SHIM_REPORT");
    if (file != NULL)
        report_descriptor = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void report(const char *call, const char *path, long number) {
    char line[PATH_MAX + 100];
    int length = snprintf(line, sizeof line, "%ld %s %s\n", number, call, path);
    if (report_descriptor >= 0 && length > 0)
        (void)!REAL(write)(report_descriptor, line, (size_t)length);
}

/* Counts a call on this path, and ends the process if it is the chosen one. */
static void count(const char *call, const char *path) {
    const char *below = getenv("SHIM_BELOW");
    const char *chosen = getenv("SHIM_DIE_AT");
    int all = getenv("SHIM_LIST") != NULL;
    if (below == NULL || (chosen == NULL && !all) || strncmp(path, below, strlen(below)) != 0 || !exists("SHIM_ARMED"))
        return;
    long number = atomic_fetch_add(&calls, 1) + 1;
    if (!all && number != atol(chosen))
        return;
    report(call, path, number);
    if (all)
        return;
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* As count, for an open file; sockets and pipes do not count. */
static void count_open(const char *call, int descriptor) {
    char link[64];
    char path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length > 0 && path[0] == '/') {
        path[length] = '\0';
        count(call, path);
    }
}

static void hold(void) {
    while (exists("SHIM_HOLD"))
        usleep(1000);
}

int fsync(int descriptor) {
    count_open("fsync", descriptor);
    hold();
    return REAL(fsync)(descriptor);
}

int fdatasync(int descriptor) {
    count_open("fdatasync", descriptor);
    hold();
    return REAL(fdatasync)(descriptor);
}

ssize_t write(int descriptor, const void *bytes, size_t length) {
    count_open("write", descriptor);
    return REAL(write)(descriptor, bytes, length);
}

ssize_t writev(int descriptor, const struct iovec *parts, int length) {
    count_open("writev", descriptor);
    return REAL(writev)(descriptor, parts, length);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t at) {
    count_open("pwrite", descriptor);
    return REAL(pwrite)(descriptor, bytes, length, at);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t length, off64_t at) {
    count_open("pwrite64", descriptor);
    return REAL(pwrite64)(descriptor, bytes, length, at);
}

int ftruncate(int descriptor, off_t length) {
    count_open("ftruncate", descriptor);
    return REAL(ftruncate)(descriptor, length);
}

int ftruncate64(int descriptor, off64_t length) {
    count_open("ftruncate64", descriptor);
    return REAL(ftruncate64)(descriptor, length);
}

int rename(const char *from, const char *to) {
    count("rename", to);
    return REAL(rename)(from, to);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to) {
    count_open("renameat", to_directory);
    return REAL(renameat)(from_directory, from, to_directory, to);
}

int link(const char *from, const char *to) {
    count("link", to);
    return REAL(link)(from, to);
}

int linkat(int from_directory, const char *from, int to_directory, const char *to, int flags) {
    count("linkat", to);
    return REAL(linkat)(from_directory, from, to_directory, to, flags);
}

int unlink(const char *path) {
    count("unlink", path);
    return REAL(unlink)(path);
}

int unlinkat(int directory, const char *path, int flags) {
    count_open("unlinkat", directory);
    return REAL(unlinkat)(directory, path, flags);
}

int mkdir(const char *path, mode_t mode) {
    count("mkdir", path);
    return REAL(mkdir)(path, mode);
}
