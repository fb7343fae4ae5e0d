/* SPDX-License-Identifier: MIT */
#include "clock.h"
#include "machine.h"
#include "options.h"
#include "serve.h"
#include "tree.h"
#include "truth.h"

#include <stdio.h>
#include <stdlib.h>

static int serve(const struct options *options, struct machine *machine) {
    struct tree tree;
    struct server server = {
        .machine = machine, .tree = &tree, .tick_ns = options->tick_ns, .leash = options->leash};
    char *directory = NULL;
    int error;

    error = tree_open(&tree, machine);
    if (error != 0) {
        fputs("rapl-sim: out of memory\n", stderr);
        return error;
    }
    /* A folder that a killed run left mounted has no real path, but its name can be used. */
    directory = realpath(options->directory, NULL);
    server.directory = directory != NULL ? directory : options->directory;

    machine->clock = clock_begin();
#ifdef RAPL_SIM_FUSE
    error = options->plain ? serve_plain(&server) : serve_fuse(&server);
#else
    error = serve_plain(&server);
#endif
    if (error == 0)
        truth_print(machine, clock_elapsed_ns(&machine->clock), stdout);
    free(directory);
    tree_close(&tree);
    return error;
}

int main(int count, char **arguments) {
    struct options options;
    struct machine machine;
    int status = options_parse(&options, count, arguments);

    if (status >= 0)
        goto free_options;
#ifndef RAPL_SIM_FUSE
    if (!options.plain && !options.between) {
        fputs("rapl-sim: built without FUSE: --plain is needed\n", stderr);
        status = 2;
        goto free_options;
    }
#endif
    status = options_apply(&options, &machine);
    if (status >= 0)
        goto free_options;

    status = EXIT_SUCCESS;
    if (options.between)
        truth_print_between(&machine, options.instants[1] - options.instants[0],
                            options.instants[2] - options.instants[0], stdout);
    else if (serve(&options, &machine) != 0)
        status = EXIT_FAILURE;
    machine_close(&machine);

free_options:
    options_free(&options);
    return status;
}
