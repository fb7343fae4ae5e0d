/* SPDX-License-Identifier: MIT */
#define FUSE_USE_VERSION 31

#include "control.h"
#include "cpu.h"
#include "serve.h"

#include <errno.h>
#include <fuse.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An open file or folder. Like a sysfs file, it produces its text when it is read from offset 0,
 * and reads at other offsets continue that text. */
struct handle {
    struct handle *next;
    const struct node *node;
    uint32_t generation;
    int length; /* -1: not read yet */
    char text[TEXT_MAX];
};

/* Context of the FUSE operations. Handles are listed, because some may be open at the end. */
struct mount {
    const struct server *server;
    struct handle *handles;
};

static struct mount *get_mount(void) {
    return fuse_get_context()->private_data;
}

static const struct server *get_server(void) {
    return get_mount()->server;
}

static struct handle *get_handle(const struct fuse_file_info *info) {
    return (struct handle *)(uintptr_t)info->fh;
}

static uint64_t get_elapsed_ns(const struct server *server) {
    return clock_elapsed_ns(&server->machine->clock);
}

static const struct node *find_node(const struct server *server, const char *path) {
    const struct node *node = tree_find(server->tree, path + 1);

    return node != NULL && tree_is_present(server->machine, node) ? node : NULL;
}

static bool is_control(const struct node *node) {
    return node->content == CONTENT_CONTROL;
}

static void *start(struct fuse_conn_info *connection, struct fuse_config *config) {
    (void)connection;
    config->direct_io = 1;
    config->nullpath_ok = 1;
    config->attr_timeout = 0;
    config->entry_timeout = 0;
    config->negative_timeout = 0;
    serve_announce(get_server());
    return get_mount();
}

static void fill_attributes(const struct node *node, struct stat *attributes) {
    *attributes = (struct stat){0};
    attributes->st_uid = geteuid();
    attributes->st_gid = getegid();
    attributes->st_nlink = 1;
    attributes->st_mode = node->mode;
    switch (node->kind) {
    case NODE_FOLDER:
        attributes->st_mode |= S_IFDIR;
        attributes->st_nlink = 2;
        break;
    case NODE_LINK:
        attributes->st_mode |= S_IFLNK;
        attributes->st_size = (off_t)strlen(node->target);
        break;
    case NODE_FILE:
        attributes->st_mode |= S_IFREG;
        attributes->st_size = is_control(node) ? 0 : 4096;
        break;
    }
}

static int get_attributes(const char *path, struct stat *attributes, struct fuse_file_info *info) {
    const struct node *node = info != NULL ? get_handle(info)->node : find_node(get_server(), path);

    if (node == NULL)
        return -ENOENT;
    fill_attributes(node, attributes);
    return 0;
}

static int read_link(const char *path, char *target, size_t size) {
    const struct node *node = find_node(get_server(), path);

    if (node == NULL)
        return -ENOENT;
    if (node->kind != NODE_LINK)
        return -EINVAL;
    snprintf(target, size, "%s", node->target);
    return 0;
}

static int open_handle(const struct server *server, const struct node *node,
                       struct fuse_file_info *info) {
    struct handle *handle = malloc(sizeof(*handle));

    if (handle == NULL)
        return -ENOMEM;
    handle->node = node;
    handle->generation = node->zone < 0 ? 0 : server->machine->zones[node->zone].generation;
    handle->length = -1;
    handle->next = get_mount()->handles;
    get_mount()->handles = handle;
    info->fh = (uint64_t)(uintptr_t)handle;
    return 0;
}

static int release_handle(const char *path, struct fuse_file_info *info) {
    struct handle *handle = get_handle(info);
    struct handle **link = &get_mount()->handles;

    (void)path;
    while (*link != handle)
        link = &(*link)->next;
    *link = handle->next;
    free(handle);
    return 0;
}

static int open_folder(const char *path, struct fuse_file_info *info) {
    const struct server *server = get_server();
    const struct node *node = find_node(server, path);

    return node == NULL ? -ENOENT : open_handle(server, node, info);
}

static int read_folder(const char *path, void *entries, fuse_fill_dir_t fill, off_t offset,
                       struct fuse_file_info *info, enum fuse_readdir_flags flags) {
    const struct server *server = get_server();
    const struct node *folder = get_handle(info)->node;

    (void)path;
    (void)offset;
    (void)flags;
    fill(entries, ".", NULL, 0, 0);
    fill(entries, "..", NULL, 0, 0);
    for (size_t i = 0; i < server->tree->count; i++) {
        const struct node *node = &server->tree->nodes[i];
        struct stat attributes;

        if (!tree_is_child(folder, node) || !tree_is_present(server->machine, node))
            continue;
        fill_attributes(node, &attributes);
        if (fill(entries, node->name, &attributes, 0, 0) != 0)
            return -ENOMEM;
    }
    return 0;
}

static int open_file(const char *path, struct fuse_file_info *info) {
    const struct server *server = get_server();
    const struct node *node = find_node(server, path);

    if (node == NULL)
        return -ENOENT;
    /* Root passes every mode check, but sysfs refuses to write a file without a store function. */
    if ((info->flags & O_ACCMODE) != (is_control(node) ? O_WRONLY : O_RDONLY))
        return -EACCES;
    return open_handle(server, node, info);
}

/* The offset is the register, as in arch/x86/kernel/msr.c. */
static int read_register(const struct server *server, const struct node *node, char *buffer,
                         size_t size, off_t offset) {
    uint64_t value;
    int error = size == sizeof(value) ? 0 : -EINVAL;

    if (error == 0)
        error = cpu_read_register(server->machine, node->cpu, (uint32_t)offset,
                                  get_elapsed_ns(server), &value);
    if (error != 0)
        return error;
    memcpy(buffer, &value, size);
    return (int)size;
}

static int read_file(const char *path, char *buffer, size_t size, off_t offset,
                     struct fuse_file_info *info) {
    const struct server *server = get_server();
    struct handle *handle = get_handle(info);
    const int zone = handle->node->zone;

    (void)path;
    if (handle->node->content == CONTENT_MSR)
        return read_register(server, handle->node, buffer, size, offset);
    if (zone >= 0 && server->machine->zones[zone].generation != handle->generation)
        return -ENODEV;
    if (offset == 0 || handle->length < 0) {
        handle->length =
            tree_read(server->machine, handle->node, get_elapsed_ns(server), handle->text);
        if (handle->length < 0)
            return handle->length;
    }
    if (offset >= handle->length)
        return 0;
    if (size > (size_t)(handle->length - offset))
        size = (size_t)(handle->length - offset);
    memcpy(buffer, handle->text + offset, size);
    return (int)size;
}

static int write_file(const char *path, const char *buffer, size_t size, off_t offset,
                      struct fuse_file_info *info) {
    const struct server *server = get_server();
    char *text = strndup(buffer, size);
    int error;

    (void)path;
    (void)offset;
    (void)info;
    if (text == NULL)
        return -ENOMEM;
    error = control_apply_lines(server->machine, get_elapsed_ns(server), true, text);
    free(text);
    return error != 0 ? error : (int)size;
}

static int truncate_file(const char *path, off_t size, struct fuse_file_info *info) {
    const struct node *node = info != NULL ? get_handle(info)->node : find_node(get_server(), path);

    (void)size;
    if (node == NULL)
        return -ENOENT;
    return is_control(node) ? 0 : -EACCES;
}

static const struct fuse_operations operations = {
    .init = start,
    .getattr = get_attributes,
    .readlink = read_link,
    .opendir = open_folder,
    .readdir = read_folder,
    .releasedir = release_handle,
    .open = open_file,
    .release = release_handle,
    .read = read_file,
    .write = write_file,
    .truncate = truncate_file,
};

/* Replaces fuse_loop(), which misses a signal that arrives just before it waits. */
static int answer_requests(const struct server *server, struct fuse_session *session,
                           const sigset_t *wait_mask) {
    struct fuse_buf buffer = {0};
    int result = 0;

    while (!serve_is_stopped() && !fuse_session_exited(session)) {
        result = serve_wait(server, fuse_session_fd(session), NULL, wait_mask);
        if (result < 0)
            break;
        if (result == 0)
            continue;
        result = fuse_session_receive_buf(session, &buffer);
        if (result > 0)
            fuse_session_process_buf(session, &buffer);
        else if (result != -EINTR && result != -EAGAIN)
            break;
        result = 0;
    }
    free(buffer.mem);
    return result;
}

static bool can_mount(const char *directory) {
    struct stat status;

    if (stat(directory, &status) < 0) {
        if (errno == ENOTCONN)
            fprintf(stderr,
                    "rapl-sim: %s is still mounted by a run that was killed; "
                    "free it with: fusermount3 -u %s\n",
                    directory, directory);
        else
            fprintf(stderr, "rapl-sim: %s: %s\n", directory, strerror(errno));
        return false;
    }
    if (!S_ISDIR(status.st_mode)) {
        fprintf(stderr, "rapl-sim: %s: %s\n", directory, strerror(ENOTDIR));
        return false;
    }
    return true;
}

int serve_fuse(const struct server *server) {
    /* Only root may use allow_other without a line in /etc/fuse.conf. */
    char *arguments[] = {"rapl-sim", "-o",
                         geteuid() == 0
                             ? "default_permissions,fsname=rapl-sim,subtype=rapl-sim,allow_other"
                             : "default_permissions,fsname=rapl-sim,subtype=rapl-sim",
                         NULL};
    struct fuse_args fuse_arguments = FUSE_ARGS_INIT(3, arguments);
    struct mount mount = {.server = server};
    struct fuse *fuse = NULL;
    sigset_t wait_mask;
    int error = -EIO;

    if (!can_mount(server->directory))
        goto free_arguments;
    serve_catch_signals(&wait_mask);
    fuse = fuse_new(&fuse_arguments, &operations, sizeof(operations), &mount);
    if (fuse == NULL)
        goto free_arguments;
    if (fuse_mount(fuse, server->directory) != 0) {
        fprintf(stderr, "rapl-sim: cannot mount at %s; --plain works without FUSE\n",
                server->directory);
        goto destroy_fuse;
    }
    error = answer_requests(server, fuse_get_session(fuse), &wait_mask);
    if (error != 0)
        fprintf(stderr, "rapl-sim: %s: %s\n", server->directory, strerror(-error));
    fuse_unmount(fuse);

destroy_fuse:
    fuse_destroy(fuse);
    while (mount.handles != NULL) {
        struct handle *next = mount.handles->next;
        free(mount.handles);
        mount.handles = next;
    }
free_arguments:
    fuse_opt_free_args(&fuse_arguments);
    return error;
}
