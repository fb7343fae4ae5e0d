# SPDX-License-Identifier: MIT
# Runs before rapl-execd is installed over an earlier one, which may have a group, a mode and a
# capability. CMake would open that file to everyone while it still has its capability. So the
# rights are saved and the file is removed, and the new one starts without them.
set(rights "")
if(EXISTS "${rapl_file}" AND NOT IS_DIRECTORY "${rapl_file}")
  find_program(GETCAP getcap PATHS /usr/sbin /sbin)
  if(GETCAP)
    execute_process(COMMAND "${GETCAP}" "${rapl_file}" OUTPUT_VARIABLE rights ERROR_QUIET
                    OUTPUT_STRIP_TRAILING_WHITESPACE)
    # libcap before 2.41 prints "FILE = cap_x+p" instead of "FILE cap_x=p".
    string(REGEX REPLACE "^.* " "" rights "${rights}")
  endif()
  execute_process(COMMAND stat -c %u:%g "${rapl_file}" OUTPUT_VARIABLE owner
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  execute_process(COMMAND stat -c %a "${rapl_file}" OUTPUT_VARIABLE mode OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT GETCAP AND NOT mode MATCHES "[1357]$")
    message(WARNING "getcap (Debian: libcap2-bin) is missing: if ${rapl_file} had a capability, the "
                    "new file has none.")
  endif()
  file(REMOVE "${rapl_file}")
endif()
