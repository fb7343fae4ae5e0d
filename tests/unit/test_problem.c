/* SPDX-License-Identifier: MIT */
#include "problem/problem.h"
#include "source/source.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "source/perf/perf_count.h"
#include "source/perf/perf_pmu.h"
#include "system/error.h"
#include "system/sysfs.h"

static int setup(void **state) {
    static struct problems problems;
    problems = (struct problems){.root = "/"};
    fake_clocks_stop();
    *state = &problems;
    return 0;
}

static int teardown(void **state) {
    problems_free(*state);
    fakes_end();
    return 0;
}

static struct rapl_problem next(struct problems *problems) {
    struct rapl_problem problem = {.reason = NULL};
    assert_true(problems_next(problems, &problem));
    assert_non_null(problem.reason);
    assert_non_null(problem.remedy);
    assert_null(strchr(problem.reason, '\n'));
    assert_null(strchr(problem.remedy, '\n'));
    return problem;
}

static void expect_nothing(struct problems *problems) {
    struct rapl_problem problem;
    assert_false(problems_next(problems, &problem));
}

static void expect_holds(const char *text, const char *part) {
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" does not hold \"%s\"", text, part);
}

static void energy_pass(struct problems *problems, int error, unsigned int zones) {
    problems_begin(problems, PASS_SWEEP);
    for (unsigned int i = 0; i < zones; i++) {
        char subject[32];
        snprintf(subject, sizeof(subject), "sys/zone-%u/energy_uj", i);
        problems_raise(problems, PROBLEM_ENERGY, error, subject);
    }
    problems_end(problems, PASS_SWEEP);
}

static void test_cause_is_told_once(void **state) {
    struct problems *problems = *state;
    expect_nothing(problems);
    for (int i = 0; i < 3; i++) {
        energy_pass(problems, -EIO, 1);
        if (i == 0) {
            const struct rapl_problem problem = next(problems);
            assert_false(problem.over);
            assert_int_equal(problem.severity, RAPL_ERROR);
            assert_int_equal(problem.since_ns, FAKE_EPOCH_NS);
            assert_string_equal(problem.reason, "/sys/zone-0/energy_uj: Input/output error");
        }
        expect_nothing(problems);
        fake_clocks_pass(7200 * NS_PER_S);
    }
}

static void test_one_message_for_many_zones(void **state) {
    struct problems *problems = *state;
    energy_pass(problems, -EACCES, 12);
    expect_holds(next(problems).reason, "/sys/zone-0/energy_uj (and 11 more): Permission denied");
    expect_nothing(problems);
}

static void test_count_is_that_of_the_last_pass(void **state) {
    struct problems *problems = *state;
    energy_pass(problems, -EACCES, 12);
    energy_pass(problems, -EACCES, 3);
    expect_holds(next(problems).reason, "(and 2 more)");
}

static void test_one_zone_is_not_counted(void **state) {
    struct problems *problems = *state;
    energy_pass(problems, -EACCES, 1);
    assert_null(strstr(next(problems).reason, "more"));
}

static void test_each_errno_is_a_cause(void **state) {
    struct problems *problems = *state;
    problems_begin(problems, PASS_SWEEP);
    problems_raise(problems, PROBLEM_ENERGY, -EIO, "sys/a");
    problems_raise(problems, PROBLEM_ENERGY, -EACCES, "sys/b");
    problems_end(problems, PASS_SWEEP);
    expect_holds(next(problems).reason, "/sys/a: Input/output error");
    expect_holds(next(problems).reason, "/sys/b: Permission denied");
    expect_nothing(problems);
}

static void test_end_is_told(void **state) {
    struct problems *problems = *state;
    energy_pass(problems, -EIO, 1);
    (void)next(problems);
    energy_pass(problems, -EIO, 0);
    const struct rapl_problem over = next(problems);
    assert_true(over.over);
    assert_int_equal(over.severity, RAPL_INFO);
    assert_string_equal(over.remedy, "");
    expect_holds(over.reason, "/sys/zone-0/energy_uj");
    expect_nothing(problems);
    energy_pass(problems, -EIO, 0);
    expect_nothing(problems);
}

static void test_end_of_what_was_not_told_is_not_told(void **state) {
    struct problems *problems = *state;
    energy_pass(problems, -EIO, 1);
    energy_pass(problems, -EIO, 0);
    expect_nothing(problems);
}

static void test_flutter_is_told_once_an_hour(void **state) {
    struct problems *problems = *state;
    energy_pass(problems, -EIO, 1);
    (void)next(problems);
    energy_pass(problems, -EIO, 0);
    assert_true(next(problems).over);
    fake_clocks_pass(3600 * NS_PER_S - 1);
    energy_pass(problems, -EIO, 1);
    expect_nothing(problems);
    /* nor is it reported as resolved, because its return was not reported */
    energy_pass(problems, -EIO, 0);
    expect_nothing(problems);
    energy_pass(problems, -EIO, 1);
    fake_clocks_pass(1);
    const struct rapl_problem again = next(problems);
    assert_false(again.over);
    assert_int_equal(again.since_ns, FAKE_EPOCH_NS + 3600 * NS_PER_S - 1);
}

static void test_return_before_its_end_was_told_is_no_end(void **state) {
    struct problems *problems = *state;
    energy_pass(problems, -EIO, 1);
    (void)next(problems);
    energy_pass(problems, -EIO, 0);
    energy_pass(problems, -EIO, 1);
    expect_nothing(problems);
}

static void test_pass_ends_its_own_causes_alone(void **state) {
    struct problems *problems = *state;
    problems_raise(problems, PROBLEM_CLASS, -ENOENT, "sys/class/powercap");
    problems_raise(problems, PROBLEM_RANGE, -ENOENT, "sys/a");
    energy_pass(problems, -EIO, 1);
    for (int i = 0; i < 3; i++)
        (void)next(problems);
    problems_begin(problems, PASS_CLASS);
    problems_end(problems, PASS_CLASS);
    const struct rapl_problem over = next(problems);
    assert_true(over.over);
    expect_holds(over.reason, "/sys/class/powercap");
    expect_nothing(problems);
}

static void test_event_is_told_once_per_zone(void **state) {
    struct problems *problems = *state;
    problems_raise(problems, PROBLEM_PARTED, 0, "package-0");
    problems_raise(problems, PROBLEM_PARTED, 0, "package-1");
    expect_holds(next(problems).reason, "package-0 ");
    expect_holds(next(problems).reason, "package-1 ");
    expect_nothing(problems);
    problems_raise(problems, PROBLEM_PARTED, 0, "package-0");
    expect_nothing(problems);
    fake_clocks_pass(3600 * NS_PER_S);
    expect_holds(next(problems).reason, "package-0 ");
    expect_nothing(problems);
}

static void test_an_hour_of_sleep_is_an_hour(void **state) {
    struct problems *problems = *state;
    problems_raise(problems, PROBLEM_PARTED, 0, "package-0");
    (void)next(problems);
    problems_raise(problems, PROBLEM_PARTED, 0, "package-0");
    fake_clocks_sleep(3600 * NS_PER_S);
    (void)next(problems);
}

static void test_first_one_forward_names_max_power(void **state) {
    struct problems *problems = *state;
    problems_raise(problems, PROBLEM_JUMPED, 0, "package-0");
    const struct rapl_problem problem = next(problems);
    assert_int_equal(problem.severity, RAPL_WARNING);
    expect_holds(problem.remedy, "MaxPower");
    expect_holds(problem.remedy, "--max-power");
}

static void test_every_cause_has_words(void **state) {
    struct problems *problems = *state;
    static const struct {
        enum problem_cause cause;
        int error;
        enum rapl_severity severity;
        bool remedied;
    } causes[] = {
        {PROBLEM_ROOT, -ENOENT, RAPL_ERROR, true},
        {PROBLEM_CLASS, -ENOENT, RAPL_ERROR, true},
        {PROBLEM_NO_ZONES, 0, RAPL_ERROR, true},
        {PROBLEM_MASKED, 0, RAPL_ERROR, true},
        {PROBLEM_MODEL, 0, RAPL_WARNING, true},
        {PROBLEM_MODEL, MODEL_WITHOUT_REGISTERS, RAPL_ERROR, true},
        {PROBLEM_MODEL, MODEL_WITHOUT_VENDOR, RAPL_ERROR, true},
        {PROBLEM_MODEL, MODEL_WITHOUT_RAPL, RAPL_ERROR, true},
        {PROBLEM_MSR, -ENOENT, RAPL_ERROR, true},
        {PROBLEM_MSR, SYSFS_NOT_REGULAR, RAPL_ERROR, true},
        {PROBLEM_REGISTER, 0, RAPL_ERROR, true},
        {PROBLEM_REGISTER, -EIO, RAPL_ERROR, true},
        {PROBLEM_NO_PMU, -ENOENT, RAPL_ERROR, true},
        {PROBLEM_NO_PMU, -EMFILE, RAPL_ERROR, true},
        {PROBLEM_NO_EVENTS, 0, RAPL_ERROR, true},
        {PROBLEM_PMU_FILE, PMU_NOT_A_SCALE, RAPL_WARNING, true},
        {PROBLEM_PERF, -EACCES, RAPL_ERROR, true},
        {PROBLEM_PERF, -EMFILE, RAPL_ERROR, true},
        {PROBLEM_PERF, -ENOENT, RAPL_ERROR, true},
        {PROBLEM_PERF, -EINVAL, RAPL_ERROR, true},
        {PROBLEM_PERF, -ENODEV, RAPL_ERROR, true},
        {PROBLEM_PERF, -ENOSYS, RAPL_ERROR, true},
        {PROBLEM_PERF, -EBUSY, RAPL_ERROR, true},
        {PROBLEM_NAME, -ENOENT, RAPL_WARNING, true},
        {PROBLEM_RANGE, -ENOENT, RAPL_WARNING, true},
        {PROBLEM_LIMIT, -EBADMSG, RAPL_WARNING, true},
        {PROBLEM_SELECTION, 0, RAPL_ERROR, true},
        {PROBLEM_SELECTION, -ENOENT, RAPL_ERROR, true},
        {PROBLEM_PATTERN, -ENOENT, RAPL_WARNING, true},
        {PROBLEM_ENERGY, -EACCES, RAPL_ERROR, true},
        {PROBLEM_ENERGY, -EMFILE, RAPL_ERROR, true},
        {PROBLEM_ENERGY, -ENOENT, RAPL_WARNING, true},
        {PROBLEM_ENERGY, ZONE_COUNTS_NOTHING, RAPL_WARNING, true},
        {PROBLEM_ENERGY, PERF_COUNT_UNDECIDED, RAPL_WARNING, true},
        {PROBLEM_GONE, 0, RAPL_WARNING, true},
        {PROBLEM_GONE_FROM_TOTAL, 0, RAPL_WARNING, true},
        {PROBLEM_ENERGY, -EIO, RAPL_ERROR, true},
        {PROBLEM_ENERGY, SYSFS_NOT_A_NUMBER, RAPL_ERROR, true},
        {PROBLEM_UNREAD, 0, RAPL_WARNING, false},
        {PROBLEM_DUPLICATE, 0, RAPL_WARNING, false},
        {PROBLEM_SHARED, 0, RAPL_WARNING, false},
        {PROBLEM_JOINED, 0, RAPL_WARNING, false},
        {PROBLEM_PARTED, 0, RAPL_WARNING, false},
        {PROBLEM_JUMPED, 0, RAPL_WARNING, true},
        {PROBLEM_UNDECIDED, 0, RAPL_WARNING, true},
        {PROBLEM_ABOVE_WHOLE, 0, RAPL_WARNING, true},
        {PROBLEM_LEAPT, 0, RAPL_WARNING, true},
        {PROBLEM_UNSTEADY, 0, RAPL_WARNING, true},
        {PROBLEM_APART, 0, RAPL_WARNING, true},
    };
    for (size_t i = 0; i < COUNT_OF(causes); i++) {
        problems_raise(problems, causes[i].cause, causes[i].error, "the-subject");
        const struct rapl_problem problem = next(problems);
        expect_holds(problem.reason, "the-subject");
        assert_int_equal(problem.severity, causes[i].severity);
        assert_int_equal(problem.remedy[0] != '\0', causes[i].remedied);
    }
}

static void test_no_zones_are_explained_by_what_is_known(void **state) {
    static const struct {
        bool is_virtual;
        bool has_driver;
        const char *holds;
        const char *lacks;
    } cases[] = {
        {false, false, "load the driver: sudo modprobe intel_rapl_msr", "virtual"},
        {false, true, "in this processor", "modprobe"},
        {true, false, "measure on its host", "in this processor"},
        {true, true, "measure on its host", "modprobe"},
    };
    struct problems *problems = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        problems_free(problems);
        problems->root = "/";
        problems->is_virtual = cases[i].is_virtual;
        problems->has_driver = cases[i].has_driver;
        problems_raise(problems, PROBLEM_NO_ZONES, 0, "sys/class/powercap");
        const struct rapl_problem problem = next(problems);
        expect_holds(problem.remedy, cases[i].holds);
        assert_null(strstr(problem.remedy, cases[i].lacks));
    }
}

/* Reasons why the registers cannot be read, at each stage. */
static void test_each_error_of_registers_has_its_remedy(void **state) {
    static const struct {
        enum problem_cause cause;
        int error;
        const char *subject;
        const char *remedy;
        const char *remedy_root; /* if it differs */
    } cases[] = {
        {PROBLEM_MSR, -ENOENT, "dev/cpu/0/msr", "sudo modprobe msr", NULL},
        {PROBLEM_MSR, -EACCES, "dev/cpu/0/msr", "cap_dac_read_search,cap_sys_rawio=p",
         "root lacks CAP_DAC_READ_SEARCH"},
        {PROBLEM_MSR, -EPERM, "dev/cpu/0/msr", "cap_dac_read_search,cap_sys_rawio=p",
         "root lacks CAP_SYS_RAWIO"},
        {PROBLEM_MSR, -ENXIO, "dev/cpu/3/msr", "its CPU is offline", NULL},
        {PROBLEM_MSR, -EMFILE, "dev/cpu/3/msr", "prlimit", NULL},
        {PROBLEM_MSR, -EIO, "dev/cpu/0/msr", "the processor does not count there", NULL},
        {PROBLEM_REGISTER, -EIO, "dev/cpu/0/msr: register 0x606", "the processor does not count",
         NULL},
        {PROBLEM_REGISTER, 0, "dev/cpu/0/msr: register 0x606", "the processor does not count",
         NULL},
        {PROBLEM_REGISTER, -EACCES, "dev/cpu/0/msr_safe: register 0x606", "msr_allowlist", NULL},
        {PROBLEM_ENERGY, -EACCES, "dev/cpu/0/msr_safe", "msr_allowlist", NULL},
        {PROBLEM_ENERGY, -EACCES, "dev/cpu/0/msr", "cap_sys_rawio", "root lacks"},
        {PROBLEM_ENERGY, -EIO, "dev/cpu/0/msr", "the processor does not count", NULL},
        {PROBLEM_ENERGY, -ENXIO, "dev/cpu/0/msr", "its CPU is offline", NULL},
        {PROBLEM_ENERGY, -EMFILE, "dev/cpu/0/msr", "prlimit", NULL},
    };
    struct problems *problems = *state;
    for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
        const size_t at = i / 2;
        const bool differs = i % 2 == 1 && cases[at].remedy_root != NULL;
        problems_free(problems);
        problems->is_root = i % 2 == 1;
        problems_raise(problems, cases[at].cause, cases[at].error, cases[at].subject);
        const struct rapl_problem problem = next(problems);
        expect_holds(problem.reason, cases[at].subject);
        expect_holds(problem.remedy, differs ? cases[at].remedy_root : cases[at].remedy);
        assert_null(strstr(problem.remedy, "powercap/"));
    }
    problems_free(problems);
    problems->is_virtual = true;
    problems_raise(problems, PROBLEM_REGISTER, 0, "dev/cpu/0/msr: register 0x606");
    expect_holds(next(problems).remedy, "measure on its host");
    problems->withheld = "NoNewPrivileges= has to be no";
    problems_raise(problems, PROBLEM_MSR, -EACCES, "dev/cpu/0/msr");
    assert_string_equal(next(problems).remedy, problems->withheld);
    problems_raise(problems, PROBLEM_MSR, -EPERM, "dev/cpu/0/msr");
    assert_string_equal(next(problems).remedy, problems->withheld);
}

static void test_pmu_that_is_not_there_is_explained(void **state) {
    static const struct {
        enum problem_cause cause;
        bool is_virtual;
        const char *holds;
        const char *lacks;
    } cases[] = {
        {PROBLEM_NO_PMU, false, "sudo modprobe rapl", "virtual"},
        {PROBLEM_NO_PMU, true, "measure on its host", "dmesg"},
        {PROBLEM_NO_EVENTS, false, "dmesg", "virtual"},
        {PROBLEM_NO_EVENTS, true, "measure on its host", "modprobe"},
    };
    struct problems *problems = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        problems_free(problems);
        problems->is_virtual = cases[i].is_virtual;
        problems_raise(problems, cases[i].cause, cases[i].cause == PROBLEM_NO_PMU ? -ENOENT : 0,
                       "sys/power");
        const struct rapl_problem problem = next(problems);
        expect_holds(problem.remedy, cases[i].holds);
        assert_null(strstr(problem.remedy, cases[i].lacks));
    }
}

static void test_privilege_that_was_withheld_is_the_remedy(void **state) {
    struct problems *problems = *state;
    problems->withheld = "NoNewPrivileges= has to be no";
    energy_pass(problems, -EACCES, 1);
    assert_string_equal(next(problems).remedy, problems->withheld);
    energy_pass(problems, -EIO, 1);
    assert_true(next(problems).over);
    expect_holds(next(problems).remedy, "dmesg");
}

static void test_root_stands_before_the_path(void **state) {
    struct problems *problems = *state;
    problems->root = "/host";
    energy_pass(problems, -EACCES, 1);
    problems_raise(problems, PROBLEM_RANGE, SYSFS_EMPTY, "sys/b");
    struct rapl_problem problem = next(problems);
    expect_holds(problem.reason, "/host/sys/zone-0/energy_uj: ");
    expect_holds(problem.remedy, "find /host/sys/devices/virtual/powercap/intel-rapl*");
    problem = next(problems);
    expect_holds(problem.reason, "/host/sys/b: is empty");
    expect_holds(problem.remedy, "/host/sys/b");
}

/* The remedy for a refusal; its wording depends on the cause alone. */
static struct rapl_problem refuse(struct problems *problems, enum problem_cause cause, int error) {
    const char *subject = cause == PROBLEM_MSR    ? "dev/cpu/0/msr"
                          : cause == PROBLEM_PERF ? "sys/power/energy-pkg"
                                                  : "sys/intel-rapl:0/energy_uj";
    problems_free(problems);
    problems_raise(problems, cause, error, subject);
    return next(problems);
}

#define BIT(capability) (UINT64_C(1) << (capability))

/* A right that the process already has is never named as missing. */
static void test_refusal_of_what_the_process_has_names_who_refuses(void **state) {
    static const struct {
        enum problem_cause cause;
        int error;
        uint64_t capabilities;
        int perf_paranoid;
        const char *has;
    } cases[] = {
        {PROBLEM_ENERGY, -EACCES, BIT(CAP_DAC_READ_SEARCH), 2, "CAP_DAC_READ_SEARCH"},
        {PROBLEM_ENERGY, -EACCES, BIT(CAP_DAC_OVERRIDE), 2, "CAP_DAC_READ_SEARCH"},
        {PROBLEM_NAME, -EACCES, BIT(CAP_DAC_READ_SEARCH), 2, "CAP_DAC_READ_SEARCH"},
        {PROBLEM_PERF, -EACCES, BIT(CAP_SYS_ADMIN), 4, "CAP_SYS_ADMIN"},
        {PROBLEM_PERF, -EACCES, BIT(38), 2, "CAP_PERFMON"},
        {PROBLEM_MSR, -EACCES, BIT(CAP_DAC_READ_SEARCH), 2, "CAP_DAC_READ_SEARCH"},
    };
    static const struct {
        enum host_confinement confinement;
        const char *holds;
    } confinements[] = {
        {HOST_UNCONFINED, "sudo dmesg"},
        {HOST_SELINUX, "sudo ausearch -m AVC -ts recent"},
        {HOST_APPARMOR, "sudo dmesg | grep -i apparmor"},
    };
    struct problems *problems = *state;
    for (size_t i = 0; i < 2 * COUNT_OF(cases) * COUNT_OF(confinements); i++) {
        const size_t at = i / 2 % COUNT_OF(cases);
        const size_t by = i / 2 / COUNT_OF(cases);
        problems->is_root = i % 2 == 1;
        problems->capabilities = cases[at].capabilities;
        problems->perf_paranoid = cases[at].perf_paranoid;
        problems->host.confinement = confinements[by].confinement;
        const struct rapl_problem problem = refuse(problems, cases[at].cause, cases[at].error);
        expect_holds(problem.remedy, "the process has ");
        expect_holds(problem.remedy, cases[at].has);
        expect_holds(problem.remedy, confinements[by].holds);
        assert_null(strstr(problem.remedy, "lacks"));
        assert_null(strstr(problem.remedy, "setcap"));
        assert_null(strstr(problem.remedy, "sysctl"));
    }
    /* refused by the device cgroup */
    problems->capabilities = BIT(CAP_SYS_RAWIO);
    expect_holds(refuse(problems, PROBLEM_MSR, -EPERM).remedy, "DeviceAllow=");
    /* a level for which CAP_PERFMON is not enough */
    problems->capabilities = BIT(38);
    problems->perf_paranoid = 3;
    expect_holds(refuse(problems, PROBLEM_PERF, -EACCES).remedy, "CAP_PERFMON is not enough");
}

/* Whatever capabilities it has there: the host's files belong to nobody. */
static void test_refusal_in_a_user_namespace_names_the_host(void **state) {
    static const struct {
        enum problem_cause cause;
        int error;
        const char *holds;
    } cases[] = {
        {PROBLEM_ENERGY, -EACCES, "on the host, install the udev rule"},
        {PROBLEM_RANGE, -EACCES, "map group rapl into the container"},
        {PROBLEM_PERF, -EACCES, "docker run --privileged --userns=host"},
        {PROBLEM_MSR, -EACCES, "docker run --privileged"},
        {PROBLEM_MSR, -EPERM, "on the host"},
    };
    struct problems *problems = *state;
    problems->host.confinement = HOST_USER_NAMESPACE;
    problems->perf_paranoid = 2;
    for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
        problems->is_root = i % 2 == 1;
        problems->capabilities = i % 2 == 1 ? UINT64_MAX : 0;
        const char *remedy = refuse(problems, cases[i / 2].cause, cases[i / 2].error).remedy;
        expect_holds(remedy, "root of a user namespace (an unprivileged container");
        expect_holds(remedy, cases[i / 2].holds);
        assert_null(strstr(remedy, "--cap-add"));
    }
    /* where every user may open events, the namespace is not what forbids it */
    problems->perf_paranoid = 0;
    expect_holds(refuse(problems, PROBLEM_PERF, -EACCES).remedy, "seccomp");
}

static void test_whole_zones_are_given_to_group_rapl(void **state) {
    static const enum problem_cause causes[] = {PROBLEM_ENERGY, PROBLEM_NAME, PROBLEM_RANGE,
                                                PROBLEM_LIMIT};
    static const char *const parts[] = {"group rapl",          "udev rule",        "chgrp rapl",
                                        "chmod g+r",           "-name '*_uj'",     "-name name",
                                        "docs/permissions.md", "'constraint_*_uw'"};
    struct problems *problems = *state;
    char group[32];
    snprintf(group, sizeof(group), "chgrp %u", (unsigned int)getegid());
    for (size_t i = 0; i < COUNT_OF(causes); i++) {
        const char *remedy = refuse(problems, causes[i], -EACCES).remedy;
        for (size_t j = 0; j < COUNT_OF(parts); j++)
            expect_holds(remedy, parts[j]);
        assert_null(strstr(remedy, group));
        assert_null(strstr(remedy, "ausearch"));
    }
    problems->host.confinement = HOST_SELINUX;
    expect_holds(refuse(problems, PROBLEM_ENERGY, -EACCES).remedy, "ausearch");
    /* for other errors, the file */
    expect_holds(refuse(problems, PROBLEM_RANGE, -EIO).remedy, "sudo head -c 200");
    expect_holds(refuse(problems, PROBLEM_LIMIT, -EIO).remedy, "MaxPower");
}

/* Advice that sets a file capability must let only group rapl run that file. */
static void expect_safe(const char *remedy) {
    static const char *const wide[] = {"a+r",    "o+r", "0444", "0644", "0755",
                                       "sysctl", "777", "+ep",  "=ep"};
    for (size_t i = 0; i < COUNT_OF(wide); i++) {
        if (strstr(remedy, wide[i]) != NULL)
            fail_msg("\"%s\" holds \"%s\"", remedy, wide[i]);
    }
    for (const char *at = strstr(remedy, "chgrp"); at != NULL; at = strstr(at + 1, "chgrp"))
        assert_int_equal(strncmp(at, "chgrp rapl ", strlen("chgrp rapl ")), 0);
    if (strstr(remedy, "setcap") == NULL)
        return;
    expect_holds(remedy,
                 "chgrp rapl /usr/bin/rapl-execd && chmod 0750 /usr/bin/rapl-execd && setcap ");
}

/* For every cause and every kind of process: the raw counters are for group rapl alone. */
static void test_no_remedy_opens_the_counters_to_others(void **state) {
    static const int errors[] = {0,    -EACCES, -EPERM,  -ENOENT, -ENODEV, -ENXIO,  -EINVAL,
                                 -EIO, -EMFILE, -ENFILE, -ENOSYS, -EBUSY,  -EBADMSG};
    static const int levels[] = {PROBLEM_PARANOID_UNKNOWN, -1, 0, 1, 2, 3, 4};
    struct problems *problems = *state;
    for (int cause = PROBLEM_ROOT; cause <= PROBLEM_APART; cause++) {
        for (size_t i = 0; i < COUNT_OF(errors) * COUNT_OF(levels) * 4; i++) {
            problems->perf_paranoid = levels[i / 4 % COUNT_OF(levels)];
            problems->is_root = i % 2 == 1;
            problems->host.confinement = i / 2 % 2 == 1 ? HOST_USER_NAMESPACE : HOST_UNCONFINED;
            expect_safe(
                refuse(problems, (enum problem_cause)cause, errors[i / 4 / COUNT_OF(levels)])
                    .remedy);
        }
    }
}

static void test_processor_without_counters_has_no_driver(void **state) {
    static const struct {
        enum problem_cause cause;
        int error;
    } cases[] = {{PROBLEM_CLASS, -ENOENT},
                 {PROBLEM_NO_ZONES, 0},
                 {PROBLEM_NO_PMU, -ENOENT},
                 {PROBLEM_NO_EVENTS, 0},
                 {PROBLEM_MODEL, MODEL_WITHOUT_RAPL}};
    struct problems *problems = *state;
    problems->lacks_rapl = true;
    for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
        problems->has_driver = i % 2 == 1;
        problems->host.lacks_driver = i % 2 == 0;
        const char *remedy = refuse(problems, cases[i / 2].cause, cases[i / 2].error).remedy;
        expect_holds(remedy, "this processor has no RAPL counters");
        assert_null(strstr(remedy, "sudo"));
    }
}

static void test_driver_is_that_of_the_processor(void **state) {
    struct problems *problems = *state;
    problems->module = "intel_rapl_tpmi";
    for (int i = 0; i < 2; i++) {
        problems->is_virtual = i == 1;
        expect_holds(refuse(problems, PROBLEM_NO_ZONES, 0).remedy, "sudo modprobe intel_rapl_tpmi");
        expect_holds(refuse(problems, PROBLEM_NO_PMU, -ENOENT).remedy,
                     "sudo modprobe intel_rapl_tpmi");
    }
    expect_holds(refuse(problems, PROBLEM_ENERGY, -ENODEV).remedy, "sudo modprobe intel_rapl_tpmi");
    expect_holds(refuse(problems, PROBLEM_GONE, 0).remedy, "sudo modprobe intel_rapl_tpmi");
}

static void test_driver_that_is_not_installed(void **state) {
    struct problems *problems = *state;
    problems->host.lacks_driver = true;
    const char *remedy = refuse(problems, PROBLEM_NO_ZONES, 0).remedy;
    expect_holds(remedy, "sudo apt install linux-modules-extra-$(uname -r)");
    assert_null(strstr(remedy, "modprobe"));
    /* the module for perf is in another package */
    expect_holds(refuse(problems, PROBLEM_NO_PMU, -ENOENT).remedy, "sudo modprobe rapl");
    problems->module = "intel_rapl_tpmi";
    expect_holds(refuse(problems, PROBLEM_NO_PMU, -ENOENT).remedy, "linux-modules-extra");
    problems->has_driver = true;
    expect_holds(refuse(problems, PROBLEM_NO_ZONES, 0).remedy, "in this processor");
}

static void test_world_readable_counters_are_never_the_remedy(void **state) {
    struct problems *problems = *state;
    energy_pass(problems, -EACCES, 1);
    const struct rapl_problem problem = next(problems);
    static const char *const bad[] = {"0444", "a+r", "o+r", "644", "777"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_null(strstr(problem.remedy, bad[i]));
}

static void pass_sample(struct problems *problems, enum problem_cause cause, int error,
                        const char *subject) {
    problems_begin(problems, PASS_SWEEP);
    if (subject != NULL)
        problems_raise(problems, cause, error, subject);
    problems_end(problems, PASS_SWEEP);
}

static void test_each_that_has_gone_is_told(void **state) {
    struct problems *problems = *state;
    pass_sample(problems, PROBLEM_GONE_FROM_TOTAL, 0, "package-1");
    expect_holds(next(problems).reason, "package-1 has gone; total goes on");
    pass_sample(problems, PROBLEM_GONE_FROM_TOTAL, 0, NULL);
    assert_true(next(problems).over);
    pass_sample(problems, PROBLEM_GONE_FROM_TOTAL, 0, "package-0");
    expect_holds(next(problems).reason, "package-0 has gone; total goes on");
}

static void test_each_unsteady_zone_is_named(void **state) {
    struct problems *problems = *state;
    problems_raise(problems, PROBLEM_UNSTEADY, 0, "package-0");
    problems_raise(problems, PROBLEM_UNSTEADY, 0, "package-1");
    expect_holds(next(problems).reason, "package-0 goes back and forth");
    expect_holds(next(problems).reason, "package-1 goes back and forth");
}

static void test_the_zone_that_fails_now_is_named(void **state) {
    struct problems *problems = *state;
    pass_sample(problems, PROBLEM_ENERGY, -EIO, "package-0/energy_uj");
    expect_holds(next(problems).reason, "package-0/energy_uj");
    pass_sample(problems, PROBLEM_ENERGY, 0, NULL);
    assert_true(next(problems).over);
    /* another cause within the hour: reported once it has lasted for a minute */
    pass_sample(problems, PROBLEM_ENERGY, -EIO, "package-1/energy_uj");
    expect_nothing(problems);
    fake_clocks_pass(60 * NS_PER_S);
    pass_sample(problems, PROBLEM_ENERGY, -EIO, "package-1/energy_uj");
    expect_holds(next(problems).reason, "package-1/energy_uj");
    expect_nothing(problems);
}

static void test_nobody_asks_when_a_jump_is_over(void **state) {
    struct problems *problems = *state;
    pass_sample(problems, PROBLEM_JUMPED, 0, "package-0");
    expect_holds(next(problems).reason, "package-0 stepped");
    pass_sample(problems, PROBLEM_JUMPED, 0, NULL);
    expect_nothing(problems);
}

static void test_long_subject_is_cut(void **state) {
    struct problems *problems = *state;
    char subject[4000];
    memset(subject, 's', sizeof(subject) - 1);
    subject[sizeof(subject) - 1] = '\0';
    problems_raise(problems, PROBLEM_NAME, -EIO, subject);
    const struct rapl_problem problem = next(problems);
    assert_int_equal(strlen(problem.reason), sizeof(problems->reason) - 1);
}

static void test_what_no_log_can_show_becomes_a_question_mark(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *shown;
    } cases[] = {
        {"", ""},
        {"package-0: \"~\"", "package-0: \"~\""},
        {"a\nb\tc\x7f\x1b[31m", "a?b?c??[31m"},
        {"gr\xC3\xB6\xC3\x9F", "gr\xC3\xB6\xC3\x9F"},
        {"\xE2\x86\x92 \xF0\x9F\x94\x8B", "\xE2\x86\x92 \xF0\x9F\x94\x8B"},
        {"cut \xE2\x86", "cut ??"},
        {"cut \xF0\x9F\x94.", "cut ???."},
        {"\x80 \xC0\x80 \xC1\xBF \xFF \xFC\x80\x80\x80", "? ?? ?? ? ????"},
        {"C1: \xC2\x9B \xC2\xA0", "C1: ?? \xC2\xA0"},
        {"overlong: \xE0\x9F\xBF \xF0\x8F\xBF\xBF", "overlong: ??? ????"},
        {"surrogate: \xED\xA0\x80 \xED\x9F\xBF", "surrogate: ??? \xED\x9F\xBF"},
        {"last: \xF4\x8F\xBF\xBF \xF4\x90\x80\x80", "last: \xF4\x8F\xBF\xBF ????"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[64];
        snprintf(text, sizeof(text), "%s", cases[i].text);
        rapl_make_printable(text);
        assert_string_equal(text, cases[i].shown);
    }
}

static void test_no_path_makes_a_second_line(void **state) {
    struct problems *problems = *state;
    problems->root = "/a\nb";
    problems_raise(problems, PROBLEM_ENERGY, -EIO, "c\x1b[m/energy_uj");
    assert_string_equal(problems_first_reason(problems), "/a?b/c?[m/energy_uj: Input/output error");
    assert_string_equal(next(problems).reason, "/a?b/c?[m/energy_uj: Input/output error");
}

static void test_errors_have_words(void **state) {
    (void)state;
    static const int own[] = {SYSFS_NOT_REGULAR,  SYSFS_TOO_LONG,      SYSFS_EMPTY,
                              SYSFS_NOT_A_NUMBER, SYSFS_OUT_OF_RANGE,  ZONE_WITHOUT_PARENT,
                              ZONE_WITHOUT_RANGE, ZONE_COUNTS_NOTHING, PERF_COUNT_UNDECIDED,
                              PMU_NOT_A_FORMAT,   PMU_NOT_AN_EVENT,    PMU_NOT_A_SCALE,
                              PMU_NOT_JOULES};
    for (size_t i = 0; i < COUNT_OF(own); i++) {
        assert_string_not_equal(rapl_error_text(own[i]), strerror(-own[i]));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(rapl_error_text(own[i]), rapl_error_text(own[j]));
    }
    assert_string_equal(rapl_error_text(-EACCES), strerror(EACCES));
}

static void test_errors_of_a_zone_that_has_gone(void **state) {
    (void)state;
    assert_true(error_is_lost(-ENODEV));
    assert_true(error_is_lost(-ENOENT));
    assert_true(error_is_lost(-ENXIO));
    assert_false(error_is_lost(0));
    assert_false(error_is_lost(-EIO));
    assert_false(error_is_lost(-EACCES));
    assert_false(error_is_lost(-ENODATA));
}

#define TOLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void test_zone_that_has_gone_names_its_own_driver(void **state) {
    struct problems *problems = *state;
    energy_pass(problems, -ENODEV, 1);
    expect_holds(next(problems).remedy, "modprobe intel_rapl_msr");
    problems_free(problems);
    problems->module = "rapl";
    energy_pass(problems, -ENODEV, 1);
    expect_holds(next(problems).remedy, "modprobe rapl");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TOLD(test_cause_is_told_once),
        TOLD(test_one_message_for_many_zones),
        TOLD(test_count_is_that_of_the_last_pass),
        TOLD(test_one_zone_is_not_counted),
        TOLD(test_zone_that_has_gone_names_its_own_driver),
        TOLD(test_each_errno_is_a_cause),
        TOLD(test_end_is_told),
        TOLD(test_end_of_what_was_not_told_is_not_told),
        TOLD(test_flutter_is_told_once_an_hour),
        TOLD(test_return_before_its_end_was_told_is_no_end),
        TOLD(test_pass_ends_its_own_causes_alone),
        TOLD(test_event_is_told_once_per_zone),
        TOLD(test_an_hour_of_sleep_is_an_hour),
        TOLD(test_first_one_forward_names_max_power),
        TOLD(test_every_cause_has_words),
        TOLD(test_no_zones_are_explained_by_what_is_known),
        TOLD(test_each_error_of_registers_has_its_remedy),
        TOLD(test_pmu_that_is_not_there_is_explained),
        TOLD(test_privilege_that_was_withheld_is_the_remedy),
        TOLD(test_root_stands_before_the_path),
        TOLD(test_refusal_of_what_the_process_has_names_who_refuses),
        TOLD(test_refusal_in_a_user_namespace_names_the_host),
        TOLD(test_whole_zones_are_given_to_group_rapl),
        TOLD(test_no_remedy_opens_the_counters_to_others),
        TOLD(test_processor_without_counters_has_no_driver),
        TOLD(test_driver_is_that_of_the_processor),
        TOLD(test_driver_that_is_not_installed),
        TOLD(test_world_readable_counters_are_never_the_remedy),
        TOLD(test_each_that_has_gone_is_told),
        TOLD(test_each_unsteady_zone_is_named),
        TOLD(test_the_zone_that_fails_now_is_named),
        TOLD(test_nobody_asks_when_a_jump_is_over),
        TOLD(test_long_subject_is_cut),
        TOLD(test_what_no_log_can_show_becomes_a_question_mark),
        TOLD(test_no_path_makes_a_second_line),
        TOLD(test_errors_have_words),
        TOLD(test_errors_of_a_zone_that_has_gone),
    };
    return cmocka_run_group_tests_name("problem", tests, NULL, NULL);
}
