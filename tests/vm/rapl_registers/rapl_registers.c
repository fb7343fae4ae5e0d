// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * RAPL registers for a guest of QEMU's software emulation, which has none: this module answers each
 * rdmsr of one with a counter of known power, so that the kernel's own msr, intel_rapl_msr and rapl
 * (perf) drivers run unmodified on top. Load it before them. tests/vm/README.md describes the true
 * values.
 *
 * A Debian kernel has CONFIG_PARAVIRT_XXL: rdmsr and wrmsr, in modules too, are calls of
 * native_read_msr() and similar functions. A kprobe on those redirects the calls for our registers.
 */
#include <asm/cpu_device_id.h>
#include <asm/intel-family.h>
#include <asm/msr.h>
#include <linux/hash.h>
#include <linux/kprobes.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>
#include <linux/timekeeping.h>
#include <linux/topology.h>

enum domain { PACKAGE, CORE, UNCORE, DRAM, PSYS, DOMAINS };

static const char *const domain_names[DOMAINS] = {"package", "core", "uncore", "dram", "psys"};

/* --- parameters ------------------------------------------------------------------------------- */

static ulong power_mw[DOMAINS] = {45000, 30000, 2000, 7000, 90000};
module_param_named(package_mw, power_mw[PACKAGE], ulong, 0444);
module_param_named(core_mw, power_mw[CORE], ulong, 0444);
module_param_named(uncore_mw, power_mw[UNCORE], ulong, 0444);
module_param_named(dram_mw, power_mw[DRAM], ulong, 0444);
module_param_named(psys_mw, power_mw[PSYS], ulong, 0444);

static char *domains[DOMAINS];
static unsigned int domain_count;
module_param_array(domains, charp, &domain_count, 0444);
MODULE_PARM_DESC(domains, "those that exist, such as package,dram (default: all)");

static ulong update_us = 1000;
module_param(update_us, ulong, 0444);
MODULE_PARM_DESC(update_us, "how often a counter moves; 0: at every read");
static ulong jitter_us = 100;
module_param(jitter_us, ulong, 0444);
MODULE_PARM_DESC(jitter_us, "by how much an update comes late, at most");

static ulong units;
module_param(units, ulong, 0444);
MODULE_PARM_DESC(units, "of the unit register; 0: as the processor model has it");
static ulong start_joules = 1000;
module_param(start_joules, ulong, 0444);
MODULE_PARM_DESC(start_joules, "what each counter holds when the module is loaded");
static ulong wrap_in_ms;
module_param(wrap_in_ms, ulong, 0444);
MODULE_PARM_DESC(wrap_in_ms, "every counter passes its range so long after; 0: start_joules");
static bool restart_on_resume;
module_param(restart_on_resume, bool, 0444);
MODULE_PARM_DESC(restart_on_resume, "counters start again at 0 after suspend, as after S3");

static bool one_counter_per_package;
module_param(one_counter_per_package, bool, 0444);
MODULE_PARM_DESC(one_counter_per_package, "all dies of a package show the same");

/* --- the processor ---------------------------------------------------------------------------- */

/* Energy of one tick: numerator / denominator nanojoules. */
struct unit {
    u64 numerator;
    u64 denominator;
};

static bool is_amd;
static struct unit unit_of[DOMAINS];
static bool exists[DOMAINS];

/* Models with DRAM in units of 15.3 uJ, whatever the unit register contains:
 * intel_rapl_common.c. */
static const struct x86_cpu_id dram_models[] = {
    X86_MATCH_INTEL_FAM6_MODEL(HASWELL_X, NULL),    X86_MATCH_INTEL_FAM6_MODEL(BROADWELL_X, NULL),
    X86_MATCH_INTEL_FAM6_MODEL(SKYLAKE_X, NULL),    X86_MATCH_INTEL_FAM6_MODEL(ICELAKE_X, NULL),
    X86_MATCH_INTEL_FAM6_MODEL(ICELAKE_D, NULL),    X86_MATCH_INTEL_FAM6_MODEL(XEON_PHI_KNL, NULL),
    X86_MATCH_INTEL_FAM6_MODEL(XEON_PHI_KNM, NULL), {},
};

/* Models with psys in whole joules. */
static const struct x86_cpu_id psys_models[] = {
    X86_MATCH_INTEL_FAM6_MODEL(SAPPHIRERAPIDS_X, NULL),
    X86_MATCH_INTEL_FAM6_MODEL(EMERALDRAPIDS_X, NULL),
    {},
};

/* Models with a unit register in powers of two of microjoules, not in fractions of a joule. */
static const struct x86_cpu_id atom_models[] = {
    X86_MATCH_INTEL_FAM6_MODEL(ATOM_SILVERMONT, NULL),
    X86_MATCH_INTEL_FAM6_MODEL(ATOM_SILVERMONT_MID, NULL),
    X86_MATCH_INTEL_FAM6_MODEL(ATOM_AIRMONT, NULL),
    X86_MATCH_INTEL_FAM6_MODEL(ATOM_AIRMONT_MID, NULL),
    {},
};

static void set_units(void) {
    const bool is_atom = x86_match_cpu(atom_models);
    enum domain domain;
    unsigned int exponent;

    if (!units) /* 1/8 W, 2^-10 s; and 15.3 uJ on AMD, 32 uJ on Atom, 61 uJ on others */
        units = is_amd ? 0xA1003 : is_atom ? 0xA0505 : 0xA0E03;
    exponent = (units >> 8) & 0x1f;
    for (domain = 0; domain < DOMAINS; domain++)
        unit_of[domain] = is_atom ? (struct unit){1000ULL << exponent, 1}
                                  : (struct unit){NSEC_PER_SEC, 1ULL << exponent};
    if (x86_match_cpu(dram_models))
        unit_of[DRAM] = (struct unit){15300, 1};
    if (x86_match_cpu(psys_models))
        unit_of[PSYS] = (struct unit){NSEC_PER_SEC, 1};
}

static int set_domains(void) {
    unsigned int i;
    int domain;

    for (domain = 0; domain < DOMAINS; domain++)
        exists[domain] = !domain_count;
    for (i = 0; i < domain_count; i++) {
        domain = match_string(domain_names, DOMAINS, domains[i]);
        if (domain < 0) {
            pr_err("rapl_registers: there is no domain \"%s\"\n", domains[i]);
            return domain;
        }
        exists[domain] = true;
    }
    return 0;
}

/* --- counters --------------------------------------------------------------------------------- */

static u64 began_ns;
static bool has_restarted;

/* A counter contains the energy up to its last update, which may be late. */
static u64 find_last_update(u64 since_ns, u32 which) {
    const u64 period_ns = update_us * NSEC_PER_USEC;
    u64 count, late_ns;

    if (!period_ns)
        return since_ns;
    count = div64_u64(since_ns, period_ns);
    late_ns = hash_64(count ^ ((u64)which << 48), 32) % (jitter_us * NSEC_PER_USEC + 1);
    if (since_ns - count * period_ns < late_ns && count)
        return (count - 1) * period_ns;
    return count * period_ns;
}

/* In percent of the parameter: see "The truth" in tests/vm/README.md. */
static u64 share_of(enum domain domain, int cpu) {
    u64 percent = 100 + 10 * topology_physical_package_id(cpu);

    if (!is_amd && !one_counter_per_package)
        percent += 5 * topology_die_id(cpu);
    else if (is_amd && domain == CORE)
        percent += topology_core_id(cpu);
    return percent;
}

static u64 count_ticks(enum domain domain, u64 nanojoules) {
    return mul_u64_u64_div_u64(nanojoules, unit_of[domain].denominator, unit_of[domain].numerator);
}

static u32 read_counter(enum domain domain, int cpu) {
    const u64 mw = power_mw[domain] * share_of(domain, cpu) / 100;
    const u64 now_ns = ktime_get_boot_fast_ns(); /* continues while the machine sleeps */
    const u32 which = topology_physical_package_id(cpu) * DOMAINS + domain;
    const u64 since_ns = find_last_update(now_ns - READ_ONCE(began_ns), which);
    u64 start;

    if (READ_ONCE(has_restarted))
        start = 0;
    else if (wrap_in_ms)
        start = BIT_ULL(32) - count_ticks(domain, mw * wrap_in_ms * 1000);
    else
        start = count_ticks(domain, start_joules * NSEC_PER_SEC);
    return start + count_ticks(domain, mul_u64_u64_div_u64(since_ns, mw, 1000));
}

/* --- registers -------------------------------------------------------------------------------- */

enum kind { UNITS, COUNTER, LIMIT, INFO };

/* SDM volume 4; AMD's in the PPR of family 17h. */
static const struct rapl_register {
    u32 address;
    bool amd;
    enum kind kind;
    enum domain domain;
} registers[] = {
    {0x606, false, UNITS, PACKAGE},       {0x610, false, LIMIT, PACKAGE},
    {0x611, false, COUNTER, PACKAGE},     {0x614, false, INFO, PACKAGE},
    {0x618, false, LIMIT, DRAM},          {0x619, false, COUNTER, DRAM},
    {0x638, false, LIMIT, CORE},          {0x639, false, COUNTER, CORE},
    {0x640, false, LIMIT, UNCORE},        {0x641, false, COUNTER, UNCORE},
    {0x64D, false, COUNTER, PSYS},        {0x65C, false, LIMIT, PSYS},
    {0xC0010299, true, UNITS, PACKAGE},   {0xC001029A, true, COUNTER, CORE},
    {0xC001029B, true, COUNTER, PACKAGE},
};

/* PL1 125 W and PL2 150 W, both on; a TDP of 125 W. In units of 1/8 W. */
#define FD_RANK_125_150_WATTS 0x004284B000DC83E8ULL
#define INFO_125_WATTS 0x3E8ULL

static u64 limits[DOMAINS] = {[PACKAGE] = FD_RANK_125_150_WATTS, [PSYS] = FD_RANK_125_150_WATTS};

static const struct rapl_register *find_register(u32 address) {
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(registers); i++) {
        if (registers[i].address == address)
            return &registers[i];
    }
    return NULL;
}
NOKPROBE_SYMBOL(find_register);

/* Returns -EIO where a real processor faults: a register of another vendor, or a domain it
 * lacks. */
static int answer(u32 address, u64 *value) {
    const struct rapl_register *found = find_register(address);
    const int cpu = raw_smp_processor_id();

    *value = 0;
    if (!found || found->amd != is_amd)
        return -EIO;
    switch (found->kind) {
    case UNITS:
        *value = units;
        return 0;
    case COUNTER:
        if (!exists[found->domain])
            return -EIO;
        *value = read_counter(found->domain, cpu);
        return 0;
    case LIMIT:
        *value = limits[found->domain];
        return 0;
    case INFO:
        *value = INFO_125_WATTS;
        return 0;
    }
    return -EIO;
}

/* --- replacements of the kernel's functions --------------------------------------------------- */

static u64 answer_read_msr(unsigned int address) {
    u64 value;

    answer(address, &value);
    return value;
}

static u64 answer_read_msr_safe(unsigned int address, int *error) {
    u64 value;

    *error = answer(address, &value);
    return value;
}

static int answer_write_msr_safe(unsigned int address, unsigned int low, unsigned int high) {
    const struct rapl_register *found = find_register(address);

    if (!found || found->amd != is_amd || found->kind != LIMIT)
        return -EIO;
    limits[found->domain] = (u64)high << 32 | low;
    return 0;
}

/* The register number is the first argument of all three functions. */
static int take_over(struct kprobe *probe, struct pt_regs *regs, void *function) {
    if (!find_register(regs->di))
        return 0;
    regs->ip = (unsigned long)function;
    return 1;
}
NOKPROBE_SYMBOL(take_over);

static int before_read_msr(struct kprobe *probe, struct pt_regs *regs) {
    return take_over(probe, regs, answer_read_msr);
}
NOKPROBE_SYMBOL(before_read_msr);

static int before_read_msr_safe(struct kprobe *probe, struct pt_regs *regs) {
    return take_over(probe, regs, answer_read_msr_safe);
}
NOKPROBE_SYMBOL(before_read_msr_safe);

static int before_write_msr_safe(struct kprobe *probe, struct pt_regs *regs) {
    return take_over(probe, regs, answer_write_msr_safe);
}
NOKPROBE_SYMBOL(before_write_msr_safe);

/* A probe with a post handler is not optimized into a jump, which could not change regs->ip. */
static void after(struct kprobe *probe, struct pt_regs *regs, unsigned long flags) {}

/* native_write_msr() is not probed: a CPU that comes online calls it before it can handle a
 * probe. */
static struct kprobe probes[] = {
    {.symbol_name = "native_read_msr", .pre_handler = before_read_msr, .post_handler = after},
    {.symbol_name = "native_read_msr_safe",
     .pre_handler = before_read_msr_safe,
     .post_handler = after},
    {.symbol_name = "native_write_msr_safe",
     .pre_handler = before_write_msr_safe,
     .post_handler = after},
};
static struct kprobe *probe_list[ARRAY_SIZE(probes)];

/* --- suspend ---------------------------------------------------------------------------------- */

/* The guest's root is the host's over virtio: 9p does not survive a suspend of its device. */
static void keep_disk_awake(bool awake) {
    struct pci_dev *device = NULL;

    while ((device = pci_get_device(PCI_VENDOR_ID_REDHAT_QUMRANET, PCI_ANY_ID, device)))
        dev_pm_syscore_device(&device->dev, awake);
}

static void resume(void) {
    if (!restart_on_resume)
        return;
    WRITE_ONCE(began_ns, ktime_get_boot_fast_ns());
    WRITE_ONCE(has_restarted, true);
}

static struct syscore_ops power_operations = {.resume = resume};

/* --- the module ------------------------------------------------------------------------------- */

static int __init start(void) {
    unsigned int i;
    int error;

    is_amd = boot_cpu_data.x86_vendor == X86_VENDOR_AMD;
    set_units();
    error = set_domains();
    if (error)
        return error;
    began_ns = ktime_get_boot_fast_ns();
    for (i = 0; i < ARRAY_SIZE(probes); i++)
        probe_list[i] = &probes[i];
    error = register_kprobes(probe_list, ARRAY_SIZE(probes));
    if (error)
        return error;
    /* QEMU's EPYC lacks the RAPL CPUID bit, which the perf driver checks. */
    if (is_amd)
        set_cpu_cap(&boot_cpu_data, X86_FEATURE_RAPL);
    keep_disk_awake(true);
    register_syscore_ops(&power_operations);
    return 0;
}

static void __exit end(void) {
    unregister_syscore_ops(&power_operations);
    keep_disk_awake(false);
    unregister_kprobes(probe_list, ARRAY_SIZE(probes));
}

module_init(start);
module_exit(end);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("RAPL registers that answer with a known power");
