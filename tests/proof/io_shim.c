/*
 * A disk that fails on cue: loaded before libc, it counts the calls that change files below one folder and fails those
 * it is told to. Everything else passes untouched.
 *
 *     io_arm("/tmp/x/store", 17, IO_EIO)       the 17th call from now on fails as a broken disk does
 *     IO_SHIM="17 1 /tmp/x/store"              the same, from the start of a process
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* What the armed call does; the order is that of KINDS in io.py. */
enum kind {
    IO_ENOSPC,      /* this call: no room */
    IO_EIO,         /* this call: a broken disk */
    IO_SHORT,       /* this write: half of it */
    IO_FULL,        /* no room for any byte from here on, until the ballast is deleted */
    IO_FULL_STAYS,  /* no room for any byte from here on */
    IO_QUOTA,       /* the same, but the quota says so */
    IO_BROKEN,      /* nothing works from here on */
    IO_READ_ONLY,   /* nothing may be opened for writing, from here on */
};

enum call { WRITE, SYNC, CREATE, OPEN, OTHER };

#define FDS_MAX 4096

static char folder[4096];
static size_t folder_length;
static long nth, calls, hits;
static int armed, kind, given_back;
/* 2 for what may fail in silence: the lock's text only helps people, and SQLite does not ask how the flush of a folder
   went, because not every system can do that. */
static char ours[FDS_MAX];
static __thread int is_aid;

void io_arm(const char *path, long at, int what) {
    snprintf(folder, sizeof folder, "%s", path);
    folder_length = strlen(folder);
    nth = at;
    kind = what;
    calls = hits = given_back = 0;
    armed = 1;
}

void io_disarm(void) { armed = 0; }
long io_calls(void) { return calls; }
long io_hits(void) { return hits; }

__attribute__((constructor)) static void from_environment(void) {
    long at;
    int what, read = 0;
    const char *text = getenv("IO_SHIM");
    if (text && sscanf(text, "%ld %d %n", &at, &what, &read) >= 2 && read) io_arm(text + read, at, what);
}

static int is_below(const char *path) { return folder_length && !strncmp(path, folder, folder_length); }
static int is_ours(int fd) { return fd >= 0 && fd < FDS_MAX && ours[fd]; }

/* The error this call fails with; 0 to let it pass, -1 for half a write. */
static int verdict(enum call call) {
    if (!armed) return 0;
    long now = __sync_add_and_fetch(&calls, 1);
    int takes_room = call == WRITE || call == CREATE, error = 0;
    if (now < nth) return is_aid = 0;
    switch (kind) {
    case IO_ENOSPC: error = now == nth ? ENOSPC : 0; break;
    case IO_EIO: error = now == nth ? EIO : 0; break;
    case IO_SHORT: error = now == nth && call == WRITE ? -1 : 0; break;
    case IO_FULL: error = takes_room && !given_back ? ENOSPC : 0; break;
    case IO_FULL_STAYS: error = takes_room ? ENOSPC : 0; break;
    case IO_QUOTA: error = takes_room ? EDQUOT : 0; break;
    case IO_BROKEN: error = EIO; break;
    case IO_READ_ONLY: error = call == CREATE || call == OPEN ? EROFS : 0; break;
    }
    if (error && !is_aid) __sync_add_and_fetch(&hits, 1);
    is_aid = 0;
    return error;
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define FAIL_IF(call) \
    int error = verdict(call); \
    if (error > 0) { errno = error; return -1; }

#define DEFINE_WRITE(name, offset_type) \
    ssize_t name(int fd, const void *bytes, size_t count, offset_type offset) { \
        REAL(name); \
        if (!is_ours(fd)) return real(fd, bytes, count, offset); \
        is_aid = ours[fd] == 2; \
        FAIL_IF(WRITE) \
        return real(fd, bytes, error ? count / 2 : count, offset); \
    }
DEFINE_WRITE(pwrite, off_t)
DEFINE_WRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(write);
    if (!is_ours(fd)) return real(fd, bytes, count);
    is_aid = ours[fd] == 2;
    FAIL_IF(WRITE)
    return real(fd, bytes, error ? count / 2 : count);
}

#define DEFINE_ON_FD(name, call, parameters, arguments) \
    int name parameters { \
        REAL(name); \
        if (is_ours(fd)) { is_aid = ours[fd] == 2; FAIL_IF(call) (void)error; } \
        return real arguments; \
    }
DEFINE_ON_FD(fsync, SYNC, (int fd), (fd))
DEFINE_ON_FD(fdatasync, SYNC, (int fd), (fd))
DEFINE_ON_FD(ftruncate, OTHER, (int fd, off_t size), (fd, size))
DEFINE_ON_FD(ftruncate64, OTHER, (int fd, off64_t size), (fd, size))

int unlink(const char *path) {
    REAL(unlink);
    if (is_below(path)) { FAIL_IF(OTHER) (void)error; }
    int end = real(path);
    if (!end && is_below(path) && strstr(path, ".ballast")) given_back = 1;
    return end;
}

int rename(const char *from, const char *to) {
    REAL(rename);
    if (is_below(to)) { FAIL_IF(OTHER) (void)error; }
    return real(from, to);
}

int close(int fd) {
    REAL(close);
    if (fd >= 0 && fd < FDS_MAX) ours[fd] = 0;
    return real(fd);
}

#define DEFINE_OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list rest; \
            va_start(rest, flags); \
            mode = va_arg(rest, mode_t); \
            va_end(rest); \
        } \
        int counted = is_below(path) && (flags & O_ACCMODE) != O_RDONLY; \
        if (counted) { FAIL_IF(flags & O_CREAT && access(path, F_OK) ? CREATE : OPEN) (void)error; } \
        int fd = real(path, flags, mode); \
        if (fd >= 0 && fd < FDS_MAX) ours[fd] = !is_below(path) ? 0 : !path[folder_length] || strstr(path, ".lock") ? 2 : 1; \
        return fd; \
    }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)
