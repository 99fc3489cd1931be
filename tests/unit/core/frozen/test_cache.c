/* Values in files: found, not found, damaged, by several processes at once, in a wrong place. */
#include "core/data/album.h"

#include <sys/wait.h>

#include "frozen/cache.h"

enum { VIEWS = 4, FLOATS = 25, N = VIEWS * FLOATS };

static const char key[] = "picture 1\nview 2\n", other_key[] = "picture 1\nview 3\n";

static float values[N], read_back[N];

static void fill(float *floats, float first)
{
    for (size_t i = 0; i < N; i++)
        floats[i] = first + (float)i;
}

static struct vgg_cache_entry entry_of(const char *name)
{
    return (struct vgg_cache_entry){name, VIEWS, FLOATS};
}

static void put(const char *dir, const char *name, float first)
{
    const struct vgg_cache_entry entry = entry_of(name);
    struct vgg_error error = {0};

    fill(values, first);
    if (vgg_cache_put(dir, &entry, values, &error) != VGG_OK)
        fail_msg("%s", error.text);
}

static bool find_in(const char *dir, const char *name)
{
    const struct vgg_cache_entry entry = entry_of(name);

    memset(read_back, 0, sizeof read_back);
    return vgg_cache_get(dir, &entry, 0, VIEWS, read_back);
}

static bool find(const char *name)
{
    return find_in(album, name);
}

/* Is a view there, by itself, as it was put? */
static bool find_view(const char *name, size_t view)
{
    const struct vgg_cache_entry entry = entry_of(name);

    return vgg_cache_get(album, &entry, view, 1, read_back) &&
           memcmp(read_back, values + view * FLOATS, FLOATS * sizeof *values) == 0;
}

/* The only file there is, below its folder. */
static const char *only_file(void)
{
    static char path[1024];
    char command[128], more[1024];
    FILE *list;

    snprintf(command, sizeof command, "find %s -type f", album);
    list = popen(command, "r");
    assert_non_null(list);
    assert_non_null(fgets(path, sizeof path, list));
    assert_null(fgets(more, sizeof more, list));
    assert_int_equal(pclose(list), 0);
    path[strcspn(path, "\n")] = '\0';
    return path;
}

/* ---------------------------------------------------------------- found ---------------------- */

static void what_was_put_is_found(void **state)
{
    (void)state;
    assert_int_equal(vgg_cache_open(album, NULL), VGG_OK);
    assert_false(find(key));
    put(album, key, 1);
    put(album, other_key, 2);
    assert_true(find(key));
    fill(values, 1);
    assert_memory_equal(read_back, values, sizeof values);
    put(album, key, 3);
    assert_true(find(key));
    fill(values, 3);
    assert_memory_equal(read_back, values, sizeof values);
    for (size_t view = 0; view < VIEWS; view++)
        assert_true(find_view(key, view));
    for (int i = 0; i < 2; i++) { /* of another shape it is none */
        const struct vgg_cache_entry shape = {key, VIEWS - (size_t)i, FLOATS + 1 - (size_t)i};

        assert_false(vgg_cache_get(album, &shape, 0, 1, read_back));
    }
}

/* ---------------------------------------------------------------- damaged -------------------- */

static void damage(const char *path, long offset)
{
    FILE *file = fopen(path, "r+b");
    int byte;

    assert_non_null(file);
    assert_int_equal(fseek(file, offset, offset < 0 ? SEEK_END : SEEK_SET), 0);
    byte = fgetc(file);
    assert_int_equal(fseek(file, -1, SEEK_CUR), 0);
    fputc(byte ^ 1, file);
    assert_int_equal(fclose(file), 0);
}

/* Of each view values and digest, and the key; with a view that is damaged the others are whole. */
static void what_is_damaged_is_not(void **state)
{
    enum { RECORD = FLOATS * sizeof(float) + 64, BEGIN = sizeof key - 1 };
    static const long in_view[] = {0, 99, 100, 163};

    (void)state;
    for (long place = 0; place < BEGIN; place += BEGIN - 1) {
        put(album, key, 1);
        damage(only_file(), place);
        assert_false(find(key) || find_view(key, 1));
    }
    for (size_t i = 0; i < VIEWS * COUNT_OF(in_view); i++) {
        size_t damaged = i % VIEWS;

        put(album, key, 1);
        damage(only_file(), (long)(BEGIN + damaged * RECORD) + in_view[i / VIEWS]);
        assert_false(find(key));
        for (size_t view = 0; view < VIEWS; view++)
            assert_true(find_view(key, view) == (view != damaged));
    }
    put(album, key, 1);
    assert_true(find(key));
    for (int i = 0; i < 3; i++) {
        put(album, key, 1);
        assert_int_equal(truncate(only_file(), i == 2 ? 0 : BEGIN + VIEWS * RECORD - 1 + 2 * i), 0);
        assert_false(find(key) || find_view(key, 0));
    }
}

/* Two views have changed places. */
static void a_view_has_its_place(void **state)
{
    enum { RECORD = FLOATS * sizeof(float) + 64 };
    char records[2][RECORD];
    FILE *file;

    (void)state;
    put(album, key, 1);
    file = fopen(only_file(), "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, sizeof key - 1, SEEK_SET), 0);
    assert_int_equal(fread(records, RECORD, 2, file), 2);
    assert_int_equal(fseek(file, sizeof key - 1, SEEK_SET), 0);
    assert_int_equal(fwrite(records[1], RECORD, 1, file) + fwrite(records[0], RECORD, 1, file), 2);
    assert_int_equal(fclose(file), 0);
    for (size_t view = 0; view < VIEWS; view++)
        assert_true(find_view(key, view) == (view >= 2));
}

/* A whole entry under the name of another is none. */
static void what_is_misplaced_is_not(void **state)
{
    char name[1024], other_name[1024];

    (void)state;
    put(album, key, 1);
    snprintf(name, sizeof name, "%s", only_file());
    assert_int_equal(unlink(name), 0);
    put(album, other_key, 2);
    snprintf(other_name, sizeof other_name, "%s", only_file());
    put(album, key, 1);
    assert_true(find(key));
    assert_int_equal(rename(other_name, name), 0);
    assert_false(find(key));
}

/* ---------------------------------------------------------------- directories ---------------- */

static void refused(const char *dir, const char *reason)
{
    struct vgg_error error = {0};

    assert_int_equal(vgg_cache_open(dir, &error), VGG_IO);
    if (strstr(error.text, dir) == NULL || strstr(error.text, reason) == NULL)
        fail_msg("\"%s\"", error.text);
}

static void directories(void **state)
{
    char dir[1024];

    (void)state;
    snprintf(dir, sizeof dir, "%s", album_path("new"));
    assert_int_equal(vgg_cache_open(dir, NULL), VGG_OK);
    put(dir, key, 1);
    assert_true(find_in(dir, key));
    album_text("file", "text");
    refused(album_path("file"), "no directory");
    snprintf(dir, sizeof dir, "%s/none/new", album);
    refused(dir, "No such file");
}

/* A file is in the way of the folder, as no permission to write is of a user. */
static void unwritable(void **state)
{
    const struct vgg_cache_entry entry = entry_of(key);
    struct vgg_error error = {0};
    char folder[1024];

    (void)state;
    put(album, key, 1);
    snprintf(folder, sizeof folder, "%s", only_file());
    assert_int_equal(unlink(folder), 0);
    *strrchr(folder, '/') = '\0';
    assert_int_equal(rmdir(folder), 0);
    album_text(strrchr(folder, '/') + 1, "text");
    assert_int_equal(vgg_cache_put(album, &entry, values, &error), VGG_IO);
    if (strstr(error.text, album) == NULL)
        fail_msg("\"%s\"", error.text);
    assert_false(find(key));
}

/* ---------------------------------------------------------------- several -------------------- */

static bool is_one_of_both(void)
{
    float expected[N];

    fill(expected, read_back[0]);
    return (read_back[0] == 1 || read_back[0] == 2) &&
           memcmp(read_back, expected, sizeof expected) == 0;
}

static pid_t start_writer(float first)
{
    const struct vgg_cache_entry entry = entry_of(key);
    pid_t child = fork();

    assert_true(child >= 0);
    if (child != 0)
        return child;
    fill(values, first);
    for (int n = 0; n < 50; n++)
        if (vgg_cache_put(album, &entry, values, NULL) != VGG_OK)
            _exit(1);
    _exit(0);
}

/* Processes that write one entry: whoever reads gets that of the one or the other, whole. */
static void several_processes(void **state)
{
    pid_t children[2];

    (void)state;
    put(album, key, 1);
    for (int i = 0; i < 2; i++)
        children[i] = start_writer((float)(i + 1));
    for (int n = 0; n < 200; n++) {
        assert_true(find(key));
        assert_true(is_one_of_both());
    }
    for (int i = 0; i < 2; i++) {
        int status;

        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    only_file();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_is_found, album_start, album_stop),
        cmocka_unit_test_setup_teardown(what_is_damaged_is_not, album_start, album_stop),
        cmocka_unit_test_setup_teardown(a_view_has_its_place, album_start, album_stop),
        cmocka_unit_test_setup_teardown(what_is_misplaced_is_not, album_start, album_stop),
        cmocka_unit_test_setup_teardown(directories, album_start, album_stop),
        cmocka_unit_test_setup_teardown(unwritable, album_start, album_stop),
        cmocka_unit_test_setup_teardown(several_processes, album_start, album_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
