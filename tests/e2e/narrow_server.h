/* The fixture of programs that ask one server with the narrow model and no special options. */
#ifndef VGG_TESTS_NARROW_SERVER_H
#define VGG_TESTS_NARROW_SERVER_H

#include "server.h"
#include "work.h"

static struct server server;

static int setup(void **state)
{
    if (work_setup(state) != 0)
        return -1;
    server_start_model(&server, model_narrow());
    return 0;
}

static int teardown(void **state)
{
    server_stop(&server);
    return work_teardown(state);
}

#endif
