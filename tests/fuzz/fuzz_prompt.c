/* SPDX-License-Identifier: MIT */
/* Prompts that arrive on stdin in pieces. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "prompt.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input input = {bytes, size};
    struct prompt prompt;
    sigset_t before;
    int pipes[2];
    sigprocmask(SIG_BLOCK, NULL, &before);
    HOLDS(pipe2(pipes, O_CLOEXEC) == 0);
    HOLDS(dup2(pipes[0], STDIN_FILENO) == STDIN_FILENO);
    if (pipes[0] != STDIN_FILENO)
        close(pipes[0]);
    HOLDS(prompt_open(&prompt, 0, true) == 0);
    for (int piece = 0; piece < 16 && input.left > 0; piece++) {
        size_t length = take_byte(&input);
        length = length < input.left ? length : input.left;
        const bool asks = length > 0 && memchr(input.bytes, '\n', length) != NULL;
        HOLDS(write(pipes[1], input.bytes, length) == (ssize_t)length);
        input.bytes += length;
        input.left -= length;
        prompt.asked = false;
        prompt_wait(&prompt, 0);
        HOLDS(prompt.asked == asks && !prompt.stop);
    }
    close(pipes[1]);
    const bool asked = prompt.asked;
    prompt_wait(&prompt, 0);
    /* The prompts received are still to be answered. */
    HOLDS(prompt.stop && !prompt.ended && !prompt.listens && prompt.asked == asked);
    prompt_close(&prompt);
    close(STDIN_FILENO);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return 0;
}
