/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_setup_plan.c - the files of the first run: mode and group, what is in the way, and what is left of
 * them.
 */
#include "check.h"
#include "commands/setup/setup.h"
#include "conf/conf.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    struct setup setup;
    char path[64];
    char why[SETUP_WHY_SIZE];
};

static void begin(struct folder *f)
{
    *f = (struct folder){.path = "/tmp/jumpgate-test-XXXXXX"};
    assert_non_null(mkdtemp(f->path));
    (void)snprintf(f->setup.root, sizeof(f->setup.root), "%s", f->path);
    f->setup.plan.group = (gid_t)-1;
}

static void end(struct folder *f)
{
    setup_plan_free(&f->setup);
    assert_int_equal(rmdir(f->path), 0); /* nothing is left in it */
}

static struct setup_file *add(struct folder *f, mode_t mode, const char *name, const char *text)
{
    struct buf data = BUF_INIT(1024);
    struct setup_file *added;

    assert_int_equal(buf_str(&data, text), 0);
    added = setup_add(&f->setup, mode, &data, "/a/%s", name);
    assert_non_null(added);
    buf_free(&data);
    return added;
}

static struct stat look(const struct folder *f, const char *name)
{
    char path[128];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s%s", f->path, name);
    assert_int_equal(lstat(path, &st), 0);
    return st;
}

static void put(const struct folder *f, const char *name, const char *text, size_t n)
{
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s%s", f->path, name);
    fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    close(fd);
}

TEST(files_have_their_mode_and_group_and_go_again)
{
    gid_t group = getuid() == 0 ? 12345 : getgid();
    struct folder f;

    begin(&f);
    f.setup.plan.group = group;
    setup_folder(&f.setup, 0750, true, "/a");
    add(&f, 0600, "secret", "s");
    add(&f, 0640, "conf", "c")->to_gateway = true;
    assert_true(setup_plan_possible(&f.setup, f.why));
    assert_true(setup_plan_make(&f.setup, f.why));
    assert_int_equal(look(&f, "/a").st_mode & 07777, 0750);
    assert_int_equal(look(&f, "/a").st_gid, group);
    assert_int_equal(look(&f, "/a/conf").st_mode & 07777, 0640);
    assert_int_equal(look(&f, "/a/conf").st_gid, group);
    assert_int_equal(look(&f, "/a/secret").st_mode & 07777, 0600);
    assert_int_equal(look(&f, "/a/secret").st_gid, getegid());
    setup_plan_undo(&f.setup);
    end(&f);
}

/* The second file cannot be made: the first one and the folder go again. */
TEST(what_was_made_goes_when_a_later_file_fails)
{
    struct folder f;

    begin(&f);
    setup_folder(&f.setup, 0700, false, "/a");
    add(&f, 0600, "first", "1");
    add(&f, 0600, "none/second", "2");
    assert_true(setup_plan_possible(&f.setup, f.why));
    assert_false(setup_plan_make(&f.setup, f.why));
    assert_non_null(strstr(f.why, "none/second cannot be made"));
    end(&f);
}

/* A file that comes between the look and the making is neither overwritten nor removed. */
TEST(a_file_that_comes_meanwhile_stays)
{
    struct folder f;
    char path[128];

    begin(&f);
    (void)snprintf(path, sizeof(path), "%s/a", f.path);
    assert_int_equal(mkdir(path, 0700), 0);
    setup_folder(&f.setup, 0700, false, "/a");
    add(&f, 0600, "first", "1");
    add(&f, 0600, "second", "2");
    assert_true(setup_plan_possible(&f.setup, f.why));
    put(&f, "/a/second", "theirs", 6);
    assert_false(setup_plan_make(&f.setup, f.why));
    assert_int_equal(look(&f, "/a/second").st_size, 6);
    (void)snprintf(path, sizeof(path), "%s/a/first", f.path);
    assert_int_equal(access(path, F_OK), -1);
    (void)snprintf(path, sizeof(path), "%s/a/second", f.path);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof(path), "%s/a", f.path);
    assert_int_equal(rmdir(path), 0);
    end(&f);
}

TEST(only_an_untouched_configuration_is_replaced_and_it_comes_back)
{
    struct buf defaults = BUF_INIT(1U << 20);
    struct setup_file *conf;
    struct folder f;
    char path[128];

    conf_print_defaults(&defaults);
    begin(&f);
    (void)snprintf(path, sizeof(path), "%s/a", f.path);
    assert_int_equal(mkdir(path, 0700), 0);
    put(&f, "/a/conf", defaults.data, defaults.len);
    conf = add(&f, 0600, "conf", "new");
    assert_false(setup_plan_possible(&f.setup, f.why));
    assert_non_null(strstr(f.why, "exists"));
    conf->replaces = true;
    assert_true(setup_plan_possible(&f.setup, f.why));
    assert_true(setup_plan_make(&f.setup, f.why));
    assert_int_equal(look(&f, "/a/conf").st_size, 3);
    setup_plan_undo(&f.setup);
    assert_int_equal(look(&f, "/a/conf").st_size, defaults.len);
    assert_true(setup_plan_make(&f.setup, f.why));
    setup_plan_keep(&f.setup);
    assert_int_equal(look(&f, "/a/conf").st_size, 3);
    assert_false(setup_plan_possible(&f.setup, f.why)); /* it is the operator's now */
    (void)snprintf(path, sizeof(path), "%s/a/conf", f.path);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof(path), "%s/a", f.path);
    assert_int_equal(rmdir(path), 0);
    buf_free(&defaults);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_have_their_mode_and_group_and_go_again),
        cmocka_unit_test(what_was_made_goes_when_a_later_file_fails),
        cmocka_unit_test(a_file_that_comes_meanwhile_stays),
        cmocka_unit_test(only_an_untouched_configuration_is_replaced_and_it_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
