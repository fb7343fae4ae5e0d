# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The layer cross: headers and libraries of other systems, other processors, static programs, the
# flags of distributions, installations. The programs are run on a tree (tests/cross/test_run.py).

roots=$builds/roots

# build_targets NAME "TARGET..." CMAKE OPTION...: builds in build-tests/NAME, with warnings as
# errors.
build_targets() {
    local name=$1 targets=$2
    shift 2
    # shellcheck disable=SC2086 # words
    cmake -S "$top" -B "$builds/$name" -G Ninja -DRAPL_WERROR=ON "$@" &&
        cmake --build "$builds/$name" --target $targets
}

# refuses NAME MESSAGE CMAKE OPTION...: passes if configure fails with the message.
refuses() {
    local name=$1 message=$2 output
    shift 2
    if output=$(cmake -S "$top" -B "$builds/$name" -G Ninja "$@" 2>&1); then
        echo "configured"
        return 1
    fi
    tr -s ' \n' ' ' <<<"$output" | grep -F -- "$message"
}

# with_packages RELEASE "PACKAGE..." NAME COMMAND...: one test that needs packages of that release.
with_packages() {
    local release=$1 packages=$2 log
    log=$(log_of "packages of $release")
    shift 2
    # shellcheck disable=SC2086 # words
    if "$top/tests/cross/unpack" "$release" "$roots/$release" $packages >"$log" 2>&1; then
        must "$@"
    else
        sed 's/^/# /' "$log"
        skip "$1" "packages of Debian's $release cannot be fetched"
    fi
}

builds_for_debian_11() {
    local folder=$roots/bullseye libraries=$roots/bullseye/usr/lib/x86_64-linux-gnu
    # -B is needed because gcc looks for crt1.o and libc.so in its own folders before the sysroot.
    CFLAGS=-B$libraries PKG_CONFIG_SYSROOT_DIR=$folder PKG_CONFIG_LIBDIR=$libraries/pkgconfig \
        build_targets debian11 "rapl-execd rapl_collectd try_locked" -DCMAKE_C_COMPILER=gcc \
        -DCMAKE_SYSROOT="$folder" -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY
}

builds_for_arm64() {
    build_targets arm64 "rapl-execd model_walk" -DCMAKE_SYSTEM_NAME=Linux \
        -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc &&
        qemu-aarch64 -L /usr/aarch64-linux-gnu "$builds/arm64/tests/model/model_walk" --seed 1
}

# Runs the command of docs/install.md.
builds_for_musl() {
    CFLAGS="-idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu" \
        build_targets musl rapl-execd -DCMAKE_C_COMPILER=musl-gcc -DRAPL_STATIC=ON && is_static musl
}

# Debian's libseccomp.a is made for glibc. Only one function is missing with musl.
builds_for_musl_with_filter() {
    local object=$builds/seccomp_on_musl.o
    musl-gcc -O2 -c "$top/tests/cross/seccomp_on_musl.c" -o "$object" || return 1
    CFLAGS="-idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu" LDFLAGS=$object \
        build_targets musl-seccomp "rapl-execd try_locked" -DCMAKE_C_COMPILER=musl-gcc -DRAPL_STATIC=ON
}

# Uses the flags of Debian 13 (dpkg-buildflags).
builds_static() {
    CFLAGS="-g -O2 -Werror=implicit-function-declaration -ffile-prefix-map=$top=. -Wformat \
        -fstack-protector-strong -fstack-clash-protection -Werror=format-security -fcf-protection \
        -Wdate-time -D_FORTIFY_SOURCE=2" LDFLAGS="-Wl,-z,relro -Wl,-z,now" \
        build_targets static rapl-execd -DCMAKE_C_COMPILER=gcc -DRAPL_STATIC=ON && is_static static
}

is_static() {
    ! readelf -lW "$builds/$1/plugins/telegraf/rapl-execd" | grep -E 'INTERP|DYNAMIC'
}

# Builds from and into paths with spaces, with the flags of Fedora 42 (redhat-rpm-config) except its
# specs.
builds_with_flags() {
    local folder="$builds/with spaces"
    rm -rf "$folder"
    mkdir -p "$folder" && ln -s "$top" "$folder/source code" || return 1
    CFLAGS="-O2 -flto=auto -fexceptions -g -Wall -Werror=format-security \
        -Wp,-U_FORTIFY_SOURCE,-D_FORTIFY_SOURCE=3 -fstack-protector-strong -m64 -march=x86-64 \
        -fasynchronous-unwind-tables -fstack-clash-protection -fcf-protection -fno-omit-frame-pointer" \
        LDFLAGS="-Wl,-z,relro -Wl,--as-needed -Wl,-z,now -Wl,-z,pack-relative-relocs" \
        cmake -S "$folder/source code" -B "$folder/build" -G Ninja -DCMAKE_C_COMPILER=gcc \
        -DRAPL_WERROR=ON -DCMAKE_BUILD_TYPE=None &&
        cmake --build "$folder/build" --target rapl-execd rapl_collectd &&
        "$folder/build/plugins/telegraf/rapl-execd" --version &&
        [[ $(nm -D --defined-only "$folder/build/plugins/collectd/rapl.so" | wc -l) -eq 1 ]]
}

# The checkout is used through a link without spaces: compiler flags and pkg-config cannot contain
# any.
run_cross() {
    local link
    if [[ $top != *\ * ]]; then
        build_for_others
        return
    fi
    link=$(mktemp -d) && ln -s "$top" "$link/source" || return
    top=$link/source builds=$link/source/build-tests roots=$link/source/build-tests/roots build_for_others
    rm -r "$link"
}

# What Linux alone has: another system replaces these files.
linux_files=(core/sampler.c core/problem/problem_remedy_denied.c core/system/{host,sysfs}.c
    core/zone/pattern.c core/source/{powercap,perf,msr}/)

# No port yet: only that nothing else needs what Linux alone has.
compiles_for_windows() {
    local file status=0
    while IFS= read -r file; do
        [[ $file != *.c || " ${linux_files[*]} " == *" $file "* || " ${linux_files[*]} " == *" ${file%/*}/ "* ]] ||
            x86_64-w64-mingw32-gcc -std=gnu11 -D_GNU_SOURCE -I"$top/core" -I"$top/core/include" \
                -I"$builds/gcc/core/commit" -DRAPL_VERSION='""' -Wall -Werror -fsyntax-only "$top/$file" || status=1
    done < <(cd "$top" && git ls-files core)
    return $status
}

build_for_others() {
    must "build with the flags of Fedora, in a path with spaces" builds_with_flags
    with_packages bullseye "libc6 libc6-dev linux-libc-dev libcap-dev libcap2 libseccomp-dev libseccomp2
        collectd-dev" "build for Debian 11" builds_for_debian_11
    with_packages trixie libc6 "find the libc of Debian 13" test -e "$roots/trixie/usr/lib"
    must "build for arm64, and walk under QEMU" builds_for_arm64
    must "build for musl, static" builds_for_musl
    must "build for musl with the filter of system calls" builds_for_musl_with_filter
    must "build static with glibc, with the flags of Debian" builds_static
    must "compile all but what Linux alone has for Windows" compiles_for_windows
    must "refuse a compiler without 128-bit integers" refuses i686 "has no 128-bit integers" \
        -DCMAKE_C_COMPILER=gcc -DCMAKE_C_FLAGS=-m32 -DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY
    must "refuse a compiler without headers of the kernel" refuses headers "finds no kernel headers" \
        -DCMAKE_C_COMPILER=musl-gcc
    RAPL_BUILDS=$builds RAPL_BUILD=$builds/gcc tap_each 1 cross "$top"/tests/cross/test_*.py
}
