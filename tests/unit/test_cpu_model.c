/* SPDX-License-Identifier: MIT */
#include "source/cpu_model.h"

#include <inttypes.h>

#include "cmocka_all.h"

/* Unit registers of processors: ESU 14 (61 uJ), 16 (15.3 uJ), and Silvermont's 5 (32 uJ). */
#define UNIT_61 UINT64_C(0xA0E03)
#define UNIT_15 UINT64_C(0xA1003)
#define UNIT_ATOM UINT64_C(0x505)

#define INTEL CPU_VENDOR_INTEL
#define AMD CPU_VENDOR_AMD

static const struct cpu_counters *find(enum cpu_vendor vendor, unsigned int family,
                                       unsigned int model) {
    const struct cpu_model cpu = {.vendor = vendor, .family = family, .model = model};
    return cpu_model_find(&cpu);
}

/* Nanojoules of 10^9 ticks: exact for every existing unit. */
static void expect_scale(const struct cpu_counters *counters, enum cpu_domain domain,
                         uint64_t unit_register, uint64_t billion_ticks_uj) {
    assert_non_null(counters);
    assert_int_equal(counter_to_uj(cpu_model_scale(counters, domain, unit_register), 1000000000),
                     billion_ticks_uj);
}

#define TICKS_61 UINT64_C(61035156250)
#define TICKS_15 UINT64_C(15258789062)
#define TICKS_15_3 UINT64_C(15300000000)
#define TICKS_32 UINT64_C(32000000000)
#define TICKS_1_J UINT64_C(1000000000000000)

static void test_units_of_the_models(void **state) {
    (void)state;
    /* clang-format off */
    static const struct {
        unsigned int family, model, domains;
        uint64_t unit_register, package, dram, psys;
    } cases[] = {
        {6, 0x2A, 7, UNIT_15, TICKS_15, 0, 0},
        {6, 0x2D, 11, UNIT_15, TICKS_15, TICKS_15, 0},
        {6, 0x3A, 7, UNIT_15, TICKS_15, 0, 0},
        {6, 0x3E, 11, UNIT_15, TICKS_15, TICKS_15, 0},
        {6, 0x3C, 15, UNIT_61, TICKS_61, TICKS_61, 0},
        {6, 0x3D, 15, UNIT_61, TICKS_61, TICKS_61, 0},
        {6, 0x45, 15, UNIT_61, TICKS_61, TICKS_61, 0},
        {6, 0x46, 15, UNIT_61, TICKS_61, TICKS_61, 0},
        {6, 0x47, 15, UNIT_61, TICKS_61, TICKS_61, 0},
        {6, 0x3F, 11, UNIT_61, TICKS_61, TICKS_15_3, 0},
        {6, 0x4F, 11, UNIT_61, TICKS_61, TICKS_15_3, 0},
        {6, 0x55, 11, UNIT_61, TICKS_61, TICKS_15_3, 0},
        {6, 0x56, 11, UNIT_61, TICKS_61, TICKS_61, 0}, /* the same unit as in powercap */
        {6, 0x57, 9, UNIT_61, TICKS_61, TICKS_15_3, 0},
        {6, 0x85, 9, UNIT_61, TICKS_61, TICKS_15_3, 0},
        {6, 0x6A, 27, UNIT_61, TICKS_61, TICKS_15_3, TICKS_61},
        {6, 0x6C, 27, UNIT_61, TICKS_61, TICKS_15_3, TICKS_61},
        {6, 0x8F, 27, UNIT_61, TICKS_61, TICKS_61, TICKS_1_J},
        {6, 0xCF, 27, UNIT_61, TICKS_61, TICKS_61, TICKS_1_J},
        {6, 0xAD, 25, UNIT_61, TICKS_61, TICKS_61, TICKS_1_J},
        {6, 0xAE, 25, UNIT_61, TICKS_61, TICKS_61, TICKS_1_J},
        {6, 0xAF, 25, UNIT_61, TICKS_61, TICKS_61, TICKS_61},
        {6, 0xB6, 25, UNIT_61, TICKS_61, TICKS_61, TICKS_61},
        {6, 0xDD, 25, UNIT_61, TICKS_61, TICKS_61, TICKS_61},
        {6, 0x37, 3, UNIT_ATOM, TICKS_32, 0, 0},
        {6, 0x4A, 3, UNIT_ATOM, TICKS_32, 0, 0},
        {6, 0x4C, 3, UNIT_ATOM, TICKS_32, 0, 0},
        {6, 0x5A, 3, UNIT_ATOM, TICKS_32, 0, 0},
        {6, 0x4D, 3, UNIT_61, TICKS_61, 0, 0}, /* Avoton's unit is not 2^n uJ */
        {6, 0x5C, 15, UNIT_61, TICKS_61, TICKS_61, 0},
        {6, 0x5F, 15, UNIT_61, TICKS_61, TICKS_61, 0},
        {6, 0x7A, 15, UNIT_61, TICKS_61, TICKS_61, 0},
        {6, 0x86, 1, UNIT_61, TICKS_61, 0, 0},
        {6, 0x96, 15, UNIT_61, TICKS_61, TICKS_61, 0},
        {6, 0x9C, 15, UNIT_61, TICKS_61, TICKS_61, 0},
        {19, 0x01, 0, UNIT_61, 0, 0, 0}, /* Diamond Rapids: only has TPMI */
    };
    /* clang-format on */
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct cpu_counters *counters = find(INTEL, cases[i].family, cases[i].model);
        assert_non_null(counters);
        if (counters->domains != cases[i].domains)
            fail_msg("model 0x%x has domains %u", cases[i].model, counters->domains);
        if ((counters->domains & CPU_PACKAGE) != 0)
            expect_scale(counters, CPU_PACKAGE, cases[i].unit_register, cases[i].package);
        if ((counters->domains & CPU_CORE) != 0)
            expect_scale(counters, CPU_CORE, cases[i].unit_register, cases[i].package);
        if ((counters->domains & CPU_UNCORE) != 0)
            expect_scale(counters, CPU_UNCORE, cases[i].unit_register, cases[i].package);
        if ((counters->domains & CPU_DRAM) != 0)
            expect_scale(counters, CPU_DRAM, cases[i].unit_register, cases[i].dram);
        if ((counters->domains & CPU_PSYS) != 0)
            expect_scale(counters, CPU_PSYS, cases[i].unit_register, cases[i].psys);
    }
}

static void test_clients_since_skylake_have_all_domains(void **state) {
    (void)state;
    static const unsigned int models[] = {
        0x4E, 0x5E, 0x66, 0x7D, 0x7E, 0x8A, 0x8C, 0x8D, 0x8E, 0x97, 0x9A, 0x9D, 0x9E, 0xA5, 0xA6,
        0xA7, 0xAA, 0xAC, 0xB5, 0xB7, 0xBA, 0xBD, 0xBE, 0xBF, 0xC5, 0xC6, 0xCC, 0xD5, 0xD7};
    for (size_t i = 0; i < COUNT_OF(models); i++) {
        const struct cpu_counters *counters = find(INTEL, 6, models[i]);
        assert_non_null(counters);
        assert_int_equal(counters->domains, 31);
        for (unsigned int domain = CPU_PACKAGE; domain <= CPU_PSYS; domain <<= 1)
            expect_scale(counters, (enum cpu_domain)domain, UNIT_61, TICKS_61);
    }
    assert_int_equal(find(INTEL, 18, 0x01)->domains, 31);
    assert_int_equal(find(INTEL, 18, 0x03)->domains, 31);
}

static void test_amd_is_known_by_family(void **state) {
    (void)state;
    static const unsigned int models[] = {0, 1, 0x11, 0x31, 0xFF};
    for (size_t i = 0; i < COUNT_OF(models); i++) {
        for (unsigned int family = 0x17; family <= 0x1A; family++) {
            const enum cpu_vendor vendor = family == 0x18 ? CPU_VENDOR_HYGON : AMD;
            const struct cpu_counters *counters = find(vendor, family, models[i]);
            assert_non_null(counters);
            assert_int_equal(counters->domains, CPU_PACKAGE | CPU_CORE);
            expect_scale(counters, CPU_PACKAGE, UNIT_15, TICKS_15);
            expect_scale(counters, CPU_CORE, UNIT_15, TICKS_15);
        }
    }
    assert_null(find(AMD, 0x18, 0));
    assert_null(find(CPU_VENDOR_HYGON, 0x17, 0));
}

static void test_what_is_not_known(void **state) {
    (void)state;
    assert_null(find(INTEL, 6, 0xFE));
    assert_null(find(INTEL, 6, 0)); /* cpuinfo does not contain the model */
    assert_null(find(INTEL, 15, 0x2A));
    assert_null(find(INTEL, 0x19, 0x01));
    assert_null(find(AMD, 0x15, 0x2A));
    assert_null(find(AMD, 6, 0x55));
    assert_null(find(CPU_VENDOR_OTHER, 6, 0x55));
    assert_null(find(CPU_VENDOR_UNKNOWN, 0, 0));
    assert_null(cpu_model_guess(CPU_VENDOR_OTHER));
    assert_null(cpu_model_guess(CPU_VENDOR_UNKNOWN));
    assert_int_equal(cpu_model_guess(INTEL)->domains, 31);
    assert_int_equal(cpu_model_guess(AMD)->domains, CPU_PACKAGE | CPU_CORE);
    assert_int_equal(cpu_model_guess(CPU_VENDOR_HYGON)->vendor, CPU_VENDOR_HYGON);
    expect_scale(cpu_model_guess(INTEL), CPU_DRAM, UNIT_61, TICKS_61);
    expect_scale(cpu_model_guess(INTEL), CPU_PSYS, UNIT_61, TICKS_61);
}

static void test_processors_without_counters(void **state) {
    (void)state;
    static const struct {
        struct cpu_model model;
        bool lacks;
    } cases[] = {
        {{INTEL, 6, 0x0F, false}, true},  /* CORE2_MEROM */
        {{INTEL, 6, 0x1A, false}, true},  /* NEHALEM_EP */
        {{INTEL, 6, 0x1C, false}, true},  /* ATOM_BONNELL */
        {{INTEL, 6, 0x25, false}, true},  /* WESTMERE */
        {{INTEL, 6, 0x2C, false}, true},  /* WESTMERE_EP */
        {{INTEL, 6, 0x2E, false}, true},  /* NEHALEM_EX */
        {{INTEL, 6, 0x2F, false}, true},  /* WESTMERE_EX */
        {{INTEL, 6, 0x36, false}, true},  /* ATOM_SALTWELL */
        {{INTEL, 15, 4, false}, true},    /* Pentium 4 */
        {{INTEL, 5, 9, false}, true},     /* Quark */
        {{INTEL, 6, 0x2A, false}, false}, /* SANDYBRIDGE */
        {{INTEL, 6, 0x2D, false}, false}, /* SANDYBRIDGE_X */
        {{INTEL, 6, 0x37, false}, false}, /* ATOM_SILVERMONT */
        {{INTEL, 6, 0xFE, false}, false}, /* a future model */
        {{INTEL, 18, 1, false}, false},   /* NOVALAKE */
        {{INTEL, 23, 1, false}, false},
        {{INTEL, 6, 0, false}, false}, /* cpuinfo does not contain it */
        {{INTEL, 0, 0, false}, false},
        {{AMD, 0x0F, 0x41, false}, true}, /* K8 */
        {{AMD, 0x15, 0x02, false}, true}, /* Piledriver */
        {{AMD, 0x16, 0x30, false}, true}, /* Puma */
        {{AMD, 0x17, 0x01, false}, false},
        {{AMD, 0x1B, 0x01, false}, false},
        {{AMD, 0, 0, false}, false},
        {{CPU_VENDOR_HYGON, 0x18, 0, false}, false},
        {{CPU_VENDOR_OTHER, 6, 0x1A, false}, false},
        {{CPU_VENDOR_UNKNOWN, 0, 0, false}, false},
        {{CPU_VENDOR_NOT_X86, 0, 0, false}, true},
        /* a virtual machine may show a model that differs from its host's */
        {{INTEL, 15, 6, true}, false},
        {{AMD, 0x0F, 0x6B, true}, false},
        {{CPU_VENDOR_NOT_X86, 0, 0, true}, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(cpu_model_lacks_rapl(&cases[i].model), cases[i].lacks);
        /* never for a model in the table */
        if (cases[i].lacks)
            assert_null(cpu_model_find(&cases[i].model));
    }
}

static void test_modules_of_the_models(void **state) {
    (void)state;
    static const struct {
        struct cpu_model model;
        const char *powercap;
        const char *perf;
    } cases[] = {
        {{INTEL, 6, 0x55, false}, "intel_rapl_msr", "rapl"},
        {{INTEL, 6, 0x8F, false}, "intel_rapl_msr", "rapl"},
        {{INTEL, 6, 0xCF, false}, "intel_rapl_msr", "rapl"},
        {{INTEL, 6, 0xAD, false}, "intel_rapl_tpmi", "intel_rapl_tpmi"},
        {{INTEL, 6, 0xAE, false}, "intel_rapl_tpmi", "intel_rapl_tpmi"},
        {{INTEL, 6, 0xAF, false}, "intel_rapl_tpmi", "intel_rapl_tpmi"},
        {{INTEL, 6, 0xB6, false}, "intel_rapl_tpmi", "intel_rapl_tpmi"},
        {{INTEL, 6, 0xDD, false}, "intel_rapl_tpmi", "intel_rapl_tpmi"},
        {{INTEL, 19, 1, false}, "intel_rapl_tpmi", "intel_rapl_tpmi"},
        {{INTEL, 6, 0xCC, false}, "intel_rapl_msr", "intel_rapl_msr"},
        {{INTEL, 18, 3, false}, "intel_rapl_msr", "intel_rapl_msr"},
        {{AMD, 0x19, 0x01, false}, "intel_rapl_msr", "rapl"},
        {{AMD, 6, 0xAD, false}, "intel_rapl_msr", "rapl"},
        {{CPU_VENDOR_UNKNOWN, 0, 0, false}, "intel_rapl_msr", "rapl"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_string_equal(cpu_model_powercap_module(&cases[i].model), cases[i].powercap);
        assert_string_equal(cpu_model_perf_module(&cases[i].model), cases[i].perf);
    }
}

static void test_every_value_of_the_unit_field(void **state) {
    (void)state;
    const struct cpu_counters *core = find(INTEL, 6, 0x9A);
    const struct cpu_counters *atom = find(INTEL, 6, 0x37);
    for (unsigned int field = 0; field < 32; field++) {
        /* the bits around the field do not matter */
        const uint64_t unit_register = UINT64_C(0xFFFFFFFFFFFFE0FF) | (uint64_t)field << 8;
        const struct tick_scale by_core = cpu_model_scale(core, CPU_PACKAGE, unit_register);
        const struct tick_scale by_atom = cpu_model_scale(atom, CPU_PACKAGE, unit_register);
        assert_int_equal(counter_to_uj(by_core, UINT64_C(1) << field), 1000000);
        assert_int_equal(counter_to_uj(by_atom, 1), UINT64_C(1) << field);
        /* a full range of the counter does not overflow */
        assert_int_equal(counter_to_uj(by_core, UINT64_C(1) << 32),
                         (UINT64_C(1) << 32) * 1000000 >> field);
    }
}

static void test_power_of_a_limit(void **state) {
    (void)state;
    const struct cpu_counters *server = find(INTEL, 6, 0x55);
    const struct cpu_counters *atom = find(INTEL, 6, 0x37);
    /* 1/8 W */
    assert_int_equal(cpu_model_power_uw(server, UNIT_61, 1640), 205000000);
    assert_int_equal(cpu_model_power_uw(server, UNIT_61, 1), 125000);
    assert_int_equal(cpu_model_power_uw(server, UNIT_61, 0x7FFF), 4095875000);
    /* 1 W if the field is 0 */
    assert_int_equal(cpu_model_power_uw(server, 0xA0E00, 205), 205000000);
    /* 2^5 mW */
    assert_int_equal(cpu_model_power_uw(atom, UNIT_ATOM, 100), 3200000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units_of_the_models),
        cmocka_unit_test(test_clients_since_skylake_have_all_domains),
        cmocka_unit_test(test_amd_is_known_by_family),
        cmocka_unit_test(test_what_is_not_known),
        cmocka_unit_test(test_processors_without_counters),
        cmocka_unit_test(test_modules_of_the_models),
        cmocka_unit_test(test_every_value_of_the_unit_field),
        cmocka_unit_test(test_power_of_a_limit),
    };
    return cmocka_run_group_tests_name("cpu_model", tests, NULL, NULL);
}
