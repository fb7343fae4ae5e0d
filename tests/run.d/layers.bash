# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What each layer of tests/run needs, and what it does: run_LAYER prints TAP. Every layer finds the
# build with gcc in $builds/gcc; layers run beside each other, so each makes the other builds that it
# needs in a folder that no other layer uses. $top is the checkout, $builds and $logs are folders.

# In the order in which they begin, so that the longest does not begin last.
all_layers=(vm faults systemd races sanitize fuzz execd cross telegraf collectd lint build unit model
    trees demo bench)
# Longer than all the others together, and not in CI: runs only by name with --long.
long_layers=(newcomer)
# The default layers: no daemon, no guest.
first_layers=(lint build unit trees execd model)
# Measures time, so no other layer runs beside it.
alone=" bench "

# Debian packages: for the build, and additional ones per layer.
build_packages=(gcc libc6-dev cmake ninja-build pkg-config python3 binutils libcmocka-dev libcap-dev
    libseccomp-dev libfuse3-dev)
guest="qemu-system-x86 busybox-static cpio make xz-utils libcap2-bin util-linux"
declare -A packages=(
    [lint]="git clang-format clang-tidy cppcheck shellcheck"
    [build]="clang"
    # qemu-user-static is not used, because it registers itself in the kernel for foreign programs.
    [cross]="gcc-mingw-w64-x86-64-win32 musl-tools gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user libcap2-bin strace"
    [execd]="strace fuse3 libcap2-bin util-linux"
    [faults]="strace valgrind"
    [sanitize]="strace fuse3"
    [fuzz]="clang libclang-rt-dev"
    [collectd]="fuse3 util-linux libgcrypt20"
    [races]="valgrind fuse3 util-linux"
    [telegraf]="fuse3 ca-certificates"
    [vm]=$guest
    [systemd]="$guest systemd udev ca-certificates"
    [bench]="valgrind strace util-linux ca-certificates"
)
# Packages with services are not installed but unpacked into $builds/packages.
build_services=(collectd-core collectd-dev)
sinks="influxdb influxdb-client graphite-carbon"
declare -A services=(
    [collectd]=$sinks
    [telegraf]=$sinks
    [bench]=prometheus-node-exporter
)

# --- building ------------------------------------------------------------------------------------

# build NAME COMPILER [CMAKE OPTION]...: builds in build-tests/NAME, with warnings as errors.
build() {
    local folder=$builds/$1 compiler=$2
    shift 2
    cmake -S "$top" -B "$folder" -G Ninja -DCMAKE_C_COMPILER="$compiler" -DRAPL_WERROR=ON "$@" &&
        cmake --build "$folder"
}

lists_what_is_off() {
    CMAKE_PREFIX_PATH='' build bare gcc -DPKG_CONFIG_EXECUTABLE=/nowhere \
        -DCMAKE_IGNORE_PATH="/usr/include/collectd;/usr/include/collectd/core" \
        -DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON >"$builds/bare.out" 2>&1
    local status=$?
    cat "$builds/bare.out"
    [[ $status -eq 0 && -x $builds/bare/plugins/telegraf/rapl-execd ]] || return 1
    local package
    for package in libcmocka-dev collectd-dev libfuse3-dev libcap-dev libseccomp-dev; do
        if ! sed -n '/Left out of this build/,$p' "$builds/bare.out" | grep -q "$package"; then
            echo "configure does not name $package"
            return 1
        fi
    done
}

installs() {
    local root=$builds/root
    rm -rf "$root"
    DESTDIR=$root cmake --install "$builds/gcc" --prefix /usr || return 1
    local plugins
    plugins=$(PATH=$PATH:/usr/sbin:$unpacked/usr/sbin collectd -h | sed -n 's/^ *Plugin directory *//p')
    [[ -f $root$plugins/rapl.so && ! -L $root$plugins/rapl.so ]] || return 1
    [[ -x $root/usr/bin/rapl-execd ]] && "$root/usr/bin/rapl-execd" --version
}

# A "git archive" contains its commit, so the version is known without git.
tarball_builds() {
    local folder=$builds/tarball
    rm -rf "$folder" && mkdir "$folder" && git -C "$top" archive HEAD | tar -x -C "$folder" &&
        cmake -S "$folder" -B "$folder/build" -G Ninja -DBUILD_TESTING=OFF >/dev/null &&
        cmake --build "$folder/build" --target rapl-execd || return 1
    "$folder/build/plugins/telegraf/rapl-execd" --version |
        grep "commit $(git -C "$top" rev-parse --short HEAD)"
}

needs() {
    readelf -d "$builds/$1" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | sort | tr '\n' ' '
}

# Checks that the programs need no other library, and that the plugin exports only its entry.
needs_little() {
    [[ $(needs gcc/plugins/telegraf/rapl-execd) == "libc.so.6 libcap.so.2 libseccomp.so.2 " ]] ||
        return 1
    [[ $(needs bare/plugins/telegraf/rapl-execd) == "libc.so.6 " ]] || return 1
    [[ $(needs gcc/plugins/collectd/rapl.so) == "libc.so.6 " ]] || return 1
    [[ $(nm -D --defined-only "$builds/gcc/plugins/collectd/rapl.so" | wc -l) -eq 1 ]]
}

is_hardened() {
    local file
    for file in plugins/telegraf/rapl-execd plugins/collectd/rapl.so; do
        readelf -d "$builds/gcc/$file" | grep -q BIND_NOW || return 1
        readelf -lW "$builds/gcc/$file" | grep -q GNU_RELRO || return 1
        readelf -sW "$builds/gcc/$file" | grep -q __stack_chk_fail || return 1
    done
    readelf -h "$builds/gcc/plugins/telegraf/rapl-execd" | grep -q 'Type: *DYN'
}

# Runs before every layer.
run_prepare() { must "build with gcc" build gcc gcc; }

run_build() {
    must "build with clang" build clang clang
    must "build without optimization" build debug gcc -DCMAKE_BUILD_TYPE=Debug
    must "configure lists what is off and builds the rest" lists_what_is_off
    must "install" installs
    must "a tarball builds and names its commit" tarball_builds
    must "needs libc, libcap and libseccomp alone, shows module_register alone" needs_little
    must "hardened" is_hardened
}

# --- lint ----------------------------------------------------------------------------------------

# Checks the program sources; tests are only checked by compiler warnings.
run_tidy() {
    git ls-files 'core/*.c' 'plugins/*.c' 'contrib/*.c' |
        xargs -P 2 -n 4 clang-tidy -p "$builds/gcc" --quiet
}

run_lint() {
    local sources scripts
    cd "$top" || return
    mapfile -t sources < <(git ls-files '*.c' '*.h')
    must "git lists the sources" test "${#sources[@]}" -gt 100
    mapfile -t scripts < <(git ls-files | while IFS= read -r file; do
        head -c 64 -- "$file" 2>/dev/null | grep -aqE '^#!.*\b(ba)?sh\b' && printf '%s\n' "$file"
    done)
    # Releases format differently; the reference is Debian 12's.
    if [[ $(clang-format --version) == *"version 14."* ]]; then
        must "clang-format" clang-format --dry-run -Werror "${sources[@]}"
    else
        echo "ok - clang-format # SKIP the sources are formatted by clang-format 14"
    fi
    must "clang-tidy" run_tidy
    # Since cppcheck 2.11 these want const where a callback's type or a later write forbids it.
    must "cppcheck" cppcheck --enable=warning,style,performance,portability --inline-suppr --suppress=unknownMacro \
        --suppress=constParameterCallback --suppress=constParameterPointer \
        --suppress=constVariablePointer --suppress=normalCheckLevelMaxBranches \
        --error-exitcode=1 --quiet --std=c11 -D_GNU_SOURCE core plugins contrib
    must "shellcheck" shellcheck -x "${scripts[@]}"
    tap_each 1 lint "$top"/tests/run.d/test_*.py "$top"/tests/lint/test_*.py
}

# --- the core, and rapl-execd from outside -------------------------------------------------------

# run_cmocka NAME: the unit tests of the build in $RAPL_BUILD.
run_cmocka() {
    local program
    for program in "$RAPL_BUILD"/tests/unit/test_*; do
        [[ -f $program && -x $program ]] &&
            tap "$1/${program##*/}" env CMOCKA_MESSAGE_OUTPUT=TAP "$program"
    done
}

# Checks with gcov that the unit tests take all branches of the parts without I/O.
takes_every_branch() {
    local program part report
    build coverage gcc -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=--coverage || return 1
    find "$builds/coverage" -name '*.gcda' -delete
    for program in "$builds"/coverage/tests/unit/test_*; do
        if [[ -f $program && -x $program ]]; then
            "$program" || return 1
        fi
    done
    cd "$builds/coverage/core/CMakeFiles/rapl_core.dir" || return 1
    for part in energy/{counter,period,statistics,steady,window} series/{alike,part,report,sum} \
        source/{slow_read,unit_fault} zone/zone; do
        report=$(gcov -b -c "$part.c.gcda" | grep -A 3 "core/$part.c'")
        printf '%s\n' "$report"
        grep -q 'Taken at least once:100.00%' <<<"$report" || return 1
    done
}

run_unit() {
    RAPL_BUILD=$builds/gcc run_cmocka unit
    must "every branch of the pure parts is taken" takes_every_branch
}

# A step is one reading of one zone. One seed is fixed, the other random.
run_model() {
    local program=$builds/gcc/tests/model/model_walk steps=1000000 seed
    [[ ${CI-} != true ]] || steps=20000000
    [[ ${RAPL_LONG-} != 1 ]] || steps=100000000
    seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
    tap "model/walk, always the same" "$program" --seed 1 --steps "$steps"
    tap "model/walk, seed $seed" "$program" --seed "$seed" --steps "$steps"
    tap "model/walk through powercap's files" "$program" --tree --seed "$seed" --steps 200000
    tap "model/undetectable" "$program" --undetectable
    tap "model/slow" "$program" --slow
}

run_trees() {
    RAPL_BUILD=$builds/gcc tap_each 2 trees "$top"/tests/trees/test_*.py
}

# Runs four at a time, because these tests mostly wait.
run_execd() {
    RAPL_BUILD=$builds/gcc tap_each 4 execd "$top"/tests/execd/test_*.py
}

# --- faults, sanitizers, fuzzing -----------------------------------------------------------------

# valgrind does not support the system calls of the sandbox.
build_for_valgrind() {
    cmake -S "$top" -B "$builds/valgrind" -G Ninja -DCMAKE_C_COMPILER=gcc -DRAPL_WERROR=ON \
        -DRAPL_SANDBOX=OFF && cmake --build "$builds/valgrind" --target rapl-execd soak
}

run_faults() {
    local reports=1000000 folder=$builds/gcc/tests/faults
    [[ ${RAPL_LONG-} != 1 ]] || reports=10000000
    must "build for valgrind" build_for_valgrind
    tap "faults/allocations" env CMOCKA_MESSAGE_OUTPUT=TAP "$folder/allocations"
    tap "faults/test_plugin" env CMOCKA_MESSAGE_OUTPUT=TAP "$folder/test_plugin"
    # Memory in the allocator's thread cache would count as in use.
    tap "faults/soak" env CMOCKA_MESSAGE_OUTPUT=TAP RAPL_SOAK_REPORTS=$reports \
        GLIBC_TUNABLES=glibc.malloc.tcache_count=0 "$folder/soak"
    must "20,000 reports under valgrind" env RAPL_SOAK_REPORTS=20000 valgrind --quiet \
        --error-exitcode=9 --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=all \
        "$builds/valgrind/tests/faults/soak"
    RAPL_BUILD=$builds/gcc RAPL_VALGRIND_BUILD=$builds/valgrind \
        tap_each 2 faults "$top"/tests/faults/test_*.py
}

# Of the tests of rapl-execd, only those of parsers and memory. Tests that wait or measure find
# nothing more here, and a build with sanitizers has no sandbox.
run_sanitize() {
    local part modules=("$top"/tests/trees/test_*.py "$top"/tests/fuzz/test_fuzz.py)
    for part in bad_input check faults hostile hostile_change hostile_machine limits msr options perf; do
        modules+=("$top/tests/execd/test_$part.py")
    done
    must "build with sanitizers" build sanitize gcc -DRAPL_SANITIZE=ON -DRAPL_FUZZ=ON \
        -DCMAKE_BUILD_TYPE=Debug
    export RAPL_BUILD=$builds/sanitize
    run_cmocka sanitize
    tap_each 3 sanitize "${modules[@]}"
    tap sanitize/test_sandbox /usr/bin/python3 "$top/tests/execd/test_sandbox.py" LeftOut
}

run_fuzz() {
    local seconds=3
    [[ ${CI-} != true ]] || seconds=6
    [[ ${RAPL_LONG-} != 1 ]] || seconds=120
    must "build with libFuzzer" build fuzz clang -DRAPL_FUZZ=ON -DRAPL_SANITIZE=ON
    must "libFuzzer is there" test -x "$builds/fuzz/tests/fuzz/fuzz_zone"
    RAPL_BUILD=$builds/fuzz RAPL_FUZZ_SECONDS=${RAPL_FUZZ_SECONDS-$seconds} \
        tap_each 1 fuzz "$top"/tests/fuzz/test_fuzz.py
}

# --- the daemons ---------------------------------------------------------------------------------

run_collectd() {
    RAPL_BUILD=$builds/gcc tap_each 3 collectd "$top"/tests/integration/test_collectd_*.py
}

run_races() {
    must "build with ThreadSanitizer" build thread gcc -DRAPL_SANITIZE=thread
    RAPL_BUILD=$builds/gcc RAPL_BUILD_THREAD=$builds/thread \
        tap_each 1 races "$top"/tests/integration/test_races.py
}

run_telegraf() {
    RAPL_BUILD=$builds/gcc tap_each 1 telegraf "$top"/tests/integration/test_telegraf*.py
}

# draws_picture NAME [OPTION]...
draws_picture() {
    local picture=$top/build/$1
    shift
    rm -f "$picture"
    "$top/contrib/demo" --seconds 8 "$@" || return 1
    head -c 8 "$picture" | od -An -tx1 | grep -q '89 50 4e 47 0d 0a 1a 0a'
}

run_demo() {
    must "demo ends with a picture" draws_picture demo.png
    must "demo draws what a mean hides" draws_picture demo-pulse.png --pulse
    RAPL_BUILD=$builds/gcc tap_each 1 demo "$top"/tests/demo/test_*.py
}

run_newcomer() {
    RAPL_BUILD=$builds/gcc tap_each 1 newcomer "$top"/tests/newcomer/test_*.py
}

# --- guests, cost --------------------------------------------------------------------------------

# run_guests LAYER: runs its modules, those with equal machines in one guest, two guests at a time.
run_guests() {
    must "make the guest's image for $1" "$top/tests/vm/image"
    RAPL_BUILD=$builds/gcc tap "$1" /usr/bin/python3 "$top/tests/vm/guests.py" \
        "$top/tests/$1"/test_*.py
}

run_vm() { run_guests vm; }
run_systemd() { run_guests systemd; }

run_bench() {
    RAPL_BUILD=$builds/gcc tap_each 1 bench "$top"/tests/bench/test_*.py
}
