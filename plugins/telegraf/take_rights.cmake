# SPDX-License-Identifier: MIT
# Before rapl-execd is installed over an earlier one, whose rights may be a group, a mode and a
# capability: CMake would open that file to everyone, and leave it its capability. The earlier file is
# remembered and removed, so that the new one begins without any right.
set(rights "")
if(EXISTS "${rapl_file}" AND NOT IS_DIRECTORY "${rapl_file}")
  find_program(GETCAP getcap PATHS /usr/sbin /sbin)
  if(GETCAP)
    execute_process(COMMAND "${GETCAP}" "${rapl_file}" OUTPUT_VARIABLE rights ERROR_QUIET
                    OUTPUT_STRIP_TRAILING_WHITESPACE)
    # libcap before 2.41 puts "FILE = cap_x+p" for "FILE cap_x=p".
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
