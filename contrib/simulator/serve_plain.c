/* SPDX-License-Identifier: MIT */
#include "control.h"
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A value overwrites the last one without truncation, so a reader gets one or the other. NULs cover
 * the remaining digits of a longer value. */
enum { ENERGY_SIZE = 24 };

static const char scratch[] = ".rapl-sim.new";

struct plain_node {
    bool made;
    int file; /* open energy_uj, or -1 */
};

struct plain {
    const struct server *server;
    struct plain_node *nodes;
    int root;
    int commands;
    size_t line_length;
    char line[256];
};

static int fail_at(const struct plain *plain, const char *path) {
    const int error = -errno;

    fprintf(stderr, "rapl-sim: %s/%s: %s\n", plain->server->directory, path, strerror(-error));
    return error;
}

static size_t print_content(const struct plain *plain, const struct node *node,
                            char text[TEXT_MAX]) {
    const struct machine *machine = plain->server->machine;
    int length = tree_read(machine, node, clock_elapsed_ns(&machine->clock), text);

    if (length < 0)
        return 0;
    if (node->content == CONTENT_ENERGY && length < ENERGY_SIZE) {
        memset(text + length, '\0', (size_t)(ENERGY_SIZE - length));
        length = ENERGY_SIZE;
    }
    return (size_t)length;
}

/* Writes a temporary file and renames it into place. Returns its descriptor, or a negative
 * errno. */
static int put_file(const struct plain *plain, const struct node *node) {
    char text[TEXT_MAX];
    const size_t length = print_content(plain, node, text);
    int file = openat(plain->root, scratch, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (file < 0)
        return fail_at(plain, scratch);
    if (write(file, text, length) != (ssize_t)length || fchmod(file, node->mode) < 0 ||
        renameat(plain->root, scratch, plain->root, node->path) < 0) {
        const int error = fail_at(plain, node->path);
        unlinkat(plain->root, scratch, 0);
        close(file);
        return error;
    }
    return file;
}

static int replace_file(const struct plain *plain, const struct node *node) {
    const int file = put_file(plain, node);

    if (file < 0)
        return file;
    close(file);
    return 0;
}

/* If the kernel would refuse to read an attribute, it has no file here. */
static bool is_readable(const struct plain *plain, const struct node *node) {
    char text[TEXT_MAX];

    return node->kind != NODE_FILE || tree_read(plain->server->machine, node, 0, text) >= 0;
}

static int make_node(const struct plain *plain, size_t index) {
    const struct node *node = &plain->server->tree->nodes[index];
    struct plain_node *made = &plain->nodes[index];
    int error = 0;

    if (node->path[0] == '\0' || !is_readable(plain, node))
        return 0;
    if (node->kind == NODE_FOLDER)
        error = mkdirat(plain->root, node->path, node->mode);
    else if (node->kind == NODE_LINK)
        error = symlinkat(node->target, plain->root, node->path);
    else if (node->content == CONTENT_CONTROL)
        error = mkfifoat(plain->root, node->path, 0600);
    else if (faccessat(plain->root, node->path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        error = -1;
    }
    if (error != 0)
        return fail_at(plain, node->path);
    made->made = true;

    if (node->kind == NODE_FILE && node->content != CONTENT_CONTROL) {
        const int file = put_file(plain, node);
        if (file < 0) {
            made->made = false;
            return file;
        }
        if (node->content == CONTENT_ENERGY)
            made->file = file;
        else
            close(file);
    }
    return 0;
}

static void remove_node(const struct plain *plain, size_t index) {
    const struct node *node = &plain->server->tree->nodes[index];
    struct plain_node *made = &plain->nodes[index];

    if (!made->made)
        return;
    if (made->file >= 0)
        close(made->file);
    *made = (struct plain_node){.file = -1};
    if (unlinkat(plain->root, node->path, node->kind == NODE_FOLDER ? AT_REMOVEDIR : 0) < 0)
        fail_at(plain, node->path);
}

/* Updates the files on disk: all zones of the machine if wanted, otherwise none. */
static int match_tree(const struct plain *plain, bool wanted) {
    const struct tree *tree = plain->server->tree;
    const struct machine *machine = plain->server->machine;
    int error = 0;

    for (size_t i = tree->count; i-- > 0;) {
        if (!wanted || !tree_is_present(machine, &tree->nodes[i]))
            remove_node(plain, i);
    }
    for (size_t i = 0; wanted && error == 0 && i < tree->count; i++) {
        if (!plain->nodes[i].made && tree_is_present(machine, &tree->nodes[i]))
            error = make_node(plain, i);
    }
    return error;
}

static int write_values(const struct plain *plain) {
    const struct tree *tree = plain->server->tree;

    for (size_t i = 0; i < tree->count; i++) {
        const struct node *node = &tree->nodes[i];
        const int file = plain->nodes[i].file;
        int error = 0;

        if (node->content == CONTENT_TRUTH) {
            error = replace_file(plain, node);
        } else if (file >= 0) {
            char text[TEXT_MAX];
            const size_t length = print_content(plain, node, text);
            if (pwrite(file, text, length, 0) != (ssize_t)length)
                error = fail_at(plain, node->path);
        }
        if (error != 0)
            return error;
    }
    return 0;
}

static int apply_line(struct plain *plain) {
    struct machine *machine = plain->server->machine;
    const struct node *online = tree_find(plain->server->tree, "sys/devices/system/cpu/online");
    int error;

    plain->line[plain->line_length] = '\0';
    plain->line_length = 0;
    if (control_apply(machine, clock_elapsed_ns(&machine->clock), false, plain->line) != 0)
        return 0;
    error = match_tree(plain, true);
    return error != 0 ? error : replace_file(plain, online);
}

static int read_commands(struct plain *plain) {
    char text[512];
    ssize_t length;
    int error = 0;

    while (error == 0 && (length = read(plain->commands, text, sizeof(text))) > 0) {
        for (ssize_t i = 0; error == 0 && i < length; i++) {
            if (text[i] == '\n')
                error = apply_line(plain);
            else if (plain->line_length < sizeof(plain->line) - 1)
                plain->line[plain->line_length++] = text[i];
        }
    }
    return error;
}

static int tick(struct plain *plain) {
    uint64_t next_ns = clock_read_ns(CLOCK_MONOTONIC);
    sigset_t wait_mask;
    int error = 0;

    serve_catch_signals(&wait_mask);
    while (error == 0 && !serve_is_stopped()) {
        const uint64_t now_ns = clock_read_ns(CLOCK_MONOTONIC);
        struct timespec wait = {0};

        if (now_ns >= next_ns) {
            error = write_values(plain);
            next_ns += plain->server->tick_ns;
            if (next_ns < now_ns)
                next_ns = now_ns + plain->server->tick_ns;
            continue;
        }
        wait.tv_sec = (time_t)((next_ns - now_ns) / 1000000000u);
        wait.tv_nsec = (long)((next_ns - now_ns) % 1000000000u);
        error = serve_wait(plain->server, plain->commands, &wait, &wait_mask);
        if (error > 0)
            error = read_commands(plain);
    }
    return error;
}

int serve_plain(const struct server *server) {
    struct plain plain = {.server = server, .root = -1, .commands = -1};
    int error = -ENOMEM;

    plain.nodes = calloc(server->tree->count, sizeof(*plain.nodes));
    if (plain.nodes == NULL)
        goto done;
    for (size_t i = 0; i < server->tree->count; i++)
        plain.nodes[i].file = -1;

    plain.root = open(server->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (plain.root < 0) {
        error = fail_at(&plain, "");
        goto done;
    }
    error = match_tree(&plain, true);
    if (error != 0)
        goto remove;
    /* Opened for writing as well, so that the FIFO does not end with its last writer. */
    plain.commands = openat(plain.root, "control", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (plain.commands < 0) {
        error = fail_at(&plain, "control");
        goto remove;
    }
    serve_announce(server);
    error = tick(&plain);

remove:
    match_tree(&plain, false);
done:
    if (plain.commands >= 0)
        close(plain.commands);
    if (plain.root >= 0)
        close(plain.root);
    free(plain.nodes);
    return error;
}
