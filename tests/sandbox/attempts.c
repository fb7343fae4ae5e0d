/* SPDX-License-Identifier: MIT */
#include "attempts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Exit status of a child that failed without a message and without a signal. */
#define CHILD_FAILED 255

static char folder[PATH_MAX];

static const char *file(const char *name) {
    static char paths[2][PATH_MAX + 16];
    static int next;
    char *path = paths[next ^= 1];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

/* Returns 0, or the errno of a call that returned a negative number; closes a descriptor. */
static int end(long result) {
    const int error = result < 0 ? errno : 0;
    if (result > STDERR_FILENO)
        close((int)result);
    return error;
}

static int end_child(pid_t child) {
    int status = 0;
    if (child < 0)
        return errno;
    if (child == 0)
        _exit(0);
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : CHILD_FAILED;
}

/* --- files ----------------------------------------------------------------------------------- */

static int read_passwd(void) {
    return end(open("/etc/passwd", O_RDONLY));
}

static int read_shadow(void) {
    return end(open("/etc/shadow", O_RDONLY));
}

static int read_file(void) {
    return end(open(file("file"), O_RDONLY));
}

static int read_device(void) {
    return end(open("/dev/null", O_RDONLY));
}

static int read_register(void) {
    return end(open("/dev/cpu/0/msr", O_RDONLY));
}

static int list_folder(void) {
    return end(open("/etc", O_RDONLY | O_DIRECTORY));
}

static int write_file(void) {
    return end(open(file("file"), O_WRONLY));
}

/* A filter of system calls cannot see the flags, which are behind a pointer. */
static int write_file_by_openat2(void) {
    struct open_how how = {.flags = O_RDWR};
    return end(syscall(__NR_openat2, AT_FDCWD, file("file"), &how, sizeof(how)));
}

static int create_file(void) {
    return end(open(file("created"), O_RDONLY | O_CREAT, 0600));
}

static int create_file_by_openat2(void) {
    struct open_how how = {.flags = O_RDONLY | O_CREAT, .mode = 0600};
    return end(syscall(__NR_openat2, AT_FDCWD, file("created too"), &how, sizeof(how)));
}

static int truncate_file(void) {
    return end(open(file("file"), O_RDONLY | O_TRUNC));
}

static int remove_file(void) {
    return end(unlink(file("removed")));
}

static int rename_file(void) {
    return end(rename(file("renamed"), file("renamed too")));
}

static int link_file(void) {
    return end(link(file("file"), file("linked")));
}

static int make_folder(void) {
    return end(mkdir(file("folder"), 0700));
}

static int make_fifo(void) {
    return end(mkfifo(file("fifo"), 0700));
}

static int change_mode(void) {
    return end(chmod(file("file"), 0777));
}

static int mount_folder(void) {
    const int error = end(mount(folder, folder, NULL, MS_BIND, NULL));
    if (error == 0)
        umount(folder);
    return error;
}

static int change_root(void) {
    return end(chroot("/"));
}

/* --- programs and processes ------------------------------------------------------------------ */

static int execute(void) {
    char *words[] = {"true", NULL};
    return end(execv("/bin/true", words));
}

static int execute_memory(void) {
    return end(syscall(SYS_memfd_create, "code", 0));
}

static int fork_process(void) {
    return end_child(fork());
}

/* Makes a process by clone, as pthread_create(3) makes a thread. */
static int clone_process(void) {
    return end_child((pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static int be_traced(void) {
    return end(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int signal_parent(void) {
    return end(kill(getppid(), 0));
}

static int map_code(void) {
    void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return code == MAP_FAILED ? errno : 0;
}

static int protect_code(void) {
    void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return end(mprotect(code, 4096, PROT_READ | PROT_EXEC));
}

/* --- networks -------------------------------------------------------------------------------- */

static int open_socket(void) {
    return end(socket(AF_INET, SOCK_STREAM, 0));
}

static int open_local_socket(void) {
    return end(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int open_kernel_socket(void) {
    return end(socket(AF_NETLINK, SOCK_RAW, 0));
}

/* --- the process itself ---------------------------------------------------------------------- */

static int change_user(void) {
    return end(setuid(getuid()));
}

static int set_dumpable(void) {
    return end(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int unshare_user(void) {
    return end(unshare(CLONE_FILES));
}

static int use_ports(void) {
    return end(iopl(3));
}

/* Makes a capability effective that counters never need. */
static int take_capability(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2];
    if (syscall(SYS_capget, &header, sets) != 0)
        return errno;
    sets[0].permitted |= 1U << CAP_DAC_OVERRIDE;
    sets[0].effective |= 1U << CAP_DAC_OVERRIDE;
    return end(syscall(SYS_capset, &header, sets));
}

static int count_event(void) {
    struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE,
                                         .size = sizeof(attributes),
                                         .config = PERF_COUNT_SW_TASK_CLOCK,
                                         .exclude_kernel = 1};
    return end(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

static int move_to_cpu(void) {
    unsigned long cpus[1024] = {0};
    const long size = syscall(SYS_sched_getaffinity, 0, sizeof(cpus), cpus);
    return size < 0 ? errno : end(syscall(SYS_sched_setaffinity, 0, (size_t)size, cpus));
}

static int set_rules(void) {
    uint32_t action = SECCOMP_RET_ALLOW;
    return end(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
}

/* The filter's address is invalid: EFAULT shows that the kernel tried to read it. */
static int set_rules_by_prctl(void) {
    const int error = end(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL));
    return error == EFAULT ? 0 : error;
}

/* --- all of them ----------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*make)(void);
} attempts[] = {
    {"read_passwd", read_passwd},
    {"read_shadow", read_shadow},
    {"read_file", read_file},
    {"read_device", read_device},
    {"read_register", read_register},
    {"list_folder", list_folder},
    {"write_file", write_file},
    {"write_file_by_openat2", write_file_by_openat2},
    {"create_file", create_file},
    {"create_file_by_openat2", create_file_by_openat2},
    {"truncate_file", truncate_file},
    {"remove_file", remove_file},
    {"rename_file", rename_file},
    {"link_file", link_file},
    {"make_folder", make_folder},
    {"make_fifo", make_fifo},
    {"change_mode", change_mode},
    {"mount_folder", mount_folder},
    {"change_root", change_root},
    {"execute", execute},
    {"execute_memory", execute_memory},
    {"fork_process", fork_process},
    {"clone_process", clone_process},
    {"be_traced", be_traced},
    {"signal_parent", signal_parent},
    {"map_code", map_code},
    {"protect_code", protect_code},
    {"open_socket", open_socket},
    {"open_local_socket", open_local_socket},
    {"open_kernel_socket", open_kernel_socket},
    {"change_user", change_user},
    {"set_dumpable", set_dumpable},
    {"unshare_user", unshare_user},
    {"use_ports", use_ports},
    {"take_capability", take_capability},
    {"count_event", count_event},
    {"move_to_cpu", move_to_cpu},
    {"set_rules", set_rules},
    {"set_rules_by_prctl", set_rules_by_prctl},
};

static int make_apart(int (*make)(void)) {
    int status = 0;
    const pid_t child = fork();
    if (child == 0)
        _exit(make());
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : CHILD_FAILED;
}

void attempts_make(const char *stage, int apart) {
    const char *folders = getenv("TRY_FOLDER");
    if (folders == NULL)
        return;
    snprintf(folder, sizeof(folder), "%s/%s", folders, stage);
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        const int error = apart ? make_apart(attempts[i].make) : attempts[i].make();
        dprintf(STDERR_FILENO, "D! try %s %s %d\n", stage, attempts[i].name, error);
    }
}
