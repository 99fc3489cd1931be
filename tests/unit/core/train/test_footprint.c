/* The memory that training is predicted to take, beside what its network takes. */
#include "check.h"

#include <malloc.h>
#include <stdbool.h>
#include <string.h>

#include "backprop/network.h"
#include "base/team.h"
#include "fault.h"
#include "kernels/gradients.h"
#include "train/footprint.h"

enum { THREADS = 2, CLASSES = 10 };

static uint64_t allocated(void)
{
    const struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

/* What a network on batches of so many crops allocates. */
static uint64_t taken(const struct vgg_arch *arch, const struct vgg_kernels *kernels,
                      const struct vgg_net_sizes *sizes, uint32_t batch)
{
    const struct vgg_network_options options = {.batch = batch, .dropout = 0.5, .fused = true};
    struct vgg_network network;
    uint64_t before = allocated(), bytes;

    assert_int_equal(vgg_network_init(&network, arch, kernels, sizes, &options, THREADS, NULL),
                     VGG_OK);
    bytes = allocated() - before;
    vgg_network_fini(&network);
    return bytes;
}

/* Never less than is taken, and of each further crop about what it takes. */
static void test_networks(void **state)
{
    static const char *const archs[] = {"A", "A-LRN", "C", "E"};
    const struct vgg_kernels *tables[VGG_KERNELS_MAX];
    size_t n = vgg_kernels_runnable(VGG_PRECISION_F32, tables);

    const struct vgg_network_options of_four = {.batch = 4}, of_twenty = {.batch = 20};

    (void)state;
    if (!fault_available()) /* a sanitizer's allocator tells no sizes */
        skip();
    (void)mallopt(M_MMAP_THRESHOLD, 64 << 10); /* or it grows as blocks are freed */
    tables[n - 1] = &vgg_kernels_generic;
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < COUNT_OF(archs); i++) {
            const struct vgg_arch *arch = vgg_arch_find(archs[i]);
            const struct vgg_net_sizes sizes = vgg_net_sizes_regular(arch, 16, 64, CLASSES, 64);
            uint64_t few = vgg_train_predict(arch, tables[t], &sizes, &of_four, THREADS);
            uint64_t many = vgg_train_predict(arch, tables[t], &sizes, &of_twenty, THREADS);
            uint64_t more = taken(arch, tables[t], &sizes, 20);
            uint64_t less = taken(arch, tables[t], &sizes, 4);

            if (few < less || many < more || (many - few) * 10 < (more - less) * 9 ||
                (many - few) * 10 > (more - less) * 13)
                fail_msg("%s, %s: %llu for %llu of 4 crops, %llu for %llu of 20", archs[i],
                         tables[t]->name, (unsigned long long)few, (unsigned long long)less,
                         (unsigned long long)many, (unsigned long long)more);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_networks)};

    return cmocka_run_group_tests_name("footprint of training", tests, NULL, NULL);
}
