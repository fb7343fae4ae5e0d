# SPDX-License-Identifier: MIT
# Runs after rapl-execd was installed over one with a capability. Gives the new file the same owner,
# mode and capability, in this order, and the capability only if not everyone may run the file.
function(give_rights)
  find_program(SETCAP setcap PATHS /usr/sbin /sbin)
  if(mode MATCHES "[1357]$")
    message(WARNING "${rapl_file} had the capability ${rights}, and everyone could run it: everyone could "
                    "read the energy counters. The new file has no capability. To let one group run "
                    "it with the capability, see \"File capability\" in docs/permissions.md.")
    return()
  endif()
  foreach(command "chown;${owner}" "chmod;${mode}" "${SETCAP};${rights}")
    execute_process(COMMAND ${command} "${rapl_file}" RESULT_VARIABLE failed ERROR_VARIABLE reason
                    OUTPUT_QUIET)
    if(NOT failed EQUAL 0)
      string(STRIP "${reason}" reason)
      message(FATAL_ERROR "${rapl_file} is installed without the capability ${rights} of the earlier one: "
                          "${command} failed (${reason}). Install again as root.")
    endif()
  endforeach()
  message(STATUS "Kept: owner ${owner}, mode ${mode}, capability ${rights} of ${rapl_file}")
endfunction()

if(rights)
  give_rights()
endif()
